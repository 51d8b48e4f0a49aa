"""The flags of `open` that keep a root safe, as 0 where the system has none: then `local` must not be used."""

from __future__ import annotations

import os

DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)

ABLE = (
    bool(DIRECTORY and NOFOLLOW)
    and {os.open, os.stat, os.mkdir, os.rename, os.link, os.unlink, os.rmdir, os.symlink, os.readlink}
    <= os.supports_dir_fd
)
"""Whether a tree can be walked by directory descriptors, without ever following a link."""
