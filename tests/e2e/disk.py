"""Real folders in a small notation: written from a table, read back as one, and found again after a run.

A tree is a dict of path -> what stands there:

    "text"            a file with that content; b"bytes" too
    DIR               a directory (those above a path need not be written)
    Link("target")    a symbolic link
    File("text", mode=0o600, at=10)     with permissions, and a time `at` seconds after the beginning of time here
    None              nothing: in an edit, what stands there is deleted with all below it

`at` not given: the file keeps the time the system gives it when it is written.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

START_S = 1_700_000_000
PRIVATE = ".syncline"


@dataclass(frozen=True)
class File:
    content: str | bytes
    mode: int | None = None
    at: float | None = None


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Dir:
    mode: int | None = None


@dataclass(frozen=True)
class Touch:
    """Only the properties of what stands there: a time, a mode, or both."""

    at: float | None = None
    mode: int | None = None


DIR = Dir()
Thing = str | bytes | File | Link | Dir | Touch | None
Tree = Mapping[str, Thing]


def write(root: Path, tree: Tree) -> None:
    """Make a folder look like a tree; names that are not mentioned stay."""
    for name, thing in tree.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _put(path, thing)


def _put(path: str, thing: Thing) -> None:
    match thing:
        case Touch(at, mode):
            if mode is not None:
                os.chmod(path, mode)
            if at is not None:
                _at(path, at)
        case Dir(mode):
            if not (os.path.isdir(path) and not os.path.islink(path)):
                delete(path)
                os.mkdir(path)
            if mode is not None:
                os.chmod(path, mode)
        case Link(target):
            delete(path)
            os.symlink(target, path)
        case None:
            delete(path)
        case _:
            file = thing if isinstance(thing, File) else File(thing)
            if os.path.islink(path) or os.path.isdir(path):
                delete(path)
            with open(path, "wb") as stream:
                stream.write(file.content.encode() if isinstance(file.content, str) else file.content)
            if file.mode is not None:
                os.chmod(path, file.mode)
            if file.at is not None:
                _at(path, file.at)


def _at(path: str, at: float) -> None:
    os.utime(path, ns=(int((START_S + at) * 1e9),) * 2)


def delete(path: str) -> None:
    """Remove whatever stands there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def paths(root: Path, *, private: bool = False) -> Iterator[str]:
    """All paths below a folder, parents first, the top `.syncline` left out unless asked for."""
    stack = [""]
    while stack:
        above = stack.pop()
        for name in sorted(os.listdir(os.path.join(root, above)), reverse=True):
            path = os.path.join(above, name)
            if path == PRIVATE and not private:
                continue
            yield path
            full = os.path.join(root, path)
            if os.path.isdir(full) and not os.path.islink(full):
                stack.append(path)


def read(root: Path, *, properties: bool = False) -> dict[str, str]:
    """What stands in a folder, by path: `=content`, `/` for a directory, `-> target`; with modes and times if asked."""
    found = {}
    for path in paths(root):
        full = os.path.join(root, path)
        status = os.lstat(full)
        if stat.S_ISLNK(status.st_mode):
            found[path] = f"-> {os.readlink(full)}"
        elif stat.S_ISDIR(status.st_mode):
            found[path] = "/" + (f" {stat.S_IMODE(status.st_mode):o}" if properties else "")
        elif stat.S_ISREG(status.st_mode):
            told = f" {stat.S_IMODE(status.st_mode):o} {status.st_mtime_ns}" if properties else ""
            found[path] = f"={content(full)}{told}"
        else:
            found[path] = "special"
    return found


def content(path: str | os.PathLike[str]) -> str:
    """A file's content, or a digest of it where it is long."""
    data = Path(path).read_bytes()
    return data.decode("utf-8", "surrogateescape") if len(data) <= 100 else f"#{len(data)}:{digest(data)}"


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


def trash(root: Path) -> dict[str, str]:
    """What is in the trash: path without the run -> content."""
    top = root / PRIVATE / "trash"
    found: dict[str, str] = {}
    for run in sorted(os.listdir(top)) if top.exists() else []:
        found.update(read(top / run))
    return found


def staged(root: Path) -> list[str]:
    """What lies in the staging directory."""
    top = root / PRIVATE / "staging"
    return sorted(os.listdir(top)) if top.exists() else []


def fingerprint(*tops: Path) -> dict[str, str]:
    """Everything below these folders, `.syncline` and times of every kind but the access included: equal only when
    nothing was written."""
    found = {}
    for top in tops:
        if not top.exists():
            found[str(top)] = "absent"
            continue
        for path in ("", *paths(top, private=True)):
            full = os.path.join(top, path)
            status = os.lstat(full)
            body = digest(Path(full).read_bytes()) if stat.S_ISREG(status.st_mode) else ""
            told = (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, body)
            found[full] = repr(told)
    return found


def unclashed(tree: Mapping[str, str]) -> dict[str, str]:
    """A tree with the minute left out of clash names."""
    return {re.sub(r"_clash_\d{12}(-\d+)?", "_clash", path): told for path, told in tree.items()}
