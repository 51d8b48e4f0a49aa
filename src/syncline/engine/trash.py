"""The trash of a job's roots: what is in it, putting it back, and emptying it run by run.

The trash is plain files, `.syncline/trash/<run>/<path>`; the journal knows where each of them came from. Putting back
is an errand: the file is copied to both sides, and leaves the trash once both are safe.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from syncline.core import names, retention
from syncline.core.model import (
    PRIVATE,
    Because,
    Entry,
    Event,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Side,
    Why,
)
from syncline.engine.errand import Errand, run_errand
from syncline.engine.ground import Ground, obstacle
from syncline.engine.lineage import Moment, earlier_names
from syncline.engine.world import Ask, World
from syncline.errors import PathError, UsageError
from syncline.execute.transfer import TRASH
from syncline.fs.root import Root
from syncline.jobs.kind import Job
from syncline.store.jobs import Jobs
from syncline.store.journal import Journal, Trashed
from syncline.store.runs import LAST, Run, Runs

FOLDER_MODE = 0o755
"""The mode of a folder that is made to hold what is put back, where the trash does not have that folder."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file, link or empty folder in the trash: which root, where in it, which path it had, which run, when.

    `moved` is what was moved to the trash as a whole: the thing itself, or a folder above it. `turn` is that of the
    run, or would be as far as its time tells; `number` that of the action in it, 0 where the journal does not know it.
    """

    side: Side
    place: RelPath
    path: RelPath
    run: str
    at: str
    entry: Entry
    moved: RelPath
    turn: int = 0
    number: int = 0

    @property
    def moment(self) -> Moment:
        return self.turn, self.number, self.at


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants back: a path, of which run (None: the latest), to which path (None: its own), of which side
    (None: either)."""

    path: RelPath
    run: str | None = None
    to: RelPath | None = None
    side: Side | None = None


def contents(job: Job, world: World, among: Collection[str] | None = None) -> list[Kept]:
    """Everything in the trash that runs of this job put there, or of which nobody knows whose it is; latest first.

    `among`: only what these runs put there. Raises: PathError, StateError.
    """
    found: list[Kept] = []
    runs = Runs(world.store)
    for side in job.kind.written():
        for run in world.roots[side].names(TRASH):
            if among is not None and run not in among:
                continue
            known = runs.by_id(run) or Run(run, job.id, "", "", _time_of(run), turn=runs.turn_at(_time_of(run)))
            if known.job == job.id:
                found += _of_run(world.roots[side], side, known, Journal(world.store))
    return sorted(found, key=lambda kept: (*kept.moment, kept.run, kept.place), reverse=True)


def of_path(job: Job, world: World, path: RelPath) -> list[tuple[RelPath, Kept]]:
    """What is in the trash of a path and of all below it, under each name it had when that went there, latest first.
    With each the path it would have now. Raises: PathError, StateError."""
    names_of = earlier_names(job, world.store, path)
    found = []
    for kept in contents(job, world):
        for name, until in names_of:
            if f"{kept.path}/".startswith(f"{name}/") and (until is None or kept.moment < until):
                found.append((RelPath(path + kept.path[len(name) :]), kept))
                break
    return found


def restore(job: Job, world: World, ask: Ask, wish: Wish) -> Iterator[Event]:
    """Put something back from the trash, on both sides (of a mirror: in the target), as a run.

    Raises: UsageError: it is not in the trash; and as `run_errand`.
    """
    for path in (wish.path, wish.to):
        if path is not None and (not path or PRIVATE in path.split("/")):
            raise UsageError(f"{names.printable(path) or 'the folder itself'} cannot be put back", hint="name a file")
    wanted = _wanted(job, world, wish)
    yield from run_errand(job, world, ask, "restore", lambda ground: _draw(ground, wanted, wish))


