"""What a case is played upon: two folders, their users, and a state that can be asked."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncline.core.model import Problem
from syncline.errors import SynclineError
from syncline.fs.root import Capabilities
from syncline.store.conflicts import Conflicts, Problems
from syncline.store.db import Store
from syncline.torture.case import Case
from syncline.torture.errands import Errand
from syncline.torture.gate import Gate
from syncline.torture.oracle import Broken, Ran, Sight
from syncline.torture.users import Users, tree_at


@dataclass(frozen=True, slots=True)
class Order:
    """What the engine is told: to run (under the approval of a plan; `adopt`: as for the first time), or an errand."""

    approve: str | None = None
    adopt: bool = False
    errand: Errand | None = None


RUN = Order()
"""An ordinary run."""


Run = Callable[["World", Gate, Order], Ran]
"""Lets the engine do once what it is told, behind a gate."""


@dataclass(frozen=True, slots=True)
class Last:
    """The run that could be taken back now: what stood before it, the names it changed, whether its undo was begun, and
    the paths of what a run before it had begun: that was finished first, and stays."""

    run: str | None
    before: Sight
    names: set[tuple[str, str]]
    begun: bool = False
    finished: frozenset[str] = frozenset()


@dataclass(slots=True)
class World:
    """Two folders, their users, a state, and what the engine is told."""

    users: Users
    case: Case
    run: Run
    state: str
    options: dict[str, Any]
    capabilities: dict[str, Capabilities]
    key: Callable[[str], str] = str
    base: Sight | None = None
    store: Store | None = None
    begun: set[tuple[str, str]] = field(default_factory=set)
    unknown: bool = False
    whole: bool = True
    meddled: bool = False
    odd: bool = False
    rough: bool = False
    marked: bytes | None = None
    dated: bool = False
    last: Last | None = None
    put_back: dict[str, set[bytes]] = field(default_factory=dict)
    gone_again: set[bytes] = field(default_factory=set)
    runs: int = 0
    log: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.users.clock_s, UTC)

    def token(self) -> str:
        self.runs += 1
        return f"{self.runs:04x}"

    def look(self) -> Sight:
        return Sight(tree_at(self.users.root("left")), tree_at(self.users.root("right")), self.key)

    def close(self) -> None:
        """Close the state; the next run opens it again."""
        store, self.store = self.store, None
        if store is not None:
            store.close()

    @property
    def gentle(self) -> bool:
        """Whether every version is kept at a live path, whatever the conflict."""
        said = [self.options, *self.options.get("rules", ())]
        policies = {each.get(rule, "keep-both") for each in said for rule in ("changed_both", "created_both")}
        self.rough = self.rough or policies != {"keep-both"}
        return self.case.kind == "twoway" and not self.rough


@contextmanager
def reading(world: World) -> Iterator[Store]:
    """The state, for a look."""
    store = world.store or Store.open(world.state, now=world.now, write=False)
    try:
        yield store
    finally:
        if store is not world.store:
            store.close()


def asked(world: World, question: str) -> list[tuple[Any, ...]]:
    """What the state answers; nothing where there is none that can be read."""
    if world.store is None and not os.path.exists(os.path.join(world.state, "state.db")):
        return []
    with suppress(SynclineError), reading(world) as store:
        return store.all(question)
    return []


def latest(world: World) -> str | None:
    """The run that `last` means."""
    return next((run for (run,) in asked(world, "SELECT id FROM run ORDER BY key DESC LIMIT 1")), None)


def to_be_finished(world: World) -> bool:
    """Whether an undo was cut off, so that the next run goes on with it."""
    return bool(asked(world, "SELECT id FROM run WHERE kind = 'undo' AND outcome IS NULL"))


def left_apart(world: World) -> set[str]:
    """The names that an undo left apart, and that therefore no run may touch; none while an undo must be finished, nor
    any at which an action was begun: somebody resolved them, and was cut off."""
    rows = asked(
        world,
        "SELECT path FROM conflict WHERE open = 1 AND rule = 'undone'"
        " AND path NOT IN (SELECT path FROM action WHERE state = 'begun')",
    )
    return set() if to_be_finished(world) else {bytes(path).decode("utf-8", "surrogateescape") for (path,) in rows}


def reported(world: World) -> list[str]:
    """The paths that the state lists: problems, and conflicts that wait for a person."""
    found = [str(problem.place.path) for problem in problems(world)]
    with reading(world) as store:
        for (identity,) in store.all("SELECT id FROM job"):
            open_conflicts = Conflicts(store).open_conflicts(identity)
            waiting = (known.conflict for known in open_conflicts if known.conflict.kept is None)
            found += [str(path) for conflict in waiting for path in conflict.called]
    return found


def problems(world: World) -> list[Problem]:
    """What the state lists as not in step, with reasons."""
    with reading(world) as store:
        jobs = [identity for (identity,) in store.all("SELECT id FROM job")]
        return [seen.problem for job in jobs for seen in Problems(store).of_job(job)]


def marker(world: World) -> bytes | None:
    """What the right root says of the runs it has seen."""
    try:
        with open(os.path.join(world.users.root("right"), ".syncline", "root.json"), "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def state_files(world: World) -> dict[str, bytes]:
    """The files of the state; SQLite's index of its log holds locks and is no content."""
    return {path: b"" if path.endswith("-shm") else node.content for path, node in tree_at(world.state).items()}


def left_over(world: World) -> list[str]:
    """What lies in the staging directories of the roots that are written to."""
    return [name for side in ("left", "right") for name in _staged(world, side)]


def _staged(world: World, side: str) -> list[str]:
    if world.case.kind == "mirror" and side == "left":
        return []
    try:
        return os.listdir(os.path.join(world.users.root(side), ".syncline", "staging"))
    except FileNotFoundError:
        return []


def state_is_sound(world: World) -> None:
    """Nothing that was begun is without an end. A flipped byte may have made the folders' job one of other folders: it
    is theirs no more, and the latest is. Raises: Broken."""
    connection = sqlite3.connect(f"file:{world.state}/state.db?mode=ro", uri=True)
    try:
        runs = "run WHERE job = (SELECT max(key) FROM job)"
        begun = connection.execute(
            f"SELECT count(*) FROM action WHERE state = 'begun' AND run IN (SELECT key FROM {runs})"  # noqa: S608
        ).fetchone()
        running = connection.execute(f"SELECT count(*) FROM {runs} AND outcome IS NULL").fetchone()  # noqa: S608
        if begun != (0,) or running != (0,):
            raise Broken("recovery is complete", f"{begun} actions begun, {running} runs unfinished")
    finally:
        connection.close()
