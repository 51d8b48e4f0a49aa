"""Taking a run back: what it did is undone where it did it, and nothing else is touched.

An undo is an errand like any other: drawn up from the journal of the run and from what stands on the disk now, carried
out by the same executor, journalled, and so undone itself the same way. Earlier versions are copied back from the trash
and stay in it as well, so that whatever a journal names is still there; what the run had put in place goes there too.

Names on which the sides differ afterwards are conflicts of rule `undone`. They are open before the first action: were
the undo cut off, the next run would else take for an edit what the undo put back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from syncline.core import guard, names
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
    Rule,
    SetProperties,
    Side,
    Trash,
    Why,
)
from syncline.core.undo import BringBack, Done, Inverse, Nothing, Reset, Stays, TakeAway
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
    """What stands on the disk now."""

    ground: Ground
    world: World

    def now(self, place: Place) -> Entry | None:
        return self.ground.roots[place.side].entry(place.path)

    def as_left(self, place: Place, left: Entry, *, content: bool) -> bool:
        now = self.now(place)
        if now is None or now.kind is not left.kind:
            return False
        moded = self.ground.rules.ability(place.side).mode and now.kind is not Kind.LINK
        if moded and now.mode != left.mode:
            return False
        if now.kind is Kind.DIRECTORY or same_file(left, now):
            return True
        if now.kind is Kind.FILE and (now.size, now.mtime_ns) != (left.size, left.mtime_ns):
            return False
        if not content and now.kind is Kind.FILE:
            return True
        return left.content is not None and self.content(place, now) == left.content

    def content(self, place: Place, entry: Entry) -> bytes:
        """What is in a file, or the text of a link. Raises: PathError."""
        found = read_contents(self.ground.roots, {place: entry}, lambda: check_stop(self.world))[place]
        if isinstance(found, Problem):
            raise PathError(found.reason, place.path, found.detail)
        return found


@dataclass(frozen=True, slots=True)
class _Then:
    """What stands at a place after the undo, and where its content can be read before it."""

    entry: Entry | None
    content_at: Place


class _Drawing:
    """An undo while it is drawn up. `asked`: whether a guard may still object."""

    def __init__(self, ground: Ground, world: World, run: str, *, asked: bool) -> None:
        self.ground, self.world, self.run, self.asked = ground, world, run, asked
        self.eyes = _Eyes(ground, world)
        self.steps: dict[Place, Inverse] = {}
        self.then: dict[Place, _Then] = {}
        self.makes: list[Action] = []
        self.puts: list[Action] = []
        self.removals: list[Action] = []
        self.modes: list[Action] = []
        self.stays: list[Problem] = []
        self.whole: dict[Place, bool] = {}

    def errand(self) -> Errand:
        """All of it."""
        made = self._made_before()
        done = self._done()
        for change in inverting.changes(done):
            self._decide(change, made)
        self._keep_what_was_renamed(inverting.renamed(done))
        self._keep_what_has_no_place()
        self._take_away()
        for place in sorted(self.steps, key=_by_path):
            self._bring_back(self.steps[place])
        return self._drawn()

    # what becomes of each place

    def _done(self) -> list[Done]:
        steps = Journal(self.world.store).actions(self.run)
        return [Done(step.action, step.result, step.trash) for step in steps if step.state == DONE]

    def _made_before(self) -> set[Place]:
        """The directories that an undo of this run, which did not come to its end, had made again."""
        journal, found = Journal(self.world.store), set[Place]()
        for run in Runs(self.world.store).undos_of(self.run, self.ground.job.id):
            if run.outcome in (None, Outcome.INTERRUPTED):
                steps = journal.actions(run.id)
                found |= {
                    step.action.at for step in steps if step.state == DONE and isinstance(step.action, MakeDirectory)
                }
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

    def _keep_what_was_renamed(self, told: list[Stays]) -> None:
        """Names that were renamed stay, with all that was done at and below them."""
        for stays in told:
            for place in list(self.steps):
                if place.side is stays.at.side and f"{place.path}/".startswith(f"{stays.at.path}/"):
                    self.steps[place] = Stays(place, stays.reason, stays.detail)
            self.steps[stays.at] = stays

    def _keep_what_has_no_place(self) -> None:
        """Nothing comes back where its folder is gone, nor in place of a folder in which something must stay."""
        for place in sorted(self.steps, key=_by_path):
            step = self.steps[place]
            if not isinstance(step, BringBack):
                continue
            if not self._has_folder(place):
                told = "the folder it stood in is not there any more; 'syncline trash restore' makes it anew"
                self.steps[place] = Stays(place, Reason.TARGET_CHANGED, told)
            elif _replaces_directory(step) and not self._goes_whole(place):
                told = "a folder stands there now, with something in it that stays"
                self.steps[place] = Stays(place, Reason.TARGET_CHANGED, told)

    def _has_folder(self, place: Place) -> bool:
        above = Place(place.side, names.parent(place.path))
        step = self.steps.get(above)
        if isinstance(step, BringBack):
            return step.entry.kind is Kind.DIRECTORY
        entry = self._entry(above) if above.path else None
        return not above.path or (entry is not None and entry.kind is Kind.DIRECTORY)

    def _goes_whole(self, place: Place) -> bool:
        """Whether all that stands in a directory goes with it."""
        if place not in self.whole:
            inside = [Place(place.side, names.join(place.path, name)) for name in self._names(place)]
            self.whole[place] = all(self._goes(each) for each in inside)
        return self.whole[place]

    def _goes(self, place: Place) -> bool:
        step = self.steps.get(place)
        if not isinstance(step, TakeAway):
            return False
        return step.present.kind is not Kind.DIRECTORY or self._goes_whole(place)

    # actions

    def _take_away(self) -> None:
        """Directories of which all goes are moved to the trash in one piece."""
        gone: set[Place] = set()
        for place in sorted(self.steps, key=_by_path):
            step = self.steps[place]
            if isinstance(step, BringBack) and _replaces_directory(step):
                gone.add(place)
                continue
            if not isinstance(step, TakeAway):
                continue
            if Place(place.side, names.parent(place.path)) in gone:
                gone.add(place)
                self.then[place] = _Then(None, place)
            elif step.present.kind is Kind.DIRECTORY and not self._goes_whole(place):
                told = "a folder that the run made; something else stands in it now, so it stays"
                self.steps[place] = Stays(place, Reason.PARTLY_KEPT, told)
            else:
                removal = self._removal(place, step.present, None)
                if removal is not None:
                    self.removals.append(removal)
                    self.then[place] = _Then(None, place)
                    if step.present.kind is Kind.DIRECTORY:
                        gone.add(place)
        self.removals.sort(key=lambda action: (-action.at.path.count("/"), action.at.path, action.at.side))

    def _removal(self, place: Place, present: Entry, group: RelPath | None) -> Trash | Remove | None:
        because = Because(Why.UNDO, place, present)
        try:
            if present.kind is not Kind.DIRECTORY:
                return Trash(place, present, because, int(present.kind is Kind.FILE), present.size, None, group)
            if not self._names(place):
                return Remove(place, present, because, group)
            files = size = 0
            for _, inner in self.ground.tree(place, _leave_nothing):
                files += inner.kind is Kind.FILE
                size += inner.size
            seen = transfer.subtree(self.ground.roots[place.side], place.path)
            return Trash(place, present, because, files, size, seen, group)
        except PathError as error:
            self.steps[place] = Stays(place, Reason(error.reason), error.detail)
            return None

    def _bring_back(self, step: Inverse) -> None:
        match step:
            case Stays(at, reason, detail):
                self.stays.append(Problem(at, reason, detail))
            case Reset(at, present, entry):
                action = SetProperties(at, present, Because(Why.UNDO, at, present), entry)
                (self.modes if entry.kind is Kind.DIRECTORY else self.puts).append(action)
                self.then[at] = _Then(entry, at)
            case BringBack():
                self._put(step)
            case Nothing() | TakeAway():
                pass

    def _put(self, step: BringBack) -> None:
        at, present, because = step.at, step.present, Because(Why.UNDO, step.at, step.present)
        group = at.path if step.aside or _replaces_directory(step) else None
        if _replaces_directory(step) and present is not None:
            removal = self._removal(at, present, group)
            if removal is None:
                return self._bring_back(self.steps[at])
            self.puts.append(removal)
            present = None
        try:
            inside = (
                list(self.ground.tree(step.kept, _leave_nothing)) if step.kept is not None and _is_folder(step) else []
            )
        except PathError as error:
            return self._bring_back(Stays(at, Reason(error.reason), error.detail))
        self._made(at, present, because, step.entry, step.kept, step.copy, group)
        for relative, entry in inside:
            assert step.kept is not None
            place = Place(at.side, names.join(at.path, relative))
            kept = Place(step.kept.side, names.join(step.kept.path, relative))
            there = self._entry(place) if _already_a_folder(step) else None
            if there is None or (there.kind is entry.kind is Kind.DIRECTORY):
                self._made(place, there, Because(Why.UNDO, place, there), entry, kept, entry, None)
            else:
                self.then[place] = _Then(there, place)
        if step.aside and step.kept is not None and step.copy is not None:
            kept, copy = step.kept, step.copy
            removal = self._removal(kept, copy, group)
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
    ) -> None:
        self.then[at] = _Then(entry, kept or at)
        match entry.kind:
            case Kind.DIRECTORY:
                there = present is not None and present.kind is Kind.DIRECTORY
                if not there:
                    self.makes.append(MakeDirectory(at, present, because, entry, None, group))
                if entry.mode & 0o700 != 0o700 or (there and present is not None and present.mode != entry.mode):
                    self.modes.append(SetProperties(at, None, because, entry, group))
            case Kind.LINK:
                assert kept is not None
                self.puts.append(PutLink(at, present, because, entry, kept, None, group))
            case _:
                assert kept is not None and copy is not None
                self.puts.append(PutFile(at, present, because, entry, kept, copy, None, group))

    def _drawn(self) -> Errand:
        self.makes.sort(key=lambda action: (action.at.path.count("/"), action.at.path, action.at.side))
        self.modes.sort(key=lambda action: (-action.at.path.count("/"), action.at.path, action.at.side))
        actions = accessible(self.world, [*self.makes, *self.puts, *self.removals, *self.modes])
        sides = _Sides(self.ground, self.eyes, self.world, self.then, self.run)
        sides.tell_apart(place for place, step in self.steps.items() if isinstance(step, Nothing))
        return Errand(
            actions=actions,
            conflicts=sides.apart,
            stays=self.stays,
            touched=sides.together,
            guarded=lambda plan: self._objections(actions, plan) if self.asked else [],
            begun=sides.open,
            closing=sides.review,
        )

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

    def _names(self, place: Place) -> list[str]:
        return self.ground.roots[place.side].names(place.path)


class _Sides:
    """Both sides of the names that an undo is about, as they are when it is done: on which of them they differ."""

    def __init__(self, ground: Ground, eyes: _Eyes, world: World, then: Mapping[Place, _Then], run: str) -> None:
        self.ground, self.eyes, self.then, self.run = ground, eyes, then, run
        self.conflicts = Conflicts(world.store)
        self.known: dict[RelPath, Recorded] = {}
        for recorded in self.conflicts.open_conflicts(ground.job.id):
            if recorded.conflict.rule is Rule.UNDONE:
                self.known[recorded.conflict.path] = recorded
        self.found: dict[RelPath, Found] = {}
        self.apart: list[Conflict] = []
        self.together: list[Found] = []

    def tell_apart(self, unmoved: Iterable[Place]) -> None:
        """Compare the sides of every name, from the top: where a folder differs as a whole, what is in it does not
        count. `unmoved`: where nothing is to be done any more."""
        whole = {path for path, each in self.known.items() if each.conflict.whole}
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
            if self._same(thens):
                self.together.append(found)
                continue
            conflict = _conflict(path, thens)
            self.apart.append(conflict)
            if conflict.whole:
                whole.add(path)

    def open(self, run: str) -> None:
        """Open the conflicts, before the first action."""
        for conflict in self.apart:
            self.conflicts.record(self.ground.job.id, run, conflict)

    def review(self) -> None:
        """See what has become of them: those that differ are told as they stand, the others are settled."""
        for path in {**self.known, **self.found}:
            known = [
                each.id
                for each in self.conflicts.open_at(self.ground.job.id, path)
                if each.conflict.rule is Rule.UNDONE and each.conflict.path == path
            ]
            if not known:
                continue
            try:
                found = self.ground.find(path)
                thens = {side: _Then(found.entries[side], found.place(side)) for side in SIDES}
                same = self._same(thens) and (path in self.found or self._is_over(self.known[path], found))
            except SynclineError:
                continue  # it stays open, and the next run sees how it stands
            if same:
                self.conflicts.settle(known)
            else:
                self.conflicts.record(self.ground.job.id, None, _conflict(path, thens))

    def _is_over(self, known: Recorded, found: Found) -> bool:
        """Whether a conflict whose sides show the same is settled by that: not where a person made a folder by hand
        which another undo than the one undone now had left apart. What is in it waits with it."""
        entry = found.entries[Side.LEFT]
        folder = entry is not None and entry.kind is Kind.DIRECTORY
        return not folder or not known.conflict.whole or known.run == self.run

    def _then(self, place: Place, now: Entry | None) -> _Then:
        """What stands at a place when the undo is done, which may have dealt with a folder above it."""
        for above in (place.path, *names.ancestors(place.path)):
            then = self.then.get(Place(place.side, above))
            if then is not None:
                return then if above == place.path or then.entry is None else _Then(now, place)
        return _Then(now, place)

    def _same(self, thens: Mapping[Side, _Then]) -> bool:
        left, right = thens[Side.LEFT], thens[Side.RIGHT]
        if left.entry is None or right.entry is None:
            return left.entry is None and right.entry is None
        if left.entry.kind is not right.entry.kind or not same_properties(left.entry, right.entry, self.ground.rules):
            return False
        if left.entry.kind is Kind.DIRECTORY:
            return True
        return left.entry.size == right.entry.size and self._content(left) == self._content(right)

    def _content(self, then: _Then) -> bytes:
        now = self.eyes.now(then.content_at)
        if now is None:
            raise PathError(Reason.TARGET_CHANGED, then.content_at.path, "vanished while it was looked at")
        return self.eyes.content(then.content_at, now)


def _conflict(path: RelPath, thens: Mapping[Side, _Then]) -> Conflict:
    return left_apart(path, thens[Side.LEFT].entry, thens[Side.RIGHT].entry)


def _replaces_directory(step: BringBack) -> bool:
    return step.present is not None and step.present.kind is Kind.DIRECTORY and not _is_folder(step)


def _already_a_folder(step: BringBack) -> bool:
    return step.present is not None and step.present.kind is Kind.DIRECTORY and _is_folder(step)


def _is_folder(step: BringBack) -> bool:
    return step.entry.kind is Kind.DIRECTORY


def _leave_nothing(path: RelPath, entry: Entry) -> bool:
    return False


def _by_path(place: Place) -> tuple[str, str]:
    return place.path, place.side.value
