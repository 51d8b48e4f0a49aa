"""Trouble on a real machine: full disks, unreadable folders, special files, hostile names, planted links."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from syncline.core.model import RelPath
from syncline.execute import transfer
from syncline.fs.opening import open_root
from tests.e2e import disk
from tests.e2e.disk import File, Link
from tests.e2e.forks import Forks, environment
from tests.e2e.pair import UNPRIVILEGED, Pair

HOSTILE = (
    b"new\nline",
    b"escape \x1b[31mred\x07",
    b"not utf-8 \xff\xfe",
    b"x" * 255,
    "é".encode() * 127,
    b"-n",
    b"--json",
    b" ",
    b" space at both ends ",
    b"trailing.",
    b"CON",
    b"quote\"'`$(id)",
    b"back\\slash",
    "right \u202eot tfel".encode(),
    b".hidden",
    b"~tilde",
    b"%s%n",
    b".syncline-not",
    b"new-20260101T000000Z-0000-1",
    b"a_clash_202601010000.txt",
)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB and 400 inodes."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M,nr_inodes=400", "tmpfs", mount], check=True)
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


@pytest.fixture
def cramped(tmp_path: Path, small: Path, parent: Forks) -> Pair:
    """A pair whose right side is on that disk."""
    return Pair(tmp_path, left="left", right=str(small / "right"), parent=parent)


@pytest.mark.root
def test_a_disk_too_small_is_refused_before_anything_is_done(cramped: Pair) -> None:
    pair = cramped
    pair.write(left={"small": "1", "large": b"x" * 5_000_000})
    answer = pair.sync(code=3)
    assert answer.guards == ["no-space"]
    assert disk.read(pair.right) == {}
    pair.write(left={"large": None})
    pair.sync()
    pair.settled()


@pytest.mark.root
def test_too_few_inodes_are_refused_before_anything_is_done(cramped: Pair) -> None:
    pair = cramped
    pair.write(left={f"d/{number}": "" for number in range(500)})
    assert pair.sync(code=3).guards == ["no-space"]
    assert disk.read(pair.right) == {}


@pytest.mark.root
@pytest.mark.parametrize("how", ["bytes", "inodes"])
@pytest.mark.parametrize("at", ["write half", "rename publish", "exchange", "rename to-trash", "make-directory"])
def test_a_disk_that_fills_up_in_mid_run_loses_nothing(
    cramped: Pair, small: Path, parent: Forks, how: str, at: str
) -> None:
    pair = cramped
    before = {f"old/{number}": File(f"old {number}" * 1000, at=0) for number in range(20)}
    pair.write(left=before)
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    assert parent.call(*args).code == 0
    pair.write(left={f"old/{number}": File(f"new {number}" * 1000, at=9) for number in range(10)})
    pair.write(left={f"more/{number}/x": b"more" * 2000 for number in range(30)})
    pair.write(left={"gone": "1", "old/19": None})
    filler = small / "filler"
    filler.mkdir()
    fill = {
        "bytes": f"cat /dev/zero > {filler}/zero 2>/dev/null || true",
        "inodes": f"for i in $(seq 500); do touch {filler}/$i 2>/dev/null || break; done",
    }[how]
    full = parent.call(*args, at=at, do=fill)
    assert full.code in (0, 1, 4), str(full)  # 0: what came after that step needed no more room
    reasons = {problem["reason"] for problem in full.document["problems"]}
    assert reasons <= {"no-space", "target-changed"}, str(full)  # changed: a folder that could not be made is not there
    for number in range(19):
        assert (pair.right / f"old/{number}").read_text() in (f"old {number}" * 1000, f"new {number}" * 1000)
    assert [name for name in disk.staged(pair.right) if name.startswith("new-")] == []
    disk.delete(os.fspath(filler))
    after = parent.call(*args)
    assert after.code == 0, str(after)
    pair.same()
    assert disk.staged(pair.right) == []
    assert disk.trash(pair.right)["old/3"].startswith("=#5000:")
    pair.settled()


@pytest.mark.root
def test_what_lies_in_an_unreadable_folder_is_not_taken_for_deleted(pair: Pair) -> None:
    pair.write(left={"d/e/a": "1", "d/b": "2", "c": "3"})
    pair.sync()
    (pair.left / "d").chmod(0)
    pair.write(left={"c": "4"}, right={"d/b": "5", "d/new": "6"})
    command = [*UNPRIVILEGED, *pair.command("sync", pair.left, pair.right, "--json")]
    done = subprocess.run(command, capture_output=True, env=environment())
    assert done.returncode == 1, done.stderr
    assert b'"unreadable"' in done.stdout
    (pair.left / "d").chmod(0o755)
    assert disk.read(pair.right) == {"d": "/", "d/e": "/", "d/e/a": "=1", "d/b": "=5", "d/new": "=6", "c": "=4"}
    assert disk.read(pair.left) == {"d": "/", "d/e": "/", "d/e/a": "=1", "d/b": "=2", "c": "=4"}
    pair.sync()
    pair.settled()
    assert disk.read(pair.left)["d/b"] == "=5"


@pytest.mark.root
def test_an_unreadable_file_is_told_and_the_rest_goes_on(pair: Pair) -> None:
    pair.write(left={"a": File("1", 0), "b": "2"})
    command = [*UNPRIVILEGED, *pair.command("sync", pair.left, pair.right, "--json")]
    done = subprocess.run(command, capture_output=True, env=environment())
    assert done.returncode == 4, done.stderr
    assert b'"unreadable"' in done.stdout
    assert disk.read(pair.right) == {"b": "=2"}
    pair.sync()
    pair.settled()


@pytest.mark.root
@pytest.mark.parametrize("flag", ["i", "a"])
def test_a_file_that_may_not_be_changed_is_told_and_the_rest_goes_on(pair: Pair, flag: str) -> None:
    pair.write(left={"a": File("1", 0), "b": "2", "gone": "3"})
    pair.sync()
    for name in ("a", "gone"):
        if subprocess.run(["chattr", f"+{flag}", pair.right / name], capture_output=True).returncode:
            pytest.skip("this file system has no such flag")
    try:
        pair.write(left={"a": File("new", 9), "b": File("4", 9), "gone": None})
        answers = [pair.sync(code=4) for _ in range(2)]
        assert disk.read(pair.right) == {"a": "=1", "b": "=4", "gone": "=3"}
    finally:
        subprocess.run(["chattr", f"-{flag}", pair.right / "a", pair.right / "gone"], check=True)
    for answer in answers:
        assert {path for _, _, path in answer.problems} == {"a", "gone"}, str(answer)
    assert disk.staged(pair.right) == []
    pair.sync()
    pair.settled()
    assert disk.read(pair.left) == {"a": "=new", "b": "=4"}


def test_times_that_are_all_shifted_by_an_hour_move_no_content(pair: Pair) -> None:
    """As a drive with local times shows them after a change of the zone."""
    files = {f"d/{number}": File(str(number), number) for number in range(40)}
    pair.write(left=files)
    pair.sync()
    for path in files:
        seen = (pair.right / path).stat()
        os.utime(pair.right / path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 3_600_000_000_000))
    inodes = {path: (pair.left / path).stat().st_ino for path in files}
    answer = pair.sync()
    assert {kind for kind, *_ in answer.actions} <= {"set-properties"}
    assert {path: (pair.left / path).stat().st_ino for path in files} == inodes
    pair.settled()


@pytest.mark.root
def test_a_device_is_listed_and_never_opened(pair: Pair) -> None:
    os.mknod(pair.left / "zeros", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    os.mknod(pair.left / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 999))
    pair.write(left={"a": "1"})
    assert sorted(pair.sync().problems) == [("special-file", "left", "disk"), ("special-file", "left", "zeros")]
    assert disk.read(pair.right) == {"a": "=1"}


@pytest.mark.root
def test_a_call_that_is_interrupted_is_made_again(pair: Pair, quick: Path) -> None:
    pair.write(left={"a": "1", "d/b": "2", "gone": "3"})
    pair.sync()
    pair.write(left={"a": "22", "gone": None, **{f"d/{number}": "2" for number in range(30)}}, right={"e": "1"})
    calls = ("renameat2", "fsync", "syncfs", "write", "flock")
    told = ",".join(calls)
    trace = ["strace", "-f", "-qq", "-o", str(quick / "log"), "-e", f"trace={told}"]
    command = [*trace, "-e", f"inject={told}:error=EINTR:when=1+3", *pair.command("run", "left-right", "--json")]
    done = subprocess.run(command, capture_output=True, env=environment())
    assert (done.returncode, done.stderr) == (0, b"")
    log = [line for line in (quick / "log").read_text().splitlines() if "(INJECTED)" in line]
    interrupted = {call for call in calls if any(f" {call}(" in line for line in log)}
    assert interrupted >= {*calls} - {"syncfs"}  # which not every file system is asked for
    pair.settled()


def test_a_path_far_longer_than_the_system_takes(pair: Pair) -> None:
    """More than 4096 bytes: created, edited and deleted."""
    deep = ["d" * 100] * 50
    pair.write(left={deep[0]: disk.DIR})
    with descended(pair.left, deep) as inner:
        _write(inner, "1")
    assert len(pair.sync().actions) == len(deep) + 1
    assert pair.sync().actions == []
    with descended(pair.left, deep) as inner:
        _write(inner, "22")
    assert [kind for kind, *_ in pair.sync().actions] == ["put-file"]
    with descended(pair.right, deep) as inner:
        with open("file", opener=lambda name, how: os.open(name, how, dir_fd=inner)) as stream:
            assert stream.read() == "22"
        os.unlink("file", dir_fd=inner)
    assert [kind for kind, *_ in pair.sync().actions] == ["trash"]
    with descended(pair.left, deep) as inner:
        assert os.listdir(inner) == []
    subprocess.run(["rm", "-r", pair.left / deep[0]], check=True)
    pair.sync()
    assert disk.read(pair.right) == {}


@contextmanager
def descended(top: Path, names: list[str]) -> Iterator[int]:
    """A descriptor of the folder below all these, which are made where they are missing."""
    at = os.open(top, os.O_RDONLY)
    for name in names:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=at)
        above, at = at, os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(above)
    yield at
    os.close(at)


def _write(directory: int, text: str) -> None:
    with open("file", "w", opener=lambda name, how: os.open(name, how, dir_fd=directory)) as stream:
        stream.write(text)


def test_special_files_are_listed_and_never_opened(pair: Pair) -> None:
    pair.write(left={"a": "1", "was": "2"})
    pair.sync()
    os.mkfifo(pair.left / "pipe")
    os.unlink(pair.left / "was")
    os.mkfifo(pair.left / "was")
    os.mkfifo(pair.right / "a_pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(pair.left / "s"))
        answer = pair.sync()
    assert sorted(path for _, _, path in answer.problems) == ["a_pipe", "pipe", "s", "was"]
    assert {reason for reason, _, _ in answer.problems} == {"special-file"}
    assert disk.read(pair.right) == {"a": "=1", "was": "=2", "a_pipe": "special"}
    os.unlink(pair.left / "was")
    pair.write(left={"was": "3"})
    pair.sync()
    assert disk.read(pair.right)["was"] == "=3"


def test_hostile_names_are_carried_exactly_and_printed_escaped(pair: Pair) -> None:
    left = os.fsencode(pair.left)
    for name in HOSTILE:
        Path(os.fsdecode(left + b"/" + name)).write_bytes(name)
    os.mkdir(left + b"/dir\n\xff")
    Path(os.fsdecode(left + b"/dir\n\xff/in")).write_text("in")
    os.symlink(b"\xff\n", left + b"/link\x1b")
    os.makedirs(left + b"/sub/.syncline/staging")
    Path(os.fsdecode(left + b"/sub/.syncline/mine")).write_text("mine")
    os.mkdir(left + b"/sub2")
    Path(os.fsdecode(left + b"/sub2/.syncline")).write_text("a file")
    answer = pair.sync()
    assert sorted(os.listdir(left)) == sorted(os.listdir(os.fsencode(pair.right)))
    told = {row["path"] for row in answer.document["actions"]}
    assert {os.fsdecode(name) for name in HOSTILE} <= told
    assert (pair.right / "sub/.syncline/mine").read_text() == "mine"
    pair.settled()
    for name in HOSTILE:
        with open(os.fsencode(pair.right) + b"/" + name, "ab") as stream:
            stream.write(b"!")
    shown = pair.call("sync", pair.left, pair.right, "-v")
    assert shown.code == 0, str(shown)
    for unprintable in ("\x1b", "\x07", "\u202e", "\udcff"):
        assert unprintable not in shown.out + shown.err
    assert "new\nline" not in shown.out
    pair.settled()
    assert pair.call("show", "last", "-v").code == 0
    for name in HOSTILE:
        os.unlink(left + b"/" + name)
    pair.sync("--json")
    pair.settled()


def test_a_root_within_is_left_alone(quick: Path, parent: Forks) -> None:
    inner = Pair(quick, left="one/inner", right="two", parent=parent)
    pair = Pair(quick, left="one", right="three", parent=parent)
    inner.write(left={"a": "1"})
    inner.sync()
    pair.sync()
    assert disk.read(pair.right) == {"inner": "/", "inner/a": "=1"}
    assert pair.sync().document["outcome"] == "in-sync"


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_link_planted_in_place_of_a_folder_is_not_followed(pair: Pair, quick: Path, side: str) -> None:
    outside = quick / "outside"
    disk.write(outside, {"a": "secret", "b": "precious"})
    pair.write(left={"d/a": "1", "d/b": "2"})
    pair.sync()
    planted = getattr(pair, side)
    disk.write(planted, {"d": Link(str(outside))})
    before = disk.fingerprint(outside)
    pair.sync(code=None)
    assert disk.fingerprint(outside) == before
    assert pair.same() == {"d": f"-> {outside}"}


@pytest.mark.parametrize(
    "at",
    [
        "create",
        "write half",
        "flush",
        "rename publish",
        "rename park",
        "exchange",
        "rename to-trash",
        "set-properties",
        "make-directory",
        "remove-directory",
    ],
)
def test_a_link_planted_during_a_run_is_not_followed(pair: Pair, quick: Path, parent: Forks, at: str) -> None:
    outside = quick / "outside"
    disk.write(outside, {"a": "1", "b": "2", "c": "3", "gone": "4", "empty": disk.DIR})
    pair.write(left={"d/a": "1", "d/b": File("2", 0o600), "d/gone": "4", "d/empty": disk.DIR})
    args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
    assert parent.call(*args).code == 0
    pair.write(
        left={"d/a": "11", "d/b": disk.Touch(mode=0o644), "d/c": "3", "d/gone": None, "d/n/x": "5", "d/empty": None}
    )
    before = disk.fingerprint(outside)
    plant = f"mv {pair.right}/d {pair.right}/moved && ln -s {outside} {pair.right}/d"
    done = parent.call(*args, at=at, do=plant)
    assert at in done.steps
    assert disk.fingerprint(outside) == before
    # Directories stay open for a moment: what is done then happens where the directory went, and is done.
    assert done.code in (0, 1, 4), str(done)
    # The person who planted the link meant it, or takes it back: in both cases nothing is lost.
    after = parent.call(*args)
    assert after.code in (0, 1), str(after)
    parent.call(*args)
    assert disk.fingerprint(outside) == before
    everywhere = [disk.read(pair.left), disk.trash(pair.left), disk.trash(pair.right)]
    assert {"=11", "=2", "=3", "=5"} <= {told for tree in everywhere for told in tree.values()}
    pair.settled()


@pytest.mark.parametrize("limit", [32, 128])
def test_few_descriptors_fail_no_file(pair: Pair, limit: int) -> None:
    pair.write(left={f"{above}/{inner}/f": f"{above} {inner}" for above in range(20) for inner in range(20)})
    for content in ("one", "another"):
        done = subprocess.run(
            ["prlimit", f"--nofile={limit}", *pair.command("sync", pair.left, pair.right)],
            capture_output=True,
            env=environment(),
            check=False,
        )
        assert done.returncode == 0, done.stdout[-1000:]
        pair.settled()
        pair.write(right={f"{above}/3/f": content for above in range(20)})


@pytest.mark.parametrize("wanted", ["d", "d/e", "d/x/e"])
def test_a_file_in_the_trash_is_in_the_way_of_nothing(tmp_path: Path, wanted: str) -> None:
    (tmp_path / ".syncline/trash/run").mkdir(parents=True)
    (tmp_path / ".syncline/trash/run/d").write_text("kept")
    root = open_root(str(tmp_path))
    place = transfer.free_in_trash(root, RelPath(f".syncline/trash/run/{wanted}"))
    root.close()
    assert place == f".syncline/trash/run/{wanted.replace('d', 'd~2', 1)}"
    assert (tmp_path / place).parent.is_dir()
    assert (tmp_path / ".syncline/trash/run/d").read_text() == "kept"
