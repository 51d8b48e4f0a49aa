"""What a run clears away once it has ended well: what has lain in the trash long enough, and past runs that are old.

Never in the way of a run: what cannot be removed is told, and tried again after the next run. Must not touch what
another run may still need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from syncline.core import retention
from syncline.core.model import Outcome, RelPath
from syncline.core.spelling import duration_text, size_text
from syncline.engine.lineage import earlier_names
from syncline.engine.mend import Besides
from syncline.engine.world import World
from syncline.errors import SynclineError
from syncline.execute.transfer import TRASH
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts
from syncline.store.db import stored_time
from syncline.store.runs import Run, Runs
from syncline.store.suspects import Suspects

if TYPE_CHECKING:
    from syncline.engine.trash import Kept

ENDED_WELL = frozenset({Outcome.IN_SYNC, Outcome.DONE, Outcome.NEEDS_ATTENTION})
"""The outcomes after which anything is cleared away."""

PATIENCE_S = 10.0
"""How long a run lets itself be held up by it; the rest goes after the next one."""


def keep_up(job: Job, world: World, outcome: Outcome, looked: str | None, run: str | None = None) -> Besides:
    """Clear away what the settings of a job say is old. Its written roots are locked. Never raises.

    `run` is the id of the run that is ending, None where it did nothing; `looked` is the stored time of the look
    before this one. Time counts only as far as that one told it, or as far as the clock tells now where that is less: a
    clock that jumps ahead for one run makes nothing old.
    """
    if outcome not in ENDED_WELL or looked is None:
        return Besides()
    before = datetime.fromisoformat(looked)
    present = min(world.now().astimezone(UTC), before)
    news = outcome is not Outcome.IN_SYNC or world.now().astimezone(UTC).date() > before.date()
    notes: list[str] = []
    warnings: list[str] = []
    steps = [_clear_trash] if job.settings.versions is None else [partial(_thin_versions, run=run)] if news else []
    steps += [_clear_excess] if news and job.settings.trash_max_total is not None else []
    for clear in (*steps, _clear_history):
        try:
            notes += clear(job, world, present)
        except SynclineError as error:
            warnings.append(f"what is old could not be cleared away, which is tried again after the next run: {error}")
    return Besides(tuple(notes), tuple(warnings))


def _clear_trash(job: Job, world: World, present: datetime) -> list[str]:
    keep_for_s = job.settings.trash_keep_for_s
    if keep_for_s is None:
        return []
    limit = _before(present, keep_for_s)
    old = [run for run in _clearable(job, world) if run.started <= limit]  # what it left may be younger than the run
    if not old:
        return []
    from syncline.engine import trash  # here, for few runs need all that it loads

    gone = trash.clear(
        job,
        world,
        retention.Retention(keep_for_s),
        present,
        among=[run.id for run in old],
        stop=_patience(world),
        spared=_spared(job, world),
    )
    return _told(gone, f"that lay there for {duration_text(keep_for_s)}")


def _thin_versions(job: Job, world: World, present: datetime, run: str | None) -> list[str]:
    """Of each path, the earlier versions that `versions` does not keep; none that this run took away."""
    rule = job.settings.versions
    runs = [run.id for run in _clearable(job, world)] if rule is not None else []
    if rule is None or not runs:
        return []
    from syncline.engine import trash

    local = present.astimezone(world.now().tzinfo)
    stop, spared = _patience(world), _spared(job, world)
    gone = trash.thin(job, world, rule, local, among=runs, ending=run, stop=stop, spared=spared)
    return _told(gone, "which 'versions' does not keep")


def _clear_excess(job: Job, world: World, present: datetime) -> list[str]:
    """The oldest runs' trash, while there is more than may be in all; what the latest run left stays."""
    keep_bytes = job.settings.trash_max_total
    runs = [run.id for run in _clearable(job, world)]
    keep = retention.Retention(keep_bytes=keep_bytes)
    if keep_bytes is None or not runs:
        return []
    from syncline.engine import trash

    gone = trash.clear(job, world, keep, present, among=runs, stop=_patience(world), spared=_spared(job, world))
    return _told(gone, f"to keep it within {size_text(keep_bytes)}")


def _spared(job: Job, world: World) -> set[RelPath]:
    """Paths of which nothing goes by itself: what is an open conflict, or holds bytes that nobody wrote, may need an
    earlier version before a person has decided. The names it had before are among them."""
    paths = {each.place.path for each in Suspects(world.store, job.id).all()}
    for recorded in Conflicts(world.store).open_conflicts(job.id):
        paths |= {path for path in (recorded.conflict.path, recorded.conflict.clash) if path is not None}
    return {name for path in paths for name, _ in earlier_names(job, world.store, path)}


def _half_undone(job: Job, world: World) -> set[str]:
    """The runs whose latest undo ended before its time: whoever goes on with it needs what they left."""
    latest: dict[str, Run] = {}
    for run in Runs(world.store).undos(job.id):
        latest.setdefault(run.undoes or run.id, run)
    return {undone for undone, run in latest.items() if run.outcome is Outcome.INTERRUPTED}


def _patience(world: World) -> Callable[[], bool]:
    """Says when clearing away has to stop for now."""
    end_s = time.monotonic() + PATIENCE_S
    return lambda: world.stopped() is not None or time.monotonic() > end_s


def _told(gone: Sequence[Kept], why: str) -> list[str]:
    if not gone:
        return []
    files, size = len(gone), sum(kept.entry.size for kept in gone)
    things = "1 item" if files == 1 else f"{files:,} items"
    return [f"removed {things} ({size:,} bytes) from the trash {why}"]


def _clear_history(job: Job, world: World, present: datetime) -> list[str]:
    keep_for_s = job.settings.history_keep_for_s
    if keep_for_s is None:
        return []
    limit, runs = _before(present, keep_for_s), Runs(world.store)
    if not runs.any_before(job.id, limit):
        return []
    from syncline.engine import trash

    conflicts = Conflicts(world.store)
    needed = {run for each in conflicts.open_conflicts(job.id) if (run := each.run) is not None}
    needed |= {run.id for run in _own_runs(job, world)} | trash.needed(world)
    needed |= {run.id for run in runs.history(job.id, 1)}
    with world.store.transaction():
        forgotten = runs.forget_before(job.id, limit, needed)
        conflicts.forget_before(job.id, limit)
    things = "1 run" if forgotten == 1 else f"{forgotten:,} runs"
    return [f"forgot {things} older than {duration_text(keep_for_s)}"] if forgotten else []


def _own_runs(job: Job, world: World) -> list[Run]:
    """The runs of this job that left something in the trash of a root."""
    runs = Runs(world.store)
    names = {name for side in job.kind.written() for name in world.roots[side].names(TRASH)}
    found = [runs.by_id(name) for name in sorted(names)]
    return [run for run in found if run is not None and run.job == job.id]


def _clearable(job: Job, world: World) -> list[Run]:
    """Those of them of which nothing is needed to go on with an undo."""
    own = _own_runs(job, world)
    halves = _half_undone(job, world) if own else set()
    return [run for run in own if run.id not in halves]


def _before(present: datetime, keep_for_s: float) -> str:
    try:
        return stored_time(present - timedelta(seconds=keep_for_s))
    except OverflowError:
        return ""
