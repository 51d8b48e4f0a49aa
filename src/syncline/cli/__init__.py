"""The command line: asks and shows, never decides. One file per group of commands, loaded when it is called.

Nothing is imported here that `--help` and `--version` do not need.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

_YOUNG = 50_000
"""So many new objects are looked through for garbage at once: what is loaded at the start is less, and none of it is
garbage; and what a run makes has no cycles to speak of. With the 700 of the interpreter a tenth of the start is spent
on looking, and a twentieth of a run with 3,000 changes."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a call with these arguments, those of the process by default."""
    if argv is not None:
        return _main(list(argv))
    if sys.getfilesystemencoding() != "utf-8":
        _begin_again_in_utf8()
    gc.set_threshold(_YOUNG)
    try:
        return _main(sys.argv[1:])
    except KeyboardInterrupt:  # while it was being loaded, or had nothing more to do than to end
        from syncline.errors import Interrupted

        told = Interrupted(2)
        print(f"syncline: {told.message}; {told.hint}", file=sys.stderr)
        return told.exit_code
    finally:
        gc.freeze()  # the process ends: nothing that still stands is looked through for garbage


def _main(args: list[str]) -> int:
    if args == ["--version"]:  # without click, which is most of the time it takes
        print(f"syncline {version()}")
        return 0
    from syncline.cli import frame

    return frame.call(args)


def version() -> str:
    """The version that is installed."""
    from importlib import metadata

    try:
        return metadata.version("syncline")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _begin_again_in_utf8() -> None:
    """Replace this process by one that takes file names for UTF-8, as what is remembered of them is.

    Under a Latin-1 locale the same file would have another name, and another one again for the next caller. Only what
    is written for a person stays in the encoding of the locale.
    """
    import os

    shown = getattr(sys.stdout, "encoding", None) or "ascii"
    environment = {"PYTHONIOENCODING": shown, **os.environ}
    os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)  # noqa: S606  itself
