"""Someone who may write in a tree exchanges a directory for a link to elsewhere while we work in it: nothing outside
the root is ever touched or read. SYNCLINE_RACE_TRIES sets how often each operation is tried (default 1000)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest

from syncline.core.model import Kind, RelPath
from syncline.errors import PathError
from syncline.fs import syscalls, xattrs
from syncline.fs.local import LocalRoot
from syncline.fs.root import NOTHING, Besides
from tests.fs.roots import MEMORY, content, put

TRIES = min(int(os.environ.get("SYNCLINE_RACE_TRIES", "1000")), 20_000)

ATTACK = """
import os, sys
from syncline.fs import syscalls
fd = os.open(sys.argv[1], os.O_RDONLY)
print("on", flush=True)
while os.getppid() == int(sys.argv[2]):
    for _ in range(1000):
        syscalls.exchange("dir", "link", fd, fd)
"""

Try = Callable[[LocalRoot, int], object]


BESIDES = Besides(owner=(1 << 32) + 1 if os.geteuid() == 0 else None, xattr=xattrs.pack({b"user.ours": b"1"}))
"""Of whom and with what a file is where that is asked for; only the superuser may give files away."""


def _set_properties(root: LocalRoot, number: int, besides: Besides = NOTHING) -> object:
    entry = root.entry(RelPath(f"dir/n{number}"))
    if entry is None or entry.kind is not Kind.FILE:
        raise PathError("absent", "", "")
    return root.set_properties(RelPath(f"dir/n{number}"), expect=entry, mtime_ns=77, mode=0o600, besides=besides)


def _create_besides(root: LocalRoot, number: int) -> object:
    writer = root.create(RelPath(f"dir/n{number}"))
    writer.write(b"ours")
    return writer.finish(mtime_ns=77, mode=0o600, besides=BESIDES)


def _make_directory_besides(root: LocalRoot, number: int) -> object:
    return root.make_directory(RelPath(f"dir/n{number}"), 0o755, BESIDES)


def _read_link(root: LocalRoot, number: int) -> object:
    assert root.read_link(RelPath(f"dir/n{number}")) == b"inside"
    return None


def _xattrs(root: LocalRoot, number: int) -> object:
    assert xattrs.unpack(root.xattrs(RelPath(f"dir/n{number}"))) == {b"user.is": b"inside"}
    return None


def _rename_at_once(root: LocalRoot, number: int) -> object:
    assert root.rename_at_once(RelPath(f"stock/n{number}"), RelPath(f"dir/n{number}"))
    return None


def _flush(root: LocalRoot, number: int) -> object:
    """No time tells of a flush: what the system is asked to flush is looked at."""
    flushed: list[str] = []
    with patch.object(os, "fsync", lambda fd: flushed.append(os.readlink(f"/proc/self/fd/{fd}"))):
        root.flush([RelPath(f"dir/n{number}")])
    assert not any(path.startswith(f"{root.path}-outside") for path in flushed), flushed
    if not any(path.endswith(f"/n{number}") for path in flushed):
        raise PathError("absent", "dir", "a link stood there")
    return None


def _create(root: LocalRoot, number: int) -> object:
    return put(root, f"dir/n{number}", b"ours")


def _abandon(root: LocalRoot, number: int) -> object:
    writer = root.create(RelPath(f"dir/n{number}"))
    writer.write(b"ours")
    writer.abandon()
    return None


def _open(root: LocalRoot, number: int) -> object:
    assert content(root, f"dir/n{number}") == b"inside"
    return None


def _listing(root: LocalRoot, number: int) -> object:
    found = root.listing(RelPath("dir"))
    assert found is None or b"secret" not in found[0]
    assert "secret" not in root.names(RelPath("dir"))
    if found is None:
        raise PathError("absent", "dir", "a link stood there")
    return None


def _exchange(root: LocalRoot, number: int) -> object:
    root.exchange(RelPath("spare"), RelPath(f"dir/n{number}"))
    return None


TRIALS: dict[str, tuple[str, Try]] = {
    # what stands at the names tried, inside and outside; the operation
    "create": ("", _create),
    "create and abandon": ("", _abandon),
    "make_directory": ("", lambda root, number: root.make_directory(RelPath(f"dir/n{number}"), 0o755)),
    "make_link": ("", lambda root, number: root.make_link(RelPath(f"dir/n{number}"), b"x")),
    "link": ("", lambda root, number: root.link(RelPath("spare"), RelPath(f"dir/n{number}"))),
    "rename to": ("", lambda root, number: root.rename(RelPath(f"stock/n{number}"), RelPath(f"dir/n{number}"))),
    "rename from": ("file", lambda root, number: root.rename(RelPath(f"dir/n{number}"), RelPath(f"free/n{number}"))),
    "replace": ("file", lambda root, number: root.replace(RelPath(f"stock/n{number}"), RelPath(f"dir/n{number}"))),
    "exchange": ("file", _exchange),
    "set_properties": ("file", _set_properties),
    "remove": ("file", lambda root, number: root.remove(RelPath(f"dir/n{number}"))),
    "remove_directory": ("directory", lambda root, number: root.remove_directory(RelPath(f"dir/n{number}"))),
    "open": ("file", _open),
    "listing": ("", _listing),
    "read_link": ("link", _read_link),
    "xattrs": ("attributed", _xattrs),
    "rename_at_once": ("", _rename_at_once),
    "flush": ("file", _flush),
    "create with properties": ("", _create_besides),
    "make_directory with properties": ("", _make_directory_besides),
    "set_properties with properties": ("file", lambda root, number: _set_properties(root, number, BESIDES)),
}


@pytest.fixture
def place() -> Iterator[str]:
    """In memory, where thousands of names cost little, if files there can have attributes."""
    within = MEMORY if os.path.isdir(MEMORY) and xattrs.kept_at(MEMORY) else None
    with tempfile.TemporaryDirectory(dir=within) as above:
        yield os.path.join(above, "root")


@pytest.fixture
def attacked(place) -> Iterator[str]:
    """A root in which `dir` and `link`, which leads outside, change places without end."""
    for directory in (place, f"{place}/dir", f"{place}/stock", f"{place}/free", f"{place}-outside"):
        os.mkdir(directory)
    os.symlink(f"{place}-outside", f"{place}/link")
    open(f"{place}-outside/secret", "w").close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    attacker = subprocess.Popen(
        [sys.executable, "-c", ATTACK, place, str(os.getpid())], stdout=subprocess.PIPE, env=environment
    )
    assert attacker.stdout is not None
    with attacker, attacker.stdout as lines:
        assert lines.readline() == b"on\n"
        yield place
        attacker.kill()


@pytest.mark.skipif(syscalls._rename is None, reason="this system cannot exchange names")
@pytest.mark.parametrize("at_once", [True, False], ids=["all names at once", "name by name"])
@pytest.mark.parametrize(("kind", "attempt"), TRIALS.values(), ids=TRIALS.keys())
def test_nothing_outside_is_touched(attacked, kind, attempt, at_once, monkeypatch):
    if not at_once:
        monkeypatch.setattr(syscalls, "_open", None)
    fill(attacked, kind)
    before = everything(f"{attacked}-outside")
    root = LocalRoot(attacked)
    root.trust(replace(root.capabilities, owner=True, xattr=True))
    put(root, "spare", b"inside")
    outcomes: Counter[str] = Counter()
    for number in range(TRIES):
        if number % 3:
            root.forget_directories()
        if number % 25 == 0:
            time.sleep(0.001)  # on a busy machine the attacker would not get a turn in the whole row of tries
        try:
            attempt(root, number)
        except PathError:
            outcomes["refused"] += 1
        else:
            outcomes["done"] += 1
    root.close()
    assert everything(f"{attacked}-outside") == before
    assert outcomes["done"] and outcomes["refused"], f"no race was run: {outcomes}"


def fill(place: str, kind: str) -> None:
    """Put the same names into the attacked directory, by a descriptor of its own, and outside; stock for moves."""
    stock = [f"{place}/stock/n{number}" for number in range(TRIES)]
    within = None
    while within is None:
        try:
            within = os.open(f"{place}/dir", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
    outside = os.open(f"{place}-outside", os.O_RDONLY)
    for path in stock:
        _make("file", path, None)
    for directory in (within, outside):
        for number in range(TRIES):
            _make(kind, f"n{number}", directory)
        os.close(directory)


def _make(kind: str, name: str, above: int | None) -> None:
    told = "outside" if above is not None and os.path.exists(f"/proc/self/fd/{above}/secret") else "inside"
    if kind in ("file", "attributed"):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=above)
        os.write(fd, told.encode())
        if kind == "attributed":
            os.setxattr(fd, "user.is", told.encode())
        os.close(fd)
    elif kind == "directory":
        os.mkdir(name, dir_fd=above)
    elif kind == "link":
        os.symlink(told, name, dir_fd=above)


def everything(directory: str) -> dict[str, tuple[int, ...]]:
    """All names outside with all that a change would show in: kind, mode, owner, links, size, mtime, ctime."""
    top = os.stat(directory)
    found: dict[str, tuple[int, ...]] = {"": (top.st_mode, top.st_nlink, top.st_mtime_ns, top.st_ctime_ns)}
    with os.scandir(directory) as names:
        for name in names:
            status = name.stat(follow_symlinks=False)
            found[name.name] = (
                status.st_mode,
                status.st_nlink,
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
    return found
