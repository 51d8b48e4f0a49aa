"""A state directory of its own for every test, and a clock that stands still until it is told to go on."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncline.store.db import Store
from syncline.store.jobs import Job, Jobs

JOB = Job("ab" * 16, "docs-usb", "twoway", "/home/docs", "/media/usb\udcff")

Picture = dict[str, tuple[int, int, int, bytes]]
"""Name -> mode, inode, mtime_ns, content; the directory itself under `.`."""


@dataclass
class Clock:
    time: datetime = field(default_factory=lambda: datetime(2026, 11, 20, 18, 45, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.time

    def go_on(self, **step: float) -> None:
        self.time += timedelta(**step)


@dataclass
class State:
    """A state directory."""

    directory: Path
    clock: Clock

    @property
    def file(self) -> Path:
        return self.directory / "state.db"

    def open(self, *, write: bool = True) -> Store:
        return Store.open(str(self.directory), now=self.clock, write=write)

    def begin(self) -> None:
        """A sound database with one job."""
        with self.open() as store, store.transaction():
            Jobs(store).add(JOB)

    def jobs(self, *, write: bool = False) -> list[str]:
        with self.open(write=write) as store:
            return [job.name for job in Jobs(store).all()]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def picture(self) -> Picture:
        """All that can be seen of the directory from outside, times and inodes included."""
        seen: Picture = {}
        for name in [".", *self.names()]:
            path = self.directory / name
            found = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(found.st_mode) else b""
            seen[name] = (found.st_mode, found.st_ino, found.st_mtime_ns, content)
        return seen


@pytest.fixture
def state(tmp_path) -> State:
    return State(tmp_path / "state", Clock())


@pytest.fixture
def store(state) -> Iterator[Store]:
    """An open store with one job, `JOB`, remembered."""
    state.begin()
    with state.open() as opened:
        yield opened


Damage = Callable[[Path], None]
