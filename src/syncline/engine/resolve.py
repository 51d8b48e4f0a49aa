"""Settling open conflicts as a person says: one version takes the path on both sides, the other goes to the trash.

What stood on the disk when a conflict was found must still stand there; otherwise the conflict stays open, and nothing
of it is touched. A conflict whose clash file a person removed is settled by that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from syncline.core import names, policy
from syncline.core.model import (
    SIDES,
    Action,
    Because,
    Conflict,
    Entry,
    Event,
    Kept,
    Kind,
    Place,
    Policy,
    Problem,
    Reason,
    RelPath,
    Rename,
    Rule,
    SetProperties,
    Side,
    Why,
)
from syncline.engine.errand import Errand, run_errand
from syncline.engine.ground import Found, Ground, obstacle
from syncline.engine.standing import judge
from syncline.engine.world import Ask, World
from syncline.errors import PathError, UsageError
from syncline.fs.root import Root
from syncline.jobs.kind import Job
from syncline.scanner.client import same_file
from syncline.scanner.contents import read_contents
from syncline.store.conflicts import Conflicts, Recorded
from syncline.store.runs import Runs


class Keep(StrEnum):
    """Which version a person wants at the path."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which conflicts a person means, and which version they want. No path: all of `run`, or all there are."""

    keep: Keep
    paths: tuple[RelPath, ...] = ()
    run: str | None = None


def resolve(job: Job, world: World, ask: Ask, choice: Choice) -> Iterator[Event]:
    """Settle the open conflicts a person means, as a run.

    Raises: UsageError: there are none such; and as `run_errand`.
    """
    run = None if choice.run is None else Runs(world.store).find(choice.run, job.id).id
    means = replace(choice, run=run)
    undos = frozenset() if run is None else frozenset(each.id for each in Runs(world.store).undos_of(run, job.id))

    def meant() -> list[Recorded]:
        return chosen(Conflicts(world.store).open_conflicts(job.id), means, job.name, undos)

    meant()  # asked before anything is locked
    yield from run_errand(job, world, ask, "resolve", lambda ground: draw(ground, meant(), choice.keep))


def notice(job: Job, world: World) -> None:
    """Close the conflicts of a job whose clash file a person removed, if both roots are the remembered ones.

    Raises: StateError.
    """
    try:
        standing = judge(job, world.record, world.roots, world.filesystems, adopted=False)
    except PathError:
        return
    gone = [] if standing.first or standing.objections else removed(world.roots, _open(job, world))
    if gone:
        with world.store.transaction():
            Conflicts(world.store).settle(gone)


def unnoticed(job: Job, world: World) -> bool:
    """Whether `notice` would close a conflict. Changes nothing."""
    try:
        standing = judge(job, world.record, world.roots, world.filesystems, adopted=False)
    except PathError:
        return False
    return not standing.first and not standing.objections and bool(removed(world.roots, _open(job, world)))


def chosen(open_conflicts: Iterable[Recorded], choice: Choice, job: str, undos: Collection[str] = ()) -> list[Recorded]:
    """The open conflicts a person means: of a run also those that its `undos` left.

    Raises: UsageError: there is none at a path, or none at all.
    """
    known = [each for each in open_conflicts if choice.run is None or each.run == choice.run or each.run in undos]
    there = {path for each in known for path in each.conflict.called}
    for path in choice.paths:
        if path not in there:
            told = f"there is no open conflict at {names.printable(path)}"
            raise UsageError(told, hint=f"the open ones: syncline conflicts {names.pasted(job)}")
    if not known:
        of = f" of run {choice.run}" if choice.run is not None else ""
        raise UsageError(f"{job} has no open conflict{of}", hint=f"syncline status {names.pasted(job)}")
    wanted = set(choice.paths)
    return [each for each in known if not wanted or wanted.intersection(each.conflict.called)]


