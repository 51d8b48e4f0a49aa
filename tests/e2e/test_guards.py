"""Each guard once: it refuses before anything is touched, says how to go ahead, and that way works."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.disk import Tree
from tests.e2e.forks import Forks, environment
from tests.e2e.pair import UNPRIVILEGED, Answer, Pair

MANY: Tree = {f"many/{number}": f"many {number}" for number in range(60)}


def refused(pair: Pair, guard: str, *args: str) -> Answer:
    """A run that the guard refuses: exit code 3, nothing touched; a plan tells it with exit code 0."""
    before, started = disk.fingerprint(pair.left, pair.right), not (pair.right / ".syncline").exists()
    answer = pair.sync(*args, code=3)
    assert (answer.document["outcome"], answer.guards) == ("refused", [guard]), str(answer)
    assert answer.document["run"] is None
    assert {row["state"] for row in answer.document["actions"]} <= {"planned"}
    after = disk.fingerprint(pair.left, pair.right)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    # The lock is taken before a root is looked at, and makes room for itself where nothing was synchronised before.
    first = {f"{root}/{part}" for root in (pair.left, pair.right) for part in ("", ".syncline", ".syncline/staging")}
    assert changed - {f"{root}/.syncline/lock" for root in (pair.left, pair.right)} <= (first if started else set())
    planned = pair.sync("--dry-run", *args, code=None)
    if guard != "root-missing":
        assert (planned.code, planned.document["outcome"], planned.guards) == (0, "refused", [guard])
    return answer


def test_too_many_deletes(pair: Pair) -> None:
    pair.write(left=MANY)
    pair.sync()
    for number in range(26):
        (pair.left / "many" / str(number)).unlink()
    answer = refused(pair, "too-many-deletes")
    assert refused(pair, "too-many-deletes", "--approve", "0123456789abcdef").approve == answer.approve
    (pair.left / "many/26").unlink()
    refused(pair, "too-many-deletes", "--approve", answer.approve)  # it would remove more than was approved
    pair.write(left={"many/26": "back", "new": "1"})
    approved = pair.sync("--approve", answer.approve, code=None)
    assert approved.code == 3  # it would replace what was not approved to be replaced
    larger = approved.approve
    pair.write(left={"many/0": "back again"})
    pair.sync("--approve", larger)  # it removes less
    assert len(pair.same()) == 1 + 60 - 25 + 1
    pair.settled()


def test_renames_need_no_question_and_copy_nothing(pair: Pair) -> None:
    pair.write(left=MANY)
    pair.sync()
    inode = (pair.right / "many/7").stat().st_ino
    (pair.left / "many").rename(pair.left / "folder")
    folder = pair.sync()
    assert folder.actions == [("rename", "right", "many")]
    for number in range(60):
        (pair.left / f"folder/{number}").rename(pair.left / f"folder/{number} renamed")
    files = pair.sync()
    assert (len(files.actions), {action for action, *_ in files.actions}) == (60, {"rename"})
    assert [answer.document["summary"]["bytes_copied"] for answer in (folder, files)] == [0, 0]
    assert (pair.right / "folder/7 renamed").stat().st_ino == inode
    pair.settled()


@pytest.mark.parametrize("count", [25, 6])
def test_so_many_deletes_need_no_question(pair: Pair, count: int) -> None:
    pair.write(left=MANY)
    pair.sync()
    for number in range(count):
        (pair.right / "many" / str(number)).unlink()
    pair.sync()
    pair.settled()


def test_a_whole_side_emptied_counts_as_deletions(pair: Pair) -> None:
    pair.write(left=MANY)
    pair.sync()
    disk.write(pair.right, {"many": None})
    answer = refused(pair, "too-many-deletes")
    name = answer.document["job"]
    ran = pair.call("run", name, "--json", "--approve", answer.approve)
    assert ran.code == 0, str(ran)
    assert pair.same() == {}
    assert len(disk.trash(pair.left)) == 61
    pair.settled()


def test_all_changed(pair: Pair) -> None:
    pair.write(left=MANY)
    pair.sync()
    pair.write(left={path: f"encrypted {path}" for path in MANY})
    answer = refused(pair, "all-changed")
    pair.sync("--approve", answer.approve)
    pair.settled()


def test_source_empty(mirror: Pair) -> None:
    mirror.write(right={"a": "1"})
    assert "source-empty" in mirror.sync(code=3).guards
    mirror.write(left={"a": "1"})
    mirror.sync()
    (mirror.left / "a").unlink()
    answer = refused(mirror, "source-empty")
    assert disk.read(mirror.right) == {"a": "=1"}
    mirror.sync("--approve", answer.approve)
    assert disk.read(mirror.right) == {}


def test_first_mirror_extras(mirror: Pair) -> None:
    mirror.write({"a": "1"}, {"a": "1", "b": "2", "d/c": "3"})
    answer = refused(mirror, "first-mirror-extras")
    mirror.sync("--approve", answer.approve)
    assert disk.trash(mirror.right) == {"b": "=2", "d": "/", "d/c": "=3"}
    assert mirror.same() == {"a": "=1"}
    mirror.write(right={"later": "4"})
    mirror.sync()
    assert mirror.same() == {"a": "=1"}


@pytest.mark.parametrize(
    ("extras", "right", "trash"),
    [("keep", {"a": "=1", "b": "=2"}, {}), ("trash", {"a": "=1"}, {"b": "=2"}), ("delete", {"a": "=1"}, {})],
)
def test_extras_said_need_no_question(mirror: Pair, extras: str, right: dict[str, str], trash: dict[str, str]) -> None:
    mirror.write({"a": "1"}, {"b": "2"})
    mirror.sync("--extras", extras)
    assert (disk.read(mirror.right), disk.trash(mirror.right)) == (right, trash)
    assert mirror.sync().document["outcome"] == "in-sync"


def test_a_mirror_replaces_what_was_edited_in_its_target_and_never_writes_to_its_source(mirror: Pair) -> None:
    mirror.write({"a": "1", "d/b": "2", "l": disk.Link("x"), "t": "3"})
    mirror.sync()
    mirror.write({"d/new": "4"}, {"a": "edited", "d": None, "l": "file", "t": None, "t/x": "5", "extra": "6"})
    before = disk.fingerprint(mirror.left)
    mirror.sync()
    assert disk.fingerprint(mirror.left) == before
    assert mirror.same() == {"a": "=1", "d": "/", "d/b": "=2", "d/new": "=4", "l": "-> x", "t": "=3"}
    kept = disk.trash(mirror.right)
    assert kept == {"a": "=edited", "l": "=file", "t": "/", "t/x": "=5", "extra": "=6"}
    assert mirror.sync().document["outcome"] == "in-sync"
    assert not (mirror.left / ".syncline").exists()


def test_root_missing(pair: Pair) -> None:
    pair.write(left={"a": "1"})
    pair.sync()
    pair.right.rename(pair.right.with_name("away"))
    pair.right.with_name("right").exists()
    answer = pair.sync(code=3)
    assert answer.guards == ["root-missing"]
    assert pair.sync("--dry-run", code=None).code == 3
    assert not pair.right.exists()
    assert pair.sync("--create", code=3).guards == ["root-missing"]
    assert not pair.right.exists()
    pair.right.with_name("away").rename(pair.right)
    pair.settled()


def without_marker(pair: Pair) -> None:
    (pair.right / ".syncline/root.json").unlink()


def an_empty_mount_point(pair: Pair) -> None:
    shutil.rmtree(pair.right)
    pair.right.mkdir()


def another_marker(pair: Pair) -> None:
    other = Pair(pair.left.parent / "other", parent=pair.parent)
    other.sync()
    shutil.copy(other.right / ".syncline/root.json", pair.right / ".syncline/root.json")


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (without_marker, "marker-missing"),
        (an_empty_mount_point, "marker-missing"),
        (another_marker, "marker-differs"),
    ],
)
def test_a_root_that_is_not_the_remembered_one(pair: Pair, change: Callable[[Pair], None], guard: str) -> None:
    pair.write(left={"a": "1", "b": "2"})
    pair.sync()
    (pair.left / "b").unlink()
    change(pair)
    answer = refused(pair, guard)
    name = answer.document["job"]
    shown = pair.call("adopt", name, "--dry-run", "--json")
    assert (shown.code, shown.document["outcome"]) in ((0, "planned"), (0, "in-sync")), str(shown)
    adopted = pair.call("adopt", name, "--json")
    assert adopted.code == 0, str(adopted)
    assert "=1" in pair.same().values()
    assert disk.trash(pair.left) == disk.trash(pair.right) == {}
    pair.settled()


def test_a_marker_that_was_emptied(pair: Pair) -> None:
    pair.write(left={"a": "1", "b": "2"})
    pair.sync()
    (pair.left / "b").unlink()
    (pair.right / ".syncline/root.json").write_bytes(b"")
    answer = pair.sync(code=3)
    assert answer.document == {} or answer.document["run"] is None
    assert "syncline adopt left-right" in answer.err
    assert (disk.read(pair.left), disk.read(pair.right)) == ({"a": "=1"}, {"a": "=1", "b": "=2"})
    assert pair.call("adopt", "left-right", "--json").code == 0
    assert pair.same() == {"a": "=1", "b": "=2"}
    pair.settled()


def test_state_older(pair: Pair) -> None:
    pair.write(left={"a": "1"})
    pair.sync()
    copy = pair.right.with_name("copy")
    shutil.copytree(pair.right, copy, symlinks=True)
    pair.write(left={"a": "2"})
    pair.sync()
    shutil.rmtree(pair.right)
    copy.rename(pair.right)  # a backup of one side was put back
    answer = refused(pair, "state-older")
    assert pair.call("adopt", answer.document["job"], "--json").code == 0
    assert set(pair.same().values()) == {"=1", "=2"}
    pair.settled()


def test_a_guard_of_a_lost_state_is_no_deletion(pair: Pair) -> None:
    pair.write(left=MANY)
    pair.sync()
    for path in list(MANY)[:50]:
        (pair.left / path).unlink()
    shutil.rmtree(pair.state)
    pair.sync()
    assert len(pair.same()) == 61
    pair.settled()


@pytest.mark.root
def test_incomplete_scan(pair: Pair) -> None:
    pair.write(left={"a": "1"})
    pair.sync()
    pair.write(left={"b": "2"})
    pair.right.chmod(0o100)
    command = [*UNPRIVILEGED, *pair.command("sync", pair.left, pair.right, "--json")]
    done = subprocess.run(command, capture_output=True, env=environment())
    pair.right.chmod(0o755)
    assert done.returncode in (3, 4), done.stderr
    assert disk.read(pair.left) == {"a": "=1", "b": "=2"}
    assert disk.read(pair.right) == {"a": "=1"}
    pair.sync()
    pair.settled()


def lost(state: Path) -> None:
    shutil.rmtree(state)


def database_lost(state: Path) -> None:
    (state / "state.db").unlink()


def emptied(state: Path) -> None:
    (state / "state.db").write_bytes(b"")


def halved(state: Path) -> None:
    data = (state / "state.db").read_bytes()
    (state / "state.db").write_bytes(data[: len(data) // 2])


def garbage(state: Path) -> None:
    (state / "state.db").write_bytes(b"garbage " * 4000)


def put_back(state: Path) -> None:
    shutil.rmtree(state)
    state.with_name("backup").rename(state)


@pytest.mark.parametrize("step", [15, 20, 30])
def test_a_state_whose_journal_was_lost_with_its_process_deletes_nothing(pair: Pair, parent: Forks, step: int) -> None:
    """What was committed last is gone; what a run was about to do is done nonetheless, or seen anew."""
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    pair.write(left={"edited": "1", "deleted": "2", "both": "3", "still": "4"})
    pair.sync()
    pair.write({"edited": "new", "deleted": None, "both": "left"}, {"both": "right"})
    assert parent.call(*args, kill=step).code == -9
    for name in ("state.db-wal", "state.db-shm"):
        (pair.state / name).unlink()
    after = parent.call(*args)
    assert (after.code, [row for row in after.document["actions"] if row["action"] in ("trash", "remove")]) == (0, [])
    end = disk.unclashed(pair.same())
    assert end["edited"] == "=new"
    assert {"=left", "=right", "=4"} <= set(end.values())
    pair.settled()


@pytest.mark.parametrize("damage", [lost, database_lost, emptied, halved, garbage, put_back])
@pytest.mark.parametrize("between", ["nothing", "a run"])
def test_a_state_that_is_not_the_last_one_deletes_nothing(
    pair: Pair, damage: Callable[[Path], None], between: str
) -> None:
    pair.write(left={"kept": "1", "deleted": "2", "edited": "3", "created": "4"})
    pair.sync()
    shutil.copytree(pair.state, pair.state.with_name("backup"))
    if between == "a run":
        (pair.right / "created").unlink()
        pair.write(left={"created anew": "5"})
        pair.sync()
    (pair.left / "deleted").unlink()
    pair.write(left={"edited": disk.File("left", at=90)}, right={"edited": disk.File("right", at=10)})
    damage(pair.state)
    answer = pair.sync(code=None)
    if damage is put_back and between == "nothing":
        assert answer.code == 0
        assert disk.trash(pair.right).keys() == {"deleted"}
        return
    assert answer.code == 0, str(answer)
    assert [row for row in answer.actions if row[0] in ("trash", "remove")] == []
    assert answer.err.strip() != "", "it must be said"
    end = disk.unclashed(pair.same())
    assert end.keys() >= {"kept", "deleted", "edited", "edited_clash"}
    assert {end["edited"], end["edited_clash"]} == {"=left", "=right"}
    pair.settled()
    history = pair.call("history", "--json")
    assert history.code == 0


@pytest.mark.root
@pytest.mark.parametrize("seen", [False, True], ids=["at first", "of a job that is known"])
@pytest.mark.parametrize(
    ("shown", "at", "told"),
    [
        ("left", "right", "the same folder"),
        ("left/in", "right", "inside left"),
        ("right/in/deep", "left", "inside right"),
    ],
)
def test_a_mount_shows_one_root_in_the_other(pair: Pair, shown: str, at: str, told: str, seen: bool) -> None:
    pair.write(left={"a": "1", "in/b": "2", "in/deep/c": "3"})
    if seen:
        pair.sync()
    else:
        pair.write(right={"in/deep/c": "3"})
    top = pair.left.parent
    subprocess.run(["mount", "--bind", top / shown, top / at], check=True)
    try:
        before = disk.fingerprint(pair.left, pair.right)
        for command in (("sync",), ("sync", "--dry-run"), ("mirror",)):
            answer = pair.call(*command, pair.left, pair.right)
            assert answer.code == 2, (command, answer)
            if told != "the same folder" or seen:
                assert str(top / shown) in answer.err
            assert (told if command[0] == "sync" else told.partition(" ")[0]) in answer.err
        assert disk.fingerprint(pair.left, pair.right) == before
    finally:
        subprocess.run(["umount", top / at], check=True)
    pair.sync()
    pair.settled()


@pytest.mark.root
def test_a_mount_shows_a_folder_beside_the_other_root(pair: Pair) -> None:
    """The names of the places look like one another; the places are not one inside the other."""
    other = pair.left.parent / "left in fact"
    other.mkdir()
    subprocess.run(["mount", "--bind", other, pair.right], check=True)
    try:
        pair.write(left={"a": "1"})
        pair.sync()
        assert disk.read(other) == {"a": "=1"}
    finally:
        subprocess.run(["umount", pair.right], check=True)


@pytest.mark.parametrize("marker", [b"", b"no JSON", b"[]", b'{"jobs": {}}'])
def test_a_damaged_marker_is_written_anew_by_adopt(pair: Pair, marker: bytes) -> None:
    pair.write(left={"a": "1", "b": "2"})
    pair.sync()
    (pair.left / "b").unlink()
    (pair.right / ".syncline/root.json").write_bytes(marker)
    answer = pair.sync(code=3)
    assert "the marker of this root is damaged" in answer.err
    assert disk.read(pair.right) == {"a": "=1", "b": "=2"}
    adopted = pair.call("adopt", answer.document["job"], "--json")
    assert adopted.code == 0, adopted
    assert pair.same() == {"a": "=1", "b": "=2"}
    pair.settled()


@pytest.mark.parametrize("first", [True, False])
def test_a_file_where_its_own_folder_is_to_be(pair: Pair, first: bool) -> None:
    pair.write({"a": "1"})
    own = pair.right / ".syncline"
    if not first:
        pair.sync()
        shutil.rmtree(own)
    own.write_text("mine")
    adopt = [] if first else [("adopt", "left-right")]
    for command in [("sync", pair.left, pair.right), *adopt]:
        told = pair.call(*command)
        assert (told.code, f"rename or remove {own}" in told.out + told.err) == (3, True), str(told)
        assert "To take the folder as it stands" not in told.out + told.err, str(told)
    assert own.read_text() == "mine"
    own.rename(pair.right / "mine")
    assert (pair.call("adopt", "left-right") if adopt else pair.sync()).code == 0
    assert pair.same() == {"a": "=1", "mine": "=mine"}
