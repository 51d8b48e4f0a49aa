"""System calls Python has no name for, by ctypes: `renameat2`, `openat2`, `syncfs`. Linux; elsewhere: not there."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable

from syncline.fs import flags

_NOREPLACE, _EXCHANGE = 1, 2

HERE = -100
"""AT_FDCWD: in place of a descriptor, for absolute paths."""

_NUMBERS = {
    "x86_64": 316,
    "aarch64": 276,
    "riscv64": 276,
    "loongarch64": 276,
    "armv7l": 382,
    "armv6l": 382,
    "i686": 353,
    "ppc64le": 357,
    "s390x": 347,
}
"""`renameat2` per machine, for C libraries without the symbol (musl before 1.2.6): the kernel's syscall tables."""

_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY})


def rename_no_replace(old: str, new: str, old_fd: int, new_fd: int) -> bool:
    """Rename to a free name in one step; False where this system or file system cannot (nothing was done).

    EINVAL counts as "cannot": FUSE says it for a free name, EEXIST for a taken one. Raises: OSError.
    """
    return _renameat2(old, new, old_fd, new_fd, _NOREPLACE)


def exchange(one: str, two: str, one_fd: int, two_fd: int) -> bool:
    """Swap two names in one step; False where this system or file system cannot. Raises: OSError."""
    return _renameat2(one, two, one_fd, two_fd, _EXCHANGE)


def open_below(above: int, path: str) -> int | None:
    """A descriptor of a directory below an open one, to pass through: no link was followed, no file system changed for
    another one that is mounted. None where this system cannot, or where something else than that stands on the way.

    Raises: FileNotFoundError: it is surely absent.
    """
    if _open is None:
        return None
    fd = _open(_OPENAT2, above, os.fsencode(path), _HOW, len(_HOW))
    if fd >= 0:
        return fd
    if ctypes.get_errno() == errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return None


def sync_file_system(fd: int) -> bool:
    """Flush the file system `fd` is on; False where that call is missing or hides errors. Raises: OSError."""
    if _syncfs is None:
        return False
    number = errno.EINTR
    while number == errno.EINTR:
        if _syncfs(fd) == 0:
            return True
        number = ctypes.get_errno()
    if number == errno.ENOSYS:
        return False
    raise OSError(number, os.strerror(number))


def end_with_parent() -> None:
    """Have this process killed once the one that forked it is gone, where the system can: else it must ask."""
    library = _library()
    if library is not None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_PR_SET_PDEATHSIG = 1


def _renameat2(old: str, new: str, old_fd: int, new_fd: int, flags: int) -> bool:
    if _rename is None:
        return False
    for name in (old, new):
        if "\0" in name:
            raise ValueError("a name with a NUL would be cut there")
    number = errno.EINTR
    while number == errno.EINTR:
        if _rename(old_fd, os.fsencode(old), new_fd, os.fsencode(new), flags) == 0:
            return True
        number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), old, None, new)


def _library() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    try:
        return ctypes.CDLL(None, use_errno=True)
    except OSError:  # a static interpreter: there is no library to load
        return None


def _find_rename(library: ctypes.CDLL | None) -> Callable[[int, bytes, int, bytes, int], int] | None:
    if library is None:
        return None
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint, use_errno=True
    )
    try:
        return kind(("renameat2", library))
    except AttributeError:
        number = _NUMBERS.get(platform.machine())
    if number is None:
        return None
    system_call = library.syscall
    system_call.restype = ctypes.c_long

    def rename(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> int:
        return int(system_call(ctypes.c_long(number), old_fd, old, new_fd, new, flags))

    return rename


def _find_syncfs(library: ctypes.CDLL | None) -> Callable[[int], int] | None:
    if library is None or _kernel() < (5, 8):  # before, it answered 0 although write-back had failed: syncfs(2)
        return None
    try:
        return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, use_errno=True)(("syncfs", library))
    except AttributeError:
        return None


def _kernel() -> tuple[int, ...]:
    """The version of the running kernel: two numbers."""
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def _find_open(library: ctypes.CDLL | None) -> Callable[[int, int, bytes, bytes, int], int] | None:
    """The call for `openat2`, where the kernel has it (since 5.6), and lets it be used."""
    if library is None or sys.maxsize < 1 << 32:
        return None
    kind = ctypes.CFUNCTYPE(
        ctypes.c_long,
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        use_errno=True,
    )
    found = kind(("syscall", library))
    outside = found(_OPENAT2, HERE, b"/", _HOW, len(_HOW))  # below where one is, the root is nowhere
    return found if outside < 0 and ctypes.get_errno() == errno.EXDEV else None


_OPENAT2 = 437
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 1, 2, 4, 8
_HOW = struct.pack(
    "=QQQ",
    flags.DIRECTORY | flags.NOFOLLOW | flags.CLOEXEC | getattr(os, "O_PATH", 0),
    0,
    _NO_XDEV | _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH,
)
"""`struct open_how`: flags, mode, resolve."""

_open = _find_open(_library())
_rename = _find_rename(_library())
_syncfs = _find_syncfs(_library())
