"""The runs of every job: what was run when, and how it ended. What each run did stands in the journal."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncline.core.model import Outcome
from syncline.errors import UsageError
from syncline.store.columns import Json, to_json
from syncline.store.db import Store
from syncline.store.file import compact
from syncline.store.jobs import key_of

UNDOES = "undoes"
SETTLED = "settled"
"""Where the document of an undo says which run it takes back."""

LAST = "last"
"""What a person says for the latest run."""

_RUNS = """
    SELECT run.id, job.id, plan, run.kind, started, seconds, outcome, note, summary, roots, document, run.key
    FROM run JOIN job ON job.key = run.job
"""

_ANY_BEFORE = "SELECT 1 FROM run WHERE job = ? AND started < ? AND outcome IS NOT NULL LIMIT 1"
_TURN_AT = "SELECT coalesce((SELECT min(key) FROM run WHERE started > ?), (SELECT max(key) + 1 FROM run), 1)"
_FORGET = """
    DELETE FROM run WHERE job = ? AND started < ? AND outcome IS NOT NULL AND id NOT IN (SELECT value FROM json_each(?))
"""

_FINISH = """
    UPDATE run SET outcome = ?, seconds = ?, note = ?, summary = ?, document = ? WHERE id = ?
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `outcome` and `seconds` are None while it runs, and for ever if it was killed and not yet recovered.

    `roots` are the paths of its roots as they were then; `document` holds conflicts, problems and objections as shown.
    `turn` is higher for what was begun later, whatever the clock said.
    """

    id: str
    job: str
    plan: str
    kind: str
    started: str
    seconds: float | None = None
    outcome: Outcome | None = None
    note: str = ""
    summary: Mapping[str, Json] | None = None
    roots: Mapping[str, Json] | None = None
    document: Mapping[str, Json] | None = None
    turn: int = 0

    @property
    def undoes(self) -> str | None:
        """The id of the run that this one takes back."""
        said = (self.document or {}).get(UNDOES)
        return said if isinstance(said, str) else None

    @property
    def settled(self) -> list[int]:
        """The ids of the conflicts that this run settled because a person said how."""
        said = (self.document or {}).get(SETTLED)
        return [each for each in said if isinstance(each, int)] if isinstance(said, list) else []


class Runs:
    """The runs of every job. Changes need an open transaction of the caller's. Raises: StateError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(
        self, id: str, job: str, *, plan: str, kind: str, roots: Mapping[str, Json], undoes: str | None = None
    ) -> Run:
        """A run begins now. `kind` is `run`, `resolve`, `restore`, `recover` or `undo`, which says what it `undoes`."""
        document = {} if undoes is None else {UNDOES: undoes}
        started = self._store.now()
        made = self._store.do(
            "INSERT INTO run (id, job, plan, kind, started, roots, document) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (id, key_of(self._store, job), plan, kind, started, to_json(roots), to_json(document)),
        )
        return Run(id, job, plan, kind, started, roots=roots, document=document, turn=made.lastrowid or 0)

    def finish(
        self,
        id: str,
        outcome: Outcome,
        seconds: float,
        *,
        note: str = "",
        summary: Mapping[str, Json] | None = None,
        document: Mapping[str, Json] | None = None,
    ) -> None:
        """A run has ended. Raises: KeyError: it is not remembered."""
        values = (outcome.value, seconds, note, to_json(summary or {}), to_json(document or {}), id)
        if self._store.do(_FINISH, values).rowcount != 1:
            raise KeyError(id)

    def unfinished(self, job: str) -> list[Run]:
        """The runs of a job that have not ended, the oldest first: one that goes on, or what a crash left."""
        where = "WHERE run.job = ? AND outcome IS NULL ORDER BY run.key"
        return self._store.decoded(_run, self._store.all(_RUNS + where, (key_of(self._store, job),)))

    def history(self, job: str | None = None, limit: int | None = None) -> list[Run]:
        """Past runs of a job, or of all, the latest first."""
        where, values = ("", ()) if job is None else ("WHERE run.job = ?", (key_of(self._store, job),))
        most = -1 if limit is None else limit
        rows = self._store.all(f"{_RUNS} {where} ORDER BY run.key DESC LIMIT ?", (*values, most))
        return self._store.decoded(_run, rows)

    def find(self, said: str, job: str | None = None) -> Run:
        """The run of this id or unique beginning of an id, or the `last` one; of one job where that is given.

        Raises:
            UsageError: there is none, or there are several; the hint names them.
        """
        if said == LAST:
            latest = self._latest(job)
            if latest is None:
                raise UsageError("nothing was run yet", hint="`syncline jobs list` shows the jobs")
            return latest
        found = self._beginning_with(said, job)
        exact = [run for run in found if run.id == said]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if not found:
            raise UsageError(f"no run is called {said!r}", hint="`syncline history` lists the runs")
        names = ", ".join(run.id for run in found)
        raise UsageError(f"several runs begin with {said!r}", hint=f"say more of one of these: {names}")

    def _latest(self, job: str | None) -> Run | None:
        """The run that was begun last, whatever the clock said then."""
        rows = self._store.all(_RUNS + "WHERE (?1 IS NULL OR job.id = ?1) ORDER BY run.key DESC LIMIT 1", (job,))
        return next(iter(self._store.decoded(_run, rows)), None)

    def by_id(self, id: str) -> Run | None:
        """The run of exactly this id."""
        row = self._store.first(_RUNS + "WHERE run.id = ?", (id,))
        return None if row is None else self._store.decoded(_run, [row])[0]

    def turn_at(self, time: str) -> int:
        """The turn by which what is known by its stored time alone comes before all that was begun later."""
        row = self._store.first(_TURN_AT, (time,))
        return int(row[0]) if row is not None else 0

    def any_before(self, job: str, started: str) -> bool:
        """Whether a run of a job began before a stored time and has ended."""
        values = (key_of(self._store, job), started)
        return self._store.first(_ANY_BEFORE, values) is not None

    def forget_before(self, job: str, started: str, but: Collection[str] = ()) -> int:
        """Forget the runs of a job, with their journals, that began before a stored time and have ended; how many.

        `but`: the ids of those that stay.
        """
        values = (key_of(self._store, job), started, to_json(sorted(but)))
        return self._store.do(_FORGET, values).rowcount

    def undos_of(self, id: str, job: str) -> list[Run]:
        """The runs of a job that took this one back, the latest first."""
        return [run for run in self.undos(job) if run.undoes == id]

    def undos(self, job: str) -> list[Run]:
        """The runs of a job that took another one back, the latest first."""
        where = "WHERE run.job = ? AND run.kind = 'undo' ORDER BY run.key DESC"
        return self._store.decoded(_run, self._store.all(_RUNS + where, (key_of(self._store, job),)))

    def _beginning_with(self, said: str, job: str | None) -> list[Run]:
        if not said:
            return []
        rows = self._store.all(
            _RUNS + "WHERE run.id >= ? AND run.id < ? AND (?3 IS NULL OR job.id = ?3) ORDER BY run.id DESC LIMIT 10",
            (said, said + "\U0010ffff", job),
        )
        return self._store.decoded(_run, rows)


def run_id(now: datetime, random: str) -> str:
    """`YYYYMMDDTHHMMSSZ-xxxx`; `random` are four hexadecimal digits."""
    return f"{compact(now)}-{random}"


def _run(row: tuple[Any, ...]) -> Run:
    id, job, plan, kind, started, seconds, outcome, note, summary, roots, document, turn = row
    return Run(
        id,
        job,
        plan,
        kind,
        started,
        seconds,
        None if outcome is None else Outcome(outcome),
        note,
        json.loads(summary),
        json.loads(roots),
        json.loads(document),
        turn,
    )
