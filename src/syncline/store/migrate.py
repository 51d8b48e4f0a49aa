"""The versions of the schema: which one this is, and the steps forward from older ones, each behind a backup copy."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from syncline.store import file

VERSION = 2
"""The version that `schema.sql` describes. A step to it stands in STEPS, and a test compares both ways to get there."""

STEPS: Mapping[int, str] = {
    1: """
        CREATE TABLE suspect (
            job        INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
            side       TEXT NOT NULL,
            path       BLOB NOT NULL,
            remembered BLOB,
            entry      TEXT NOT NULL,
            found      TEXT NOT NULL,
            PRIMARY KEY (job, side, path)
        );
        CREATE TABLE verified (
            directory INTEGER PRIMARY KEY REFERENCES directory (id) ON DELETE CASCADE,
            at        TEXT NOT NULL DEFAULT '',
            upto      BLOB
        );
    """,
}
"""From version n to n + 1: the SQL. Never changed once it was released."""


def schema() -> str:
    """The tables of the present version, as SQL."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the schema in a database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def upgrade(connection: sqlite3.Connection, steps: Mapping[int, str] = STEPS, version: int = VERSION) -> None:
    """Bring a database to `version` step by step; each step is whole or did not happen. Makes no copy.

    Raises: sqlite3.Error.
    """
    while (present := version_of(connection)) < version:
        connection.execute("PRAGMA foreign_keys = OFF")  # a table that is rebuilt would take its children with it
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {steps[present]}; PRAGMA user_version = {present + 1}; COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.execute("PRAGMA foreign_keys = ON")


def upgrade_with_copies(
    connection: sqlite3.Connection,
    path: str,
    now: datetime,
    steps: Mapping[int, str] = STEPS,
    version: int = VERSION,
) -> list[str]:
    """Bring the database at `path` to `version`, with a copy `PATH.v<N>-<time>` before each step.

    Returns the names of the copies. Raises: OSError, sqlite3.Error; then the database is as it was before that step.
    """
    copies = []
    while (present := version_of(connection)) < version:
        copies.append(_copy(connection, path, present, now))
        upgrade(connection, steps, present + 1)
    return copies


def _copy(connection: sqlite3.Connection, path: str, version: int, now: datetime) -> str:
    name = file.free_name(f"{path}.v{version}-{file.compact(now)}")
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # VACUUM INTO takes an empty file
    try:
        connection.execute("VACUUM INTO ?", (name,))
        with open(name, "rb+") as stream:
            os.fsync(stream.fileno())  # which VACUUM INTO leaves to us
    except BaseException:
        os.unlink(name)
        raise
    file.sync_directory(os.path.dirname(name))
    return name
