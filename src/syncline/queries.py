"""Read-only answers from the state: how jobs stand, which runs there were, what one run did. Never looks at a root."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, NotRequired, TypedDict, cast

from syncline.core.model import SIDES, Conflict, Entry, Kind, MergeWith, Outcome, Place, RelPath, Side
from syncline.core.report import (
    FORMAT,
    PLANNED,
    SKIPPED,
    ActionRow,
    Document,
    Summary,
    action_row,
    counted,
    with_actions,
)
from syncline.engine.trash import Kept
from syncline.errors import UsageError
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts, Recorded
from syncline.store.db import Store, stored_time
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs
from syncline.store.journal import DONE, Journal
from syncline.store.runs import Run, Runs
from syncline.store.suspects import Suspects


class JobRow(TypedDict):
    """A job as `jobs list` has it. `roots`: path by the root's name."""

    job: str
    kind: str
    roots: dict[str, str]
    adhoc: bool


class StatusRow(TypedDict):
    """How a job stands. `in_sync` and `problems` are of the last look; None: never looked."""

    job: str
    state: str
    in_sync: bool | None
    last_run: str | None
    last_checked: str | None
    conflicts: int
    problems: int
    operations: NotRequired[OperationsRow]
    trash: NotRequired[dict[str, SpaceRow] | None]


class RunRow(TypedDict):
    """A run as `history` has it. `outcome` and `seconds` are None while it goes on."""

    run: str
    job: str
    started: str
    seconds: float | None
    outcome: str | None
    summary: Summary


class OperationsRow(TypedDict):
    """What was done lately: actions by their names, conflicts found by their rules."""

    hours: float
    done: int
    actions: dict[str, int]
    conflicts: dict[str, int]


class SpaceRow(TypedDict):
    """What the trash of one root holds of a job."""

    items: int
    bytes: int


class OpenRow(TypedDict):
    """A conflict as `conflicts` has it. `kept` is whose version has the path; None: nothing was touched."""

    id: int
    job: str
    path: str
    rule: str
    policy: str
    kept: str | None
    clash: str | None
    detected: str
    run: str | None
    open: bool


class TrashRow(TypedDict):
    """Something in the trash, as `trash list` has it."""

    job: str
    root: str
    path: str
    run: str
    bytes: int
    trashed_at: str


@dataclass(frozen=True, slots=True)
class Version:
    """One side's version of a path in conflict: the root's name, where it stands now, what was seen of it; whether its
    bytes are suspect; and whether both sides renamed it, each to a name of its own."""

    root: str
    path: str
    entry: Entry | None
    suspect: bool = False
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A conflict with both versions, for people."""

    row: OpenRow
    versions: tuple[Version, Version]
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One past run: its document without the actions, and the actions anew each time they are asked for."""

    head: Document
    store: Store
    run: str
    names: Mapping[Side, str]

    def rows(self) -> Iterator[ActionRow]:
        """The actions that were begun, in the order of the run."""
        for step in Journal(self.store).actions(self.run):
            yield action_row(step.action, _STATES.get(step.state, step.state), self.names)

    def chunks(self) -> Iterator[str]:
        """The JSON text of the whole document in pieces, ASCII only."""
        return with_actions(self.head, self.rows())


_STATES = {"begun": PLANNED, "": SKIPPED}
"""What the journal calls otherwise: an action that was begun and of which no more is known may or may not be done."""

_ROOT_NAMES = {"mirror": ("source", "target")}


def job_row(job: Job) -> JobRow:
    """A job as it is listed."""
    roots = {job.kind.root_name(side): job.root(side) for side in SIDES}
    return {"job": job.name, "kind": job.kind.name, "roots": roots, "adhoc": job.adhoc}


def settings_row(job: Job) -> dict[str, Any]:
    """Every setting of a job that is in force, as plain values."""
    return cast(dict[str, Any], _plain(job.settings))


def status(store: Store, jobs: Sequence[Job]) -> list[StatusRow]:
    """How these jobs stand, those that never ran too. Raises: StateError."""
    return [_status(store, job.name, Jobs(store).by_id(job.id)) for job in jobs]


