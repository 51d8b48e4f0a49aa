"""Taking a run back: what it did is undone where it did it, everything else stays, and nothing is synchronised again
until a person says which side holds."""
# ruff: noqa: E501  a row of a table is a line

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import disk
from tests.e2e.disk import DIR, Dir, File, Link, Touch, Tree
from tests.e2e.forks import Forks
from tests.e2e.pair import Answer, Pair
from tests.e2e.test_crash import BEFORE, LEFT, RIGHT, SWEEP

JOB = "left-right"
Sides = tuple[dict[str, str], dict[str, str]]


def sides(pair: Pair) -> Sides:
    """What stands on both sides, with modes and times."""
    return disk.read(pair.left, properties=True), disk.read(pair.right, properties=True)


def apart(before: Sides) -> set[str]:
    """The names on which two sides differ, from the top: what is in a folder that only one side has does not count."""
    left, right = before
    differ = {path for path in left | right if left.get(path) != right.get(path)}

    def whole(path: str) -> bool:
        return not (left.get(path, "").startswith("/") and right.get(path, "").startswith("/"))

    return {path for path in differ if not any(whole(above) for above in _above(path) if above in differ)}


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


def undo(pair: Pair, *args: str, run: str = "last") -> Answer:
    return pair.call("undo", run, "--json", *args)


def conflicts(pair: Pair) -> dict[str, Any]:
    rows = [row for row in pair.call("conflicts", "--json").document["conflicts"] if row["rule"] == "undone"]
    assert {(row["policy"], row["kept"], row["clash"]) for row in rows} <= {("hold", None, None)}
    return {row["path"]: row for row in rows}


OLD, NEW, OTHER = File("old", at=0), File("left", at=90), File("right!", at=50)


@dataclass(frozen=True)
class Case:
    """What a run has to do: both sides are brought into step from `base`, then edited."""

    says: str
    left: Tree
    right: Tree = field(default_factory=dict)
    base: Tree = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.says


CASES = [
    Case("new files", {"a": NEW, "d/b": NEW}, {"c": OTHER}),
    Case("a new file in a folder of both", {"d/a": NEW}, {"d/b": OTHER}, {"d/c": OLD}),
    Case("new and empty folders", {"d": DIR, "e/f": DIR}),
    Case("a new folder nobody may write to", {"d": Dir(0o500), "e": Dir(0o555)}),
    Case("links", {"l": Link("x"), "m": Link("y"), "n": None}, {}, {"m": Link("x"), "n": Link("z")}),
    Case("an edit", {"a": NEW}, {}, {"a": OLD}),
    Case("an edit of the same size", {"a": File("new", at=9)}, {}, {"a": OLD}),
    Case("an edit of a file in a folder nobody may write to", {"d/a": NEW}, {}, {"d/a": OLD, "d": Dir(0o555)}),
    Case("edits on both sides", {"a": NEW}, {"b": OTHER}, {"a": OLD, "b": OLD}),
    Case("a deletion", {"a": None}, {}, {"a": OLD, "b": OLD}),
    Case("a deleted folder", {"d": None}, {}, {"d/a": OLD, "d/e/b": OLD, "d/f": DIR, "d/l": Link("a")}),
    Case("a deleted folder with a closed one in it", {"d": None}, {}, {"d/e/b": OLD, "d/e": Dir(0o700)}),
    Case("a deleted empty folder", {"d": None}, {}, {"d": DIR}),
    Case("folders deleted in part", {"d": None}, {"d/a": OTHER}, {"d/a": OLD, "d/b": OLD}),
    Case("a mode", {"a": Touch(mode=0o600)}, {}, {"a": File("old", at=0, mode=0o644)}),
    Case("a mode of a folder", {"d": Touch(mode=0o700)}, {}, {"d/a": OLD, "d": Dir(0o755)}),
    Case("a time", {"a": Touch(at=77)}, {}, {"a": OLD}),
    Case("an edit and a mode of the other side", {"a": NEW}, {"a": Touch(mode=0o600)}, {"a": File("old", at=0, mode=0o644)}),
    Case("a conflict that left is newer in", {"a": NEW}, {"a": OTHER}, {"a": OLD}),
    Case("a conflict that right is newer in", {"a": OTHER}, {"a": NEW}, {"a": OLD}),
    Case("a conflict of new files", {"d/a.tar.gz": NEW}, {"d/a.tar.gz": OTHER}),
    Case("a conflict by policy", {"a": NEW}, {"a": OTHER}, {"a": OLD}, ("--changed-both", "newest")),
    Case("a folder and a file under one name", {"a/x": NEW}, {"a": OTHER}),
    Case("a folder in place of an edited file", {"a": None, "a/x/y": NEW}, {"a": OTHER}, {"a": OLD}),
    Case("a file became a folder", {"a": None, "a/x": NEW}, {}, {"a": OLD}),
    Case("a file became an empty folder", {"a": DIR}, {}, {"a": OLD}),
    Case("a folder became a file", {"a": NEW}, {}, {"a/x": OLD, "a/y/z": OLD}),
    Case("an empty folder became a link", {"a": Link("x")}, {}, {"a": DIR}),
    Case("a file became a link", {"a": Link("x")}, {}, {"a": OLD}),
    Case("a link became a file", {"a": NEW}, {}, {"a": Link("x")}),
    Case("names nobody expects", {"a\nb": NEW, "-n": NEW, "\udcff": NEW}, {}, {"-n": OLD}),
    Case("all of it", {**LEFT, "directory-to-file-edited": File("30", at=10), "partly/edited.txt": File("19 left", at=10)}, RIGHT, BEFORE),
]  # fmt: skip