def empty(job: Job, world: World, keep: retention.Retention, *, dry_run: bool) -> list[Kept]:
    """Empty the trash of a job run by run; what went, or would go. What an unfinished run may need stays.

    Raises: RootLocked, PathError, StateError.
    """
    for side in job.kind.written() if not dry_run else ():
        world.roots[side].lock()
    runs, busy = Runs(world.store), needed(world)
    now, everything = world.now(), [kept for kept in contents(job, world) if kept.run not in busy]
    gone: list[Kept] = []
    for side in job.kind.written():
        mine = [kept for kept in everything if kept.side is side]
        due = retention.due(_heaps(mine, now), keep)
        gone += [kept for kept in mine if kept.run in due]
        if not dry_run:
            empty_runs = {run for run in world.roots[side].names(TRASH) if run not in busy}
            known = {kept.run for kept in mine}
            for run in sorted(due | {run for run in empty_runs - known if _owned(runs, run, job)}):
                _clear(world.roots[side], RelPath(f"{TRASH}/{run}"))
    return gone


def clear(
    job: Job,
    world: World,
    keep: retention.Retention,
    now: datetime,
    *,
    among: Collection[str],
    stop: Callable[[], bool],
    spared: Collection[RelPath] = (),
) -> list[Kept]:
    """Remove what is due of what these runs left in the trash of locked roots, run by run; what went.

    Asks `stop` before each thing it removes; what an unfinished run may need stays, and so does a run with something in
    it that had one of the `spared` paths or lay below one. Raises: PathError, StateError.
    """
    everything = contents(job, world, set(among) - needed(world))
    gone: list[Kept] = []
    for side in job.kind.written():
        mine = [kept for kept in everything if kept.side is side]
        held = {kept.run for kept in mine if _is_spared(kept.path, spared)}
        for run in sorted(retention.due(_heaps(mine, now), keep) - held):
            if not _clear(world.roots[side], RelPath(f"{TRASH}/{run}"), stop):
                return gone
            gone += [kept for kept in mine if kept.run == run]
    return gone


def thin(
    job: Job,
    world: World,
    rule: retention.Versions,
    now: datetime,
    *,
    among: Collection[str],
    ending: str | None,
    stop: Callable[[], bool],
    spared: Collection[RelPath],
) -> list[Kept]:
    """Remove what the rule does not keep of what these runs left in the trash of locked roots, version by version; what
    went. What the run that is `ending` left counts and stays. Folders that were empty are none of a file of the same
    name. Otherwise as `clear`.

    Raises: PathError, StateError.
    """
    by_path: dict[tuple[RelPath, bool], list[Kept]] = {}
    for kept in contents(job, world, set(among) - needed(world)):
        if not _is_spared(kept.path, spared):
            by_path.setdefault((kept.path, kept.entry.kind is Kind.DIRECTORY), []).append(kept)
    gone: list[Kept] = []
    for versions in by_path.values():
        told = [
            retention.Version(number, _moment(kept.at).astimezone(now.tzinfo), _stamp(kept.entry))
            for number, kept in enumerate(versions)
        ]
        due = sorted(retention.thinned(told, rule, now))
        for each in (versions[number] for number in due if versions[number].run != ending):
            if stop():
                return gone
            _drop(world.roots[each.side], each.place)
            gone.append(each)
    return gone


def _stamp(entry: Entry) -> tuple[Kind, int, int]:
    """Equal for copies of one version: what is put back keeps its size and time."""
    return entry.kind, entry.size, entry.mtime_ns


def _is_spared(path: RelPath, spared: Collection[RelPath]) -> bool:
    return any(each in spared for each in (path, *names.ancestors(path)))


def needed(world: World) -> set[str]:
    """The runs, of whichever job, whose trash is needed to finish what was begun: those that are unfinished, or of
    which an action is; those that a cut-off undo takes back; and those whose trash an unfinished action copies from.

    Raises: StateError.
    """
    jobs, runs, journal = Jobs(world.store).all(), Runs(world.store), Journal(world.store)
    unfinished = [run for job in jobs for run in runs.unfinished(job.id)]
    steps = [step for job in jobs for step in journal.unfinished(job.id)]
    sources = [step.action.source.path for step in steps if isinstance(step.action, PutFile | PutLink)]
    return {
        *(run.id for run in unfinished),
        *(run.undoes for run in unfinished if run.undoes is not None),
        *(step.run for step in steps),
        *(path.removeprefix(f"{TRASH}/").partition("/")[0] for path in sources if path.startswith(f"{TRASH}/")),
    }


