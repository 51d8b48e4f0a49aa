"""The gate: everything the engine asks of a root or writes to the state goes through here, and may be stopped here.

A gate counts what passes. At a step it can let the process die (`Crash`, or a real signal), let a call fail, or let a
user edit a file. After a death nothing passes any more, so that no clean-up of ours does what a dead process cannot.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from syncline.core.model import Entry, RelPath, Side
from syncline.fs.errno_table import translated
from syncline.fs.probe import ON_REQUEST
from syncline.fs.root import NOTHING, Besides, Capabilities, Outside, Reader, Root, Space, Writer

STATE = "state"
"""Where a step happens that concerns no root."""


TRIAL = ".syncline/staging/new-probe-"
"""Where a run tries what a root can do; that is no step of its work, and passes unseen."""

ENOUGH = 20_000
"""A run of this game that takes more steps will never end."""


class Endless(BaseException):
    """The engine goes on for ever."""


class Crash(BaseException):
    """The process died here."""


def die() -> None:
    """The death of a process that only pretends. Raises: Crash."""
    raise Crash


@dataclass(frozen=True, slots=True)
class Step:
    """One call that passed: on which side, of which kind, about which paths."""

    where: str
    kind: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """The `nth` call of this kind (counted from 1) fails with the error number of this name."""

    kind: str
    nth: int
    error: str
    lasting: bool = False


@dataclass(slots=True)
class Gate:
    """What happens at which step. `crash` and `late` count calls that change something, `edit` all, from 1;
    `beside` names a kind of call and a number, before which the edit happens."""

    crash: int | None = None
    fault: Fault | None = None
    edit: int | None = None
    late: int | None = None
    beside: list[Any] = field(default_factory=lambda: ["", 0])
    edits: Callable[[Step], object] = lambda step: None
    death: Callable[[], None] = die
    dead: bool = False
    changes: list[Step] = field(default_factory=list)
    reads: list[Step] = field(default_factory=list)
    failed: list[Step] = field(default_factory=list)
    _calls: dict[str, int] = field(default_factory=dict)

    def change(self, where: str, kind: str, *paths: str) -> None:
        """Let a call pass that changes something. Raises: Crash, OSError."""
        self._alive()
        if self.crash is not None and len(self.changes) + 1 >= self.crash:
            self.dead = True
            self.death()
        step = Step(where, kind, paths)
        if self.late is not None and len(self.changes) + 1 >= self.late:
            self.late = None
            self.edits(step)
        self._disturb(step)
        self.changes.append(step)

    def read(self, where: str, kind: str, *paths: str) -> None:
        """Let a call pass that only looks. Raises: Crash, OSError."""
        self._alive()
        step = Step(where, kind, paths)
        self._disturb(step)
        self.reads.append(step)

    def _alive(self) -> None:
        if self.dead:
            raise Crash

    def _disturb(self, step: Step) -> None:
        if len(self.changes) + len(self.reads) + len(self.failed) > ENOUGH:
            self.dead = True
            raise Endless
        if self.edit is not None and len(self.changes) + len(self.reads) + 1 == self.edit:
            self.edit = None
            self.edits(step)
        number = self._calls[step.kind] = self._calls.get(step.kind, 0) + 1
        if self.beside == [step.kind, number]:
            self.edits(step)
        fault = self.fault
        if fault is None or fault.kind != step.kind:
            return
        if number == fault.nth or (fault.lasting and number > fault.nth):
            self.failed.append(step)
            code = getattr(errno, fault.error)
            raise OSError(code, os.strerror(code))


class GatedRoot:
    """A root behind a gate. Implements `syncline.fs.root.Root`."""

    def __init__(self, root: Root, side: Side, gate: Gate) -> None:
        self.path = root.path
        self._root = root
        self._side = side.value
        self._gate = gate

    @property
    def capabilities(self) -> Capabilities:
        return self._root.capabilities

    def close(self) -> None:
        self._root.close()

    def trust(self, capabilities: Capabilities) -> None:
        """What was tried changes nothing but what the job asked for: the case has said what else this root can do."""
        asked = {each: getattr(capabilities, each) for each in ON_REQUEST}
        self._root.trust(replace(self._root.capabilities, **asked))

    # reading

    def entry(self, path: RelPath) -> Entry | None:
        self._read("entry", path)
        return self._root.entry(path)

    def read_link(self, path: RelPath) -> bytes:
        self._read("read-link", path)
        return self._root.read_link(path)

    def xattrs(self, path: RelPath) -> bytes:
        self._read("xattrs", path)
        return self._root.xattrs(path)

    def open(self, path: RelPath) -> Reader:
        self._read("open", path)
        return _GatedReader(self._root.open(path), lambda: self._read("read", path))

    def listing(self, path: RelPath) -> tuple[bytes, list[str]] | None:
        self._read("listing", path)
        return self._root.listing(path)

    def outside(self) -> Outside | None:
        return None  # another process would pass by the gate

    def names(self, path: RelPath) -> list[str]:
        self._read("names", path)
        return self._root.names(path)

    def space(self) -> Space:
        return self._root.space()

    def alive(self) -> bool:
        return self._root.alive()

    # changing

    def create(self, path: RelPath) -> Writer:
        self._change("create", path, naming=True)
        return _GatedWriter(self._root.create(path), lambda kind: self._change(kind, path), self._gate)

    def make_link(self, path: RelPath, target: bytes) -> Entry:
        self._change("make-link", path, naming=True)
        return self._root.make_link(path, target)

    def make_directory(self, path: RelPath, mode: int = 0o700, besides: Besides = NOTHING) -> Entry:
        self._change("make-directory", path, naming=True)
        return self._root.make_directory(path, mode, besides)

    def rename(self, old: RelPath, new: RelPath) -> None:
        self._change("rename", new, old, naming=True)
        self._root.rename(old, new)

    def rename_at_once(self, old: RelPath, new: RelPath) -> bool:
        self._change("rename", new, old, naming=True)
        return self._root.rename_at_once(old, new)

    def exchange(self, one: RelPath, two: RelPath) -> None:
        self._change("exchange", two, one)
        self._root.exchange(one, two)

    def replace(self, old: RelPath, new: RelPath) -> None:
        self._change("replace", new, old, naming=True)
        self._root.replace(old, new)

    def link(self, old: RelPath, new: RelPath) -> None:
        self._change("link", new, old)
        self._root.link(old, new)

    def set_properties(
        self, path: RelPath, *, expect: Entry, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING
    ) -> Entry:
        self._change("set-properties", path)
        return self._root.set_properties(path, expect=expect, mtime_ns=mtime_ns, mode=mode, besides=besides)

    def remove(self, path: RelPath) -> None:
        self._change("remove", path)
        self._root.remove(path)

    def remove_directory(self, path: RelPath) -> None:
        self._change("remove-directory", path)
        self._root.remove_directory(path)

    def flush(self, paths: Sequence[RelPath], *, each: bool = False, directories: Collection[RelPath] = ()) -> None:
        self._change("flush", *paths)
        self._root.flush(paths, each=each, directories=directories)

    def lock(self) -> None:
        self._change("lock")
        self._root.lock()

    # below: how

    def _read(self, kind: str, path: str) -> None:
        if path.startswith(TRIAL):
            return
        try:
            self._gate.read(self._side, kind, path)
        except OSError as error:
            raise translated(error, path, "could not be read", root=self.path) from error

    def _change(self, kind: str, *paths: str, naming: bool = False) -> None:
        if any(path.startswith(TRIAL) for path in paths):
            return
        try:
            self._gate.change(self._side, kind, *paths)
        except OSError as error:
            path = paths[0] if paths else ""
            raise translated(error, path, "could not be changed", root=self.path, naming=naming) from error


class _GatedReader:
    def __init__(self, reader: Reader, passing: Callable[[], None]) -> None:
        self._reader = reader
        self._passing = passing

    @property
    def opened(self) -> Entry:
        return self._reader.opened

    def uncached(self) -> None:
        self._reader.uncached()

    @property
    def entry(self) -> Entry:
        return self._reader.entry

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes | memoryview]:
        for block in self._reader.blocks(size):
            self._passing()
            yield block
        self._passing()

    def close(self) -> None:
        self._reader.close()


class _GatedWriter:
    """A writer whose blocks are written in two halves, so that a death may leave half a file."""

    def __init__(self, writer: Writer, passing: Callable[[str], None], gate: Gate) -> None:
        self._writer = writer
        self._passing = passing
        self._gate = gate

    def write(self, data: bytes | memoryview) -> None:
        half = len(data) // 2
        self._writer.write(data[:half])
        self._pass("write")
        self._writer.write(data[half:])

    def finish(self, *, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING) -> Entry:
        self._pass("finish")
        return self._writer.finish(mtime_ns=mtime_ns, mode=mode, besides=besides)

    def abandon(self) -> None:
        if not self._gate.dead:
            self._writer.abandon()

    def _pass(self, kind: str) -> None:
        try:
            self._passing(kind)
        except Exception:
            self._writer.abandon()  # as the real one does when the system refuses
            raise


class GatedConnection:
    """A connection to the state behind a gate: a commit is a step, and a dead process commits nothing."""

    def __init__(self, connection: sqlite3.Connection, gate: Gate) -> None:
        self._connection = connection
        self._gate = gate
        self._written = connection.total_changes

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        if sql == "COMMIT" and self._connection.total_changes != self._written:
            self._written = self._connection.total_changes
            try:
                self._gate.change(STATE, "commit")
            except OSError as error:
                raise _of_sqlite(error) from error
        elif self._gate.dead:
            raise Crash
        return self._connection.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _of_sqlite(error: OSError) -> sqlite3.OperationalError:
    full = error.errno == errno.ENOSPC
    made = sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")
    made.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR
    return made