def draw(ground: Ground, conflicts: Iterable[Recorded], keep: Keep) -> Errand:
    """What settles these conflicts. One that cannot be settled becomes a problem. Raises: UsageError."""
    errand = Errand()
    for recorded in conflicts:
        try:
            _draw(ground, recorded, keep, errand)
        except PathError as error:
            errand.problems.append(obstacle(error, Side.LEFT if ground.job.kind.writes_left else Side.RIGHT))
    return errand


def removed(roots: Mapping[Side, Root], conflicts: Iterable[Recorded]) -> list[int]:
    """The ids of those of these conflicts whose clash file stands on neither side any more; of those that an undo
    left, nothing."""
    gone = []
    for recorded in conflicts:
        conflict = recorded.conflict
        path = conflict.path if conflict.rule is Rule.UNDONE else conflict.clash
        try:
            if path is not None and all(roots[side].entry(path) is None for side in SIDES):
                gone.append(recorded.id)
        except PathError:
            continue
    return gone if all(root.alive() for root in roots.values()) else []


def _open(job: Job, world: World) -> list[Recorded]:
    return [each for each in Conflicts(world.store).open_conflicts(job.id) if each.conflict.clash is not None]


def _draw(ground: Ground, recorded: Recorded, keep: Keep, errand: Errand) -> None:
    conflict = recorded.conflict
    if conflict.names:
        actions, kept, touched = _of_renamed(ground, conflict, keep)
    elif conflict.clash is None:
        actions, kept, touched = _of_held(ground, conflict, keep)
    else:
        actions, kept, touched = _of_clash(ground, conflict, conflict.clash, keep)
    for action in actions:
        if not ground.job.kind.writes(action.at.side):
            raise UsageError(
                f"{ground.job.kind.root_name(action.at.side)} is never written to in a {ground.job.kind.name} job",
                hint="copy the version you want to the source yourself, and run the job",
            )
    errand.actions += actions
    errand.touched += touched
    errand.healed += [(found.place(side), conflict.path) for found in touched for side in ground.rotten(found)]
    errand.settles.append((recorded.id, conflict.path))
    errand.conflicts.append(replace(conflict, kept=kept, clash=None, clash_from=None))


def _of_clash(ground: Ground, conflict: Conflict, clash: RelPath, keep: Keep) -> tuple[list[Action], Kept, list[Found]]:
    """A conflict whose second version stands beside the first, on both sides."""
    first, second = ground.find(conflict.path), ground.find(clash)
    if keep is Keep.BOTH or all(second.entries[side] is None for side in SIDES):
        return [], Kept.BOTH if keep is Keep.BOTH else conflict.kept or Kept.BOTH, []
    for found in (first, second):
        if any(found.entries[side] is not None for side in SIDES):
            for side in SIDES:
                if not ground.side_as_remembered(found, side):
                    raise _changed(ground, found.place(side))
    loser = conflict.clash_from or Side.RIGHT
    side = _newer(ground, conflict) if keep is Keep.NEWEST else Side(keep.value)
    group, actions = conflict.path, list[Action]()
    if side is loser:
        for each in SIDES:
            entry = _there(second, each)
            because = Because(Why.CONFLICT, second.place(each), entry)
            actions += ground.put(first, each, second.place(each), entry, because, group)
    for each in SIDES:
        # What replaced it, or was kept, must stand at the path before the other version goes.
        kept = second.entries[each] if side is loser else _there(first, each)
        because = Because(Why.CONFLICT, first.place(each), kept)
        actions.append(ground.trash(second.place(each), _there(second, each), because, group))
    return actions, Kept(side.value), [first, second]


