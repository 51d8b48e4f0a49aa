"""The state database: opening it whatever state it is in, transactions, and SQLite's errors in plain words.

What is stored is the matter of the modules beside this one. Nothing here knows a job or a path of a root.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from syncline.errors import StateError, StateTooNew
from syncline.store import faults, file, migrate
from syncline.store.children import PRECAUTIONS
from syncline.store.file import Access

Clock = Callable[[], datetime]
T = TypeVar("T")

_TABLES = frozenset({"job", "directory", "run", "action", "conflict", "problem", "approval", "suspect", "verified"})

_QUICK_CHECK_BYTES = 4_000_000
"""Up to this size the whole database is checked whenever it is opened (2 ms).

A larger one is not: `quick_check` reads every page, 5 ms for each 10 MB in memory and far more from a disk, and a state
of a million files has 200 MB, while the commonest run changes nothing. What a run relies on is guarded otherwise: the
blobs of each directory carry a checksum that is verified before they are believed, the actions of the journal another,
and cell_size_check and SQLite's own tests find a broken page when it is read; then the database is moved aside (see
`Store.condemn`). `quick_check` would not see a flipped byte within a blob at all.
"""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_RETRY = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL})


class Store:
    """The open state database. `notes` are plain sentences about what opening it brought to light: show them.

    One thread, one process. Opened with `write=False` it changes nothing on disk, every change is an error, and it
    shows the one moment at which it was opened: open it anew for every question.
    """

    def __init__(self, connection: sqlite3.Connection, path: str, clock: Clock, *, write: bool) -> None:
        self.connection = connection
        self.path = path
        self.write = write
        self.in_memory = False
        self.address: str | None = None
        """What another process opens to read the same; None where only this one can."""
        self.notes: list[str] = []
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._condemned = False
        self._depth = 0
        self._broken = False

    @classmethod
    def open(cls, directory: str, *, now: Clock, write: bool) -> Store:
        """The state database in `directory`, ready for use.

        With `write`, a missing one is made (directory 0700, file 0600), an older one is brought up to date behind a
        backup copy, a damaged one is moved aside and a new one begun. Without, a missing or damaged one is an empty
        one in memory, an older one is brought up to date in memory, and nothing on disk changes.

        Raises:
            StateTooNew: a later version of syncline wrote it; it was not touched.
            StateError: it cannot be read or written.
        """
        path = os.path.join(os.path.abspath(directory), file.NAME)
        try:
            return _open_to_write(path, now) if write else _open_to_look(path, now)
        except OSError as error:
            raise faults.from_system(path, error) from error
        except sqlite3.Error as error:
            raise faults.from_sqlite(path, error) from error

    def close(self) -> None:
        """Close the database; one that turned out damaged while it was read is moved aside."""
        with suppress(sqlite3.Error):
            self.connection.close()
        if self._condemned and self.write:
            self._condemned = False
            with suppress(OSError), file.alone(os.path.dirname(self.path)):
                file.move_aside(self.path, self._clock())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def now(self) -> str:
        """The present time as it is stored."""
        return stored_time(self._clock())

    def stale(self) -> bool:
        """Whether the file changed since it was opened to look: then what was read may be of two minds, ask again.

        RACE: a database that nobody had open is read as a fixed file. A run that starts meanwhile may write to it;
        worst case a plan that is only shown is wrong, or reading fails as `StateError`.
        """
        return self._seen is not None and self._seen != _identity(self.path)

    def condemn(self) -> None:
        """The database is damaged: `close` moves it aside, the next run begins a new one (and deletes nothing)."""
        self._condemned = True

    def damaged(self, what: str) -> StateError:
        """The error to raise for a row that is not what was written; the database is condemned."""
        self.condemn()
        return faults.damaged(self.path, what)

    def decoded(self, decode: Callable[[tuple[Any, ...]], T], rows: Iterable[tuple[Any, ...]]) -> list[T]:
        """Rows in the form they had before they were stored. Raises: StateError: one is not what was written."""
        try:
            return [decode(row) for row in rows]
        except ValueError as error:
            raise self.damaged(f"a row has a value it cannot have: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written inside is stored, or nothing. An inner one joins the outer one.

        Raises:
            StateError: the database cannot be written; nothing was stored.
        """
        if self._depth:
            self._depth += 1
            try:
                yield
            except BaseException:
                self._broken = True
                raise
            finally:
                self._depth -= 1
            return
        if not self.write:
            raise RuntimeError("the state database was opened to look")
        self.do("BEGIN IMMEDIATE")
        self._depth, self._broken = 1, False
        try:
            yield
            if self._broken:
                raise RuntimeError("a part of this transaction failed and was passed over; nothing was stored")
            self.do("COMMIT")
        finally:
            self._depth = 0
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")

    def do(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Carry out one statement. Raises: StateError."""
        try:
            return self.connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def do_each(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> int:
        """Carry out one statement with each of many rows; how many it changed. Raises: StateError."""
        try:
            return self.connection.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def all(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a question. Raises: StateError."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def first(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a question, or None. Raises: StateError."""
        try:
            row: tuple[Any, ...] | None = self.connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return row

    def each(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a question one after the other, for answers too long to hold. Raises: StateError."""
        try:
            yield from self.connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> Exception:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            return error  # a mistake of ours, not of the disk
        if faults.code(error) in _DAMAGED or _garbled(error):
            if self.stale():
                return faults.changed_meanwhile(self.path)
            fault = faults.unreadable(self.path)
            if fault is not None:
                return faults.from_system(self.path, fault)
            self.condemn()
            return faults.damaged(self.path, str(error))
        return faults.from_sqlite(self.path, error)


def _garbled(error: sqlite3.Error) -> bool:
    """Whether a table or column of ours is not there, or refers to none, or a text is none: some byte is another one,
    which no check looks at."""
    told = ("no such ", "table ", "foreign key mismatch")
    schema_differs = faults.code(error) == sqlite3.SQLITE_ERROR and str(error).startswith(told)
    return schema_differs or str(error).startswith("Could not decode to UTF-8")  # Python's own, without a code


def stored_time(time: datetime) -> str:
    """A time as it is stored: UTC, sorts as text."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _open_to_write(path: str, now: Clock) -> Store:
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    notes: list[str] = []
    with file.alone(directory):
        found = file.empty_or_missing(path)
        if found is None:
            _refuse_newer(path, _version_at_a_glance(path))
        connection, damage = (None, found) if found else _connected(path)
        if connection is None:
            fault = faults.unreadable(path)
            if fault is not None:
                raise faults.from_system(path, fault)
            notes += _begin_again(path, damage, now)
            connection, damage = _connected(path)
            if connection is None:
                raise StateError(f"a new state database {path} cannot be read: {damage}", hint=faults.CHECK_DISK)
        try:
            notes += _prepare(connection, path, now)
        except BaseException:
            connection.close()
            raise
    store = Store(connection, path, now, write=True)
    store.address = file.address(path, Access.PLAIN)
    store.notes = notes
    return store


def _version_at_a_glance(path: str) -> int:
    """The version of the schema, read without leaving a trace on what may be a later one's; 0 if that fails.

    Says nothing of damage: a database read as a fixed file may be written to at that moment.
    """
    connection = file.connect(path, file.ways_to_look(path)[0])
    try:
        ours = connection.execute("PRAGMA application_id").fetchone() == (file.APPLICATION_ID,)
        return migrate.version_of(connection) if ours else 0
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def _begin_again(path: str, damage: str | None, now: Clock) -> list[str]:
    """Make a new database, moving aside what stands in its place; what a person should know of it."""
    aside = file.move_aside(path, now())
    file.create(path, migrate.schema(), migrate.VERSION)
    if aside is None:
        return []
    if damage == "missing":
        return [f"The state database {path} was missing, but its journal was there; it was moved to {aside}. {_EFFECT}"]
    return [f"The state database {path} was damaged ({damage}); it was moved to {aside}. {_EFFECT}"]


_EFFECT = "All jobs start afresh: their next run compares both sides, adopts what is equal and deletes nothing."


def _connected(path: str) -> tuple[sqlite3.Connection | None, str | None]:
    """A connection to write, or what is wrong inside the file."""
    connection = file.connect(path, Access.WRITE)
    try:
        damage = _damage_inside(connection, check=os.path.getsize(path) <= _QUICK_CHECK_BYTES)
    except BaseException:
        connection.close()
        raise
    if damage is None:
        return connection, None
    connection.close()
    return None, damage


def _damage_inside(connection: sqlite3.Connection, *, check: bool) -> str | None:
    """What is wrong with a database, as far as a quick look tells. Raises: sqlite3.Error that is no damage."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        version = migrate.version_of(connection)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if application != file.APPLICATION_ID or version < 1:
            return "it was not written by syncline"
        if version == migrate.VERSION and not tables >= _TABLES:
            return "tables are missing: " + ", ".join(sorted(_TABLES - tables))
        if check:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return str(found)
    except sqlite3.DatabaseError as error:
        if faults.code(error) not in _DAMAGED:
            raise
        return str(error)
    except UnicodeDecodeError:  # what SQLite says of it quotes it
        return "the names of its tables cannot be read"
    return None


def _prepare(connection: sqlite3.Connection, path: str, now: Clock) -> list[str]:
    """Set up a sound database to be written; what a person should know."""
    notes = []
    _refuse_newer(path, migrate.version_of(connection))
    remote = file.network_filesystem(os.path.dirname(path))
    if remote is not None:
        notes.append(
            f"The state directory {os.path.dirname(path)} lies on a network file system ({remote}), where a database "
            "is slower and less safe. Choose a local one with --state-dir."
        )
    connection.execute(f"PRAGMA journal_mode = {'WAL' if remote is None else 'DELETE'}").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    _harden(connection)
    for copy in migrate.upgrade_with_copies(connection, path, now()):
        notes.append(f"The state database was brought up to date; a copy of the old one is {copy}.")
    return notes


def _harden(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    for precaution in PRECAUTIONS:
        connection.execute(precaution)


def _open_to_look(path: str, now: Clock) -> Store:
    damage = file.empty_or_missing(path)
    if damage is None:
        seen, ways = _identity(path), file.ways_to_look(path)
        connection, damage, way = _looking(path, ways)
        if connection is not None:
            return _to_look(connection, path, now, way, seen if way is Access.SNAPSHOT else None)
        if way is Access.SNAPSHOT and (_identity(path) != seen or file.ways_to_look(path) != ways):
            return _open_to_look(path, now)  # a run began meanwhile: that it changes is no damage
    store = _in_memory(path, now)
    if damage != "missing":
        store.notes.append(f"The state database {path} is damaged ({damage}); it was left as it is. {_EFFECT}")
    return store


def _looking(path: str, ways: tuple[Access, ...]) -> tuple[sqlite3.Connection | None, str | None, Access]:
    """A connection that leaves no trace, or what is wrong inside the file; and the way it was opened."""
    for way in ways:
        connection = file.connect(path, way)
        try:
            damage = _damage_inside(connection, check=os.path.getsize(path) <= _QUICK_CHECK_BYTES)
        except sqlite3.Error as error:
            connection.close()
            if way is ways[-1] or faults.code(error) not in _RETRY:
                raise
            continue
        if damage is None:
            return connection, None, way
        connection.close()
        return None, damage, way
    raise AssertionError("there is always a way to look")


def _to_look(
    connection: sqlite3.Connection, path: str, now: Clock, way: Access, seen: tuple[int, int, int] | None
) -> Store:
    version = migrate.version_of(connection)
    address: str | None = file.address(path, way)
    try:
        _refuse_newer(path, version)
        if version < migrate.VERSION:
            address = None  # what is on the disk is not what is read here
            memory = sqlite3.connect(":memory:", isolation_level=None)
            connection.backup(memory)
            migrate.upgrade(memory)
            connection.close()
            connection = memory
        _harden(connection)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM job").fetchone()  # from here on it sees this moment and no other
    except BaseException:
        connection.close()
        raise
    store = Store(connection, path, now, write=False)
    store._seen = seen
    store.address = address
    return store


def _in_memory(path: str, now: Clock) -> Store:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    file.fill(connection, migrate.schema(), migrate.VERSION)
    _harden(connection)
    connection.execute("PRAGMA query_only = ON")
    store = Store(connection, path, now, write=False)
    store.in_memory = True
    return store


def _refuse_newer(path: str, version: int) -> None:
    if version > migrate.VERSION:
        raise StateTooNew(
            f"the state database {path} has version {version}, this syncline knows versions up to {migrate.VERSION}; "
            "it was not touched",
            hint="use the later syncline that wrote it, or choose another directory with --state-dir",
        )


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
