"""Both roots walked at once, each by a process of its own where that can be had: what differs from the base.

A process can be killed when a mount does not answer; a thread that waits for one cannot. Two of them are also what
makes a look fast.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from syncline.core import filters
from syncline.core.model import SIDES, Frozen, Reason, RelPath, Side
from syncline.errors import PathError, RootLost, ScanFailed
from syncline.fs.answering import silent
from syncline.fs.root import Outside, Root
from syncline.scanner import wire
from syncline.scanner.process import ABLE, ROOT, Process
from syncline.scanner.walk import NOT_SEEN, walk
from syncline.store.base import BaseStore

SILENCE_S = 30.0
"""A process that tells nothing for so long waits for a file system that does not answer: it tells every second."""

_LISTENING_S = 0.1
"""How long a signal waits to be heard while nothing comes from the processes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A directory that differs from what is remembered of this side: its packed listing, None when it is gone."""

    row: int | None
    parent_row: int | None
    look: bytes | Frozen | None


@dataclass(slots=True)
class Scan:
    """What a walk found. `complete` is false when the root itself could not be read."""

    side: Side
    changed: dict[RelPath, Seen] = field(default_factory=dict)
    unseen: set[RelPath] = field(default_factory=set)
    complete: bool = True

    def add(self, path: RelPath, row: int | None, above: int | None, look: bytes | bool | PathError | None) -> None:
        """Take over what a walk tells of one directory."""
        if look is NOT_SEEN:
            self.unseen.add(path)
        elif isinstance(look, PathError):
            self.changed[path] = Seen(row, above, Frozen(Reason(look.reason), look.detail))
            self.unseen.add(path)
            self.complete = self.complete and bool(path)
        else:
            assert not isinstance(look, bool)
            self.changed[path] = Seen(row, above, look)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be walked, and how (see `walk`). `check` raises when it is to be ended. `moment` is the generation of
    the job and whether one is begun, if another run may change what is remembered meanwhile."""

    roots: Mapping[Side, Root]
    base: BaseStore
    patterns: tuple[str, ...]
    check: Callable[[], None]
    everything: bool
    rescope: bool
    moment: tuple[int, bool] | None = None


class Scanning:
    """The walk of both roots, under way from the moment this is made; leaving it ends what is still under way."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.processes: dict[Side, Process] = {}
        """Those that are at work."""
        self._scans = {side: Scan(side) for side in SIDES}
        self._outside: dict[Side, Outside] = {}
        try:
            for side in SIDES if _may_ask(task) else ():
                outside = task.roots[side].outside()
                if outside is not None:
                    self._outside[side] = outside
                    with suppress(OSError):  # no process is to be had: then it is done in this one
                        self.processes[side] = Process(outside.fd, request(task, side, outside))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    @property
    def everything(self) -> bool:
        """Whether all is told, for anything may be otherwise than it seems."""
        return self._task.everything

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def result(self) -> dict[Side, Scan]:
        """What both walks found.

        Raises: RootLost: a root does not answer, or is not there any more; ScanFailed: a process broke down;
        StateError; whatever `check` raises.
        """
        for side in SIDES:
            if side not in self.processes:
                self._scans[side] = walk_here(self._task, side)
        stale = self._listen()
        for side in stale:
            self._scans[side] = walk_here(self._task, side)
        self.close()
        scans, self._scans = self._scans, {}  # whoever asked lets go of them sooner
        return scans

    def _listen(self) -> list[Side]:
        """Take over what the processes tell, to the end; the sides on which they could not read what is read here."""
        stale: list[Side] = []
        poll = select.poll()
        waiting, heard_s = {}, {}
        for side, process in self.processes.items():
            waiting[process.reading], heard_s[side] = side, time.monotonic()
            poll.register(process.reading, select.POLLIN)
        while waiting:
            self._task.check()
            for fd, _ in poll.poll(_LISTENING_S * 1000):
                side = waiting[fd]
                heard_s[side] = time.monotonic()
                last = self._hear(side)
                if last is not None:
                    poll.unregister(fd)
                    del waiting[fd]
                    stale += [side] if last == wire.STALE else []
            for side in waiting.values():
                if time.monotonic() - heard_s[side] > SILENCE_S:
                    raise self._silent(side)
        return stale

    def _hear(self, side: Side) -> str | None:
        """Take over what one process told since; its last word, if it has said that."""
        process, scan = self.processes[side], self._scans[side]
        told = process.hear()
        if told is None:
            why = process.ended()
            self._task.check()  # perhaps it got the signal that we got
            raise self._broken(side, why)
        for word, value in told:
            if word == wire.TELL:
                for path, row, above, look in value:
                    scan.add(path, row, above, self._translated(side, path, look) if isinstance(look, tuple) else look)
            elif word == wire.ASK:
                process.say(filters.expressions(self._task.patterns))
            elif word == wire.FAILED:
                raise self._broken(side, str(value))
            else:
                return word
        return None

    def _translated(self, side: Side, path: RelPath, told: tuple[int, str]) -> PathError:
        error = self._outside[side].translated(OSError(*told), path)
        if isinstance(error, PathError):
            return error
        raise error

    def _silent(self, side: Side) -> RootLost:
        self._outside[side].abandon()
        return silent(self._task.roots[side].path, SILENCE_S)

    def _broken(self, side: Side, why: str) -> ScanFailed:
        path = self._task.roots[side].path
        return ScanFailed(f"the process that read {path} broke down: {why}", hint="nothing was changed; run it again")

    def close(self) -> None:
        """End the processes."""
        for process in self.processes.values():
            process.kill()
        self.processes.clear()


def _may_ask(task: Task) -> bool:
    """Whether processes may read the state beside this one: not what exists only here, nor what a run is changing."""
    if not ABLE or not sys.executable:
        return False
    there = task.base.store.address is not None and (task.moment is None or not task.moment[1])
    return there or not task.base.key


def request(task: Task, side: Side, outside: Outside) -> Mapping[str, object]:
    """What `syncline.scanner.main` is asked."""
    known = task.base.key != 0
    return {
        "root": ROOT,
        "device": outside.device,
        "told": outside.told,
        "state": task.base.store.address if known else None,
        "side": side.value,
        "job": task.base.key,
        "moment": task.moment if known else None,
        "everything": task.everything,
        "rescope": task.rescope,
    }


def walk_here(task: Task, side: Side) -> Scan:
    """The walk of one root in this process. Raises: as `Scanning.result`."""
    root, scan, ignored = task.roots[side], Scan(side), filters.ignored_by(task.patterns)

    def listing(path: str) -> tuple[bytes, list[str]] | None:
        task.check()
        return root.listing(RelPath(path))

    for path, row, above, look in walk(
        listing,
        lambda row: task.base.children(side, row),
        lambda path: ignored(RelPath(path), True),
        PathError,
        everything=task.everything,
        rescope=task.rescope,
    ):
        assert not isinstance(look, Exception) or isinstance(look, PathError)
        scan.add(RelPath(path), row, above, look)
    return scan
