"""A file system that is there and answers nothing: its driver, a process, is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.forks import Forks, environment
from tests.weak.mounts import Mount
from tests.weak.pairs import WeakPair

pytestmark = pytest.mark.root

SILENCE_S = 30


@pytest.fixture
def pair(tmp_path: Path, parent: Forks) -> Iterator[WeakPair]:
    """Two folders in step, the right one on a driver of its own."""
    mount = Mount("ntfs")
    try:
        made = WeakPair(tmp_path, mount, "right", parent)
        made.write({"a": "1", "b": "2"})
        made.sync()
        yield made
    finally:
        for each in made.right, made.left:
            shutil.rmtree(each, ignore_errors=True)
        mount.close()


def driver(pair: WeakPair) -> int:
    """The process that answers for the right folder."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            words = (process / "cmdline").read_bytes().split(b"\0")
            if os.fsencode(pair.mount.at) in words and words[0].endswith(b"ntfs-3g"):
                return int(process.name)
    raise AssertionError("the driver has no process")


@contextmanager
def stopped(pair: WeakPair) -> Iterator[None]:
    number = driver(pair)
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


def started(pair: WeakPair, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        pair.command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    )


def test_it_is_given_up(pair: WeakPair) -> None:
    job = pair.sync().document["job"]
    pair.write({"a": "edited", "b": None})
    with stopped(pair):
        begun_s = time.monotonic()
        running = [
            started(pair, *args)
            for args in (
                ("sync", pair.left, pair.right),
                ("sync", "-n", pair.left, pair.right),
                ("plan", job),
                ("verify", job),
            )
        ]
        for process in running:
            said = process.communicate(timeout=SILENCE_S + 30)[1]
            assert process.returncode == 4, said
            assert f"{pair.right} has given no answer for {SILENCE_S} seconds" in said
            assert "nothing was changed" in said
        assert time.monotonic() - begun_s >= SILENCE_S
    pair.sync()
    assert pair.same() == {"a": "=edited"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_first_look(number: int, code: int, pair: WeakPair) -> None:
    with stopped(pair):
        run = started(pair, "sync", pair.left, pair.right)
        time.sleep(1.5)
        run.send_signal(number)
        said = run.communicate(timeout=10)
        assert run.returncode == code, said
    pair.quiet()


@pytest.mark.parametrize(
    ("at", "name", "code"),
    [
        ("create", "INT", 130),
        ("create", "TERM", 143),
        ("flush", "INT", 130),
        ("link", "INT", 130),
        ("replace", "INT", 130),
    ],
)
def test_a_second_signal_ends_a_run_that_waits_for_an_answer(
    at: str, name: str, code: int, pair: WeakPair, parent: Forks
) -> None:
    """It waits in a call of the system, where it cannot hear them."""
    before = disk.read(pair.left)
    pair.write({"a": "edited", "new": "3"})
    number, args = driver(pair), ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    later = f"sleep 0.5; kill -{name} $PPID; sleep 3; kill -{name} $PPID; sleep 3; kill -CONT {number}"
    try:
        done = parent.call(*args, at=at, do=f"kill -STOP {number}; ({later}) >&- 2>&- &")
    finally:
        os.kill(number, signal.SIGCONT)
    assert at in done.steps
    assert done.code == code, done
    assert "waiting for a disk that gives no answer" in done.err
    assert "ended without an answer" in done.err
    pair.sync()
    assert pair.same() == {**before, "a": "=edited", "new": "=3"}
    pair.steady()
