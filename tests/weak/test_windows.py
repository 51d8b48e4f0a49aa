"""The attributes of Windows on NTFS, as its driver keeps them: between two folders there, and none beside a disk that
cannot."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.fs.windows import ATTRIBUTE
from tests.e2e import hidden
from tests.e2e.forks import Forks
from tests.e2e.hidden import ARCHIVE, TABLE, Hiding, Row, mark, marks
from tests.weak.mounts import Mount

pytestmark = pytest.mark.root

_numbers = itertools.count(1)


@pytest.fixture
def ntfs(mounts: dict[str, Mount]) -> Mount:
    if "ntfs" not in mounts:
        mounts["ntfs"] = Mount("ntfs")
    return mounts["ntfs"]


@pytest.fixture
def top(ntfs: Mount) -> Path:
    """A folder of one's own on NTFS."""
    made = ntfs.at / f"w{next(_numbers)}"
    made.mkdir()
    return made


@pytest.fixture
def pair(top: Path, parent: Forks) -> Iterator[Hiding]:
    """Both folders on NTFS, the state and the configuration on a disk."""
    with tempfile.TemporaryDirectory(prefix="syncline-weak-") as disk:
        made = Hiding(Path(disk), parent, ATTRIBUTE)
        for folder in (made.left, made.right):
            shutil.rmtree(folder)
        made.left, made.right = top / "left", top / "right"
        for folder in (made.left, made.right):
            folder.mkdir()
        made.say("[mtime, mode, windows]")
        yield made


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_they_are_merged_as_a_property_of_their_own(pair: Hiding, row: Row) -> None:
    hidden.merged(pair, row)


@pytest.mark.parametrize("row", [row for row in TABLE if row.does], ids=lambda row: row.says)
def test_a_run_is_taken_back_with_them_and_that_again(pair: Hiding, row: Row) -> None:
    hidden.undone(pair, row)


def test_what_else_the_driver_keeps_stays(pair: Hiding, ntfs: Mount) -> None:
    pair.in_step()
    compressed, word = 0x800, int.from_bytes(os.getxattr(pair.right / "d", ATTRIBUTE), "big")
    os.setxattr(pair.right / "d", ATTRIBUTE, (word | compressed).to_bytes(4, "big"))
    before = int.from_bytes(os.getxattr(pair.right / "d", ATTRIBUTE), "big")
    mark(pair.left, {"d": "hs", "b": "r"}, ATTRIBUTE)
    pair.run()
    assert int.from_bytes(os.getxattr(pair.right / "d", ATTRIBUTE), "big") == before | 4
    assert int.from_bytes(os.getxattr(pair.right / "b", ATTRIBUTE), "big") == ARCHIVE | 1
    ntfs.remount()
    assert pair.marks()["b"] == "r"
    assert pair.run() == []


def test_beside_a_disk_that_cannot_keep_them_they_are_neither_read_nor_written(pair: Hiding) -> None:
    pair.left = pair.state.parent / "left"
    pair.left.mkdir()
    pair.say("[mtime, mode, windows]")
    pair.write(left={"a": "1", "d/b": "2"})
    told = "the attributes read-only, hidden and system are not kept in step: in left they are not kept"
    assert told in pair.do("run", "pair").err
    mark(pair.right, {"a": "rh", "d": "s"}, ATTRIBUTE)
    answer = pair.do("run", "pair")
    assert (answer.actions, answer.document["outcome"]) == ([], "in-sync")
    assert told in answer.err
    assert marks(pair.right, ATTRIBUTE) == {"a": "rh", "d": "s"}
    pair.write(left={"a": "edited"})
    assert pair.run() == [("put-file", "right", "a")]
    assert (pair.right / "a").read_text("utf-8") == "edited"
    assert pair.run() == []
