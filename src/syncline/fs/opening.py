"""Which root a path gets: the one place that knows both."""

from __future__ import annotations

import os

from syncline.fs.root import Capabilities, Root

_DESCRIPTORS = (
    os.name == "posix"
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
    and {os.open, os.stat, os.mkdir, os.rename, os.link, os.unlink, os.rmdir, os.symlink, os.readlink}
    <= os.supports_dir_fd
)


def open_root(path: str, capabilities: Capabilities | None = None) -> Root:
    """The directory at `path`, opened; `capabilities` where they have been probed. Raises: RootLost."""
    if _DESCRIPTORS:
        from syncline.fs.local import LocalRoot  # cannot be imported where descriptors are missing

        return LocalRoot(path, capabilities)
    from syncline.fs.bypath import PathRoot

    return PathRoot(path, capabilities)
