"""Which root a path gets: the one place that knows both."""

from __future__ import annotations

import os

from syncline.fs import flags
from syncline.fs.root import Capabilities, Root


def open_root(path: str, capabilities: Capabilities | None = None) -> Root:
    """The directory at `path`, opened; `capabilities` where they have been probed. Raises: RootLost."""
    if flags.ABLE and os.name == "posix":
        from syncline.fs.local import LocalRoot  # cannot be imported where descriptors are missing

        return LocalRoot(path, capabilities)
    from syncline.fs.bypath import PathRoot

    return PathRoot(path, capabilities)
