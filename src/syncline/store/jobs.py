"""The jobs that are remembered: their roots, their options, and how far their memory reaches."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict, Unpack

from syncline.errors import UsageError
from syncline.store.columns import Json, as_it_is, to_bytes, to_json, to_text
from syncline.store.db import Store


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is remembered; the columns of the same names in schema.sql say what each field means.

    Paths are resolved, undecodable bytes as surrogate escapes; times are stored times (`syncline.store.db`).
    """

    id: str
    name: str
    kind: str
    left_path: str
    right_path: str
    options: Mapping[str, Json] = field(default_factory=dict)
    adhoc: bool = True
    created: str = ""
    generation: int = 0
    begun: bool = False
    complete: bool = False
    scope: str = ""
    left_marker: str | None = None
    right_marker: str | None = None
    left_filesystem: str | None = None
    right_filesystem: str | None = None
    last_checked: str | None = None
    in_sync: bool | None = None
    problems: int = 0
    last_summary: Mapping[str, Json] | None = None


class JobChange(TypedDict, total=False):
    """What can be changed in a remembered job."""

    name: str
    kind: str
    left_path: str
    right_path: str
    options: Mapping[str, Json]
    adhoc: bool
    generation: int
    begun: bool
    complete: bool
    scope: str
    left_marker: str | None
    right_marker: str | None
    left_filesystem: str | None
    right_filesystem: str | None
    last_checked: str | None
    in_sync: bool | None
    problems: int
    last_summary: Mapping[str, Json] | None


_NAMES = tuple(field.name for field in fields(Job))
_SELECT = f"SELECT {', '.join(_NAMES)} FROM job "  # noqa: S608
_INSERT = f"INSERT INTO job ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608

_FORMS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "left_path": (to_bytes, to_text),
    "right_path": (to_bytes, to_text),
    "options": (to_json, json.loads),
    "adhoc": (as_it_is, bool),
    "begun": (as_it_is, bool),
    "complete": (as_it_is, bool),
    "in_sync": (as_it_is, lambda given: None if given is None else bool(given)),
    "last_summary": (
        lambda given: None if given is None else to_json(given),
        lambda given: None if given is None else json.loads(given),
    ),
}
"""How the fields that are not stored as they are go in and come out."""


class Jobs:
    """The remembered jobs. Changes need an open transaction of the caller's. Raises: StateError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, job: Job) -> Job:
        """Remember a job, from now on; it is returned with the time of its creation."""
        values = [_stored(name, getattr(job, name)) for name in _NAMES]
        values[_NAMES.index("created")] = created = job.created or self._store.now()
        self._store.do(_INSERT, tuple(values))
        return replace(job, created=created)

    def all(self) -> list[Job]:
        """Every job, by name."""
        return self._store.decoded(_job, self._store.all(_SELECT + "ORDER BY name"))

    def by_name(self, name: str) -> Job | None:
        """The job of that name."""
        return self._one("WHERE name = ?", name)

    def by_id(self, id: str) -> Job | None:
        """The job of that id."""
        return self._one("WHERE id = ?", id)

    def by_pair(self, one: str, other: str) -> tuple[Job, bool] | None:
        """The job that has these two resolved paths, and whether they are swapped there."""
        for pair, swapped in (((one, other), False), ((other, one), True)):
            job = self._one("WHERE left_path = ? AND right_path = ?", *[to_bytes(path) for path in pair])
            if job is not None:
                return job, swapped
        return None

    def get(self, name: str) -> Job:
        """The job of that name.

        Raises:
            UsageError: there is none; the hint names those there are.
        """
        job = self.by_name(name)
        if job is None:
            known = ", ".join(each.name for each in self.all()) or "none yet"
            raise UsageError(f"no job is called {name!r}", hint=f"known jobs: {known}")
        return job

    def change(self, id: str, **new: Unpack[JobChange]) -> None:
        """Set some fields of a job. Raises: KeyError: it is not remembered."""
        unknown = new.keys() - JobChange.__annotations__.keys()
        if unknown:
            raise TypeError(f"not to be changed: {', '.join(sorted(unknown))}")
        columns = ", ".join(f"{name} = ?" for name in new)
        values = tuple(_stored(name, value) for name, value in new.items())
        if self._store.do(f"UPDATE job SET {columns} WHERE id = ?", (*values, id)).rowcount != 1:  # noqa: S608
            raise KeyError(id)

    def forget(self, id: str) -> None:
        """Forget a job with all that is remembered of it: base, runs, journal, conflicts, problems, approvals."""
        self._store.do("DELETE FROM job WHERE id = ?", (id,))

    def _one(self, where: str, *values: Any) -> Job | None:
        row = self._store.first(_SELECT + where, values)
        return None if row is None else self._store.decoded(_job, [row])[0]


def adhoc_name(left_name: str, right_name: str, taken: Callable[[str], bool]) -> str:
    """`LEFTNAME-RIGHTNAME` folded to `[a-z0-9-]`, with `-2`, `-3` ... while it is taken.

    The names are those of the roots' folders. Letters lose their accents; what is left empty is called `folder`.
    """
    name = f"{_folded(left_name)}-{_folded(right_name)}"
    number, candidate = 1, name
    while taken(candidate):
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def key_of(store: Store, job: str) -> int:
    """The row of a job, by its id; 0, to which nothing belongs, for a job that is not remembered."""
    found = store.first("SELECT key FROM job WHERE id = ?", (job,))
    return 0 if found is None else int(found[0])


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:40].strip("-") or "folder"


def _stored(name: str, value: Any) -> Any:
    return _FORMS[name][0](value) if name in _FORMS else value


def _job(row: tuple[Any, ...]) -> Job:
    values = {
        name: _FORMS[name][1](value) if name in _FORMS else value for name, value in zip(_NAMES, row, strict=True)
    }
    return Job(**values)
