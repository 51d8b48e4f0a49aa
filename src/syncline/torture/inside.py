"""The engine in this process, behind a gate, as a case wants it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from syncline.compose import Desk
from syncline.core import puts
from syncline.core.model import (
    SIDES,
    ActionDone,
    ActionFailed,
    Event,
    Objection,
    Progress,
    RunFinished,
    RunStarted,
)
from syncline.engine import Ask
from syncline.errors import Interrupted, RunRefused, SynclineError
from syncline.execute import batches
from syncline.fs import windows
from syncline.fs.bypath import PathRoot
from syncline.fs.opening import open_root
from syncline.fs.probe import capabilities_of
from syncline.fs.root import Capabilities, Root
from syncline.jobs.kind import Job
from syncline.store.db import Store
from syncline.torture import errands, users
from syncline.torture.gate import Crash, Endless, Gate, GatedConnection, GatedRoot
from syncline.torture.oracle import Broken, Ran
from syncline.torture.world import Order, World


def run_here(world: World, gate: Gate, order: Order) -> Ran:
    """Let the engine run in this process, until its end or its pretended death."""
    ran = Ran()
    try:
        with desk_of(world, gate, write=True) as (desk, job):
            for event in _events(desk, job, order):
                _note(ran, event)
    except Crash:
        ran.crashed = True
    except Endless as error:
        raise Broken("a run comes to an end", "the same steps again and again") from error
    except RunRefused as refused:
        ran.error = "refused"
        ran.said += [objection.guard.value for objection in refused.objections if isinstance(objection, Objection)]
    except Interrupted:
        ran.error = "interrupted"
    except SynclineError as error:
        ran.error = type(error).__name__
        ran.said.append(str(error))
    ran.crashed = ran.crashed or gate.dead
    ran.troubled = bool(ran.error)
    ran.changes, ran.reads = list(gate.changes), list(gate.reads)
    return ran


def _events(desk: Desk, job: Job, order: Order) -> Iterator[Event]:
    ask = Ask(approve=order.approve)
    if order.errand is not None:
        return errands.carried_out(desk, job, ask, order.errand)
    return desk.adopt(job, ask) if order.adopt else desk.run(job, ask)


def _note(ran: Ran, event: Event) -> None:
    match event:
        case RunStarted(plan=plan):
            ran.plan = replace(plan, actions=list(plan.actions))  # also where they lie in a spool
            ran.acts, ran.conflicts = len(plan.actions), len(plan.conflicts)
            ran.approve = next((objection.approve for objection in plan.objections if objection.approve), None)
            ran.said += [problem.detail for problem in plan.problems]
            ran.said += [objection.guard.value for objection in plan.objections]
        case ActionDone():
            ran.done.append(event)
        case ActionFailed(problem=problem):
            ran.said.append(problem.detail)
        case RunFinished(outcome=outcome, warnings=warnings):
            ran.outcome = outcome
            ran.said += warnings
        case Progress():
            pass


@contextmanager
def desk_of(world: World, gate: Gate, *, write: bool) -> Iterator[tuple[Desk, Job]]:
    store = world.store or Store.open(world.state, now=world.now, write=write)
    real = store.connection
    store.connection = cast(sqlite3.Connection, GatedConnection(real, gate))
    roots = {os.path.realpath(world.users.root(side.value)): side for side in SIDES}

    def opened(path: str) -> Root:
        able = world.capabilities[roots[path].value]
        root = PathRoot(path, able) if roots[path].value in world.users.rules else open_root(path, able)
        return cast(Root, GatedRoot(root, roots[path], gate))

    desk = Desk(store, write=write, now=world.now, opened=opened, token=world.token)
    sound = False
    try:
        left, right = world.users.root("left"), world.users.root("right")
        yield desk, desk.adhoc(world.case.kind, left, right, world.options, create=False)
        sound = True
    finally:
        store.connection = real
        if write and sound and not gate.dead and not gate.failed:
            world.store = store
        else:
            world.store = None
            desk.close()


def capabilities_at(top: str) -> Capabilities:
    """What the file system can do; where its times are seen to move with every change, that is taken at its word."""
    known = capabilities_of(top)
    path = os.path.join(top, "trial")
    seen = set()
    for number in range(20):
        with open(path, "w") as stream:
            stream.write(str(number))
        seen.add(os.stat(path).st_ctime_ns)
    os.unlink(path)
    return replace(known, granularity_ns=1000) if len(seen) == 20 else known


@contextmanager
def in_batches(actions: int | None) -> Iterator[None]:
    """The engine with batches of so few actions that small cases have several."""
    before = batches.BATCH_ACTIONS, puts.LARGE
    batches.BATCH_ACTIONS, puts.LARGE = actions or before[0], actions or before[1]
    try:
        yield
    finally:
        batches.BATCH_ACTIONS, puts.LARGE = before


@contextmanager
def as_on_windows(world: World) -> Iterator[None]:
    """Where a job keeps attributes of Windows, another one takes the place of that of NTFS; they are left out where no
    folder can keep it."""
    before, asked = windows.ATTRIBUTE, world.options.get("properties", ())
    if "windows" in asked and world.users.keep_windows():
        windows.ATTRIBUTE = users.WINDOWS
    elif "windows" in asked:
        world.options["properties"] = [each for each in asked if each != "windows"]
    try:
        yield
    finally:
        windows.ATTRIBUTE = before
