"""Settling conflicts: every rule and policy with every version that can be kept, and what is refused."""
# ruff: noqa: E501  a row of the table is a line

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.disk import File, Link, Touch, Tree
from tests.e2e.forks import Forks
from tests.e2e.pair import Answer, Pair

JOB = "left-right"
LONG = os.environ.get("SYNCLINE_LONG") == "1"


@dataclass(frozen=True)
class Case:
    """A conflict and what is left of it: on both sides, and in the trash of either. Clash names without the minute."""

    says: str
    left: Tree
    right: Tree
    keep: str
    live: dict[str, str]
    trash: dict[str, str] = field(default_factory=dict)
    before: Tree = field(default_factory=dict)
    options: tuple[str, ...] = ()
    said: str = "a"
    quiet: bool = True

    def __str__(self) -> str:
        return self.says


OLD, NEW, OTHER = File("old", at=0), File("left", at=90), File("right!", at=50)
HOLD = ("--changed-both", "hold", "--created-both", "hold", "--props-both", "hold")
CLASH = "a_clash"

CASES = [
    # a clash file was made: the newer version (left) has the name
    Case("keep-both, left", {"a": NEW}, {"a": OTHER}, "left", {"a": "=left"}, {CLASH: "=right!"}, {"a": OLD}),
    Case("keep-both, right", {"a": NEW}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "=left", CLASH: "=right!"}, {"a": OLD}),
    Case("keep-both, newest", {"a": NEW}, {"a": OTHER}, "newest", {"a": "=left"}, {CLASH: "=right!"}, {"a": OLD}),
    Case("keep-both, both", {"a": NEW}, {"a": OTHER}, "both", {"a": "=left", CLASH: "=right!"}, {}, {"a": OLD}),
    Case("said by the clash file", {"a": NEW}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "=left", CLASH: "=right!"}, {"a": OLD}, said=CLASH),
    Case("the right is newer", {"a": OTHER}, {"a": NEW}, "left", {"a": "=right!"}, {"a": "=left", CLASH: "=right!"}, {"a": OLD}),
    Case("created on both sides", {"a": NEW}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "=left", CLASH: "=right!"}),
    Case("in a folder", {"d/a": NEW}, {"d/a": OTHER}, "left", {"d": "/", "d/a": "=left"}, {f"d/{CLASH}": "=right!", "d": "/"}, said="d/a"),
    Case("links", {"a": Link("x")}, {"a": Link("y")}, "right", {"a": "-> y"}, {"a": "-> x", CLASH: "-> y"}, {"a": Link("z")}),
    Case("a tie goes to left", {"a": File("1", at=5)}, {"a": File("2", at=6)}, "newest", {"a": "=1"}, {CLASH: "=2"}),
    # a folder has the name, the file is the clash
    Case("folder and file, the folder", {"a/x": NEW}, {"a": OTHER}, "left", {"a": "/", "a/x": "=left"}, {CLASH: "=right!"}),
    Case(
        "folder and file, the file", {"a/x": NEW}, {"a": OTHER}, "right", {"a": "=right!"},
        {"a": "/", "a/x": "=left", CLASH: "=right!"},
    ),
    Case("folder and file, both", {"a/x": NEW}, {"a": OTHER}, "both", {"a": "/", "a/x": "=left", CLASH: "=right!"}),
    # the edited file has the name, the folder is the clash
    Case(
        "a folder took the name of an edited file, the file",
        {"a": None, "a/x/y": NEW}, {"a": OTHER}, "right", {"a": "=right!"},
        {CLASH: "/", f"{CLASH}/x": "/", f"{CLASH}/x/y": "=left"}, {"a": OLD},
    ),
    Case(
        "a folder took the name of an edited file, the folder",
        {"a": None, "a/x/y": NEW}, {"a": OTHER}, "left", {"a": "/", "a/x": "/", "a/x/y": "=left"},
        {"a": "=right!", CLASH: "/", f"{CLASH}/x": "/", f"{CLASH}/x/y": "=left"}, {"a": OLD}, quiet=False,
    ),
    # held: nothing was touched
    Case("held, left", {"a": NEW}, {"a": OTHER}, "left", {"a": "=left"}, {"a": "=right!"}, {"a": OLD}, HOLD),
    Case("held, right", {"a": NEW}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "=left"}, {"a": OLD}, HOLD),
    Case("held, newest", {"a": OTHER}, {"a": NEW}, "newest", {"a": "=left"}, {"a": "=right!"}, {"a": OLD}, HOLD),
    Case("held, both", {"a": NEW}, {"a": OTHER}, "both", {"a": "=left", CLASH: "=right!"}, {}, {"a": OLD}, HOLD),
    Case("held and created, right", {"a": NEW}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "=left"}, {}, HOLD),
    Case("held links", {"a": Link("x")}, {"a": Link("y")}, "left", {"a": "-> x"}, {"a": "-> y"}, {"a": Link("z")}, HOLD),
    Case("held link and file, link", {"a": Link("x")}, {"a": OTHER}, "left", {"a": "-> x"}, {"a": "=right!"}, {"a": OLD}, HOLD),
    Case("held link and file, file", {"a": Link("x")}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "-> x"}, {"a": OLD}, HOLD),
    Case("held folder and file, folder", {"a/x": NEW}, {"a": OTHER}, "left", {"a": "/", "a/x": "=left"}, {"a": "=right!"}, {}, HOLD, quiet=False),
    Case("held folder and file, file", {"a/x": NEW}, {"a": OTHER}, "right", {"a": "=right!"}, {"a": "/", "a/x": "=left"}, {}, HOLD),
    Case(
        "held folder and file, both", {"a/x": NEW}, {"a": OTHER}, "both",
        {"a": "/", "a/x": "=left", CLASH: "=right!"}, {}, {}, HOLD, quiet=False,
    ),
    Case("a held large loser goes to the trash", {"a": NEW}, {"a": OTHER}, "left", {"a": "=left"}, {"a": "=right!"}, {"a": OLD}, (*HOLD, "--trash-max-size", "1")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_kept_and_what_goes_to_the_trash(case: Case, pair: Pair) -> None:
    begin(pair, case)
    contents = live(pair)
    answer = resolve(pair, clash(pair) if case.said == CLASH else case.said, "--keep", case.keep)
    assert (answer.code, answer.document["outcome"]) == (0, "done"), str(answer)
    assert disk.unclashed(pair.same()) == case.live
    assert disk.unclashed({**disk.trash(pair.left), **disk.trash(pair.right)}) == case.trash
    assert contents <= live(pair) | trashed(pair)
    assert open_conflicts(pair) == []
    if case.quiet:
        pair.settled()
    else:  # what is brought as a folder is looked at once more
        assert pair.sync(*case.options).actions == []
        pair.settled()


def test_a_resolve_is_a_run_that_can_be_shown(pair: Pair) -> None:
    begin(pair, CASES[1])
    answer = resolve(pair, "a", "--keep", "right")
    run = answer.document["run"]
    assert [row["run"] for row in pair.call("history", "--json").document["runs"]][0] == run
    shown = pair.call("show", run, "--json").document
    assert shown["actions"] == answer.document["actions"]
    assert {row["action"] for row in shown["actions"]} == {"put-file", "trash"}
    assert [(row["path"], row["kept"]) for row in shown["conflicts"]] == [("a", "right")]


MODES = [("left", 0o600), ("right", 0o640), ("newest", 0o640)]


@pytest.mark.parametrize(("keep", "mode"), MODES)
@pytest.mark.parametrize("path", ["a", "d"])
def test_held_modes(pair: Pair, keep: str, mode: int, path: str) -> None:
    pair.write({"a": File("x", at=0, mode=0o644), "d/x": File("x", at=0)})
    os.chmod(pair.left / "d", 0o755)
    pair.sync(*HOLD)
    pair.write({path: Touch(mode=0o600)} if path == "a" else {})
    os.chmod(pair.left / path, 0o600 | (0o100 if path == "d" else 0))
    time.sleep(0.02)  # the clock of status times is coarse
    os.chmod(pair.right / path, 0o640 | (0o100 if path == "d" else 0))
    pair.sync(*HOLD, code=1)
    (row,) = open_conflicts(pair)
    assert (row["rule"], row["path"], row["kept"]) == ("props-both", path, None)
    refused = resolve(pair, path, "--keep", "both")
    assert (refused.code, "cannot have two modes" in refused.err) == (2, True), str(refused)
    assert resolve(pair, path, "--keep", keep).code == 0
    if path == "d" and keep == "newest":
        mode = 0o600  # of a folder no time is compared: left
    for root in (pair.left, pair.right):
        assert os.stat(root / path).st_mode & 0o777 == mode | (0o100 if path == "d" else 0)
    assert open_conflicts(pair) == []
    assert pair.sync(*HOLD).actions == []


@dataclass(frozen=True)
class Renamed:
    """A thing that each side renamed, and what stands on both sides after a resolve; `said`: by which name."""

    says: str
    base: Tree
    old: str
    new: tuple[str, str]
    keep: str
    live: dict[str, str]
    said: str = ""

    def __str__(self) -> str:
        return self.says


FOLDER: Tree = {"d/x": "1", "d/e/y": "2"}

RENAMED = [
    Renamed("a file, left", {"a": "1"}, "a", ("b", "c"), "left", {"b": "=1"}),
    Renamed("a file, right", {"a": "1"}, "a", ("b", "c"), "right", {"c": "=1"}),
    Renamed("a file, newest", {"a": "1"}, "a", ("b", "c"), "newest", {"b": "=1"}),
    Renamed("said by a name of today", {"a": "1"}, "a", ("b", "c"), "left", {"b": "=1"}, said="c"),
    Renamed("a link", {"a": Link("x")}, "a", ("b", "c"), "right", {"c": "-> x"}),
    Renamed("a folder, left", FOLDER, "d", ("f", "g"), "left", {"f": "/", "f/x": "=1", "f/e": "/", "f/e/y": "=2"}),
    Renamed("a folder, right", FOLDER, "d", ("f", "g"), "right", {"g": "/", "g/x": "=1", "g/e": "/", "g/e/y": "=2"}),
    Renamed(
        "a file, into a folder", {"a": "1", "d/x": "2"}, "a", ("d/b", "c"), "left",
        {"d": "/", "d/x": "=2", "d/b": "=1"},
    ),
    Renamed(
        "a file, out of a folder", {"d/a": "1", "d/x": "2"}, "d/a", ("d/b", "c"), "right",
        {"d": "/", "d/x": "=2", "c": "=1"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", RENAMED, ids=str)
def test_the_name_of_what_both_sides_renamed(case: Renamed, pair: Pair) -> None:
    begin_renamed(pair, case)
    answer = resolve(pair, case.said or case.old, "--keep", case.keep)
    assert (answer.code, answer.document["outcome"]) == (0, "done"), str(answer)
    loser = "left" if case.keep == "right" else "right"
    from_ = case.new[0] if loser == "left" else case.new[1]
    assert answer.actions == [("rename", loser, from_)]
    assert pair.same() == case.live
    assert open_conflicts(pair) == []
    assert pair.sync().actions == []
    pair.settled()
    assert disk.trash(pair.left) == disk.trash(pair.right) == {}


@pytest.mark.parametrize("case", RENAMED, ids=str)
@pytest.mark.parametrize("between", [False, True], ids=["at once", "after a run"])
def test_a_name_that_was_settled_is_taken_back(case: Renamed, between: bool, pair: Pair) -> None:
    begin_renamed(pair, case)
    before = disk.read(pair.left), disk.read(pair.right)
    done = resolve(pair, case.old, "--keep", case.keep)
    if between:
        pair.sync()
    undone = pair.call("undo", done.document["run"], "--json")
    assert undone.code == 1, str(undone)
    assert (disk.read(pair.left), disk.read(pair.right)) == before
    assert pair.sync(code=1).actions == []
    assert (disk.read(pair.left), disk.read(pair.right)) == before
    again = resolve(pair, "--all", "--keep", "left")
    assert again.code == 0, str(again)
    assert pair.same() == before[0]
    assert pair.sync().actions == []
    pair.settled()


@dataclass(frozen=True)
class Refused:
    """What a person does to both sides after each renamed a file, the left to `name`; what is said to a resolve."""

    says: str
    told: str
    keep: str = "left"
    name: str = "b"
    left: Tree = field(default_factory=dict)
    right: Tree = field(default_factory=dict)
    code: int = 4

    def __str__(self) -> str:
        return self.says


REFUSED = [
    Refused("both", "one thing cannot have two names", "both", code=2),
    Refused("the name is taken", "something else has this name on right", right={"b": "3"}),
    Refused(
        "its folder is gone", "there is no such folder on right; first: syncline run", name="d/b", right={"d": None}
    ),
    Refused("edited there", "a side changed since", right={"c": "edited"}),
    Refused("edited here", "a side changed since", left={"b": "edited"}),
    Refused("gone", "a side changed since", left={"b": None}),
    Refused("gone there", "a side changed since", "right", right={"c": None}),
]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_name_that_cannot_be_given(case: Refused, pair: Pair) -> None:
    begin_renamed(pair, Renamed("", {"a": "1"}, "a", (case.name, "c"), case.keep, {}))
    pair.write(case.left, case.right)
    before = disk.read(pair.left), disk.read(pair.right)
    answer = pair.call("resolve", JOB, "a", "--keep", case.keep)
    assert (answer.code, case.told in " ".join((answer.out + answer.err).split())) == (case.code, True), str(answer)
    assert (disk.read(pair.left), disk.read(pair.right)) == before
    assert len(open_conflicts(pair)) == 1


@pytest.mark.parametrize("index", range(len(RENAMED)) if LONG else [0, 6])
def test_a_name_that_was_being_settled_is_killed_at_any_step(index: int, parent: Forks, quick: Path) -> None:
    case, step = RENAMED[index], 0
    while True:
        step += 1
        pair = Pair(quick / str(step), parent=parent)
        begin_renamed(pair, case)
        contents = live(pair)
        args = ("resolve", JOB, case.old, "--keep", case.keep, "--json")
        done = parent.call("--state-dir", pair.state, *args, kill=step)
        if done.code == 0:
            break
        told = f"killed at {step}: {done.steps[-1]}"
        after = pair.sync(code=None)
        assert after.code in (0, 1), f"{told}: {after}"
        assert contents <= live(pair), told
        if open_conflicts(pair):
            assert pair.call(*args).code == 0, told
        assert pair.same() == case.live, told
        assert pair.sync().actions == [], told
    assert step > 8


def test_the_command_that_settles_one_takes_any_name_of_a_job(pair: Pair) -> None:
    config = pair.left.parent / "syncline.yaml"
    config.write_text(f'jobs:\n  "my $job\'s":\n    kind: twoway\n    left: {pair.left}\n    right: {pair.right}\n')
    job, among = "my $job's", ("--config", str(config))
    pair.write({"a b": NEW, "c": NEW}, {"a b": OTHER, "c": OTHER})
    assert pair.call("run", *among, job).code == 0
    told = pair.call("conflicts", *among).out
    commands = [shlex.split(each) for each in re.findall("syncline .*?--keep [a-z]+", told)]
    assert ["syncline", "resolve", job, "a b", "--keep", "left"] in commands, told
    assert ["syncline", "resolve", job, "--all", "--keep", "newest"] in commands, told
    assert pair.call(*commands[0][1:], *among).code == 0
    shutil.rmtree(pair.right)
    lost = pair.call("run", *among, job)
    assert (lost.code, f"syncline jobs forget {shlex.quote(job)}" in lost.err) == (3, True), str(lost)


def test_what_a_person_settled_is_told_without_the_policy_that_held_it(pair: Pair) -> None:
    pair.write({"a": NEW}, {"a": OTHER})
    pair.sync(*HOLD, code=1)
    told = pair.call("resolve", JOB, "a", "--keep", "left")
    assert ("the version of left holds," in told.out, "(hold)" in told.out) == (True, False), str(told)


# what changed since


@dataclass(frozen=True)
class Since:
    """An edit after the conflict was found, and whether it must stop the resolve."""

    says: str
    side: str
    edit: Tree
    keep: str = "left"
    options: tuple[str, ...] = ()
    code: int = 4

    def __str__(self) -> str:
        return self.says


SINCE = [
    Since("the winner was edited on the left", "left", {"a": "edit"}),
    Since("the winner was edited on the right", "right", {"a": "edit"}),
    Since("the winner was edited, the other is wanted", "left", {"a": "edit"}, "right"),
    Since("the clash file was edited", "left", {CLASH: "edit"}),
    Since("the clash file was edited, and is wanted", "right", {CLASH: "edit"}, "right"),
    Since("the clash file was removed on one side", "left", {CLASH: None}),
    Since("the file was removed on one side", "left", {"a": None}),
    Since("the clash file became a folder", "left", {CLASH: None, f"{CLASH}/x": "y"}),
    Since("something else was edited", "left", {"other": "edit"}, code=0),
    Since("held: the wanted one was edited", "left", {"a": "edit"}, "left", HOLD),
    Since("held: the other one was edited", "right", {"a": "edit"}, "left", HOLD),
    Since("held: one was removed", "right", {"a": None}, "left", HOLD),
]


@pytest.mark.parametrize("case", SINCE, ids=str)
def test_what_changed_since_is_left_alone(case: Since, pair: Pair) -> None:
    pair.write({"a": OLD, "other": OLD})
    pair.sync(*case.options)
    pair.write({"a": NEW}, {"a": OTHER})
    pair.sync(*case.options, code=None)
    root = pair.left if case.side == "left" else pair.right
    named = {
        re.sub(f"^{CLASH}", clash(pair), path) if CLASH in path else path: each for path, each in case.edit.items()
    }
    disk.write(root, named)
    before = disk.fingerprint(pair.left, pair.right)
    answer = resolve(pair, "a", "--keep", case.keep)
    assert answer.code == case.code, str(answer)
    if case.code == 4:
        (problem,) = answer.document["problems"]
        assert (problem["reason"], problem["root"]) == ("target-changed", case.side)
        assert f"syncline run {JOB}" in problem["detail"]
        after = disk.fingerprint(pair.left, pair.right)
        assert {path for path in before if before[path] != after.get(path) and "/.syncline" not in path} == set()
        assert len(open_conflicts(pair)) == 1
    assert pair.sync(*case.options, code=None).code in (0, 1)


def test_what_was_edited_and_run_since_can_be_resolved(pair: Pair) -> None:
    begin(pair, CASES[0])
    pair.write({"a": "merged by hand"})
    pair.sync()
    assert resolve(pair, "a", "--keep", "left").code == 0
    assert pair.same() == {"a": "=merged by hand"}
    pair.settled()


# several


def test_all_of_a_run_and_all_there_are(pair: Pair) -> None:
    pair.write({f"{number}": OLD for number in range(6)})
    pair.sync()
    pair.write({f"{number}": NEW for number in range(3)}, {f"{number}": OTHER for number in range(3)})
    first = pair.sync().document["run"]
    pair.write({f"{number}": NEW for number in range(3, 6)}, {f"{number}": OTHER for number in range(3, 6)})
    pair.sync()
    assert len(open_conflicts(pair)) == 6
    assert resolve(pair, "--run", first, "--keep", "right").code == 0
    assert [row["path"] for row in open_conflicts(pair)] == ["3", "4", "5"]
    assert resolve(pair, "3", "4", "--keep", "left").code == 0
    assert resolve(pair, "--all", "--keep", "both").code == 0
    assert open_conflicts(pair) == []
    found = disk.unclashed(pair.same())
    assert [found[str(number)] for number in range(6)] == ["=right!"] * 3 + ["=left"] * 3
    assert "5_clash" in found
    pair.settled()


def test_one_that_changed_keeps_no_other_from_being_settled(pair: Pair) -> None:
    pair.write({"a": OLD, "b": OLD})
    pair.sync()
    pair.write({"a": NEW, "b": NEW}, {"a": OTHER, "b": OTHER})
    pair.sync()
    pair.write({"a": "edit"})
    answer = resolve(pair, "--all", "--keep", "left")
    assert (answer.code, answer.document["outcome"]) == (4, "failed")
    assert [row["path"] for row in open_conflicts(pair)] == ["a"]
    assert disk.read(pair.right)["b"] == "=left"


def test_others_that_changed_are_still_brought_over(pair: Pair) -> None:
    """What a resolve remembers must not hide what else happened in the same folder."""
    pair.write({"d/a": OLD, "d/edited": OLD, "d/gone": OLD, "d/sub/x": OLD})
    pair.sync()
    pair.write({"d/a": NEW}, {"d/a": OTHER})
    pair.sync()
    pair.write({"d/edited": "edit", "d/new": "new", "d/sub/x": "deep"}, {"d/gone": None, "d/right": "r"})
    assert resolve(pair, "d/a", "--keep", "right").code == 0
    assert pair.sync().code == 0
    assert pair.same() == {
        "d": "/", "d/a": "=right!", "d/edited": "=edit", "d/new": "=new", "d/right": "=r", "d/sub": "/", "d/sub/x": "=deep",
    }  # fmt: skip
    pair.settled()


# a person settled it without us


@pytest.mark.parametrize("noticed", ["conflicts", "run"])
@pytest.mark.parametrize("both", [True, False], ids=["on both sides", "on one side"])
def test_a_removed_clash_file_settles_its_conflict(pair: Pair, noticed: str, both: bool) -> None:
    begin(pair, CASES[0])
    name = clash(pair)
    os.unlink(pair.left / name)
    if both:
        os.unlink(pair.right / name)
    if noticed == "run":
        pair.sync()
        assert status(pair)["conflicts"] == 0
    elif both:
        assert pair.call("conflicts").out == "no open conflicts\n"
        assert status(pair)["conflicts"] == 0
    else:
        assert len(open_conflicts(pair)) == 1
        pair.sync()
    assert open_conflicts(pair) == []


def test_a_drive_that_is_not_there_settles_nothing(pair: Pair) -> None:
    begin(pair, CASES[0])
    for root in (pair.left, pair.right):
        root.rename(root.with_name(f"{root.name}-away"))
        root.mkdir()
    assert len(open_conflicts(pair)) == 1


def test_settled_ones_can_be_listed(pair: Pair) -> None:
    begin(pair, CASES[0])
    resolve(pair, "a", "--keep", "both")
    assert open_conflicts(pair) == []
    (row,) = pair.call("conflicts", JOB, "--settled", "--json").document["conflicts"]
    assert (row["path"], row["open"]) == ("a", False)


# refusals


REFUSALS = [
    ("no conflict there", ("a-b", "--keep", "left"), 2, "no open conflict at a-b"),
    ("nothing said", ("--keep", "left"), 2, "say which conflicts"),
    ("too much said", ("a", "--all", "--keep", "left"), 2, "say which conflicts"),
    ("no version said", ("a",), 2, "--keep"),
    ("a version there is not", ("a", "--keep", "middle"), 2, "middle"),
    ("a run there is not", ("--run", "2099", "--keep", "left"), 2, "no run is called"),
    ("outside", ("../a", "--keep", "left"), 2, "no path within"),
    ("outside, absolute", ("/etc/passwd", "--keep", "left"), 2, "lies in none of the folders"),
]


@pytest.mark.parametrize(("says", "args", "code", "told"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_refusals(pair: Pair, says: str, args: tuple[str, ...], code: int, told: str) -> None:
    begin(pair, CASES[0])
    answer = resolve(pair, *args)
    assert (answer.code, answer.document["outcome"]) == (code, "error"), str(answer)
    assert told in answer.err
    assert "syncline " in answer.err.partition("\n")[2], "it ends with a command to go on with"


def test_a_dry_run_changes_nothing(pair: Pair) -> None:
    begin(pair, CASES[0])
    before = disk.fingerprint(pair.left, pair.right)
    answer = resolve(pair, "a", "--keep", "right", "--dry-run")
    assert (answer.code, answer.document["outcome"], len(answer.document["actions"])) == (0, "planned", 4)
    assert disk.fingerprint(pair.left, pair.right) == before
    again = pair.call("resolve", JOB, "a", "--keep", "right", "--dry-run").out
    assert "syncline" in again
    assert "resolve left-right a --keep right" in again


def test_paths_may_be_absolute_and_need_not_be_utf8(pair: Pair) -> None:
    pair.write({"b\udcff": OLD, "c": OLD})
    pair.sync()
    pair.write({"b\udcff": NEW, "c": NEW}, {"b\udcff": OTHER, "c": OTHER})
    pair.sync()
    assert resolve(pair, r"b\udcff", "--keep", "right").code == 0
    assert resolve(pair, str(pair.right / "c"), "--keep", "right").code == 0
    assert set(pair.same().values()) == {"=right!"}


def test_a_locked_root_is_exit_5(pair: Pair) -> None:
    import fcntl

    begin(pair, CASES[0])
    with open(pair.left / ".syncline/lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = resolve(pair, "a", "--keep", "left")
        assert (answer.code, answer.document["outcome"]) == (5, "locked")
    assert len(open_conflicts(pair)) == 1


@pytest.mark.parametrize(("state", "code"), [("missing", 3), ("without its marker", 3)])
def test_a_root_that_is_not_the_remembered_one(pair: Pair, state: str, code: int) -> None:
    begin(pair, CASES[0])
    pair.right.rename(pair.right.with_name("away"))
    if state != "missing":
        pair.right.mkdir()
    answer = resolve(pair, "a", "--keep", "left")
    assert (answer.code, answer.document["outcome"]) == (code, "refused"), str(answer)


def test_an_ignored_file_in_a_folder_that_would_go_keeps_it(pair: Pair) -> None:
    pair.write({"a/x": NEW, "a/y.tmp": "ignored"}, {"a": OTHER})
    pair.sync("--exclude", "*.tmp")
    answer = resolve(pair, "a", "--keep", "right")
    assert answer.code == 4, str(answer)
    assert answer.problems == [("partly-kept", "left", "a/y.tmp")]
    assert disk.read(pair.left)["a/y.tmp"] == "=ignored"


# killed


@pytest.mark.parametrize("index", range(len(CASES)) if LONG else [1, 11, 18], ids=lambda index: CASES[index].says)
def test_a_resolve_killed_at_any_step_loses_nothing(index: int, parent: Forks, quick: Path) -> None:
    case, step = CASES[index], 0
    while True:
        step += 1 if LONG else 2
        pair = Pair(quick / str(step), parent=parent)
        begin(pair, case)
        contents = live(pair)
        said = clash(pair) if case.said == CLASH else case.said
        args = ("--state-dir", pair.state, "resolve", JOB, said, "--keep", case.keep, "--json")
        done = parent.call(*args, kill=step)
        if done.code == 0:
            break
        assert done.code == -9, str(done)
        told = f"killed at {step}: {done.steps[-1]}"
        assert contents <= live(pair) | trashed(pair) | staged(pair), told
        after = pair.sync(*case.options, code=None)
        assert after.code in (0, 1), f"{told}: {after}"
        assert contents <= live(pair) | trashed(pair), told
        if open_conflicts(pair):
            again = pair.call(*map(str, args[2:]))
            assert again.code == 0, f"{told}: {again}"
        assert open_conflicts(pair) == []
        found = disk.unclashed(pair.same())
        extra = {path: each for path, each in found.items() if path not in case.live}
        assert {path: found.get(path) for path in case.live} == case.live, told
        assert all(CLASH in path for path in extra), told
        assert pair.sync(*case.options).actions == [], told
    assert step > 8


def begin(pair: Pair, case: Case) -> None:
    """The conflict of a case, found by a run."""
    pair.write(dict(case.before))
    if case.before:
        pair.sync(*case.options)
    pair.write(dict(case.left), dict(case.right))
    first = pair.sync(*case.options, code=None)
    assert first.code in (0, 1), str(first)
    assert len(open_conflicts(pair)) == 1, str(first)


def begin_renamed(pair: Pair, case: Renamed) -> None:
    """What both sides renamed, as a run found it under `hold`."""
    pair.write(dict(case.base))
    pair.sync(*HOLD)
    for root, new in zip((pair.left, pair.right), case.new, strict=True):
        (root / new).parent.mkdir(exist_ok=True)
        (root / case.old).rename(root / new)
    pair.sync(code=1)
    assert [row["path"] for row in open_conflicts(pair)] == [case.old]


def resolve(pair: Pair, *args: str) -> Answer:
    return pair.call("resolve", JOB, *args, "--json")


def clash(pair: Pair) -> str:
    """The path of the one clash file there is."""
    found = [path for path in disk.read(pair.left) if re.search(r"_clash_\d{12}[^/]*$", path)]
    return found[0] if found else "no-clash"


def open_conflicts(pair: Pair) -> list[dict[str, object]]:
    found: list[dict[str, object]] = pair.call("conflicts", JOB, "--json").document["conflicts"]
    return found


def status(pair: Pair) -> dict[str, int]:
    (row,) = pair.call("status", JOB, "--json").document["jobs"]
    found: dict[str, int] = row
    return found


def live(pair: Pair) -> set[str]:
    return {told for root in (pair.left, pair.right) for told in disk.read(root).values() if told != "/"}


def trashed(pair: Pair) -> set[str]:
    return {told for root in (pair.left, pair.right) for told in disk.trash(root).values()}


def staged(pair: Pair) -> set[str]:
    return {told for root in (pair.left, pair.right) for told in disk.read(root / ".syncline/staging").values()}
