"""Bytes that change on the disk while nobody writes: found by `verify`, told, held, put right when a person says so.

The rot is real: the right folder lies on an ext4 image that is unmounted, patched where the content stands, and mounted
again. Size, times and inode of the file are what they were.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.commands.schema import faults, schema
from tests.e2e import disk
from tests.e2e.disk import File
from tests.e2e.forks import environment
from tests.e2e.pair import PIPES, Answer, Pair

JOB = "left-right"
GOOD = "the good old content of this file, long enough to be found in an image"
ROTTEN = GOOD.replace("good", "gooo")


class Medium:
    """A folder on an ext4 image."""

    def __init__(self, image: Path, at: Path) -> None:
        self.image, self.at = image, at
        with image.open("wb") as stream:
            stream.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True, capture_output=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.at], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.at], check=True)

    def rot(self, old: str = GOOD, new: str = ROTTEN) -> None:
        """Change bytes on the medium behind the back of the file system."""
        self.unmount()
        data = self.image.read_bytes()
        assert data.count(old.encode()) >= 1
        self.image.write_bytes(data.replace(old.encode(), new.encode()))
        self.mount()


@pytest.fixture
def medium(pair: Pair) -> Iterator[Medium]:
    """The right folder of the pair lies on it."""
    made = Medium(pair.right.parent / "image", pair.right)
    (pair.right / "lost+found").rmdir()
    yield made
    with suppress(subprocess.CalledProcessError):
        made.unmount()


def job(pair: Pair) -> str:
    return f"{pair.left.name}-{pair.right.name}"


def verify(pair: Pair, *args: str, code: int = 0) -> dict[str, Any]:
    answer = pair.call("verify", job(pair), "--json", *args)
    assert answer.code == code, str(answer)
    assert list(faults(answer.document, schema("verify"))) == []
    return answer.document


def resolve(pair: Pair, keep: str) -> Answer:
    return pair.call("resolve", job(pair), "a", "--keep", keep, "--json")


@pytest.fixture
def rotten(pair: Pair, medium: Medium) -> Pair:
    """A file that is in step, and rots on the right."""
    pair.write({"a": File(GOOD, at=5), "b": "other", "d/c": "more"})
    pair.sync()
    pair.settled()
    medium.rot()
    return pair


def standing(pair: Pair) -> tuple[str, str]:
    return disk.read(pair.left).get("a", ""), disk.read(pair.right).get("a", "")


HELD = (f"={GOOD}", f"={ROTTEN}")


@pytest.mark.root
def test_rot_is_found_told_and_held(rotten: Pair) -> None:
    before = disk.fingerprint(rotten.left, rotten.right)
    document = verify(rotten, code=1)
    assert disk.fingerprint(rotten.left, rotten.right) == before
    (row,) = document["suspects"]
    assert (row["root"], row["path"], row["bytes"]) == ("right", "a", len(GOOD))
    assert row["remembered"] != row["found"]
    assert row["next"].endswith(f"syncline resolve {JOB} a --keep left")
    assert document["summary"]["verified"] == 2
    assert [each["path"] for each in rotten.call("conflicts", "--json").document["conflicts"]] == ["a"]
    for args in ((), ("--full",), ()):
        answer = rotten.sync(*args, code=1)
        assert answer.actions == []
        assert answer.problems == [("unreadable", "right", "a")]
        assert "--keep left" in answer.document["problems"][0]["detail"]
        assert [each["path"] for each in answer.document["conflicts"]] == ["a"]
        assert standing(rotten) == HELD


@pytest.mark.root
@pytest.mark.parametrize("side", ["left", "right"])
def test_rot_is_held_under_another_name(rotten: Pair, side: str) -> None:
    verify(rotten, code=1)
    root = rotten.left if side == "left" else rotten.right
    (root / "a").rename(root / "z")
    for args in ((), ("--full",), ()):
        answer = rotten.sync(*args, code=None)
        assert answer.actions == []
        assert [path for _, _, path in answer.problems] == ["a", "z"]  # both of its names
        assert (f"={ROTTEN}" in disk.read(rotten.left).values(), f"={GOOD}" in disk.read(rotten.right).values()) == (
            False,
            False,
        )
    (root / "z").rename(root / "a")
    assert rotten.sync(code=1).problems == [("unreadable", "right", "a")]
    assert resolve(rotten, "left").code == 0
    assert rotten.same()["a"] == f"={GOOD}"


@pytest.mark.root
@pytest.mark.parametrize("side", ["left", "right"])
def test_rot_is_held_in_a_folder_of_another_name(rotten: Pair, medium: Medium, side: str) -> None:
    rotten.write({"n/f": File(GOOD.upper(), at=5), "n/g": "g"})
    rotten.sync()
    medium.rot(GOOD.upper(), ROTTEN.upper())
    resolved = verify(rotten, code=1)["suspects"]
    assert sorted(each["path"] for each in resolved) == ["a", "n/f"]
    root = rotten.left if side == "left" else rotten.right
    (root / "n").rename(root / "m")
    for args, done in (((), 1), ((), 0), (("--full",), 0)):
        answer = rotten.sync(*args, code=1)
        assert [action for action, _, _ in answer.actions] == ["rename"] * done
        assert ("unreadable", "right", "m/f") in answer.problems
        assert [each["path"] for each in answer.document["conflicts"]] == ["a", "m/f"]
    (rotten.left / "m/f").unlink()
    assert rotten.sync(code=1).actions == [], "nor does it come to life again"
    rotten.write({"m/f": File(GOOD.upper(), at=5)})
    rotten.sync(code=1)
    assert rotten.call("resolve", JOB, "m/f", "--keep", "left").code == 0
    assert rotten.call("conflicts", "--json").document["conflicts"][0]["path"] == "a"
    assert disk.read(rotten.right)["m/f"] == f"={GOOD.upper()}"
    assert [each["path"] for each in verify(rotten, code=1)["suspects"]] == ["a"]


@pytest.mark.root
def test_without_verify_a_run_does_not_see_it_and_carries_nothing(rotten: Pair) -> None:
    assert rotten.sync().actions == []
    assert standing(rotten) == HELD


@pytest.mark.root
def test_a_full_run_finds_it_too(rotten: Pair) -> None:
    answer = rotten.sync("--full", code=1)
    assert (answer.actions, standing(rotten)) == ([], HELD)
    assert rotten.sync(code=1).problems == [("unreadable", "right", "a")]
    assert verify(rotten, code=1)["suspects"][0]["path"] == "a"
    assert resolve(rotten, "left").code == 0
    rotten.settled()


DECISIONS = [
    ("left", {"a": f"={GOOD}"}, [f"={ROTTEN}"]),
    ("right", {"a": f"={ROTTEN}"}, [f"={GOOD}"]),
    ("both", {"a": f"={GOOD}", "a_clash": f"={ROTTEN}"}, []),
]


@pytest.mark.root
@pytest.mark.parametrize("between", [False, True], ids=["at once", "after a run"])
@pytest.mark.parametrize(("keep", "live", "kept"), DECISIONS, ids=[row[0] for row in DECISIONS])
def test_a_person_decides(rotten: Pair, keep: str, live: dict[str, str], kept: list[str], between: bool) -> None:
    verify(rotten, code=1)
    if between:
        rotten.sync(code=1)
    answer = resolve(rotten, keep)
    assert (answer.code, answer.document["outcome"]) == (0, "done"), str(answer)
    assert disk.unclashed(rotten.same()) == {**live, "b": "=other", "d": "/", "d/c": "=more"}
    trashed = [*disk.trash(rotten.left).values(), *disk.trash(rotten.right).values()]
    assert trashed == kept, "what was replaced is in the trash"
    assert rotten.sync().actions == []
    rotten.settled()
    assert rotten.call("conflicts", "--json").document["conflicts"] == [] or keep == "both"
    assert verify(rotten)["suspects"] == []


@pytest.mark.root
def test_newest_says_nothing_of_a_suspect(rotten: Pair) -> None:
    verify(rotten, code=1)
    answer = resolve(rotten, "newest")
    assert answer.code == 4
    assert "--keep left" in answer.document["problems"][0]["detail"]
    assert standing(rotten) == HELD


@pytest.mark.root
def test_a_good_copy_that_rotted_meanwhile_replaces_nothing(pair: Pair, medium: Medium) -> None:
    other = Medium(pair.left.parent / "other", pair.left)
    try:
        (pair.left / "lost+found").rmdir()
        pair.write({"a": File(GOOD, at=5)})
        pair.sync()
        medium.rot()
        verify(pair, code=1)
        other.rot(GOOD, GOOD.replace("old", "odd"))
        before = standing(pair)
        assert resolve(pair, "left").code == 4
        assert standing(pair) == before
        rows = verify(pair, code=1)["suspects"]
        assert [(row["root"], "neither side" in row["next"]) for row in rows] == [("right", False)]
        pair.sync("--full", code=1)
        rows = verify(pair, code=1)["suspects"]
        assert [(row["root"], "neither side" in row["next"]) for row in rows] == [("left", True), ("right", True)]
    finally:
        other.unmount()


EDITS = [
    ("the good one", {"a": File("new", at=90)}, {}),
    ("the rotten one", {}, {"a": File("new", at=90)}),
    ("the rotten one is deleted", {}, {"a": None}),
    ("the good one is deleted", {"a": None}, {}),
]


@pytest.mark.root
@pytest.mark.parametrize(("says", "left", "right"), EDITS, ids=[row[0] for row in EDITS])
def test_what_is_done_to_it_meanwhile_is_not_carried(rotten: Pair, says: str, left: Any, right: Any) -> None:
    verify(rotten, code=1)
    rotten.write(left, right)
    before = standing(rotten)
    for _ in range(2):
        assert rotten.sync(code=1).actions == []
        assert standing(rotten) == before


@pytest.mark.root
def test_the_good_bytes_copied_back_by_hand_release_it(rotten: Pair) -> None:
    verify(rotten, code=1)
    disk.write(rotten.right, {"a": File(GOOD, at=5)})
    assert rotten.sync().document["conflicts"] == []
    rotten.settled()
    assert verify(rotten)["summary"]["verified"] == 3


@pytest.mark.root
@pytest.mark.parametrize(
    ("keys", "left"), [("trash: {keep_for: 0}", 0), ("trash: {max_total: 0}", 0), ("versions: {keep: 1}", 1)]
)
def test_the_trash_of_a_suspect_does_not_go_by_itself(pair: Pair, medium: Medium, keys: str, left: int) -> None:
    """Its last good version may lie there; of the file beside it everything goes that is old."""
    for number, content in enumerate(("one", "two", GOOD)):
        for name in ("a", "b", "the latest"):  # each in a run of its own
            pair.write({name: File(content if name == "a" else content.upper(), at=number * 9)})
            pair.sync()
    medium.rot()
    verify(pair, code=1)
    config = pair.left.parent / "syncline.yaml"
    config.write_text(f"jobs: {{{JOB}: {{kind: twoway, left: {pair.left}, right: {pair.right}, {keys}}}}}")

    def kept(name: str) -> int:
        return len(list(pair.right.glob(f".syncline/trash/*/{name}")))

    assert (kept("a"), kept("b")) == (2, 2)
    pair.write({"new": "1"})
    ran = pair.call("--config", config, "run", JOB, "--json")
    assert (ran.code, ran.document["outcome"]) == (1, "needs-attention"), str(ran)
    assert (kept("a"), kept("b")) == (2, left)


@pytest.mark.root
def test_bytes_that_are_right_again_are_believed(rotten: Pair, medium: Medium) -> None:
    verify(rotten, code=1)
    rotten.sync(code=1)
    medium.rot(ROTTEN, GOOD)
    assert verify(rotten)["summary"]["recovered"] == 1
    assert rotten.sync().actions == []
    assert rotten.call("conflicts", "--json").document["conflicts"] == []
    rotten.settled()


def test_what_is_written_through_a_memory_map_is_seen_when_it_is_read(pair: Pair) -> None:
    """The system need not note a time for it; then it cannot be told from rot, and is held like that."""
    pair.write({"a": File("x" * 4096, at=5)})
    with (pair.left / "a").open("r+b") as stream, mmap.mmap(stream.fileno(), 4096) as memory:
        memory[0:1] = b"1"
        pair.sync()
        before = (pair.left / "a").stat()
        memory[1:2] = b"2"
        after = (pair.left / "a").stat()
        assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns), "it was told"
        assert pair.sync().actions == []
        assert [row["path"] for row in verify(pair, code=1)["suspects"]] == ["a"]
        full = pair.sync("--full", code=1)
    assert (full.actions, full.problems) == ([], [("unreadable", "left", "a")])


@pytest.mark.root
def test_two_that_were_never_compared_are_made_a_conflict_by_the_next_run(pair: Pair, medium: Medium) -> None:
    pair.write({"a": File("left!", at=5), "same": File("x", at=5)}, {"a": File("right", at=5), "same": File("x", at=5)})
    pair.sync()
    document = verify(pair, code=1)
    assert [each["path"] for each in document["differing"]] == ["a"]
    assert document["summary"]["pairs"] == 1
    answer = pair.sync()
    assert [each["rule"] for each in answer.document["conflicts"]] == ["created-both"]
    assert set(pair.same().values()) == {"=left!", "=right", "=x"}
    pair.settled()
    assert verify(pair)["summary"]["verified"] == 3


@pytest.mark.root
def test_a_mirror_whose_source_rots_says_how_to_put_it_back(mirror: Pair) -> None:
    source = Medium(mirror.left.parent / "image", mirror.left)
    try:
        (mirror.left / "lost+found").rmdir()
        mirror.write({"a": File(GOOD, at=5)})
        mirror.sync()
        source.rot()
        (row,) = verify(mirror, code=1)["suspects"]
        assert (row["root"], resolve(mirror, "right").code) == ("source", 2)
        command = row["next"].partition(": ")[2]
        assert mirror.sync(code=1).actions == []
        assert disk.read(mirror.right) == {"a": f"={GOOD}"}
        subprocess.run(command, shell=True, check=True)
        assert mirror.sync().document["conflicts"] == []
        assert verify(mirror)["summary"]["verified"] == 1
    finally:
        source.unmount()


# what needs no rot


@pytest.fixture
def many(pair: Pair) -> Pair:
    """Forty files of a hundred bytes, in four folders."""
    pair.write({f"d{number % 4}/{number:02}": f"{number:<100}" for number in range(40)})
    pair.sync()
    return pair


def test_a_healthy_tree_is_fine_and_nothing_is_written(many: Pair) -> None:
    before = disk.fingerprint(many.left, many.right)
    document = verify(many)
    assert (document["outcome"], document["summary"]["verified"]) == ("done", 40)
    assert document["summary"]["bytes_verified"] == 4000
    assert document["all_read_since"] is not None
    assert disk.fingerprint(many.left, many.right) == before
    many.settled()


def test_what_was_edited_since_is_counted_and_not_verified(many: Pair) -> None:
    many.write({"d0/00": "new", "d1/01": None}, {"d2/02": "new"})
    document = verify(many)
    assert (document["summary"]["verified"], document["summary"]["edited"]) == (37, 3)
    assert document["summary"]["files"] == 40


def test_a_sample_goes_round(many: Pair) -> None:
    """Each file comes before any comes twice; a folder is gone on with in its middle."""
    for _ in range(4):
        document = verify(many, "--percent", "24")  # ten files
        assert document["summary"]["verified"] == 10
    assert document["all_read_since"] is not None
    first = verify(many, "--percent", "100")
    assert first["summary"]["verified"] == 40


def test_a_sample_of_next_to_nothing_is_one_file(many: Pair) -> None:
    document = verify(many, "--percent", "0.001")
    assert (document["summary"]["verified"], document["all_read_since"]) == (1, None)


@pytest.mark.parametrize("percent", ["0", "-1", "101", "x"])
def test_a_percentage_that_is_none(many: Pair, percent: str) -> None:
    assert many.call("verify", JOB, "--percent", percent).code == 2


def test_it_holds_up_no_run_and_waits_for_none(many: Pair) -> None:
    import fcntl

    with open(many.right / ".syncline/lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert verify(many)["summary"]["verified"] == 40


def test_pairs_read_for_the_first_time_are_known_from_then_on(pair: Pair) -> None:
    pair.write({"a": File("1", at=5)}, {"a": File("1", at=5)})
    pair.sync()
    assert verify(pair)["summary"]["pairs"] == 1
    assert verify(pair)["summary"]["pairs"] == 0
    pair.write({"a": File("2", at=90)})
    assert pair.sync().document["conflicts"] == [], "an edit makes no clash file any more"
    assert pair.same() == {"a": "=2"}


def test_a_job_that_never_ran_is_refused(pair: Pair) -> None:
    pair.sync("--dry-run")
    assert pair.call("verify", JOB).code == 2
    pair.sync()
    pair.right.rename(pair.right.with_name("away"))
    assert pair.call("verify", JOB).code == 3


def test_an_unreadable_file_is_a_problem(spawned: Pair) -> None:
    from tests.e2e.pair import UNPRIVILEGED

    spawned.write({"a": "1", "b": "2"})
    spawned.sync()
    (spawned.right / "a").chmod(0)
    spawned.sync(code=None)
    command = [*UNPRIVILEGED, *spawned.command("verify", JOB, "--json")]
    done = subprocess.run(command, **PIPES, env=environment(), timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert {each["path"] for each in document["problems"]} == {"a"}


def test_a_signal_ends_it_and_what_was_read_counts(spawned: Pair) -> None:
    spawned.write({f"{number:03}": os.urandom(2 << 20) for number in range(60)})
    spawned.sync()
    running = subprocess.Popen(spawned.command("verify", JOB, "--json"), **PIPES, env=environment())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not reading(running.pid, spawned):
        time.sleep(0.001)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    document = json.loads(out)
    assert (running.returncode, document["outcome"]) == (130, "interrupted"), err
    first = document["summary"]["verified"]
    assert first < 60
    assert document["all_read_since"] is None
    document = verify(spawned, "--percent", "100")
    assert document["summary"]["verified"] == 60 - first, "it goes on where it stopped"


def reading(pid: int, pair: Pair) -> bool:
    """Whether a process has a file of the left folder open."""
    with suppress(OSError):
        opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return any(each.startswith(f"{pair.left}/0") for each in opened)
    return False
