"""SIGINT and SIGTERM during a run: they only ask it to stop; what was begun is finished or rolled back in order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType, TracebackType

from syncline.errors import Interrupted

_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM") if name in signal.Signals.__members__)


_PATIENCE_S = 1.0
"""So long the program may take until it hears a signal: it hears none while it waits in a call of the system."""


class Stop:
    """Which signal asked for an end, if one did."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._times = 0
        self._raise_from = 0  # the how-manieth signal is an exception; 0: none is

    def number(self) -> int | None:
        """The first signal that came, None while there was none."""
        return self._number

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within this a signal is an exception: for what changes nothing. Raises: Interrupted."""
        if self._number is not None:
            raise Interrupted(self._number)
        with self._raising(1):
            yield

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Within this the second signal is an exception: one document is told whole, but nobody has to wait for it."""
        with self._raising(self._times + 2):
            yield

    def noted(self, number: int) -> int:
        """Note a signal; how many came by now."""
        self._times += 1
        self._number = self._number or number
        return self._times

    def heard(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, and say that it was heard."""
        self.noted(number)
        if self._raise_from:
            if self._times >= self._raise_from:
                raise Interrupted(number)
        elif self._times == 1:
            _say(b"\nsyncline: stopping; what was begun is being finished\n")
        elif self._times == 2:
            _say(b"\nsyncline: still finishing what was begun; this keeps your files whole\n")

    @contextmanager
    def _raising(self, times: int) -> Iterator[None]:
        before, self._raise_from = self._raise_from, times
        try:
            yield
        finally:
            self._raise_from = before


@contextmanager
def stopping() -> Iterator[Stop]:
    """Within this, signals ask for an orderly end instead of ending the program."""
    stop = Stop()
    before = {}
    for each in _SIGNALS:
        with suppress(ValueError):  # not the main thread
            if signal.getsignal(each) is not signal.SIG_IGN:  # nohup and background shells mean it
                before[each] = signal.signal(each, stop.heard)
    try:
        with _Watch(stop) if before and _Watch.ABLE else nullcontext():
            yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _Watch:
    """A thread that takes the signals which the program cannot hear, because it waits for a file system that may never
    answer. The second signal then ends it. That is as a kill: the next run goes on from the journal.
    """

    ABLE = hasattr(signal, "sigtimedwait")

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        waiting: set[int] = set()
        while not self._over.wait(_PATIENCE_S):
            before, waiting = waiting, signal.sigpending() & set(_SIGNALS)
            unheard = signal.sigtimedwait(before & waiting, 0) if before & waiting else None
            if unheard is None:
                continue
            waiting.discard(unheard.si_signo)
            if self._stop.noted(unheard.si_signo) == 1:
                _say(b"\nsyncline: waiting for a disk that gives no answer; once more ends it without\n")
            else:
                _say(b"\nsyncline: ended without an answer; the next run finishes or rolls back what was begun\n")
                os._exit(128 + unheard.si_signo)


def _say(text: bytes) -> None:
    with suppress(OSError):  # a handler may interrupt a print: only a plain write is safe here
        os.write(2, text)
