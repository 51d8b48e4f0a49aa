"""Looking at both roots and drawing up a plan: reads, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from syncline.core import access, filters, guard, hardlinks, trees
from syncline.core import plan as planning
from syncline.core.merge import merge_all
from syncline.core.model import (
    SIDES,
    Action,
    Counts,
    Entry,
    Guard,
    Kind,
    Objection,
    Place,
    Plan,
    Problem,
    RelPath,
    Side,
)
from syncline.core.policy import Rules
from syncline.core.renames import Followed
from syncline.core.trees import Wanted
from syncline.engine import renamed
from syncline.engine import suspects as suspicion
from syncline.engine.standing import Standing
from syncline.engine.world import Ask, World, ability, check_stop
from syncline.errors import PathError, RootLost
from syncline.execute.remember import Clocks
from syncline.jobs.kind import Job, disposal, keeps, keeps_modes, patterns
from syncline.scanner.client import Observed
from syncline.scanner.contents import read_contents
from syncline.scanner.scan import Scan, Scanning
from syncline.store.base import BaseStore, Row
from syncline.store.conflicts import Conflicts
from syncline.store.spool import FileSpool
from syncline.store.suspects import Suspect, Suspects

WORTH_WAITING_NS = 100_000_000
"""A clock that steps at least this often is waited for, so that no stamp of it can hide a later change."""


def place_as_it_is(place: Place) -> Place:
    """Where something stands before the renames of a plan that has none."""
    return place


@dataclass(frozen=True, slots=True)
class Findings:
    """A plan, and what is needed to carry it out and to remember it: what the merge found, without what it wanted, and
    the `rows` of the directories it looked at. `without`: what is found where these paths, of the left, cannot be
    merged by a program. `suspects`: those that were known before. `actual`: where something stands before the renames
    of the plan."""

    plan: Plan
    wanted: Wanted
    rows: Mapping[int, Row]
    clocks: Clocks
    scope: str
    fold: Callable[[str], str]
    without: Callable[[frozenset[RelPath]], Findings]
    suspects: tuple[Suspect, ...] = ()
    actual: Callable[[Place], Place] = place_as_it_is


def look(
    job: Job,
    world: World,
    ask: Ask,
    standing: Standing,
    base: BaseStore,
    scanning: Scanning,
    suspects: frozenset[tuple[Side, RelPath]] = frozenset(),
) -> Findings:
    """Merge what is found on both roots, which are being read, and draw up the plan.

    Raises: RootLost when a root is not there any more or does not answer, ScanFailed, Interrupted.
    """
    ignored = filters.ignored_by(patterns(job.settings))
    scope = filters.scope(patterns(job.settings))
    scans = _scans(world, scanning)
    clocks = _wait(world, scans)
    known = tuple(Suspects(world.store, job.id).all())
    rules = replace(
        _rules(job, world, ask, standing, ignored, suspects | suspicion.doubtful(known)),
        rotten=suspicion.rotten(known),
    )
    fold = rules.fold()
    trusting = not (scanning.everything or _distrusts(rules))
    meeting = rules if standing.first and rules.quick and trusting and clocks.waited_for() else None
    observed = Observed(scans, base, fold, trusting=trusting, meeting=meeting)
    contents: dict[Place, bytes | Problem] = {}

    def read(needs: Mapping[Place, Entry]) -> dict[Place, bytes | Problem]:
        return read_contents(world.roots, needs, lambda: check_stop(world))

    def draw(unmerged: frozenset[RelPath]) -> Findings:
        wanted, followed = merge_all(observed, replace(rules, unmerged=unmerged), read, contents, FileSpool)
        actual = place_as_it_is if followed is None else followed.actual
        actions = accessible(world, planning.compare(wanted, disposal(job.settings)), actual)
        counts = _counts(base, observed, wanted, followed)
        plan = _plan(job, world, standing, base, scans, wanted, actions, counts)
        for side in SIDES:
            wanted.wants[side].clear()  # it has become actions; of a million files it is as much again
        wanted.seen.clear()
        return Findings(plan, wanted, observed.rows, clocks, scope, fold, draw, known, actual)

    return draw(frozenset())


def _distrusts(rules: Rules) -> bool:
    """Whether files must be looked at although they seem to be as they were."""
    return bool(rules.reread or rules.suspects or rules.rotten or rules.undone)


def _scans(world: World, scanning: Scanning) -> dict[Side, Scan]:
    scans = scanning.result()
    check_stop(world)
    for root in world.roots.values():
        if not root.alive():
            raise RootLost(
                f"{root.path} went away while it was looked at",
                hint="connect it again and run once more; nothing was done",
            )
    return scans


def _wait(world: World, scans: dict[Side, Scan]) -> Clocks:
    """Wait until the clocks of both roots have passed every stamp just read, where that takes no time to speak of."""
    steps = {side: world.roots[side].capabilities.granularity_ns for side in SIDES}
    quick = [step for step in steps.values() if step < WORTH_WAITING_NS]
    if quick and any(scans[side].changed for side in SIDES):
        time.sleep(max(quick) / 1e9)
    left = {side: step if step >= WORTH_WAITING_NS else 0 for side, step in steps.items()}

    def now_ns() -> int:
        return int(world.now().timestamp() * 1e9)

    return Clocks(now_ns(), left, now_ns)


def _rules(
    job: Job,
    world: World,
    ask: Ask,
    standing: Standing,
    ignored: Callable[[RelPath, bool], bool],
    suspects: frozenset[tuple[Side, RelPath]],
) -> Rules:
    now = world.now()
    first = standing.first or (world.record is not None and not world.record.complete)

    rules = Rules(
        policy=job.kind.policy(job.settings),
        ignored=ignored,
        now_ns=int(now.timestamp() * 1e9),
        minute=now.strftime("%Y%m%d%H%M"),
        left=ability(world.roots[Side.LEFT]),
        right=ability(world.roots[Side.RIGHT]),
        quick=first and job.settings.compare == "quick",
        reread=ask.full,
        extras=job.kind.extras(job.settings),
        suspects=suspects,
        modes=keeps_modes(job.settings),
    )
    found = [] if world.record is None else Conflicts(world.store).undone(world.record.id)
    if not found:
        return rules
    fold = rules.fold()
    return replace(rules, undone={fold(conflict.path): conflict for conflict in found})


def accessible(
    world: World,
    actions: Collection[Action],
    actual: Callable[[Place], Place | None] = place_as_it_is,
    parents: Collection[Place] | None = None,
    first: Sequence[Action] = (),
) -> Collection[Action]:
    """The actions, with directories opened that their owner may not write. `parents`, `first`: as `access.opened`."""
    present = {}
    asked = access.parents(actions) if parents is None else parents
    for place in sorted(asked, key=lambda place: (place.side, place.path)):  # one after the other, so that each is near
        with suppress(PathError):  # what cannot be looked at is told by the action itself
            at = actual(place)
            entry = None if at is None else world.roots[place.side].entry(at.path)
            if entry is not None and entry.kind is Kind.DIRECTORY and world.roots[place.side].capabilities.mode:
                present[place] = entry
    return access.opened(actions, present, actual, first)


def _plan(
    job: Job,
    world: World,
    standing: Standing,
    base: BaseStore,
    scans: dict[Side, Scan],
    wanted: Wanted,
    actions: Collection[Action],
    counts: Counts,
) -> Plan:
    conflicts = tuple(sorted(wanted.conflicts, key=lambda conflict: conflict.path))
    told = {*wanted.problems, *suspicion.problems(job, wanted), *hardlinks.told(actions, wanted.directories)}
    problems = tuple(sorted(told, key=lambda problem: (problem.place.path, problem.place.side)))
    identity = planning.plan_id(job.name, actions, conflicts)
    files, size = base.totals()
    objections = [*standing.objections, *_unseen(job, world, scans)]
    if not objections:
        space = {side: world.roots[side].space() for side in SIDES if job.kind.writes(side)}
        seen = guard.Situation(
            job=job.name,
            names={side: job.kind.root_name(side) for side in SIDES},
            roots={side: world.roots[side].path for side in SIDES},
            remembered_files=files,
            remembered_bytes=size,
            changed=wanted.changed,
            free_bytes={side: space[side].free_bytes if side in space else None for side in SIDES},
            free_inodes={side: space[side].free_inodes if side in space else None for side in SIDES},
            mirror=not job.kind.writes_left,
            first=files == 0 and "extras" not in job.options,  # who said what becomes of them need not be asked
            source_empty=counts.left == 0 and _only_directories(wanted, Side.LEFT),
            target_empty=counts.right == 0,
            limits=job.settings.limits,
        )
        objections += guard.objections(actions, identity, seen)
    apart = (renamed.apart(job, conflict) for conflict in conflicts if conflict.names)
    return Plan(
        id=identity,
        job=job.name,
        kind=job.kind.name,
        actions=actions,
        conflicts=conflicts,
        problems=problems,
        objections=tuple(objections),
        agreed=counts.both,
        counts=counts,
        first=standing.first,
        notes=(*standing.notes, *_not_kept(job, world), *apart),
    )


def _not_kept(job: Job, world: World) -> Iterator[str]:
    """A sentence for each property that a job is to keep in step and cannot."""
    for each, (called, why) in _ON_REQUEST.items():
        cannot = [job.kind.root_name(side) for side in SIDES if not getattr(world.roots[side].capabilities, each)]
        if keeps(job.settings, each) and cannot:
            yield f"{called} are not kept in step: in {' and '.join(cannot)} {why}"


_ON_REQUEST = {
    "owner": ("owners", "they are not kept, or this user may not set them (root may)"),
    "xattr": ("extended attributes", "they are not kept"),
    "windows": ("the attributes read-only, hidden and system", "they are not kept"),
}


def _unseen(job: Job, world: World, scans: dict[Side, Scan]) -> list[Objection]:
    return [
        Objection(
            Guard.INCOMPLETE_SCAN,
            f"{job.kind.root_name(side)} {world.roots[side].path} could not be read",
            "see who owns it and what its permissions are, or whether its disk has faults",
        )
        for side in SIDES
        if not scans[side].complete
    ]


def _counts(base: BaseStore, observed: Observed, wanted: Wanted, followed: Followed | None) -> Counts:
    """Regular files in scope: the remembered ones of directories that did not differ, and those that were counted."""
    left, right, both = trees.count(wanted.directories)
    looked_at = {directory.at.row for directory in wanted.directories} | (followed.rows if followed else set())
    unlooked = base.totals()[0] - sum(observed.rows[row].files for row in looked_at if row is not None)
    return Counts(unlooked + left, unlooked + right, unlooked + both)


def _only_directories(wanted: Wanted, side: Side) -> bool:
    """Whether nothing but directories was seen on a side, in the directories that differ."""
    return not any(
        entry.kind is Kind.LINK
        for directory in wanted.directories
        if isinstance(look := directory.at.whole(side), Mapping)
        for _, entry in look.items()
    )
