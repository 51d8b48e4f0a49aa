"""What a run writes in the state and in the markers: that it begins, what both sides agree on, what is open."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from syncline.core.model import (
    SIDES,
    ActionFailed,
    Conflict,
    Outcome,
    Place,
    Problem,
    RelPath,
    Rule,
    RunFinished,
    Side,
)
from syncline.core.report import Report
from syncline.engine import suspects
from syncline.engine.look import Findings
from syncline.engine.mend import give_modes_back
from syncline.engine.standing import Standing, claim
from syncline.engine.world import Ask, World
from syncline.errors import SynclineError
from syncline.execute.remember import Memory
from syncline.execute.results import Results
from syncline.jobs.kind import Job
from syncline.store.base import BaseStore
from syncline.store.conflicts import Conflicts, Problems
from syncline.store.db import stored_time
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs
from syncline.store.runs import Runs


@dataclass(frozen=True, slots=True)
class Course:
    """A run from its plan on. `started` is monotonic, in seconds."""

    job: Job
    world: World
    ask: Ask
    standing: Standing
    findings: Findings
    started: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A run that was begun in the state: its id, its job as remembered, and what it learns."""

    run: str
    record: Remembered
    results: Results
    memory: Memory


def begin(course: Course, run_id: str) -> Opened:
    """Write *begun n* in the state, then n in the markers; on a first run the markers stand before the state knows.

    Raises: StateError, PathError.
    """
    world, standing = course.world, course.standing
    record = _remembered(course)
    roots = {side.value: world.roots[side].path for side in SIDES}
    with world.store.transaction():
        if standing.first:
            BaseStore(world.store, record.id).clear()
            Jobs(world.store).change(record.id, complete=False)
        Jobs(world.store).change(record.id, generation=standing.generation, begun=True)
        Runs(world.store).start(run_id, record.id, plan=course.findings.plan.id, kind="run", roots=roots)
    _claim(course, record)
    results = Results(frugal=True)
    results.expect(course.findings.plan.actions)
    return Opened(run_id, record, results, _memory(course, record, results))


def finish(
    course: Course, opened: Opened, report: Report, outcome: Outcome, failures: Sequence[ActionFailed]
) -> RunFinished:
    """Remember what both sides agree on after a run, list its conflicts, and close it. Raises: StateError."""
    world, plan = course.world, course.findings.plan
    if outcome in (Outcome.INTERRUPTED, Outcome.FAILED):
        with suppress(SynclineError):  # what stopped it may be in the way of this, too
            give_modes_back(world, opened.run)
    told = [failure for failure in failures if not (outcome is Outcome.INTERRUPTED and failure.skipped)]
    problems = (*plan.problems, *(failure.problem for failure in told))
    finished = RunFinished(opened.run, outcome, problems, time.monotonic() - course.started)
    report.add(finished)
    document = report.head()
    with world.store.transaction():
        opened.memory.write()
        _record_conflicts(course, opened.record, opened.run, opened.results)
        _note_look(course, opened.record, problems, outcome)
        Runs(world.store).finish(
            opened.run,
            outcome,
            finished.seconds,
            note=course.ask.note or "",
            summary=document["summary"],
            document={key: document[key] for key in ("conflicts", "problems", "objections")},
        )
    return finished


def look_only(course: Course, outcome: Outcome) -> None:
    """Nothing had to be done: write down what both sides agree on by now, if that is news, and when it was seen.

    A run that was cut off may have left its number in one of the markers only: that is news too.
    """
    world, standing = course.world, course.standing
    record, jobs, results = _remembered(course), Jobs(world.store), Results()
    with world.store.transaction():
        if standing.first:
            BaseStore(world.store, record.id).clear()
        news = _memory(course, record, results).write() or standing.first or record.begun
        if news:
            jobs.change(record.id, generation=standing.generation, begun=True)
    if news:
        _claim(course, record)
    with world.store.transaction():
        _record_conflicts(course, record, None, results)
        _note_look(course, record, course.findings.plan.problems, outcome)


def _remembered(course: Course) -> Remembered:
    """The job as the state has it; from now on, if it was new."""
    job, world = course.job, course.world
    if world.record is None:
        record = Remembered(job.id, job.name, job.kind.name, job.left, job.right, job.options, job.adhoc)
        with world.store.transaction():
            world.record = Jobs(world.store).add(record)
    return world.record


def _claim(course: Course, record: Remembered) -> None:
    world = course.world
    sides = course.job.kind.written()
    standing = course.standing
    ids = claim(record.id, world.roots, sides, standing.generation, adopted=standing.adopted)
    with world.store.transaction():
        Jobs(world.store).change(
            record.id,
            left_marker=ids.get(Side.LEFT),
            right_marker=ids.get(Side.RIGHT),
            left_filesystem=world.filesystems[Side.LEFT],
            right_filesystem=world.filesystems[Side.RIGHT],
        )


def _memory(course: Course, record: Remembered, results: Results) -> Memory:
    findings = course.findings
    base = BaseStore(course.world.store, record.id)
    return Memory(base, findings.wanted.directories, findings.rows, results, findings.fold, findings.clocks)


def _note_look(course: Course, record: Remembered, problems: tuple[Problem, ...], outcome: Outcome) -> None:
    """The time of the look and what it found."""
    world = course.world
    told = Problems(world.store)
    if {seen.problem for seen in told.of_job(record.id)} != set(problems):
        told.replace(record.id, problems)
    whole = outcome is not Outcome.INTERRUPTED
    settled = outcome not in (Outcome.INTERRUPTED, Outcome.FAILED)
    suspects.remember(world.store, record.id, course.findings.wanted, course.findings.suspects, settled=settled)
    Jobs(world.store).change(
        record.id,
        begun=False,
        complete=record.complete or whole,
        scope=course.findings.scope if whole else record.scope,
        last_checked=stored_time(world.now()),
        in_sync=outcome in (Outcome.IN_SYNC, Outcome.DONE),
        problems=len(problems),
    )


def _record_conflicts(course: Course, record: Remembered, run_id: str | None, results: Results) -> None:
    """List the conflicts that were met, but not those whose settlement failed; held ones that are gone are closed,
    and so are those whose clash file a person removed."""
    plan, conflicts = course.findings.plan, Conflicts(course.world.store)
    held = {conflict.path for conflict in plan.conflicts if conflict.kept is None}
    open_ones = conflicts.open_conflicts(record.id)
    gone = [
        known.id
        for known in open_ones
        if known.conflict.kept is None and _over(known.conflict, held, course.findings.wanted.together)
    ]
    if open_ones:
        from syncline.engine.resolve import removed  # here, for few runs need all that it loads

        gone += removed(course.world.roots, open_ones)
    if gone:
        conflicts.settle(gone)
    for conflict in plan.conflicts:
        if not _failed(conflict, results):
            conflicts.record(record.id, run_id, conflict)


def _over(conflict: Conflict, held: set[RelPath], together: set[RelPath]) -> bool:
    """Whether a held conflict is one no more. What an undo left stays open until both sides are seen to be the same."""
    return conflict.path in together if conflict.rule is Rule.UNDONE else conflict.path not in held


def _failed(conflict: Conflict, results: Results) -> bool:
    return any(results.open(Place(side, conflict.path)) for side in SIDES)
