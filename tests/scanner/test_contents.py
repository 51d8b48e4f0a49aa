"""Contents that a merge asks for: read on both sides at once where there are many, and always the same ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from syncline.core.model import SIDES, Entry, Kind, Place, Problem, Reason, RelPath, Side
from syncline.errors import Interrupted
from syncline.fs.opening import open_root
from syncline.fs.root import Root
from syncline.scanner import contents
from syncline.scanner.client import hashing
from syncline.scanner.contents import Content, read_contents
from tests.e2e.disk import Link, write

FOLDERS = {Side.LEFT: "L", Side.RIGHT: "R"}


def roots(folder: Path) -> dict[Side, Root]:
    return {side: open_root(str(folder / FOLDERS[side])) for side in SIDES}


def never() -> None:
    """Reading goes on."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As many files on each side as are worth a process, a link, one that is gone and one that changed since."""
    for side in SIDES:
        (tmp_path / FOLDERS[side]).mkdir()
        tree = {f"{number}": f"{side}{number}" for number in range(contents.WORTH_FILES)}
        write(tmp_path / FOLDERS[side], tree | {"link": Link("there"), "gone": "1", "edited": "1", "empty": ""})
    return tmp_path


def needs(opened: dict[Side, Root]) -> dict[Place, Entry]:
    """Every file, as it is seen now."""
    found = {}
    for side, root in opened.items():
        for name in root.names(RelPath("")):
            entry = root.entry(RelPath(name))
            assert entry is not None
            found[Place(side, RelPath(name))] = entry
    return found


def read(folder: Path, monkeypatch: pytest.MonkeyPatch, *, apart: bool) -> dict[Place, Content]:
    monkeypatch.setattr(contents, "ABLE", apart)
    opened = roots(folder)
    with closing(opened[Side.LEFT]), closing(opened[Side.RIGHT]):
        asked = needs(opened)
        for side in SIDES:
            write(folder / FOLDERS[side], {"gone": None, "edited": "more"})
        try:
            return read_contents(opened, asked, never)
        finally:
            for side in SIDES:
                write(folder / FOLDERS[side], {"gone": "1", "edited": "1"})


def test_a_second_process_reads_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, apart = (read(folder, monkeypatch, apart=apart) for apart in (False, True))
    assert here == apart
    assert len(apart) == 2 * (contents.WORTH_FILES + 4)
    for side in SIDES:
        assert apart[Place(side, RelPath("link"))] == b"there"
        told = {name: apart[Place(side, RelPath(name))] for name in ("gone", "edited")}
        assert {name: one.reason for name, one in told.items() if isinstance(one, Problem)} == {
            "gone": Reason.TARGET_CHANGED,
            "edited": Reason.CHANGED_WHILE_COPIED,
        }


def test_what_a_process_that_was_killed_did_not_read_is_read_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, plain = os.getpid(), hashing

    def dying(root: Root, path: RelPath, expect: Entry) -> object:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(root, path, expect)

    monkeypatch.setattr(contents, "hashing", dying)
    found = read(folder, monkeypatch, apart=True)
    assert found == read(folder, monkeypatch, apart=False)


def children() -> set[str]:
    """The processes of this one; other tests may have some, too."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("after", [0, 50, contents.WORTH_FILES + 10])
def test_a_signal_ends_the_reading(folder: Path, after: int) -> None:
    opened = roots(folder)

    def counted() -> Callable[[], None]:
        asked = iter(range(10**9))

        def check() -> None:
            if next(asked) >= after:
                raise Interrupted(2)

        return check

    before = children()
    with closing(opened[Side.LEFT]), closing(opened[Side.RIGHT]):
        with pytest.raises(Interrupted):
            read_contents(opened, needs(opened), counted())
        assert children() == before  # no process is left


def test_an_entry_that_is_no_file_any_more_is_a_problem(tmp_path: Path) -> None:
    for side in SIDES:
        (tmp_path / FOLDERS[side]).mkdir()
    (tmp_path / "L/d").mkdir()
    opened = roots(tmp_path)
    with closing(opened[Side.LEFT]), closing(opened[Side.RIGHT]):
        place = Place(Side.LEFT, RelPath("d"))
        found = read_contents(opened, {place: Entry(Kind.FILE, 1)}, never)
    assert isinstance(found[place], Problem)
