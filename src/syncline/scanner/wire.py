"""What the process that reads a root and the one that started it say to each other: one value at a time, by a pipe.

To the process: a request, then the rules of the filter, if it asks. From it: (word, value) pairs, of which the last
is `END`, `STALE` or `FAILED`.
"""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TELL, ASK, END, STALE, FAILED = "tell", "ask", "end", "stale", "failed"
"""Directories that differ, also none of them, to show that work goes on; the rules are wanted; that was all; the state
shows another moment than the asker's, or cannot be read; something broke, with what."""

LENGTH = 4


def send(fd: int, value: object) -> None:
    """Write one value, of the kinds that marshal knows. Raises: OSError."""
    data = marshal.dumps(value)  # type: ignore[arg-type]  # what it knows has no public name
    data = len(data).to_bytes(LENGTH, "little") + data
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def receive(fd: int) -> object:
    """Wait for one value. Raises: EOFError: the other side is gone; OSError."""
    return marshal.loads(_exactly(fd, int.from_bytes(_exactly(fd, LENGTH), "little")))  # noqa: S302  # our own process


def split(data: bytearray) -> list[tuple[str, Any]]:
    """The values that have arrived whole, taken out of `data`."""
    values: list[tuple[str, Any]] = []
    position = 0
    while len(data) - position >= LENGTH:
        start = position + LENGTH
        end = start + int.from_bytes(data[position:start], "little")
        if end > len(data):
            break
        values.append(marshal.loads(data[start:end]))  # noqa: S302  # our own process
        position = end
    del data[:position]
    return values


def _exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
