"""The users: what they do to the two folders, and the ledger of every content they ever made.

Every write has bytes of its own, so that a content tells where it was born. A content is *destroyed* once a user
overwrote or deleted it on any side; what no user destroyed, the engine must keep.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from syncline.core.names import NameRules, folding, impossible
from syncline.torture.case import NO_WRITING, Op
from syncline.torture.gate import Step

PRIVATE = ".syncline"
_IMPOSSIBLE = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP)
"""What an operation meets that cannot be done as things stand."""

ATTRIBUTES = hasattr(os, "listxattr")

WINDOWS = "trusted.syncline.windows"
"""In the place of the attribute in which drivers of NTFS keep those of Windows; a job that keeps `xattr` leaves it."""

START_S = 1_767_225_600
"""2026-01-01, where the users' clock begins."""

TRASH_KEPT_S = 30 * 86_400
"""After so long the trash of a run goes by itself, unless the job says otherwise."""


class Impossible(Exception):
    """An operation that cannot be done as things stand; it is left undone."""


@dataclass(frozen=True, slots=True)
class Node:
    """What stands at a path: `content` is the bytes of a file or the text of a link. `owner`: user and group; `xattr`:
    the extended attributes of a file or directory, by name; `spelled`: its own name, where it is kept by another."""

    kind: str
    content: bytes = b""
    mode: int = 0
    mtime_ns: int = 0
    inode: int = 0
    ctime_ns: int = 0
    owner: tuple[int, int] = (0, 0)
    xattr: tuple[tuple[str, bytes], ...] = ()
    spelled: str = ""


Tree = dict[str, Node]


@dataclass(slots=True)
class Ledger:
    """Every content that was ever written, and those that a user destroyed; `lately`: since somebody emptied it."""

    born: dict[bytes, str] = field(default_factory=dict)
    destroyed: set[bytes] = field(default_factory=set)
    lately: set[bytes] = field(default_factory=set)

    def alive(self) -> set[bytes]:
        """What the engine has to keep at a live path."""
        return self.born.keys() - self.destroyed


