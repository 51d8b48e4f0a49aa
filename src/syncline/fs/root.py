"""What a job may ask of a root: the seam between the engine and a disk.

A `Root` offers primitives; staging, verification, exchange and trash are built on them once, in `syncline.execute`.
Every method takes paths relative to the root, never follows a link (not in the last component and not on the way),
and raises only what is written here. Two roots exist: `LocalRoot` (relative to directory descriptors) and `PathRoot`
(by path, for systems without them, and with switches to behave like a weaker file system). Both pass the same
conformance suite; a new one must as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from syncline.core.model import Entry, RelPath
from syncline.core.names import NameRules
from syncline.core.record import EARLIEST_NS, LARGEST, LATEST_NS
from syncline.errors import SynclineError
from syncline.fs.scan import TOLD, within


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a root can keep and do.

    `inode`, `ctime`: stable over a remount and honest about changes. `mode`: permission bits are kept.
    `granularity_ns`: the step of its time stamps; `earliest_ns`, `latest_ns`: the first and last of them, since 1970;
    what is set outside is set to the nearer one. `largest`: the bytes of the largest file. `exchange`: two names can be
    swapped in one step. `no_replace`: a rename can refuse a taken name in one step. `hard_links`, `symlinks`: can be
    made. `holes`: what is not written of a file takes no room, and it can be asked where that is. `owner`, `xattr`,
    `windows`: who owns files and directories, their extended attributes of the `user.` namespace, and their attributes
    of Windows are kept, may be set, and are to be told.
    """

    inode: bool = True
    ctime: bool = True
    mode: bool = True
    granularity_ns: int = 10_000_000
    earliest_ns: int = EARLIEST_NS
    latest_ns: int = LATEST_NS
    largest: int = LARGEST
    exchange: bool = True
    no_replace: bool = True
    hard_links: bool = True
    symlinks: bool = True
    holes: bool = True
    names: NameRules = NameRules()
    filesystem: str = ""
    owner: bool = False
    xattr: bool = False
    windows: bool = False

    def told(self) -> frozenset[str]:
        """Which of `syncline.fs.scan.TOLD` mean something here and are to be told."""
        return frozenset(name for name in TOLD if getattr(self, name))

    def time_kept(self, time_ns: int) -> int:
        """`time_ns`, or the nearest time that can be set here."""
        return within(time_ns, self.earliest_ns, self.latest_ns)


@dataclass(frozen=True, slots=True)
class Besides:
    """What is set of a file or directory besides its time and mode, on roots that are to keep it; None: it is left
    alone. `xattr`: all extended attributes, packed (see `syncline.fs.xattrs`). `windows`: see
    `syncline.fs.windows`."""

    owner: int | None = None
    xattr: bytes | None = None
    windows: int | None = None


NOTHING = Besides()


@dataclass(frozen=True, slots=True)
class Space:
    """What is free: bytes and inodes for an unprivileged user; None where the system does not say."""

    free_bytes: int
    free_inodes: int | None


@dataclass(frozen=True, slots=True)
class Outside:
    """What another process needs to read a root: an open descriptor of it, its st_dev, and what is to be told of its
    entries (of `syncline.fs.scan.TOLD`). `translated` makes ours of an error that the process met at a path; `abandon`
    lets go of a root whose file system does not answer, without asking that any more."""

    fd: int
    device: int
    told: frozenset[str]
    translated: Callable[[OSError, RelPath], SynclineError]
    abandon: Callable[[], None]


