"""Going down into a tree, name by name, never through a link: what the process that reads a root does, and no more.

`step` is the one way down; `directories` is made of it too. Imports next to nothing, so that that process starts fast.
"""

from __future__ import annotations

import errno
import os
import stat

from syncline.fs import flags as having
from syncline.fs.scan import pack_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

DOWN = having.DIRECTORY | having.NOFOLLOW | having.CLOEXEC
PASS = DOWN | getattr(os, "O_PATH", os.O_RDONLY)
"""With O_PATH a directory that may be searched but not read can still be passed through."""

ABSENT = (FileNotFoundError, NotADirectoryError)

_READ = os.O_RDONLY | DOWN
_HELD = 64
_ATTEMPTS = 3


def _opened(above: int, name: str, flags: int) -> int:
    return os.open(name, flags, dir_fd=above)


def step(above: int, name: str, flags: int, device: int, opened: Callable[[int, str, int], int] = _opened) -> int:
    """A descriptor of the directory `name` in an open directory, on the file system `device`.

    Raises: FileNotFoundError where it is surely absent; NotADirectoryError where a file or link stands there;
    OSError(EXDEV) where another file system begins; any other OSError where it cannot be told.
    """
    for _ in range(_ATTEMPTS):
        try:
            fd = opened(above, name, flags)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        else:
            if os.fstat(fd).st_dev == device:
                return fd
            os.close(fd)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        # O_DIRECTORY says ENOTDIR for a link too, so what stands there is asked for.
        if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), name)


class Descent:
    """Reads the directories of a root depth first: each is opened from the one above it, which stays open meanwhile.

    RACE: a directory that is held open may be moved by someone else; what is then read below it is read where it went.
    Worst case the plan speaks of something that is elsewhere by now, which is seen before anything is done. Nothing is
    taken for absent that was looked for through a held directory only.
    """

    def __init__(
        self,
        root: int,
        device: int,
        told: Collection[str],
        *,
        beat: Callable[[], object],
    ) -> None:
        """`root` is a descriptor of the root, `device` its st_dev; `told`: which of `syncline.fs.scan.TOLD`; `beat` is
        called again and again while it reads."""
        self._root = root
        self._device = device
        self._told = told
        self._beat = beat
        self._held: list[tuple[str, int]] = []

    def listing(self, path: str) -> tuple[bytes, list[str]] | None:
        """The packed listing of a directory and the names of the directories in it; None where it is surely absent.

        Raises: OSError when it could not be read whole.
        """
        try:
            fd = self._open(path)
        except ABSENT:
            return None
        held = False
        try:
            found = pack_directory(
                fd,
                self._device,
                self._told,
                at_top=not path,
                beat=self._beat,
            )
            held = bool(found[1])
        finally:
            if not held:
                os.close(fd)
        if held:
            self._held.append((path, fd))
            if len(self._held) > _HELD:
                os.close(self._held.pop(0)[1])
        return found

    def _open(self, path: str) -> int:
        above, _, name = path.rpartition("/")
        held = self._held
        while held and (held[-1][0] != above or not path):
            os.close(held.pop()[1])
        if held:
            try:
                return step(held[-1][1], name, _READ, self._device)
            except ABSENT:
                pass
        return self._open_from_top(path)

    def _open_from_top(self, path: str) -> int:
        above, names = self._root, path.split("/") if path else ["."]
        try:
            for name in names[:-1]:
                below = step(above, name, PASS, self._device)
                above, before = below, above
                if before != self._root:
                    os.close(before)
            return step(above, names[-1], _READ, self._device)
        finally:
            if above != self._root:
                os.close(above)