def prepare(pair: Pair, case: Case) -> Sides:
    """Both sides as they are before the run that is undone."""
    if case.base:
        pair.write(case.base)
        pair.sync(*case.options)
    for root, tree in ((pair.left, case.left), (pair.right, case.right)):
        disk.write(
            root, {path: None for path in tree if os.path.isdir(root / path) and isinstance(tree[path], File | Link)}
        )
        disk.write(root, tree)
    return sides(pair)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_trees_are_as_before_the_run_and_after_one_more_as_after_it(case: Case, pair: Pair) -> None:
    before = prepare(pair, case)
    ran = pair.sync(*case.options, "--trash-max-size", "none")
    after = sides(pair)
    dry, seen = undo(pair, "--dry-run"), disk.fingerprint(pair.left, pair.right)
    assert (dry.code, dry.document["outcome"], dry.document["run"]) == (0, "planned", None)
    answer = undo(pair)
    assert sides(pair) == before, str(answer)
    assert seen != disk.fingerprint(pair.left, pair.right)
    assert (answer.code, answer.document["outcome"], answer.problems) == (1, "needs-attention", []), str(answer)
    assert {row["why"] for row in answer.document["actions"]} <= {"undo", "properties-left", "properties-right"}
    assert {row["state"] for row in answer.document["actions"]} == {"done"}
    assert (answer.document["plan"], answer.actions) == (dry.document["plan"], dry.actions)
    assert {row["path"] for row in answer.document["conflicts"]} == set(conflicts(pair)) == apart(before)
    for _ in range(2):
        assert pair.sync(*case.options, code=1).actions == [], "what was undone is left alone"
        assert sides(pair) == before
    assert set(conflicts(pair)) == apart(before)
    again = undo(pair, run=answer.document["run"])
    assert sides(pair) == after, str(again)
    assert (again.code, again.document["outcome"], conflicts(pair)) == (0, "done", {}), str(again)
    assert pair.sync(*case.options).actions == []
    pair.settled()
    third = undo(pair, run=ran.document["run"])
    assert (third.code, third.problems) == (1, []), "the trash still has what the run displaced"
    assert sides(pair) == before


KEEPS = [
    ("left", {"a": "=left", "c": "=old", "d": "/", "d/b": "=left"}),
    ("right", {"a": "=old", "c": None, "d": None}),
    ("both", {"a": "=left", "a_clash": "=old", "c": "=old", "d": "/", "d/b": "=left"}),
    ("newest", {"a": "=left", "c": "=old", "d": "/", "d/b": "=left"}),
]


@pytest.mark.parametrize("by", ["the run", "the undo", "all", "paths"])
@pytest.mark.parametrize(("keep", "live"), KEEPS, ids=[row[0] for row in KEEPS])
def test_resolve_settles_what_was_left_apart(pair: Pair, keep: str, live: dict[str, str | None], by: str) -> None:
    pair.write({"a": OLD, "c": OLD})
    pair.sync()
    pair.write({"a": NEW, "d/b": NEW}, {"c": None})
    ran = pair.sync().document["run"]
    undone = undo(pair).document["run"]
    disk.write(pair.left, {"e": "unrelated"})
    pair.sync(code=1)
    said = {"the run": ("--run", ran), "the undo": ("--run", undone), "all": ("--all",), "paths": ("a", "c", "d")}[by]
    answer = pair.call("resolve", JOB, *said, "--keep", keep, "--json")
    assert (answer.code, answer.document["outcome"]) == (0, "done"), str(answer)
    if keep == "right":
        live = {**live, "c": None}
    expected = {path: told for path, told in live.items() if told is not None}
    assert disk.unclashed(pair.same()) == {**expected, "e": "=unrelated"}
    assert conflicts(pair) == {}
    assert pair.sync().actions == []
    pair.settled()


def test_an_edit_where_something_was_undone_is_left_alone_until_it_is_resolved(pair: Pair) -> None:
    pair.write({"a": OLD, "b": OLD})
    pair.sync()
    pair.write({"a": NEW, "d/x": NEW})
    pair.sync()
    undo(pair)
    pair.write({"a": "edited", "d/y": "new", "other": "1"}, {"b": "2"})
    before = sides(pair)
    assert sorted(path for _, _, path in pair.sync(code=1).actions) == ["b", "other"]
    after = sides(pair)
    for path in ("a", "d", "d/x", "d/y"):
        assert [side.get(path) for side in after] == [side.get(path) for side in before]
    pair.write(right={"a": "edited too"})
    refused = pair.call("resolve", JOB, "a", "--keep", "right", "--json")
    assert (refused.code, refused.problems) == (4, [("target-changed", "right", "a")])
    pair.sync(code=1)
    assert pair.call("resolve", JOB, "a", "--keep", "right").code == 0
    assert pair.call("resolve", JOB, "d", "--keep", "left").code == 0
    assert pair.same() == {"a": "=edited too", "b": "=2", "other": "=1", "d": "/", "d/x": "=left", "d/y": "=new"}
    pair.sync()
    pair.settled()


def test_what_is_made_the_same_by_hand_needs_no_word(pair: Pair) -> None:
    pair.write({"a": OLD, "b": OLD})
    pair.sync()
    pair.write({"a": NEW, "b": NEW, "c": NEW})
    pair.sync()
    undo(pair)
    pair.write({"b": OLD, "c": None}, {"a": NEW})
    assert pair.sync().actions == []
    assert conflicts(pair) == {}
    pair.settled()


def test_nor_does_a_folder_that_is_made_the_same_by_hand(pair: Pair) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"d/x": NEW, "d/e/f/y": NEW})
    pair.sync()
    undo(pair)
    pair.write({}, {"d/x": NEW, "d/e": DIR})
    assert pair.sync(code=1).actions == []
    pair.write({}, {"d/e/f/y": NEW})
    assert pair.sync().actions == []
    assert conflicts(pair) == {}
    pair.write({}, {"d/e/f/z": NEW})
    assert sorted(path for _, _, path in pair.sync().actions) == ["d/e/f/z"]
    pair.settled()


# why not


