"""Each row of the decision matrix once, from the command line to the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.disk import File, Tree
from tests.e2e.matrix import ROWS, Row
from tests.e2e.pair import Answer, Pair

BALLAST: Tree = {f"ballast/{number // 100}/{number}": File(f"ballast {number}", at=0) for number in range(600)}
"""What the guards measure deletions against."""


@dataclass(frozen=True)
class Done:
    """All rows, carried out by one run."""

    pair: Pair
    answer: Answer
    again: Answer
    written: set[str]


@pytest.fixture(scope="module")
def done(fast: Path) -> Iterator[Done]:
    pair = Pair(Path(tempfile.mkdtemp(dir=fast)))
    pair.write(left={**BALLAST, **dict.fromkeys(ROWS, disk.DIR)})
    for name, row in ROWS.items():
        disk.write(pair.left / name, row.base)
    pair.sync()
    for name, row in ROWS.items():
        disk.write(pair.left / name, row.left)
        disk.write(pair.right / name, row.right)
    answer = pair.sync()
    before = disk.fingerprint(pair.left, pair.right)
    again = pair.sync()
    after = disk.fingerprint(pair.left, pair.right)
    yield Done(pair, answer, again, {path for path in before | after if before.get(path) != after.get(path)})
    shutil.rmtree(pair.left.parent)


@pytest.mark.parametrize("name", ROWS)
def test_row(done: Done, name: str) -> None:
    row = ROWS[name]
    sides = (done.pair.left / name, done.pair.right / name)
    for side in sides:
        assert disk.unclashed(disk.read(side)) == row.end
    assert disk.read(sides[0], properties=True) == disk.read(sides[1], properties=True)
    assert properties(sides[0], row) == {**row.modes, **row.times}
    for root, expected in ((done.pair.left, row.left_trash), (done.pair.right, row.right_trash)):
        found = {path.partition("/")[2]: told for path, told in disk.trash(root).items() if path.startswith(f"{name}/")}
        assert found == expected
    conflicts = [each for each in done.answer.document["conflicts"] if each["path"].startswith(f"{name}/")]
    assert tuple((each["rule"], each["kept"]) for each in conflicts) == row.conflicts
    problems = {reason for reason, _, path in done.answer.problems if path.startswith(f"{name}/")}
    assert problems == set(row.problems)


def properties(side: Path, row: Row) -> dict[str, float]:
    """The modes and times of those paths of a row that name one."""
    modes = {path: (side / path).lstat().st_mode & 0o7777 for path in row.modes}
    times = {path: (side / path).lstat().st_mtime - disk.START_S for path in row.times}
    return {**modes, **times}


def test_the_run_after_it_finds_nothing_to_do(done: Done) -> None:
    assert done.again.document["run"] is None
    assert done.again.document["outcome"] == "in-sync"
    assert done.again.actions == []


def test_the_run_after_it_writes_nothing(done: Done) -> None:
    locks = {str(root / ".syncline" / "lock") for root in (done.pair.left, done.pair.right)}
    assert done.written <= locks


def test_nothing_is_left_in_the_staging_directories(done: Done) -> None:
    assert disk.staged(done.pair.left) == disk.staged(done.pair.right) == []


def test_no_action_failed(done: Done) -> None:
    assert {row["state"] for row in done.answer.document["actions"]} == {"done"}