def _wanted(job: Job, world: World, wish: Wish) -> list[Kept]:
    """What a wish means: all of one run that had that path, or an earlier name of it, or lay below it. Each as if it
    had had the path that it would have now."""
    there = [
        replace(kept, path=path) for path, kept in of_path(job, world, wish.path) if wish.side in (None, kept.side)
    ]
    if wish.run is not None:
        run = Runs(world.store).find(LAST, job.id).id if wish.run == LAST else wish.run
        there = [kept for kept in there if kept.run.startswith(run)]
    if not there:
        of = "" if wish.run is None else f" of run {wish.run}"
        told = f"{names.printable(wish.path)} is not in the trash{of}"
        raise UsageError(told, hint=f"what is there: syncline trash list {job.word}")
    first = max(there, key=lambda kept: (kept.turn, kept.at, kept.run, kept.entry.mtime_ns, kept.side is Side.LEFT))
    of_run = [kept for kept in there if (kept.run, kept.side) == (first.run, first.side)]
    latest: dict[RelPath, Kept] = {}
    for kept in sorted(of_run, key=lambda kept: (kept.at, kept.place)):
        latest[kept.path] = kept
    return [latest[path] for path in sorted(latest)]


def _draw(ground: Ground, wanted: list[Kept], wish: Wish) -> Errand:
    errand = Errand()
    made: set[Place] = set()
    for kept in wanted:
        path = kept.path if wish.to is None else RelPath(wish.to + kept.path[len(wish.path) :])
        try:
            _draw_one(ground, kept, path, made, errand)
        except PathError as error:
            errand.problems.append(obstacle(error, kept.side))

    def leave(failed: set[RelPath]) -> None:
        for kept, group in zip(wanted, groups, strict=True):
            if group in drawn and group not in failed:
                _drop(ground.roots[kept.side], kept.place)

    groups = [kept.path if wish.to is None else RelPath(wish.to + kept.path[len(wish.path) :]) for kept in wanted]
    drawn = {action.group for action in errand.actions}
    errand.done = leave
    return errand


def _draw_one(ground: Ground, kept: Kept, path: RelPath, made: set[Place], errand: Errand) -> None:
    found = ground.find(path)
    sides = ground.job.kind.written()
    for side in sides:
        if found.entries[side] is not None:
            raise _taken(ground, found.place(side))
        for above in names.ancestors(found.paths[side])[:-1]:
            entry = ground.entry(Place(side, above))
            if entry is not None and entry.kind is not Kind.DIRECTORY:
                raise _taken(ground, Place(side, above))
    errand.touched.append(found)
    source = Place(kept.side, kept.place)
    because = Because(Why.RECOVER, source, kept.entry)
    for side in sides:
        at = found.place(side)
        for above in reversed(names.ancestors(at.path)[:-1]):
            folder = Place(side, above)
            if folder not in made and ground.entry(folder) is None:
                made.add(folder)
                reason = Because(Why.RECOVER, folder, None)
                entry = Entry(Kind.DIRECTORY, mode=_folder_mode(ground, kept, at.path.count("/") - above.count("/")))
                errand.actions.append(MakeDirectory(folder, None, reason, entry))
        match kept.entry.kind:
            case Kind.DIRECTORY:
                errand.actions.append(MakeDirectory(at, None, because, kept.entry, None, path))
            case Kind.LINK:
                errand.actions.append(PutLink(at, None, because, kept.entry, source, None, path))
            case _:
                errand.actions.append(PutFile(at, None, because, kept.entry, source, kept.entry, None, path))


def _folder_mode(ground: Ground, kept: Kept, levels: int) -> int:
    """The mode that the folder so many levels above had, if it went to the trash with what is put back."""
    place = names.ancestors(kept.place)[levels - 1]
    if place != kept.moved and not place.startswith(f"{kept.moved}/"):
        return FOLDER_MODE
    entry = ground.roots[kept.side].entry(place)
    return FOLDER_MODE if entry is None else entry.mode