@dataclass(frozen=True)
class Why:
    """What was done after the run, and what is told of each path that the undo leaves as it is."""

    says: str
    since: Tree
    problems: dict[str, tuple[str, str]]
    stands: dict[str, str | None]
    side: str = "right"
    options: tuple[str, ...] = ()
    empty: bool = False

    def __str__(self) -> str:
        return self.says


WHYS = [
    Why("a copy that was edited", {"new": "mine"}, {"new": ("target-changed", "was changed since")}, {"new": "=mine", "gone": "=old"}),
    Why("a copy whose mode was changed", {"new": Touch(mode=0o640)}, {"new": ("target-changed", "was changed since")}, {"new": "=left"}),
    Why("a copy that was deleted", {"new": None}, {}, {"new": None, "gone": "=old"}),
    Why("a version that was edited", {"edit": "mine"}, {"edit": ("target-changed", "was changed since")}, {"edit": "=mine"}),
    Why("a version that was deleted", {"edit": None}, {"edit": ("target-changed", "was deleted since")}, {"edit": None}),
    Why("a new file where one was deleted", {"gone": "mine"}, {"gone": ("target-changed", "something else stands there")}, {"gone": "=mine"}),
    Why("a file in a new folder", {"d/mine": "mine"}, {"d": ("partly-kept", "something else stands in it")}, {"d": "/", "d/mine": "=mine", "d/x": None}),
    Why("a file edited in a new folder", {"d/x": "mine"}, {"d": ("partly-kept", "something else"), "d/x": ("target-changed", "changed since")}, {"d/x": "=mine", "d/y": None}),
    Why("a file where a folder was deleted", {"was": "mine"}, {"was": ("target-changed", "something else stands there")}, {"was": "=mine"}),
    Why("the folder of a deleted file is gone", {"in": None}, {"in/x": ("target-changed", "the folder it stood in")}, {"in": None}),
    Why("the trash was emptied", {}, {"edit": ("unreadable", "not there any more"), "gone": ("unreadable", "not there any more"), "was": ("unreadable", "not there"), "in/x": ("unreadable", "not there")}, {"edit": "=left", "new": None}, empty=True),
    Why("what was above the limit of the trash", {}, {"gone": ("unreadable", "deleted for good"), "in/x": ("unreadable", "deleted for good"), "was/x": ("target-changed", "folder it stood in")}, {"gone": None, "edit": "=old"}, options=("--trash-max-size", "2")),
]  # fmt: skip


@pytest.mark.parametrize("case", WHYS, ids=str)
def test_what_cannot_be_taken_back_stays_and_is_told_with_the_reason(case: Why, pair: Pair) -> None:
    pair.write({"edit": OLD, "gone": OLD, "was/x": OLD, "in/x": OLD, "in/y": OLD})
    pair.sync(*case.options)
    pair.write({"edit": NEW, "gone": None, "was": None, "in/x": None, "new": NEW, "d/x": NEW, "d/y": NEW})
    pair.sync(*case.options)
    disk.write(pair.right if case.side == "right" else pair.left, case.since)
    if case.empty:
        shutil.rmtree(pair.right / ".syncline/trash")
    answer = undo(pair)
    told = {row["path"]: (row["reason"], row["detail"]) for row in answer.document["problems"]}
    if "was/x" in case.problems:  # of a folder that went outright its files are told, or what is above them
        told.pop("was", None)
        case.problems.pop("was/x")
        told.pop("was/x", None)
    assert told.keys() == case.problems.keys(), str(answer)
    for path, (reason, words) in case.problems.items():
        assert told[path][0] == reason
        assert words in told[path][1]
    assert answer.code == 1
    assert {row["root"] for row in answer.document["problems"]} <= {"right"}
    stands = disk.read(pair.right)
    assert {path: stands.get(path) for path in case.stands} == case.stands


@pytest.mark.parametrize("undos", [1, 3], ids=["of the run", "of an undo of an undo"])
@pytest.mark.parametrize("since", [None, "mine"], ids=["deleted", "edited"])
def test_a_clash_file_stays_where_its_version_cannot_come_back(pair: Pair, since: str | None, undos: int) -> None:
    pair.write({"a": NEW}, {"a": OLD})
    pair.sync()
    for _ in range(undos - 1):
        undo(pair)
    (clash,) = disk.read(pair.right).keys() - {"a"}
    pair.write({}, {"a": since})
    told = {(row["root"], row["path"]): row["detail"] for row in undo(pair).document["problems"]}
    assert {path for _, path in told} == {"a", clash}
    assert all("what that run replaced at a" in detail for (_, path), detail in told.items() if path == clash)
    assert (disk.read(pair.left)[clash], disk.read(pair.right)[clash]) == ("=old", "=old")
    pair.sync()
    assert pair.same() == {clash: "=old", **({} if since is None else {"a": f"={since}"})}


def test_nobodys_own_change_is_undone(pair: Pair) -> None:
    pair.write({"a": OLD, "b": OLD})
    pair.sync()
    pair.write({"a": NEW})
    pair.sync()
    pair.write({"mine": "1", "b": "2", "a": "3"}, {"too": "4"})
    left = disk.fingerprint(pair.left)
    undo(pair)
    ours = str(pair.left / ".syncline")
    after = disk.fingerprint(pair.left)
    assert {path: told for path, told in after.items() if not path.startswith(ours)} == {
        path: told for path, told in left.items() if not path.startswith(ours)
    }
    assert disk.read(pair.right) == {"a": "=old", "b": "=old", "too": "=4"}


def test_a_later_run_is_undone_first(pair: Pair) -> None:
    pair.write({"a": OLD})
    first = pair.sync().document["run"]
    pair.write({"a": NEW})
    second = pair.sync().document["run"]
    assert undo(pair, run=first).problems == [("target-changed", "right", "a")]
    assert undo(pair, run=second).problems == []
    assert undo(pair, run=first).problems == []
    assert (disk.read(pair.left), disk.read(pair.right)) == ({"a": "=left"}, {})