class Writer(Protocol):
    """A staged file being written. Created exclusively, mode 0600."""

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`. Raises: PathError (no-space, unreadable ...)."""

    def finish(self, *, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING) -> Entry:
        """Set all of it by descriptor, close, and return the entry as it now stands. Raises: PathError."""

    def abandon(self) -> None:
        """Close and remove the file; never raises."""


class Reader(Protocol):
    """An open regular file."""

    @property
    def opened(self) -> Entry:
        """What fstat said at opening."""

    @property
    def entry(self) -> Entry:
        """What fstat says now (not what it said at opening)."""

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes | memoryview]:
        """The content from the start, in blocks of at most `size` bytes; where the file has a hole, slices of
        `syncline.fs.streams.HOLE`, which a writer leaves out again. Raises: PathError."""

    def uncached(self) -> None:
        """Have the content come from the disk rather than from what the system keeps of it in memory, where the system
        lets itself be asked. Never raises."""

    def close(self) -> None: ...


class Root(Protocol):
    """One side of a job. Opened for one run and closed after it. Not for use by two threads on one path."""

    path: str
    """The absolute path, for people and messages."""

    @property
    def capabilities(self) -> Capabilities: ...

    def close(self) -> None:
        """Release descriptors and the lock."""

    def trust(self, capabilities: Capabilities) -> None:
        """Take these for what the root can do from now on: they have been tried."""

    def rename_at_once(self, old: RelPath, new: RelPath) -> bool:
        """Move to a free name by the system's own call for it; False where there is none. For trials: nothing else
        may rely on it. Raises: PathError."""

    # reading

    def entry(self, path: RelPath) -> Entry | None:
        """What stands at `path`; None only when it is surely absent (its parent could be read and has no such name).

        Raises: PathError when it cannot be told.
        """

    def read_link(self, path: RelPath) -> bytes:
        """The text of a symbolic link. Raises: PathError."""

    def xattrs(self, path: RelPath) -> bytes:
        """The extended attributes of a file or directory, packed (see `syncline.fs.xattrs`); none where the root is
        not to keep them. Raises: PathError."""

    def open(self, path: RelPath) -> Reader:
        """A regular file, opened without following links, without blocking on a FIFO, without changing its access
        time where the system allows. Raises: PathError (also when it is no regular file)."""

    def listing(self, path: RelPath) -> tuple[bytes, list[str]] | None:
        """The packed listing (`syncline.core.listing`) of a directory, private directories left out, and the names of
        the plain directories in it, sorted; None when it is surely absent.

        Raises: PathError when it could not be read whole."""

    def outside(self) -> Outside | None:
        """How another process can read the root; None where only this one can."""

    def names(self, path: RelPath) -> list[str]:
        """All names in a directory, private ones too; empty when it is absent. Raises: PathError."""

    def space(self) -> Space: ...

    def alive(self) -> bool:
        """Whether the path of the root still leads to the directory that was opened. Never raises."""

    # changing: the only functions of the product that change a root

    def create(self, path: RelPath) -> Writer:
        """A new file. Raises: PathError (target-changed when the name is taken)."""

    def make_link(self, path: RelPath, target: bytes) -> Entry:
        """A new symbolic link. Raises: PathError (target-changed when the name is taken)."""

    def make_directory(self, path: RelPath, mode: int = 0o700, besides: Besides = NOTHING) -> Entry:
        """A new directory. Raises: PathError (target-changed when the name is taken)."""

    def rename(self, old: RelPath, new: RelPath) -> None:
        """Move to a free name. Raises: PathError (target-changed when `new` is taken or `old` is not there)."""

    def exchange(self, one: RelPath, two: RelPath) -> None:
        """Swap two names in one step. Only with `capabilities.exchange`. Raises: PathError (target-changed when one
        of them is not there)."""

    def replace(self, old: RelPath, new: RelPath) -> None:
        """Move over a taken name in one step, for roots without `exchange`. Raises: PathError."""

    def link(self, old: RelPath, new: RelPath) -> None:
        """A second name for a file. Only with `capabilities.hard_links`. Raises: PathError."""

    def set_properties(
        self, path: RelPath, *, expect: Entry, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING
    ) -> Entry:
        """Set all of it by descriptor, after the descriptor's stat still shows `expect` (size, mtime,
        inode, kind); the entry as it stands afterwards. Set-id bits go where the system takes them from a new owner.
        Raises: PathError (target-changed)."""

    def remove(self, path: RelPath) -> None:
        """Remove a file or a link. Raises: PathError (target-changed when it is not there)."""

    def remove_directory(self, path: RelPath) -> None:
        """Remove an empty directory. Raises: PathError (target-changed when it is not empty or not there)."""

    def flush(self, paths: Sequence[RelPath], *, each: bool = False, directories: Collection[RelPath] = ()) -> None:
        """Make all that was done to these paths (files, and the directories their names are in) durable, and the names
        in these directories before those.

        Many paths at once may be done by flushing the whole file system; not with `each`.

        Raises: PathError; what it could not flush must be taken for lost.
        """

    def lock(self) -> None:
        """Take the lock of this root, held until `close` and released by the system when the process dies.

        Creates the private directory where it is missing. Raises: RootLocked, PathError.
        """
