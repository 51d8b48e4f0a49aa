"""Work done in a second process, where the system can fork one: the only place that does."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable

from syncline.fs import syscalls

ABLE = sys.platform == "linux" and hasattr(os, "fork")
"""Whether `Beside` can be used: elsewhere a fork is slow, unsafe or missing."""

_LISTENING_S = 0.1
"""How long a signal waits to be heard while nothing comes from the child."""


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
                gc.disable()  # a collection would write to every object, and so copy all memory that is shared
                syscalls.end_with_parent()  # it holds the parent's locks, too
                # A signal to the whole group is for the parent to understand; it ends this process in time.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                data = work(lambda: os.getppid() != parent)
                while data:
                    data = data[os.write(writing, data) :]
            finally:
                os._exit(0)
        os.close(writing)

    def result(self, stop: Callable[[], bool]) -> bytes:
        """What the work returned, once it is done; empty when it failed, was killed, or `stop` said to end it."""
        parts: list[bytes] = []
        while True:
            while not select.select([self._reading], [], [], _LISTENING_S)[0]:
                if stop():
                    self.stop()
                    return b""
            part = os.read(self._reading, 1 << 20)
            if not part:
                self._end()
                return b"".join(parts)
            parts.append(part)

    def stop(self) -> None:
        """End the work, whatever it has done by now."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            self._end()

    def _end(self) -> None:
        os.close(self._reading)
        os.waitpid(self._child, 0)
        self._child = 0
