"""What reading again brought to light: files that hold bytes nobody wrote, and how far the reading has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from syncline.core import wire
from syncline.core.model import Entry, Place, RelPath, Side
from syncline.store.columns import to_bytes, to_text
from syncline.store.db import Store
from syncline.store.jobs import key_of

_STALEST = """
    SELECT directory.id, coalesce(verified.at, ''), verified.upto FROM directory
    LEFT JOIN verified ON verified.directory = directory.id
    WHERE directory.job = ? AND directory.files > 0
    ORDER BY verified.upto IS NULL, coalesce(verified.at, ''), directory.id
"""

_OLDEST = """
    SELECT min(coalesce(verified.at, '')) FROM directory LEFT JOIN verified ON verified.directory = directory.id
    WHERE directory.job = ? AND directory.files > 0
"""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A place whose bytes nobody wrote. `remembered`: the content both sides had agreed on, None where they were taken
    for equal unread. `entry`: what stood there, with the content that was found. `found`: a stored time."""

    place: Place
    remembered: bytes | None
    entry: Entry
    found: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A directory by its row: when its files were last all read (empty: never), and the name up to which since."""

    row: int
    at: str
    upto: str | None


class Suspects:
    """The suspects of a job. Changes need an open transaction of the caller's. Raises: StateError."""

    def __init__(self, store: Store, job: str) -> None:
        self._store = store
        self._key = key_of(store, job)

    def all(self) -> list[Suspect]:
        """All of them, by path."""
        rows = self._store.all(
            "SELECT side, path, remembered, entry, found FROM suspect WHERE job = ? ORDER BY path, side", (self._key,)
        )
        return self._store.decoded(_suspect, rows)

    def note(self, place: Place, remembered: bytes | None, entry: Entry, row: int | None) -> None:
        """These bytes are nobody's; what was known of the place before is replaced. `row`: its directory, to be looked
        at by every run from now on."""
        self._store.do(
            "INSERT OR REPLACE INTO suspect (job, side, path, remembered, entry, found) VALUES (?, ?, ?, ?, ?, ?)",
            (
                self._key,
                place.side.value,
                to_bytes(place.path),
                remembered,
                wire.encode(entry),
                self._store.now(),
            ),
        )
        self.watch([] if row is None else [row])

    def watch(self, rows: Iterable[int]) -> None:
        """Have these directories looked at by the next run although their bytes did not change."""
        self._store.do_each(
            "UPDATE directory SET attention = 1 WHERE id = ? AND attention = 0", ((row,) for row in rows)
        )

    def clear(self, places: Iterable[Place]) -> None:
        """These places are suspect no more."""
        self._store.do_each(
            "DELETE FROM suspect WHERE job = ? AND side = ? AND path = ?",
            ((self._key, place.side.value, to_bytes(place.path)) for place in places),
        )


class Verified:
    """When the directories of a job were last read whole. Changes need an open transaction. Raises: StateError."""

    def __init__(self, store: Store, job: str) -> None:
        self._store = store
        self._key = key_of(store, job)

    def stalest(self) -> list[Stale]:
        """Every directory with agreed files directly in it: those begun first, then the least recently read ones."""
        rows = self._store.all(_STALEST, (self._key,))
        return [Stale(row, at, to_text(upto)) for row, at, upto in rows]

    def oldest(self) -> str | None:
        """When the directory was read that was not read for the longest time; None: one never was, or there is none."""
        found = self._store.first(_OLDEST, (self._key,))
        return None if found is None else found[0] or None

    def reached(self, stale: Stale, at: str, upto: str | None) -> None:
        """A directory was read up to a name, or whole (None)."""
        self._store.do(
            "INSERT OR REPLACE INTO verified (directory, at, upto) SELECT id, ?, ? FROM directory WHERE id = ?",
            (stale.at if upto is not None else at, to_bytes(upto), stale.row),
        )


def _suspect(row: tuple[Any, ...]) -> Suspect:
    side, path, remembered, entry, found = row
    try:
        decoded = wire.decode(Entry, entry)
    except wire.Unreadable as error:
        raise ValueError(str(error)) from error
    return Suspect(Place(Side(side), RelPath(to_text(path) or "")), remembered, decoded, found)
