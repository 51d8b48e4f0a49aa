"""Memory stays bounded: what a run holds per file, told by running on few files and on many.

The peaks are those of the largest process; the ones that read the roots count too, as children that were waited for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.forks import environment

FEW, MANY = 2_000, 20_000


def filled(folder: Path, files: int) -> None:
    """Two sides with the same files: names, sizes and times."""
    for side in "LR":
        for number in range(files):
            directory = folder / side / f"d{number // 40}"
            if number % 40 == 0:
                directory.mkdir(parents=True)
            path = directory / f"a file of no great length {number}"
            path.touch()
            os.utime(path, ns=(0, 1_700_000_000_000_000_000 + number))


def peak_bytes(folder: Path) -> int:
    """The most memory that a run held."""
    command = [sys.executable, "-m", "syncline", "--state-dir", str(folder / "state"), "sync", "L", "R", "--quiet"]
    actions = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    here = os.getcwd()
    os.chdir(folder)
    try:
        pid = os.posix_spawn(sys.executable, command, environment(), file_actions=actions)
    finally:
        os.chdir(here)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the unit of the peak is another one")
def test_what_a_run_holds_does_not_grow_with_the_files_that_are_in_step(quick: Path) -> None:
    first, again = {}, {}
    for files in (FEW, MANY):
        folder = quick / str(files)
        filled(folder, files)
        first[files] = peak_bytes(folder)
        again[files] = peak_bytes(folder)
    more = MANY - FEW
    assert again[MANY] - again[FEW] < 4_000_000 < 250 * more, again  # not by file: what SQLite keeps of the state
    assert first[MANY] - first[FEW] < 600 * more, first  # a million: 600 MB at most
