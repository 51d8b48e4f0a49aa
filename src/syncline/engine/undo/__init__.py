"""Taking a run back: what it did is undone where it did it, and nothing else is touched.

An undo is an errand like any other: drawn up from the journal of the run and from what stands on the disk now, carried
out by the same executor, journalled, and so undone itself the same way. Earlier versions are copied back from the trash
and stay in it as well, so that whatever a journal names is still there; what the run had put in place goes there too.

Names on which the sides differ afterwards are conflicts of rule `undone`. They are open before the first action: were
the undo cut off, the next run would else take for an edit what the undo put back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

from syncline.core import names
from syncline.core.model import ActionDone, Event, Problem, RunFinished
from syncline.engine.errand import Errand, Task, perform, stand
from syncline.engine.ground import Ground
from syncline.engine.mend import Besides, close, mend, told_of
from syncline.engine.undo.decision import Decision
from syncline.engine.undo.drawing import Drawing
from syncline.engine.world import Ask, World, take
from syncline.jobs.kind import Job
from syncline.store.jobs import Jobs
from syncline.store.runs import Run

UNDO = "undo"


def undo(job: Job, world: World, ask: Ask, run: str) -> Iterator[Event]:
    """Take a run of a job back, as a run. A run that was cut off is finished before.

    Raises: RunRefused, RootLocked, Interrupted, RootLost, StateError.
    """
    started, before = time.monotonic(), Besides()
    standing, record = stand(job, world, cut_off=not ask.dry_run)
    if not ask.dry_run:
        take(world, job.kind.written())
        world.record = Jobs(world.store).by_id(job.id)
        mended = mend(job, world)
        before = _go_on(job, world, [each for each in mended.undos if run not in (each.id, each.undoes)])
        close(world, mended.undos)
        world.record = Jobs(world.store).by_id(job.id)
        standing, record = stand(job, world)
    task = Task(job, world, UNDO, standing, record, started, undoes=run)
    for event in perform(task, ask, partial(_draw, world, run, True)):
        yield told_of(event, before)


def finish(job: Job, world: World, cut_off: Sequence[Run], *, believed: bool) -> Besides:
    """Finish undos that were cut off, in a world whose roots are locked and in which nothing is left begun; what was
    done of them, and what could not be. Where what is remembered is not `believed`, nothing can be taken back by it.

    Raises: Interrupted, RootLost, RunRefused, StateError.
    """
    done = _go_on(job, world, cut_off) if believed else Besides()
    close(world, cut_off)
    return done


def _go_on(job: Job, world: World, cut_off: Sequence[Run]) -> Besides:
    notes, warnings = list[str](), list[str]()
    for run in dict.fromkeys(each.undoes for each in cut_off if each.undoes is not None):
        world.record = Jobs(world.store).by_id(job.id)
        standing, record = stand(job, world)
        task = Task(job, world, UNDO, standing, record, time.monotonic(), undoes=run)
        done = 0
        for event in perform(task, Ask(), partial(_draw, world, run, False)):
            if isinstance(event, ActionDone):
                done += 1
            elif isinstance(event, RunFinished):
                notes.append(_gone_on(run, event.run, done))
                warnings += [_left(job, run, problem) for problem in event.problems]
    return Besides(tuple(notes), tuple(warnings))


def _gone_on(undone: str, run: str | None, done: int) -> str:
    told = f"the undo of {undone}, which had been cut off, was gone on with before"
    if run is None:
        return f"{told}; nothing of it was left to be done"
    things = "1 change" if done == 1 else f"{done:,} changes"
    return f"{told}: {things} more, as run {run}; to see them: syncline show {run}"


def _left(job: Job, undone: str, problem: Problem) -> str:
    place = f"{job.kind.root_name(problem.place.side)} {names.printable(problem.place.path)}"
    return f"of the undo of {undone}, which had been cut off, {place} was left: {problem.detail}"


def _draw(world: World, run: str, asked: bool, ground: Ground) -> Errand:
    return Drawing(Decision(ground, world, run), asked=asked).errand()
