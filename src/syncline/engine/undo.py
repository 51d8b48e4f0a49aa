"""Taking a run back: what it did is undone where it did it, and nothing else is touched.

An undo is an errand like any other: drawn up from the journal of the run and from what stands on the disk now, carried
out by the same executor, journalled, and so undone itself the same way. Earlier versions are copied back from the trash
and stay in it as well, so that whatever a journal names is still there; what the run had put in place goes there too.

Names on which the sides differ afterwards are conflicts of rule `undone`. They are open before the first action: were
the undo cut off, the next run would else take for an edit what the undo put back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from syncline.core import access, guard, names, policy
from syncline.core import undo as inverting
from syncline.core.model import (
    SIDES,
    Action,
    Because,
    Conflict,
    Entry,
    Event,
    Kind,
    MakeDirectory,
    Objection,
    Outcome,
    Place,
    Problem,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Remove,
    Rename,
    Rule,
    SetProperties,
    Side,
    Trash,
    Why,
)
from syncline.core.undo import BringBack, Done, GoesBack, Inverse, Nothing, Reset, Stays, TakeAway
from syncline.core.undone import left_apart, same_properties
from syncline.engine.errand import Errand, Task, perform, stand
from syncline.engine.ground import Found, Ground
from syncline.engine.look import accessible
from syncline.engine.mend import close, mend
from syncline.engine.world import Ask, World, check_stop, take
from syncline.errors import PathError, SynclineError
from syncline.execute import transfer
from syncline.jobs.kind import Job
from syncline.scanner.client import same_file
from syncline.scanner.contents import read_contents
from syncline.store.conflicts import Conflicts, Recorded
from syncline.store.jobs import Jobs
from syncline.store.journal import DONE, Journal
from syncline.store.runs import Run, Runs

UNDO = "undo"


def undo(job: Job, world: World, ask: Ask, run: str) -> Iterator[Event]:
    """Take a run of a job back, as a run. A run that was cut off is finished before.

    Raises: RunRefused, RootLocked, Interrupted, RootLost, StateError.
    """
    started = time.monotonic()
    standing, record = stand(job, world, cut_off=not ask.dry_run)
    if not ask.dry_run:
        take(world, job.kind.written())
        world.record = Jobs(world.store).by_id(job.id)
        mended = mend(job, world)
        _go_on(job, world, [each for each in mended.undos if run not in (each.id, each.undoes)])
        close(world, mended.undos)
        world.record = Jobs(world.store).by_id(job.id)
        standing, record = stand(job, world)
    task = Task(job, world, UNDO, standing, record, started, undoes=run)
    yield from perform(task, ask, partial(_draw, world, run, True))


def finish(job: Job, world: World, cut_off: Sequence[Run], *, believed: bool) -> None:
    """Finish undos that were cut off, in a world whose roots are locked and in which nothing is left begun. Where what
    is remembered is not `believed`, nothing can be taken back by it.

    Raises: Interrupted, RootLost, RunRefused, StateError.
    """
    if believed:
        _go_on(job, world, cut_off)
    close(world, cut_off)


def _go_on(job: Job, world: World, cut_off: Sequence[Run]) -> None:
    for run in dict.fromkeys(each.undoes for each in cut_off if each.undoes is not None):
        world.record = Jobs(world.store).by_id(job.id)
        standing, record = stand(job, world)
        task = Task(job, world, UNDO, standing, record, time.monotonic(), undoes=run)
        for _ in perform(task, Ask(), partial(_draw, world, run, False)):
            pass  # it was told when it was begun; the history has it


def _draw(world: World, run: str, asked: bool, ground: Ground) -> Errand:
    return _Drawing(ground, world, run, asked=asked).errand()


@dataclass(frozen=True, slots=True)
class _Eyes:
    """What stands on the disk now. `actual`: where what is to stand at a place in the end is now; None: nowhere."""

    ground: Ground
    world: World
    actual: Callable[[Place], Place | None] = lambda place: place

    def now(self, place: Place) -> Entry | None:
        at = self.actual(place)
        return None if at is None else self.ground.roots[at.side].entry(at.path)

    def names(self, place: Place) -> list[str]:
        """What is in a directory."""
        at = self.actual(place)
        return [] if at is None else self.ground.roots[at.side].names(at.path)

    def as_left(self, place: Place, left: Entry, *, content: bool) -> bool:
        now = self.now(place)
        if now is None or now.kind is not left.kind:
            return False
        moded = self.ground.rules.ability(place.side).mode and now.kind is not Kind.LINK
        if not policy.same_properties(now, left, mode=moded):
            return False
        if now.kind is Kind.DIRECTORY or same_file(left, now):
            return True
        if now.kind is Kind.FILE and (now.size, now.mtime_ns) != (left.size, left.mtime_ns):
            return False
        if not content and now.kind is Kind.FILE:
            return True
        return left.content is not None and self.content(place, now) == left.content

    def same_below(self, place: Place, kept: Place) -> bool:
        at = self.actual(place)
        try:
            return at is not None and self._below(at) == self._below(kept)
        except PathError:  # one of them is not there, or cannot be seen into
            return False

    def _below(self, place: Place) -> list[tuple[RelPath, Kind, int, int]]:
        found = self.ground.tree(place, _leave_nothing)
        return sorted(
            (path, entry.kind, entry.size, entry.mtime_ns if entry.kind is Kind.FILE else 0) for path, entry in found
        )

    def content(self, place: Place, entry: Entry) -> bytes:
        """What is in a file, or the text of a link. Raises: PathError."""
        at = self.actual(place) or place
        found = read_contents(self.ground.roots, {at: entry}, lambda: check_stop(self.world))[at]
        if isinstance(found, Problem):
            raise PathError(found.reason, place.path, found.detail)
        return found


@dataclass(frozen=True, slots=True)
class _Then:
    """What stands at a place after the undo, and where its content can be read before it. `moved`: it gets its name
    by a rename, and what is in it comes along."""

    entry: Entry | None
    content_at: Place
    moved: bool = False


class _Leaving:
    """What goes to the trash in one piece, and what piece by piece. `renamed`: what a rename takes out of it before."""

    def __init__(self, ground: Ground, eyes: _Eyes, steps: dict[Place, Inverse], renamed: Collection[Place]) -> None:
        self.ground, self.eyes, self.steps, self.renamed = ground, eyes, steps, frozenset(renamed)
        self._whole: dict[Place, bool] = {}
        self._above = {Place(each.side, above) for each in renamed for above in names.ancestors(each.path)}

    def whole(self, place: Place) -> bool:
        """Whether all that stands in a directory goes."""
        if place not in self._whole:
            now = self.eyes.actual(place) or place
            self._whole[place] = all(
                Place(now.side, names.join(now.path, name)) in self.renamed
                or self.goes(Place(place.side, names.join(place.path, name)))
                for name in self.eyes.names(place)
            )
        return self._whole[place]

    def goes(self, place: Place) -> bool:
        """Whether a name is free once all that goes has gone."""
        if self.eyes.actual(place) in self.renamed:
            return True
        step = self.steps.get(place)
        if not isinstance(step, TakeAway):
            return False
        return step.present.kind is not Kind.DIRECTORY or self.whole(place)

    def apart(self, place: Place) -> bool:
        """Whether a rename takes something out of a directory."""
        return self.eyes.actual(place) in self._above

    def removals(self, then: dict[Place, _Then]) -> Iterator[Trash | Remove]:
        """Directories of which all goes are moved to the trash in one piece, unless a rename takes part of it."""
        gone: set[Place] = set()
        for place in sorted(self.steps, key=_by_path):
            step = self.steps[place]
            if isinstance(step, BringBack) and _replaces_directory(step):
                if not self.apart(place):
                    gone.add(place)
                continue
            if not isinstance(step, TakeAway):
                continue
            if Place(place.side, names.parent(place.path)) in gone:
                gone.add(place)
                then[place] = _Then(None, place)
            elif step.present.kind is Kind.DIRECTORY and not self.whole(place):
                told = "a folder that the run made; something else stands in it now, so it stays"
                self.steps[place] = Stays(place, Reason.PARTLY_KEPT, told)
            else:
                removal = self.removal(place, step.present, None)
                if removal is not None:
                    yield removal
                    then[place] = _Then(None, place)
                    if isinstance(removal, Trash) and step.present.kind is Kind.DIRECTORY:
                        gone.add(place)

    def removal(self, place: Place, present: Entry, group: RelPath | None) -> Trash | Remove | None:
        """What removes something; None where it must stay, which is told."""
        because, actual = Because(Why.UNDO, place, present), self.eyes.actual(place) or place
        try:
            if present.kind is not Kind.DIRECTORY:
                return Trash(place, present, because, int(present.kind is Kind.FILE), present.size, None, group)
            if not self.eyes.names(place) or self.apart(place):
                return Remove(place, present, because, group)
            files = size = 0
            for _, inner in self.ground.tree(actual, _leave_nothing):
                files += inner.kind is Kind.FILE
                size += inner.size
            seen = transfer.subtree(self.ground.roots[actual.side], actual.path)
            return Trash(place, present, because, files, size, seen, group)
        except PathError as error:
            self.steps[place] = Stays(place, Reason(error.reason), error.detail)
            return None


class _Drawing:
    """An undo while it is drawn up. `asked`: whether a guard may still object.

    Places are those before the renames of the run, that is, after they were taken back; but for what came to names that
    the renames had freed. That goes before anything else.
    """

    def __init__(self, ground: Ground, world: World, run: str, *, asked: bool) -> None:
        self.ground, self.world, self.run, self.asked = ground, world, run, asked
        self.done = self._done(run)
        self.trail = inverting.trail(self.done)
        self.renames: dict[int, GoesBack] = {}
        self.passed: set[int] = set()
        self.disk = _Eyes(ground, world)
        self.eyes = _Eyes(ground, world, self._actual)
        self.steps: dict[Place, Inverse] = {}
        self.late: dict[Place, Inverse] = {}
        self.then: dict[Place, _Then] = {}
        self.first: list[Action] = []
        self.back: list[tuple[int, Rename]] = []
        self.makes: list[Action] = []
        self.puts: list[Action] = []
        self.removals: list[Action] = []
        self.modes: list[Action] = []
        self.stays: list[Problem] = []

    def errand(self) -> Errand:
        """All of it."""
        kept: dict[int, Stays | None] = {}
        while found := self._decide_all(kept):
            kept.update(found)
            for number in self.trail.together(kept):
                kept.setdefault(number, None)
        self._keep_what_was_renamed(kept)
        self.first += sorted(self.leaving_first.removals({}), key=_deepest)
        self._rename()
        self.removals += self.leaving.removals(self.then)
        self.removals.sort(key=_deepest)
        for place in sorted(self.steps, key=_by_path):
            self._bring_back(self.steps[place])
        for stays in self.late.values():
            self._bring_back(stays)
        return self._drawn()

    def _actual(self, place: Place) -> Place | None:
        return self.trail.now_of(place, 0, self.passed)

    # which renames are taken back

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
        for change in inverting.changes(self.done, self.trail, self.passed):
            if change.freed is None:
                self._decide(change, made)
            elif change.freed in self.renames or change.freed in kept:
                self._decide_late(change)
        leave = [self._now(Place(side, to), number + 1) for number, side, to in self._leading()]
        self.leaving_first = _Leaving(self.ground, self.disk, self.late, leave)
        self.leaving = _Leaving(self.ground, self.eyes, self.steps, leave)
        self._keep_what_has_no_place()
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

    def _now(self, place: Place, moment: int) -> Place:
        return self.trail.now_of(place, moment, self.passed) or place

    def _way_back(self, number: int, left: Mapping[Place, Entry]) -> GoesBack | Nothing | Stays:
        rename = self.trail.renames[number]
        at, to = rename.at, Place(rename.at.side, rename.to)
        things = [left.get(self.trail.start_of(place, number)[0]) for place in (at, to)]
        try:
            here, there = (self.disk.now(self._now(place, number + 1)) for place in (at, to))
        except PathError as error:
            return Stays(at, Reason(error.reason), error.detail)
        return inverting.way_back(rename, (things[0], things[1]), here, there, free=True)

    def _obstacle(self, number: int) -> str | None:
        """Why a thing cannot have its earlier name, though it is there and as the run left it."""
        rename = self.trail.renames[number]
        if rename.swap:
            return None
        place = self._now(rename.at, number + 1)
        try:
            if self.disk.now(place) is not None and not self.leaving_first.goes(place):
                return "its earlier name is taken by something that stays"
            above = self.trail.start_of(Place(place.side, names.parent(rename.at.path)), number)[0]
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

    def _rename(self) -> None:
        """The renames back, the last one first, and what stands where after them."""
        gone: list[Place] = []
        for number in sorted(self.renames, reverse=True):
            rename, step = self.trail.renames[number], self.renames[number]
            side, at, to = rename.at.side, rename.at, Place(rename.at.side, rename.to)
            because = Because(Why.UNDO, to, step.present)
            back = Rename(to, at.path, step.present, because, rename.group, step.over, step.over is not None)
            self.back.append((number, back))
            here = self._now(to, number + 1)
            self.then[self.trail.start_of(at, number)[0]] = _Then(step.present, here, moved=True)
            if step.over is not None:
                self.then[self.trail.start_of(to, number)[0]] = _Then(step.over, self._now(at, number + 1), moved=True)
            gone += [here, Place(side, self.trail.start_of(to, number)[0].path)]
        for place in gone:
            if place not in self.then and self._actual(place) is None:
                self.then[place] = _Then(None, place)

    # what becomes of each place

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
            if change.at in made and (half := self._half_done(change)) is not None:
                self.steps[change.at] = half
                return
            self.steps[change.at] = found = inverting.inverse(change, self.eyes)
            aside = change.was.kept if change.was.aside else None
            if isinstance(found, Nothing) and aside is not None and (left := self.eyes.now(aside)) is not None:
                self.steps[aside] = TakeAway(aside, left)  # an undo that was cut off had come so far
        except PathError as error:
            self.steps[change.at] = Stays(change.at, Reason(error.reason), error.detail)

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

    def _keep_what_has_no_place(self) -> None:
        """Nothing comes back where its folder is gone, nor in place of a folder in which something must stay."""
        for place in sorted(self.steps, key=_by_path):
            step = self.steps[place]
            if not isinstance(step, BringBack):
                continue
            if not self._is_folder(Place(place.side, names.parent(place.path))):
                told = "the folder it stood in is not there any more; 'syncline trash restore' makes it anew"
                self.steps[place] = Stays(place, Reason.TARGET_CHANGED, told)
            elif _replaces_directory(step) and not self.leaving.whole(place):
                told = "a folder stands there now, with something in it that stays"
                self.steps[place] = Stays(place, Reason.TARGET_CHANGED, told)

    def _is_folder(self, place: Place) -> bool:
        """Whether a folder stands at a place in the end, as far as this is decided."""
        step = self.steps.get(place)
        if isinstance(step, BringBack):
            return _is_folder(step)
        entry = self._entry(place) if place.path else None
        return not place.path or (entry is not None and entry.kind is Kind.DIRECTORY)

    # actions

    def _bring_back(self, step: Inverse) -> None:
        match step:
            case Stays(at, reason, detail):
                self.stays.append(Problem(at, reason, detail))
            case Reset(at, present, entry, values):
                action = SetProperties(at, present, Because(Why.UNDO, at, present), entry, values=values)
                (self.modes if entry.kind is Kind.DIRECTORY else self.puts).append(action)
                self.then[at] = _Then(entry, self.eyes.actual(at) or at)
            case BringBack():
                self._put(step)
            case Nothing() | TakeAway():
                pass

    def _put(self, step: BringBack) -> None:
        at, present, because = step.at, step.present, Because(Why.UNDO, step.at, step.present)
        group = at.path if step.aside or _replaces_directory(step) else None
        if _replaces_directory(step) and present is not None:
            removal = self.leaving.removal(at, present, group)
            if removal is None:
                return self._bring_back(self.steps[at])
            within = [each for each in self.removals if each.at.side is at.side and _is_below(each.at.path, at.path)]
            self.removals = [each for each in self.removals if each not in within]
            self.puts += [*within, removal]
            present = None
        try:
            inside = (
                list(self.ground.tree(step.kept, _leave_nothing)) if step.kept is not None and _is_folder(step) else []
            )
        except PathError as error:
            return self._bring_back(Stays(at, Reason(error.reason), error.detail))
        self._made(at, present, because, step.entry, step.kept, step.copy, group, step.values)
        for relative, entry in inside:
            assert step.kept is not None
            place = Place(at.side, names.join(at.path, relative))
            kept = Place(step.kept.side, names.join(step.kept.path, relative))
            there = self._entry(place) if _already_a_folder(step) else None
            if there is None or (there.kind is entry.kind is Kind.DIRECTORY):
                self._made(place, there, Because(Why.UNDO, place, there), entry, kept, entry, None)
            else:
                self.then[place] = _Then(there, self.eyes.actual(place) or place)
        if step.aside and step.kept is not None and step.copy is not None:
            kept, copy = step.kept, step.copy
            removal = self.leaving.removal(kept, copy, group)
            if removal is not None:
                # only once its version stands at its own name again
                reason = Because(Why.UNDO, at, step.present if _already_a_folder(step) else step.entry)
                (self.removals if _is_folder(step) else self.puts).append(replace(removal, because=reason))
                self.then[kept] = _Then(None, kept)

    def _made(
        self,
        at: Place,
        present: Entry | None,
        because: Because,
        entry: Entry,
        kept: Place | None,
        copy: Entry | None,
        group: RelPath | None,
        values: bytes | None = None,
    ) -> None:
        self.then[at] = _Then(entry, self.eyes.actual(kept or at) or at)
        match entry.kind:
            case Kind.DIRECTORY:
                there = present is not None and present.kind is Kind.DIRECTORY
                if not there:
                    self.makes.append(MakeDirectory(at, present, because, entry, None, group, kept, values))
                differs = present is not None and not policy.same_properties(present, entry)
                if entry.mode & 0o700 != 0o700 or (there and differs):
                    self.modes.append(SetProperties(at, None, because, entry, group))
            case Kind.LINK:
                assert kept is not None
                self.puts.append(PutLink(at, present, because, entry, kept, None, group))
            case _:
                assert kept is not None and copy is not None
                self.puts.append(PutFile(at, present, because, entry, kept, copy, None, group))

    def _drawn(self) -> Errand:
        self.makes.sort(key=lambda action: (action.at.path.count("/"), action.at.path, action.at.side))
        self.modes.sort(key=_deepest)
        actions = self._opened()
        stayed = {place.path for place, step in self.steps.items() if isinstance(step, Stays)}
        sides = _Sides(self.ground, self.eyes, self.world, self.then, self.run, stayed)
        sides.tell_apart(place for place, step in self.steps.items() if isinstance(step, Nothing))
        return Errand(
            actions=actions,
            conflicts=sides.apart,
            stays=self.stays,
            touched=sides.together,
            guarded=lambda plan: self._objections(actions, plan) if self.asked else [],
            begun=sides.open,
            closing=partial(self._close, sides),
        )

    def _close(self, sides: _Sides, open: Collection[Place]) -> None:
        sides.review(open)
        self._reopen()

    def _reopen(self) -> None:
        """Have the conflicts that the run settled wait again, whose other version stands beside the first once more."""
        run, conflicts = Runs(self.world.store).by_id(self.run), Conflicts(self.world.store)
        settled = [conflicts.by_id(each) for each in (run.settled if run is not None else ())]
        conflicts.reopen(each.id for each in settled if each is not None and self._stand_beside(each.conflict))

    def _stand_beside(self, conflict: Conflict) -> bool:
        open_there = Conflicts(self.world.store).open_at(self.ground.job.id, conflict.path)
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

    def _opened(self) -> list[Action]:
        """All actions in their order: what frees the earlier names, the renames, and all else. A folder that is made
        again for what a rename brings into it is made just before that."""
        makes = {action.at: action for action in self.makes if isinstance(action, MakeDirectory)}
        first, moved = list(self.first), set[Place]()
        for number, rename in self.back:
            side = rename.at.side
            for path in reversed(names.ancestors(rename.to)):
                found = self.trail.start_of(Place(side, path), number, self.passed)[0]
                make = makes.pop(found, None)
                if make is not None:
                    moved.add(found)
                    at = Place(side, path)
                    first.append(replace(make, at=at, because=replace(make.because, place=at)))
            first.append(rename)
        rest = [*(each for each in self.makes if each.at not in moved), *self.puts, *self.removals, *self.modes]
        early = [(action, self.trail.end) for action in self.first]
        parents = access.parents(rest) | {
            self.trail.start_of(place, moment, self.passed)[0]
            for action, moment in [*early, *((rename, number) for number, rename in self.back)]
            for place in access.parents([action])
        }
        return list(accessible(self.world, rest, self.eyes.actual, parents - moved, first))

    def _objections(self, actions: Sequence[Action], plan: str) -> list[Objection]:
        job, roots = self.ground.job, self.ground.roots
        files, size = self.ground.base.totals()
        space = {side: roots[side].space() for side in job.kind.written()}
        return guard.objections(
            actions,
            plan,
            guard.Situation(
                job=job.name,
                names={side: job.kind.root_name(side) for side in SIDES},
                roots={side: roots[side].path for side in SIDES},
                remembered_files=files,
                remembered_bytes=size,
                changed=dict.fromkeys(SIDES, 0),
                free_bytes={side: space[side].free_bytes if side in space else None for side in SIDES},
                free_inodes={side: space[side].free_inodes if side in space else None for side in SIDES},
                mirror=False,
                first=False,
                source_empty=False,
                target_empty=False,
                limits=job.settings.limits,
                command=f"syncline undo {self.run}",
            ),
        )

    def _entry(self, place: Place) -> Entry | None:
        try:
            return self.eyes.now(place)
        except PathError:
            return None


class _Sides:
    """Both sides of the names that an undo is about, as they are when it is done: on which of them they differ.

    `stayed`: what could not be taken back.
    """

    def __init__(
        self,
        ground: Ground,
        eyes: _Eyes,
        world: World,
        then: Mapping[Place, _Then],
        run: str,
        stayed: Collection[RelPath],
    ) -> None:
        self.ground, self.eyes, self.then, self.run = ground, eyes, then, run
        self.stayed = _with_all_above(stayed)
        self.disk = _Eyes(ground, world)
        self.conflicts = Conflicts(world.store)
        self.known: dict[RelPath, Recorded] = {}
        for recorded in self.conflicts.open_conflicts(ground.job.id):
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
        for place in sorted({*self.then, *unmoved}, key=_by_path):
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

    def review(self, open: Collection[Place]) -> None:
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
        thens = {side: _Then(found.entries[side], found.place(side)) for side in SIDES}
        deep = any(self._moved(found.place(side)) for side in SIDES) or self._half_back(path)
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

    def _half_back(self, path: RelPath) -> bool:
        """Whether something stays at or below a folder that was left apart as a whole: then both sides having it does
        not say that they have the same in it."""
        return path in self.whole and path in self.stayed

    def _then(self, place: Place, now: Entry | None) -> _Then:
        """What stands at a place when the undo is done, which may have dealt with a folder above it."""
        for above in (place.path, *names.ancestors(place.path)):
            then = self.then.get(Place(place.side, above))
            if then is not None and (above == place.path or then.entry is None):
                return then
            if then is not None:
                break
        at = self.eyes.actual(place)
        if at == place:
            return _Then(now, place)
        return _Then(None, place) if at is None else _Then(self.eyes.now(place), at)

    def _moved(self, place: Place) -> bool:
        then = self.then.get(place)
        return then is not None and then.moved

    def _coming(self, place: Place) -> _Then:
        return self._then(place, self.disk.now(place))

    def _standing(self, place: Place) -> _Then:
        return _Then(self.disk.now(place), place)

    def _same(self, thens: Mapping[Side, _Then]) -> bool:
        left, right = thens[Side.LEFT], thens[Side.RIGHT]
        if left.entry is None or right.entry is None:
            return left.entry is None and right.entry is None
        if left.entry.kind is not right.entry.kind or not same_properties(left.entry, right.entry, self.ground.rules):
            return False
        if left.entry.kind is Kind.DIRECTORY:
            return True
        return left.entry.size == right.entry.size and self._content(left) == self._content(right)

    def _same_within(self, thens: Mapping[Side, _Then], found: Found, look: Callable[[Place], _Then]) -> bool:
        """Whether both sides show the same in all that is below a name as well."""
        inside = set[RelPath]()
        for side, then in thens.items():
            if then.entry is not None and then.entry.kind is Kind.DIRECTORY:
                top = found.paths[side]
                inside.update(path for path, _ in self.ground.tree(then.content_at, _leave_nothing))
                inside.update(
                    RelPath(place.path[len(top) + 1 :])
                    for place in self.then
                    if place.side is side and place.path.startswith(f"{top}/")
                )
        return all(
            self._same({side: look(Place(side, names.join(found.paths[side], path))) for side in SIDES})
            for path in inside
        )

    def _content(self, then: _Then) -> bytes:
        now = self.disk.now(then.content_at)
        if now is None:
            raise PathError(Reason.TARGET_CHANGED, then.content_at.path, "vanished while it was looked at")
        return self.disk.content(then.content_at, now)


def _conflict(path: RelPath, thens: Mapping[Side, _Then], *, whole: bool = False) -> Conflict:
    return left_apart(path, thens[Side.LEFT].entry, thens[Side.RIGHT].entry, whole=whole)


def _replaces_directory(step: BringBack) -> bool:
    return step.present is not None and step.present.kind is Kind.DIRECTORY and not _is_folder(step)


def _already_a_folder(step: BringBack) -> bool:
    return step.present is not None and step.present.kind is Kind.DIRECTORY and _is_folder(step)


def _is_folder(step: BringBack) -> bool:
    return step.entry.kind is Kind.DIRECTORY


def _with_all_above(paths: Iterable[RelPath]) -> set[RelPath]:
    return {each for path in paths for each in (path, *names.ancestors(path))}


def _is_below(path: RelPath, above: RelPath) -> bool:
    return path.startswith(f"{above}/")


def _leave_nothing(path: RelPath, entry: Entry) -> bool:
    return False


def _deepest(action: Action) -> tuple[int, str, str]:
    return -action.at.path.count("/"), action.at.path, action.at.side


def _by_path(place: Place) -> tuple[str, str]:
    return place.path, place.side.value
