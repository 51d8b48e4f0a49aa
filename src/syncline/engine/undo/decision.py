"""Which renames of a run are taken back, and what becomes of each place it changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from syncline.core import names
from syncline.core import undo as inverting
from syncline.core.model import Entry, Kind, MakeDirectory, Outcome, Place, Problem, Reason, RelPath, Rename, Side
from syncline.core.undo import BringBack, Done, GoesBack, Inverse, Nothing, Reset, Stays, TakeAway
from syncline.engine.ground import Ground
from syncline.engine.undo.leaving import Leaving
from syncline.engine.undo.sight import Eyes, by_path
from syncline.engine.world import World
from syncline.errors import PathError
from syncline.store.journal import DONE, Journal
from syncline.store.runs import Runs


class Decision:
    """What an undo comes to, seen from what stands there now.

    Places are those before the renames of the run, that is, after they were taken back; but for what came to names that
    the renames had freed. That goes before anything else, by `late`; all other places are in `steps`. `renames` are
    those that are taken back, `passed` all others, `stays` what is told of those that cannot be.
    """

    def __init__(self, ground: Ground, world: World, run: str) -> None:
        self.ground, self.world, self.run = ground, world, run
        self.done = self._done(run)
        self.trail = inverting.trail(self.done)
        self.renames: dict[int, GoesBack] = {}
        self.passed: set[int] = set()
        self.disk = Eyes(ground, world)
        self.eyes = Eyes(ground, world, self._actual)
        self.changes: list[inverting.Change] = []
        self.steps: dict[Place, Inverse] = {}
        self.late: dict[Place, Inverse] = {}
        self.stays: list[Problem] = []
        kept: dict[int, Stays | None] = {}
        while found := self._decide_all(kept):
            kept.update(found)
            for number in self.trail.together(kept):
                kept.setdefault(number, None)
        self._keep_what_was_renamed(kept)
        if self._keep_in_sight():
            self._keep_what_cannot_go()
        self.groups = {each.at: each.group for each in self.changes if each.freed is None and each.group is not None}

    def now(self, place: Place, moment: int) -> Place:
        """Where what stood at a place at a moment of the run stands now."""
        return self.trail.now_of(place, moment, self.passed) or place

    def start(self, place: Place, moment: int) -> Place:
        """Where what stood at a place at a moment of the run had stood before it."""
        return self.trail.start_of(place, moment, self.passed)[0]

    def entry(self, place: Place) -> Entry | None:
        """What is at a place, None where that cannot be seen."""
        try:
            return self.eyes.now(place)
        except PathError:
            return None

    def _actual(self, place: Place) -> Place | None:
        return self.trail.now_of(place, 0, self.passed)

    def _decide_all(self, kept: Mapping[int, Stays | None]) -> dict[int, Stays]:
        """Decide what becomes of each place and name, but for the renames that are `kept`; those to be kept too."""
        self.passed, self.renames = set(kept), {}
        made, found = self._made_before(), dict[int, Stays]()
        left = inverting.left_by(self.done, self.trail)
        for number in range(self.trail.end - 1, -1, -1):
            if number not in kept:
                step = self._way_back(number, left)
                if isinstance(step, GoesBack):
                    self.renames[number] = step
                    continue
                self.passed.add(number)
                if isinstance(step, Stays):
                    found[number] = step
        if found:
            return found
        self.steps, self.late = {}, {}
        self.changes = inverting.changes(self.done, self.trail, self.passed)
        self.displaced = {each.at: each for each in self.changes if each.freed is None and each.displaced_folder}
        for change in self.changes:
            if change.freed is None:
                self._decide(change, made)
            elif change.freed in self.renames or change.freed in kept:
                self._decide_late(change)
        self._keep_what_cannot_go()
        for number in self.renames:
            why = self._obstacle(number)
            if why is not None:
                found[number] = Stays(self.trail.renames[number].at, Reason.TARGET_CHANGED, why)
        return found

    def _leading(self) -> Iterator[tuple[int, Side, RelPath]]:
        for number in self.renames:
            rename = self.trail.renames[number]
            yield number, rename.at.side, rename.to
            if rename.swap:
                yield number, rename.at.side, rename.at.path

    def _way_back(self, number: int, left: Mapping[Place, Entry]) -> GoesBack | Nothing | Stays:
        rename = self.trail.renames[number]
        at, to = rename.at, Place(rename.at.side, rename.to)
        things = [left.get(self.trail.start_of(place, number)[0]) for place in (at, to)]
        try:
            here, there = self._at_both_names(number)
        except PathError as error:
            return Stays(at, Reason(error.reason), error.detail)
        return inverting.way_back(rename, (things[0], things[1]), here, there, free=True)

    def _at_both_names(self, number: int) -> tuple[Entry | None, Entry | None]:
        """What stands at the earlier and at the new name of a rename. Where the root takes both for one name, that
        thing stands at the one that it is spelled as."""
        rename = self.trail.renames[number]
        at, to = (self.now(place, number + 1) for place in (rename.at, Place(rename.at.side, rename.to)))
        here, there = self.disk.now(at), self.disk.now(to)
        if here is not None and there is not None and self.disk.one_name(at, to):
            return (here, None) if names.basename(at.path) in self.disk.names(_above(at)) else (None, there)
        return here, there

    def _obstacle(self, number: int) -> str | None:
        """Why a thing cannot have its earlier name, though it is there and as the run left it."""
        rename = self.trail.renames[number]
        if rename.swap:
            return None
        place = self.now(rename.at, number + 1)
        try:
            if self._at_both_names(number)[0] is not None and not self.leaving_first.goes(place):
                return "its earlier name is taken by something that stays"
            above = self.trail.start_of(_above(rename.at), number)[0]
            if not self._is_folder(above):
                return "the folder it stood in is not there any more"
        except PathError as error:
            return error.detail
        return None

    def _keep_what_was_renamed(self, kept: Mapping[int, Stays | None]) -> None:
        """Names that stay renamed are told, and all that was done at and below them stays as well."""
        told: dict[Place, Stays] = {}
        for number in sorted(kept):
            rename = self.trail.renames[number]
            for stays in inverting.stays_renamed(rename, kept[number]):
                told.setdefault(stays.at, stays)
                told.setdefault(self.trail.start_of(stays.at, number)[0], stays)
        back = self.passed - kept.keys()
        for steps in (self.steps, self.late):
            for place in list(steps):
                above = (Place(place.side, each) for each in (place.path, *names.ancestors(place.path)))
                why = next((told[each] for each in above if each in told), None)
                if why is None:
                    continue
                if not isinstance(steps.pop(place), Nothing):
                    now = place if steps is self.late else self.trail.now_of(place, 0, back) or place
                    told.setdefault(now, why)
        self.stays += [Problem(place, stays.reason, stays.detail) for place, stays in told.items()]

    def _done(self, run: str) -> list[Done]:
        steps = Journal(self.world.store).actions(run)
        return [Done(step.action, step.result, step.trash) for step in steps if step.state == DONE]

    def _made_before(self) -> set[Place]:
        """The directories that an undo of this run, which did not come to its end, had made again."""
        found = set[Place]()
        for run in Runs(self.world.store).undos_of(self.run, self.ground.job.id):
            if run.outcome in (None, Outcome.INTERRUPTED):
                done = self._done(run.id)
                trail, moment = inverting.trail(done), 0
                for step in done:
                    if isinstance(step.action, MakeDirectory):
                        found.add(trail.now_of(step.action.at, moment) or step.action.at)
                    moment += isinstance(step.action, Rename)
        return found

    def _decide(self, change: inverting.Change, made: set[Place]) -> None:
        try:
            change = self._with_what_went(change)
            if change.at in made and (half := self._half_done(change)) is not None:
                self.steps[change.at] = half
                return
            self.steps[change.at] = found = inverting.inverse(change, self.eyes)
            aside = change.was.kept if change.was.aside else None
            if isinstance(found, Nothing) and aside is not None and (left := self.eyes.now(aside)) is not None:
                self.steps[aside] = TakeAway(aside, left)  # an undo that was cut off had come so far
        except PathError as error:
            self.steps[change.at] = Stays(change.at, Reason(error.reason), error.detail)

    def _with_what_went(self, change: inverting.Change) -> inverting.Change:
        """A change of a name in a folder that took the place of another one: what had that name before went with it."""
        at = change.at
        tops = [Place(at.side, above) for above in names.ancestors(at.path)] if change.was.entry is None else []
        top = next((self.displaced[each] for each in tops if each in self.displaced), None)
        if top is None or top.was.kept is None:
            return change
        kept = Place(top.was.kept.side, RelPath(top.was.kept.path + at.path[len(top.at.path) :]))
        went = self.disk.now(kept)
        return change if went is None else replace(change, was=inverting.Was(went, kept))

    def _half_done(self, change: inverting.Change) -> BringBack | None:
        """A directory that is there again, perhaps without all that was in it."""
        now, was = self.eyes.now(change.at), change.was
        if now is None or now.kind is not Kind.DIRECTORY or was.entry is None or was.entry.kind is not Kind.DIRECTORY:
            return None
        copy = None if was.kept is None else self.eyes.now(was.kept)
        return BringBack(change.at, now, was.entry, None if copy is None else was.kept, copy, was.aside)

    def _decide_late(self, change: inverting.Change) -> None:
        try:
            found = inverting.inverse(change, self.disk)
        except PathError as error:
            found = Stays(change.at, Reason(error.reason), error.detail)
        if isinstance(found, BringBack | Reset):
            found = Stays(change.at, Reason.TARGET_CHANGED, "was changed since that run; it stays as it is")
        self.late[change.at] = found

    def _keep_what_cannot_go(self) -> None:
        """Find out what leaves its folder, until nothing more has to stay because of what stays."""
        leave = [self.now(Place(side, to), number + 1) for number, side, to in self._leading()]
        settled = False
        while not settled:
            self.leaving_first = Leaving(self.ground, self.disk, self.late, leave)
            self.leaving = Leaving(self.ground, self.eyes, self.steps, leave)
            self._keep_what_has_no_place()
            settled = not self._keep_in_sight()

    def _keep_in_sight(self) -> bool:
        """Keep what has a version that does not come back to its own name, a folder with all in it; whether there is
        such."""
        kept = inverting.kept_in_sight((each, self._steps_of(each).get(each.at)) for each in self.changes)
        for change, stays in kept:
            steps = self._steps_of(change)
            if change.became is not None and change.became.kind is Kind.DIRECTORY:
                for place in [each for each in steps if _is_below(each, stays.at)]:
                    del steps[place]
            if stays.at in steps:
                steps[stays.at] = stays
        return bool(kept)

    def _steps_of(self, change: inverting.Change) -> dict[Place, Inverse]:
        return self.steps if change.freed is None else self.late

    def _keep_what_has_no_place(self) -> None:
        """Nothing comes back where its folder is gone, nor in place of a folder in which something must stay."""
        for place in sorted(self.steps, key=by_path):
            step = self.steps[place]
            if not isinstance(step, BringBack):
                continue
            if not self._is_folder(_above(place)):
                told = "the folder it stood in is not there any more; 'syncline trash restore' makes it anew"
                self.steps[place] = Stays(place, Reason.TARGET_CHANGED, told)
            elif step.replaces_folder and not self.leaving.whole(place):
                told = "a folder stands there now, with something in it that stays"
                self.steps[place] = Stays(place, Reason.TARGET_CHANGED, told)

    def _is_folder(self, place: Place) -> bool:
        """Whether a folder stands at a place in the end, as far as this is decided."""
        step = self.steps.get(place)
        if isinstance(step, BringBack):
            return step.is_folder
        entry = self.entry(place) if place.path else None
        return not place.path or (entry is not None and entry.kind is Kind.DIRECTORY)


def _is_below(place: Place, above: Place) -> bool:
    return place.side is above.side and place.path.startswith(f"{above.path}/")


def _above(place: Place) -> Place:
    return Place(place.side, names.parent(place.path))
