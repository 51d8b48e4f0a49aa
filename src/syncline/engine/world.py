"""What a run works in: opened roots, the state, the clock, and what a person asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from syncline.core.model import Side
from syncline.core.policy import Ability
from syncline.errors import Interrupted
from syncline.fs.probe import ON_REQUEST, does_keep, probe
from syncline.fs.root import Root
from syncline.store.db import Store
from syncline.store.jobs import Job as Remembered


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asked of a run. `approve` is the id of a plan they have read."""

    dry_run: bool = False
    approve: str | None = None
    full: bool = False
    note: str | None = None


@dataclass(slots=True)
class World:
    """Everything a run touches. `record` is what the state knows of the job, None when it is new.

    `now` tells the time with its zone, `run_id` makes a new id, `stopped` gives the number of the signal that asked
    the run to stop, None while there was none. `filesystems` are the identities of both roots' file systems.
    """

    roots: Mapping[Side, Root]
    store: Store
    record: Remembered | None
    now: Callable[[], datetime]
    run_id: Callable[[], str]
    stopped: Callable[[], int | None]
    filesystems: Mapping[Side, str]


def ability(root: Root) -> Ability:
    """What of a root a merge must know."""
    able = root.capabilities
    return Ability(
        able.mode,
        able.symlinks,
        able.ctime,
        able.granularity_ns,
        able.names,
        able.exchange,
        able.owner,
        able.xattr,
        able.windows,
        able.earliest_ns,
        able.latest_ns,
        able.largest,
    )


def take(world: World, sides: Iterable[Side]) -> None:
    """Lock the roots that are to be changed, and try what their file system does not tell by its type.

    Raises: RootLocked, PathError.
    """
    for side in sides:
        root = world.roots[side]
        root.lock()
        if not root.capabilities.exchange or not root.capabilities.inode:
            from syncline.fs import tried

            root.trust(probe(root))
            tried.note(root, root.capabilities)
        for each in ON_REQUEST:
            if getattr(root.capabilities, each):
                able: dict[str, Any] = {each: does_keep(root, each)}
                root.trust(replace(root.capabilities, **able))


def recall(world: World) -> None:
    """Take from the last run what it found by trial, for a look that may try nothing."""
    for root in world.roots.values():
        if not root.capabilities.exchange or not root.capabilities.inode:
            from syncline.fs import tried

            root.trust(tried.recall(root))


def check_stop(world: World) -> None:
    """Raises: Interrupted: a signal has asked the run to stop."""
    signal = world.stopped()
    if signal is not None:
        raise Interrupted(signal)
