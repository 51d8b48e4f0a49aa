"""What waits for a person: open conflicts, problems already told, plans a guard refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from syncline.core import wire
from syncline.core.model import Conflict, Place, Problem, Reason, RelPath, Side
from syncline.store.columns import Json, to_bytes, to_json, to_text
from syncline.store.db import Store
from syncline.store.jobs import key_of

_RECORDED = """
    SELECT conflict.id, job.id, run, detected, open, settled, conflict FROM conflict JOIN job ON job.key = conflict.job
"""

_RECORD = """
    INSERT INTO conflict (job, run, path, rule, policy, kept, clash, clash_from, detected, open, settled, conflict)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_RENEW = "UPDATE conflict SET rule = ?, policy = ?, conflict = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A conflict as it is remembered. `detected` and `settled` are stored times, `run` the run that found it."""

    id: int
    job: str
    run: str | None
    detected: str
    open: bool
    settled: str | None
    conflict: Conflict


@dataclass(frozen=True, slots=True)
class Seen:
    """A problem and when it was first seen."""

    problem: Problem
    since: str


class Conflicts:
    """The conflicts of every job. Changes need an open transaction of the caller's. Raises: StateError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, job: str, run: str | None, conflict: Conflict) -> int:
        """Remember a conflict; returns its id.

        It is open when it is held or when a clash file was made. A held one that is found again stays the same one, and
        one that is now settled by policy closes the entry it was held under.
        """
        key, now = key_of(self._store, job), self._store.now()
        open = conflict.kept is None or conflict.clash is not None
        held = self._held(key, conflict.path)
        if held is not None and conflict.kept is None:
            self._store.do(_RENEW, (conflict.rule.value, conflict.policy.value, wire.encode(conflict), held))
            return held
        if held is not None:
            self.settle([held])
        return int(self._store.do(_RECORD, _row(key, run, conflict, now, open)).lastrowid or 0)

    def open_conflicts(self, job: str | None = None) -> list[Recorded]:
        """The conflicts of a job, or of all, that wait for a person, the oldest first."""
        rows = self._store.all(
            _RECORDED + "WHERE open = 1 AND (?1 IS NULL OR job.id = ?1) ORDER BY conflict.id", (job,)
        )
        return [self._recorded(row) for row in rows]

    def undone(self, job: str) -> list[Conflict]:
        """The open conflicts that undone runs of a job left."""
        rows = self._store.all(_RECORDED + "WHERE open = 1 AND rule = 'undone' AND job.id = ?", (job,))
        return [self._recorded(row).conflict for row in rows]

    def open_at(self, job: str, path: RelPath) -> list[Recorded]:
        """The open conflicts whose original or clash path this is, the oldest first."""
        encoded = to_bytes(path)
        rows = self._store.all(
            _RECORDED + "WHERE open = 1 AND job.id = ? AND ? IN (path, clash) ORDER BY conflict.id", (job, encoded)
        )
        return [self._recorded(row) for row in rows]

    def all(self, job: str | None = None) -> list[Recorded]:
        """The conflicts of a job, or of all, open and settled, the oldest first."""
        rows = self._store.all(_RECORDED + "WHERE (?1 IS NULL OR job.id = ?1) ORDER BY conflict.id", (job,))
        return [self._recorded(row) for row in rows]

    def of_path(self, job: str, path: RelPath) -> list[Recorded]:
        """Every conflict there ever was at a path, or whose clash file had this path, the oldest first."""
        rows = self._store.all(
            _RECORDED + "WHERE conflict.job = ? AND ? IN (path, clash) ORDER BY conflict.id",
            (key_of(self._store, job), to_bytes(path)),
        )
        return [self._recorded(row) for row in rows]

    def counted(self, job: str, since: str) -> dict[str, int]:
        """How many conflicts of a job were found since a stored time, by rule."""
        rows = self._store.all(
            "SELECT rule, count(*) FROM conflict WHERE job = ? AND detected >= ? GROUP BY rule ORDER BY rule",
            (key_of(self._store, job), since),
        )
        return {str(rule): int(number) for rule, number in rows}

    def by_id(self, id: int) -> Recorded | None:
        """One conflict, open or settled."""
        row = self._store.first(_RECORDED + "WHERE conflict.id = ?", (id,))
        return None if row is None else self._recorded(row)

    def settle(self, ids: Iterable[int]) -> int:
        """Close these conflicts; how many of them were open."""
        now = self._store.now()
        return self._store.do_each(
            "UPDATE conflict SET open = 0, settled = ? WHERE id = ? AND open = 1", ((now, id) for id in ids)
        )

    def reopen(self, ids: Iterable[int]) -> int:
        """Have these conflicts wait for a person again; how many of them were closed."""
        return self._store.do_each(
            "UPDATE conflict SET open = 1, settled = NULL WHERE id = ? AND open = 0", ((id,) for id in ids)
        )

    def forget_before(self, job: str, settled: str) -> int:
        """Forget the conflicts of a job that were settled before a stored time; how many."""
        values = (key_of(self._store, job), settled)
        return self._store.do("DELETE FROM conflict WHERE job = ? AND open = 0 AND settled < ?", values).rowcount

    def _recorded(self, row: tuple[Any, ...]) -> Recorded:
        id, job, run, detected, open, settled, conflict = row
        try:
            return Recorded(id, job, run, detected, bool(open), settled, wire.decode(Conflict, conflict))
        except wire.Unreadable as error:
            raise self._store.damaged(f"conflict {id}: {error}") from error

    def _held(self, key: int, path: RelPath) -> int | None:
        row = self._store.first(
            "SELECT id FROM conflict WHERE job = ? AND path = ? AND open = 1 AND kept IS NULL", (key, to_bytes(path))
        )
        return None if row is None else int(row[0])


class Problems:
    """What could not be brought into step, job by job. Changes need an open transaction. Raises: StateError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_job(self, job: str) -> list[Seen]:
        """The problems found when the job was last looked at, by path."""
        rows = self._store.all(
            "SELECT side, path, reason, detail, since FROM problem WHERE job = ? ORDER BY path, side",
            (key_of(self._store, job),),
        )
        return self._store.decoded(_seen, rows)

    def replace(self, job: str, problems: Iterable[Problem]) -> list[Problem]:
        """These are the problems now; returns those that were not known before, to be told."""
        key, now = key_of(self._store, job), self._store.now()
        known = {_identity(seen.problem): seen.since for seen in self.of_job(job)}
        present = {_identity(problem): problem for problem in problems}
        self._store.do("DELETE FROM problem WHERE job = ?", (key,))
        self._store.do_each(
            "INSERT INTO problem (job, side, path, reason, detail, since) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (key, place.side.value, to_bytes(place.path), reason.value, problem.detail, known.get(identity, now))
                for identity, problem in present.items()
                for place, reason in [identity]
            ),
        )
        return [problem for identity, problem in present.items() if identity not in known]


