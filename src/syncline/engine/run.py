"""One run, top-down: make sure of the roots, finish what was begun, look, object or carry out, remember."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from syncline.core import plan as planning
from syncline.core.model import (
    APPROVABLE,
    SIDES,
    ActionFailed,
    Conflict,
    Event,
    Objection,
    Outcome,
    Place,
    Plan,
    Problem,
    Reason,
    RunFinished,
    RunStarted,
    Side,
)
from syncline.core.report import Report
from syncline.engine.look import Findings, look
from syncline.engine.standing import Standing, claim, judge
from syncline.engine.world import Ask, World
from syncline.errors import Interrupted, PathError, RunRefused, SynclineError
from syncline.execute.batches import Books, Tally, carry_out
from syncline.execute.perform import Site
from syncline.execute.recover import Recovered, clear_staging, recover
from syncline.execute.remember import Memory
from syncline.execute.results import Results
from syncline.jobs.kind import Job
from syncline.store.base import BaseStore
from syncline.store.conflicts import Approvals, Conflicts, Problems
from syncline.store.db import stored_time
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
    for side in _sides(job):
        world.roots[side].lock()
    standing = _judge(job, world, adopted=adopted)  # another run may have ended just before the lock was free
    recovered = _recover(job, world)
    findings = look(job, world, ask, standing, _base(world, standing), frozenset(recovered.suspects))
    _check_stop(world)
    refused = _unapproved(world, findings.plan, ask)
    findings = replace(findings, plan=replace(findings.plan, objections=tuple(refused)))
    if refused:
        _remember_refusal(world, findings.plan)
        yield RunStarted(None, findings.plan)
        yield RunFinished(None, Outcome.REFUSED, findings.plan.problems, time.monotonic() - started)
    elif findings.plan.actions:
        yield from _carry_out(job, world, ask, standing, findings, started)
    else:
        yield RunStarted(None, findings.plan)
        outcome = _outcome(findings.plan, [])
        _remember_look(job, world, standing, findings, outcome)
        yield RunFinished(None, outcome, findings.plan.problems, time.monotonic() - started)


def _judge(job: Job, world: World, *, adopted: bool) -> Standing:
    try:
        return judge(job, world.record, world.roots, world.filesystems, adopted=adopted)
    except PathError as error:
        raise RunRefused(str(error), hint=f"look at that file, or: syncline adopt {job.name}") from error


def _base(world: World, standing: Standing) -> BaseStore:
    """What is remembered, or nothing where it may not be believed."""
    known = world.record is not None and not standing.first
    return BaseStore(world.store, world.record.id if known and world.record is not None else NOBODY)


def _sides(job: Job) -> list[Side]:
    return [side for side in SIDES if job.kind.writes(side)]


def _recover(job: Job, world: World) -> Recovered:
    """Finish what an interrupted run left begun, and clear the staging directories."""
    journal, store = Journal(world.store), world.store
    recovered = Recovered()
    if world.record is not None:
        recovered = recover(world.roots, store, journal, world.record.id)
        _close_runs(world, world.record.id)
    others = [run.id for other in Jobs(store).all() for run in Runs(store).unfinished(other.id)]
    for side in _sides(job):
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


def _carry_out(
    job: Job, world: World, ask: Ask, standing: Standing, findings: Findings, started: float
) -> Iterator[Event]:
    """Carry a plan out under a run of its own, and remember what is true afterwards."""
    plan, run_id = findings.plan, world.run_id()
    report = Report(
        job.name, job.kind.name, {side: world.roots[side].path for side in SIDES}, job.kind.root_names, dry_run=False
    )
    record = _begin(job, world, standing, findings, run_id)
    results = Results()
    results.expect(plan.actions)
    memory = _memory(world, record, findings, results)
    site = Site(world.roots, results, lambda: world.stopped() is not None)
    books = Books(world.store, Journal(world.store), run_id, memory.write_touched)
    sizes = [planning.size_of(action) for action in plan.actions]
    failures: list[ActionFailed] = []
    finish = partial(_finish, job, world, ask, record, findings, memory, results, report, started)
    try:
        yield _told(report, RunStarted(run_id, plan))
        for event in carry_out(plan.actions, site, books, Tally(len(sizes), sum(sizes))):
            if isinstance(event, ActionFailed):
                failures.append(event)
            yield _told(report, event)
    except SynclineError:
        finish(Outcome.FAILED, failures, run_id)
        raise
    # Anything else that ends it here (a kill, a fault of ours) leaves the run open: recovery finishes it.
    interrupted = world.stopped() is not None
    finished = finish(Outcome.INTERRUPTED if interrupted else _outcome(plan, failures), failures, run_id)
    _check_stop(world)
    yield finished


def _finish(
    job: Job,
    world: World,
    ask: Ask,
    record: Remembered,
    findings: Findings,
    memory: Memory,
    results: Results,
    report: Report,
    started: float,
    outcome: Outcome,
    failures: list[ActionFailed],
    run_id: str,
) -> RunFinished:
    """Remember what both sides agree on after a run, list its conflicts, and close it."""
    problems = (*findings.plan.problems, *(failure.problem for failure in failures))
    finished = RunFinished(run_id, outcome, problems, time.monotonic() - started)
    report.add(finished)
    document = report.head()
    with world.store.transaction():
        memory.write()
        _record_conflicts(world, record, run_id, findings.plan, results)
        _note_look(job, world, record, findings, problems, outcome)
        Runs(world.store).finish(
            run_id,
            outcome,
            finished.seconds,
            note=ask.note or "",
            summary=document["summary"],
            document={key: document[key] for key in ("conflicts", "problems", "objections")},
        )
    return finished


def _told(report: Report, event: Event) -> Event:
    report.add(event)
    return event


def _begin(job: Job, world: World, standing: Standing, findings: Findings, run_id: str) -> Remembered:
    """Write *begun n* in the state, then n in the markers: on a first run the markers stand before the state knows."""
    record = _remembered(job, world)
    roots = {side.value: world.roots[side].path for side in SIDES}
    with world.store.transaction():
        if standing.first:
            BaseStore(world.store, record.id).clear()
            Jobs(world.store).change(record.id, complete=False)
        Jobs(world.store).change(record.id, generation=standing.generation, begun=True)
        Runs(world.store).start(run_id, record.id, plan=findings.plan.id, kind="run", roots=roots)
    _claim(job, world, record, standing)
    return record


def _remembered(job: Job, world: World) -> Remembered:
    """The job as the state has it; from now on, if it was new."""
    if world.record is None:
        assert job.id is not None
        record = Remembered(job.id, job.name, job.kind.name, job.left, job.right, job.options, job.adhoc)
        with world.store.transaction():
            world.record = Jobs(world.store).add(record)
    return world.record


def _claim(job: Job, world: World, record: Remembered, standing: Standing) -> None:
    ids = claim(record.id, world.roots, _sides(job), standing.generation)
    with world.store.transaction():
        Jobs(world.store).change(
            record.id,
            left_marker=ids.get(Side.LEFT),
            right_marker=ids.get(Side.RIGHT),
            left_filesystem=world.filesystems[Side.LEFT],
            right_filesystem=world.filesystems[Side.RIGHT],
        )


def _memory(world: World, record: Remembered, findings: Findings, results: Results) -> Memory:
    base = BaseStore(world.store, record.id)
    return Memory(base, findings.wanted.directories, findings.observed.rows, results, findings.fold, findings.clocks)


def _remember_look(job: Job, world: World, standing: Standing, findings: Findings, outcome: Outcome) -> None:
    """Nothing had to be done: write down what both sides agree on by now, if that is news, and when it was seen."""
    record, jobs = _remembered(job, world), Jobs(world.store)
    with world.store.transaction():
        if standing.first:
            BaseStore(world.store, record.id).clear()
        news = _memory(world, record, findings, Results()).write() or standing.first
        if news:
            jobs.change(record.id, generation=standing.generation, begun=True)
    if news:
        _claim(job, world, record, standing)
    with world.store.transaction():
        _record_conflicts(world, record, None, findings.plan, Results())
        _note_look(job, world, record, findings, findings.plan.problems, outcome)


def _note_look(
    job: Job, world: World, record: Remembered, findings: Findings, problems: tuple[Problem, ...], outcome: Outcome
) -> None:
    """The time of the look and what it found."""
    told = Problems(world.store)
    if {seen.problem for seen in told.of_job(record.id)} != set(problems):
        told.replace(record.id, problems)
    whole = outcome not in (Outcome.INTERRUPTED,)
    Jobs(world.store).change(
        record.id,
        begun=False,
        complete=record.complete or whole,
        scope=findings.scope if whole else record.scope,
        last_checked=stored_time(world.now()),
        in_sync=outcome in (Outcome.IN_SYNC, Outcome.DONE),
        problems=len(problems),
    )


def _record_conflicts(world: World, record: Remembered, run_id: str | None, plan: Plan, results: Results) -> None:
    """List the conflicts that were met, but not those whose settlement failed; held ones that are gone are closed."""
    conflicts = Conflicts(world.store)
    held = {conflict.path for conflict in plan.conflicts if conflict.kept is None}
    gone = [
        known.id
        for known in conflicts.open_conflicts(record.id)
        if known.conflict.kept is None and known.conflict.path not in held
    ]
    if gone:
        conflicts.settle(gone)
    for conflict in plan.conflicts:
        if not _failed(conflict, results):
            conflicts.record(record.id, run_id, conflict)


def _failed(conflict: Conflict, results: Results) -> bool:
    return any(results.open(Place(side, conflict.path)) for side in SIDES)


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


def _check_stop(world: World) -> None:
    signal = world.stopped()
    if signal is not None:
        raise Interrupted(signal)