class Users:
    """Both folders below `top`, and a clock of their own that each operation moves on by some seconds.

    `rules` are what the disk of a side makes of names, where it is no plain one: it is acted on as that disk would.
    """

    def __init__(self, top: str, rules: Mapping[str, NameRules] | None = None) -> None:
        self.top = top
        self.rules = rules or {}
        self.ledger = Ledger()
        self.clock_s = START_S
        self.leapt = False
        self.outside = os.path.join(top, "outside")
        os.makedirs(os.path.join(self.outside, "d"))
        for name in ("file", "d/a"):
            with open(os.path.join(self.outside, name), "w") as stream:
                stream.write("nobody may touch this")
        for side in ("left", "right"):
            os.mkdir(self.root(side))

    def root(self, side: str) -> str:
        return os.path.join(self.top, side)

    def act(self, op: Op) -> None:
        """Do one of the users' operations, as far as the world allows it."""
        self.clock_s += 1 + len(self.ledger.born) % 4
        name, side, args = op[0], op[1], op[2:]
        try:
            getattr(self, f"_{name}")(side, *args)
        except Impossible:
            return
        except OSError as error:
            if error.errno not in _IMPOSSIBLE:
                raise

    def intrude(self, op: Op, step: Step) -> None:
        """Do an operation while the engine runs; `@` stands for what the engine is about to touch.

        A rewrite that puts size and time back is left to the time between runs: in the moment in which a file is given
        its place the status time moves anyway, and nothing tells such a version from the one that was meant.
        """
        path = next((path for path in step.paths if path.split("/")[0] != PRIVATE), "")
        if "@path" in op and not path:
            return  # what is ours is not theirs to touch
        told = {"sneak": "rewrite", "@side": step.where, "@path": path}
        self.act([told.get(part, part) if isinstance(part, str) else part for part in op])

    def _path(self, side: str, path: str, *, making: bool = False) -> str:
        full = os.path.join(self.root(side), self._standing(side, path))
        if making:
            above = os.path.dirname(full)
            if os.path.realpath(above) != above:
                raise Impossible  # users of this game do not write through links either
            os.makedirs(above, exist_ok=True)
        if os.path.realpath(os.path.dirname(full)) != os.path.dirname(full):
            raise Impossible
        return full

    def _standing(self, side: str, path: str) -> str:
        """A path in the spelling that stands on the disk of a side; what does not stand there, as given."""
        if path.split("/")[0] == PRIVATE:
            raise Impossible  # the users of this game do not meddle with what is ours
        if side not in self.rules:
            return path
        rules, found = self.rules[side], ""
        fold = folding(rules, rules)
        for name in path.split("/"):
            above = os.path.join(self.root(side), found)
            there = os.listdir(above) if os.path.isdir(above) else []
            same = [other for other in there if fold(other) == fold(name)]
            if not same and impossible(name, rules) is not None:
                raise Impossible
            found = os.path.join(found, name if name in there or not same else same[0])
        if fold(found.split("/")[0]) == PRIVATE:
            raise Impossible
        return found

    def _named(self, side: str, full: str, path: str) -> str:
        """The path of something that is given a name anew, once what stood at `full` is gone: spelled as was said."""
        rules, name = self.rules.get(side), os.path.basename(path)
        if rules is not None and impossible(name, rules) is not None:
            raise Impossible
        return os.path.join(os.path.dirname(full), name)

    def _apart(self, side: str, one: str, two: str) -> bool:
        """Whether neither of two paths is the other, or lies below it."""
        if side in self.rules:
            fold = folding(self.rules[side], self.rules[side])
            one, two = fold(one), fold(two)
        return not f"{one}/".startswith(f"{two}/") and not f"{two}/".startswith(f"{one}/")

    def _born(self, side: str, path: str, size: int) -> bytes:
        if not size:
            return b""  # which tells nothing of where it was born, and is no content to lose
        text = f"{len(self.ledger.born)}:{side[0]}:{path[:9]!r}|".encode()
        content = text.ljust(size, b".")
        self.ledger.born[content] = f"{side} {path}"
        return content

    def _doomed(self, full: str) -> None:
        """Everything that stands here and below is about to be destroyed."""
        for node in tree_at(full).values():
            if node.content in self.ledger.born:
                self.ledger.destroyed.add(node.content)
                self.ledger.lately.add(node.content)

    def _file(self, full: str) -> os.stat_result:
        status = os.lstat(full)
        if not stat.S_ISREG(status.st_mode):
            raise Impossible
        return status

    def _fill(self, full: str, content: bytes, at_ns: int | None = None) -> None:
        """Write in place, as most programs do."""
        with open(full, "wb") as stream:
            stream.write(content)
        stamp_ns = self.clock_s * 1_000_000_000 if at_ns is None else at_ns
        os.utime(full, ns=(stamp_ns, stamp_ns))

    # the operations

    def _write(self, side: str, path: str, size: int) -> None:
        full = self._path(side, path, making=True)
        if os.path.lexists(full):
            if os.path.isdir(full) and not os.path.islink(full):
                self._delete(side, path)
            else:
                self._doomed(full)
                if not stat.S_ISREG(os.lstat(full).st_mode) or size % 2:
                    os.unlink(full)  # half of the programs write a new file and give it the name
                    full = self._named(side, full, path)
        self._fill(full, self._born(side, path, size))

    def _rewrite(self, side: str, path: str) -> None:
        full = self._path(side, path)
        size = self._file(full).st_size
        self._doomed(full)
        self._fill(full, self._born(side, path, size))

    def _sneak(self, side: str, path: str) -> None:
        full = self._path(side, path)
        status = self._file(full)
        self._doomed(full)
        self._fill(full, self._born(side, path, status.st_size), status.st_mtime_ns)

    def _grow(self, side: str, path: str) -> None:
        full = self._path(side, path)
        size = self._file(full).st_size
        self._doomed(full)
        self._fill(full, self._born(side, path, size + 7))

    def _touch(self, side: str, path: str) -> None:
        full = self._path(side, path)
        self._file(full)
        os.utime(full, (self.clock_s, self.clock_s))

    def _date(self, side: str, path: str, second: int) -> None:
        """A time of long ago, or to come."""
        full = self._path(side, path)
        self._file(full)
        os.utime(full, (second, second))

    def _clock(self, seconds: int) -> None:
        """The clock of the machine is set."""
        self.clock_s += seconds
        self.leapt = self.leapt or seconds > TRASH_KEPT_S

    def _chmod(self, side: str, path: str, mode: int) -> None:
        full = self._path(side, path)
        if os.path.islink(full):
            return
        if os.path.isdir(full) and not (mode == NO_WRITING and os.geteuid() == 0):
            mode |= 0o700
        os.chmod(full, mode)

    def _chown(self, side: str, path: str, number: int) -> None:
        full = self._path(side, path)
        if os.path.islink(full) or os.geteuid() != 0:
            raise Impossible
        os.chown(full, number, number + 1)

    def _xattr(self, side: str, path: str, name: str, value: str) -> None:
        full = self._path(side, path)
        if stat.S_IFMT(os.lstat(full).st_mode) not in (stat.S_IFREG, stat.S_IFDIR) or not ATTRIBUTES:
            raise Impossible
        if value:
            os.setxattr(full, f"user.{name}", value.encode())
        elif f"user.{name}" in os.listxattr(full):
            os.removexattr(full, f"user.{name}")

    def keep_windows(self) -> bool:
        """Let both folders keep attributes of Windows; whether they can."""
        try:
            for side in ("left", "right"):
                os.setxattr(self.root(side), WINDOWS, bytes(4))
        except (OSError, AttributeError):
            return False
        return True

    def _windows(self, side: str, path: str, attributes: int) -> None:
        full = self._path(side, path)
        if stat.S_IFMT(os.lstat(full).st_mode) not in (stat.S_IFREG, stat.S_IFDIR) or not ATTRIBUTES:
            raise Impossible
        os.setxattr(full, WINDOWS, bytes((0, 0, 0, attributes)))

    def _delete(self, side: str, path: str) -> None:
        full = self._path(side, path)
        self._doomed(full)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        else:
            os.unlink(full)

    def _move(self, side: str, path: str, to: str) -> None:
        old = self._path(side, path)
        os.lstat(old)
        if not self._apart(side, path, to):
            if path.count("/") == to.count("/"):
                os.rename(old, self._named(side, old, to))  # spelled otherwise, where that is one name
            return
        standing = self._path(side, to, making=True)
        new = self._named(side, standing, to)
        if os.path.lexists(standing):
            self._delete(side, to)
        os.rename(old, new)

    def _swap(self, side: str, path: str, other: str) -> None:
        if not self._apart(side, path, other):
            return
        one, two = self._path(side, path), self._path(side, other)
        os.lstat(one), os.lstat(two)
        between = os.path.join(self.top, "between")
        os.rename(one, between)
        os.rename(two, one)
        os.rename(between, two)

    def _mkdir(self, side: str, path: str) -> None:
        os.mkdir(self._path(side, path, making=True), 0o755)

    def _link(self, side: str, path: str, target: str) -> None:
        full = self._path(side, path, making=True)
        if os.path.lexists(full):
            self._delete(side, path)
        number = len(self.ledger.born)
        up = "../" * (path.count("/") + 1)
        text = {"outside": up + "./" * number + "outside/d", "gone": f"gone-{number}"}.get(
            target, "./" * number + target
        )
        os.symlink(text, full)
        self.ledger.born[os.fsencode(text)] = f"{side} {path}"

    def _hardlink(self, side: str, path: str, to: str) -> None:
        old = self._path(side, path)
        self._file(old)
        os.link(old, self._path(side, to, making=True))

    def _fifo(self, side: str, path: str) -> None:
        full = self._path(side, path, making=True)
        if os.path.lexists(full):
            self._delete(side, path)
        os.mkfifo(full)

    def _wipe(self, side: str) -> None:
        for name in os.listdir(self.root(side)):
            if name != PRIVATE:
                self._delete(side, name)

    def _bulk(self, side: str, count: int) -> None:
        for number in range(count):
            self._write(side, f"many/{number:03}", 24)

    def _thin(self, side: str, count: int) -> None:
        for number in range(count):
            self._delete(side, f"many/{number:03}")

    def _unmark(self, side: str) -> None:
        os.unlink(os.path.join(self.root(side), PRIVATE, "root.json"))


