"""Both sides of the names that an undo is about: where they differ once it is done, which is left apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from syncline.core import names
from syncline.core.model import SIDES, Conflict, Entry, Kind, Place, Reason, RelPath, Rule, Side
from syncline.core.undone import left_apart, same_properties
from syncline.engine.ground import Found
from syncline.engine.undo.decision import Decision
from syncline.engine.undo.sight import Then, by_path, leave_nothing
from syncline.errors import PathError, SynclineError
from syncline.store.conflicts import Conflicts, Recorded
from syncline.store.runs import Runs


class Sides:
    """Both sides of the names that an undo is about, as they are when it is done: on which of them they differ.

    `stayed`: what could not be taken back.
    """

    def __init__(self, decision: Decision, then: Mapping[Place, Then], stayed: Collection[RelPath]) -> None:
        self.ground, self.eyes, self.disk, self.then = decision.ground, decision.eyes, decision.disk, then
        self.spelled = {(each.side, self.ground.fold(each.path)): each for each in then}
        self.run = decision.run
        self.stayed = _with_all_above(stayed)
        self.runs = Runs(decision.world.store)
        self.conflicts = Conflicts(decision.world.store)
        self.known: dict[RelPath, Recorded] = {}
        for recorded in self.conflicts.open_conflicts(self.ground.job.id):
            if recorded.conflict.rule is Rule.UNDONE:
                self.known[recorded.conflict.path] = recorded
        self.whole = {path for path, each in self.known.items() if each.conflict.whole}
        self.found: dict[RelPath, Found] = {}
        self.undo: str | None = None
        self.apart: list[Conflict] = []
        self.together: list[Found] = []

    def tell_apart(self, unmoved: Iterable[Place]) -> None:
        """Compare the sides of every name, from the top: where a folder differs as a whole, what is in it does not
        count. `unmoved`: where nothing is to be done any more."""
        whole = set(self.whole)
        for place in sorted({*self.then, *unmoved}, key=by_path):
            found = self.ground.find(place.path)
            path = found.paths[Side.LEFT]
            if place not in self.then and path not in self.known:
                continue  # nothing is done there, so whatever differs is none of ours
            if path in self.found or any(above in whole for above in names.ancestors(path)):
                continue
            self.found[path] = found
            whole.discard(path)
            thens = {side: self._then(found.place(side), found.entries[side]) for side in SIDES}
            deep = any(then.moved for then in thens.values())
            if self._same(thens) and (not deep or self._same_within(thens, found, self._coming)):
                self.together.append(found)
                continue
            conflict = _conflict(path, thens, whole=deep)
            self.apart.append(conflict)
            if conflict.whole:
                whole.add(path)
        self.whole |= whole

    def open(self, run: str) -> None:
        """Open the conflicts, before the first action."""
        self.undo = run
        for conflict in self.apart:
            self.conflicts.record(self.ground.job.id, run, conflict)

    def close(self, open: Collection[Place]) -> None:
        """Bring the conflicts up to date when the undo ends; the actions for the `open` places were not done."""
        self._review(open)
        self._reopen()

    def _review(self, open: Collection[Place]) -> None:
        """See what has become of them: those that differ are told as they stand, the others are settled. A name that
        was to be the same on both sides is left apart as well where it is not, for an action there is still `open`."""
        unfinished = {place.path for place in open}
        self.stayed |= _with_all_above(unfinished)
        whole = set[RelPath]()
        for path in sorted({*self.known, *self.found}):
            known = [
                each.id
                for each in self.conflicts.open_at(self.ground.job.id, path)
                if each.conflict.rule is Rule.UNDONE and each.conflict.path == path
            ]
            above = names.ancestors(path)
            if not known and (not unfinished.intersection((path, *above)) or whole.intersection(above)):
                continue
            try:
                conflict = self._as_it_is(path)
            except SynclineError:  # it stays open, and the next run sees how it stands
                if known:
                    continue
                conflict = left_apart(path, None, None)
            if conflict is None:
                self.conflicts.settle(known)
            else:
                self.conflicts.record(self.ground.job.id, self.undo, conflict)
                if conflict.whole:
                    whole.add(path)

    def _as_it_is(self, path: RelPath) -> Conflict | None:
        """The conflict that there is at a name now; None where both sides show the same."""
        found = self.ground.find(path)
        if not found.was_directory and self.ground.as_remembered(found):
            return None  # told without reading it
        thens = {side: Then(found.entries[side], found.place(side)) for side in SIDES}
        deep = self._half_back(path) or any(
            self._moved(found.place(side)) or self._unforeseen(found.place(side), thens[side]) for side in SIDES
        )
        same = self._same(thens) and (path in self.found or self._is_over(self.known[path], found))
        if same and (not deep or self._same_within(thens, found, self._standing)):
            return None
        return _conflict(path, thens, whole=deep)

    def _is_over(self, known: Recorded, found: Found) -> bool:
        """Whether a conflict whose sides show the same is settled by that: not where a person made a folder by hand
        which another undo than the one undone now had left apart. What is in it waits with it."""
        entry = found.entries[Side.LEFT]
        folder = entry is not None and entry.kind is Kind.DIRECTORY
        return not folder or not known.conflict.whole or known.run == self.run

    def _unforeseen(self, place: Place, now: Then) -> bool:
        """Whether something stands where the undo was to leave nothing."""
        then = self._at(place)
        return now.entry is not None and then is not None and then.entry is None

    def _half_back(self, path: RelPath) -> bool:
        """Whether something stays at or below a folder that was left apart as a whole: then both sides having it does
        not say that they have the same in it."""
        return path in self.whole and path in self.stayed

    def _reopen(self) -> None:
        """Have the conflicts that the run settled wait again, whose other version stands beside the first once more."""
        run = self.runs.by_id(self.run)
        settled = [self.conflicts.by_id(each) for each in (run.settled if run is not None else ())]
        self.conflicts.reopen(each.id for each in settled if each is not None and self._stand_beside(each.conflict))

    def _stand_beside(self, conflict: Conflict) -> bool:
        open_there = self.conflicts.open_at(self.ground.job.id, conflict.path)
        try:
            return (
                conflict.clash is not None
                and not open_there
                and all(
                    self.ground.roots[side].entry(path) is not None
                    for side in SIDES
                    for path in (conflict.path, conflict.clash)
                )
            )
        except PathError:
            return False

    def _then(self, place: Place, now: Entry | None) -> Then:
        """What stands at a place when the undo is done, which may have dealt with a folder above it."""
        for above in (place.path, *names.ancestors(place.path)):
            then = self._at(Place(place.side, above))
            if then is not None and (above == place.path or then.entry is None):
                return then
            if then is not None:
                break
        at = self.eyes.actual(place)
        if at == place:
            return Then(now, place)
        return Then(None, place) if at is None else Then(self.eyes.now(place), at)

    def _moved(self, place: Place) -> bool:
        then = self._at(place)
        return then is not None and then.moved

    def _at(self, place: Place) -> Then | None:
        """What is known of a place, however it is spelled there."""
        spelled = place if place in self.then else self.spelled.get((place.side, self.ground.fold(place.path)))
        return None if spelled is None else self.then[spelled]

    def _coming(self, place: Place) -> Then:
        return self._then(place, self.disk.now(place))

    def _standing(self, place: Place) -> Then:
        return Then(self.disk.now(place), place)

    def _same(self, thens: Mapping[Side, Then]) -> bool:
        left, right = thens[Side.LEFT], thens[Side.RIGHT]
        if left.entry is None or right.entry is None:
            return left.entry is None and right.entry is None
        if left.entry.kind is not right.entry.kind or not same_properties(left.entry, right.entry, self.ground.rules):
            return False
        if left.entry.kind is Kind.DIRECTORY:
            return True
        return left.entry.size == right.entry.size and self._content(left) == self._content(right)

    def _same_within(self, thens: Mapping[Side, Then], found: Found, look: Callable[[Place], Then]) -> bool:
        """Whether both sides show the same in all that is below a name as well."""
        inside = set[RelPath]()
        for side, then in thens.items():
            if then.entry is not None and then.entry.kind is Kind.DIRECTORY:
                top = found.paths[side]
                inside.update(path for path, _ in self.ground.tree(then.content_at, leave_nothing))
                inside.update(
                    RelPath(place.path[len(top) + 1 :])
                    for place in self.then
                    if place.side is side and place.path.startswith(f"{top}/")
                )
        return all(
            self._same({side: look(Place(side, names.join(found.paths[side], path))) for side in SIDES})
            for path in inside
        )

    def _content(self, then: Then) -> bytes:
        now = self.disk.now(then.content_at)
        if now is None:
            raise PathError(Reason.TARGET_CHANGED, then.content_at.path, "vanished while it was looked at")
        return self.disk.content(then.content_at, now)


def _conflict(path: RelPath, thens: Mapping[Side, Then], *, whole: bool = False) -> Conflict:
    return left_apart(path, thens[Side.LEFT].entry, thens[Side.RIGHT].entry, whole=whole)


def _with_all_above(paths: Iterable[RelPath]) -> set[RelPath]:
    return {each for path in paths for each in (path, *names.ancestors(path))}
