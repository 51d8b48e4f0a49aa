"""Two runs at once, signals, files that change under a run's hands, and readers while it replaces them."""

from __future__ import annotations

import filecmp
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.disk import File
from tests.e2e.forks import Forks
from tests.e2e.pair import Pair

LARGE = 150_000_000
HUGE = 300_000_000
"""More than is carried out together with anything else: such a file is copied by a second process."""


def large(path: Path, size: int = LARGE) -> None:
    block = os.urandom(1 << 20)
    with open(path, "wb") as stream:
        for _ in range(size >> 20):
            stream.write(block)


def staged_sizes(pair: Pair) -> Iterator[int]:
    for path in (pair.right / ".syncline/staging").glob("new-*"):
        with suppress(FileNotFoundError):  # a small one has its name by now
            yield path.stat().st_size


@contextmanager
def copying(pair: Pair) -> Iterator[subprocess.Popen[bytes]]:
    """A run in the middle of the copy of a large file."""
    process = pair.start()
    try:
        waiting = time.monotonic() + 30
        while not any(size > 1 << 20 for size in staged_sizes(pair)):
            assert time.monotonic() < waiting
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_copied(pair: Pair) -> None:
    """The large file is whole, and there is nothing more to do."""
    assert filecmp.cmp(pair.left / "large", pair.right / "large", shallow=False)
    assert pair.sync().document["outcome"] == "in-sync"
    assert disk.staged(pair.right) == []


def test_a_second_run_is_turned_away_and_told_by_whom(quick: Path) -> None:
    pair = Pair(quick)
    large(pair.left / "large")
    with copying(pair) as first:
        first.send_signal(signal.SIGSTOP)
        second = pair.sync(code=5)
        assert second.document["outcome"] == "locked"
        assert str(first.pid) in second.err
        planned = pair.sync("--dry-run")
        assert planned.document["outcome"] == "planned"
        assert pair.call("status", "--json").code == 0
        first.kill()
    assert pair.sync().document["outcome"] == "done"
    assert_copied(pair)


def test_the_lock_dies_with_its_holder_although_a_second_process_copies(quick: Path) -> None:
    pair = Pair(quick)
    pair.write(left={"a": "1"})
    large(pair.left / "large", HUGE)
    with copying(pair) as run:
        run.kill()
        run.wait()
        assert pair.sync().document["outcome"] == "done"
    assert_copied(pair)


def test_a_run_that_was_stopped_for_a_while_goes_on(quick: Path) -> None:
    pair = Pair(quick)
    pair.write(left={"a": "1"})
    large(pair.left / "large")
    with copying(pair) as run:
        run.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        run.send_signal(signal.SIGCONT)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 0, (out, err)
    assert_copied(pair)


@pytest.mark.parametrize(("number", "size"), [(signal.SIGINT, LARGE), (signal.SIGTERM, LARGE), (signal.SIGINT, HUGE)])
def test_a_signal_in_mid_copy_leaves_no_half_file(quick: Path, number: signal.Signals, size: int) -> None:
    pair = Pair(quick)
    pair.write(left={"a": "1", "d/b": "2"})
    large(pair.left / "large", size)
    with copying(pair) as run:
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
        assert run.returncode == 128 + number, err
    assert b'"interrupted"' in out
    assert not (pair.right / "large").exists()
    assert disk.staged(pair.right) == []
    assert pair.call("status", "--json").code == 0
    assert pair.sync().document["outcome"] == "done"
    assert_copied(pair)


def test_a_file_that_is_written_to_all_the_time_is_busy_and_the_rest_goes_on(pair: Pair) -> None:
    pair.write(left={"a": "1"})
    large(pair.left / "log", 20_000_000)
    ended = threading.Event()

    def write() -> None:
        with open(pair.left / "log", "ab", buffering=0) as stream:
            while not ended.is_set():
                stream.write(b"line\n")
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answer = pair.sync(code=4)
    finally:
        ended.set()
        writer.join()
    assert answer.problems == [("busy", "left", "log")]
    assert disk.read(pair.right) == {"a": "=1"}
    pair.sync()
    pair.settled()


