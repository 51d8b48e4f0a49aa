"""The lock of a root: an open file the system unlocks when its holder dies, signed for people to read."""

from __future__ import annotations

import os
import sys
import time

from syncline.core.model import PRIVATE, RelPath
from syncline.errors import RootLocked

DIRECTORY = RelPath(PRIVATE)
STAGING = RelPath(f"{PRIVATE}/staging")
LOCK = RelPath(f"{PRIVATE}/lock")

_SIGNATURE_BYTES = 200
_LOCKED_BYTE = 1 << 30
"""Where Windows locks, which forbids reading what is locked: far behind the signature."""


def take(fd: int, root: str) -> None:
    """Lock an open file without waiting. Raises: RootLocked with the signature of the holder; OSError."""
    if _try(fd):
        return
    os.lseek(fd, 0, os.SEEK_SET)
    holder = os.read(fd, _SIGNATURE_BYTES).decode("utf-8", "replace").strip()
    raise RootLocked(
        f"{root}: another run holds this root ({holder or 'it left no name'})",
        holder=holder,
        hint="wait until it is done, or stop it",
    )


def sign(fd: int) -> None:
    """Write who holds the lock, and since when. Raises: OSError."""
    text = f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n"
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, text.encode())


def _try(fd: int) -> bool:
    """Lock without waiting; False while somebody else holds it. The system's module is imported when it is needed."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
