"""What standard output and standard error are: a terminal with width and colours, or something that is read later."""

from __future__ import annotations

import os
import sys

from syncline.cli.call import Call
from syncline.cli.show import Screen


def screen(call: Call, *, error: bool = False) -> Screen:
    """The screen behind standard output, or behind standard error."""
    stream = sys.stderr if error else sys.stdout
    write = call.complain if error else call.write
    encodable = _can_spell(getattr(stream, "encoding", None) or "ascii")
    if not stream.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return Screen(write, unicode=encodable)
    from rich.console import Console

    console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
    return Screen(write, width=console.width, unicode=encodable, console=console)


def _can_spell(encoding: str) -> bool:
    try:
        "→↔…✓✗·".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
