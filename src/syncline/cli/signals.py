"""SIGINT and SIGTERM during a run: they only ask it to stop; what was begun is finished or rolled back in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from syncline.errors import Interrupted

_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM") if name in signal.Signals.__members__)


class Stop:
    """Which signal asked for an end, if one did."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.times = 0
        self._at_once = at_once
        self._number: int | None = None

    def number(self) -> int | None:
        """The first signal that came, None while there was none."""
        return self._number

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, and say once that it was heard."""
        self.times += 1
        if self._at_once:
            self._number = number
            raise Interrupted(number)
        if self._number is None:
            self._number = number
            _say(b"\nsyncline: stopping; what was begun is being finished\n")
        elif self.times == 2:
            _say(b"\nsyncline: still finishing what was begun; this keeps your files whole\n")


@contextmanager
def stopping(*, at_once: bool = False) -> Iterator[Stop]:
    """Within this, signals ask for an orderly end; `at_once`: they are one, for what changes nothing.

    Raises: Interrupted, only `at_once`.
    """
    stop = Stop(at_once=at_once)
    before = {}
    for each in _SIGNALS:
        with suppress(ValueError):  # not the main thread
            if signal.getsignal(each) is not signal.SIG_IGN:  # nohup and background shells mean it
                before[each] = signal.signal(each, stop.ask)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _say(text: bytes) -> None:
    with suppress(OSError):  # a handler may interrupt a print: only a plain write is safe here
        os.write(2, text)
