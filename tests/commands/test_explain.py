"""`explain`, `status --hours` and `doctor`: what they say of what has happened."""

# ruff: noqa: E501  a row of a table is a line

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import disk
from tests.e2e.disk import DIR, File, Touch
from tests.e2e.pair import Pair

JOB = "left-right"


def explain(pair: Pair, path: str) -> dict[str, Any]:
    return pair.call("explain", JOB, path, "--json").document


def events(told: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    return [(each["action"], each["root"], each["why"]) for each in told["events"]]


def history(pair: Pair) -> None:
    """Created, edited, in conflict, deleted; each in a run of its own."""
    pair.write({"d/a": File("one", at=0), "still": "x"})
    pair.sync()
    pair.write({"d/a": File("two", at=10)})
    pair.sync()
    pair.write({"d/a": File("left", at=90)}, {"d/a": File("right", at=50)})
    pair.sync()


def test_the_story_of_a_path(pair: Pair) -> None:
    history(pair)
    told = explain(pair, "d/a")
    assert events(told) == [
        ("put-file", "right", "created-left"),
        ("put-file", "right", "changed-left"),
        ("put-file", "right", "conflict"),
        ("conflict", None, "changed-both"),
    ]
    kept = told["events"][1]
    assert (kept["there"], disk.content(kept["trash"])) == (True, "one")
    assert told["in_step"] is True
    assert told["next"] == [f"syncline resolve {JOB} d/a --keep {keep}" for keep in ("left", "right", "both", "newest")]
    clash = told["events"][3]["clash"]
    assert "put aside as a clash file" in explain(pair, clash)["reason"]
    pair.call("resolve", JOB, "d/a", "--keep", "right")
    told = explain(pair, "d/a")
    assert events(told)[4:] == [
        ("put-file", "left", "conflict"),
        ("put-file", "right", "conflict"),
        ("settled", None, "changed-both"),
    ]
    assert (told["in_step"], told["next"]) == (True, [])


def test_when_and_by_which_action(pair: Pair) -> None:
    begun = datetime.now(UTC)
    history(pair)
    rows = pair.call("history", "--json").document["runs"][::-1]
    told = explain(pair, "d/a")["events"]
    assert [each["run"] for each in told] == [rows[number]["run"] for number in (0, 1, 2, 2)]
    at = [datetime.fromisoformat(each["at"]) for each in told]
    assert begun <= at[0] <= at[1] <= at[2] <= datetime.now(UTC)
    assert all(row["started"] <= each["at"] for each, row in zip(told[:3], rows, strict=True))


def test_of_what_is_gone(pair: Pair) -> None:
    history(pair)
    pair.write({"d": None})
    pair.sync()
    told = explain(pair, "d/a")
    assert told["events"][-1]["action"] == "settled", "its clash file went with the folder"
    last = told["events"][-2]
    assert (last["action"], last["path"], last["why"], last["there"]) == ("trash", "d", "deleted-left", True)
    assert disk.content(last["trash"]) == "left"
    assert told["reason"] == "it stands on neither side"
    assert told["next"] == [f"syncline trash restore {JOB} d/a"]
    assert pair.call(*told["next"][0].split()[1:]).code == 0
    assert disk.read(pair.right)["d/a"] == "=left"
    pair.call("trash", "empty", JOB)
    assert [each.get("there") for each in explain(pair, "d/a")["events"] if "trash" in each] == [False, False]


Now = tuple[str, disk.Tree, disk.Tree, str, bool | None, str]

NOW: list[Now] = [
    ("in step", {}, {}, "a", True, "as they agreed"),
    ("edited", {"a": "edit"}, {}, "a", False, "it changed in left; the next run"),
    ("edited on both sides", {"a": "edit"}, {"a": "other"}, "a", False, "changed in left and it changed in right"),
    ("deleted", {"a": None}, {}, "a", False, "it was deleted in left"),
    ("new", {}, {"new": "x"}, "new", False, "it is new in right"),
    ("another mode", {"a": Touch(mode=0o600)}, {}, "a", False, "it changed in left"),
    ("a folder in step", {}, {}, "d", True, "as they agreed"),
    ("a folder with an edit", {"d/x": "edit"}, {}, "d", False, "something below it changed in left"),
    ("a folder with a new folder", {"d/new/x": "x"}, {}, "d", False, "something below it changed in left"),
    ("ignored", {"a.tmp": "x"}, {}, "a.tmp", None, "matches an ignore pattern"),
    ("in an ignored folder", {"cache/x": "x"}, {}, "cache/x", None, "the folder cache matches an ignore pattern"),
    ("syncline's own", {}, {}, ".syncline/root.json", None, "it is syncline's own"),
    ("never there", {}, {}, "never", True, "it stands on neither side"),
    ("deleted on both sides", {"a": None}, {"a": None}, "a", True, "the next run forgets it"),
]


@pytest.mark.parametrize(("says", "left", "right", "path", "in_step", "reason"), NOW, ids=[row[0] for row in NOW])
def test_how_it_stands(
    pair: Pair, says: str, left: disk.Tree, right: disk.Tree, path: str, in_step: bool | None, reason: str
) -> None:
    pair.write({"a": File("a", mode=0o644), "d/x": "x", "d/e": DIR})
    pair.sync("--exclude", "*.tmp", "--exclude", "/cache/")
    pair.write(left, right)
    told = explain(pair, path)
    assert (told["in_step"], reason in told["reason"]) == (in_step, True), told
    if in_step is False:
        assert told["next"] == [f"syncline run {JOB}"]
    before = disk.fingerprint(pair.left, pair.right)
    explain(pair, path)
    assert disk.fingerprint(pair.left, pair.right) == before


def test_a_problem_is_the_reason(pair: Pair) -> None:
    pair.write({"a": "x"})
    os.mkfifo(pair.left / "pipe")
    pair.sync()
    told = explain(pair, "pipe")
    assert (told["in_step"], "special-file (left)" in told["reason"]) == (False, True)


def test_a_held_conflict_says_how_to_go_on(pair: Pair) -> None:
    pair.write({"a b": File("left", at=90)}, {"a b": File("right", at=0)})
    pair.sync("--created-both", "hold", code=1)
    told = explain(pair, "a b")
    assert told["in_step"] is False
    assert told["next"][0] == f"syncline resolve {JOB} 'a b' --keep left"


BESIDE: list[tuple[str, disk.Tree, disk.Tree, str, bool, str]] = [
    ("nothing since", {}, {}, "d/a", True, "both sides agree; another version of it is the clash file"),
    ("an edit", {"d/a": "edit"}, {}, "d/a", False, "it changed in left; the next run brings it into step; another version"),
    ("a deletion", {"d/a": None}, {}, "d/a", False, "it was deleted in left; the next run"),
    ("an edit of the clash file", {}, {"clash": "edit"}, "clash", False, "changed in right; the next run brings it into step; it is the version of right"),
    ("a clash file that is gone", {"clash": None}, {"clash": None}, "d/a", True, "both sides have it as they agreed"),
    ("a clash file that was there", {"clash": None}, {"clash": None}, "clash", True, "it stands on neither side"),
]  # fmt: skip


@pytest.mark.parametrize(("says", "left", "right", "path", "in_step", "reason"), BESIDE, ids=[row[0] for row in BESIDE])
def test_how_it_stands_beside_a_clash_file(
    pair: Pair, says: str, left: disk.Tree, right: disk.Tree, path: str, in_step: bool, reason: str
) -> None:
    history(pair)
    (clash,) = (each for each in disk.read(pair.left) if "_clash_" in each)
    spelled = [{clash if each == "clash" else each: what for each, what in side.items()} for side in (left, right)]
    pair.write(*spelled)
    told = explain(pair, clash if path == "clash" else path)
    assert (told["in_step"], reason in told["reason"]) == (in_step, True), told
    if in_step is False:
        assert told["next"] == [f"syncline run {JOB}"]


def test_names_are_shown_in_one_way(pair: Pair) -> None:
    pair.write({"a": "x"})
    pair.sync()
    os.rename(pair.left / "a", pair.left / "\udcff\n")
    pair.sync()
    assert "renamed in right to \\xff\\n: " in pair.call("explain", JOB, "\udcff\n").out


def test_of_a_conflict_that_was_undone(pair: Pair) -> None:
    history(pair)
    pair.call("undo", "last")
    told = explain(pair, "d/a")
    assert (told["in_step"], "left it different on the two sides" in told["reason"]) == (False, True), told


def test_folders_that_are_away_do_not_hide_the_story(pair: Pair) -> None:
    history(pair)
    pair.right.rename(pair.right.with_name("away"))
    told = explain(pair, "d/a")
    assert len(told["events"]) == 4
    assert (told["events"][1]["there"], told["in_step"]) == (None, None)
    told = explain(pair, "still")
    assert (told["in_step"], told["next"]) == (None, [f"syncline doctor {JOB}"])


# status --hours


def test_operations_of_the_last_hours(pair: Pair) -> None:
    history(pair)
    (row,) = pair.call("status", "--hours", "24", "--json").document["jobs"]
    told = row["operations"]
    assert (told["hours"], told["conflicts"]) == (24, {"changed-both": 1})
    assert told["actions"] == {"make-directory": 1, "put-file": 5}
    assert told["done"] == 6
    (row,) = pair.call("status", "--hours", "0.0000001", "--json").document["jobs"]
    assert row["operations"]["done"] == 0
    assert "operations" not in pair.call("status", "--json").document["jobs"][0]
    text = pair.call("status", "--hours", "24").out
    assert "last 24 h: 6 operations: make-directory 1, put-file 5\n" in text
    assert "last 24 h: 1 conflict: changed-both 1\n" in text


# doctor


def checks(pair: Pair, *args: str) -> dict[str, tuple[bool, str, str | None]]:
    found = pair.call("doctor", *args, "--json").document["checks"]
    return {row["name"]: (row["ok"], row["detail"], row["remedy"]) for row in found}


def bad(pair: Pair, *args: str) -> set[str]:
    return {name for name, (ok, _, _) in checks(pair, *args).items() if not ok}


def away(pair: Pair) -> None:
    pair.right.rename(pair.right.with_name("away"))


def without_marker(pair: Pair) -> None:
    (pair.right / ".syncline/root.json").unlink()


def another_marker(pair: Pair) -> None:
    (pair.right / ".syncline/root.json").write_text('{"id": "other", "jobs": {}}')


def damaged_marker(pair: Pair) -> None:
    (pair.right / ".syncline/root.json").write_text("no json")


def open_state(pair: Pair) -> None:
    pair.state.chmod(0o755)


def staged(pair: Pair) -> None:
    (pair.left / ".syncline/staging/new-x").write_text("x")


def damaged_state(pair: Pair) -> None:
    (pair.state / "state.db").write_bytes(b"no database, but long enough to be taken for one " * 100)
    for name in ("state.db-wal", "state.db-shm"):
        (pair.state / name).unlink(missing_ok=True)


FINDINGS = [
    (away, {f"{JOB}: right"}, "connect its drive"),
    (without_marker, {f"{JOB}: right marker"}, f"syncline adopt {JOB}"),
    (another_marker, {f"{JOB}: right marker"}, f"syncline adopt {JOB}"),
    (damaged_marker, {f"{JOB}: right marker"}, f"syncline adopt {JOB}"),
    (open_state, {"state directory"}, "chmod 700"),
    (staged, {f"{JOB}: left staging"}, f"syncline run {JOB}"),
    (damaged_state, {"state"}, ""),
]


@pytest.mark.parametrize(("mischief", "found", "remedy"), FINDINGS, ids=[row[0].__name__ for row in FINDINGS])
def test_what_the_doctor_finds(pair: Pair, mischief: Any, found: set[str], remedy: str) -> None:
    pair.write({"a": "x"})
    pair.sync()
    assert bad(pair) == set()
    mischief(pair)
    before = disk.fingerprint(pair.left, pair.right, pair.state)
    assert bad(pair) == found
    (name,) = found
    assert remedy in (checks(pair)[name][2] or "")
    assert disk.fingerprint(pair.left, pair.right, pair.state) == before
    text = pair.call("doctor")
    assert (text.code, "1 thing to mend" in text.out) == (0, True)


def test_a_machine_without_anything_is_well(pair: Pair) -> None:
    assert bad(pair) == set()
    assert pair.call("doctor").out.endswith("all is well\n")
    assert {"python", "sqlite", "user", "locale", "state directory", "configuration"} <= checks(pair).keys()


def test_a_wrong_configuration_is_a_finding(pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("jobs:\n  office:\n    kynd: twoway\n")
    assert bad(pair, "--config", str(file)) == {"configuration"}
    assert checks(pair, "--config", str(file))["configuration"][2] == "syncline config check"


def test_one_job_only(pair: Pair) -> None:
    pair.write({"a": "x"})
    pair.sync()
    third = pair.left.with_name("third")
    third.mkdir()
    pair.call("mirror", pair.left, third, "-q")
    shutil.rmtree(third)
    assert bad(pair) == {"left-third: target"}
    assert bad(pair, JOB) == set()
