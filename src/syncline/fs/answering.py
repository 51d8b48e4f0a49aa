"""Whether a file system answers at all: the first look at a root, which may have to be given up.

A call that waits for a dead server or a stopped driver cannot be ended from within the process; a thread that waits in
one can be left behind. It dies with the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from syncline.errors import Interrupted, RootLost

SILENCE_S = 30.0
"""So long a file system may leave a question unanswered."""

_LISTENING_S = 0.1
"""How long a signal waits to be heard meanwhile."""


def wait_for(path: str, stopped: Callable[[], int | None]) -> None:
    """Return once the file system at `path` has answered, whatever it said; absence is an answer.

    Raises: RootLost: it gave none; Interrupted.
    """
    answered = threading.Event()

    def look() -> None:
        with suppress(OSError), os.scandir(path) as names:
            next(names, None)
        answered.set()

    threading.Thread(target=look, daemon=True).start()
    waited_s = 0.0
    while not answered.wait(_LISTENING_S):
        waited_s += _LISTENING_S
        number = stopped()
        if number is not None:
            raise Interrupted(number)
        if waited_s >= SILENCE_S:
            raise silent(path, SILENCE_S)


def silent(path: str, seconds: float) -> RootLost:
    """What is told of a root that gave no answer for so long, before anything was changed."""
    return RootLost(
        f"{path} has given no answer for {seconds:.0f} seconds",
        hint="see whether its disk or network is there, then run it again; nothing was changed",
    )