# the first run, mirrors, guards


def test_a_first_run_gives_back_what_was_there(pair: Pair) -> None:
    pair.write({"a": NEW, "both": OLD, "d/x": OLD, "d/l": NEW}, {"both": OLD, "d/x": OLD, "d/r": OTHER, "e/f/g": OTHER})
    before = sides(pair)
    pair.sync()
    undo(pair)
    assert sides(pair) == before
    assert set(conflicts(pair)) == {"a", "d/l", "d/r", "e"}
    assert disk.trash(pair.right) == {"a": "=left", "d": "/", "d/l": "=left"}
    assert pair.call("resolve", JOB, "--all", "--keep", "both").code == 0
    assert pair.same().keys() == {"a", "both", "d", "d/x", "d/l", "d/r", "e", "e/f", "e/f/g"}


def test_a_mirror_gives_back_its_target(mirror: Pair) -> None:
    mirror.write({"a": OLD, "b": OLD}, {"x": OTHER, "b": OTHER})
    before = sides(mirror)
    mirror.sync("--extras", "trash")
    mirror.write({"a": NEW})
    mirror.sync()
    second = sides(mirror)
    source = disk.fingerprint(mirror.left)
    answer = undo(mirror)
    assert {row["root"] for row in answer.document["actions"]} == {"target"}
    assert (sides(mirror)[0], disk.read(mirror.right)["a"]) == (second[0], "=old")
    assert mirror.sync(code=1).actions == []
    undo(mirror)
    assert sides(mirror) == second
    first = mirror.call("history", "--json").document["runs"][-1]["run"]
    undo(mirror, run=mirror.call("history", "--json").document["runs"][-2]["run"])
    undo(mirror, run=first)
    assert disk.read(mirror.right, properties=True) == before[1]
    assert disk.fingerprint(mirror.left) == source
    listed = mirror.call("conflicts")
    hints = [listed, mirror.call("explain", "source-target", "a"), mirror.call("mirror", mirror.left, mirror.right)]
    for told in hints:  # the source is never written to
        assert "--keep left" in told.out and not re.search(r"--keep (?!left)|\(or ", told.out), told.out
    assert mirror.call("resolve", "source-target", "--all", "--keep", "left").code == 0
    assert mirror.sync().actions == []
    mirror.same()


def test_many_files_that_would_go_are_asked_about(pair: Pair) -> None:
    pair.write({f"d/{number}": "x" for number in range(30)})
    pair.sync()
    before = disk.fingerprint(pair.left, pair.right)
    refused = undo(pair)
    assert (refused.code, refused.guards) == (3, ["too-many-deletes"]), str(refused)
    told = pair.call("undo", "last")
    assert f"undo last --approve {refused.approve}" in told.out + told.err
    after = disk.fingerprint(pair.left, pair.right)
    assert {path for path in before if before[path] != after[path]} <= {
        f"{pair.left}/.syncline/lock",
        f"{pair.right}/.syncline/lock",
    }
    assert undo(pair, "--dry-run").document["outcome"] == "refused"
    (row,) = pair.call("status", "--json").document["jobs"]  # it is the undo that was refused, not a run of the job
    assert (row["state"], row["in_sync"]) == ("idle", True)
    assert undo(pair, "--approve", refused.approve).code == 1
    assert disk.read(pair.right) == {}


# other runs than plain ones


def test_a_resolve_is_undone(pair: Pair) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"a": NEW}, {"a": OTHER})
    pair.sync()
    before = sides(pair)
    assert pair.call("resolve", JOB, "a", "--keep", "right").code == 0
    assert undo(pair).code == 0
    assert sides(pair) == before
    assert pair.sync().actions == []


@pytest.mark.parametrize("keep", ["left", "right", "newest"])
def test_the_conflict_of_an_undone_resolve_waits_again(pair: Pair, keep: str) -> None:
    pair.write({"a": OLD, "b": OLD})
    pair.sync()
    pair.write({"a": NEW, "b": NEW}, {"a": OTHER, "b": OTHER})
    pair.sync()
    waiting = pair.call("conflicts", "--json").document
    assert pair.call("resolve", JOB, "--all", "--keep", keep).code == 0
    assert undo(pair).code == 0
    assert pair.call("conflicts", "--json").document == waiting
    pair.settled()
    assert undo(pair).code == 0
    assert pair.call("conflicts", "--json").document["conflicts"] == []


def test_the_conflict_of_a_half_undone_resolve_does_not_wait_twice(pair: Pair) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"a": NEW}, {"a": OTHER})
    pair.sync()
    assert pair.call("resolve", JOB, "a", "--keep", "right").code == 0
    (pair.left / "a").write_text("since")
    assert undo(pair).code == 1
    (row,) = pair.call("conflicts", "--json").document["conflicts"]
    assert (row["path"], row["rule"]) == ("a", "undone")


def test_the_settling_of_an_undo_is_undone(pair: Pair) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"a": NEW})
    pair.sync()
    undo(pair)
    before = sides(pair)
    assert pair.call("resolve", JOB, "a", "--keep", "left").code == 0
    assert undo(pair).code == 1
    assert sides(pair) == before
    assert set(conflicts(pair)) == {"a"}
    assert pair.sync(code=1).actions == []


def test_what_was_put_back_from_the_trash_goes_again(pair: Pair) -> None:
    pair.write({"a": OLD, "b": OLD})
    pair.sync()
    pair.write({"a": None})
    pair.sync()
    assert pair.call("trash", "restore", JOB, "a").code == 0
    assert pair.same() == {"a": "=old", "b": "=old"}
    assert undo(pair).code == 0
    assert pair.same() == {"b": "=old"}
    pair.settled()


