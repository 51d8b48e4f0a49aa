"""Open files: one being read, one being written. Both roots use them; only `local` and `bypath` may open any."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from syncline.core.model import Entry, Reason
from syncline.errors import PathError, SynclineError
from syncline.fs.root import NOTHING, Besides

Translate = Callable[[OSError, str], SynclineError]
"""Makes an error of ours from an `OSError` and what could not be done."""

_SEQUENTIAL_BYTES = 4 << 20

HOLE = bytes(1 << 20)
"""What is read where a file has a hole: slices of this very object, by which a writer knows not to write them."""


class FileReader:
    """An open regular file. `look` is what its descriptor's stat says, as an entry; `holes`: it may have some."""

    def __init__(
        self,
        fd: int,
        path: str,
        opened: Entry,
        look: Callable[[int], Entry],
        translate: Translate,
        *,
        holes: bool = False,
    ) -> None:
        self._fd = fd
        self._holes = holes and hasattr(os, "SEEK_DATA")
        self._path = path
        self.opened = opened
        self._fresh = True
        self._look = look
        self._translate = translate

    def __del__(self) -> None:
        self.close()

    @property
    def entry(self) -> Entry:
        try:
            return self._look(self._fd)
        except OSError as error:
            raise self._translate(error, "could not be read") from error

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes | memoryview]:
        expected = self.opened.size if self._fresh else self.entry.size
        if self._holes:
            yield from self._sparse_blocks(size, expected)
            return
        if expected >= _SEQUENTIAL_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        position = 0
        try:
            if not self._fresh:
                os.lseek(self._fd, 0, os.SEEK_SET)
            self._fresh = False
            while True:
                # A buffer no larger than what is left: most files are small.
                asked = min(size, max(expected - position, 0) + 1)
                block = os.read(self._fd, asked)
                if not block:
                    return
                yield block
                position += len(block)
                if position == expected and len(block) < asked:
                    return  # the end; what is appended from now on, the caller's second look at the entry finds
        except OSError as error:
            raise self._translate(error, "could not be read") from error

    def _sparse_blocks(self, size: int, expected: int) -> Iterator[bytes | memoryview]:
        """As `blocks`, but only what is data is read. What is appended meanwhile the caller's second look finds."""
        self._fresh = False
        position = 0
        try:
            while position < expected:
                data = self._next_data(position, expected)
                while position < data:
                    count = min(size, data - position, len(HOLE))
                    yield memoryview(HOLE)[:count]
                    position += count
                if position >= expected:
                    return
                end = self._next_hole(position, expected)
                os.lseek(self._fd, position, os.SEEK_SET)
                while position < end:
                    block = os.read(self._fd, min(size, end - position))
                    if not block:
                        return
                    yield block
                    position += len(block)
        except OSError as error:
            raise self._translate(error, "could not be read") from error

    def _next_data(self, position: int, expected: int) -> int:
        try:
            return min(os.lseek(self._fd, position, os.SEEK_DATA), expected)
        except OSError as error:
            if error.errno == errno.EINVAL:  # a file system that cannot tell
                return position
            if error.errno != errno.ENXIO:
                raise
            return expected if os.fstat(self._fd).st_size >= expected else position  # all the rest is a hole

    def _next_hole(self, position: int, expected: int) -> int:
        try:
            return min(os.lseek(self._fd, position, os.SEEK_HOLE), expected)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENXIO):
                raise
            return expected

    def uncached(self) -> None:
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # a wish, which some file systems do not know
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class FileWriter:
    """A staged file being written.

    `settle` sets the properties and returns the entry; `discard` removes the name while it still is this file.
    Whatever fails, the file is removed: half a file never stays under its name. `holes`: what was read from a hole is
    not written.
    """

    def __init__(
        self,
        fd: int,
        path: str,
        settle: Callable[[int, int | None, int | None, Besides], tuple[Entry, os.stat_result]],
        discard: Callable[[os.stat_result], None],
        translate: Translate,
        *,
        holes: bool = False,
    ) -> None:
        self._fd = fd
        self._path = path
        self._holes = holes
        self._ends_in_hole = False
        self._settle = settle
        self._discard = discard
        self._translate = translate
        self._written = 0

    def __del__(self) -> None:
        self._close()

    def write(self, data: bytes | memoryview) -> None:
        try:
            if self._holes and isinstance(data, memoryview) and data.obj is HOLE:
                os.lseek(self._fd, len(data), os.SEEK_CUR)
                self._written += len(data)
                self._ends_in_hole = True
                return
            self._ends_in_hole = False
            count = os.write(self._fd, data)
            self._written += count
            if count == len(data):
                return
            left = memoryview(data)[count:]
            while left:
                count = os.write(self._fd, left)
                if count == 0:
                    raise PathError(Reason.NO_SPACE, self._path, "could not be written: the system takes no more bytes")
                self._written += count
                left = left[count:]
        except OSError as error:
            self.abandon()
            raise self._translate(error, "could not be written") from error
        except PathError:
            self.abandon()
            raise

    def finish(self, *, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING) -> Entry:
        try:
            if self._ends_in_hole:
                os.ftruncate(self._fd, self._written)
            entry, written = self._settle(self._fd, mtime_ns, mode, besides)
            if entry.size != self._written:
                raise PathError(
                    Reason.UNREADABLE,
                    self._path,
                    f"could not be written: of {self._written} bytes the file system kept {entry.size}",
                )
        except OSError as error:
            self.abandon()
            raise self._translate(error, "could not be written") from error
        except PathError:
            self.abandon()
            raise
        fd, self._fd = self._fd, -1
        try:
            os.close(fd)  # where a network file system reports what it could not write after all
        except OSError as error:
            self._remove(written)
            raise self._translate(error, "could not be written") from error
        return entry

    def abandon(self) -> None:
        if self._fd < 0:
            return
        with suppress(OSError):
            self._remove(os.fstat(self._fd))
        self._close()

    def _remove(self, written: os.stat_result) -> None:
        with suppress(OSError):  # what stays is found by the clearing of the stage
            self._discard(written)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):  # the descriptor is gone either way, and nobody counts on the content
                os.close(fd)
