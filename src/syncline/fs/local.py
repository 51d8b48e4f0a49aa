"""The one module that changes a disk: a root on a system with directory descriptors.

Every call goes relative to a descriptor from `directories`, so no link is followed, neither at the end nor on the way,
and nothing outside the root can be reached. There are primitives only; what they are combined to (staging, verifying,
exchanging, the trash) is written once, in `syncline.execute`.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Collection, Sequence

from syncline.core.model import PERMISSIONS, Entry, Kind, Reason, RelPath
from syncline.core.names import NameRules, impossible
from syncline.errors import PathError, RootLost, SynclineError
from syncline.fs import errno_table, fallbacks, flags, locking, syscalls, xattrs
from syncline.fs.directories import Directories, Directory
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
from syncline.fs.probe import HONEST_SYNC, capabilities_of
from syncline.fs.root import NOTHING, Besides, Capabilities, Outside, Space
from syncline.fs.scan import owner_of, pack_directory
from syncline.fs.streams import FileReader, FileWriter

_READ = os.O_RDONLY | flags.NOFOLLOW | flags.NONBLOCK | flags.CLOEXEC
_QUIETLY = getattr(os, "O_NOATIME", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags.NOFOLLOW | flags.CLOEXEC
_LOOK = getattr(os, "O_PATH", 0) | flags.NOFOLLOW | flags.CLOEXEC
_FEW = 4
"""So many files are flushed one by one (0.5 ms each): flushing the file system waits for what others wrote, too."""

_ABSENT = (FileNotFoundError, NotADirectoryError)


class LocalRoot:
    """A directory on this machine, held open. Implements `syncline.fs.root.Root`."""

    def __init__(self, path: str, capabilities: Capabilities | None = None) -> None:
        """Open the directory at `path`; links on the way to it are followed, this once.

        Raises: RootLost where there is no directory that can be read.
        """
        self.path = os.path.abspath(path)
        if not flags.ABLE:
            raise RootLost(f"{self.path}: this system cannot open a tree by descriptors", hint="use PathRoot")
        try:
            self._fd = os.open(self.path, os.O_RDONLY | flags.DIRECTORY | flags.CLOEXEC)
        except OSError as error:
            raise RootLost(
                f"{self.path}: the root cannot be opened ({os.strerror(error.errno or 0)})",
                hint="check that its disk is there and mounted, and that this user may read it",
            ) from error
        status = os.fstat(self._fd)
        self._device, self._inode = status.st_dev, status.st_ino
        self.trust(capabilities_of(self.path) if capabilities is None else capabilities)
        self._directories = Directories(self._fd, self._device)
        self._lock: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def trust(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        self._any_name = capabilities.names == NameRules()

    def close(self) -> None:
        self._directories.close()
        lock, self._lock, self._fd = self._lock, None, -1
        if lock is not None:
            os.close(lock)

    def forget_directories(self) -> None:
        """Drop the directories held open for speed: the next call finds its way down afresh."""
        self._directories.forget()

    # reading

    def entry(self, path: RelPath) -> Entry | None:
        names = components(path)
        for afresh in (False, True):  # an absence seen through a kept directory is looked at once more, from the top
            with self._reading(path, "could not be looked at"):
                try:
                    return self._entry(names, afresh=afresh)
                except _ABSENT:
                    pass
        return None

    def read_link(self, path: RelPath) -> bytes:
        names = named(path)
        with self._reading(path, "the link could not be read"):
            above = self._directories.reach(names[:-1])
            return os.fsencode(os.readlink(names[-1], dir_fd=above.fd))

    def xattrs(self, path: RelPath) -> bytes:
        names = named(path)
        if not self._capabilities.xattr:
            return b""
        with self._reading(path, "its extended attributes could not be read"):
            above = self._directories.reach(names[:-1])
            return xattrs.read_in(above.fd, names[-1])

    def open(self, path: RelPath) -> FileReader:
        names = named(path)
        with self._reading(path, "could not be opened"):
            above = self._directories.reach(names[:-1])
            regular(os.stat(names[-1], dir_fd=above.fd, follow_symlinks=False), path)
            # RACE: a device may take the file's place here; it is opened without blocking, seen, and closed.
            fd = self._open_quietly(names[-1], above)
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
        with self._reading(path, "the directory could not be read"):
            try:
                directory = self._directories.readable(names)
            except _ABSENT:
                return None
            return pack_directory(
                directory.fd,
                self._device,
                self._capabilities.told(),
                at_top=not names,
            )

    def outside(self) -> Outside | None:
        def translated(error: OSError, path: RelPath) -> SynclineError:
            return self.translated(error, path, "the directory could not be read")

        return Outside(
            self._fd,
            self._device,
            self._capabilities.told(),
            translated,
            self._abandon,
        )

    def names(self, path: RelPath) -> list[str]:
        names = components(path)
        with self._reading(path, "the directory could not be read"):
            try:
                directory = self._directories.readable(names)
            except _ABSENT:
                return []
            return sorted(os.listdir(directory.fd))

    def space(self) -> Space:
        with self._reading(RelPath(""), "its free space could not be asked for"):
            free = os.fstatvfs(self._fd)
            return Space(free.f_bavail * free.f_frsize, free.f_favail if free.f_files else None)

    def alive(self) -> bool:
        try:
            fd = os.open(self.path, os.O_RDONLY | flags.DIRECTORY | flags.CLOEXEC)
        except OSError:
            return False
        try:
            status = os.fstat(fd)
        except OSError:
            return False
        finally:
            os.close(fd)
        return (status.st_dev, status.st_ino) == (self._device, self._inode)

    # changing

    def create(self, path: RelPath) -> FileWriter:
        names = self._making(path)
        with self._changing(path, "could not be created", naming=True):
            above = self._directories.reach(names[:-1])
            fd = self._directories.open_at(names[-1], _CREATE, above, 0o600)

        def discard(written: os.stat_result) -> None:
            if os.path.samestat(written, os.stat(names[-1], dir_fd=above.fd, follow_symlinks=False)):
                # RACE: the name may be given to another file here; worst case that one, put at a name of ours, goes.
                os.unlink(names[-1], dir_fd=above.fd)

        return FileWriter(fd, path, self._settle, discard, self._translator(path), holes=self._capabilities.holes)

    def make_link(self, path: RelPath, target: bytes) -> Entry:
        names = self._making(path)
        if not self._capabilities.symlinks:
            raise PathError(Reason.IMPOSSIBLE_NAME, path, NO_SYMLINKS)
        text = link_text(target, path)
        with self._changing(path, "the link could not be made", naming=True):
            above = self._directories.reach(names[:-1])
            os.symlink(text, names[-1], dir_fd=above.fd)
            return self._entry_at(names[-1], above)

    def make_directory(self, path: RelPath, mode: int = 0o700, besides: Besides = NOTHING) -> Entry:
        names = self._making(path)
        with self._changing(path, "the directory could not be made", naming=True):
            above = self._directories.reach(names[:-1])
            os.mkdir(names[-1], 0o700, dir_fd=above.fd)
            if (mode == 0o700 or not self._capabilities.mode) and besides == NOTHING:
                return self._entry_at(names[-1], above)
            # RACE: the name may be given to another directory here; worst case that one gets our properties.
            fd = self._directories.open_at(names[-1], _READ | flags.DIRECTORY, above)
            try:
                self._set(fd, os.fstat(fd), None, mode, besides)
                return self._look(fd)
            finally:
                os.close(fd)

    def rename(self, old: RelPath, new: RelPath) -> None:
        olds, news = named(old), self._making(new)
        apart(old, new)
        with self._changing(new, f"could not be renamed from {old}", naming=True):
            source, target = self._directories.reach(olds[:-1]), self._directories.reach(news[:-1])
            try:
                if not syscalls.rename_no_replace(olds[-1], news[-1], source.fd, target.fd):
                    fallbacks.rename(olds[-1], news[-1], source.fd, target.fd)
            except FileExistsError:
                if olds[:-1] != news[:-1] or not fallbacks.respelled(olds[-1], news[-1], source.fd):
                    raise
                fallbacks.respell(olds[-1], news[-1], source.fd)
        self._directories.forget_below(old)
        self._directories.forget_below(new)

    def rename_at_once(self, old: RelPath, new: RelPath) -> bool:
        """Move to a free name by the system's own call for it; False where there is none. For `probe`."""
        olds, news = named(old), named(new)
        with self._changing(new, f"could not be renamed from {old}", naming=True):
            source, target = self._directories.reach(olds[:-1]), self._directories.reach(news[:-1])
            return syscalls.rename_no_replace(olds[-1], news[-1], source.fd, target.fd)

    def exchange(self, one: RelPath, two: RelPath) -> None:
        ones, twos = named(one), named(two)
        apart(one, two)
        apart(two, one)
        with self._changing(two, f"could not be exchanged with {one}"):
            first, second = self._directories.reach(ones[:-1]), self._directories.reach(twos[:-1])
            if not syscalls.exchange(ones[-1], twos[-1], first.fd, second.fd):
                raise PathError(Reason.UNREADABLE, two, "this file system cannot exchange two names")
        self._directories.forget_below(one)
        self._directories.forget_below(two)

    def replace(self, old: RelPath, new: RelPath) -> None:
        olds, news = named(old), self._making(new)
        apart(old, new)
        with self._changing(new, f"could not be replaced by {old}", naming=True):
            source, target = self._directories.reach(olds[:-1]), self._directories.reach(news[:-1])
            os.rename(olds[-1], news[-1], src_dir_fd=source.fd, dst_dir_fd=target.fd)
        self._directories.forget_below(old)
        self._directories.forget_below(new)

    def link(self, old: RelPath, new: RelPath) -> None:
        olds, news = named(old), self._making(new)
        with self._changing(new, f"could not be made a second name of {old}", naming=True):
            source, target = self._directories.reach(olds[:-1]), self._directories.reach(news[:-1])
            os.link(olds[-1], news[-1], src_dir_fd=source.fd, dst_dir_fd=target.fd, follow_symlinks=False)

    def set_properties(
        self, path: RelPath, *, expect: Entry, mtime_ns: int | None, mode: int | None, besides: Besides = NOTHING
    ) -> Entry:
        names = named(path)
        with self._changing(path, "its properties could not be set"):
            above = self._directories.reach(names[:-1])
            as_planned(self._entry_at(names[-1], above), expect, path)
            if expect.kind is Kind.LINK:
                # RACE: a link has no descriptor to set times by; worst case what took its name gets its time.
                self._set_link(names[-1], above, mtime_ns)
                return self._entry_at(names[-1], above)
            fd = self._open_for_properties(names[-1], above)
            try:
                status = os.fstat(fd)
                as_planned(entry_of(status, self._device, self._capabilities), expect, path)
                self._set(fd, status, mtime_ns, mode, besides)
                return self._look(fd)
            finally:
                os.close(fd)

    def remove(self, path: RelPath) -> None:
        names = named(path)
        with self._changing(path, "could not be removed"):
            os.unlink(names[-1], dir_fd=self._directories.reach(names[:-1]).fd)

    def remove_directory(self, path: RelPath) -> None:
        names = named(path)
        with self._changing(path, "the directory could not be removed"):
            os.rmdir(names[-1], dir_fd=self._directories.reach(names[:-1]).fd)
        self._directories.forget_below(path)

    def flush(self, paths: Sequence[RelPath], *, each: bool = False, directories: Collection[RelPath] = ()) -> None:
        self._directories.forget()
        if not paths:
            return
        if not each and len(paths) > _FEW and self._capabilities.filesystem in HONEST_SYNC:
            with self._changing(paths[0], "could not be made durable"):
                if syscalls.sync_file_system(self._fd):
                    return
        above = dict.fromkeys(directories)
        for path in paths:
            self._flush_one(path)
            above[RelPath(path.rpartition("/")[0])] = None
        for directory in above:
            self._flush_one(directory)
        self._directories.forget()

    def lock(self) -> None:
        if self._lock is not None:
            return
        for private in (locking.DIRECTORY, locking.STAGING):
            if self.entry(private) is None:
                self.make_directory(private)
        with self._changing(locking.LOCK, "the root could not be locked"):
            while self._lock is None:
                self._lock = self._take_lock()

    # below: how

    def _abandon(self) -> None:
        """Leave the lock to the end of this process: closing its file waits for an answer on some file systems."""
        self._lock = None

    def _entry(self, names: tuple[str, ...], *, afresh: bool) -> Entry:
        if not names:
            return entry_of(os.fstat(self._fd), self._device, self._capabilities)
        return self._entry_at(names[-1], self._directories.reach(names[:-1], afresh=afresh))

    def _entry_at(self, name: str, above: Directory) -> Entry:
        entry = self._entry_of(os.stat(name, dir_fd=above.fd, follow_symlinks=False))
        # RACE: the name may be given to something else here; worst case an entry has the other's attributes.
        return attributed(entry, self._capabilities, xattrs.inside(above.fd, name), follow=False)

    def _look(self, fd: int) -> Entry:
        return self._attributed(self._entry_of(os.fstat(fd)), fd)

    def _attributed(self, entry: Entry, fd: int) -> Entry:
        return fallbacks.by_descriptor(fd, lambda file: attributed(entry, self._capabilities, file))

    def _entry_of(self, status: os.stat_result) -> Entry:
        return entry_of(status, self._device, self._capabilities)

    def _making(self, path: RelPath) -> tuple[str, ...]:
        names = named(path)
        if not self._any_name:
            obstacle = impossible(names[-1], self._capabilities.names)
            if obstacle is not None:
                raise PathError(Reason.IMPOSSIBLE_NAME, path, obstacle)
        return names

    def _open_quietly(self, name: str, above: Directory) -> int:
        try:
            return self._directories.open_at(name, _READ | _QUIETLY, above)
        except PermissionError as error:  # only the owner may leave the access time alone
            if error.errno != errno.EPERM or not _QUIETLY:
                raise
        return self._directories.open_at(name, _READ, above)

    def _open_for_properties(self, name: str, above: Directory) -> int:
        try:
            return self._directories.open_at(name, _READ, above)
        except PermissionError:
            if not fallbacks.PROCESS_FDS:
                raise
        return self._directories.open_at(name, _LOOK, above)  # not to be read, but its owner may set its mode

    def _settle(
        self, fd: int, mtime_ns: int | None, mode: int | None, besides: Besides
    ) -> tuple[Entry, os.stat_result]:
        """Set the properties of a file just made, which has no other mode bits yet."""
        if besides.owner is not None and self._capabilities.owner:
            os.chown(fd, *ids(besides.owner))
        set_attributes(fd, 0o600, self._capabilities, besides)
        if mode is not None and self._capabilities.mode:
            os.chmod(fd, mode & PERMISSIONS)
        if mtime_ns is not None:
            os.utime(fd, ns=(time.time_ns(), self._capabilities.time_kept(mtime_ns)))
        status = os.fstat(fd)
        return self._attributed(self._entry_of(status), fd), status

    def _set(self, fd: int, status: os.stat_result, mtime_ns: int | None, mode: int | None, besides: Besides) -> None:
        """Set properties; set-id and sticky bits stay as they are, or as the system leaves them to a new owner."""
        owner = besides.owner
        if owner is not None and self._capabilities.owner and owner != owner_of(status):
            fallbacks.by_descriptor(fd, lambda file: os.chown(file, *ids(owner)))
            status = os.fstat(fd)
        if besides != NOTHING:
            fallbacks.by_descriptor(fd, lambda file: set_attributes(file, status.st_mode, self._capabilities, besides))
        if mode is not None and self._capabilities.mode:
            wanted = stat.S_IMODE(status.st_mode) & ~PERMISSIONS | mode & PERMISSIONS
            if wanted != stat.S_IMODE(status.st_mode):
                fallbacks.by_descriptor(fd, lambda file: os.chmod(file, wanted))
        if mtime_ns is not None:
            times = status.st_atime_ns, self._capabilities.time_kept(mtime_ns)
            fallbacks.by_descriptor(fd, lambda file: os.utime(file, ns=times))

    def _set_link(self, name: str, above: Directory, mtime_ns: int | None) -> None:
        if mtime_ns is not None:
            status = os.stat(name, dir_fd=above.fd, follow_symlinks=False)
            os.utime(name, ns=(status.st_atime_ns, mtime_ns), dir_fd=above.fd, follow_symlinks=False)

    def _flush_one(self, path: RelPath) -> None:
        names = components(path)
        with self._changing(path, "could not be made durable"):
            try:
                fd = self._open_to_flush(names)
            except _ABSENT:
                return  # moved or removed since: what lasts of that is in the directories above
            if fd is None:
                return
            try:
                os.fsync(fd)
            except OSError as error:
                # Some network file systems keep no directory that could be flushed; the server has it already.
                if error.errno != errno.EINVAL or not stat.S_ISDIR(os.fstat(fd).st_mode):
                    raise
            finally:
                os.close(fd)

    def _open_to_flush(self, names: tuple[str, ...]) -> int | None:
        if not names:
            return os.dup(self._fd)
        above = self._directories.reach(names[:-1])
        mode = os.stat(names[-1], dir_fd=above.fd, follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return None
        try:
            return self._directories.open_at(names[-1], _READ, above)
        except PermissionError:
            if not stat.S_ISREG(mode):
                raise
        return self._directories.open_at(names[-1], _READ | os.O_WRONLY, above)

    def _take_lock(self) -> int | None:
        """The locked file; None where its name was given to another file meanwhile, which is to be tried again."""
        above = self._directories.reach(locking.DIRECTORY.split("/"), afresh=True)
        wanted = os.O_RDWR | os.O_CREAT | flags.NOFOLLOW | flags.NONBLOCK | flags.CLOEXEC
        name = locking.LOCK.rpartition("/")[2]
        fd = self._directories.open_at(name, wanted, above, 0o600)
        try:
            mine = os.fstat(fd)
            regular(mine, locking.LOCK)
            locking.take(fd, self.path)
            there = self._entry_at(name, above)
            if self._capabilities.inode and there.inode != mine.st_ino:
                os.close(fd)
                return None
            locking.sign(fd)
        except FileNotFoundError:
            os.close(fd)
            return None
        except (OSError, SynclineError):
            os.close(fd)
            raise
        return fd

    def _reading(self, path: RelPath, doing: str) -> _Translating:
        return _Translating(self, path, doing, naming=False)

    def _changing(self, path: RelPath, doing: str, *, naming: bool = False) -> _Translating:
        return _Translating(self, path, doing, naming=naming)

    def _translator(self, path: RelPath) -> Callable[[OSError, str], SynclineError]:
        return lambda error, doing: self.translated(error, path, doing)

    def translated(self, error: OSError, path: RelPath, doing: str, *, naming: bool = False) -> SynclineError:
        free_inodes = None
        if error.errno == errno.ENOSPC:
            try:
                free_inodes = os.fstatvfs(self._fd).f_favail
            except OSError:
                free_inodes = None
        return errno_table.translated(error, path, doing, root=self.path, naming=naming, free_inodes=free_inodes)


class _Translating:
    """A stretch of code in which an error of the system is told in our words: with what was being done, and where."""

    __slots__ = ("_doing", "_naming", "_path", "_root")

    def __init__(self, root: LocalRoot, path: RelPath, doing: str, *, naming: bool) -> None:
        self._root, self._path, self._doing, self._naming = root, path, doing, naming

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise self._root.translated(error, self._path, self._doing, naming=self._naming) from error