def test_a_run_that_has_nothing_to_take_back(pair: Pair) -> None:
    pair.write({"a": OLD, "b": OLD})
    run = pair.sync().document["run"]
    pair.write({"a": NEW}, {"b": None, "a": None})
    undo(pair, run=run)
    again = undo(pair, run=run)
    assert (again.document["run"], again.actions) == (None, [])


# what is told afterwards


def test_what_the_other_commands_say_of_it(pair: Pair) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"a": NEW, "d/b": NEW})
    pair.sync()
    assert pair.call("status", "--json").document["jobs"][0]["in_sync"] is True
    answer = undo(pair)
    (job,) = pair.call("status", "--json").document["jobs"]
    assert (job["in_sync"], job["conflicts"], job["last_run"]) == (False, 2, answer.document["run"])
    shown = pair.call("show", "last", "--json").document
    assert {name: shown[name] for name in shown if name != "seconds"} == {
        name: answer.document[name] for name in answer.document if name != "seconds"
    }
    assert pair.call("history", "--json").document["runs"][0]["outcome"] == "needs-attention"
    for path in ("a", "d", "d/b"):
        story = pair.call("explain", JOB, path, "--json").document
        assert story["in_step"] is False
        assert "undo" in {event["why"] for event in story["events"]}
        top = path.partition("/")[0]
        assert story["next"] == [
            f"syncline resolve {JOB} {top} --keep {keep}" for keep in ("left", "right", "both", "newest")
        ]
    pair.sync(code=1)
    (job,) = pair.call("status", "--json").document["jobs"]
    assert (job["in_sync"], job["conflicts"]) == (False, 2)


WRONG = [
    (("undo",), 2),
    (("undo", "nothing"), 2),
    (("undo", "2"), 2),
]


@pytest.mark.parametrize(("args", "code"), WRONG)
def test_wrong_use(pair: Pair, args: tuple[str, ...], code: int) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"a": NEW})
    pair.sync()
    answer = pair.call(*args)
    assert answer.code == code, str(answer)


# crashes


class Undone:
    """A world in which an undo is killed."""

    def __init__(self, top: Path, parent: Forks, batch: int | None) -> None:
        self.pair, self.parent, self.batch = Pair(top, parent=parent), parent, batch
        self.before = prepare(self.pair, CASES[-1])
        self.pair.sync("--trash-max-size", "none")
        self.after = sides(self.pair)

    def call(self, *args: str, kill: int | None = None) -> Any:
        return self.parent.call("--state-dir", self.pair.state, *args, "--json", kill=kill, batch=self.batch)