@pytest.mark.parametrize(
    "at", ["create", "write half", "finish", "flush", "rename park", "exchange", "rename to-trash"]
)
@pytest.mark.parametrize(
    "what", ["edit target", "edit target in place", "edit source", "delete source", "replace target"]
)
def test_what_is_changed_during_a_run_is_never_lost(pair: Pair, parent: Forks, at: str, what: str) -> None:
    pair.write(left={"a": File("1", at=0), "gone": File("2", at=0), "still": "3"})
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    assert parent.call(*args).code == 0
    pair.write(left={"a": File("left", at=9), "gone": None})
    do = {
        "edit target": f"echo -n edited > {pair.right}/a; echo -n edited2 > {pair.right}/gone",
        "edit target in place": f"echo -n edited >> {pair.right}/a; echo -n edited2 >> {pair.right}/gone",
        "edit source": f"echo -n edited > {pair.left}/a; echo -n edited2 > {pair.left}/gone",
        "delete source": f"rm {pair.left}/a",
        "replace target": f"rm {pair.right}/a; mkdir {pair.right}/a; echo -n edited > {pair.right}/a/edited",
    }[what]
    done = parent.call(*args, at=at, do=do)
    assert at in done.steps
    assert done.code in (0, 1, 4), str(done)
    live = (*disk.read(pair.left).values(), *disk.read(pair.right).values())
    edited = {told for told in live if "edited" in told}
    if what != "delete source" and at != "rename to-trash":
        assert edited, "what was just written must still be live"
    for _ in range(2):
        after = parent.call(*args)
        assert after.code in (0, 1), str(after)
    end = pair.same()
    kept = set(end.values()) | set(disk.trash(pair.left).values()) | set(disk.trash(pair.right).values())
    assert "=left" in kept or what == "edit source" or what == "delete source"
    assert edited <= set(end.values()), "what was written during the run is live on both sides"
    assert disk.staged(pair.right) == disk.staged(pair.left) == []
    pair.settled()


@pytest.mark.parametrize("at", ["create", "write half", "finish", "flush", "rename publish"])
def test_a_name_that_appears_during_a_run_is_not_written_over(pair: Pair, parent: Forks, at: str) -> None:
    pair.write(left={"still": "0"})
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    assert parent.call(*args).code == 0
    pair.write(left={"new": File("ours", at=9)})
    done = parent.call(*args, at=at, do=f"echo -n theirs > {pair.right}/new")
    assert at in done.steps
    assert [problem["reason"] for problem in done.document["problems"]] == ["target-changed"]
    assert disk.read(pair.right) == {"still": "=0", "new": "=theirs"}
    assert parent.call(*args).code == 0
    end = disk.unclashed(pair.same())
    assert (set(end), set(end.values())) == ({"still", "new", "new_clash"}, {"=0", "=ours", "=theirs"})
    pair.settled()


def test_a_file_deleted_in_mid_run_is_deleted_by_the_next(pair: Pair, parent: Forks) -> None:
    pair.write(left={"a": "1", "b": "2"})
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    done = parent.call(*args, at="create", do=f"rm {pair.left}/a")
    assert done.code in (0, 1, 4), str(done)
    assert parent.call(*args).code == 0
    assert pair.same() == {"b": "=2"}
    pair.settled()


def test_a_run_that_ended_while_another_was_about_to_begin_is_taken_into_account(pair: Pair, parent: Forks) -> None:
    pair.write(left={"a": "1", "b": "2"})
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    other = " ".join(map(str, pair.command("sync", pair.left, pair.right, "--json")))
    environment = f"PYTHONPATH={os.environ.get('PYTHONPATH', 'src')}"
    first = parent.call(*args, at="lock", do=f"cd {os.getcwd()} && {environment} {other}")
    assert first.code in (0, 5), str(first)
    (pair.left / "a").unlink()
    pair.write(left={"b": "3"})
    second = parent.call(*args, at="lock", do=f"cd {os.getcwd()} && {environment} {other}; rm {pair.left}/b")
    assert second.code == 0, str(second)
    assert pair.same() == {}
    pair.settled()


