"""The roots every conformance scenario runs on: strong ones, and one strong disk in the coat of weaker ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from syncline.core.model import Entry, RelPath
from syncline.core.names import NameRules
from syncline.fs.bypath import PathRoot
from syncline.fs.local import LocalRoot
from syncline.fs.root import Capabilities
from syncline.fs.root import Root as Probed

STRONG = Capabilities(filesystem="ext4")
PLAIN = replace(STRONG, exchange=False, no_replace=False)
UNLINKED = replace(PLAIN, hard_links=False)
FORGETFUL = replace(STRONG, inode=False, ctime=False)
FAT_NAMES = NameRules(fold_case=True, forbidden='"*/:<>?\\|', trailing_dot_space=False, reserved=True)
FAT = Capabilities(
    inode=False,
    ctime=False,
    mode=False,
    granularity_ns=2_000_000_000,
    exchange=False,
    no_replace=False,
    hard_links=False,
    symlinks=False,
    names=FAT_NAMES,
)
APPLE = replace(PLAIN, names=NameRules(fold_case=True, fold_unicode=True))

ROOTS: dict[str, Callable[[str], Probed]] = {
    "local": LocalRoot,
    "local-forgetful": lambda path: LocalRoot(path, FORGETFUL),
    "bypath": PathRoot,
    "bypath-plain": lambda path: PathRoot(path, PLAIN),
    "bypath-unlinked": lambda path: PathRoot(path, UNLINKED),
    "bypath-apple": lambda path: PathRoot(path, APPLE),
    "bypath-fat": lambda path: PathRoot(path, FAT),
}

MEMORY = "/dev/shm"

SIMULATED = "user.syncline.windows"
"""The extended attribute that stands for that of the drivers of NTFS, on file systems of any kind."""


def put(
    root: Probed, path: str, data: bytes = b"content", mtime_ns: int | None = None, mode: int | None = None
) -> Entry:
    """Write a file through the root."""
    writer = root.create(RelPath(path))
    writer.write(data)
    return writer.finish(mtime_ns=mtime_ns, mode=mode)


def content(root: Probed, path: str) -> bytes:
    """Read a file through the root."""
    reader = root.open(RelPath(path))
    try:
        return b"".join(reader.blocks())
    finally:
        reader.close()


def on_disk(directory: str) -> dict[str, bytes | None]:
    """Every path below a directory with its bytes (a link's text; None for a directory), seen without our code."""
    found: dict[str, bytes | None] = {}
    for above, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(above, name)
            relative = os.path.relpath(path, directory)
            if os.path.islink(path):
                found[relative] = os.fsencode(os.readlink(path))
            elif os.path.isdir(path):
                found[relative] = None
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[relative] = file.read()
            else:
                found[relative] = b"(special)"
    return found