@pytest.mark.parametrize("next_command", ["run", "undo", "undo the undo"])
@pytest.mark.parametrize("batch", [None, 5])
def test_an_undo_killed_at_any_step_is_finished_by_the_next_run(
    parent: Forks, quick: Path, batch: int | None, next_command: str
) -> None:
    plain = Undone(quick / "plain", parent, batch)
    steps = len(plain.call("undo", "last").steps)
    wanted = range(1, steps + 1) if SWEEP == "all" else range(2, steps + 1, max(steps // 14, 1))
    for moment in wanted:
        world = Undone(Path(tempfile.mkdtemp(dir=quick)), parent, batch)
        (run,) = [row["run"] for row in world.pair.call("history", "--limit", "1", "--json").document["runs"]]
        killed = world.call("undo", run, kill=moment)
        assert killed.code == -9, str(killed)
        told = f"killed at {moment} of {steps}: {killed.steps[-2:]}"
        latest = world.pair.call("history", "--limit", "1", "--json").document["runs"][0]["run"]
        if next_command == "undo the undo" and latest != run:
            world.call("undo", latest)
            assert sides(world.pair) == world.after, told
            assert conflicts(world.pair) == {}, told
            continue
        world.call("undo", run) if next_command == "undo" or latest == run else world.call("run", JOB)
        assert sides(world.pair) == world.before, told
        assert set(conflicts(world.pair)) == apart(world.before), told
        assert [disk.staged(world.pair.left), disk.staged(world.pair.right)] == [[], []], told
        assert world.pair.call("run", JOB, "--json").actions == [], told
        assert sides(world.pair) == world.before, told


@pytest.mark.parametrize(
    ("part", "more"), [(0.4, r"\d+ changes more, as run (\S+); .*syncline show \1"), (1, "nothing of it")]
)
def test_that_a_cut_off_undo_was_gone_on_with_is_told(parent: Forks, quick: Path, part: float, more: str) -> None:
    steps = len(Undone(quick / "plain", parent, 5).call("undo", "last").steps)
    world = Undone(quick / "killed", parent, 5)
    (run,) = [row["run"] for row in world.pair.call("history", "--limit", "1", "--json").document["runs"]]
    assert world.call("undo", run, kill=int(steps * part)).code == -9
    told = world.pair.call("run", JOB)
    assert re.search(f"the undo of {run}, which had been cut off, was gone on with before.*{more}", told.err), str(told)
    assert (": nothing was changed" in told.out, ": nothing else was changed" in told.out) == (False, True), str(told)
    assert "nothing was changed" in world.pair.call("run", JOB).out, "it is told once"


@pytest.mark.parametrize("part", [0.4, 0.6, 0.8])
def test_what_a_cut_off_undo_needs_is_not_emptied(parent: Forks, quick: Path, part: float) -> None:
    steps = len(Undone(quick / "plain", parent, 5).call("undo", "last").steps)
    world = Undone(quick / "killed", parent, 5)
    (run,) = [row["run"] for row in world.pair.call("history", "--limit", "1", "--json").document["runs"]]
    assert world.call("undo", run, kill=int(steps * part)).code == -9
    world.call("trash", "empty", JOB)
    world.call("run", JOB)
    assert sides(world.pair) == world.before
    world.call("trash", "empty", JOB)
    assert disk.trash(world.pair.left) == disk.trash(world.pair.right) == {}


def test_a_run_that_was_cut_off_is_finished_and_undone(parent: Forks, quick: Path) -> None:
    counted = 0
    for moment in range(30, 90, 6):
        pair = Pair(Path(tempfile.mkdtemp(dir=quick)), parent=parent)
        before = prepare(pair, CASES[-1])
        args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
        killed = parent.call(*args, kill=moment)
        assert killed.code == -9, str(killed)
        if pair.call("history", "--limit", "1", "--json").document["runs"][0]["outcome"] is not None:
            continue  # it had not begun
        dry = undo(pair, "--dry-run")
        assert (dry.code, "syncline run" in dry.err) == (3, True)
        answer = undo(pair)
        assert answer.code in (0, 1), str(answer)
        assert (answer.problems, sides(pair)) == ([], before), f"killed at {moment}, {killed.steps[-1]}: {answer}"
        counted += 1
    assert counted >= 5


def test_what_a_run_that_was_cut_off_did_is_told(parent: Forks, quick: Path) -> None:
    told = set()
    for moment in range(30, 52, 4):
        pair = Pair(Path(tempfile.mkdtemp(dir=quick)), parent=parent)
        pair.write({f"f{number}": NEW for number in range(6)})
        args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
        assert parent.call(*args, kill=moment, batch=1).code == -9
        for finish in (lambda: None, pair.sync):
            finish()
            run = pair.call("history", "--json").document["runs"][-1]
            shown = pair.call("show", run["run"], "--json").document
            copied = [row["bytes"] for row in shown["actions"] if row["state"] == "done"]
            assert run["summary"] == shown["summary"]
            assert (shown["summary"]["copied"], shown["summary"]["bytes_copied"]) == (len(copied), sum(copied))
            told.add(len(copied))
    assert len(told) > 2, told


@pytest.mark.parametrize("at", ["write half", "rename publish", "exchange", "rename to-trash", "commit journal done"])
def test_a_run_that_was_interrupted_is_undone_as_far_as_it_came(pair: Pair, parent: Forks, at: str) -> None:
    pair.write({**{f"f{number}": OLD for number in range(6)}, "gone": OLD})
    pair.sync()
    pair.write({**{f"f{number}": File(f"new {number}", at=9) for number in range(6)}, "gone": None, "d/n": NEW})
    before = sides(pair)
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    done = parent.call(*args, at=at, do="kill -INT $PPID", batch=2)
    assert (done.code, at in done.steps) == (130, True), str(done)
    (run,) = pair.call("history", "--limit", "1", "--json").document["runs"]
    assert run["outcome"] == "interrupted"
    answer = undo(pair)
    assert (answer.code in (0, 1), answer.problems, sides(pair)) == (True, [], before), str(answer)


# names


@dataclass(frozen=True)
class Names:
    """What was renamed on the left and, at times, on the right, and what else was done before the run. `waits`: what the
    undo leaves apart, if folders of one name that are not the same one are on both sides."""

    says: str
    base: Tree
    moves: list[tuple[str, str]]
    left: Tree = field(default_factory=dict)
    right: Tree = field(default_factory=dict)
    right_moves: list[tuple[str, str]] = field(default_factory=list)
    first: Tree = field(default_factory=dict)
    waits: set[str] | None = None

    def __str__(self) -> str:
        return self.says

    def prepare(self, pair: Pair) -> Sides:
        pair.write(self.base)
        pair.sync()
        disk.write(pair.left, self.first)
        for root, moves in ((pair.left, self.moves), (pair.right, self.right_moves)):
            for old, new in moves:
                os.rename(root / old, root / new)
        pair.write(self.left, self.right)
        return sides(pair)


KEPT, WAS = File("kept", at=0), File("other", at=0)
NAMES = [
    Names("a file", {"a": OLD, "b": WAS}, [("a", "e")]),
    Names("a file that the other side edited", {"a": OLD}, [("a", "e")], {}, {"a": OTHER}),
    Names("a file that got another mode", {"a": File("old", at=0, mode=0o644)}, [("a", "e")], {"e": Touch(mode=0o600)}),
    Names("a file, and a new one under its name", {"a": OLD}, [("a", "e")], {"a": NEW}),
    Names("a file into a new folder", {"a": OLD}, [("a", "n/e")], {"n/x": NEW}, first={"n": DIR}),
    Names("a file out of a folder that goes", {"d/a": OLD, "d/k": KEPT}, [("d/a", "e")], {"d": None}),
    Names("a file over a deleted one", {"a": OLD, "b": WAS}, [("a", "b")]),
    Names("a folder", {"d/a": OLD, "d/s/b": KEPT}, [("d", "f")]),
    Names("a folder in which more was done", {"d/a": OLD, "d/b": OLD, "d/c": KEPT}, [("d", "f")], {"f/a": NEW, "f/b": None, "f/n/x": NEW}),
    Names("a folder, and a new one under its name", {"d/a": OLD, "d/s/b": KEPT}, [("d", "f")], {"d/a": NEW, "d/n/x": NEW}),
    Names("a folder and a file in it", {"d/a": OLD, "d/b": KEPT}, [("d/a", "d/e"), ("d", "f")]),
    Names("a folder into a folder that moves", {"d/a": OLD, "g/b": KEPT}, [("g", "d/g"), ("d", "f")]),
    Names("a folder to where the other side made a file", {"d/a": OLD, "d/b": DIR}, [("d", "e")], {}, {"e": NEW}),
    Names("a folder nobody may write to", {"d/a": OLD, "d": Dir(0o555)}, [("d", "f")], {"f/a": NEW}),
    Names("two files that change places", {"a": OLD, "b": WAS}, [("a", "t"), ("b", "a"), ("t", "b")]),
    Names("two folders that change places", {"a/x": OLD, "b/x": WAS}, [("a", "t"), ("b", "a"), ("t", "b")], waits={"a", "b"}),
    Names("three files in a ring", {"a": OLD, "b": WAS, "c": KEPT}, [("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")]),
    Names("a chain", {"a": OLD, "b": WAS}, [("b", "c"), ("a", "b")]),
    Names("both sides", {"a": OLD, "d/b": WAS}, [("a", "e")], {}, {}, [("d", "f")]),
]  # fmt: skip


@pytest.mark.parametrize("case", NAMES, ids=str)
def test_names_come_back_too(case: Names, pair: Pair) -> None:
    before = case.prepare(pair)
    pair.sync()
    after = sides(pair)
    dry = undo(pair, "--dry-run")
    answer = undo(pair)
    assert sides(pair) == before, str(answer)
    assert (answer.code, answer.problems) == (1, []), str(answer)
    assert (answer.document["plan"], answer.actions) == (dry.document["plan"], dry.actions)
    assert set(conflicts(pair)) == (apart(before) if case.waits is None else case.waits)
    for _ in range(2):
        assert pair.sync(code=1).actions == [], "what was undone is left alone"
        assert sides(pair) == before
    again = undo(pair, run=answer.document["run"])
    assert sides(pair) == after, str(again)
    assert (again.code, again.problems, conflicts(pair)) == (0, [], {}), str(again)
    assert pair.sync().actions == []
    pair.settled()
    third = undo(pair, run=again.document["run"])
    assert (third.problems, sides(pair)) == ([], before), str(third)


@pytest.mark.parametrize("keep", ["left", "right", "both"])
def test_resolve_settles_names_that_were_left_apart(pair: Pair, keep: str) -> None:
    pair.write({"a": OLD, "d/b": WAS})
    pair.sync()
    os.rename(pair.left / "a", pair.left / "e")
    os.rename(pair.left / "d", pair.left / "f")
    pair.sync()
    undo(pair)
    assert pair.call("resolve", JOB, "--all", "--keep", keep).code == 0
    old, new = {"a": "=old", "d": "/", "d/b": "=other"}, {"e": "=old", "f": "/", "f/b": "=other"}
    assert pair.same() == {"left": new, "right": old, "both": {**old, **new}}[keep]
    pair.sync()
    pair.settled()


SWAP = {"a/f": OLD, "a/s/g": OLD, "a/x": OLD, "a/n/y": KEPT, "b/f": WAS, "b/s/h": WAS, "b/x/y": WAS, "b/n": KEPT}


@pytest.fixture
def swapped(pair: Pair) -> Pair:
    return swap(pair)


def swap(pair: Pair) -> Pair:
    """Two folders that changed places on the left, which was taken back on the right."""
    pair.write(SWAP)
    pair.sync("--exclude", "*.tmp")
    for old, new in (("a", "t"), ("b", "a"), ("t", "b")):
        os.rename(pair.left / old, pair.left / new)
    pair.sync()
    undo(pair)
    return pair


@pytest.mark.parametrize("keep", ["left", "right"])
@pytest.mark.parametrize(
    ("says", "since", "told"),
    [
        ("nothing else", {}, {}),
        ("an edit", {"a/f": "mine"}, {"a/f": "=mine"}),
        ("a deletion", {"a/f": None}, {"a/f": None}),
        ("a new file", {"a/n2": "mine"}, {"a/n2": "=mine"}),
    ],
)
def test_a_folder_that_took_the_place_of_another_gives_it_back(
    swapped: Pair, keep: str, says: str, since: Tree, told: dict[str, str | None]
) -> None:
    before = sides(swapped)
    side = "right" if keep == "left" else "left"
    assert swapped.call("resolve", JOB, "--all", "--keep", keep).code == 0
    after = sides(swapped)
    assert after[0] == after[1]
    disk.write(getattr(swapped, side), since)
    answer = undo(swapped)
    assert ({row["path"] for row in answer.document["problems"]}, answer.code) == (set(since) & {"a/f"}, 1), str(answer)
    stands = disk.read(getattr(swapped, side))
    assert {path: stands.get(path) for path in told} == told
    if not since:
        assert sides(swapped) == before
        assert swapped.sync(code=1).actions == []
        assert sides(swapped) == before, "what came back is no edit, what went no deletion"
        assert undo(swapped).code == 0
        assert sides(swapped) == after


def test_a_folder_that_takes_the_place_of_another_loses_nothing_when_killed(parent: Forks, quick: Path) -> None:
    step = 0
    while True:
        step += 1 if SWEEP == "all" else 8
        pair = swap(Pair(quick / str(step), parent=parent))
        left, right = disk.read(pair.left), disk.read(pair.right)
        args = ("resolve", JOB, "--all", "--keep", "left", "--json")
        done = parent.call("--state-dir", pair.state, *args, kill=step)
        if done.code == 0:
            break
        told = f"killed at {step}: {done.steps[-1]}"
        assert pair.sync(code=None).code in (0, 1), told
        assert disk.read(pair.left) == left, told
        if disk.read(pair.right) != left:
            assert pair.call(*args).code == 0, told
        assert pair.same() == left, told
        kept = set(disk.trash(pair.right).values()) | set(disk.read(pair.right).values())
        assert set(right.values()) <= kept, told
    assert step > 8


def test_a_folder_does_not_take_the_place_of_one_with_something_in_it_that_stays(swapped: Pair) -> None:
    disk.write(swapped.right, {"a/x.tmp": "mine"})
    before = sides(swapped)
    answer = swapped.call("resolve", JOB, "a", "--keep", "left", "--json")
    told = [(row["root"], row["path"], row["reason"]) for row in answer.document["problems"]]
    assert (answer.code, told) == (4, [("right", "a/x.tmp", "partly-kept")]), str(answer)
    assert sides(swapped) == before


NAMED = [
    Why("a file that was edited", {"e": "mine"}, {"a": ("target-changed", "changed since"), "e": ("target-changed", "renamed to e")}, {"e": "=mine", "d": "/"}),
    Why("a file that was deleted", {"e": None}, {"a": ("target-changed", "not there any more"), "e": ("target-changed", "not there")}, {"e": None, "a": None}),
    Why("its earlier name is taken", {"a": "mine"}, {"a": ("target-changed", "is taken"), "e": ("target-changed", "is taken")}, {"e": "=old", "a": "=mine"}),
    Why("the folder it stood in is gone", {"g": None}, {"g/c": ("target-changed", "the folder it stood in"), "h": ("target-changed", "folder")}, {"h": "=c", "a": "=old"}),
    Why("an edit in a folder", {"f/b": "mine", "f/mine": "new"}, {"d/b": ("target-changed", "was changed since")}, {"d/b": "=mine", "d/k": "=kept", "d/mine": "=new", "f": None}),
    Why("a name that was taken back by hand", {"e": None, "a": OLD}, {}, {"a": "=old", "d": "/", "d/b": "=other"}),
]  # fmt: skip


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_a_name_that_cannot_come_back_stays_and_is_told(case: Why, pair: Pair) -> None:
    pair.write({"a": OLD, "d/b": WAS, "d/k": KEPT, "d/l": OLD, "g/c": File("c", at=0), "g/x": File("x", at=0)})
    pair.sync()
    for old, new in (("a", "e"), ("d", "f"), ("g/c", "h")):
        os.rename(pair.left / old, pair.left / new)
    pair.write({"f/b": NEW})
    assert "rename" in {action for action, _, _ in pair.sync().actions}
    disk.write(pair.right, case.since)
    answer = undo(pair)
    told = {row["path"]: (row["reason"], row["detail"]) for row in answer.document["problems"]}
    assert told.keys() == case.problems.keys(), str(answer)
    for path, (reason, words) in case.problems.items():
        assert told[path][0] == reason
        assert words in told[path][1]
    assert answer.code == 1
    stands = disk.read(pair.right)
    assert {path: stands.get(path) for path in case.stands} == case.stands


def test_an_undo_of_renames_killed_at_any_step_is_finished_by_the_next_run(parent: Forks, quick: Path) -> None:
    case = Names("all of it", {"a": OLD, "d/b": WAS, "d/k": KEPT, "c": OLD, "x": OLD, "y": WAS, "o": OLD, "p": WAS},
        [("a", "n/e"), ("d", "f"), ("x", "t"), ("y", "x"), ("t", "y"), ("o", "p")], {"f/b": NEW, "a": NEW}, first={"n": DIR})  # fmt: skip
    steps = 0
    moments = [0]
    while moments:
        moment = moments.pop(0)
        pair = Pair(Path(tempfile.mkdtemp(dir=quick)), parent=parent)
        before = case.prepare(pair)
        (run,) = [pair.sync().document["run"]]
        args = ("--state-dir", pair.state, "undo", run, "--json")
        if not moment:
            steps = len(parent.call(*args, batch=3).steps)
            moments = list(range(1, steps + 1) if SWEEP == "all" else range(2, steps + 1, max(steps // 12, 1)))
            continue
        killed = parent.call(*args, kill=moment, batch=3)
        assert killed.code == -9, str(killed)
        latest = pair.call("history", "--limit", "1", "--json").document["runs"][0]["run"]
        told = f"killed at {moment} of {steps}: {killed.steps[-2:]}"
        pair.call("undo", run) if latest == run else pair.call("run", JOB)
        assert sides(pair) == before, told
        assert set(conflicts(pair)) == apart(before), told
        assert pair.call("run", JOB, "--json").actions == [], told


def test_explain_follows_a_path_through_renames(pair: Pair) -> None:
    pair.write({"d/a": OLD, "d/k": KEPT, "d/l": WAS})
    pair.sync()
    pair.write({"d/a": NEW})
    pair.sync()
    os.rename(pair.left / "d", pair.left / "f")
    pair.sync()
    os.rename(pair.left / "f/a", pair.left / "f/e")
    pair.sync()
    now = pair.call("explain", JOB, "f/e", "--json").document
    told = [(event["action"], event["path"], event.get("to")) for event in now["events"]]
    assert told == [
        ("put-file", "d/a", None),
        ("put-file", "d/a", None),
        ("rename", "d", "f"),
        ("rename", "f/a", "f/e"),
    ]
    assert now["events"][1]["there"] is True
    assert now["in_step"] is True
    gone = pair.call("explain", JOB, "d/k", "--json").document
    assert gone["reason"] == "it stands on neither side; it was renamed to f/k"
    assert gone["next"] == [f"syncline explain {JOB} f/k"]


def test_what_was_left_apart_is_no_rename(pair: Pair) -> None:
    pair.write({"a": OLD})
    pair.sync()
    pair.write({"b": NEW})
    pair.sync()
    undo(pair)
    os.rename(pair.left / "b", pair.left / "g")
    os.rename(pair.left / "a", pair.left / "b")
    before = disk.read(pair.right).get("b")
    pair.sync(code=1)
    assert disk.read(pair.right).get("b") == before is None
    assert disk.read(pair.left)["b"] == "=old"


def test_a_folder_renamed_again_by_hand_is_as_before(pair: Pair) -> None:
    pair.write({"d/a": OLD})
    pair.sync()
    os.rename(pair.left / "d", pair.left / "e")
    pair.sync()
    undo(pair)
    assert conflicts(pair).keys() == {"d", "e"}
    os.rename(pair.right / "d", pair.right / "e")
    assert pair.sync().actions == []
    assert conflicts(pair) == {}
    pair.write({"e/a": NEW})
    pair.sync()
    assert pair.same() == {"e": "/", "e/a": "=left"}
    pair.settled()


def test_what_is_gone_on_both_sides_waits_no_more(pair: Pair) -> None:
    pair.write({"d/a": OLD})
    pair.sync()
    os.rename(pair.left / "d", pair.left / "e")
    pair.sync()
    undo(pair)
    shutil.rmtree(pair.left / "e")
    shutil.rmtree(pair.right / "d")
    pair.sync()
    assert conflicts(pair) == {}
