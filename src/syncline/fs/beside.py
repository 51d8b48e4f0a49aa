"""Work done in a second process, where the system can fork one: the only place that does."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable

ABLE = sys.platform == "linux" and hasattr(os, "fork")
"""Whether `Beside` can be used: elsewhere a fork is slow, unsafe or missing."""


class Beside:
    """One piece of work under way in a child of this process. The child sees everything as it stood at the fork.

    The work must touch nothing but files and must not print, log or import; what it returns is handed over.
    """

    def __init__(self, work: Callable[[Callable[[], bool]], bytes]) -> None:
        """Start it. `work` is given a function that says whether this process is gone, so that it ends with it."""
        parent = os.getpid()
        self._reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread that only draws a bar
            self._child = os.fork()
        if self._child == 0:
            try:
                data = work(lambda: os.getppid() != parent)
                while data:
                    data = data[os.write(writing, data) :]
            finally:
                os._exit(0)
        os.close(writing)

    def result(self) -> bytes:
        """What the work returned, once it is done; empty when it failed or was killed."""
        parts = []
        while part := os.read(self._reading, 1 << 20):
            parts.append(part)
        self._end()
        return b"".join(parts)

    def stop(self) -> None:
        """End the work, whatever it has done by now."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            self._end()

    def _end(self) -> None:
        os.close(self._reading)
        os.waitpid(self._child, 0)
        self._child = 0