def test_a_reader_sees_the_old_or_the_new_content_and_never_nothing(quick: Path) -> None:
    pair = Pair(quick)
    contents = [letter * 200_000 for letter in "abcdef"]
    pair.write(left={f"{number}": contents[0] for number in range(20)})
    pair.sync()
    ended, seen, wrong = threading.Event(), 0, []

    def read() -> None:
        nonlocal seen
        while not ended.is_set():
            for number in range(20):
                try:
                    found = (pair.right / str(number)).read_text()
                except OSError as error:
                    wrong.append(repr(error))
                    continue
                seen += 1
                if found not in contents:
                    wrong.append(f"{len(found)} of {set(found)}")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for content in contents[1:]:
            pair.write(left={f"{number}": content for number in range(20)})
            pair.sync("--approve", pair.sync("-n").document["plan"])
    finally:
        ended.set()
        reader.join()
    assert wrong == []
    assert seen > 200
    pair.settled()


def test_a_file_with_holes_keeps_them(pair: Pair) -> None:
    """A disk image of which little is written takes little room on the other side, and is the same file."""
    size = 200_000_000
    with (pair.left / "image").open("wb") as stream:
        stream.seek(size // 2)
        stream.write(b"in the middle")
        stream.truncate(size)
    pair.sync()
    assert (pair.right / "image").stat().st_size == size
    assert (pair.right / "image").stat().st_blocks * 512 < 1 << 20
    assert filecmp.cmp(pair.left / "image", pair.right / "image", shallow=False)
    with (pair.right / "image").open("r+b") as stream:
        stream.write(b"at the beginning")
    assert pair.sync().actions == [("put-file", "left", "image")]
    assert (pair.left / "image").stat().st_blocks * 512 < 1 << 20
    assert filecmp.cmp(pair.left / "image", pair.right / "image", shallow=False)
    pair.settled()


def test_the_names_of_one_file_are_files_of_their_own_and_told_once(pair: Pair) -> None:
    pair.write({"a": "1", "alone": "2", "d/c": "3"})
    os.link(pair.left / "a", pair.left / "d/b")
    answer = pair.sync()
    assert answer.problems == [("hard-link", "left", "a"), ("hard-link", "left", "d/b")]
    assert "the same file as d/b; on the other side" in answer.document["problems"][0]["detail"]
    pair.settled()
    assert pair.sync().problems == []
    (pair.left / "d/b").write_text("edited by one name, and so by the other")
    assert {path for _, _, path in pair.sync().actions} == {"a", "d/b"}
    assert disk.read(pair.right)["a"] == "=edited by one name, and so by the other"
    (pair.right / "a").write_text("on this side a file of its own")
    pair.sync()
    assert disk.read(pair.left)["a"] == "=on this side a file of its own"
    assert disk.read(pair.left)["d/b"] == "=edited by one name, and so by the other"
    assert pair.sync().actions == []  # the remaining name has another status time now: its file is read once
    pair.settled()


@pytest.mark.parametrize(
    ("says", "change", "done"),
    [
        ("deleted", ["rm a/f a/g a/h"], {"trash": 3}),
        ("moved", ["mv a/f a/g a/h b"], {"rename": 3}),
        ("exchanged", ["mv a/f t", "mv b/x a/f", "mv t b/x", "mv a/g b/g"], {"rename": 2}),
        ("edited", ["cp b/x a/f", "cp b/x a/g", "cp b/x a/h"], {"put-file": 3}),
        ("mode changed", ["chmod 600 a/f a/g a/h"], {"set-properties": 3}),
        ("time changed", ["touch -d 2020-01-01 a/f a/g a/h"], {"set-properties": 3}),
        ("each another way", ["mv a/f b", "cp b/x a/g", "rm a/h"], {"rename": 1, "put-file": 1, "trash": 1}),
    ],
)
def test_several_names_of_one_file_are_changed_in_one_run(
    pair: Pair, says: str, change: list[str], done: dict[str, int]
) -> None:
    pair.write({"a/f": "1", "a/g": "1", "a/h": "1", "b/x": "2"})
    pair.sync()
    for name in ("g", "h"):
        (pair.right / "a" / name).unlink()
        os.link(pair.right / "a" / "f", pair.right / "a" / name)
    pair.sync()
    for command in change:
        subprocess.run(command.split(), cwd=pair.left, check=True)
    answer = pair.sync()
    assert (Counter(action for action, _, _ in answer.actions), answer.problems) == (done, []), says
    assert disk.read(pair.left) == disk.read(pair.right)
    assert pair.sync().actions == []
