"""What both roots make of a path and of a stat: its components, its `Entry`, and whether two are the same thing."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from functools import lru_cache

from syncline.core.model import PERMISSIONS, Entry, Kind, Reason
from syncline.errors import PathError
from syncline.fs import windows, xattrs
from syncline.fs.root import Besides, Capabilities
from syncline.fs.scan import clamped, owner_of

NO_SYMLINKS = "this file system cannot hold symbolic links"

ATTRIBUTED = frozenset({Kind.FILE, Kind.DIRECTORY})
"""What can have attributes, extended ones and those of Windows."""

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.LINK}


@lru_cache(maxsize=2048)
def components(path: str) -> tuple[str, ...]:
    """The names a path is made of, none for the root.

    Raises: PathError where a component could lead elsewhere than down.
    """
    if not path:
        return ()
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise PathError(Reason.IMPOSSIBLE_NAME, path, "the name has a character this system cannot write") from None
    names = tuple(path.split("/"))
    for name in names:
        if name in {"", ".", ".."} or "\0" in name:
            raise PathError(Reason.IMPOSSIBLE_NAME, path, "the path has a component that is no name")
    return names


def named(path: str) -> tuple[str, ...]:
    """The names a path is made of, at least one.

    Raises: PathError, also for the root itself.
    """
    names = components(path)
    if not names:
        raise PathError(Reason.IMPOSSIBLE_NAME, path, "the root itself is never changed")
    return names


def entry_of(status: os.stat_result, device: int, keeps: Capabilities) -> Entry:
    """The entry a stat describes, with what the root does not keep as 0."""
    mode = status.st_mode
    kind = _KINDS.get(stat.S_IFMT(mode), Kind.SPECIAL)
    if kind is Kind.DIRECTORY and status.st_dev != device:
        kind = Kind.MOUNT
    inode = status.st_ino if keeps.inode else 0
    if kind is not Kind.FILE and kind is not Kind.LINK:
        owner = owner_of(status) if keeps.owner and kind is Kind.DIRECTORY else None
        return Entry(kind, mode=mode & PERMISSIONS, inode=inode, owner=owner)
    ctime_ns = clamped(status.st_ctime_ns) if keeps.ctime else 0
    owner = owner_of(status) if keeps.owner and kind is Kind.FILE else None
    permissions = mode & PERMISSIONS
    return Entry(kind, status.st_size, clamped(status.st_mtime_ns), permissions, ctime_ns, inode, owner=owner)


def attributed(entry: Entry, keeps: Capabilities, file: int | str, *, follow: bool = True) -> Entry:
    """The entry of an open file, or of what stands at a path, with the attributes that are to be told.

    Raises: OSError."""
    if entry.kind not in ATTRIBUTED or not (keeps.xattr or keeps.windows):
        return entry
    xattr = xattrs.told(file, follow=follow) if keeps.xattr else None
    return replace(entry, xattr=xattr, windows=windows.told(file, follow=follow) if keeps.windows else None)


def set_attributes(file: int | str, mode: int, keeps: Capabilities, besides: Besides) -> None:
    """Give an open file, or what stands at a path, its attributes; `mode` is the one it has. Raises: OSError."""
    if besides.xattr is not None and keeps.xattr:
        xattrs.write_any(file, mode, besides.xattr)
    if besides.windows is not None and keeps.windows:
        windows.write(file, besides.windows)


def ids(owner: int) -> tuple[int, int]:
    """The user id and the group id of an owner."""
    return owner >> 32, owner & 0xFFFFFFFF


def as_planned(found: Entry, expect: Entry, path: str) -> None:
    """Nothing, where `found` is still what the plan saw: kind, size, mtime and, where both know it, inode.

    Raises: PathError.
    """
    if found.kind is Kind.SPECIAL:
        raise PathError(Reason.SPECIAL_FILE, path, "it is no file, directory or link")
    if (
        expect.kind is not found.kind
        or expect.size != found.size
        or expect.mtime_ns != found.mtime_ns
        or (expect.inode and found.inode and expect.inode != found.inode)
    ):
        raise PathError(Reason.TARGET_CHANGED, path, "it is no longer what the plan saw there")


def link_text(target: bytes, path: str) -> str:
    """The text of a link to be made. Raises: PathError where no link can hold it."""
    if not target or b"\0" in target:
        raise PathError(Reason.IMPOSSIBLE_NAME, path, "a link cannot hold this text")
    return os.fsdecode(target)


def regular(status: os.stat_result, path: str) -> None:
    """Nothing, for a regular file. Raises: PathError."""
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
        raise PathError(Reason.TARGET_CHANGED, path, "it is not a file")
    raise PathError(Reason.SPECIAL_FILE, path, "it is no regular file")


def may_have_holes(status: os.stat_result) -> bool:
    """Whether a file takes less room than its size says: it has holes, or is compressed."""
    return getattr(status, "st_blocks", status.st_size) * 512 < status.st_size


def apart(old: str, new: str) -> None:
    """Nothing, for two paths neither of which is impossible, `new` not inside `old`. Raises: PathError."""
    named(old)
    named(new)
    if new.startswith(f"{old}/"):
        raise PathError(Reason.TARGET_CHANGED, new, f"{old} cannot be moved into itself")