def _of_held(ground: Ground, conflict: Conflict, keep: Keep) -> tuple[list[Action], Kept, list[Found]]:
    """A conflict of which nothing was touched: each side has its own version under the name."""
    found = ground.find(conflict.path)
    for side, seen in ((Side.LEFT, conflict.left), (Side.RIGHT, conflict.right)):
        if not _as_seen(seen, found.entries[side]):
            raise _changed(ground, found.place(side))
    if conflict.rule is Rule.UNDONE:
        if keep is Keep.BOTH and conflict.whole and _two_folders(found):
            return [], Kept.BOTH, []  # nothing is remembered of them: the next run unites them
        keep = _of_undone(ground, found, keep)
        if not conflict.whole:
            return _of_properties(ground, conflict, found, keep)
    if conflict.rule is Rule.PROPS_BOTH:
        return _of_properties(ground, conflict, found, keep)
    if keep is Keep.BOTH:
        return _both(ground, conflict, found)
    rotten = ground.rotten(found)
    if keep is Keep.NEWEST and rotten:
        told = "is suspect: which version is the newer one says nothing; say --keep left or --keep right"
        raise PathError(Reason.UNREADABLE, found.paths[Side.LEFT], told)
    side = _newer(ground, conflict) if keep is Keep.NEWEST else Side(keep.value)
    entry, because = found.entries[side], Because(Why.CONFLICT, found.place(side), found.entries[side])
    if entry is not None:
        if side not in rotten and side.other in rotten:
            entry = ground.as_sworn(found, side)  # read on the way: a second rotten file does not replace the first
        actions = list(ground.put(found, side.other, found.place(side), entry, because, conflict.path))
    else:
        actions = [ground.trash(found.place(side.other), _there(found, side.other), because, conflict.path)]
    return actions, Kept(side.value), [found]


def _of_renamed(ground: Ground, conflict: Conflict, keep: Keep) -> tuple[list[Action], Kept, list[Found]]:
    """A conflict of two names for one thing: the side whose name is not kept renames it. The next run remembers it."""
    if keep is Keep.BOTH:
        told = f"{names.printable(conflict.path)}: one thing cannot have two names"
        raise UsageError(told, hint="say --keep left or --keep right; to have both, copy it yourself")
    side = Side.RIGHT if keep is Keep.RIGHT else Side.LEFT  # a name has no time: as the policy newest takes it
    at = {each: Place(each, path) for each, path in zip(SIDES, conflict.names, strict=True)}
    seen = {Side.LEFT: conflict.left, Side.RIGHT: conflict.right}
    there = {each: ground.entry(at[each]) for each in SIDES}
    for each in SIDES:
        if not _as_seen(seen[each], there[each]):
            raise _changed(ground, at[each])
    to = _free(ground, ground.find(at[side].path), side.other)
    because = Because(Why.CONFLICT, at[side], there[side])
    return [Rename(at[side.other], to, there[side.other], because, conflict.path)], Kept(side.value), []


def _free(ground: Ground, found: Found, side: Side) -> RelPath:
    """Where a side gets the name that only the other one has. Raises: PathError: it cannot."""
    root, above = ground.job.kind.root_name(side), names.parent(found.paths[side])
    name = names.basename(found.paths[side.other])
    to = names.join(above, name)
    unfit = names.impossible(name, ground.rules.ability(side).names)
    if unfit is not None:
        raise PathError(Reason.IMPOSSIBLE_NAME, to, f"{unfit} ({root})", side=side.value)
    if found.entries[side] is not None:
        told = f"something else has this name on {root}; move it, and say it again"
        raise PathError(Reason.TARGET_CHANGED, to, told, side=side.value)
    folder = ground.entry(Place(side, above)) if above else None
    if above and (folder is None or folder.kind is not Kind.DIRECTORY):
        told = f"there is no such folder on {root}; first: syncline run {ground.job.word}"
        raise PathError(Reason.TARGET_CHANGED, above, told, side=side.value)
    return to


def _of_undone(ground: Ground, found: Found, keep: Keep) -> Keep:
    """What keeping both means where an undo left the sides apart: all that stands anywhere stands on both. Two versions
    with the same bytes, or two modes of a folder, cannot both be had: the newer one is taken."""
    left, right = found.entries[Side.LEFT], found.entries[Side.RIGHT]
    if keep is not Keep.BOTH:
        return keep
    if left is None or right is None:
        return Keep.LEFT if left is not None else Keep.RIGHT
    if _two_folders(found) or _same_bytes(ground, found, left, right):
        return Keep.NEWEST
    return keep


def _two_folders(found: Found) -> bool:
    return all(entry is not None and entry.kind is Kind.DIRECTORY for entry in found.entries.values())


