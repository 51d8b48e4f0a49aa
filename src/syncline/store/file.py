"""The state database as a file: is it there, is it ours, is it whole; making a new one, moving a bad one aside.

All that can be known without asking SQLite, and what SQLite itself would do wrongly (take an empty file for a new
database, replay a journal left behind by another one). No SQL but the schema.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum
from urllib.parse import quote

APPLICATION_ID = 0x53594E4C  # "SYNL"

NAME = "state.db"
WAL, INDEX, ROLLBACK = "-wal", "-shm", "-journal"

_WAL_MAGIC = (0x377F0682, 0x377F0683)

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "9p", "davfs", "davfs2"})


class Access(Enum):
    """How a database is opened: to write; to look without leaving a trace; to look, at worst leaving an index file."""

    WRITE = "mode=rw"
    SNAPSHOT = "mode=ro&immutable=1"
    LOOK = "mode=ro&readonly_shm=1"
    PLAIN = "mode=ro"


def empty_or_missing(path: str) -> str | None:
    """What can be told of a database without opening it: that it is `empty` or `missing`. Raises: OSError.

    Never open and close it but through SQLite: a process that closes any descriptor of a file loses all its POSIX locks
    on that file, those of its other connections too (sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        return None if os.stat(path).st_size else "empty"
    except FileNotFoundError:
        return "missing"


def connect(path: str, access: Access) -> sqlite3.Connection:
    """A connection in autocommit mode to a file that is there. Raises: sqlite3.Error."""
    return sqlite3.connect(address(path, access), uri=True, isolation_level=None, timeout=5.0, cached_statements=256)


def address(path: str, access: Access) -> str:
    """How SQLite is told to open a file in one of these ways."""
    return f"file:{quote(os.fsencode(os.path.abspath(path)))}?{access.value}"


def ways_to_look(path: str) -> tuple[Access, ...]:
    """The ways to read a database without changing its directory, the best first.

    Without a write-ahead log nobody has it open, and it can be read as a fixed file (see `Store.stale`). With one, a
    writer lives or died. `mode=ro` alone would make the index file, or write to the one that is there, and leave it.
    """
    try:
        with open(path + WAL, "rb") as stream:
            start, some = stream.read(32), stream.read(1)
    except FileNotFoundError:
        return (Access.SNAPSHOT, Access.PLAIN)
    if os.path.lexists(path + INDEX):
        # SQLite tries for ten seconds to make sense of a damaged log before it says so; a writer passes over it.
        junk = bool(start) and not _is_log(start, bool(some))
        return (Access.SNAPSHOT, Access.PLAIN) if junk else (Access.LOOK, Access.PLAIN)
    return (Access.PLAIN,) if _is_log(start, bool(some)) else (Access.SNAPSHOT, Access.PLAIN)


def create(path: str, schema: str, version: int) -> None:
    """A new database under its name, complete, or none: never an empty file that could be taken for a damaged one.

    Raises: OSError, sqlite3.Error.
    """
    building = f"{path}.new-{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(building)
    os.close(os.open(building, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        connection = connect(building, Access.WRITE)
        try:
            fill(connection, schema, version)
        finally:
            connection.close()
        # A log without its database is another one's: SQLite would replay it into this new one.
        os.rename(building, path)
    except BaseException:
        for end in ("", WAL, INDEX, ROLLBACK):
            with suppress(OSError):
                os.unlink(building + end)
        raise
    sync_directory(os.path.dirname(path))


def fill(connection: sqlite3.Connection, schema: str, version: int) -> None:
    """Make the tables in an empty database.

    Pages of 8 kB: the state of 90,000 files takes 15 MB, with 4 kB 23 MB, and a run's journal a third less time.
    """
    connection.executescript(
        f"PRAGMA page_size = 8192; BEGIN; {schema}"
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT;"
    )


def move_aside(path: str, now: datetime) -> str | None:
    """The new name of a bad database, moved there with all that belongs to it; None if there was nothing to move.

    The database goes last: a crash on the way leaves one that is still found bad. Raises: OSError.
    """
    present = [end for end in (WAL, INDEX, ROLLBACK, "") if os.path.lexists(path + end)]
    if not present:
        return None
    aside = free_name(f"{path}.bad-{compact(now)}")
    for end in present:
        os.rename(path + end, aside + end)
    sync_directory(os.path.dirname(path))
    return aside


def free_name(path: str) -> str:
    """`path`, or the first of `path-2`, `path-3` ... of which nothing exists."""
    number, candidate = 1, path
    while any(os.path.lexists(candidate + end) for end in ("", WAL, INDEX, ROLLBACK)):
        number += 1
        candidate = f"{path}-{number}"
    return candidate


def sync_directory(directory: str) -> None:
    """Make the names in a directory durable."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(directory: str) -> Iterator[None]:
    """Only one process at a time makes, migrates or moves aside a database; the lock dies with its holder."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # here, so that the module can be imported where there is none

    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without such locks: then two first starts at once are not kept apart
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def network_filesystem(directory: str) -> str | None:
    """The kind of network or user-space file system a directory lies on; None: a local one, or not known.

    SQLite's write-ahead log needs memory shared by all its users, which such a file system cannot promise.
    """
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return None
    return _filesystem(lines, os.path.realpath(directory))


def compact(time: datetime) -> str:
    """A time as part of a name: `20261120T184500Z`."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _is_log(start: bytes, longer: bool) -> bool:
    """Whether these 32 bytes are the header of a write-ahead log with something in it.

    The checksum is that of sqlite.org/fileformat2.html, section 4.2.
    """
    if len(start) < 32 or not longer:
        return False
    (magic,) = struct.unpack(">I", start[:4])
    if magic not in _WAL_MAGIC:
        return False
    words = struct.unpack((">" if magic & 1 else "<") + "6I", start[:24])
    first = second = 0
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return struct.unpack(">2I", start[24:32]) == (first, second)


def _filesystem(mountinfo: list[str], directory: str) -> str | None:
    longest, kind = "", ""
    for line in mountinfo:
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = directory == point or directory.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(longest):
            longest, kind = point, after.split(" ")[0]
    remote = kind in _NETWORK or (kind.startswith("fuse.") and kind != "fuse.fuse-overlayfs")
    return kind if remote else None
