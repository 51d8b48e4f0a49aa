"""Every value of the configuration that is in force, as it would be written, with where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypedDict

from pydantic import BaseModel, SecretStr

from syncline.config import Study, schema
from syncline.config.parse import Reading, located, shown
from syncline.config.text import Path, dotted
from syncline.config.values import ConfiguredJob
from syncline.config.variables import MESSAGES

HIDDEN = "***"

_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL", re.IGNORECASE)


class ValueRow(TypedDict):
    """One value. `origin`: default, file or environment; `variables` are those it was made of.

    `in_force`: whether this version does what it says; `settable`: whether another value would be taken.
    """

    key: str
    value: Any
    origin: str
    file: str | None
    line: int | None
    variables: list[str]
    secret: bool
    in_force: bool
    settable: bool


def rows(study: Study) -> list[ValueRow]:
    """All values, jobs first, in the order of the file."""
    if study.reading is not None:
        return list(_of_file(study.reading))
    return [row for job in study.configuration.jobs for row in _of_plain(study, job)]


def _of_file(reading: Reading) -> Iterator[ValueRow]:
    for name, job in reading.jobs.items():
        yield from _block(reading, ("jobs", name), job, schema.NOT_YET["jobs"])
    for name, block in reading.blocks.items():
        yield from _block(reading, (name,), block, schema.NOT_YET[name])


def _block(
    reading: Reading, path: Path, block: BaseModel, idle: frozenset[str], within: str = ""
) -> Iterator[ValueRow]:
    for name in _names(block):
        value = getattr(block, name)
        inner, key = (*path, name), f"{within}{name}"
        if value is None and inner not in reading.document.lines and isinstance(block, schema.MirrorRule):
            continue  # a rule says nothing about it
        if isinstance(value, BaseModel):
            yield from _block(reading, inner, value, idle, f"{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            for number, item in enumerate(value):
                yield from _block(reading, (*inner, number), item, idle, f"{key}.")
        elif isinstance(value, dict) and value:
            for each in value:
                yield _row(reading, (*inner, each), key, value[each], idle)
        else:
            yield _row(reading, inner, key, value, idle)


def _names(block: BaseModel) -> list[str]:
    """The keys of a block, a job's folders directly behind its kind."""
    names = list(type(block).model_fields)
    if isinstance(block, schema.Job):
        first = ["kind", *schema.ROOTS[block.kind]]
        names = first + [name for name in names if name not in first]
    return names


def _row(reading: Reading, path: Path, key: str, value: Any, idle: frozenset[str]) -> ValueRow:
    document = reading.document
    there = path in document.lines
    used = sorted({name for place, names in document.variables.items() if place[: len(path)] == path for name in names})
    if path[0] == "jobs" and key in ("left", "right", "source", "target"):
        value = located(value, document.file)
    secret = isinstance(value, SecretStr) or any(_SECRET_NAME.search(name) for name in used)
    return {
        "key": dotted(path),
        "value": HIDDEN if secret else value if isinstance(value, list) else shown(key, value),
        "origin": "environment" if used else "file" if there else "default",
        "file": document.file if there else None,
        "line": document.lines[path] if there else None,
        "variables": used,
        "secret": secret,
        "in_force": key not in idle or key in schema.FIXED,
        "settable": key not in idle,
    }


def _of_plain(study: Study, job: ConfiguredJob) -> Iterator[ValueRow]:
    found = study.variables
    told = {
        f"jobs.{job.name}.source": (job.left.path, "SOURCE_DIR"),
        f"jobs.{job.name}.target": (job.right.path, "DEST_DIR"),
        "MOUNT_POINT": (job.mount, "MOUNT_POINT"),
        "LOG_FILE": (study.configuration.log.file, "LOG_FILE"),
        **{name: (found.values.get(name), name) for name in MESSAGES},
    }
    for key, (value, name) in told.items():
        if not value:
            continue
        file, line = found.origin(name)
        yield {
            "key": key,
            "value": HIDDEN if name in MESSAGES else value,
            "origin": "environment" if file is None else "file",
            "file": file,
            "line": line,
            "variables": [name],
            "secret": name in MESSAGES,
            "in_force": name not in MESSAGES,
            "settable": name not in MESSAGES,
        }
