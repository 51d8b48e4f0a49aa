"""The way down into a tree: directories opened name by name from the root, never through a link, never upwards.

This is the security boundary of `local`: whatever names and links stand in a tree, a descriptor from here is a
directory that lay below the root, on the root's file system, when it was opened.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from collections.abc import Sequence

from syncline.fs import syscalls
from syncline.fs.descent import DOWN, PASS, step

_KEPT = 128
_SHARE = 8
"""No more than one in so many of the descriptors this process may have: the state and the program need some."""

_LEADING = 8192
_TRUSTED_NS = 50_000_000


class Directory:
    """An open directory; its descriptor is closed when nobody holds it any more, so none is closed under a user."""

    __slots__ = ("fd", "since_ns")

    def __init__(self, fd: int, since_ns: int) -> None:
        self.fd = fd
        self.since_ns = since_ns

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class Directories:
    """Opens directories below a root, and keeps a few of them open for a moment.

    RACE: a directory that was opened may be moved by someone else before it is used; what is then done through it
    happens where the directory went. That is so for any open directory, kept or not; keeping widens the window from
    microseconds to `_TRUSTED_NS`. Worst case a new file lands in the directory its owner has just moved away, as if
    it had been put there a moment earlier. No decision "is absent" is made through a kept one.
    """

    def __init__(self, root_fd: int, device: int) -> None:
        self._root = Directory(root_fd, 0)
        self._device = device
        self._most = _at_most()
        self._kept: dict[tuple[str, ...], Directory] = {}
        self._above: set[tuple[str, ...]] = set()  # every kept path and all that lead to one, perhaps more: asked first
        self._guard = threading.Lock()
        _all.add(self)

    def close(self) -> None:
        """Let go of everything, the root's descriptor too; nothing can be opened after it."""
        self.forget()
        self._root = Directory(-1, 0)

    def forget(self) -> None:
        """Keep nothing open but the root."""
        with self._guard:
            self._kept.clear()
            self._above.clear()

    def forget_below(self, path: str) -> None:
        """Keep nothing open at or below a path whose name changes its meaning."""
        names = tuple(path.split("/"))
        if names not in self._above:
            return
        with self._guard:
            for kept in [kept for kept in self._kept if kept[: len(names)] == names]:
                del self._kept[kept]

    def reach(self, names: Sequence[str], *, afresh: bool = False) -> Directory:
        """The directory these names lead to.

        Raises: FileNotFoundError where it is surely absent; NotADirectoryError where a file or link stands on the
        way; OSError(EXDEV) where another file system begins; any other OSError where it cannot be told.
        """
        if not names:
            return self._root
        path = tuple(names)
        now_ns = time.monotonic_ns()
        directory, depth = (self._root, 0) if afresh else self._nearest(path, now_ns)
        if depth == len(path):
            return directory
        since_ns = directory.since_ns or now_ns
        fd = syscalls.open_below(directory.fd, "/".join(path[depth:]))
        if fd is not None:
            found = Directory(fd, since_ns)
            if os.fstat(fd).st_dev == self._device:
                self._keep(path, found)
                return found
        for position in range(depth, len(names)):
            directory = Directory(self._step(directory.fd, names[position], PASS), since_ns)
            self._keep(path[: position + 1], directory)
        return directory

    def readable(self, names: Sequence[str]) -> Directory:
        """The directory these names lead to, newly opened for reading its names. Raises: as `reach`."""
        if not names:
            return Directory(self.open_at(".", os.O_RDONLY | DOWN, self._root), 0)
        above = self.reach(names[:-1])
        since_ns = above.since_ns or time.monotonic_ns()
        directory = Directory(self._step(above.fd, names[-1], os.O_RDONLY | DOWN), since_ns)
        self._keep(tuple(names), directory)
        return directory

    def open_at(self, name: str, flags: int, above: Directory, mode: int = 0o600) -> int:
        """`open` relative to a directory; where descriptors run out, once more without any kept one."""
        return self._opened(above.fd, name, flags, mode)

    def _nearest(self, path: tuple[str, ...], now_ns: int) -> tuple[Directory, int]:
        while path:
            kept = self._kept.get(path)
            if kept is not None and now_ns - kept.since_ns < _TRUSTED_NS:
                return kept, len(path)
            path = path[:-1]
        return self._root, 0

    def _keep(self, path: tuple[str, ...], directory: Directory) -> None:
        with self._guard:
            self._kept.pop(path, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            if len(self._above) > _LEADING:
                self._kept.clear()
                self._above.clear()
            self._kept[path] = directory
            while path and path not in self._above:
                self._above.add(path)
                path = path[:-1]

    def _step(self, above: int, name: str, flags: int) -> int:
        return step(above, name, flags, self._device, self._opened)

    def _opened(self, above: int, name: str, flags: int, mode: int = 0o600) -> int:
        try:
            return os.open(name, flags, mode, dir_fd=above)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        for each in list(_all):  # any root of this process may be the one that holds them
            each.forget()
        return os.open(name, flags, mode, dir_fd=above)


def _at_most() -> int:
    import resource  # not on Windows, where no directory is held open

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _KEPT if allowed == resource.RLIM_INFINITY else max(1, min(_KEPT, allowed // _SHARE))


_all: weakref.WeakSet[Directories] = weakref.WeakSet()
