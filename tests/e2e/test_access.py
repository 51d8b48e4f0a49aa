"""A user without special rights: directories that may not be written, in the tree that is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]


class Pair:
    """Two folders in step, of a user without rights: `d` is closed, and so is what `d/e` is; `f` is a file."""

    def __init__(self, top: Path) -> None:
        self.left, self.right, self._top = top / "left", top / "right", top
        (self.left / "d" / "e").mkdir(parents=True)
        self.right.mkdir()
        for name in ("d/kept", "d/gone", "d/e/deep", "f"):
            (self.left / name).write_text(name)
        self.close(self.left / "d" / "e", self.left / "d")
        self.sync()
        assert self.modes(self.right) == {"d": 0o555, "d/e": 0o555}

    def sync(self) -> dict:
        return self.do("sync", str(self.left), str(self.right), "--json")

    def do(self, *arguments: str, code: int = 0) -> dict:
        command = [sys.executable, "-m", "syncline", "--state-dir", str(self._top / "state"), *arguments]
        done = subprocess.run([*WITHOUT_RIGHTS, *command], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    @staticmethod
    def open(*directories: Path) -> None:
        for each in directories:
            os.chmod(each, 0o755)

    @staticmethod
    def close(*directories: Path) -> None:
        for each in directories:
            os.chmod(each, 0o555)

    @staticmethod
    def modes(side: Path) -> dict[str, int]:
        """The closed directories of a side, with their modes."""
        found = [each for each in side.rglob("*") if each.is_dir() and ".syncline" not in each.parts]
        modes = {str(each.relative_to(side)): os.stat(each).st_mode & 0o777 for each in found}
        return {path: mode for path, mode in modes.items() if mode != 0o755}

    @staticmethod
    def files(side: Path) -> dict[str, str]:
        found = [each for each in side.rglob("*") if each.is_file() and ".syncline" not in each.parts]
        return {str(each.relative_to(side)): each.read_text() for each in found}


def _changed_within(pair: Pair) -> None:
    pair.open(pair.left / "d")
    (pair.left / "d" / "gone").unlink()
    (pair.left / "d" / "kept").write_text("changed")
    (pair.left / "d" / "new").write_text("3")
    pair.close(pair.left / "d")


def _moved_into_another(pair: Pair) -> None:
    pair.open(pair.left / "d", pair.left / "d" / "e")
    os.rename(pair.left / "d" / "e", pair.left / "e")
    os.mkdir(pair.left / "new")
    os.rename(pair.left / "d", pair.left / "new" / "d")
    pair.close(pair.left / "e", pair.left / "new" / "d")


def _exchanged(pair: Pair) -> None:
    (pair.left / "o").mkdir()
    (pair.left / "o" / "p").mkdir()
    (pair.left / "o" / "p" / "q").write_text("q")
    pair.close(pair.left / "o" / "p")
    pair.sync()
    pair.open(pair.left / "d", pair.left / "o" / "p")
    os.rename(pair.left / "d", pair.left / "t")
    os.rename(pair.left / "o" / "p", pair.left / "d")
    os.rename(pair.left / "t", pair.left / "o" / "p")
    pair.close(pair.left / "d", pair.left / "o" / "p")


def _deleted(pair: Pair) -> None:
    _remove_d(pair)


def _became_a_file(pair: Pair) -> None:
    _remove_d(pair)
    (pair.left / "d").write_text("a file")


def _became_a_directory_beside_an_edit(pair: Pair) -> None:
    (pair.left / "f").unlink()
    (pair.left / "f").mkdir()
    (pair.left / "f" / "in").write_text("in")
    pair.close(pair.left / "f")
    (pair.right / "f").write_text("edited")


def _remove_d(pair: Pair) -> None:
    pair.open(pair.left / "d", pair.left / "d" / "e")
    for name in ("d/kept", "d/gone", "d/e/deep"):
        (pair.left / name).unlink()
    (pair.left / "d" / "e").rmdir()
    (pair.left / "d").rmdir()


@pytest.mark.root
@pytest.mark.parametrize(
    "change",
    [
        _changed_within,
        _moved_into_another,
        _exchanged,
        _deleted,
        _became_a_file,
        _became_a_directory_beside_an_edit,
    ],
)
def test_a_directory_without_write_permission_is_opened_for_the_change_and_restored(
    tmp_path: Path, change: Callable[[Pair], None]
) -> None:
    pair = Pair(tmp_path)
    change(pair)
    pair.sync()
    assert pair.files(pair.left) == pair.files(pair.right)
    assert pair.modes(pair.left) == pair.modes(pair.right)
    assert pair.sync()["run"] is None


@pytest.mark.root
def test_what_was_closed_goes_from_the_trash(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    _remove_d(pair)
    pair.sync()
    gone = pair.do("trash", "empty", "left-right", "--json")
    assert len(gone["trash"]) == 3
    assert list((pair.right / ".syncline" / "trash").iterdir()) == []
