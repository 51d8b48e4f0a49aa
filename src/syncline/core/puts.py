"""The plain copies of a plan: a file that is brought to the other side, and nothing else with it.

Most of what a plan does is of this kind, and a first run may have a million of them. They are kept apart from what else
is wanted, as rows of a few values from which the action is made whenever it is asked for; many of them go to a `Spool`.
"""

from __future__ import annotations

import heapq
import marshal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any, Protocol

from syncline.core.model import Because, Entry, Kind, Place, PutFile, RelPath, Side, Why

LARGE = 50_000
"""So many are kept in memory, a kilobyte each."""

SMALL_STEP_BYTES = 64 * 1024
"""Files are put in classes of doubling size, this one first; within a class by path, so that directories stay hot."""

Key = tuple[int, str]
"""Where a copy stands among the others: the class of its size, its path."""


class Spool(Protocol):
    """Rows that lie elsewhere than in memory, sorted by their key."""

    def add(self, rows: Iterable[tuple[Key, bytes]]) -> None:
        """Take these, in any order. Raises: SynclineError."""

    def __iter__(self) -> Iterator[tuple[Key, bytes]]:
        """All that was taken, in the order of the keys. Nothing may be added meanwhile. Raises: SynclineError."""


class Puts:
    """Copies of files in the order in which they are carried out, whatever the order in which they were added.

    `spool` makes a place for what is too much for the memory; without one all of it stays there.
    """

    def __init__(self, spool: Callable[[], Spool] | None = None) -> None:
        self._make_spool = spool
        self._here: list[PutFile] = []
        self._spools: list[Spool] = []
        self._number = 0
        self._sorted = True

    def __len__(self) -> int:
        return self._number

    @property
    def spooled(self) -> bool:
        """Whether some of them lie elsewhere."""
        return bool(self._spools)

    def add(self, put: PutFile) -> None:
        """Take one. `put.because` must be what was seen at its source, and it belongs to no group."""
        self._here.append(put)
        self._grown(1)

    def include(self, other: Puts) -> None:
        """Take all of another's."""
        self._here += other._here
        self._spools += other._spools
        self._grown(len(other))

    def __iter__(self) -> Iterator[PutFile]:
        if self._spools:
            self._relieve()
            rows = self._spools[0] if len(self._spools) == 1 else heapq.merge(*self._spools)
            return map(_unpacked, rows)
        if not self._sorted:
            self._here.sort(key=key)
            self._sorted = True
        return iter(self._here)

    def _grown(self, number: int) -> None:
        self._number += number
        self._sorted = False
        if len(self._here) >= LARGE and self._make_spool is not None:
            self._relieve()

    def _relieve(self) -> None:
        """Put what is here into a spool."""
        if not self._spools and self._make_spool is not None:
            self._spools.append(self._make_spool())
        if self._here:
            self._spools[0].add((key(put), _pack(put)) for put in self._here)
            self._here.clear()


def key(put: PutFile) -> Key:
    """Where a copy stands among others."""
    return size_class(put.entry.size), put.at.path


def size_class(size: int) -> int:
    """The class of a file of so many bytes."""
    return (size // SMALL_STEP_BYTES).bit_length()


_values: Callable[[Entry], tuple[Any, ...]] = attrgetter(*(field.name for field in fields(Entry)))
_KINDS = {kind.value: kind for kind in Kind}
_SIDES = {side.value: side for side in Side}
_WHYS = {why.value: why for why in Why}


def _pack(put: PutFile) -> bytes:
    source, expect = put.source_entry, put.expect
    return marshal.dumps(
        (
            put.at.side.value,
            put.at.path,
            put.source.path if put.source.path != put.at.path else None,
            put.because.why.value,
            _plain(source),
            _plain(put.entry) if put.entry is not source else None,
            None if expect is None else _plain(expect),
            put.outright,
        )
    )


def _plain(entry: Entry) -> tuple[Any, ...]:
    kind, *rest = _values(entry)
    return int(kind), *rest


def _unpacked(row: tuple[Key, bytes]) -> PutFile:
    side_value, path, source_path, why, source_values, values, expected, outright = marshal.loads(row[1])  # noqa: S302  # our own
    side = _SIDES[side_value]
    source_entry, source = _entry(source_values), Place(side.other, RelPath(source_path or path))
    return PutFile(
        Place(side, path),
        None if expected is None else _entry(expected),
        Because(_WHYS[why], source, source_entry),
        source_entry if values is None else _entry(values),
        source,
        source_entry,
        outright=outright,
    )


def _entry(values: tuple[Any, ...]) -> Entry:
    return Entry(_KINDS[values[0]], *values[1:])