def _same_bytes(ground: Ground, found: Found, left: Entry, right: Entry) -> bool:
    """Raises: PathError: one of them cannot be read."""
    if left.kind is not right.kind or left.size != right.size:
        return False
    one, other = found.place(Side.LEFT), found.place(Side.RIGHT)
    read = read_contents(ground.roots, {one: left, other: right}, lambda: None)
    for each in read.values():
        if isinstance(each, Problem):
            raise PathError(each.reason, each.place.path, each.detail, side=each.place.side.value)
    return read[one] == read[other]


def _of_properties(
    ground: Ground, conflict: Conflict, found: Found, keep: Keep
) -> tuple[list[Action], Kept, list[Found]]:
    if keep is Keep.BOTH:
        told = f"{names.printable(conflict.path)}: one file cannot have two modes or owners"
        raise UsageError(told, hint="say --keep left, --keep right or --keep newest")
    left, right = _there(found, Side.LEFT), _there(found, Side.RIGHT)
    said = Policy.NEWEST if keep is Keep.NEWEST else Policy(keep.value)
    properties = policy.merge_properties(None, left, right, said, ground.rules)
    side = properties.winner or Side.LEFT
    because = Because(Why.CONFLICT, found.place(side), found.entries[side])
    other = _there(found, side.other)
    wanted = properties.on(side.other, other)
    actions: list[Action] = [SetProperties(found.place(side.other), other, because, wanted, conflict.path)]
    return actions if wanted is not other else [], Kept(side.value), []


def _both(ground: Ground, conflict: Conflict, found: Found) -> tuple[list[Action], Kept, list[Found]]:
    """Keep both versions of a held conflict: the newer one (of a directory and a file, the directory) has the name."""
    left, right = found.entries[Side.LEFT], found.entries[Side.RIGHT]
    if left is None or right is None:
        told = f"{names.printable(conflict.path)} stands on one side only"
        raise UsageError(told, hint="say --keep left or --keep right")
    if left.kind is Kind.DIRECTORY or right.kind is Kind.DIRECTORY:
        side = Side.LEFT if left.kind is Kind.DIRECTORY else Side.RIGHT
    else:
        rotten = ground.rotten(found)
        side = rotten[0].other if len(rotten) == 1 else _newer(ground, conflict)
    loser = side.other
    spelled = ground.free_name(found)
    clash = ground.find(names.join(names.parent(conflict.path), spelled))
    reason = Because(Why.CONFLICT, found.place(loser), found.entries[loser])
    spread = ground.put(clash, side, found.place(loser), _there(found, loser), reason, conflict.path)
    because = Because(Why.CONFLICT, found.place(side), found.entries[side])
    entry, aside = _there(found, side), clash.paths[loser]
    taken = ground.put(found, loser, found.place(side), entry, because, conflict.path, aside)
    return [*spread, *taken], Kept.BOTH, [found, clash]


def _newer(ground: Ground, conflict: Conflict) -> Side:
    """The side whose version was the newer one when the conflict was found; a tie goes to left."""
    if conflict.left is None or conflict.right is None:
        return Side.LEFT if conflict.left is not None else Side.RIGHT
    return policy.newer(conflict.left, conflict.right, ground.rules) or Side.LEFT


def _there(found: Found, side: Side) -> Entry:
    entry = found.entries[side]
    if entry is None:
        told = "is not there any more; run the job, or keep both"
        raise PathError(Reason.TARGET_CHANGED, found.paths[side], told, side=side.value)
    return entry


def _as_seen(seen: Entry | None, found: Entry | None) -> bool:
    if seen is None or found is None:
        return seen is None and found is None
    if seen.kind is Kind.DIRECTORY:
        return found.kind is Kind.DIRECTORY and policy.same_properties(found, seen)
    return same_file(seen, found)


def _changed(ground: Ground, place: Place) -> PathError:
    told = f"a side changed since the conflict was found; first: syncline run {ground.job.word}"
    return PathError(Reason.TARGET_CHANGED, place.path, told, side=place.side.value)
