"""The command line: asks and shows, never decides. One file per group of commands, loaded when it is called.

Nothing is imported here that `--help` and `--version` do not need.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a call with these arguments, those of the process by default."""
    if argv is None and sys.getfilesystemencoding() != "utf-8":
        _begin_again_in_utf8()
    args = list(sys.argv[1:] if argv is None else argv)
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
