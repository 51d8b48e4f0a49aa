"""What one command costs, with all the processes it starts."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.005
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


class Failed(Exception):
    """A command ended badly; the message holds the end of what it said."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the wall, seconds of processor over all processes, and the most memory they held together.

    Memory is the sum of each process's proportional share (Pss), so what two share counts once; 0 where not measured.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int = 0


def run(
    command: Sequence[str], environment: Mapping[str, str], *, good: Sequence[int] = (0,), memory: bool = False
) -> Cost:
    """Runs a command to its end; with `memory`, asks for that every few milliseconds, which costs time of its own.

    Raises:
        Failed: it ended with a status that is none of `good`.
    """
    with tempfile.TemporaryFile() as said:
        before = time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        watch = _Watch(process.pid) if memory else None
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = watch.end() if watch is not None else 0
        if process.returncode not in good:
            said.seek(0)
            end = said.read()[-2000:].decode(errors="replace")
            raise Failed(f"{Path(command[0]).name} ended with {process.returncode}\n{end}")
    return Cost(wall_s, used.ru_utime + used.ru_stime, peak)


class _Watch:
    """Looks at the memory of a process and all below it until told to end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._over.wait(_POLL_S):
            self._peak = max(self._peak, sum(_share(pid) for pid in _family(self._pid)))


def _family(pid: int) -> list[int]:
    found, stack = [], [pid]
    while stack:
        parent = stack.pop()
        found.append(parent)
        with suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                with suppress(OSError):
                    stack += map(int, (thread / "children").read_text().split())
    return found


def _share(pid: int) -> int:
    with suppress(OSError):
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
        return int(found[1]) * 1024 if found else 0
    return 0
