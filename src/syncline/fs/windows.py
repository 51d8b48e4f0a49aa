"""The attributes that Windows keeps of a file or directory and that a job may keep in step: read-only, hidden, system.

On Windows they are those of the file; that was not tried. Elsewhere the drivers of NTFS (`ntfs-3g`, `ntfs3`) offer the
word that holds them as an extended attribute, of which all but these three are left as they are. Imports next to
nothing, as `syncline.fs.xattrs`.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

READ_ONLY, HIDDEN, SYSTEM = 1, 2, 4
KEPT = READ_ONLY | HIDDEN | SYSTEM
"""FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_HIDDEN and FILE_ATTRIBUTE_SYSTEM, as Windows numbers them."""

ATTRIBUTE = "system.ntfs_attrib_be"
"""Four bytes, the first one the highest."""

_NORMAL = 0x80
_NONE = getattr(errno, "ENODATA", 61)
_UNTOLD = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP})


def kept_at(path: str) -> bool:
    """Whether the file system at a path has them, as far as can be told without setting any."""
    try:
        _word(path, True)
    except (OSError, AttributeError):
        return False
    return True


def told(file: int | str, *, follow: bool = True) -> int | None:
    """Those of an open file, or of what stands at a path; None where they cannot be told. Raises: OSError."""
    try:
        return _word(file, follow) & KEPT
    except OSError as error:
        if error.errno == _NONE:
            return 0
        if error.errno in _UNTOLD:
            return None
        raise


def write(file: int | str, attributes: int) -> None:
    """Give a file these, and leave all others as they are; on Windows only by its path. Raises: OSError."""
    # RACE: another attribute of the word may be set between the look and the act; worst case that is lost.
    try:
        before = _word(file, True)
    except OSError as error:
        if error.errno != _NONE:
            raise
        before = 0
    word = before & ~KEPT | attributes & KEPT
    if word != before:
        _set(file, word)


@contextmanager
def writable(path: str) -> Iterator[None]:
    """A time in which Windows lets what stands at a path be removed, replaced or flushed though it is read-only, which
    it is again afterwards if it still stands there. Elsewhere nothing is changed.

    RACE: a kill meanwhile leaves it writable; worst case the next run takes that for a change somebody made.
    """
    before = None
    if sys.platform == "win32" and os.path.lexists(path) and _word(path, False) & READ_ONLY:
        before = os.lstat(path)
        _set(path, _word(path, False) & ~READ_ONLY)
    try:
        yield
    finally:
        if before is not None and os.path.lexists(path) and os.path.samestat(before, os.lstat(path)):
            _set(path, _word(path, False) | READ_ONLY)


if sys.platform == "win32":
    import ctypes

    def _word(file: int | str, follow: bool) -> int:
        return os.stat(file, follow_symlinks=follow).st_file_attributes

    def _set(file: int | str, word: int) -> None:
        system = ctypes.WinDLL("kernel32", use_last_error=True)
        if not system.SetFileAttributesW(ctypes.c_wchar_p(str(file)), ctypes.c_uint32(word or _NORMAL)):
            raise ctypes.WinError(ctypes.get_last_error())

else:

    def _word(file: int | str, follow: bool) -> int:
        return int.from_bytes(os.getxattr(file, ATTRIBUTE, follow_symlinks=follow), "big")

    def _set(file: int | str, word: int) -> None:
        os.setxattr(file, ATTRIBUTE, word.to_bytes(4, "big"))
