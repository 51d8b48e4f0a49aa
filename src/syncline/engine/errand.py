"""An errand: a run whose actions a person asked for by name instead of a merge. Resolving and restoring are errands.

It stands under the same guards and locks as any run, is carried out by the same executor, written into the same
journal and listed in the history. It looks only at the paths it is about, and leaves everything else to the next run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from syncline.core import plan as planning
from syncline.core.model import (
    SIDES,
    Action,
    ActionFailed,
    Conflict,
    Counts,
    Event,
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
from syncline.engine.ground import Found, Ground
from syncline.engine.standing import Standing, claim, judge
from syncline.engine.world import Ask, World, check_stop, take
from syncline.errors import PathError, RunRefused, SynclineError
from syncline.execute.batches import Books, Tally, carry_out
from syncline.execute.perform import Site
from syncline.execute.results import Results
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs
from syncline.store.journal import Journal
from syncline.store.runs import Runs
from syncline.store.suspects import Suspects


@dataclass(slots=True)
class Errand:
    """What is to be done: actions in their order, and what is told of them.

    `settles` are the ids of the conflicts that are settled once the actions of a group are done, `healed` the places
    that hold nobody's bytes no more then. `touched` are the names of which something is remembered afterwards.
    `problems` are what could not be drawn up. `done` is called after the run with the groups of which an action was not
    done.
    """

    actions: list[Action] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    settles: list[tuple[int, RelPath]] = field(default_factory=list)
    healed: list[tuple[Place, RelPath]] = field(default_factory=list)
    touched: list[Found] = field(default_factory=list)
    done: Callable[[set[RelPath]], None] = lambda failed: None


Draw = Callable[[Ground], Errand]


def run_errand(job: Job, world: World, ask: Ask, kind: str, draw: Draw) -> Iterator[Event]:
    """Draw an errand up from what stands on the disk now, and carry it out. A dry run ends after the plan.

    `kind` is how the run is called in the history.

    Raises: UsageError (from `draw`), RunRefused, RootLocked, Interrupted, RootLost, StateError.
    """
    started = time.monotonic()
    standing, record = _stand(job, world)
    if not ask.dry_run:
        take(world, job.kind.written())
        world.record = Jobs(world.store).by_id(job.id)
        standing, record = _stand(job, world)
    ground = Ground(job, world)
    errand = draw(ground)
    plan = _plan(job, ground, errand, standing)
    check_stop(world)
    if ask.dry_run:
        outcome = Outcome.FAILED if errand.problems else Outcome.PLANNED if errand.actions else Outcome.IN_SYNC
        yield RunStarted(None, plan)
        yield RunFinished(None, outcome, plan.problems, time.monotonic() - started)
    elif errand.actions:
        yield from _Course(job, world, kind, ground, errand, plan, record, standing, started).carry_out()
    else:
        _settle(job, world, errand, set())
        yield RunStarted(None, plan)
        outcome = Outcome.FAILED if errand.problems else Outcome.DONE
        yield RunFinished(None, outcome, plan.problems, time.monotonic() - started)


def _stand(job: Job, world: World) -> tuple[Standing, Remembered]:
    """How the job stands; an errand needs a memory that may be believed, and no run that must be finished first."""
    again = f"syncline run {job.name}"
    try:
        standing = judge(job, world.record, world.roots, world.filesystems, adopted=False)
    except PathError as error:
        raise RunRefused(str(error), hint=f"look at that file, or: syncline adopt {job.name}") from error
    if standing.objections:
        raise RunRefused(standing.objections[0].detail, standing.objections, hint=standing.objections[0].remedy)
    if standing.first or world.record is None:
        told = f"what is remembered of {job.name} does not fit its folders"
        raise RunRefused(told, hint=f"compare them anew first, nothing is deleted by it: {again}")
    if Journal(world.store).unfinished(world.record.id):
        raise RunRefused(f"a run of {job.name} was cut off and must be finished first", hint=again)
    return standing, world.record


def _plan(job: Job, ground: Ground, errand: Errand, standing: Standing) -> Plan:
    files, _ = ground.base.totals()
    return Plan(
        id=planning.plan_id(job.name, errand.actions, errand.conflicts),
        job=job.name,
        kind=job.kind.name,
        actions=tuple(errand.actions),
        conflicts=tuple(errand.conflicts),
        problems=tuple(errand.problems),
        agreed=files,
        counts=Counts(files, files, files),
        notes=standing.notes,
    )


@dataclass(frozen=True, slots=True)
class _Course:
    """An errand from its plan on."""

    job: Job
    world: World
    kind: str
    ground: Ground
    errand: Errand
    plan: Plan
    record: Remembered
    standing: Standing
    started: float

    def carry_out(self) -> Iterator[Event]:
        world, plan = self.world, self.plan
        run, results = world.run_id(), Results()
        roots = {side: world.roots[side].path for side in SIDES}
        report = Report(self.job.name, self.job.kind.name, roots, self.job.kind.root_names, dry_run=False)
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
        failed = bool(failures or self.errand.problems)
        interrupted = world.stopped() is not None
        outcome = Outcome.INTERRUPTED if interrupted else Outcome.FAILED if failed else Outcome.DONE
        finished = self._finish(run, report, outcome, failures, results)
        check_stop(world)
        yield finished

    def _begin(self, run: str) -> None:
        world, generation = self.world, self.standing.generation
        roots = {side.value: world.roots[side].path for side in SIDES}
        with world.store.transaction():
            Jobs(world.store).change(self.record.id, generation=generation, begun=True)
            Runs(world.store).start(run, self.record.id, plan=self.plan.id, kind=self.kind, roots=roots)
        ids = claim(self.record.id, world.roots, self.job.kind.written(), generation, adopted=False)
        with world.store.transaction():
            Jobs(world.store).change(self.record.id, left_marker=ids.get(Side.LEFT), right_marker=ids.get(Side.RIGHT))

    def _finish(
        self, run: str, report: Report, outcome: Outcome, failures: Sequence[ActionFailed], results: Results
    ) -> RunFinished:
        world, errand = self.world, self.errand
        problems = (*errand.problems, *(failure.problem for failure in failures))
        finished = RunFinished(run, outcome, problems, time.monotonic() - self.started)
        report.add(finished)
        undone = {action.group for action in errand.actions if results.open(action.at)}
        failed = {group for group in undone if group is not None}
        document = report.head()
        with world.store.transaction():
            amend(self.ground, errand.touched, results, int(world.now().timestamp() * 1e9))
            _settle(self.job, world, errand, failed)
            Runs(world.store).finish(
                run,
                outcome,
                finished.seconds,
                note=self.kind,
                summary=document["summary"],
                document={key: document[key] for key in ("conflicts", "problems", "objections")},
            )
            Jobs(world.store).change(self.record.id, begun=False)
        errand.done(failed)
        return finished


def _settle(job: Job, world: World, errand: Errand, failed: set[RelPath]) -> None:
    ids = [number for number, group in errand.settles if group not in failed]
    if ids:
        with world.store.transaction():
            Conflicts(world.store).settle(ids)
            Suspects(world.store, job.id).clear(place for place, group in errand.healed if group not in failed)


def _told(report: Report, event: Event) -> Event:
    report.add(event)
    return event
