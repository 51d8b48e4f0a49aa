"""The engine in a process of its own: forked and really killed at a step, or the whole command line, killed in time."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys

from syncline.core.model import Outcome
from syncline.torture import errands
from syncline.torture.gate import Gate
from syncline.torture.inside import run_here
from syncline.torture.oracle import Ran
from syncline.torture.world import Order, World

USAGE = 2
"""The exit code for what cannot be asked for."""

_TOKENS_OF_A_CHILD = 16


def run_forked(world: World, gate: Gate, order: Order) -> Ran:
    """Let the engine run in a forked child, which the gate kills with SIGKILL."""
    world.close()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(world, gate, order, writing)
    os.close(writing)
    world.runs += _TOKENS_OF_A_CHILD
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL:
        gate.dead = True
        return Ran(crashed=True)
    if code != 0 or not told:
        raise RuntimeError(f"the child ended with {code}: {told[-2000:]!r}")
    ran: Ran = pickle.loads(told)  # noqa: S301  # our own child wrote it
    gate.changes, gate.reads = list(ran.changes), list(ran.reads)
    return ran


def _in_child(world: World, gate: Gate, order: Order, writing: int) -> None:
    code = 1
    try:
        gate.death = lambda: os.kill(os.getpid(), signal.SIGKILL)
        ran = run_here(world, gate, order)
        world.close()
        with os.fdopen(writing, "wb") as stream:
            stream.write(pickle.dumps(ran))
        code = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(writing, repr(error).encode("utf-8", "replace"))
        raise
    finally:
        os._exit(code)


def run_spawned(world: World, gate: Gate, order: Order) -> Ran:
    """Let the installed command run; `gate.crash` is the time in milliseconds after which it is killed."""
    world.close()
    command = [sys.executable, "-m", "syncline", "--state-dir", world.state, *_arguments(world, order)]
    limit_s = 60.0 if gate.crash is None else gate.crash / 1000
    # Imports must not be looked for in the folders the users play in.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            if gate.crash is None:
                raise
            return Ran(crashed=True)
    if order.errand is not None and process.returncode == USAGE:
        return Ran(error="UsageError", said=[err.decode("utf-8", "replace")])
    return _reported(out, err)


def _arguments(world: World, order: Order) -> list[str]:
    if order.errand is not None:
        return errands.arguments(order.errand, "left-right")
    verb = "mirror" if world.case.kind == "mirror" else "sync"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in world.options.items() if name != "compare"]
    if verb == "sync":
        options.append(f"--compare={world.options.get('compare', 'quick')}")
    if order.approve is not None:
        options.append(f"--approve={order.approve}")
    return [verb, world.users.root("left"), world.users.root("right"), "--json", *options]


def _reported(out: bytes, err: bytes) -> Ran:
    document = json.loads(out)
    if "trash" in document:
        return Ran(outcome=Outcome.DONE)
    if document["outcome"] == "error":
        raise RuntimeError(f"{document['errors']} {err.decode('utf-8', 'replace')[-2000:]}")
    ran = Ran(outcome=Outcome(document["outcome"]), acts=len(document["actions"]))
    ran.approve = next((row["approve"] for row in document["objections"] if row["approve"]), None)
    ran.said = [row["guard"] for row in document["objections"]] + [row["detail"] or "" for row in document["problems"]]
    ran.conflicts = len(document["conflicts"])
    return ran
