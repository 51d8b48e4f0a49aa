"""How a run begins: make sure of the roots, finish what was begun, and have them read. `course` is how it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator

from syncline.core import filters
from syncline.core.model import (
    Event,
    Plan,
)
from syncline.engine.mend import Besides, mend, told_of
from syncline.engine.standing import Standing, judge
from syncline.engine.world import Ask, World, check_stop, recall, take
from syncline.errors import PathError, RootLocked, RunRefused
from syncline.jobs.kind import Job, patterns
from syncline.scanner.scan import Scanning, Task
from syncline.store.base import BaseStore
from syncline.store.conflicts import Conflicts
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs

NOBODY = ""
"""The id of no job: what is remembered of it is nothing."""


def plan(job: Job, world: World, ask: Ask) -> Plan:
    """What a run would do now. Changes nothing, takes no lock and waits for none.

    Raises: RunRefused, RootLost.
    """
    standing = _judge(job, world, adopted=False)
    with _reading(job, world, ask, standing) as scanning:
        from syncline.engine.look import look

        return look(job, world, ask, standing, _base(world, standing), scanning).plan


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
        recall(world)
        with _reading(job, world, ask, standing) as scanning:
            from syncline.engine import course

            yield from course.dry(job, world, ask, standing, _base(world, standing), scanning, started)
        return
    if standing.objections:
        raise RunRefused(standing.objections[0].detail, standing.objections, hint=standing.objections[0].remedy)
    take(world, job.kind.written())
    world.record = _reread(job, world)
    standing = _judge(job, world, adopted=adopted)
    looked = None if world.record is None else world.record.last_checked
    mended, before = mend(job, world), Besides()
    if mended.undos:
        from syncline.engine import undo

        before = undo.finish(job, world, mended.undos, believed=not standing.first)
        world.record = _reread(job, world)
        standing = _judge(job, world, adopted=adopted)
    with _reading(job, world, ask, standing) as scanning:
        from syncline.engine import course

        suspects, base = mended.suspects, _base(world, standing)
        for event in course.follow(job, world, ask, standing, base, scanning, suspects, looked, started):
            yield told_of(event, before)


def _judge(job: Job, world: World, *, adopted: bool) -> Standing:
    try:
        return judge(job, world.record, world.roots, world.filesystems, adopted=adopted)
    except PathError as error:
        raise RunRefused(str(error), hint=f"look at that file, or: syncline adopt {job.word}") from error


def _reread(job: Job, world: World) -> Remembered | None:
    """What the state knows of the job now: another run of it may have ended just before the lock was free.

    Raises: RootLocked: that one made the job, under an id of its own.
    """
    record = Jobs(world.store).by_id(job.id)
    if record is None and Jobs(world.store).by_name(job.name) is not None:
        raise RootLocked(f"another run has just made the job {job.name}", hint="run it again")
    return record


def _reading(job: Job, world: World, ask: Ask, standing: Standing) -> Scanning:
    """Both roots are being read from here on: what is loaded meanwhile costs no time."""
    record = world.record
    given = tuple(patterns(job.settings))
    rescope = record is not None and not standing.first and record.scope != filters.scope(given)
    waits = record is not None and bool(Conflicts(world.store).undone(record.id))  # also where all is as remembered
    alone = world.store.write or record is None
    return Scanning(
        Task(
            world.roots,
            _base(world, standing),
            given,
            lambda: check_stop(world),
            everything=ask.full or rescope or waits,
            rescope=rescope,
            moment=None if alone or record is None else (record.generation, record.begun),
        )
    )


def _base(world: World, standing: Standing) -> BaseStore:
    """What is remembered, or nothing where it may not be believed."""
    known = world.record is not None and not standing.first
    return BaseStore(world.store, world.record.id if known and world.record is not None else NOBODY)
