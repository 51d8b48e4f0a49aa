"""An errand: a run whose actions a person asked for by name instead of a merge. Resolving and restoring are errands.

It stands under the same guards and locks as any run, is carried out by the same executor, written into the same
journal and listed in the history. It looks only at the paths it is about, and leaves everything else to the next run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from syncline.core import plan as planning
from syncline.core.model import (
    SIDES,
    Action,
    ActionFailed,
    Conflict,
    Counts,
    Event,
    Objection,
    Outcome,
    Place,
    Plan,
    Problem,
    RelPath,
    RunFinished,
    RunStarted,
    Side,
)
from syncline.core.report import Report
from syncline.engine.amend import amend
from syncline.engine.consent import unapproved
from syncline.engine.ground import Found, Ground
from syncline.engine.mend import give_modes_back
from syncline.engine.standing import Standing, claim, judge
from syncline.engine.world import Ask, World, check_stop, take
from syncline.errors import PathError, RunRefused, SynclineError
from syncline.execute.batches import Books, Tally, carry_out
from syncline.execute.perform import Site
from syncline.execute.results import Results, touched
from syncline.jobs.kind import Job
from syncline.store.columns import Json
from syncline.store.conflicts import Conflicts
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs
from syncline.store.journal import Journal
from syncline.store.runs import SETTLED, UNDOES, Runs
from syncline.store.suspects import Suspects


@dataclass(slots=True)
class Errand:
    """What is to be done: actions in their order, and what is told of them.

    `settles` are the ids of the conflicts that are settled once the actions of a group are done, `healed` the places
    that hold nobody's bytes no more then. `touched` are the names of which something is remembered afterwards.
    `problems` are what could not be drawn up, `stays` what is left as it is for a reason that is no failure. `guarded`
    gives the reasons not to start a plan of this id.

    `begun` is called with the run's id in the transaction in which it begins, `closing` in the one in which it ends,
    also when nothing was to be done, with the places of all actions that were not done; `done` after it with the groups
    of which an action was not done.
    """

    actions: list[Action] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    settles: list[tuple[int, RelPath]] = field(default_factory=list)
    healed: list[tuple[Place, RelPath]] = field(default_factory=list)
    touched: list[Found] = field(default_factory=list)
    done: Callable[[set[RelPath]], None] = lambda failed: None
    stays: list[Problem] = field(default_factory=list)
    guarded: Callable[[str], list[Objection]] = lambda plan: []
    begun: Callable[[str], None] = lambda run: None
    closing: Callable[[Collection[Place]], None] = lambda open: None


Draw = Callable[[Ground], Errand]


def run_errand(
    job: Job, world: World, ask: Ask, kind: str, draw: Draw, *, undoes: str | None = None
) -> Iterator[Event]:
    """Draw an errand up from what stands on the disk now, and carry it out. A dry run ends after the plan.

    `kind` is how the run is called in the history, `undoes` the run it takes back.

    Raises: UsageError (from `draw`), RunRefused, RootLocked, Interrupted, RootLost, StateError.
    """
    started = time.monotonic()
    standing, record = stand(job, world)
    if not ask.dry_run:
        take(world, job.kind.written())
        world.record = Jobs(world.store).by_id(job.id)
        standing, record = stand(job, world)
    yield from perform(Task(job, world, kind, standing, record, started, undoes), ask, draw)


@dataclass(frozen=True, slots=True)
class Task:
    """An errand before it is drawn up: whose it is, what it is called, how the job stands. `started` is monotonic."""

    job: Job
    world: World
    kind: str
    standing: Standing
    record: Remembered
    started: float
    undoes: str | None = None

    def seconds(self) -> float:
        return time.monotonic() - self.started


def perform(task: Task, ask: Ask, draw: Draw) -> Iterator[Event]:
    """Draw an errand up and carry it out in a world whose roots are locked, unless it is a dry run.

    Raises: as `run_errand`.
    """
    world, ground = task.world, Ground(task.job, task.world)
    errand = draw(ground)
    plan = _plan(task.job, ground, errand, task.standing)
    check_stop(world)
    if ask.dry_run:
        yield RunStarted(None, plan)
        yield RunFinished(None, _planned(errand, plan), plan.problems, task.seconds())
        return
    plan = replace(plan, objections=tuple(unapproved(world, plan, ask)))
    if plan.objections:
        yield RunStarted(None, plan)
        yield RunFinished(None, Outcome.REFUSED, plan.problems, task.seconds())
    elif errand.actions:
        yield from _Course(task, ground, errand, plan).carry_out()
    else:
        with world.store.transaction():
            _settle(task.job, world, errand, set())
            errand.closing(())
        yield RunStarted(None, plan)
        yield RunFinished(None, _outcome(errand, [], Outcome.DONE), plan.problems, task.seconds())


def stand(job: Job, world: World, *, cut_off: bool = False) -> tuple[Standing, Remembered]:
    """How the job stands; an errand needs a memory that may be believed, and no run that must be finished first, unless
    it will see to a `cut_off` one itself. Raises: RunRefused."""
    again = f"syncline run {job.word}"
    try:
        standing = judge(job, world.record, world.roots, world.filesystems, adopted=False)
    except PathError as error:
        raise RunRefused(str(error), hint=f"look at that file, or: syncline adopt {job.word}") from error
    if standing.objections:
        raise RunRefused(standing.objections[0].detail, standing.objections, hint=standing.objections[0].remedy)
    if standing.first or world.record is None:
        told = f"what is remembered of {job.name} does not fit its folders"
        raise RunRefused(told, hint=f"compare them anew first, nothing is deleted by it: {again}")
    if not cut_off and Journal(world.store).unfinished(world.record.id):
        raise RunRefused(f"a run of {job.name} was cut off and must be finished first", hint=again)
    return standing, world.record


def _plan(job: Job, ground: Ground, errand: Errand, standing: Standing) -> Plan:
    files, _ = ground.base.totals()
    identity = planning.plan_id(job.name, errand.actions, errand.conflicts)
    return Plan(
        id=identity,
        job=job.name,
        kind=job.kind.name,
        actions=tuple(errand.actions),
        conflicts=tuple(errand.conflicts),
        problems=(*errand.problems, *errand.stays),
        objections=tuple(errand.guarded(identity)),
        agreed=files,
        counts=Counts(files, files, files),
        notes=standing.notes,
    )


def _planned(errand: Errand, plan: Plan) -> Outcome:
    if plan.objections:
        return Outcome.REFUSED
    if errand.problems:
        return Outcome.FAILED
    return Outcome.PLANNED if errand.actions else _outcome(errand, [], Outcome.IN_SYNC)


def _outcome(errand: Errand, failures: Sequence[ActionFailed], good: Outcome) -> Outcome:
    if failures or errand.problems:
        return Outcome.FAILED
    waits = any(conflict.kept is None for conflict in errand.conflicts) or bool(errand.stays)
    return Outcome.NEEDS_ATTENTION if waits else good


@dataclass(frozen=True, slots=True)
class _Course:
    """An errand from its plan on."""

    task: Task
    ground: Ground
    errand: Errand
    plan: Plan

    def carry_out(self) -> Iterator[Event]:
        job, world, plan = self.task.job, self.task.world, self.plan
        run, results = world.run_id(), Results()
        roots = {side: world.roots[side].path for side in SIDES}
        report = Report(job.name, job.kind.name, roots, job.kind.root_names, dry_run=False)
        self._begin(run)
        results.expect(plan.actions)
        site = Site(world.roots, results, lambda: world.stopped() is not None)
        books = Books(world.store, Journal(world.store), run, lambda: None)
        sizes = [planning.size_of(action) for action in plan.actions]
        failures: list[ActionFailed] = []
        try:
            yield _told(report, RunStarted(run, plan))
            for event in carry_out(plan.actions, site, books, Tally(len(sizes), sum(sizes))):
                if isinstance(event, ActionFailed):
                    failures.append(event)
                yield _told(report, event)
        except SynclineError:
            self._finish(run, report, Outcome.FAILED, failures, results)
            raise
        interrupted = world.stopped() is not None
        outcome = Outcome.INTERRUPTED if interrupted else _outcome(self.errand, failures, Outcome.DONE)
        finished = self._finish(run, report, outcome, failures, results)
        check_stop(world)
        yield finished

    def _begin(self, run: str) -> None:
        task, world, generation = self.task, self.task.world, self.task.standing.generation
        roots = {side.value: world.roots[side].path for side in SIDES}
        with world.store.transaction():
            Jobs(world.store).change(task.record.id, generation=generation, begun=True)
            Runs(world.store).start(
                run, task.record.id, plan=self.plan.id, kind=task.kind, roots=roots, undoes=task.undoes
            )
            self.errand.begun(run)
        ids = claim(task.record.id, world.roots, task.job.kind.written(), generation, adopted=False)
        with world.store.transaction():
            Jobs(world.store).change(task.record.id, left_marker=ids.get(Side.LEFT), right_marker=ids.get(Side.RIGHT))

    def _finish(
        self, run: str, report: Report, outcome: Outcome, failures: Sequence[ActionFailed], results: Results
    ) -> RunFinished:
        task, world, errand = self.task, self.task.world, self.errand
        if outcome in (Outcome.INTERRUPTED, Outcome.FAILED):
            with suppress(SynclineError):  # what stopped it may be in the way of this, too
                give_modes_back(world, run)
        problems = (*self.plan.problems, *(failure.problem for failure in failures))
        finished = RunFinished(run, outcome, problems, task.seconds())
        report.add(finished)
        undone = [action for action in errand.actions if results.open(action.at)]
        failed = {action.group for action in undone if action.group is not None}
        document = report.head()
        kept = {key: document[key] for key in ("conflicts", "problems", "objections")}
        noted: dict[str, Json] = {SETTLED: _settled(errand, failed)} if errand.settles else {}
        if task.undoes is not None:
            noted[UNDOES] = task.undoes
        with world.store.transaction():
            amend(self.ground, errand.touched, results, int(world.now().timestamp() * 1e9))
            _settle(task.job, world, errand, failed)
            errand.closing({place for action in undone for place in touched(action)})
            Runs(world.store).finish(
                run,
                outcome,
                finished.seconds,
                note=task.kind if task.undoes is None else f"undo of {task.undoes}",
                summary=document["summary"],
                document={**kept, **noted},
            )
            Jobs(world.store).change(task.record.id, begun=False)
            if any(conflict.kept is None for conflict in errand.conflicts):
                Jobs(world.store).change(task.record.id, in_sync=False)
        errand.done(failed)
        return finished


def _settle(job: Job, world: World, errand: Errand, failed: set[RelPath]) -> None:
    ids = _settled(errand, failed)
    if ids:
        with world.store.transaction():
            Conflicts(world.store).settle(ids)
            Suspects(world.store, job.id).clear(place for place, group in errand.healed if group not in failed)


def _settled(errand: Errand, failed: set[RelPath]) -> list[int]:
    return [number for number, group in errand.settles if group not in failed]


def _told(report: Report, event: Event) -> Event:
    report.add(event)
    return event