def _taken(ground: Ground, place: Place) -> PathError:
    command = f"syncline trash restore {ground.job.word} {shlex.quote(names.printable(place.path))} --to NEW_PATH"
    told = f"stands there already; to put it back beside it: {command}"
    return PathError(Reason.TARGET_CHANGED, place.path, told, side=place.side.value)


def _of_run(root: Root, side: Side, run: Run, journal: Journal) -> Iterator[Kept]:
    top = RelPath(f"{TRASH}/{run.id}")
    origins = {each.place: each for each in journal.trashed(run.id) if each.side is side}
    stack = [top]
    while stack:
        above = stack.pop()
        inside = root.names(above)
        if not inside and above != top:
            yield _kept(root, side, run, above, top, origins)
        for name in inside:
            place = RelPath(f"{above}/{name}")
            entry = root.entry(place)
            if entry is not None and entry.kind is Kind.DIRECTORY:
                stack.append(place)
            elif entry is not None:
                yield _kept(root, side, run, place, top, origins)


def _kept(root: Root, side: Side, run: Run, place: RelPath, top: RelPath, origins: Mapping[RelPath, Trashed]) -> Kept:
    entry = root.entry(place) or Entry(Kind.UNKNOWN)
    for above in (place, *names.ancestors(place)):
        if above in origins:
            moved = origins[above]
            path = RelPath(moved.path + place[len(above) :])
            return Kept(side, place, path, run.id, moved.at, entry, above, run.turn, moved.number)
    return Kept(side, place, RelPath(place[len(top) + 1 :]), run.id, run.started, entry, place, run.turn)


def _heaps(kept: list[Kept], now: datetime) -> list[retention.Heap]:
    """What each run left on one side, the run begun first comes first; `kept` is latest first."""
    by_run: dict[str, list[Kept]] = {}
    for each in kept:
        by_run.setdefault(each.run, []).append(each)
    oldest_first = reversed(by_run.items())
    return [
        retention.Heap(
            run, (now - max(_moment(each.at) for each in all)).total_seconds(), sum(e.entry.size for e in all)
        )
        for run, all in oldest_first
    ]


def _owned(runs: Runs, run: str, job: Job) -> bool:
    known = runs.by_id(run)
    return known is None or known.job == job.id


def _clear(root: Root, path: RelPath, stop: Callable[[], bool] = lambda: False) -> bool:
    """Remove what is in the trash of one run, and its folder; whether all of it went before `stop` said so."""
    stack, folders = [path], []
    while stack:
        above = stack.pop()
        folders.append(above)
        _open(root, above)
        for name in root.names(above):
            place = RelPath(f"{above}/{name}")
            entry = root.entry(place)
            if entry is not None and entry.kind is Kind.DIRECTORY:
                stack.append(place)
            elif stop():
                return False
            elif entry is not None:
                root.remove(place)
    for folder in reversed(folders):
        if root.entry(folder) is not None:
            root.remove_directory(folder)
    return True


def _drop(root: Root, place: RelPath) -> None:
    """Take one thing out of the trash, with the folders that become empty; what cannot be stays there."""
    try:
        while True:
            above, entry = names.parent(place), root.entry(place)
            closed = _open(root, above)
            if entry is not None:
                (root.remove_directory if entry.kind is Kind.DIRECTORY else root.remove)(place)
            if above == TRASH or root.names(above):
                break
            place = above
        stays = root.entry(above)
        if closed is not None and stays is not None:
            root.set_properties(above, expect=stays, mtime_ns=None, mode=closed.mode)
    except PathError:
        return


def _open(root: Root, folder: RelPath) -> Entry | None:
    """Let the owner of a folder in the trash change what is in it: the folder as it was, None where that could be."""
    entry = root.entry(folder)
    if entry is None or entry.mode & 0o700 == 0o700 or not root.capabilities.mode:
        return None
    root.set_properties(folder, expect=entry, mtime_ns=None, mode=entry.mode | 0o700)
    return entry


def _time_of(run: str) -> str:
    """The time that a run's id tells, as it is stored; the beginning of time where it tells none."""
    try:
        told = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        told = datetime.fromtimestamp(0, UTC)
    return told.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(stored: str) -> datetime:
    return datetime.fromisoformat(stored)
