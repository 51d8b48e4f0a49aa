"""System calls Python has no name for, by ctypes: `renameat2` and `syncfs`. Linux; elsewhere they say ENOSYS."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
from collections.abc import Callable

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


_rename = _find_rename(_library())
_syncfs = _find_syncfs(_library())
