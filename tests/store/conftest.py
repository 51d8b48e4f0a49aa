"""A state directory of its own for every test, and a clock that stands still until it is told to go on."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from syncline.store.db import Store
from syncline.store.jobs import Job, Jobs

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")

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


def in_another_process(state: State, statements: str) -> str:
    """What a process of its own prints that has the store open; `-9` if it was killed."""
    script = f"""
import os, signal
from dataclasses import replace
from tests.store.conftest import JOB, Clock
from syncline.store.db import Store
from syncline.store.jobs import Jobs
with Store.open({str(state.directory)!r}, now=Clock(), write=True) as store:
{textwrap.indent(statements, "    ")}
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, check=False)
    assert ended.returncode in (0, -9)
    return ended.stdout.decode().strip() if ended.returncode == 0 else "-9"


def killed_in_the_middle(state: State, rows: int = 1) -> None:
    """A process committed `rows` jobs, wrote one more, and was killed before it could commit that one."""
    state.begin()
    ended = in_another_process(
        state,
        f"""
store.connection.execute("PRAGMA wal_autocheckpoint = 0")
with store.transaction():
    for number in range({rows}):
        Jobs(store).add(replace(JOB, id=str(number), name=str(number)))
with store.transaction():
    Jobs(store).add(replace(JOB, id="lost", name="lost"))
    os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    assert ended == "-9" and "state.db-wal" in state.names()
