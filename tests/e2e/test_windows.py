"""The attributes of Windows kept in step, on folders of any kind: what the drivers of NTFS keep in one extended
attribute stands in another one here. `tests/weak` does the same on NTFS itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.fs.windows import ATTRIBUTE
from tests.e2e import hidden
from tests.e2e.disk import DIR, File
from tests.e2e.forks import Forks
from tests.e2e.hidden import MARKED, SET, TABLE, Hiding, Row, mark, marks
from tests.fs.roots import SIMULATED


@pytest.fixture
def pair(quick: Path, parent: Forks) -> Hiding:
    return Hiding(quick, parent, SIMULATED)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_they_are_merged_as_a_property_of_their_own(pair: Hiding, row: Row) -> None:
    hidden.merged(pair, row)


@pytest.mark.parametrize("row", [row for row in TABLE if row.does], ids=lambda row: row.says)
def test_a_run_is_taken_back_with_them_and_that_again(pair: Hiding, row: Row) -> None:
    hidden.undone(pair, row)


def test_a_rename_meets_new_ones(pair: Hiding) -> None:
    pair.in_step()
    (pair.left / "d").rename(pair.left / "f")
    (pair.left / "a").rename(pair.left / "f/a")
    mark(pair.right, {"d": "r", "a": "s"}, pair.attribute)
    before = marks(pair.left, pair.attribute)
    done = pair.do("run", "pair")
    assert {kind for kind, _, _ in done.actions} == {"rename", SET}
    assert pair.marks() == {"f": "r", "f/a": "s", "f/c": "rhs"}
    assert pair.run() == []
    pair.do("undo", done.document["run"], code=None)
    assert marks(pair.left, pair.attribute) == before
    assert marks(pair.right, pair.attribute) == {"d": "r", "d/c": "rhs", "a": "s"}


def test_a_first_meeting_hides_what_is_hidden_on_one_side(pair: Hiding) -> None:
    pair.write({"a": "1", "b": "2", "d": DIR}, {"a": "1", "b": "2", "d": DIR})
    mark(pair.left, {"a": "h"}, pair.attribute)
    mark(pair.right, {"b": "rs", "d": "h"}, pair.attribute)
    pair.run()
    assert pair.marks() == {"a": "h", "b": "rs", "d": "h"}
    assert pair.run() == []


def test_those_taken_in_later_are_levelled(pair: Hiding) -> None:
    pair.say("[mtime, mode]")
    pair.write(left={"a": "1", "b": "2", "c": "3"})
    mark(pair.left, {"a": "h"}, pair.attribute)
    pair.run()
    mark(pair.right, {"b": "r"}, pair.attribute)
    assert pair.run() == []
    assert marks(pair.right, pair.attribute) == {"b": "r"}
    pair.say("[mtime, mode, windows]")
    assert pair.run() == [(SET, "left", "b"), (SET, "right", "a")]
    assert pair.marks() == {"a": "h", "b": "r"}
    assert pair.run() == []


def test_a_mirror_gives_its_target_those_of_the_source(quick: Path, parent: Forks) -> None:
    pair = Hiding(quick, parent, SIMULATED, "mirror")
    pair.in_step()
    mark(pair.left, {"b": "s"}, pair.attribute)
    mark(pair.right, {"a": "", "d": "r"}, pair.attribute)
    (pair.right / "d/c").unlink()
    pair.run()
    assert pair.marks() == {**MARKED, "b": "s"}
    assert pair.run() == []


def test_a_conflict_on_hold_is_resolved(quick: Path, parent: Forks) -> None:
    pair = Hiding(quick, parent, SIMULATED, more="    props_both: hold\n")
    pair.in_step()
    mark(pair.left, {"a": "r"}, pair.attribute)
    mark(pair.right, {"a": "s"}, pair.attribute)
    assert pair.do("run", "pair", code=1).document["conflicts"][0]["rule"] == "props-both"
    pair.do("resolve", "pair", "a", "--keep", "right")
    assert pair.marks()["a"] == "s"
    assert pair.run() == []


def test_a_clash_file_and_what_the_trash_gives_back_keep_theirs(pair: Hiding) -> None:
    pair.in_step()
    pair.write({"a": File("left", at=90)}, {"a": File("right", at=10)})
    mark(pair.left, {"a": "r"}, pair.attribute)
    mark(pair.right, {"a": "s"}, pair.attribute)
    pair.run()
    clash = next(path.name for path in pair.left.iterdir() if "_clash_" in path.name)
    assert pair.marks() == {**MARKED, "a": "r", clash: "s"}
    (pair.left / "d/c").unlink()
    pair.run()
    pair.do("trash", "restore", "pair", "d/c")
    assert pair.marks()["d/c"] == "rhs"


def test_a_side_that_cannot_keep_them_is_named_and_nothing_is_read_or_carried(pair: Hiding) -> None:
    pair.attribute = ATTRIBUTE
    pair.write(left={"a": "1"})
    mark(pair.left, {"a": "h"}, SIMULATED)
    answer = pair.do("run", "pair", "--dry-run")
    told = "the attributes read-only, hidden and system are not kept in step: in left and right they are not kept"
    assert told in answer.err
    pair.run()
    assert marks(pair.right, SIMULATED) == {}
    assert pair.run() == []