def history(store: Store, name: str | None = None, limit: int | None = None) -> list[RunRow]:
    """Past runs of a job, or of all, the latest first. Raises: UsageError, StateError."""
    jobs = Jobs(store)
    wanted = None if name is None else jobs.get(name).id
    names = {job.id: job.name for job in jobs.all()}
    return [
        {
            "run": run.id,
            "job": names.get(run.job, run.job),
            "started": run.started,
            "seconds": None if run.seconds is None else round(run.seconds, 3),
            "outcome": None if run.outcome is None else run.outcome.value,
            "summary": _summary(store, run),
        }
        for run in Runs(store).history(wanted, limit)
    ]


def operations(store: Store, job: Job, hours: float, now: datetime) -> OperationsRow:
    """What the runs of a job did in the last so many hours. Raises: StateError."""
    since = stored_time(now - timedelta(hours=hours))
    actions = Journal(store).counted(job.id, since)
    found = Conflicts(store).counted(job.id, since)
    return {"hours": hours, "done": sum(actions.values()), "actions": actions, "conflicts": found}


def conflicts(store: Store, jobs: Sequence[Job], *, settled: bool = False) -> list[Disagreement]:
    """The open conflicts of these jobs, with `settled` the others too, the oldest first. Raises: StateError."""
    found = []
    for job in jobs:
        recorded = Conflicts(store).all(job.id) if settled else Conflicts(store).open_conflicts(job.id)
        suspects = {each.place for each in Suspects(store, job.id).all() if each.remembered is not None}
        found += [_disagreement(job, each, suspects) for each in recorded]
    return found


def run_id(store: Store, said: str, job: Job | None = None) -> str:
    """The id of the run a person means. Raises: UsageError, StateError."""
    return Runs(store).find(said, None if job is None else job.id).id


def space(job: Job, kept: Sequence[Kept]) -> dict[str, SpaceRow]:
    """What the trash of each root holds, by the root's name."""
    told: dict[str, SpaceRow] = {job.kind.root_name(side): {"items": 0, "bytes": 0} for side in job.kind.written()}
    for each in kept:
        row = told[job.kind.root_name(each.side)]
        row["items"] += 1
        row["bytes"] += each.entry.size if each.entry.kind is Kind.FILE else 0
    return told


def job_of_run(store: Store, said: str) -> tuple[str, str]:
    """The id of the run a person means, and the name of its job. Raises: UsageError, StateError."""
    run = Runs(store).find(said)
    job = Jobs(store).by_id(run.job)
    return run.id, run.job if job is None else job.name


def trash_row(job: Job, kept: Kept) -> TrashRow:
    """Something in the trash, as it is listed."""
    return {
        "job": job.name,
        "root": job.kind.root_name(kept.side),
        "path": kept.path,
        "run": kept.run,
        "bytes": kept.entry.size if kept.entry.kind is Kind.FILE else 0,
        "trashed_at": kept.at,
    }


