"""The trash: what is listed, what is put back where, what is emptied and what is not."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from syncline.core.retention import Heap, Retention, due
from tests.e2e import disk
from tests.e2e.disk import DIR, Dir, File, Link
from tests.e2e.forks import Forks
from tests.e2e.pair import Answer, Pair

JOB = "left-right"
LONG = os.environ.get("SYNCLINE_LONG") == "1"


def listed(pair: Pair, *args: str) -> list[tuple[str, str, int]]:
    """Root, path and bytes of everything that is listed."""
    rows = pair.call("trash", "list", *args, "--json").document["trash"]
    return sorted((row["root"], row["path"], row["bytes"]) for row in rows)


def restore(pair: Pair, *args: str) -> Answer:
    return pair.call("trash", "restore", JOB, *args, "--json")


@pytest.fixture
def deleted(pair: Pair) -> Pair:
    """A file, a link, and a folder with what is in it, deleted on the left."""
    pair.write({"a": File("one", at=5, mode=0o640), "d/x": "x", "d/e": Dir(0o700), "d/e/y": "yy", "link": Link("a")})
    pair.sync()
    pair.write({"a": None, "d": None, "link": None})
    pair.sync()
    return pair


def test_what_is_listed(deleted: Pair) -> None:
    everything = [("right", "a", 3), ("right", "d/e/y", 2), ("right", "d/x", 1), ("right", "link", 0)]
    assert listed(deleted) == everything
    assert listed(deleted, JOB) == everything
    assert listed(deleted, "--run", "last") == everything
    told = deleted.call("trash", "list").out
    assert "4 items (6 B) in all" in told
    assert f"syncline trash restore {JOB} " in told


def test_replaced_versions_are_listed_under_their_own_path(pair: Pair) -> None:
    pair.write({"d/a": "one"})
    for content in ("two", "three"):
        pair.sync()
        pair.write({"d/a": content})
    pair.sync()
    assert listed(pair) == [("right", "d/a", 3), ("right", "d/a", 3)]


PUT_BACK = [
    ("a file", ("a",), {"a": "=one"}),
    ("a file, elsewhere", ("a", "--to", "n/b"), {"n": "/", "n/b": "=one"}),
    ("a link", ("link",), {"link": "-> a"}),
    ("a folder", ("d",), {"d": "/", "d/x": "=x", "d/e": "/", "d/e/y": "=yy"}),
    ("a folder, elsewhere", ("d", "--to", "z"), {"z": "/", "z/x": "=x", "z/e": "/", "z/e/y": "=yy"}),
    ("a file of a folder", ("d/e/y",), {"d": "/", "d/e": "/", "d/e/y": "=yy"}),
    ("of the last run", ("a", "--run", "last"), {"a": "=one"}),
    ("from a side", ("a", "--from", "right"), {"a": "=one"}),
]


@pytest.mark.parametrize(("says", "args", "live"), PUT_BACK, ids=[row[0] for row in PUT_BACK])
def test_what_is_put_back(deleted: Pair, says: str, args: tuple[str, ...], live: dict[str, str]) -> None:
    answer = restore(deleted, *args)
    assert (answer.code, answer.document["outcome"]) == (0, "done"), str(answer)
    assert {row["why"] for row in answer.document["actions"]} == {"recover"}
    assert deleted.same() == live
    gone = {told for told in live.values() if told != "/"}
    assert not gone & set(disk.trash(deleted.right).values()), "it left the trash"
    assert deleted.sync().actions == []
    deleted.settled()
    assert deleted.call("show", "last", "--json").document["run"] == answer.document["run"]


def test_times_and_modes_come_back(deleted: Pair) -> None:
    restore(deleted, "a")
    restore(deleted, "d")
    for root in (deleted.left, deleted.right):
        status = (root / "a").stat()
        assert (status.st_mtime, status.st_mode & 0o777) == (disk.START_S + 5, 0o640)
        assert (root / "d/e").stat().st_mode & 0o777 == 0o700


def test_the_latest_is_taken_unless_a_run_is_said(pair: Pair) -> None:
    runs = []
    pair.write({"a": "one"})
    pair.sync()
    for content in ("two", None):
        pair.write({"a": content})
        runs.append(pair.sync().document["run"])
    assert restore(pair, "a", "--run", runs[0], "--to", "old").code == 0
    assert restore(pair, "a").code == 0
    assert pair.same() == {"a": "=two", "old": "=one"}


OCCUPIED = [
    ("by a file", {"a": "new"}, {}, ("a",)),
    ("on the other side only", {}, {"a": "new"}, ("a",)),
    ("by a folder", {"a/x": "new"}, {}, ("a",)),
    ("by a file above it", {"d": "new"}, {}, ("d/x",)),
    ("by what is said", {"b": "new"}, {}, ("a", "--to", "b")),
]


@pytest.mark.parametrize(("says", "left", "right", "args"), OCCUPIED, ids=[row[0] for row in OCCUPIED])
def test_a_path_that_is_taken_is_exit_4(deleted: Pair, says: str, left, right, args) -> None:
    deleted.write(left, right)
    before = disk.read(deleted.left), disk.read(deleted.right), disk.trash(deleted.right)
    answer = restore(deleted, *args)
    assert (answer.code, answer.document["outcome"]) == (4, "failed"), str(answer)
    problem = answer.document["problems"][0]
    assert (problem["root"], "--to" in problem["detail"]) == ("left" if left else "right", True)
    assert (disk.read(deleted.left), disk.read(deleted.right), disk.trash(deleted.right)) == before


def test_of_a_folder_what_is_not_taken_is_put_back(deleted: Pair) -> None:
    deleted.write({"d/x": "new"})
    deleted.sync()
    answer = restore(deleted, "d")
    assert answer.code == 4
    assert deleted.same() == {"d": "/", "d/x": "=new", "d/e": "/", "d/e/y": "=yy"}


NOT_THERE = [("never",), ("a", "--run", "2099"), ("a", "--from", "left"), (".syncline/root.json",), ("../a",)]


@pytest.mark.parametrize("args", NOT_THERE, ids=" ".join)
def test_what_is_not_in_the_trash_is_exit_2(deleted: Pair, args: tuple[str, ...]) -> None:
    assert restore(deleted, *args).code == 2


def test_a_mirror_puts_back_into_its_target_only(mirror: Pair) -> None:
    mirror.write({"a": "one"})
    mirror.sync()
    mirror.write({"a": None, "b": "two"})
    mirror.sync()
    answer = mirror.call("trash", "restore", "source-target", "a", "--json")
    assert answer.code == 0, str(answer)
    assert (disk.read(mirror.left), disk.read(mirror.right)) == ({"b": "=two"}, {"a": "=one", "b": "=two"})


def test_without_the_memory_the_trash_is_still_listed(deleted: Pair) -> None:
    shutil.rmtree(deleted.state)
    deleted.sync()
    assert listed(deleted) == [("right", "a", 3), ("right", "d/e/y", 2), ("right", "d/x", 1), ("right", "link", 0)]
    assert restore(deleted, "d/x").code == 0
    assert deleted.same() == {"d": "/", "d/x": "=x"}


def test_a_root_that_is_not_there_is_told_and_the_rest_listed(deleted: Pair) -> None:
    deleted.right.rename(deleted.right.with_name("away"))
    answer = deleted.call("trash", "list", "--json")
    assert (answer.code, answer.document) == (0, {"trash": []})
    assert "is not there" in answer.err


def test_two_jobs_of_one_root_have_each_their_own(deleted: Pair) -> None:
    third = deleted.left.with_name("third")
    third.mkdir()
    deleted.call("mirror", deleted.right, third, "-q")
    assert {row["job"] for row in deleted.call("trash", "list", "--json").document["trash"]} == {JOB}
    assert deleted.call("trash", "list", "right-third", "--json").document["trash"] == []


# emptying


def empty(pair: Pair, *args: str) -> Answer:
    return pair.call("trash", "empty", JOB, *args, "--json")


def test_all_of_it(deleted: Pair) -> None:
    (deleted.right / ".syncline/trash/20200101T000000Z-abcd").mkdir()
    answer = empty(deleted)
    assert (answer.code, len(answer.document["trash"])) == (0, 4), str(answer)
    assert listed(deleted) == []
    assert os.listdir(deleted.right / ".syncline/trash") == []
    assert deleted.call("trash", "list").out == "the trash is empty\n"
    deleted.settled()


def test_a_dry_run_only_says_it(deleted: Pair) -> None:
    before = disk.fingerprint(deleted.left, deleted.right, deleted.state)
    answer = empty(deleted, "--dry-run")
    assert (len(answer.document["trash"]), answer.document["dry_run"]) == (4, True)
    assert disk.fingerprint(deleted.left, deleted.right, deleted.state) == before
    assert f"trash empty {JOB}" in deleted.call("trash", "empty", JOB, "-n").out


def test_by_age(deleted: Pair) -> None:
    old = deleted.right / ".syncline/trash/20200101T000000Z-abcd/of/old"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    assert ("right", "of/old", 3) in listed(deleted)
    assert [row["path"] for row in empty(deleted, "--older-than", "30d").document["trash"]] == ["of/old"]
    assert len(listed(deleted)) == 4


def test_by_size(pair: Pair) -> None:
    for number in range(4):
        pair.write({"a": f"{number}" * 1000})
        pair.sync()
    assert len(listed(pair)) == 3
    empty(pair, "--max-size", "2kB")
    assert len(listed(pair)) == 2
    empty(pair, "--max-size", "0")
    assert len(listed(pair)) == 1, "what the latest run left stays"


@pytest.mark.parametrize("change", ["UPDATE run SET outcome = NULL", "UPDATE action SET state = 'begun'"])
def test_what_an_unfinished_run_may_need_stays(deleted: Pair, change: str) -> None:
    with sqlite3.connect(deleted.state / "state.db") as state:
        state.execute(change)
    state.close()
    assert empty(deleted).document["trash"] == []
    assert len(listed(deleted)) == 4


def test_a_locked_root_is_exit_5(deleted: Pair) -> None:
    import fcntl

    with open(deleted.right / ".syncline/lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert empty(deleted).code == 5
    assert len(listed(deleted)) == 4


def test_links_in_the_trash_are_not_followed(deleted: Pair) -> None:
    outside = deleted.left.with_name("outside")
    outside.mkdir()
    (outside / "kept").write_text("kept")
    run = next((deleted.right / ".syncline/trash").iterdir())
    (run / "evil").symlink_to(outside)
    assert empty(deleted).code == 0
    assert (outside / "kept").read_text() == "kept"


@pytest.mark.parametrize("said", ["soon", "-1d", "5"])
def test_an_age_that_is_none(deleted: Pair, said: str) -> None:
    assert empty(deleted, "--older-than", said).code == 2


HEAPS = [Heap("1", 400, 10), Heap("2", 300, 10), Heap("3", 200, 10), Heap("4", 100, 10)]

DUE = [
    ("without a limit all goes", Retention(), {"1", "2", "3", "4"}),
    ("by age, inclusive", Retention(keep_for_s=300), {"1", "2"}),
    ("none is so old", Retention(keep_for_s=401), set()),
    ("by size, the oldest first", Retention(keep_bytes=25), {"1", "2"}),
    ("exactly as much as may be", Retention(keep_bytes=40), set()),
    ("the latest stays", Retention(keep_bytes=0), {"1", "2", "3"}),
    ("both", Retention(keep_for_s=400, keep_bytes=20), {"1", "2"}),
    ("by age the latest goes too", Retention(keep_for_s=0), {"1", "2", "3", "4"}),
]
SET_BACK = [Heap("1", 100, 10), Heap("2", 50, 10), Heap("3", 3700, 10)]


@pytest.mark.parametrize(("says", "retention", "gone"), DUE, ids=[row[0] for row in DUE])
def test_which_runs_are_due(says: str, retention: Retention, gone: set[str]) -> None:
    assert due(HEAPS, retention) == gone


def test_the_latest_run_is_the_one_begun_last_whatever_its_clock_said() -> None:
    assert due(SET_BACK, Retention(keep_bytes=20)) == {"1"}


def test_a_restore_killed_at_any_step_loses_nothing(parent: Forks, quick: Path) -> None:
    step = 0
    while True:
        step += 1 if LONG else 3
        pair = Pair(quick / str(step), parent=parent)
        pair.write({"d/a": "one", "d/b": "two", "keep": DIR})
        pair.sync()
        pair.write({"d": None})
        pair.sync()
        done = parent.call("--state-dir", pair.state, "trash", "restore", JOB, "d", "--json", kill=step)
        if done.code == 0:
            break
        told = f"killed at {step}: {done.steps[-1]}"
        pair.sync(code=None)
        found = set(pair.same().values()) | set(disk.trash(pair.right).values()) | set(disk.trash(pair.left).values())
        assert {"=one", "=two"} <= found, told
        pair.call("trash", "restore", JOB, "d", "--json")
        assert pair.sync().code == 0
        assert {"=one", "=two"} <= set(pair.same().values()), told
    assert step > 10


def test_what_a_killed_restore_copies_from_is_not_emptied(deleted: Pair, parent: Forks) -> None:
    args = ("--state-dir", deleted.state, "trash", "restore", JOB, "d", "--json")
    assert parent.call(*args, at="commit journal done", do="kill -9 $PPID").code == -9
    assert empty(deleted).document["trash"] == []
    deleted.sync()
    assert {"=x", "=yy"} <= set(deleted.same().values()) | set(disk.trash(deleted.right).values())
    assert len(empty(deleted).document["trash"]) > 0
