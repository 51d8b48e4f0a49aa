"""The command line: asks and shows, never decides. One file per group of commands, loaded when it is called.

Nothing is imported here that `--help` and `--version` do not need.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a call with these arguments, those of the process by default."""
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
