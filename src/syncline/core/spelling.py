"""How a person writes sizes, durations and policies, in the configuration and on the command line alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

UNITS: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
BINARY_UNITS: Final = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
LONG: Final = {"w": 7 * 86_400, "y": 365 * 86_400}

CONTENT_POLICIES: Final = ("keep-both", "newest", "hold", "oldest", "largest", "smallest", "left", "right")
PROPERTY_POLICIES: Final = ("newest", "left", "hold", "right")
"""The first three of each are also called 1, 2 and 3."""

PROPERTIES: Final = ("mtime", "mode", "owner", "xattr", "windows")
"""What a job may keep in step besides contents."""

_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"


def properties(said: Iterable[str]) -> tuple[str, ...]:
    """What a job is to keep in step besides contents. Raises: ValueError."""
    named = tuple(said)
    for each in named:
        if each not in PROPERTIES:
            raise ValueError(f"expects one of {', '.join(PROPERTIES)}, not {each!r}")
    if PROPERTIES[0] not in named:
        raise ValueError(f"lacks {PROPERTIES[0]}: times are always kept in step")
    return named


def parse_size(text: str) -> int | None:
    """The bytes of `20kB`, `20MB` (powers of 10), `20KiB`, `20MiB` or a plain number; None for `none`.

    Raises:
        ValueError: it is none of these.
    """
    said = text.strip().lower()
    if said == "none":
        return None
    match = re.fullmatch(_NUMBER + r" ?([a-z]*)", said, re.ASCII)
    factor = None if match is None else {**UNITS, **BINARY_UNITS}.get(match[2])
    if match is None or factor is None or (factor == 1 and "." in match[1]):
        raise ValueError(f"{text!r} is no size; say it like 20kB, 20MB, 20KiB, 20MiB, 4096 or none")
    whole, _, part = match[1].partition(".")
    return int(whole) * factor + (int(part) * factor // 10 ** len(part) if part else 0)


def parse_duration(text: str) -> float:
    """The seconds of `90s`, `0.3s`, `10m`, `6h`, `30d`, `4w`, `1y` (365 days), or of `0`.

    Raises:
        ValueError: it is none of these.
    """
    said = text.strip().lower()
    if said == "0":
        return 0.0
    match = re.fullmatch(_NUMBER + r" ?([smhdwy])", said, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is no duration; say it like 90s, 10m, 6h, 30d, 4w or 1y")
    return float(match[1]) * {**SECONDS, **LONG}[match[2]]


def parse_period(text: str) -> float | None:
    """As `parse_duration`; None for `none`, which is without end. Raises: ValueError."""
    return None if text.strip().lower() == "none" else parse_duration(text)


def policy_name(said: str, names: tuple[str, ...]) -> str:
    """One of these policies, by its name or by 1, 2, 3.

    Raises:
        ValueError: it is none of them.
    """
    told = said.strip().lower().replace("_", "-")
    name = names[int(told) - 1] if told in ("1", "2", "3") else told
    if name not in names:
        numbers = ", ".join(f"{number} {each}" for number, each in enumerate(names[:3], 1))
        merging = " or merge: COMMAND" if names == CONTENT_POLICIES else ""
        raise ValueError(f"{said!r} is no policy; there are {', '.join(names)}{merging} ({numbers})")
    return name


MARKS: Final = ("{base}", "{left}", "{right}", "{output}")
"""What stands for files in a merge command."""


def merge_command(said: str) -> str | None:
    """The command of `merge: COMMAND`; None if it is another policy.

    Raises:
        ValueError: it lacks a file that it must name.
    """
    name, colon, command = said.partition(":")
    if name.strip().lower() != "merge":
        return None
    missing = [mark for mark in MARKS[1:] if mark not in command]
    if not colon or not command.strip():
        raise ValueError(f"'merge' needs a command, like merge: TOOL {' '.join(MARKS)}")
    if missing:
        raise ValueError(f"the merge command {command.strip()!r} lacks {' and '.join(missing)}")
    return command.strip()


def size_text(size: int | None) -> str:
    """A size as `parse_size` takes it, in the largest unit that is exact."""
    if size is None:
        return "none"
    for power, decimal, binary in ((4, "TB", "TiB"), (3, "GB", "GiB"), (2, "MB", "MiB"), (1, "kB", "KiB")):
        for factor, unit in ((1000**power, decimal), (1024**power, binary)):
            if size and size % factor == 0:
                return f"{size // factor}{unit}"
    return str(size)


def duration_text(seconds: float) -> str:
    """A duration as `parse_duration` takes it, in the largest unit that is exact."""
    for name, factor in sorted(SECONDS.items(), key=lambda unit: -unit[1]):
        if seconds and seconds % factor == 0:
            return f"{int(seconds // factor)}{name}"
    return f"{seconds:g}s" if seconds else "0"
