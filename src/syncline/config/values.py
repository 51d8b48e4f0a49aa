"""What a configuration amounts to once it is read: values of the standard library, quick to load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncline.errors import UsageError


@dataclass(frozen=True, slots=True)
class Root:
    """One folder of a job: the key that names it, its absolute path, its line."""

    key: str
    path: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredJob:
    """A job of the configuration. `left` and `right` of a mirror are its source and its target.

    `options` has the form in which options are remembered: what is not said is not there. `mount` is a folder on which
    something must be mounted before the job runs.
    """

    name: str
    kind: str
    left: Root
    right: Root
    options: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None
    line: int | None = None
    mount: str | None = None

    def pair(self) -> tuple[str, str]:
        """Both folders, links followed as they stand now."""
        return os.path.realpath(self.left.path), os.path.realpath(self.right.path)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the log is kept. `file` None: where it always is."""

    level: str = "info"
    format: str = "text"
    max_bytes: int = 10_000_000
    keep: int = 5
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was said. `file` None: there is no configuration file. `notes` are to be told to the person.
    `wanting`: why plain variables, which may be set for another program, make no job."""

    file: str | None = None
    jobs: tuple[ConfiguredJob, ...] = ()
    log: LogSettings = LogSettings()
    notes: tuple[str, ...] = ()
    wanting: UsageError | None = None

    def job(self, name: str) -> ConfiguredJob | None:
        """The job of that name."""
        return next((job for job in self.jobs if job.name == name), None)

    def missing(self) -> tuple[str, ...]:
        """A sentence for every folder that is not there now."""
        return tuple(
            f"{root.key}: {root.path} is not there"
            for job in self.jobs
            for root in (job.left, job.right)
            if not os.path.isdir(root.path)
        )


def overlaps(jobs: tuple[ConfiguredJob, ...]) -> list[UsageError]:
    """A fault for every job whose folders are one, or one inside the other. Both are looked up on the disk."""
    faults = []
    for job in jobs:
        left, right = job.pair()
        told = None
        if left == right or _same(left, right):
            told = f"is the same folder as {job.left.key.rpartition('.')[2]}, {left}"
        elif right.startswith(left.rstrip(os.sep) + os.sep):
            told = f"{right} lies inside {job.left.key.rpartition('.')[2]}, {left}"
        elif left.startswith(right.rstrip(os.sep) + os.sep):
            told = f"{job.left.key.rpartition('.')[2]}, {left}, lies inside it"
        if told is not None:
            faults.append(UsageError(f"{job.right.key}: {told}", file=job.file, line=job.right.line))
    return faults


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
