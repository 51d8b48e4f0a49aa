"""One run, top-down: make sure of the roots, finish what was begun, look, object or carry out, remember."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from syncline.core import plan as planning
from syncline.core.model import (
    APPROVABLE,
    SIDES,
    ActionFailed,
    Event,
    Objection,
    Outcome,
    Plan,
    Reason,
    RunFinished,
    RunStarted,
)
from syncline.core.report import Report
from syncline.engine import books, merging
from syncline.engine.books import Course
from syncline.engine.look import look
from syncline.engine.standing import Standing, judge
from syncline.engine.upkeep import keep_up
from syncline.engine.world import Ask, World, check_stop, take
from syncline.errors import PathError, RootLocked, RunRefused, SynclineError
from syncline.execute.batches import Books, Tally, carry_out
from syncline.execute.perform import Site
from syncline.execute.recover import Recovered, clear_staging, recover
from syncline.jobs.kind import Job
from syncline.store.base import BaseStore
from syncline.store.conflicts import Approvals
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs
from syncline.store.journal import Journal
from syncline.store.runs import Runs

NOBODY = ""
"""The id of no job: what is remembered of it is nothing."""

TOLD_ONLY = frozenset({Reason.SPECIAL_FILE, Reason.OTHER_FILE_SYSTEM, Reason.PARTLY_KEPT, Reason.HARD_LINK})
"""Problems that are listed but need no person: what they are about is left alone by design."""


def plan(job: Job, world: World, ask: Ask) -> Plan:
    """What a run would do now. Changes nothing, takes no lock and waits for none.

    Raises: RunRefused, RootLost.
    """
    standing = _judge(job, world, adopted=False)
    return look(job, world, ask, standing, _base(world, standing)).plan


def run(job: Job, world: World, ask: Ask) -> Iterator[Event]:
    """Carry a job out, telling what happens. A dry run ends after the plan.

    Raises: RunRefused, RootLocked, Interrupted, RootLost, StateError.
    """
    yield from _run(job, world, ask, adopted=False)


def adopt(job: Job, world: World, ask: Ask) -> Iterator[Event]:
    """Take both roots as they stand, whatever is remembered of them, and synchronise as for the first time.

    Raises: as `run`.
    """
    yield from _run(job, world, ask, adopted=True)


def _run(job: Job, world: World, ask: Ask, *, adopted: bool) -> Iterator[Event]:
    started = time.monotonic()
    standing = _judge(job, world, adopted=adopted)
    if ask.dry_run:
        drawn = look(job, world, ask, standing, _base(world, standing)).plan
        yield RunStarted(None, drawn)
        yield RunFinished(None, _planned(drawn), drawn.problems, time.monotonic() - started)
        return
    if standing.objections:
        raise RunRefused(standing.objections[0].detail, standing.objections, hint=standing.objections[0].remedy)
    take(world, job.kind.written())
    world.record = _reread(job, world)
    standing = _judge(job, world, adopted=adopted)
    looked = None if world.record is None else world.record.last_checked
    recovered = _recover(job, world)
    findings = look(job, world, ask, standing, _base(world, standing), frozenset(recovered.suspects))
    check_stop(world)
    refused = _unapproved(world, findings.plan, ask)
    findings = replace(findings, plan=replace(findings.plan, objections=tuple(refused)))
    if refused:
        _remember_refusal(world, findings.plan)
        yield RunStarted(None, findings.plan)
        yield RunFinished(None, Outcome.REFUSED, findings.plan.problems, time.monotonic() - started)
    elif findings.plan.actions:
        run_id = world.run_id()
        with merging.merged(job, world, findings, run_id) as settled:
            check_stop(world)
            yield from _carry_out(Course(job, world, ask, standing, settled, started), run_id, looked)
    else:
        yield RunStarted(None, findings.plan)
        outcome = _outcome(findings.plan, [])
        books.look_only(Course(job, world, ask, standing, findings, started), outcome)
        kept = keep_up(job, world, outcome, looked)
        took_s = time.monotonic() - started
        yield RunFinished(None, outcome, findings.plan.problems, took_s, kept.notes, kept.warnings)


def _judge(job: Job, world: World, *, adopted: bool) -> Standing:
    try:
        return judge(job, world.record, world.roots, world.filesystems, adopted=adopted)
    except PathError as error:
        raise RunRefused(str(error), hint=f"look at that file, or: syncline adopt {job.name}") from error


def _reread(job: Job, world: World) -> Remembered | None:
    """What the state knows of the job now: another run of it may have ended just before the lock was free.

    Raises: RootLocked: that one made the job, under an id of its own.
    """
    record = Jobs(world.store).by_id(job.id)
    if record is None and Jobs(world.store).by_name(job.name) is not None:
        raise RootLocked(f"another run has just made the job {job.name}", hint="run it again")
    return record


def _base(world: World, standing: Standing) -> BaseStore:
    """What is remembered, or nothing where it may not be believed."""
    known = world.record is not None and not standing.first
    return BaseStore(world.store, world.record.id if known and world.record is not None else NOBODY)


def _recover(job: Job, world: World) -> Recovered:
    """Finish what an interrupted run left begun, and clear the staging directories."""
    journal, store = Journal(world.store), world.store
    recovered = Recovered()
    if world.record is not None:
        recovered = recover(world.roots, store, journal, world.record.id)
        _close_runs(world, world.record.id)
    others = [run.id for other in Jobs(store).all() for run in Runs(store).unfinished(other.id)]
    for side in job.kind.written():
        clear_staging(world.roots[side], world.run_id(), others)
    return recovered


def _close_runs(world: World, job: str) -> None:
    """Give the runs that a crash cut off an outcome."""
    runs = Runs(world.store)
    cut_off = runs.unfinished(job)
    if cut_off:
        with world.store.transaction():
            for run in cut_off:
                runs.finish(run.id, Outcome.INTERRUPTED, 0.0, note="cut off; what it had begun was settled later")


def _unapproved(world: World, plan: Plan, ask: Ask) -> list[Objection]:
    """The objections that `--approve` does not meet: it approves the removals and replacements of one plan."""
    if ask.approve is None or not plan.objections:
        return list(plan.objections)
    approved = ask.approve == plan.id
    if not approved and world.record is not None:
        removals = Approvals(world.store).removals(ask.approve, world.record.id)
        approved = isinstance(removals, list) and set(planning.losses(plan.actions)) <= set(removals)
    return [objection for objection in plan.objections if not (approved and objection.guard in APPROVABLE)]


def _remember_refusal(world: World, plan: Plan) -> None:
    if world.record is not None:
        with world.store.transaction():
            Approvals(world.store).remember(plan.id, world.record.id, list(planning.losses(plan.actions)))
            Jobs(world.store).change(world.record.id, in_sync=False)


def _carry_out(course: Course, run_id: str, looked: str | None) -> Iterator[Event]:
    """Carry a plan out under a run of its own, and remember what is true afterwards."""
    job, world, plan = course.job, course.world, course.findings.plan
    roots = {side: world.roots[side].path for side in SIDES}
    report = Report(job.name, job.kind.name, roots, job.kind.root_names, dry_run=False)
    opened = books.begin(course, run_id)
    site = Site(world.roots, opened.results, lambda: world.stopped() is not None, job.settings.durability)
    journal = Books(world.store, Journal(world.store), opened.run, opened.memory.write_touched)
    sizes = [planning.size_of(action) for action in plan.actions]
    failures: list[ActionFailed] = []
    try:
        yield _told(report, RunStarted(opened.run, plan))
        for event in carry_out(plan.actions, site, journal, Tally(len(sizes), sum(sizes))):
            if isinstance(event, ActionFailed):
                failures.append(event)
            yield _told(report, event)
    except SynclineError:
        books.finish(course, opened, report, Outcome.FAILED, failures)
        raise
    # Anything else that ends it here (a kill, a fault of ours) leaves the run open: recovery finishes it.
    interrupted = world.stopped() is not None
    outcome = Outcome.INTERRUPTED if interrupted else _outcome(plan, failures)
    finished = books.finish(course, opened, report, outcome, failures)
    check_stop(world)
    kept = keep_up(job, world, outcome, looked)
    yield replace(finished, notes=kept.notes, warnings=kept.warnings)


def _told(report: Report, event: Event) -> Event:
    report.add(event)
    return event


def _outcome(plan: Plan, failures: list[ActionFailed]) -> Outcome:
    if failures:
        return Outcome.FAILED
    if _needs_attention(plan):
        return Outcome.NEEDS_ATTENTION
    return Outcome.DONE if plan.actions else Outcome.IN_SYNC


def _planned(plan: Plan) -> Outcome:
    if plan.objections:
        return Outcome.REFUSED
    if plan.actions:
        return Outcome.PLANNED
    return Outcome.NEEDS_ATTENTION if _needs_attention(plan) else Outcome.IN_SYNC


def _needs_attention(plan: Plan) -> bool:
    return any(conflict.kept is None for conflict in plan.conflicts) or any(
        problem.reason not in TOLD_ONLY for problem in plan.problems
    )
