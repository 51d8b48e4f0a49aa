"""Every earlier content of a path: listed, compared, put back, and thinned with age."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from tests.e2e import disk
from tests.e2e.disk import File, Link
from tests.e2e.pair import Pair
from tests.e2e.test_retention import ALL, JOB, Office, office

__all__ = ["office"]

HERE = "left-right"
NO_END = "\\ No newline at end of file"


def listed(pair: Pair, path: str, *args: str) -> list[dict[str, Any]]:
    answer = pair.call("versions", HERE, path, "--json", *args)
    assert answer.code == 0, str(answer)
    rows: list[dict[str, Any]] = answer.document["versions"]
    return rows


def contents(rows: list[dict[str, Any]]) -> list[str]:
    return [disk.content(row["where"]) for row in rows]


@pytest.fixture
def written(pair: Pair) -> Pair:
    """A letter in four versions: one, two and three are in the trash, four stands there."""
    for at, content in enumerate(("one\nsame\n", "two\nsame\n", "three\nsame\n", "four\nsame\n")):
        pair.write({"d/letter": File(content, at=at * 100)})
        pair.sync()
    return pair


def test_versions_count_back_from_now(written: Pair) -> None:
    rows = listed(written, "d/letter")
    assert [row["number"] for row in rows] == [0, 1, 2, 3]
    assert contents(rows) == [f"{word}\nsame\n" for word in ("four", "three", "two", "one")]
    assert [row["why"] for row in rows] == ["present", *["changed-left"] * 3]
    assert [row["root"] for row in rows] == [None, *["right"] * 3]
    assert [row["bytes"] for row in rows] == [10, 11, 9, 9]
    assert len({row["run"] for row in rows}) == 4
    text = written.call("versions", HERE, "d/letter").out
    assert f"syncline trash restore {HERE} d/letter --run {rows[1]['run']} --to NEW_PATH" in text


def test_they_follow_the_order_of_the_runs_whatever_the_clock_said(written: Pair) -> None:
    before = listed(written, "d/letter")
    with sqlite3.connect(written.state / "state.db") as state:
        latest = "(SELECT max(key) FROM run)"
        state.execute(f"UPDATE run SET started = '2001-01-01T00:00:00.000000Z' WHERE key = {latest}")
        state.execute(f"UPDATE action SET at = '2001-01-01T00:00:01.000000Z' WHERE run = {latest}")
    state.close()
    rows = listed(written, "d/letter")
    assert [row["where"] for row in rows] == [row["where"] for row in before]
    assert written.call("history", "--json").document["runs"][0]["run"] == before[1]["run"]
    assert written.call("trash", "restore", HERE, "d/letter", "--to", "last").code == 0
    assert written.same()["last"] == "=three\nsame\n"


@pytest.mark.parametrize(("id", "number"), [("20010101T000000Z-0001", 4), ("29990101T000000Z-0001", 1)])
def test_those_of_a_run_that_is_not_known_stand_where_its_time_says(written: Pair, id: str, number: int) -> None:
    disk.write(written.right, {f".syncline/trash/{id}/d/letter": "theirs\n"})
    rows = listed(written, "d/letter")
    assert len(rows) == 5
    assert contents(rows)[number] == "theirs\n"


def test_each_is_put_back_by_its_run(written: Pair) -> None:
    rows = listed(written, "d/letter")
    for row, content in zip(rows[1:], ("three", "two", "one"), strict=True):
        assert written.call("trash", "restore", HERE, "d/letter", "--run", row["run"], "--to", content).code == 0
    assert written.same() == {
        "d": "/",
        "d/letter": "=four\nsame\n",
        **{word: f"={word}\nsame\n" for word in ("one", "two", "three")},
    }
    assert [row["number"] for row in listed(written, "d/letter")] == [0]


def test_a_deleted_file_has_versions_too(written: Pair) -> None:
    written.write({"d": None})
    written.sync()
    rows = listed(written, "d/letter")
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert (rows[0]["why"], contents(rows)[0]) == ("deleted-left", "four\nsame\n")


def test_losers_of_conflicts_are_versions(pair: Pair) -> None:
    pair.write({"a": File("old", at=0), "b": File("old", at=0)})
    pair.sync()
    edit = ({"a": File("left", at=90)}, {"a": File("right!", at=50)})
    pair.write(*edit)
    pair.sync()
    assert [(row["number"], row["why"]) for row in listed(pair, "a")] == [(0, "present"), (1, "conflict")]
    assert contents(listed(pair, "a")) == ["left", "right!"]
    pair.write({"b": File("left", at=90)}, {"b": File("right!", at=50)})
    pair.sync("--changed-both", "newest")
    assert contents(listed(pair, "b")) == ["left", "right!"]


def test_a_path_in_conflict_has_two_present_versions(pair: Pair) -> None:
    pair.write({"a": File("old", at=0)})
    pair.sync()
    pair.write({"a": File("left", at=90)}, {"a": File("right!", at=50)})
    pair.sync("--changed-both", "hold", code=1)
    assert [(row["number"], row["root"]) for row in listed(pair, "a")] == [(0, "left"), (0, "right")]
    document = pair.call("versions", HERE, "a", "--diff", "left", "right", "--json").document
    assert document["diff"][2:] == ["@@ -1 +1 @@", "-left", NO_END, "+right!",
                                    NO_END]  # fmt: skip


def test_what_there_is_not(pair: Pair) -> None:
    pair.write({"d/a": "x"})
    pair.sync()
    assert listed(pair, "never") == []
    assert pair.call("versions", HERE, "d").code == 2
    assert pair.call("versions", HERE, "d/a", "--diff", "0", "1").code == 2


# under the names it had

Edits = list[tuple[str, str | None]]
"""What a person does on the left before one run: path and new content; path and, after "> ", its new name."""

NAMES: list[tuple[str, list[Edits], str, list[tuple[str, str]]]] = [
    ("a file", [[("a", "> b")]], "b", [("b", "three"), ("a", "two"), ("a", "one")]),
    ("a file, of its old name", [[("a", "> b")]], "a", [("a", "two"), ("a", "one")]),
    (
        "a file that was edited in between",
        [[("a", "> b")], [("b", "four")]],
        "b",
        [("b", "four"), ("b", "three"), ("a", "two"), ("a", "one")],
    ),
    ("a file, twice", [[("a", "> b")], [("b", "> c")]], "c", [("c", "three"), ("a", "two"), ("a", "one")]),
    ("there and back", [[("a", "> b")], [("b", "> a")]], "a", [("a", "three"), ("a", "two"), ("a", "one")]),
    ("a file that is gone", [[("a", "> b")], [("b", None)]], "b", [("b", "three"), ("a", "two"), ("a", "one")]),
    (
        "not what took the name since",
        [[("a", "> b")], [("a", "other")], [("a", "another")]],
        "b",
        [("b", "three"), ("a", "two"), ("a", "one")],
    ),
    (
        "one that was displaced",
        [[("d/f", "four")], [("a", "> d/f")]],
        "d/f",
        [
            ("d/f", "three"),
            ("d/f", "four"),
            ("d/f", "three"),
            ("d/f", "two"),
            ("a", "two"),
            ("d/f", "one"),
            ("a", "one"),
        ],
    ),
    ("a folder above", [[("d", "> e")]], "e/f", [("e/f", "three"), ("d/f", "two"), ("d/f", "one")]),
    (
        "a folder above and the file",
        [[("d", "> e")], [("e/f", "> e/g")], [("e/g", "four")]],
        "e/g",
        [("e/g", "four"), ("e/g", "three"), ("d/f", "two"), ("d/f", "one")],
    ),
    (
        "two that changed places",
        [[("a", "> x"), ("d/f", "> a"), ("x", "> d/f")]],
        "a",
        [("a", "three"), ("d/f", "two"), ("a", "two"), ("d/f", "one"), ("a", "one")],
    ),
]


@pytest.fixture
def thrice(pair: Pair) -> Pair:
    """Two files, each in three versions."""
    for at, content in enumerate(("one", "two", "three")):
        pair.write({"a": File(content, at=at * 100), "d/f": File(content, at=at * 100 + 50)})
        pair.sync()
    return pair


def edit(pair: Pair, edits: Edits) -> None:
    for path, what in edits:
        if what is not None and what.startswith("> "):
            (pair.left / path).rename(pair.left / what[2:])
        else:
            pair.write({path: what})
    pair.sync()


@pytest.mark.parametrize(("says", "runs", "path", "found"), NAMES, ids=[row[0] for row in NAMES])
def test_under_each_name(thrice: Pair, says: str, runs: list[Edits], path: str, found: list[tuple[str, str]]) -> None:
    for edits in runs:
        edit(thrice, edits)
    rows = listed(thrice, path)
    assert [(row["path"], text) for row, text in zip(rows, contents(rows), strict=True)] == found
    told = thrice.call("versions", HERE, path).out
    for name in {name for name, _ in found} - {path}:
        assert f", as {name}" in " ".join(told.split())
    assert thrice.call("trash", "restore", HERE, path, "--run", rows[-1]["run"], "--to", "new").code == 0
    assert disk.content(thrice.left / "new") == disk.content(thrice.right / "new") == found[-1][1]


def test_two_names_are_compared(thrice: Pair) -> None:
    edit(thrice, [("a", "> b")])
    document = thrice.call("versions", HERE, "b", "--diff", "1", "0", "--json").document
    assert document["diff"][2:] == ["@@ -1 +1 @@", "-two", NO_END, "+three", NO_END]
    assert [document[end]["path"] for end in ("from", "to")] == ["a", "b"]


def test_what_had_another_name_comes_back_under_its_own(thrice: Pair) -> None:
    edit(thrice, [("d", "> e"), ("a", "> b")])
    edit(thrice, [("e", None), ("b", None)])
    assert thrice.call("trash", "restore", HERE, "e").code == 0, "the latest, as a whole"
    assert thrice.same() == {"e": "/", "e/f": "=three"}
    thrice.sync()
    thrice.write({"e": None})
    thrice.sync()
    run = listed(thrice, "e/f")[-1]["run"]
    assert thrice.call("trash", "restore", HERE, "e", "--run", run).code == 0, "from when it was d"
    assert thrice.call("trash", "restore", HERE, "b", "--run", run).code == 0, "from when it was a"
    assert thrice.same() == {"e": "/", "e/f": "=one", "b": "=one"}


def test_a_clash_file_of_an_earlier_name(pair: Pair) -> None:
    pair.write({"a": File("old", at=0)})
    pair.sync()
    pair.write({"a": File("left", at=90)}, {"a": File("right!", at=50)})
    pair.sync()
    edit(pair, [("a", "> b")])
    rows = listed(pair, "b")
    assert [(row["path"], row["why"]) for row in rows] == [("b", "present"), ("a", "conflict")]
    assert contents(rows) == ["left", "right!"]
    told = pair.call("explain", HERE, "b", "--json").document["events"]
    assert ("conflict", "a") in [(each["action"], each["path"]) for each in told]


TOLD = ("says", "before", "after", "equal", "lines")
DIFFERENCES = [
    ("a text", "one\nsame\n", "two\nsame\n", False, ["@@ -1,2 +1,2 @@", "-one", "+two", " same"]),
    ("bytes", b"\0one", b"\0two", False, None),
    ("what is no UTF-8", b"\xff\n", b"\xfe\n", False, None),
    ("a text and bytes", "one", b"\0two", False, None),
    ("too large", "x" * 2_000_001, "y", False, None),
    (
        "links",
        Link("here"),
        Link("there"),
        False,
        ["@@ -1 +1 @@", "--> here", NO_END, "+-> there", NO_END],
    ),
    ("only a line's end", "a\n", "a", False, ["@@ -1 +1 @@", "-a", "+a", NO_END]),
]


@pytest.mark.parametrize(
    ("says", "before", "after", "equal", "lines"), DIFFERENCES, ids=[row[0] for row in DIFFERENCES]
)
def test_a_difference(pair: Pair, says: str, before: Any, after: Any, equal: bool, lines: list[str] | None) -> None:
    pair.write({"a": before})
    pair.sync()
    pair.write({"a": after})
    pair.sync()
    document = pair.call("versions", HERE, "a", "--diff", "1", "0", "--json").document
    assert document["equal"] is equal
    assert (document["diff"] and document["diff"][2:]) == lines
    text = pair.call("versions", HERE, "a", "--diff", "1", "0").out
    assert ("+two" in text) if says == "a text" else (lines is None) == ("not compared" in text)


def test_a_version_that_came_back_is_the_same(pair: Pair) -> None:
    for at, content in enumerate(("one", "two", "one")):
        pair.write({"a": File(content, at=at * 100)})
        pair.sync()
    document = pair.call("versions", HERE, "a", "--diff", "2", "0", "--json").document
    assert (document["equal"], document["diff"]) == (True, [])


def test_nothing_in_a_text_reaches_the_terminal_unescaped(pair: Pair) -> None:
    pair.write({"a": "x\n"})
    pair.sync()
    pair.write({"a": "\x1b]0;owned\x07\n"})
    pair.sync()
    assert "\x1b" not in pair.call("versions", HERE, "a", "--diff", "1", "0").out


def test_the_space_of_the_trash_is_told(written: Pair) -> None:
    (row,) = written.call("status", "--space", "--json").document["jobs"]
    assert row["trash"] == {"left": {"items": 0, "bytes": 0}, "right": {"items": 3, "bytes": 29}}
    assert "right 3 items (29 B)" in written.call("status", "--space").out


# what goes by itself


def thinned(office: Office, keys: str) -> dict[str, str]:
    office.configure(keys)
    office.write({"other": "news"})
    office.run()
    return office.trash()


def copies(office: Office, number: int) -> None:
    """More versions of a."""
    for each in range(number):
        office.write({"a": f"v{each}"})
        office.run()


def remaining(office: Office) -> list[str]:
    folder = office.home.folder / "right/.syncline/trash"
    return sorted(told for run in folder.iterdir() for path, told in disk.read(run).items() if path == "a")


RULES = [
    ("all of them", "versions: {}", ["=new", "=one", "=v0", "=v1"]),
    ("so many", "versions: {keep: 2}", ["=v0", "=v1"]),
    ("one", "versions: {keep: 1}", ["=v1"]),
    ("one a day", "versions: {thin: [1y: daily]}", ["=v1"]),
    ("none of that age", "versions: {for: 1d}", []),
]


@pytest.mark.parametrize(("says", "keys", "left"), RULES, ids=[row[0] for row in RULES])
def test_versions_go_one_by_one(office: Office, says: str, keys: str, left: list[str]) -> None:
    copies(office, 3)
    office.age(2, looked=0)
    thinned(office, keys)
    assert remaining(office) == left
    assert ("b" in office.trash()) == (says != "none of that age")
    runs = list((office.home.folder / "right/.syncline/trash").iterdir())
    assert all(any(run.iterdir()) for run in runs), "no empty folders stay"


def test_versions_take_the_place_of_keep_for(office: Office) -> None:
    office.age(31, looked=0)
    assert thinned(office, "versions: {keep: 5}") == ALL


def test_a_run_without_news_does_not_look_through_the_trash(office: Office) -> None:
    copies(office, 3)
    office.age(0.0001)
    office.configure("versions: {keep: 1}")
    office.run()
    assert len(remaining(office)) == 4, "it is the same day, and nothing was added"
    office.age(1.5)
    office.run()
    assert remaining(office) == ["=v1"]


def test_what_an_open_conflict_may_need_stays(office: Office) -> None:
    copies(office, 2)
    office.write({"a": "left"}, {"a": "right"})
    office.age(40, looked=0)
    office.configure("changed_both: hold\n    versions: {keep: 1}")
    office.run(code=1)
    office.configure("changed_both: hold")
    office.run(code=1)
    assert remaining(office) == ["=new", "=one", "=v0"]


def test_the_whole_trash_is_limited(office: Office) -> None:
    copies(office, 3)
    office.write({"big": "x" * 900})
    office.run()
    office.write({"big": "y" * 900})
    office.age(1, looked=0)
    office.configure("trash: {max_total: 903}")
    done = office.run()
    assert "to keep it within 903" in done.stderr
    trash = office.trash()
    assert set(trash) <= {"big", "a"} and disk.digest(b"x" * 900) in trash["big"]
    assert remaining(office) == ["=v1"]


def test_what_is_said_of_versions_is_in_force(office: Office) -> None:
    office.configure("versions: {keep: 10, for: 90d, thin: [1d: all, 30d: daily, 1y: weekly]}")
    office.run()
    rows = {row["key"]: row["value"] for row in office.home.json("config", "show")[1]["values"]}
    assert rows[f"jobs.{JOB}.versions.keep"] == 10
    assert rows[f"jobs.{JOB}.versions.for"] == "90d"
    assert rows[f"jobs.{JOB}.versions.thin"] == ["1d: all", "30d: daily", "1y: weekly"]
    with sqlite3.connect(office.home.state / "state.db") as state:
        ((options,),) = state.execute("SELECT options FROM job").fetchall()
    state.close()
    assert '"versions"' in options
