"""Extended attributes kept in step, between real folders: carried, merged, undone, and never lost."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from syncline.cli import main
from syncline.compose import Desk, local_now
from syncline.core.model import RunStarted
from syncline.engine.world import Ask
from syncline.fs.bypath import PathRoot
from syncline.fs.local import LocalRoot
from syncline.fs.root import Root
from syncline.store.db import Store
from tests.e2e import disk
from tests.e2e.disk import DIR, File, Link, Touch, Tree
from tests.e2e.forks import Forks
from tests.e2e.pair import UNPRIVILEGED, Answer, Pair

Sets = Mapping[str, str]
"""By path: `name=value` of each attribute, with blanks between; nothing for none."""


class Attributed(Pair):
    """A pair whose job keeps extended attributes in step."""

    def __init__(self, top: Path, parent: Forks | None, kind: str = "twoway", more: str = "") -> None:
        super().__init__(top, parent=parent)
        self.config = top / "syncline.yaml"
        one, two = ("left", "right") if kind == "twoway" else ("source", "target")
        self.job = f"    kind: {kind}\n    {one}: {self.left}\n    {two}: {self.right}\n{more}"
        self.say("[mtime, mode, xattr]")

    def say(self, properties: str) -> None:
        self.config.write_text(f"jobs:\n  pair:\n{self.job}    properties: {properties}\n", "utf-8")

    def do(self, *args: str, code: int | None = 0) -> Answer:
        answer = self.call("--config", self.config, *args, "--json")
        assert code is None or answer.code == code, answer
        return answer

    def run(self, *args: str) -> list[tuple[str, str, str]]:
        return sorted(self.do("run", "pair", *args).actions)


def mark(root: Path, sets: Sets) -> None:
    """Give each path these attributes and no others."""
    for path, said in sets.items():
        for name in os.listxattr(root / path):
            os.removexattr(root / path, name)
        for each in said.split():
            name, _, value = each.partition("=")
            os.setxattr(root / path, f"user.{name}", value.encode())


def marks(root: Path) -> dict[str, str]:
    """The attributes of all that has any."""
    found = {}
    for path in sorted(root.rglob("*")):
        names = sorted(os.listxattr(path, follow_symlinks=False)) if ".syncline" not in path.parts else []
        if names:
            told = (f"{name.removeprefix('user.')}={os.getxattr(path, name).decode()}" for name in names)
            found[str(path.relative_to(root))] = " ".join(told)
    return found


BASE: Tree = {"a": "1", "b": File("2", 0o600), "d/c": "3", "l": Link("a"), "e": DIR}
MARKED: Sets = {"a": "tag=red", "d": "of=d", "d/c": "x=1 y=2"}


@dataclass(frozen=True)
class Row:
    """What was done to both sides of a pair that was in step, what a run does, and what is marked how afterwards."""

    says: str
    left: Sets = field(default_factory=dict)
    right: Sets = field(default_factory=dict)
    edit_left: Tree = field(default_factory=dict)
    edit_right: Tree = field(default_factory=dict)
    does: tuple[str, ...] = ()
    then: Sets = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    policy: str = "newest"


def _but(**changed: str) -> dict[str, str]:
    return {path: said for path, said in {**MARKED, **changed}.items() if said}


SET = "set-properties"
TICK_S = 0.02
"""Longer than the clock of a file system takes to go on."""
TABLE = [
    Row("nothing happened", then=MARKED),
    Row("a new attribute", {"b": "new=1"}, does=(f"{SET} right b",), then=_but(b="new=1")),
    Row("another value", {}, {"a": "tag=blue"}, does=(f"{SET} left a",), then=_but(a="tag=blue")),
    Row("one taken away of two", {"d/c": "x=1"}, does=(f"{SET} right d/c",), then={**MARKED, "d/c": "x=1"}),
    Row("all taken away", {"a": ""}, does=(f"{SET} right a",), then=_but(a="")),
    Row(
        "of a directory",
        {"d": "of=e", "e": "n=1"},
        does=(f"{SET} right d", f"{SET} right e"),
        then=_but(d="of=e", e="n=1"),
    ),
    Row("the same on both sides", {"b": "n=1"}, {"b": "n=1"}, then=_but(b="n=1")),
    Row(
        "an edit meets a new attribute of the other side",
        edit_left={"a": File("edited", at=90)},
        right={"a": "tag=blue"},
        does=("put-file right a", f"{SET} left a"),
        then=_but(a="tag=blue"),
    ),
    Row("an edit that keeps them", edit_left={"a": "edited"}, does=("put-file right a",), then=MARKED),
    Row(
        "a chmod meets a new attribute",
        {"a": "tag=blue"},
        edit_right={"a": Touch(mode=0o640)},
        does=(f"{SET} left a", f"{SET} right a"),
        then=_but(a="tag=blue"),
    ),
    Row(
        "a new attribute of a read-only file",
        {"b": "n=1"},
        edit_left={"b": Touch(mode=0o400)},
        does=(f"{SET} right b",),
        then=_but(b="n=1"),
    ),
    Row(
        "a new attribute saves from a deletion",
        {"a": "tag=blue"},
        edit_right={"a": None},
        does=("put-file right a",),
        then=_but(a="tag=blue"),
    ),
    Row("deleted with its attributes", edit_left={"a": None}, does=("trash right a",), then=_but(a="")),
    Row(
        "both chose, the left one's by policy",
        {"a": "tag=blue"},
        {"a": "tag=green"},
        does=(f"{SET} right a",),
        then=_but(a="tag=blue"),
        conflicts=("a",),
        policy="left",
    ),
    Row(
        "both chose, the later one",
        {"a": "tag=blue"},
        {"a": "tag=green"},
        does=(f"{SET} left a",),
        then=_but(a="tag=green"),
        conflicts=("a",),
    ),
    Row(
        "a new file and a new directory bring theirs",
        {"n": "of=n", "n/m": "of=m"},
        edit_left={"n/m": "5"},
        does=("make-directory right n", "put-file right n/m"),
        then={**MARKED, "n": "of=n", "n/m": "of=m"},
    ),
]


@pytest.fixture
def attributed(quick: Path, parent: Forks) -> Callable[..., Attributed]:
    def make(kind: str = "twoway", more: str = "") -> Attributed:
        return Attributed(quick, parent, kind, more)

    return make


def _in_step(pair: Attributed) -> Attributed:
    pair.write(left=BASE)
    mark(pair.left, MARKED)
    pair.run()
    assert marks(pair.left) == marks(pair.right) == MARKED
    assert pair.run() == []
    return pair


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_attributes_are_merged_as_a_property_of_their_own(attributed: Callable[..., Attributed], row: Row) -> None:
    pair = _in_step(attributed(more=f"    props_both: {row.policy}\n"))
    pair.write(row.edit_left, row.edit_right)
    mark(pair.left, row.left)
    time.sleep(TICK_S)
    mark(pair.right, row.right)
    answer = pair.do("run", "pair")
    assert sorted(f"{kind} {side} {path}" for kind, side, path in answer.actions) == sorted(row.does)
    assert tuple(conflict["path"] for conflict in answer.document["conflicts"]) == row.conflicts
    assert marks(pair.left) == marks(pair.right) == row.then
    pair.same()
    assert pair.run() == []


UNDONE = [row for row in TABLE if row.does]


@pytest.mark.parametrize("row", UNDONE, ids=lambda row: row.says)
def test_a_run_is_taken_back_with_its_attributes_and_that_again(
    attributed: Callable[..., Attributed], row: Row
) -> None:
    pair = _in_step(attributed(more=f"    props_both: {row.policy}\n"))
    pair.write(row.edit_left, row.edit_right)
    mark(pair.left, row.left)
    time.sleep(TICK_S)
    mark(pair.right, row.right)
    before = _seen(pair)
    done = pair.do("run", "pair")
    after = _seen(pair)
    undone = pair.do("undo", done.document["run"], code=None)
    assert undone.document["problems"] == []
    assert _seen(pair) == before
    again = pair.do("undo", undone.document["run"], code=None)
    assert again.document["problems"] == []
    assert _seen(pair) == after


def _seen(pair: Attributed) -> list[tuple[dict[str, str], dict[str, str]]]:
    return [(disk.read(root, properties=True), marks(root)) for root in (pair.left, pair.right)]


def test_an_empty_directory_comes_back_with_its_attributes(attributed: Callable[..., Attributed]) -> None:
    pair = attributed()
    pair.write(left={"e": DIR})
    mark(pair.left, {"e": "of=e"})
    pair.run()
    (pair.left / "e").rmdir()
    done = pair.do("run", "pair")
    assert not (pair.right / "e").exists()
    pair.do("undo", done.document["run"], code=None)
    assert marks(pair.right) == {"e": "of=e"}


def test_a_rename_meets_new_attributes(attributed: Callable[..., Attributed]) -> None:
    pair = _in_step(attributed())
    (pair.left / "d").rename(pair.left / "f")
    (pair.left / "a").rename(pair.left / "f/a")
    mark(pair.right, {"d": "of=f", "a": "tag=blue"})
    before = marks(pair.left)
    done = pair.do("run", "pair")
    wanted = {"f": "of=f", "f/a": "tag=blue", "f/c": "x=1 y=2"}
    assert marks(pair.left) == marks(pair.right) == wanted
    assert {kind for kind, _, _ in done.actions} == {"rename", SET}
    assert pair.run() == []
    pair.do("undo", done.document["run"], code=None)
    assert marks(pair.left) == before
    assert marks(pair.right) == {**MARKED, "d": "of=f", "a": "tag=blue"}


def test_a_first_meeting_loses_no_attribute(attributed: Callable[..., Attributed]) -> None:
    pair = attributed()
    pair.write({"a": "1", "b": "2", "c": "3", "d": DIR}, {"a": "1", "b": "2", "c": "3", "d": DIR})
    mark(pair.left, {"a": "tag=red", "c": "tag=left"})
    time.sleep(TICK_S)
    mark(pair.right, {"b": "tag=blue", "d": "of=d", "c": "tag=right"})
    pair.run()
    assert marks(pair.left) == marks(pair.right) == {"a": "tag=red", "b": "tag=blue", "c": "tag=right", "d": "of=d"}
    assert pair.run() == []


def test_attributes_taken_in_later_are_levelled_and_none_is_lost(attributed: Callable[..., Attributed]) -> None:
    pair = attributed()
    pair.say("[mtime, mode]")
    pair.write(left={"a": "1", "b": "2"})
    mark(pair.left, {"a": "tag=red"})
    pair.run()
    mark(pair.right, {"b": "tag=blue"})
    assert pair.run() == []
    assert (marks(pair.left), marks(pair.right)) == ({"a": "tag=red"}, {"b": "tag=blue"})
    pair.say("[mtime, mode, xattr]")
    assert pair.run() == [(SET, "left", "b"), (SET, "right", "a")]
    assert marks(pair.left) == marks(pair.right) == {"a": "tag=red", "b": "tag=blue"}
    assert pair.run() == []


def test_a_mirror_gives_its_target_the_attributes_of_the_source(attributed: Callable[..., Attributed]) -> None:
    pair = attributed("mirror")
    _in_step(pair)
    mark(pair.left, {"b": "n=1"})
    mark(pair.right, {"a": "", "d": "of=other"})
    (pair.right / "d/c").unlink()
    pair.run()
    assert marks(pair.left) == marks(pair.right) == {**MARKED, "b": "n=1"}
    assert pair.run() == []


def test_a_conflict_on_hold_is_resolved(attributed: Callable[..., Attributed]) -> None:
    pair = _in_step(attributed(more="    props_both: hold\n"))
    mark(pair.left, {"a": "tag=blue"})
    mark(pair.right, {"a": "tag=green"})
    assert pair.do("run", "pair", code=1).document["conflicts"][0]["rule"] == "props-both"
    pair.do("resolve", "pair", "a", "--keep", "left")
    assert marks(pair.left)["a"] == marks(pair.right)["a"] == "tag=blue"
    assert pair.run() == []


def test_a_clash_file_and_what_the_trash_gives_back_keep_theirs(attributed: Callable[..., Attributed]) -> None:
    pair = _in_step(attributed())
    pair.write({"a": File("left", at=90)}, {"a": File("right", at=10)})
    mark(pair.left, {"a": "tag=left"})
    mark(pair.right, {"a": "tag=right"})
    pair.run()
    clash = next(path.name for path in pair.left.iterdir() if "_clash_" in path.name)
    assert marks(pair.left) == marks(pair.right) == {**MARKED, "a": "tag=left", clash: "tag=right"}
    (pair.left / "d/c").unlink()
    pair.run()
    pair.do("trash", "restore", "pair", "d/c")
    assert marks(pair.left)["d/c"] == marks(pair.right)["d/c"] == MARKED["d/c"]


def test_what_has_no_room_is_told_and_nothing_changes_there(tmp_path: Path, quick: Path, parent: Forks) -> None:
    pair = Attributed(tmp_path, parent)
    pair.left = quick / "in-memory"
    pair.left.mkdir()
    pair.job = f"    kind: twoway\n    left: {pair.left}\n    right: {pair.right}\n"
    pair.say("[mtime, mode, xattr]")
    pair.write(left={"a": "1"})
    mark(pair.left, {"a": "tag=red"})
    pair.run()
    os.setxattr(pair.left / "a", "user.large", b"x" * 60_000)
    answer = pair.do("run", "pair", code=4)
    (problem,) = answer.document["problems"]
    assert (problem["reason"], problem["path"]) == ("no-space", "a")
    assert "extended attributes have no room" in problem["detail"]
    assert marks(pair.right) == {"a": "tag=red"}
    os.removexattr(pair.left / "a", "user.large")
    assert pair.run() == []


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("dies_at", [1, 2, 3, 4])
def test_a_run_killed_while_it_sets_attributes_is_finished(
    attributed: Callable[..., Attributed], dies_at: int, opened: bool
) -> None:
    pair = attributed()
    pair.write(left={"a": File("1", 0o444)})
    mark(pair.left, {"a": "u=1 x=1 y=1 z=1"})
    pair.run()
    mark(pair.left, {"a": "x=2 y=2 z=2"})
    child = os.fork()
    if child == 0:
        _dying(pair, dies_at)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DEATH
    cut = marks(pair.right)["a"].split()
    assert len(cut) == 3 if dies_at > 1 else cut == ["u=1", "x=1", "y=1", "z=1"][4 - len(cut) :]
    assert cut != ["x=2", "y=2", "z=2"]
    if opened:
        (pair.right / "a").chmod(0o644)  # what a user must do who may not write his own file
    pair.do("run", "pair")
    assert marks(pair.left) == marks(pair.right) == {"a": "x=2 y=2 z=2"}
    assert {root: (root / "a").stat().st_mode & 0o777 for root in (pair.left, pair.right)} == {
        pair.left: 0o444,
        pair.right: 0o444,
    }
    assert pair.run() == []


DEATH = 9


def _dying(pair: Attributed, at: int) -> None:
    """A run that dies before its attribute call number `at` on the right folder."""
    try:
        calls = 0

        def dying(call: Callable[..., None]) -> Callable[..., None]:
            def checked(file: int | str, *given: Any) -> None:
                nonlocal calls
                where = os.path.realpath(f"/proc/self/fd/{file}" if isinstance(file, int) else file)
                calls += where == str(pair.right / "a")
                if calls == at:
                    os._exit(DEATH)
                call(file, *given)

            return checked

        os.setxattr, os.removexattr = dying(os.setxattr), dying(os.removexattr)
        main(["--state-dir", str(pair.state), "--config", str(pair.config), "run", "pair"])
    finally:
        os._exit(1)


ACCESS_LIST = b"".join(
    [
        struct.pack("<I", 2),
        *(struct.pack("<HHI", *each) for each in ((1, 6, -1 & 0xFFFFFFFF), (2, 4, 12345), (4, 4, -1 & 0xFFFFFFFF))),
        *(struct.pack("<HHI", *each) for each in ((16, 4, -1 & 0xFFFFFFFF), (32, 4, -1 & 0xFFFFFFFF))),
    ]
)
"""User 12345 may read: acl(5), as the kernel takes it."""


def test_other_namespaces_are_left_alone(tmp_path: Path, parent: Forks) -> None:
    pair = Attributed(tmp_path, parent)
    pair.write(left={"a": "1"})
    mark(pair.left, {"a": "tag=red"})
    os.setxattr(pair.left / "a", "system.posix_acl_access", ACCESS_LIST)
    pair.run()
    assert "system.posix_acl_access" in os.listxattr(pair.left / "a")
    assert os.listxattr(pair.right / "a") == ["user.tag"]
    assert pair.run() == []


@pytest.mark.root
def test_a_user_may_mark_what_he_may_not_write(tmp_path: Path) -> None:
    pair = Attributed(tmp_path, None)
    pair.write(left={"a": File("1", 0o444), "d": disk.Dir(0o555)})
    command = [*UNPRIVILEGED, *pair.command("--config", pair.config, "run", "pair")]
    for marked in ({}, {"a": "tag=red", "d": "of=d"}, {"a": "tag=blue"}):
        mark(pair.left, marked)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done
        assert marks(pair.right) == marks(pair.left)
        assert [(pair.right / name).stat().st_mode & 0o777 for name in ("a", "d")] == [0o444, 0o555]


def _unable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No attribute can be set: as of a file system that takes them for known and keeps none."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)


@pytest.mark.parametrize("root", [LocalRoot, PathRoot])
def test_a_root_that_keeps_none_is_named_and_nothing_is_read_or_carried(
    quick: Path, monkeypatch: pytest.MonkeyPatch, root: Callable[[str], Root]
) -> None:
    pair = Pair(quick)
    pair.write({"a": "1"})
    mark(pair.left, {"a": "tag=red"})
    _unable(monkeypatch)
    store = Store.open(str(pair.state), now=local_now, write=True)
    with Desk(store, write=True, opened=root) as desk:
        said = {"properties": ["mtime", "mode", "xattr"]}
        job = desk.adhoc("twoway", str(pair.left), str(pair.right), said, create=True)
        (started,) = (event for event in desk.run(job, Ask()) if isinstance(event, RunStarted))
    told = "extended attributes are not kept in step: in left and right they are not kept"
    assert told in started.plan.notes
    assert disk.read(pair.right) == {"a": "=1"}
    assert marks(pair.right) == {}


def test_a_job_that_does_not_ask_reads_and_carries_none(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(quick)
    pair.write({"a": "1", "d/b": "2"})
    mark(pair.left, {"a": "tag=red"})
    asked: list[object] = []
    for call in ("listxattr", "getxattr", "setxattr"):
        monkeypatch.setattr(os, call, lambda *given, **named: asked.append(given))
    store = Store.open(str(pair.state), now=local_now, write=True)
    with Desk(store, write=True, opened=PathRoot) as desk:
        job = desk.adhoc("twoway", str(pair.left), str(pair.right), {}, create=True)
        assert len(list(desk.run(job, Ask()))) > 1
    assert disk.read(pair.right) == {"a": "=1", "d": "/", "d/b": "=2"}
    assert asked == []