def tree_at(top: str, *, private: bool = True) -> Tree:
    """Everything at and below a path, by path relative to it (`""` the path itself); `private`: what is ours too."""
    return dict(_walk(top, "", private))


def _attributes(full: str) -> tuple[tuple[str, bytes], ...]:
    """Of the attributes of Windows, none says the same as none set."""
    names = os.listxattr(full) if ATTRIBUTES else ()
    found = ((name, os.getxattr(full, name)) for name in sorted(names))
    return tuple((name, value) for name, value in found if (name, value) != (WINDOWS, bytes(4)))


def _walk(top: str, path: str, private: bool) -> Iterator[tuple[str, Node]]:
    full = os.path.join(top, path) if path else top
    try:
        status = os.lstat(full)
    except OSError:
        return
    mode, form = stat.S_IMODE(status.st_mode), stat.S_IFMT(status.st_mode)
    told = (mode, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, (status.st_uid, status.st_gid))
    if form == stat.S_IFREG:
        with open(full, "rb") as stream:
            yield path, Node("file", stream.read(), *told, _attributes(full))
    elif form == stat.S_IFLNK:
        yield path, Node("link", os.fsencode(os.readlink(full)), *told)
    elif form == stat.S_IFDIR:
        yield path, Node("directory", b"", mode, 0, status.st_ino, 0, told[-1], _attributes(full))
        for name in sorted(os.listdir(full)):
            if private or path or name != PRIVATE:
                yield from _walk(top, f"{path}/{name}" if path else name, private)
    else:
        yield path, Node("special", b"", *told)
