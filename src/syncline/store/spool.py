"""A spool: rows too many for the memory, sorted, in a database of their own that is gone when they are not needed.

Not in the state database: a plan that is only shown writes nothing there, and what a killed run leaves is nobody's to
clear away. SQLite keeps a database without a name in a file without a name, and only once it outgrows its cache.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import count

from syncline.core.puts import Key
from syncline.errors import StateError

_CACHE_KB = 4000
_ROWS = 1000
_MAKE = """
    CREATE TABLE row (class INTEGER, path BLOB, number INTEGER, data BLOB, PRIMARY KEY (class, path, number))
    WITHOUT ROWID
"""


class FileSpool:
    """Rows by size class and path. One thread, one process: a child of this process must not touch it.

    Raises:
        StateError: from every method, when there is no room for what is too much for the memory.
    """

    def __init__(self) -> None:
        self._numbers = count()
        try:
            self._connection = sqlite3.connect("", isolation_level=None)
            for said in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KB}"):
                self._connection.execute(f"PRAGMA {said}")
            self._connection.execute(_MAKE)
        except sqlite3.Error as error:
            raise _told(error) from error

    def __del__(self) -> None:
        self._connection.close()

    def add(self, rows: Iterable[tuple[Key, bytes]]) -> None:
        """Take these, in any order."""
        numbered = (
            (size_class, path.encode("utf-8", "surrogatepass"), next(self._numbers), data)
            for (size_class, path), data in rows
        )
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO row VALUES (?, ?, ?, ?)", numbered)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _told(error) from error

    def __iter__(self) -> Iterator[tuple[Key, bytes]]:
        try:
            found = self._connection.execute("SELECT class, path, data FROM row ORDER BY class, path, number")
            while rows := found.fetchmany(_ROWS):
                for size_class, path, data in rows:
                    yield (size_class, path.decode("utf-8", "surrogatepass")), data
        except sqlite3.Error as error:
            raise _told(error) from error


def _told(error: sqlite3.Error) -> StateError:
    return StateError(
        f"the plan is too large for the memory, and could not be kept in a temporary file: {error}",
        hint="free some space for temporary files (/var/tmp), or name another directory in the environment: TMPDIR",
    )