def path_in(job: Job, said: str) -> RelPath:
    """A path within a job, as a person says it: relative to its roots, or absolute below one of them; bytes that are no
    UTF-8 also as the `\\udcXX` escapes of JSON.

    Raises: UsageError: it lies in neither root.
    """
    text = re.sub(r"\\udc([89a-f][0-9a-f])", lambda found: chr(0xDC00 + int(found[1], 16)), said)
    if os.path.isabs(text):
        for side in SIDES:
            below = os.path.relpath(text, job.root(side))
            if below != ".." and not below.startswith(f"..{os.sep}"):
                text = below
                break
        else:
            told = " and ".join(job.root(side) for side in SIDES)
            raise UsageError(
                f"{said} lies in none of the folders of {job.name}",
                hint=f"they are {told}: syncline jobs show {job.word}",
            )
    parts = [part for part in text.replace(os.sep, "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        hint = f"say it relative to the folders of the job: syncline jobs show {job.word}"
        raise UsageError(f"{said!r} is no path within {job.name}", hint=hint)
    return RelPath("/".join(parts))


def show(store: Store, said: str) -> Shown:
    """One run, by its id, a unique beginning of it, or `last`. Raises: UsageError, StateError."""
    run = Runs(store).find(said)
    job = Jobs(store).by_id(run.job)
    kind = "twoway" if job is None else job.kind
    names = dict(zip(SIDES, _root_names(kind), strict=True))
    kept: Mapping[str, Any] = run.document or {}
    roots = run.roots or {}
    head: Document = {
        "syncline": FORMAT,
        "job": run.job if job is None else job.name,
        "kind": kind,
        "plan": run.plan,
        "run": run.id,
        "dry_run": False,
        "outcome": (run.outcome or Outcome.INTERRUPTED).value,
        "roots": {names[side]: str(roots.get(side.value, "")) for side in SIDES},
        "actions": [],
        "conflicts": kept.get("conflicts", []),
        "problems": kept.get("problems", []),
        "objections": kept.get("objections", []),
        "summary": _summary(store, run),
        "seconds": round(run.seconds or 0.0, 3),
    }
    return Shown(head, store, run.id, names)


def _status(store: Store, name: str, job: Remembered | None) -> StatusRow:
    if job is None:
        return _never_run(name)
    runs = Runs(store)
    last = runs.history(job.id, 1)
    refused = _refused_since(store, job)
    return {
        "job": name,
        "state": "running" if runs.unfinished(job.id) else "refused" if refused else "idle",
        "in_sync": False if refused else job.in_sync,
        "last_run": last[0].id if last else None,
        "last_checked": refused or job.last_checked,
        "conflicts": len(Conflicts(store).open_conflicts(job.id)),
        "problems": job.problems,
    }


def _never_run(name: str) -> StatusRow:
    return {
        "job": name,
        "state": "idle",
        "in_sync": None,
        "last_run": None,
        "last_checked": None,
        "conflicts": 0,
        "problems": 0,
    }


def _refused_since(store: Store, job: Remembered) -> str | None:
    """When a guard last refused a plan of the job, if that was the last that was heard of it."""
    row = store.first("SELECT max(at) FROM approval JOIN job ON job.key = approval.job WHERE job.id = ?", (job.id,))
    at = None if row is None or row[0] is None else str(row[0])
    return at if at is not None and at > (job.last_checked or "") else None


def _disagreement(job: Job, recorded: Recorded, suspects: Collection[Place]) -> Disagreement:
    conflict = recorded.conflict
    kept = None if conflict.kept is None else conflict.kept.value
    row: OpenRow = {
        "id": recorded.id,
        "job": job.name,
        "path": conflict.path,
        "rule": conflict.rule.value,
        "policy": conflict.settled_by,
        "kept": job.kind.root_name(Side(kept)) if kept in ("left", "right") else kept,
        "clash": conflict.clash,
        "detected": recorded.detected,
        "run": recorded.run,
        "open": recorded.open,
    }
    left, right = (
        Version(
            job.kind.root_name(side),
            conflict.clash if conflict.clash is not None and conflict.clash_from is side else _now(conflict, side),
            entry,
            recorded.open and conflict.clash is None and Place(side, conflict.path) in suspects,
            bool(conflict.names),
        )
        for side, entry in zip(SIDES, (conflict.left, conflict.right), strict=True)
    )
    return Disagreement(row, (left, right), not job.kind.writes_left)


def _now(conflict: Conflict, side: Side) -> RelPath:
    """The path that a side has what is in conflict under."""
    return conflict.names[SIDES.index(side)] if conflict.names else conflict.path


def _summary(store: Store, run: Run) -> Summary:
    """What a run did; of one that was cut off, or goes on, as far as its journal tells."""
    if not run.summary:
        return counted(step.action for step in Journal(store).actions(run.id) if step.state == DONE)
    empty = dict.fromkeys(Summary.__annotations__, 0)
    return cast(Summary, {**empty, **run.summary})


def _root_names(kind: str) -> tuple[str, str]:
    return _ROOT_NAMES.get(kind, ("left", "right"))


def _plain(value: object) -> object:
    if isinstance(value, MergeWith):
        return str(value)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return json.loads(json.dumps(value))
