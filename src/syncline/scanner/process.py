"""The process that reads one root, seen from the one that starts it: `main` is its other end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from syncline.scanner import wire

ABLE = hasattr(os, "posix_spawn") and sys.platform != "win32" and not getattr(sys, "frozen", False)
"""Whether a process can be started and given a descriptor. In a frozen program `sys.executable` is no interpreter."""

ROOT = 3
"""The number under which the process finds the root's descriptor."""

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Where the process finds its modules."""

_CODE = "import sys; sys.path.append(sys.argv[1]); from syncline.scanner.main import main; main()"

_ABOVE = 10
"""Our ends are put out of the way of the numbers the process is given."""

_PATIENCE_S = 1.0


class Process:
    """One process at work. `reading` is where it is heard."""

    def __init__(self, root: int, request: Mapping[str, object]) -> None:
        """Start it on the root with this descriptor. Raises: OSError: there is no process to be had."""
        self._data = bytearray()
        self.reading, self._writing, self.pid = _spawned(root)
        self.say(dict(request))

    def say(self, value: object) -> None:
        """Tell the process something. Whether it is still there is seen where it is heard."""
        with suppress(BrokenPipeError):
            wire.send(self._writing, value)

    def hear(self) -> list[tuple[str, Any]] | None:
        """What it has told since; None when it is gone."""
        part = os.read(self.reading, 1 << 20)
        self._data += part
        return wire.split(self._data) if part else None

    def ended(self) -> str:
        """How a process that is gone ended."""
        pid, self.pid = self.pid, 0
        self._close()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}"

    def kill(self) -> None:
        """End the process, whatever it does. One that waits for a dead disk may stay until that answers."""
        if not self.pid:
            return
        pid, self.pid = self.pid, 0
        self._close()
        os.kill(pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
        until_s = time.monotonic() + _PATIENCE_S
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < until_s:
            time.sleep(0.001)

    def _close(self) -> None:
        os.close(self.reading)
        os.close(self._writing)


def _spawned(root: int) -> tuple[int, int, int]:
    """A started process: where it is heard, where it is told, its id. Raises: OSError."""
    its_in, our_out = _pipe()
    our_in, its_out = _pipe()
    its_root = _away(os.dup(root))
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", _CODE, TOP],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its_in, 0),
                (os.POSIX_SPAWN_DUP2, its_out, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, its_root, ROOT),
            ],
            setpgroup=0,  # a signal to our group is for us to understand; it ends this process in time
        )
    except BaseException:
        os.close(our_in)
        os.close(our_out)
        raise
    finally:
        for fd in (its_in, its_out, its_root):
            os.close(fd)
    return our_in, our_out, pid


def _pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    return _away(reading), _away(writing)


def _away(fd: int) -> int:
    """The same under a number that is out of the way."""
    import fcntl  # here, so that the module can be imported where there is none

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
    finally:
        os.close(fd)
