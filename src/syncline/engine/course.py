"""A run from the moment its roots are being read: look, object or carry out, remember.

Apart from `run`, which loads it only then: two processes read meanwhile what takes longer than all these imports.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from syncline.core import plan as planning
from syncline.core.model import (
    SIDES,
    ActionFailed,
    Event,
    Outcome,
    Plan,
    Reason,
    RelPath,
    RunFinished,
    RunStarted,
    Side,
)
from syncline.core.report import Report
from syncline.engine import books, merging
from syncline.engine.books import Course
from syncline.engine.consent import remember_refusal, unapproved
from syncline.engine.look import look
from syncline.engine.standing import Standing
from syncline.engine.upkeep import keep_up
from syncline.engine.world import Ask, World, check_stop
from syncline.errors import SynclineError
from syncline.jobs.kind import Job
from syncline.scanner.scan import Scanning
from syncline.store.base import BaseStore
from syncline.store.journal import Journal

TOLD_ONLY = frozenset({Reason.SPECIAL_FILE, Reason.OTHER_FILE_SYSTEM, Reason.PARTLY_KEPT, Reason.HARD_LINK})
"""Problems that are listed but need no person: what they are about is left alone by design."""


def dry(
    job: Job, world: World, ask: Ask, standing: Standing, base: BaseStore, scanning: Scanning, started: float
) -> Iterator[Event]:
    """Tell what a run would do; `started` is monotonic, in seconds. Raises: RootLost, ScanFailed, Interrupted."""
    drawn = look(job, world, ask, standing, base, scanning).plan
    yield RunStarted(None, drawn)
    yield RunFinished(None, _planned(drawn), drawn.problems, time.monotonic() - started)


def follow(
    job: Job,
    world: World,
    ask: Ask,
    standing: Standing,
    base: BaseStore,
    scanning: Scanning,
    suspects: frozenset[tuple[Side, RelPath]],
    looked: str | None,
    started: float,
) -> Iterator[Event]:
    """Do what is to be done, if nothing objects. `suspects` must be read before they are believed; `looked` is when the
    job was last looked at; `started` is monotonic, in seconds. Raises: as `syncline.engine.run`."""
    findings = look(job, world, ask, standing, base, scanning, suspects)
    check_stop(world)
    refused = unapproved(world, findings.plan, ask)
    findings = replace(findings, plan=replace(findings.plan, objections=tuple(refused)))
    if refused:
        remember_refusal(world, findings.plan)
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


def _carry_out(course: Course, run_id: str, looked: str | None) -> Iterator[Event]:
    """Carry a plan out under a run of its own, and remember what is true afterwards."""
    job, world, plan = course.job, course.world, course.findings.plan
    roots = {side: world.roots[side].path for side in SIDES}
    from syncline.execute.batches import Books, Tally, carry_out  # here, for most runs find nothing to be done
    from syncline.execute.perform import Site

    report = Report(job.name, job.kind.name, roots, job.kind.root_names, dry_run=False)
    opened = books.begin(course, run_id)
    site = Site(world.roots, opened.results, lambda: world.stopped() is not None, job.settings.durability)
    journal = Books(world.store, Journal(world.store), opened.run, opened.memory.write_touched)
    size = sum(planning.size_of(action) for action in plan.actions)
    failures: list[ActionFailed] = []
    try:
        yield _told(report, RunStarted(opened.run, plan))
        for event in carry_out(plan.actions, site, journal, Tally(len(plan.actions), size)):
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
    kept = keep_up(job, world, outcome, looked, opened.run)
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
