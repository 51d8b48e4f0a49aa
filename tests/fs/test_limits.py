"""Limits of a real machine, on a `LocalRoot`: depth, open files, a full disk, a read-only one, another one inside."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from syncline.core import listing
from syncline.core.model import Kind, Reason, RelPath
from syncline.core.names import ROOT, join, parent
from syncline.errors import PathError, RootLost
from syncline.fs.local import LocalRoot
from tests.fs.roots import content, on_disk, put


@pytest.fixture
def small(place) -> Iterator[str]:
    """A file system of 1 MB and 20 inodes."""
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,nr_inodes=20", "none", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def root(place) -> Iterator[LocalRoot]:
    os.mkdir(place)
    opened = LocalRoot(place)
    yield opened
    opened.close()


@pytest.mark.parametrize(("levels", "name"), [(200, "d" * 30), (400, "deep directory")])
def test_paths_far_longer_than_the_system_takes(root, levels, name):
    path = ROOT
    for _ in range(levels):
        path = join(path, name)
        root.make_directory(path)
    assert len(path) > 4096
    put(root, join(path, "file"), b"down here")
    root.forget_directories()
    assert content(root, join(path, "file")) == b"down here"
    assert list(listing.unpack(root.listing(path)[0])) == ["file"]
    root.rename(join(path, "file"), "up")
    root.exchange("up", path)
    root.exchange(path, "up")
    root.flush([path])
    root.remove("up")
    for _ in range(levels):  # the test's own clearing up cannot reach so deep
        root.remove_directory(path)
        path = parent(path)
    assert root.names("") == []


def test_few_descriptors_are_enough(root):
    for number in range(100):
        root.make_directory(f"d{number}")
    in_use = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 8, hard))
    try:
        for number in range(100):
            put(root, f"d{number}/a")
            assert root.listing(f"d{number}") is not None
            assert content(root, f"d{number}/a") == b"content"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptor_stays_open(place):
    os.mkdir(place)
    before = set(os.listdir("/proc/self/fd"))
    root = LocalRoot(place)
    root.lock()
    for number in range(200):
        directory = RelPath(f"d{number}")
        root.make_directory(directory)
        put(root, f"{directory}/a")
        root.listing(directory)
    root.create(RelPath("abandoned")).abandon()
    root.open(RelPath("d1/a"))
    root.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_threads_may_work_in_different_directories(root):
    """Directories kept open are given up by one thread while another uses its own."""
    failures: list[str] = []

    def work(number: int) -> None:
        for turn in range(60):
            path = f"t{number}-{turn}"
            root.make_directory(path)
            put(root, f"{path}/a", path.encode())
            if content(root, f"{path}/a") != path.encode() or root.names(path) != ["a"]:
                failures.append(path)
            root.forget_directories()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(root.names("")) == 240


@pytest.mark.root
def test_a_full_disk_keeps_what_it_held(small):
    root = LocalRoot(small)
    put(root, "old", b"o" * 500_000)
    writer = root.create(RelPath("new"))
    with pytest.raises(PathError) as caught:
        for _ in range(10):
            writer.write(b"n" * 100_000)
    assert caught.value.reason == Reason.NO_SPACE
    assert "no space is left" in caught.value.detail
    writer.abandon()
    assert on_disk(small) == {"old": b"o" * 500_000}
    put(root, "smaller", b"fits")
    root.close()


@pytest.mark.root
def test_a_disk_without_inodes_says_so(small):
    root = LocalRoot(small)
    with pytest.raises(PathError) as caught:
        for number in range(30):
            put(root, f"f{number}", b"")
    assert caught.value.reason == Reason.NO_SPACE
    assert "inodes" in caught.value.detail
    root.close()


def test_a_file_too_large_is_not_left_in_half(root, place):
    writer = root.create("big")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(PathError) as caught:
            writer.write(bytes(300_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.reason == Reason.NO_SPACE
    assert "too large" in caught.value.detail
    assert on_disk(place) == {}


def test_a_write_that_only_says_it_was_done_is_found_out(root, place, monkeypatch):
    writer = root.create(RelPath("new"))
    with monkeypatch.context() as system:
        system.setattr(os, "write", lambda fd, data: len(data))
        writer.write(b"never written")
    with pytest.raises(PathError, match="of 13 bytes the file system kept 0"):
        writer.finish(mtime_ns=None, mode=None)
    assert on_disk(place) == {}


@pytest.mark.root
def test_a_disk_that_turns_read_only_is_lost(small):
    root = LocalRoot(small)
    put(root, "a")
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    a, c = RelPath("a"), RelPath("c")
    for call in (lambda: put(root, "b"), lambda: root.remove(a), lambda: root.rename(a, c), root.lock):
        with pytest.raises(RootLost, match="became read-only"):
            call()
    assert content(root, "a") == b"content"
    root.close()


@pytest.mark.root
def test_another_file_system_inside_is_a_wall(root, place):
    os.mkdir(f"{place}/stick")
    put(root, "a")
    assert root.entry("stick").kind is Kind.DIRECTORY
    subprocess.run(["mount", "-t", "tmpfs", "none", f"{place}/stick"], check=True)
    try:
        root.forget_directories()
        assert root.entry("stick").kind is Kind.MOUNT
        assert listing.unpack(root.listing("")[0])["stick"].kind is Kind.MOUNT
        for call in (root.entry, root.listing, root.create):
            with pytest.raises(PathError) as caught:
                call("stick/x")
            assert caught.value.reason == Reason.OTHER_FILE_SYSTEM
        with pytest.raises(PathError) as caught:
            root.rename("a", "stick/a")
        assert caught.value.reason == Reason.OTHER_FILE_SYSTEM
        with pytest.raises(PathError) as caught:
            root.remove_directory("stick")
        assert caught.value.reason == Reason.BUSY
    finally:
        subprocess.run(["umount", "--lazy", f"{place}/stick"], check=True)


@pytest.mark.root
def test_a_root_whose_disk_went_away_is_not_alive(small):
    root = LocalRoot(small)
    subprocess.run(["mount", "-t", "tmpfs", "none", small], check=True)
    assert not root.alive()
    subprocess.run(["umount", small], check=True)
    assert root.alive()
    root.close()


def test_a_root_that_is_not_there(place):
    with pytest.raises(RootLost, match="cannot be opened"):
        LocalRoot(place)
