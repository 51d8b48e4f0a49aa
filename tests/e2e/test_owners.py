"""Owners kept in step: as root, between real folders. Where nobody may set them, a run says so."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from syncline.compose import Desk, local_now
from syncline.core.model import RunStarted
from syncline.engine.world import Ask
from syncline.fs.local import LocalRoot
from syncline.fs.probe import capabilities_of
from syncline.store.db import Store
from tests.e2e import disk
from tests.e2e.disk import File, Touch
from tests.e2e.pair import Answer, Pair

pytestmark = pytest.mark.root

ALICE, BOB, CAROL = (1001, 1001), (1002, 1003), (1004, 1004)


class Owned(Pair):
    """A pair whose job keeps owners in step."""

    def __init__(self, top: Path, kind: str = "twoway", more: str = "") -> None:
        super().__init__(top)
        self.config = top / "syncline.yaml"
        one, two = ("left", "right") if kind == "twoway" else ("source", "target")
        self.job = f"    kind: {kind}\n    {one}: {self.left}\n    {two}: {self.right}\n{more}"
        self.say("[mtime, mode, owner]")

    def say(self, properties: str) -> None:
        self.config.write_text(f"jobs:\n  pair:\n{self.job}    properties: {properties}\n", "utf-8")

    def do(self, *args: str, code: int = 0) -> Answer:
        answer = self.call("--config", self.config, *args, "--json")
        assert answer.code == code, answer
        return answer

    def run(self, *args: str) -> list[tuple[str, str, str]]:
        return sorted(self.do("run", "pair", *args).actions)


def own(root: Path, owners: dict[str, tuple[int, int]]) -> None:
    for name, (user, group) in owners.items():
        os.chown(root / name, user, group, follow_symlinks=False)


def owners(root: Path) -> dict[str, tuple[int, int]]:
    found = [path for path in sorted(root.rglob("*")) if ".syncline" not in path.parts]
    return {str(path.relative_to(root)): (path.lstat().st_uid, path.lstat().st_gid) for path in found}


@pytest.fixture
def pair(tmp_path: Path) -> Owned:
    made = Owned(tmp_path)
    made.write(left={"a": File("1", 0o600), "b": "2", "d/c": "3"})
    own(made.left, {"a": ALICE, "d": BOB, "d/c": CAROL})
    made.run()
    return made


FIRST = {"a": ALICE, "b": (0, 0), "d": BOB, "d/c": CAROL}


def test_what_is_new_brings_its_owner(pair: Owned) -> None:
    assert owners(pair.left) == owners(pair.right) == FIRST
    assert (pair.right / "a").stat().st_mode & 0o777 == 0o600
    assert pair.run() == []


def test_a_new_owner_goes_across(pair: Owned) -> None:
    own(pair.left, {"a": BOB, "d": ALICE})
    own(pair.right, {"d/c": ALICE})
    assert pair.run() == [
        ("set-properties", "left", "d/c"),
        ("set-properties", "right", "a"),
        ("set-properties", "right", "d"),
    ]
    assert owners(pair.left) == owners(pair.right) == {**FIRST, "a": BOB, "d": ALICE, "d/c": ALICE}
    assert pair.run() == []


def test_an_edit_meets_a_new_owner_and_a_chmod(pair: Owned) -> None:
    pair.write(left={"a": File("edited", 0o600, at=90)})
    own(pair.right, {"a": BOB})
    pair.write(right={"a": Touch(mode=0o640)})
    pair.run()
    assert disk.read(pair.left, properties=True) == disk.read(pair.right, properties=True)
    assert (pair.left / "a").read_text() == "edited"
    assert owners(pair.left)["a"] == owners(pair.right)["a"] == BOB
    assert (pair.left / "a").stat().st_mode & 0o777 == 0o640
    assert pair.run() == []


def test_a_renamed_directory_takes_its_owners_along(pair: Owned) -> None:
    (pair.left / "d").rename(pair.left / "e")
    own(pair.right, {"d": ALICE, "d/c": BOB})
    assert {kind for kind, _, _ in pair.run()} == {"rename", "set-properties"}
    assert owners(pair.left) == owners(pair.right) == {"a": ALICE, "b": (0, 0), "e": ALICE, "e/c": BOB}
    assert pair.run() == []


def test_a_run_that_set_owners_is_taken_back(pair: Owned) -> None:
    own(pair.left, {"a": BOB, "d": ALICE})
    done = pair.do("run", "pair")
    pair.do("undo", done.document["run"], code=1)
    assert owners(pair.right) == FIRST
    assert owners(pair.left) == {**FIRST, "a": BOB, "d": ALICE}


def test_a_conflict_on_hold_is_resolved(tmp_path: Path) -> None:
    pair = Owned(tmp_path, more="    props_both: hold\n")
    pair.write({"a": "1"})
    pair.run()
    own(pair.left, {"a": ALICE})
    own(pair.right, {"a": BOB})
    assert pair.do("run", "pair", code=1).document["conflicts"][0]["rule"] == "props-both"
    pair.do("resolve", "pair", "a", "--keep", "right")
    assert owners(pair.left) == owners(pair.right) == {"a": BOB}
    assert pair.run() == []


def test_owners_taken_in_later_are_levelled_once(pair: Owned) -> None:
    pair.say("[mtime, mode]")
    own(pair.left, {"a": BOB})
    assert pair.run() == []
    assert owners(pair.right) == FIRST
    pair.say("[mtime, mode, owner]")
    assert pair.run() == [("set-properties", "right", "a")]
    assert owners(pair.right)["a"] == BOB
    assert pair.run() == []


def test_a_mirror_gives_its_target_the_owners_of_the_source(tmp_path: Path) -> None:
    pair = Owned(tmp_path, "mirror")
    pair.write({"a": "1", "d/b": "2"})
    own(pair.left, {"a": ALICE, "d": BOB, "d/b": CAROL})
    pair.run()
    own(pair.right, {"d": ALICE, "a": BOB})
    pair.run()
    assert owners(pair.left) == owners(pair.right) == {"a": ALICE, "d": BOB, "d/b": CAROL}
    assert pair.run() == []


def test_a_deleted_directory_goes_to_the_trash_whole_and_keeps_its_owners(pair: Owned) -> None:
    (pair.left / "d/c").unlink()
    (pair.left / "d").rmdir()
    assert pair.run() == [("trash", "right", "d")]
    assert set(owners(pair.right)) == {"a", "b"}
    (kept,) = (pair.right / ".syncline/trash").glob("*/d/c")
    assert (kept.stat().st_uid, kept.stat().st_gid) == CAROL


def test_both_chose_an_owner(pair: Owned) -> None:
    own(pair.left, {"a": BOB})
    own(pair.right, {"a": CAROL})
    done = pair.do("run", "pair")
    assert [(row["path"], row["rule"]) for row in done.document["conflicts"]] == [("a", "props-both")]
    assert owners(pair.left)["a"] == owners(pair.right)["a"]
    assert owners(pair.left)["a"] in (BOB, CAROL)
    assert pair.run() == []


def test_a_root_that_keeps_no_owners_is_named_and_nothing_is_carried(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.write({"a": "1"})
    own(pair.left, {"a": ALICE})

    def opened(path: str) -> LocalRoot:
        known = capabilities_of(path)
        return LocalRoot(path, replace(known, filesystem="vfat") if path.endswith("right") else known)

    store = Store.open(str(pair.state), now=local_now, write=True)
    with Desk(store, write=True, opened=opened) as desk:
        said = {"properties": ["mtime", "mode", "owner"]}
        job = desk.adhoc("twoway", str(pair.left), str(pair.right), said, create=True)
        (started,) = (event for event in desk.run(job, Ask()) if isinstance(event, RunStarted))
    assert [note for note in started.plan.notes if note.startswith("owners are not kept in step: in right")]
    assert owners(pair.left) == {"a": ALICE}
    assert owners(pair.right) == {"a": (0, 0)}
