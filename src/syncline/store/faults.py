"""What SQLite and the system say about the state database, in plain words with the next step."""

from __future__ import annotations

import errno
import os
import sqlite3

from syncline.errors import StateError

CHECK_DISK = "check the disk, or choose another directory with --state-dir"

_NO_SPACE = "there is no space left for it"
_FREE_SPACE = "free some space there; nothing is lost, run it again afterwards"
_MAKE_WRITABLE = "make the directory and the file writable for you, or choose another one with --state-dir"


def code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the error is Python's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def from_sqlite(path: str, error: sqlite3.Error) -> StateError:
    """The error to raise for what SQLite said about the database at `path`."""
    match code(error):
        case sqlite3.SQLITE_FULL:
            what, hint = _NO_SPACE, _FREE_SPACE
        case sqlite3.SQLITE_IOERR if _full(path):  # its index file could not grow
            what, hint = _NO_SPACE, _FREE_SPACE
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            what, hint = f"it cannot be opened or written ({error})", _MAKE_WRITABLE
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            what, hint = "another process has been writing to it for 5 seconds", "wait for it to end, then try again"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case _:
            what, hint = str(error), CHECK_DISK
    return StateError(f"the state database {path} cannot be used: {what}", hint=hint)


def from_system(path: str, error: OSError) -> StateError:
    """The error to raise for what the system said about the database at `path` or its directory."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            what, hint = _NO_SPACE, _FREE_SPACE
        case errno.EACCES | errno.EPERM | errno.EROFS:
            what, hint = f"it cannot be opened or written ({error.strerror})", _MAKE_WRITABLE
        case _:
            what, hint = error.strerror or str(error), CHECK_DISK
    return StateError(f"the state database {path} cannot be used: {what}", hint=hint)


def damaged(path: str, what: str) -> StateError:
    """The error to raise when the database turned out damaged while it was used."""
    return StateError(
        f"the state database {path} is damaged ({what})", hint="run the job again: it starts afresh and deletes nothing"
    )


def unreadable(path: str) -> OSError | None:
    """What the disk says when a database that seems damaged is read plainly; None where it gives all of it. What such a
    disk returns says nothing of the database, which may be whole on the next one."""
    for name in (path, path + "-wal"):
        try:
            with open(name, "rb", buffering=0) as stream:
                while stream.read(1 << 20):
                    pass
        except FileNotFoundError:
            continue
        except OSError as error:
            return error
    return None


def changed_meanwhile(path: str) -> StateError:
    """The error to raise when a database read as a fixed file was written to by a run that began meanwhile."""
    return StateError(f"the state database {path} was changed while it was read", hint="another run began; ask again")


def _full(path: str) -> bool:
    try:
        return os.statvfs(os.path.dirname(path)).f_bavail == 0
    except (OSError, AttributeError):  # AttributeError: Windows
        return False
