"""The journal: what was about to be done, and what became of it. Recovery, undo, `show` and `explain` read it.

Writes belong into a transaction of the caller's, one for each batch of actions: the rows must be durable before the
first of them is carried out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from syncline.core import wire
from syncline.core.model import Action, Entry, Problem, RelPath, Rename, Side
from syncline.core.names import ancestors
from syncline.store.columns import to_bytes, to_text
from syncline.store.db import Store
from syncline.store.jobs import key_of

BEGUN, DONE, FAILED, SKIPPED = "begun", "done", "failed", "skipped"

_BEGIN = """
    INSERT INTO action (run, number, state, at, side, path, target, grp, staged, action, sum)
    VALUES (?, ?, 'begun', ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DONE = "UPDATE action SET state = 'done', at = ?, result = ?, trash = ? WHERE run = ? AND number = ?"
_FAILED = "UPDATE action SET state = ?, at = ?, problem = ? WHERE run = ? AND number = ?"

_KIND = "substr(action, 3, instr(substr(action, 3), '\"') - 1)"
"""What a stored action is called (`syncline.core.wire`): told without reading the rest of it."""

_STEPS = """
    SELECT run.id, number, grp, state, at, action, staged, trash, result, problem, sum, run.key
    FROM action JOIN run ON run.key = action.run
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One action of a run as the journal has it.

    `staged` is the name under `.syncline/staging`, `trash` the path to which what stood there went, `result` the entry
    that stands there now, `at` the time at which it came to its state, `turn` that of the run (`syncline.store.runs`).
    """

    run: str
    number: int
    group: RelPath | None
    state: str
    at: str
    action: Action
    staged: str | None = None
    trash: RelPath | None = None
    result: Entry | None = None
    problem: Problem | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Trashed:
    """Something that an action moved to the trash: its number in the run, the side, its place in the trash, the path it
    had, and when."""

    number: int
    side: Side
    place: RelPath
    path: RelPath
    at: str


class Journal:
    """The journal of every job.

    Raises:
        StateError: from every method, when the database cannot be read or written, or a row is not what was written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run: tuple[str, int] = ("", 0)

    def begin(self, run: str, steps: Iterable[tuple[int, RelPath | None, Action, str | None]]) -> None:
        """These actions are about to be carried out: number in the run, group, action, name under staging."""
        key, now = self._key(run), self._store.now()
        self._store.do_each(_BEGIN, (_begun(key, now, *step) for step in steps))

    def staged(self, run: str, names: Iterable[tuple[int, str | None]]) -> None:
        """The names under staging of these actions are other ones now."""
        key = self._key(run)
        rows = ((to_bytes(name), key, number) for number, name in names)
        self._store.do_each("UPDATE action SET staged = ? WHERE run = ? AND number = ?", rows)

    def done(self, run: str, steps: Iterable[tuple[int, Entry | None, RelPath | None]]) -> None:
        """These actions were carried out: number, what stands there now, where in the trash what stood there went."""
        key, now = self._key(run), self._store.now()
        rows = (
            (now, None if result is None else wire.encode(result), to_bytes(trash), key, number)
            for number, result, trash in steps
        )
        self._store.do_each(_DONE, rows)

    def failed(self, run: str, steps: Iterable[tuple[int, Problem, bool]]) -> None:
        """These actions were not carried out: number, why, and whether only because the reason no longer held."""
        key, now = self._key(run), self._store.now()
        rows = (
            (SKIPPED if skipped else FAILED, now, wire.encode(problem), key, number)
            for number, problem, skipped in steps
        )
        self._store.do_each(_FAILED, rows)

    def unfinished(self, job: str) -> list[Step]:
        """The actions of a job that were begun and neither done nor given up, in their order."""
        rows = self._store.all(
            _STEPS + "WHERE run.job = ? AND state = 'begun' ORDER BY action.run, number",
            (key_of(self._store, job),),
        )
        return [self._step(row) for row in rows]

    def actions(self, run: str, *kinds: type[Action]) -> Iterator[Step]:
        """The actions of a run, all or those of some kinds, in their order, one at a time. Must be used up before the
        next write."""
        among = f"AND {_KIND} IN ({', '.join('?' * len(kinds))}) " if kinds else ""
        given = (self._key(run), *(wire.tag(kind) for kind in kinds))
        return map(self._step, self._store.each(f"{_STEPS} WHERE action.run = ? {among}ORDER BY number", given))

    def trashed(self, run: str) -> list[Trashed]:
        """What a run moved to the trash: of a rename, what stood at its target."""
        rows = self._store.all(
            "SELECT number, side, trash, coalesce(target, path), at FROM action JOIN run ON run.key = action.run "
            "WHERE run.id = ? AND trash IS NOT NULL",
            (run,),
        )
        return [
            Trashed(number, Side(side), _known_path(trash), _known_path(path), at)
            for number, side, trash, path, at in rows
        ]

    def counted(self, job: str, since: str) -> dict[str, int]:
        """How many actions of a job were done since a stored time, by what the stored action is called."""
        rows = self._store.all(
            f"SELECT {_KIND}, count(*) FROM action "  # noqa: S608
            "WHERE run IN (SELECT key FROM run WHERE job = ?1 AND (seconds IS NULL OR "
            "julianday(started) + seconds / 86400.0 >= julianday(?2) - 0.0001)) AND state = 'done' AND at >= ?2 "
            "GROUP BY 1 ORDER BY 1",
            (key_of(self._store, job), since),
        )
        return {str(name): int(number) for name, number in rows}

    def of_path(self, job: str, path: RelPath) -> list[Step]:
        """What was ever done to a path, on either side, or to a directory above it, in the order it was done."""
        key = key_of(self._store, job)
        found: dict[tuple[str, int], Step] = {}
        for each in (path, *[above for above in ancestors(path) if above]):
            encoded = to_bytes(each)
            rows = self._store.all(
                _STEPS + "WHERE run.job = ? AND (path = ? OR target = ?)",
                (key, encoded, encoded),
            )
            for step in map(self._step, rows):
                found[step.run, step.number] = step
        return sorted(found.values(), key=lambda step: (step.turn, step.number))

    def _step(self, row: tuple[Any, ...]) -> Step:
        try:
            return _step(row)
        except wire.Unreadable as error:
            raise self._store.damaged(f"action {row[1]} of run {row[0]}: {error}") from error

    def _key(self, run: str) -> int:
        if self._run[0] != run:
            found = self._store.first("SELECT key FROM run WHERE id = ?", (run,))
            if found is None:
                raise KeyError(run)
            self._run = (run, int(found[0]))
        return self._run[1]


def _begun(
    key: int, now: str, number: int, group: RelPath | None, action: Action, staged: str | None
) -> tuple[Any, ...]:
    target = action.to if isinstance(action, Rename) else None
    path = action.at.path.encode("utf-8", "surrogateescape")
    text = wire.encode(action)
    sum = zlib.crc32(text.encode("ascii"))
    return key, number, now, action.at.side, path, to_bytes(target), to_bytes(group), to_bytes(staged), text, sum


def _step(row: tuple[Any, ...]) -> Step:
    run, number, group, state, at, action, staged, trash, result, problem, sum, turn = row
    if zlib.crc32(action.encode("utf-8", "surrogateescape")) != sum:
        raise wire.Unreadable("its checksum does not fit")
    return Step(
        run,
        number,
        _path(group),
        state,
        at,
        wire.decode_action(action),
        to_text(staged),
        _path(trash),
        None if result is None else wire.decode(Entry, result),
        None if problem is None else wire.decode(Problem, problem),
        turn,
    )


def _known_path(stored: bytes) -> RelPath:
    return RelPath(stored.decode("utf-8", "surrogateescape"))


def _path(stored: bytes | None) -> RelPath | None:
    text = to_text(stored)
    return None if text is None else RelPath(text)
