"""Extended attributes of the `user.` namespace: all of a file or directory as one packed set, and its digest.

Other namespaces are never touched: `security.` and `trusted.` belong to the system, `system.` holds access lists.
Imports next to nothing: the process that reads a root loads it where a job asks for attributes.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from contextlib import suppress
from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ABLE = hasattr(os, "listxattr")
DIGEST_BYTES = 16

_PREFIX = "user."
_LENGTHS = struct.Struct("<HI")
_NEVER_SET = "user.syncline.never-set"


def kept_at(path: str) -> bool:
    """Whether the file system at a path has such attributes at all, asked for without setting one."""
    try:
        os.getxattr(path, _NEVER_SET)  # type: ignore[attr-defined,unused-ignore]
    except OSError as error:
        return error.errno == _NONE
    except AttributeError:
        return False
    return True


def read(file: int | str, *, follow: bool = True) -> bytes:
    """The packed set of an open file, or of what stands at a path; empty where there are none.

    Raises: OSError, PermissionError where this user may not read them.
    """
    names = _names(file, follow)
    if not names:
        return b""
    values = {os.fsencode(name): _value(file, name, follow) for name in names}
    return pack({name: value for name, value in values.items() if value is not None})


def write(file: int | str, packed: bytes) -> None:
    """Give a file this set and no other attributes; what could not be set whole is put back.

    Raises: OSError, with E2BIG where there is no room for them: many file systems keep some 4 kB for a file.
    """
    before = unpack(read(file))
    try:
        _write(file, before, unpack(packed))
    except OSError as error:
        with suppress(OSError):  # the first failure is the one to tell
            _write(file, unpack(read(file)), before)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ERANGE):
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG)) from error
        raise


def write_any(file: int | str, mode: int, packed: bytes) -> None:
    """`write` to a file of this mode, which its owner may not write; it gets the mode back. Raises: OSError."""
    try:
        write(file, packed)
    except PermissionError:
        if mode & stat.S_IRUSR and mode & stat.S_IWUSR:
            raise
        # RACE: a kill from here on leaves it open to its owner; recovery gives it back its mode.
        os.chmod(file, stat.S_IMODE(mode) | stat.S_IRUSR | stat.S_IWUSR)
        try:
            write(file, packed)
        finally:
            os.chmod(file, stat.S_IMODE(mode))


def pack(values: Mapping[bytes, bytes]) -> bytes:
    """A set by names, sorted."""
    return b"".join(_LENGTHS.pack(len(name), len(values[name])) + name + values[name] for name in sorted(values))


def unpack(packed: bytes) -> dict[bytes, bytes]:
    """The values of a packed set by their names."""
    values, position = {}, 0
    while position < len(packed):
        name_length, length = _LENGTHS.unpack_from(packed, position)
        position += _LENGTHS.size
        middle, end = position + name_length, position + name_length + length
        values[packed[position:middle]] = packed[middle:end]
        position = end
    return values


def digest(packed: bytes) -> bytes:
    """What is remembered of a set: 16 bytes, or nothing of an empty one."""
    return blake2b(packed, digest_size=DIGEST_BYTES).digest() if packed else b""


def told(file: int | str, *, follow: bool = True) -> bytes | None:
    """The digest of the set of a file; None where this user may not read it.

    Raises: OSError.
    """
    try:
        return digest(read(file, follow=follow))
    except PermissionError:
        return None


def told_in(above: int, name: str) -> bytes | None:
    """`told` of a name in an open directory; a link there is not followed."""
    return told(inside(above, name), follow=False)


def read_in(above: int, name: str) -> bytes:
    """`read` of a name in an open directory; a link there is not followed. Raises: OSError."""
    return read(inside(above, name), follow=False)


def inside(above: int, name: str) -> str:
    """The path of a name in an open directory: attributes can be asked for by no other."""
    return f"/proc/self/fd/{above}/{name}"


_NONE = getattr(errno, "ENODATA", 61)


def _names(file: int | str, follow: bool) -> list[str]:
    listed = os.listxattr(file) if follow else os.listxattr(file, follow_symlinks=False)
    return [name for name in listed if name.startswith(_PREFIX)]


def _value(file: int | str, name: str, follow: bool) -> bytes | None:
    """None where it was removed meanwhile."""
    try:
        return os.getxattr(file, name) if follow else os.getxattr(file, name, follow_symlinks=False)
    except OSError as error:
        if error.errno == _NONE:
            return None
        raise


def _write(file: int | str, before: Mapping[bytes, bytes], wanted: Mapping[bytes, bytes]) -> None:
    for name in sorted(before.keys() - wanted.keys()):  # first: room for attributes is scarce
        os.removexattr(file, name)
    for name, value in wanted.items():
        if before.get(name) != value:
            os.setxattr(file, name, value)