class Approvals:
    """Plans that a guard refused. Changes need an open transaction of the caller's. Raises: StateError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def remember(self, plan: str, job: str, removals: Json) -> None:
        """A plan was refused that would remove or replace this."""
        self._store.do(
            "INSERT OR REPLACE INTO approval (plan, job, removals, at) VALUES (?, ?, ?, ?)",
            (plan, key_of(self._store, job), to_json(removals), self._store.now()),
        )

    def removals(self, plan: str, job: str) -> Json | None:
        """What a refused plan of this job would have removed or replaced; None: no such plan was refused."""
        row = self._store.first(
            "SELECT removals FROM approval WHERE plan = ? AND job = ?", (plan, key_of(self._store, job))
        )
        return None if row is None else json.loads(row[0])

    def forget(self, job: str) -> None:
        """Forget every refused plan of a job."""
        self._store.do("DELETE FROM approval WHERE job = ?", (key_of(self._store, job),))


def _row(key: int, run: str | None, conflict: Conflict, now: str, open: bool) -> tuple[Any, ...]:
    return (
        key,
        run,
        to_bytes(conflict.path),
        conflict.rule.value,
        conflict.policy.value,
        conflict.kept,
        to_bytes(conflict.clash),
        conflict.clash_from,
        now,
        open,
        None if open else now,
        wire.encode(conflict),
    )


def _identity(problem: Problem) -> tuple[Place, Reason]:
    return problem.place, problem.reason


def _seen(row: tuple[Any, ...]) -> Seen:
    side, path, reason, detail, since = row
    return Seen(Problem(Place(Side(side), RelPath(to_text(path) or "")), Reason(reason), detail), since)
