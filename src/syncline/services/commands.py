"""Running a program of the user's: the one place that starts any.

A program is named by its arguments, never by a line for a shell. It gets a session of its own, nothing to read, and so
much time; what it says is kept up to a limit; and when it ends, or has to, nothing that it started stays behind.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess  # loaded when a program is run: it would cost every start

TIMEOUT_S = 60.0
GRACE_S = 1.0
MOST_BYTES = 64 * 1024
"""How much of what a program says is kept; the rest is read and dropped."""

_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code (minus a signal's number), or why it has none; and the last it said."""

    code: int | None
    said: str
    failure: str = ""

    @property
    def told(self) -> str:
        """Why it is no success, in plain words."""
        if self.code is None:
            return self.failure
        how = f"was ended by signal {-self.code}" if self.code < 0 else f"ended with exit code {self.code}"
        return f"{how}: {self.said}" if self.said else how


def found(text: str, directory: str) -> tuple[str, ...]:
    """The arguments that a text names, as a shell would divide it, the first one as the absolute path of a program.

    A program with a `/` in its name is relative to `directory`, `~` is the home; others are looked for in the PATH.

    Raises: ValueError: it cannot be divided, or there is no such program.
    """
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be read: {str(error).lower()}") from error
    if not argv or not argv[0]:
        raise ValueError("names no program")
    name = os.path.expanduser(argv[0])
    if os.path.dirname(name):
        program: str | None = os.path.normpath(os.path.join(directory, name))
        if not runnable(str(program)):
            raise ValueError(f"{program} is not there, or is no program that may be run")
    else:
        import shutil

        program = shutil.which(name)
        if program is None:
            raise ValueError(f"there is no program {name!r} in the PATH")
    return os.path.abspath(str(program)), *argv[1:]


def joined(argv: Sequence[str]) -> str:
    """Arguments as a text that `found` divides into them again; placeholders stand without quotes."""
    return " ".join(part if re.fullmatch(r"\{[a-z]+\}", part) else shlex.quote(part) for part in argv)


def runnable(program: str) -> bool:
    """Whether a path is that of a program that may be run."""
    return os.path.isfile(program) and os.access(program, os.X_OK)


def filled(argv: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Arguments with what stands for `{name}` in them. Nothing is divided again, whatever a value holds."""
    done = []
    for argument in argv:
        parts = [argument]
        for name, value in values.items():
            mark = f"{{{name}}}"
            parts = [piece for part in parts for piece in _between(part, mark, value)]
        done.append("".join(parts))
    return done


class _Value(str):
    """A piece that was put in: no mark is looked for in it."""

    __slots__ = ()


def _between(part: str, mark: str, value: str) -> list[str]:
    if isinstance(part, _Value):
        return [part]
    pieces: list[str] = []
    for number, piece in enumerate(part.split(mark)):
        pieces += [_Value(value), piece] if number else [piece]
    return pieces


def run(argv: Sequence[str], *, directory: str, stop: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> Ended:
    """Run a program in a directory until it ends, its time is over or `stop` says so. Never raises OSError."""
    import subprocess

    try:
        process = subprocess.Popen(
            list(argv),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    except (OSError, ValueError) as error:
        return Ended(None, "", f"could not be started: {getattr(error, 'strerror', None) or error}")
    said = bytearray()
    failure = ""
    try:
        failure = _wait(process, said, stop, time.monotonic() + timeout_s, timeout_s)
    finally:
        _end(process, gently=bool(failure))
    last = bytes(said).decode("utf-8", "replace").strip().rpartition("\n")[2].strip()[:200]
    return Ended(None if failure else process.returncode, last, failure)


def _wait(
    process: subprocess.Popen[bytes], said: bytearray, stop: Callable[[], bool], end_s: float, timeout_s: float
) -> str:
    """Read what a program says until it has ended; why it must be ended, empty if it has."""
    import selectors

    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not _over(process):
            if stop():
                return "was interrupted"
            if time.monotonic() > end_s:
                return f"was not done after {timeout_s:g} seconds"
            if selector.get_map():
                for _ in selector.select(_TICK_S):
                    if not _read(process, said):
                        selector.unregister(process.stdout)
            else:
                time.sleep(_TICK_S / 5)
    while _read(process, said):
        if time.monotonic() > end_s:
            break
    return ""


def _read(process: subprocess.Popen[bytes], said: bytearray) -> bool:
    """Read some of what was said; whether there may be more."""
    assert process.stdout is not None
    try:
        block = os.read(process.stdout.fileno(), 1 << 16)
    except BlockingIOError:
        return False
    said += block
    del said[: max(len(said) - MOST_BYTES, 0)]
    return bool(block)


def _over(process: subprocess.Popen[bytes]) -> bool:
    """Whether a program has ended. It is not reaped yet, so that its number stays its own until `_end`."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes], *, gently: bool) -> None:
    """End a program with all it started."""
    if gently:
        _signal(process, signal.SIGTERM)
        end_s = time.monotonic() + GRACE_S
        while not _over(process) and time.monotonic() < end_s:
            time.sleep(_TICK_S / 5)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
