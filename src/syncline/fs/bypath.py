"""The portable root: everything by path, for systems without directory descriptors, and for the tests.

Its `Capabilities` are not only told but kept: on a strong file system it behaves like the weaker one they describe
(no inodes, two-second times, folded names). Its promise is weaker than that of `local`: links on the way are refused,
but a directory can be exchanged for a link between the look and the act.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace as but

from syncline.core import listing as packed
from syncline.core.model import PERMISSIONS, PRIVATE, Entry, Kind, Reason, RelPath
from syncline.core.names import folding, impossible
from syncline.core.record import MARKER
from syncline.errors import PathError, RootLost, SynclineError
from syncline.fs import locking, syscalls, windows, xattrs
from syncline.fs.entries import (
    NO_SYMLINKS,
    apart,
    as_planned,
    attributed,
    components,
    entry_of,
    ids,
    link_text,
    may_have_holes,
    named,
    regular,
    set_attributes,
)
from syncline.fs.errno_table import translated
from syncline.fs.fallbacks import NO_LINKS
from syncline.fs.probe import capabilities_of
from syncline.fs.root import NOTHING, Besides, Capabilities, Outside, Space
from syncline.fs.scan import owner_of, private_among
from syncline.fs.streams import FileReader, FileWriter

_SAFE = sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT"))
_ABSENT = (FileNotFoundError, NotADirectoryError)
_FIXED_MODES = {Kind.FILE: 0o666, Kind.LINK: 0o777, Kind.DIRECTORY: 0o777, Kind.MOUNT: 0o777}


class PathRoot:
    """A directory reached by its path. Implements `syncline.fs.root.Root`."""

    def __init__(self, path: str, capabilities: Capabilities | None = None) -> None:
        """Take the directory at `path`. Raises: RootLost where there is none."""
        self.path = os.path.abspath(path)
        self._top = os.path.realpath(path)
        try:
            status = os.stat(self._top)
            os.listdir(self._top)
        except OSError as error:
            raise RootLost(
                f"{self.path}: the root cannot be opened ({os.strerror(error.errno or 0)})",
                hint="check that its disk is there and mounted, and that this user may read it",
            ) from error
        self._device, self._inode = status.st_dev, status.st_ino
        self.trust(capabilities_of(self.path) if capabilities is None else capabilities)
        self._lock: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def trust(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        rules = capabilities.names
        self._folds = rules.fold_case or rules.fold_unicode
        self._key = folding(rules, rules)

    def close(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    # reading

    def entry(self, path: RelPath) -> Entry | None:
        names = components(path)
        with self._doing(path, "could not be looked at"):
            try:
                return self._entry_at(self._find(names))
            except _ABSENT:
                return None

    def read_link(self, path: RelPath) -> bytes:
        names = named(path)
        with self._doing(path, "the link could not be read"):
            return os.fsencode(os.readlink(self._find(names)))

    def xattrs(self, path: RelPath) -> bytes:
        names = named(path)
        if not self._capabilities.xattr:
            return b""
        with self._doing(path, "its extended attributes could not be read"):
            return xattrs.read(self._find(names), follow=False)

    def open(self, path: RelPath) -> FileReader:
        names = named(path)
        with self._doing(path, "could not be opened"):
            where = self._find(names)
            regular(os.lstat(where), path)
            fd = os.open(where, os.O_RDONLY | _SAFE)
            status = os.fstat(fd)
            try:
                regular(status, path)
            except PathError:
                os.close(fd)
                raise
        holes = self._capabilities.holes and may_have_holes(status)
        return FileReader(fd, path, self._entry_of(status), self._look, self._translator(path), holes=holes)

    def listing(self, path: RelPath) -> tuple[bytes, list[str]] | None:
        names = components(path)
        with self._doing(path, "the directory could not be read"):
            try:
                where = self._reach(names)
                found = os.listdir(where)
            except _ABSENT:
                return None
        entries: dict[str, Entry] = {}
        own = private_among(found, lambda: os.path.lexists(os.path.join(where, PRIVATE)))
        for name in found:
            if name == own and not names:
                continue
            try:
                entry = self._entry_at(os.path.join(where, name))
            except FileNotFoundError:
                continue
            except OSError:
                entry = Entry(Kind.UNKNOWN)
            if name == own and entry.kind is Kind.DIRECTORY:
                private = _is_private(where)
                if private:
                    continue
                entry = Entry(Kind.UNKNOWN) if private is None else entry
            entries[name] = entry
        below = sorted(name for name, entry in entries.items() if entry.kind is Kind.DIRECTORY)
        return packed.pack(entries), below

    def outside(self) -> Outside | None:
        return None

    def names(self, path: RelPath) -> list[str]:
        names = components(path)
        with self._doing(path, "the directory could not be read"):
            try:
                return sorted(os.listdir(self._reach(names)))
            except _ABSENT:
                return []

    def space(self) -> Space:
        with self._doing(RelPath(""), "its free space could not be asked for"):
            if not hasattr(os, "statvfs"):
                return Space(shutil.disk_usage(self._top).free, None)
            free = os.statvfs(self._top)
            return Space(free.f_bavail * free.f_frsize, free.f_favail if free.f_files else None)

    def alive(self) -> bool:
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) == (self._device, self._inode)

    # changing

    def create(self, path: RelPath) -> FileWriter:
        with self._doing(path, "could not be created", naming=True):
            where = self._free(path)
            fd = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)

        def settle(fd: int, mtime_ns: int | None, mode: int | None, besides: Besides) -> tuple[Entry, os.stat_result]:
            self._set(where, os.fstat(fd), mtime_ns, mode, besides)
            return self._look(fd), os.fstat(fd)

        def discard(written: os.stat_result) -> None:
            if os.path.samestat(written, os.lstat(where)):
                with windows.writable(where):
                    os.unlink(where)

        return FileWriter(fd, path, settle, discard, self._translator(path), holes=self._capabilities.holes)

    def make_link(self, path: RelPath, target: bytes) -> Entry:
        if not self._capabilities.symlinks:
            raise PathError(Reason.IMPOSSIBLE_NAME, path, NO_SYMLINKS)
        text = link_text(target, path)
        with self._doing(path, "the link could not be made", naming=True):
            where = self._free(path)
            os.symlink(text, where)
            return self._entry_at(where)

    def make_directory(self, path: RelPath, mode: int = 0o700, besides: Besides = NOTHING) -> Entry:
        with self._doing(path, "the directory could not be made", naming=True):
            where = self._free(path)
            os.mkdir(where, 0o700)
            self._set(where, os.lstat(where), None, mode, besides)
            return self._entry_at(where)

    def rename(self, old: RelPath, new: RelPath) -> None:
        apart(old, new)
        with self._doing(new, f"could not be renamed from {old}", naming=True):
            source, target = self._there(old), self._as_spelled(new)
            os.lstat(source)
            standing = self._find(named(new))
            if standing == source and target != source:
                os.rename(source, target)  # one name in two spellings
                return
            if os.path.lexists(standing):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
            if not self._at_once(source, target):
                self._rename_otherwise(source, target)

    def rename_at_once(self, old: RelPath, new: RelPath) -> bool:
        """Move to a free name by the system's own call for it; False where there is none. For `probe`."""
        with self._doing(new, f"could not be renamed from {old}", naming=True):
            return self._at_once(self._there(old), self._free(new))

    def exchange(self, one: RelPath, two: RelPath) -> None:
        apart(one, two)
        apart(two, one)
        with self._doing(two, f"could not be exchanged with {one}"):
            first, second = self._there(one), self._there(two)
            if not self._capabilities.exchange or not syscalls.exchange(first, second, syscalls.HERE, syscalls.HERE):
                raise PathError(Reason.UNREADABLE, two, "this file system cannot exchange two names")

    def replace(self, old: RelPath, new: RelPath) -> None:
        apart(old, new)
        with self._doing(new, f"could not be replaced by {old}", naming=True):
            source = self._there(old)
            self._as_spelled(new)
            target = self._find(named(new))
            with windows.writable(target):
                os.replace(source, target)

    def link(self, old: RelPath, new: RelPath) -> None:
        with self._doing(new, f"could not be made a second name of {old}", naming=True):
            if not self._capabilities.hard_links:
                raise PathError(Reason.UNREADABLE, new, "this file system cannot give a file a second name")
            os.link(self._there(old), self._free(new), follow_symlinks=False)

    def set_properties(
        self, path: RelPath, *, expect: Entry, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING
    ) -> Entry:
        with self._doing(path, "its properties could not be set"):
            where = self._there(path)
            # RACE: by path, what was looked at may be another thing when it is set; worst case that gets the
            # properties.
            as_planned(self._entry_at(where), expect, path)
            self._set(where, os.lstat(where), mtime_ns, mode, besides)
            return self._entry_at(where)

    def remove(self, path: RelPath) -> None:
        with self._doing(path, "could not be removed"):
            where = self._there(path)
            with windows.writable(where):
                os.unlink(where)

    def remove_directory(self, path: RelPath) -> None:
        with self._doing(path, "the directory could not be removed"):
            where = self._there(path)
            with windows.writable(where):
                os.rmdir(where)

    def flush(self, paths: Sequence[RelPath], *, each: bool = False, directories: Collection[RelPath] = ()) -> None:
        above = dict.fromkeys([*directories, *(RelPath(path.rpartition("/")[0]) for path in paths if path)])
        for path in [*paths, *above]:
            # What was moved or removed since lasts by the directories above.
            with self._doing(path, "could not be made durable"), suppress(*_ABSENT):
                _flush(self._find(components(path)))

    def lock(self) -> None:
        if self._lock is not None:
            return
        for private in (locking.DIRECTORY, locking.STAGING):
            if self.entry(private) is None:
                self.make_directory(private)
        with self._doing(locking.LOCK, "the root could not be locked"):
            where = self._find(components(locking.LOCK))
            fd = os.open(where, os.O_RDWR | os.O_CREAT | _SAFE, 0o600)
            try:
                regular(os.fstat(fd), locking.LOCK)
                locking.take(fd, self.path)
                locking.sign(fd)
            except (OSError, SynclineError):
                os.close(fd)
                raise
            self._lock = fd

    # below: how

    def _reach(self, names: tuple[str, ...]) -> str:
        """The path of a directory, no component of which is a link; raises as `directories.Directories.reach`.

        RACE: by path, a component may be given to a link after the look; worst case what follows happens there.
        """
        where = self._top
        for name in names:
            where = self._standing(where, name)
            status = os.lstat(where)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), where)
            if status.st_dev != self._device:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), where)
        return where

    def _find(self, names: tuple[str, ...]) -> str:
        """The path of what these names lead to, in the spelling that stands there; as given where nothing does."""
        return self._standing(self._reach(names[:-1]), names[-1]) if names else self._top

    def _there(self, path: RelPath) -> str:
        return self._find(named(path))

    def _as_spelled(self, path: RelPath) -> str:
        """The path of a name to be made, in the spelling given. Raises: PathError where it is impossible here."""
        names = named(path)
        obstacle = impossible(names[-1], self._capabilities.names)
        if obstacle is not None:
            raise PathError(Reason.IMPOSSIBLE_NAME, path, obstacle)
        return os.path.join(self._reach(names[:-1]), names[-1])

    def _free(self, path: RelPath) -> str:
        """The path of a name to be made, which no spelling of it holds."""
        where = self._as_spelled(path)
        if self._folds and os.path.lexists(self._there(path)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), where)
        return where

    def _standing(self, above: str, name: str) -> str:
        if self._folds and not os.path.lexists(os.path.join(above, name)):
            key = self._key(name)
            for other in os.listdir(above):
                if self._key(other) == key:
                    return os.path.join(above, other)
        return os.path.join(above, name)

    def _at_once(self, source: str, target: str) -> bool:
        if not self._capabilities.no_replace:
            return False
        return syscalls.rename_no_replace(source, target, syscalls.HERE, syscalls.HERE)

    def _rename_otherwise(self, source: str, target: str) -> None:
        if self._capabilities.hard_links and not stat.S_ISDIR(os.lstat(source).st_mode):
            try:
                os.link(source, target, follow_symlinks=False)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
            else:
                # RACE: the old name may be given to another file here; worst case that newer file is removed.
                os.unlink(source)
                return
        # RACE: the new name was free a moment ago; worst case, but not on Windows, a file that took it is overwritten.
        os.rename(source, target)

    def _entry_at(self, where: str) -> Entry:
        return attributed(self._entry_of(os.lstat(where)), self._capabilities, where, follow=False)

    def _look(self, fd: int) -> Entry:
        return attributed(self._entry_of(os.fstat(fd)), self._capabilities, fd)

    def _entry_of(self, status: os.stat_result) -> Entry:
        return self._weakened(entry_of(status, self._device, self._capabilities))

    def _weakened(self, entry: Entry) -> Entry:
        step_ns = self._capabilities.granularity_ns
        mode = entry.mode if self._capabilities.mode else _FIXED_MODES.get(entry.kind, 0)
        return but(entry, mode=mode, mtime_ns=_stepped(entry.mtime_ns, step_ns))

    def _set(
        self, where: str, status: os.stat_result, mtime_ns: int | None, mode: int | None, besides: Besides
    ) -> None:
        """Set properties; set-id and sticky bits stay as they are, or as the system leaves them to a new owner. A link
        has only times."""
        is_link = stat.S_ISLNK(status.st_mode)
        owner = besides.owner
        if owner is not None and self._capabilities.owner and not is_link and owner != owner_of(status):
            os.chown(where, *ids(owner), follow_symlinks=False)
            status = os.lstat(where)
        if not is_link:
            set_attributes(where, status.st_mode, self._capabilities, besides)
        if mode is not None and self._capabilities.mode and not is_link:
            os.chmod(where, stat.S_IMODE(status.st_mode) & ~PERMISSIONS | mode & PERMISSIONS)
        if mtime_ns is not None:
            mtime_ns = _stepped(self._capabilities.time_kept(mtime_ns), self._capabilities.granularity_ns)
            if not is_link or os.utime in os.supports_follow_symlinks:
                os.utime(where, ns=(status.st_atime_ns, mtime_ns), follow_symlinks=not is_link)

    @contextmanager
    def _doing(self, path: RelPath, doing: str, *, naming: bool = False) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise translated(error, path, doing, root=self.path, naming=naming) from error

    def _translator(self, path: RelPath) -> Callable[[OSError, str], SynclineError]:
        return lambda error, doing: translated(error, path, doing, root=self.path)


def _stepped(time_ns: int, step_ns: int) -> int:
    """The time a file system of that step keeps; one whose step is only the clock's tick keeps all of it."""
    return time_ns - time_ns % step_ns if step_ns >= _KEPT_STEP_NS else time_ns


_KEPT_STEP_NS = 1_000_000_000


def _is_private(above: str) -> bool | None:
    """Whether the private directory in this one belongs to a root; None where that cannot be told."""
    try:
        os.lstat(os.path.join(above, PRIVATE, MARKER))
    except _ABSENT:
        return False
    except OSError:
        return None
    return True


def _flush(where: str) -> None:
    """fsync, of a file or a directory; where the system opens no directories, of files alone."""
    status = os.lstat(where)
    is_directory = stat.S_ISDIR(status.st_mode)
    if not stat.S_ISREG(status.st_mode) and not (is_directory and hasattr(os, "O_DIRECTORY")):
        return
    with windows.writable(where):
        fd = os.open(where, (os.O_RDONLY if os.name == "posix" else os.O_RDWR) | _SAFE)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL or not is_directory:
            raise
    finally:
        os.close(fd)
