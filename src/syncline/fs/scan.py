"""Reading one directory into its packed listing: the loop that runs once for every file in every run.

It makes no object per file but what stat itself returns. Imports only os, stat, struct and the form of a record, so
that the small process that reads a root starts fast. Nothing that changes a disk belongs here.
"""

from __future__ import annotations

import os
import stat
import struct

from syncline.core.record import (
    ATTRIBUTED,
    ATTRIBUTED_BY_WINDOWS,
    DIRECTORY,
    EARLIEST_NS,
    FILE,
    LATEST_NS,
    LINK,
    MARKER,
    MOUNT,
    OWNED,
    OWNER,
    PERMISSIONS,
    PRIVATE,
    RECORD,
    SPECIAL,
    UNKNOWN,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

TOLD = ("ctime", "inode", "owner", "xattr", "windows")
"""What is told of a name only where it means something in a root, and a job asks for it; else it is 0, or left out."""

_REGULAR, _DIRECTORY, _LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
_BEAT = 500
_ID = 0xFFFFFFFF


def pack_directory(
    fd: int,
    device: int,
    told: Collection[str],
    *,
    at_top: bool,
    beat: Callable[[], object] | None = None,
) -> tuple[bytes, list[str]]:
    """The packed listing of an open directory, and the names of the plain directories in it, both sorted by name.

    `device` is the st_dev of the root; a directory of another one is a mount. `told`: which of `TOLD`. `at_top`: this
    directory is the root. `beat` is called every few names.

    A name that vanishes meanwhile is left out; one whose stat fails otherwise stands there as UNKNOWN.

    Raises: OSError when the directory itself could not be read whole.
    """
    names = sorted(set(os.listdir(fd)))  # a name given anew while they are read may come twice
    private = private_among(names, lambda: _reaches_private(fd))
    parts: list[bytes] = []
    directories: list[str] = []
    append, pack, look = parts.append, RECORD.pack, os.stat
    stamps, inodes = "ctime" in told, "inode" in told
    asked = tuple(each for each in ("owner", "xattr", "windows") if each in told)
    for start in range(0, len(names), _BEAT):
        if beat is not None:
            beat()
        for name in names[start : start + _BEAT]:
            encoded = name.encode("utf-8", "surrogateescape")
            try:
                status = look(name, dir_fd=fd, follow_symlinks=False)
                mode = status.st_mode
                form = mode & 0o170000
                besides, marks = _besides(fd, name, status, asked) if asked else (b"", 0)
            except FileNotFoundError:
                continue
            except OSError:
                if not (at_top and name == private):
                    append(pack(UNKNOWN, 0, 0, 0, 0, 0, len(encoded)) + encoded)
                continue
            inode = status.st_ino if inodes else 0
            if form == _DIRECTORY:
                kind = DIRECTORY if status.st_dev == device else MOUNT
                if name == private:
                    marked = at_top or _holds_marker(fd)
                    if marked is None:
                        append(pack(UNKNOWN, 0, 0, 0, 0, 0, len(encoded)) + encoded)
                    if marked is not False:
                        continue
                if kind == DIRECTORY:
                    directories.append(name)
                    kind, encoded = kind | marks, besides + encoded
                append(pack(kind, mode & PERMISSIONS, 0, 0, 0, inode, len(encoded)) + encoded)
                continue
            if name == private and at_top:
                continue
            if form == _REGULAR:
                kind, encoded = FILE | marks, besides + encoded
            elif form == _LINK:
                kind = LINK
            else:
                append(pack(SPECIAL, mode & PERMISSIONS, 0, 0, 0, inode, len(encoded)) + encoded)
                continue
            mtime_ns = status.st_mtime_ns
            ctime_ns = status.st_ctime_ns if stamps else 0
            try:
                head = pack(kind, mode & PERMISSIONS, status.st_size, mtime_ns, ctime_ns, inode, len(encoded))
            except struct.error:
                mtime_ns, ctime_ns = clamped(mtime_ns), clamped(ctime_ns)
                head = pack(kind, mode & PERMISSIONS, status.st_size, mtime_ns, ctime_ns, inode, len(encoded))
            append(head + encoded)
    return b"".join(parts), directories


def private_among(names: Sequence[str], reached: Callable[[], bool]) -> str:
    """How the private directory is spelled among the names of a directory. Where case does not count somebody may have
    spelled it anew: then it is `reached` by the name that is its own, too, which is not listed."""
    if PRIVATE not in names:
        for name in names:
            if len(name) == len(PRIVATE) and name.lower() == PRIVATE and reached():
                return name
    return PRIVATE


def _besides(above: int, name: str, status: os.stat_result, asked: Collection[str]) -> tuple[bytes, int]:
    """What stands before a name in its record, and what that adds to the kind. Raises: OSError."""
    marks, besides = 0, b""
    if stat.S_IFMT(status.st_mode) not in (_REGULAR, _DIRECTORY):
        return besides, marks
    if "owner" in asked:
        marks, besides = OWNED, OWNER.pack(owner_of(status))
    if "xattr" in asked:
        from syncline.fs.xattrs import told_in

        digest = told_in(above, name)
        if digest is not None:
            marks, besides = marks | ATTRIBUTED, besides + bytes([len(digest)]) + digest
    if "windows" in asked:
        from syncline.fs.windows import told
        from syncline.fs.xattrs import inside

        attributes = told(inside(above, name), follow=False)
        if attributes is not None:
            marks, besides = marks | ATTRIBUTED_BY_WINDOWS, besides + bytes([attributes])
    return besides, marks


def owner_of(status: os.stat_result) -> int:
    """User and group id as one number."""
    return (status.st_uid & _ID) << 32 | status.st_gid & _ID


def clamped(time_ns: int) -> int:
    """`time_ns`, or the nearest time a record can hold."""
    return time_ns if EARLIEST_NS <= time_ns <= LATEST_NS else within(time_ns, EARLIEST_NS, LATEST_NS)


def within(time_ns: int, earliest_ns: int, latest_ns: int) -> int:
    """`time_ns`, or the nearest time between these."""
    return min(max(time_ns, earliest_ns), latest_ns)


def _reaches_private(fd: int) -> bool:
    try:
        os.stat(PRIVATE, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def _holds_marker(fd: int) -> bool | None:
    """Whether the private directory in this one belongs to a root; None where that cannot be told."""
    try:
        os.stat(f"{PRIVATE}/{MARKER}", dir_fd=fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True
