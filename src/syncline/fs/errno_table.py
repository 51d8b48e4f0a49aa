"""The one place where `OSError` becomes an error of ours, in plain words. Both roots use it, nothing else may."""

from __future__ import annotations

import errno
import os

from syncline.core.model import Reason
from syncline.errors import PathError, RootLost

_LOST = {
    errno.EROFS: "it became read-only",
    errno.ENOTCONN: "its file system no longer answers",
    errno.ENODEV: "its device is gone",
    errno.ENXIO: "its device is gone",
}

_ALWAYS = {
    errno.ENOSPC: (Reason.NO_SPACE, "no space is left"),
    errno.EDQUOT: (Reason.NO_SPACE, "the quota for this file system is used up"),
    errno.E2BIG: (Reason.NO_SPACE, "its extended attributes have no room on this file system"),
    errno.EFBIG: (Reason.NO_SPACE, "the file is too large for this file system"),
    errno.EACCES: (Reason.UNREADABLE, "permission is missing"),
    errno.EPERM: (Reason.UNREADABLE, "the system does not permit it"),
    errno.EIO: (Reason.UNREADABLE, "the disk reported an error"),
    errno.ESTALE: (Reason.UNREADABLE, "the server no longer knows this file"),
    errno.EMFILE: (Reason.UNREADABLE, "too many files are open in this process"),
    errno.ENFILE: (Reason.UNREADABLE, "too many files are open on this system"),
    errno.EBUSY: (Reason.BUSY, "it is in use"),
    errno.ETXTBSY: (Reason.BUSY, "it is a program that is running"),
    errno.EAGAIN: (Reason.BUSY, "it is in use"),
    errno.EXDEV: (Reason.OTHER_FILE_SYSTEM, "it belongs to another file system"),
    errno.ENAMETOOLONG: (Reason.IMPOSSIBLE_NAME, "the name or path is too long there"),
    errno.EILSEQ: (Reason.IMPOSSIBLE_NAME, "the name has characters this file system cannot hold"),
    errno.ENOENT: (Reason.TARGET_CHANGED, "it is not there"),
    errno.EEXIST: (Reason.TARGET_CHANGED, "the name is taken"),
    errno.ENOTEMPTY: (Reason.TARGET_CHANGED, "the directory is not empty"),
    errno.ENOTDIR: (Reason.TARGET_CHANGED, "a link or file stands where a directory was"),
    errno.ELOOP: (Reason.TARGET_CHANGED, "a link stands where something else was"),
    errno.EISDIR: (Reason.TARGET_CHANGED, "a directory stands there"),
    errno.EMLINK: (Reason.UNREADABLE, "the file has as many names as this file system allows"),
}

_NAMING = {errno.EINVAL: (Reason.IMPOSSIBLE_NAME, "this file system does not take the name")}
"""What an errno means only where a name is made."""


def translated(
    error: OSError, path: str, doing: str, *, root: str, naming: bool = False, free_inodes: int | None = None
) -> PathError | RootLost:
    """The error to raise for `error`: a `RootLost` where the whole root is concerned, else a `PathError`.

    `doing` says what failed: "could not be created". `naming`: a name was being made. `free_inodes`: tells which kind
    of space ran out. `path` is relative to `root` and kept raw: whoever shows it makes it printable.
    """
    number = error.errno or 0
    if number in _LOST:
        return RootLost(
            f"{root}: {_LOST[number]} ({os.strerror(number)}, at {path or 'its top'})",
            hint="bring it back, then run again",
        )
    reason, words = _ALWAYS.get(number, (Reason.UNREADABLE, ""))
    if naming:
        reason, words = _NAMING.get(number, (reason, words))
    if number == errno.ENOSPC and free_inodes == 0:
        words = "no inodes are left: the file system holds as many files as it can"
    system = os.strerror(number) if number else str(error)
    return PathError(reason, path, f"{doing}: {words} ({system})" if words else f"{doing}: {system}")
