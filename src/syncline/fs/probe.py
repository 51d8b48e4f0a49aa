"""What a file system keeps and can do: read from a table by its type, and, by a run that holds the lock, by trial."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from syncline.core.model import Kind, RelPath
from syncline.core.names import NameRules, join
from syncline.errors import PathError, RunRefused
from syncline.fs import windows, xattrs
from syncline.fs.locking import DIRECTORY, STAGING
from syncline.fs.root import Besides, Capabilities, Root

HONEST_SYNC = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"})
"""File systems of this machine for which syncfs flushes everything and tells of every failure."""

_DOS_FORBIDDEN = '"*/:<>?\\|'
_FOLDED = NameRules(fold_case=True, simple_case=True)
_DOS = replace(_FOLDED, forbidden=_DOS_FORBIDDEN, trailing_dot_space=False)
_WINDOWS = replace(_DOS, reserved=True)
_STRONG = Capabilities()
_COARSE = replace(_STRONG, granularity_ns=1_000_000_000)
_NETWORK = Capabilities(
    inode=False, ctime=False, granularity_ns=1_000_000_000, exchange=False, no_replace=False, holes=False
)
_DOS_TIMES: dict[str, Any] = {
    "earliest_ns": 315_532_800 * 1_000_000_000,
    "latest_ns": 4_354_646_400 * 1_000_000_000,
}
"""1980-01-01 to 2107-12-30 UTC: a day less than is kept, as it is kept in local time; one more is 1980 again."""

_FAT = replace(_NETWORK, mode=False, hard_links=False, symlinks=False, holes=False, names=_DOS, **_DOS_TIMES)

_TABLE = {
    **dict.fromkeys(("bcachefs", "btrfs", "ext4", "f2fs", "overlay", "tmpfs", "xfs"), _STRONG),
    # renameat2 only from OpenZFS 2.2, which at first told of holes where data was just written
    "zfs": replace(_STRONG, exchange=False, no_replace=False, holes=False),
    "ext2": _COARSE,
    "ext3": _COARSE,
    "vfat": replace(_FAT, granularity_ns=2_000_000_000, largest=(1 << 32) - 1),
    "msdos": replace(_FAT, granularity_ns=2_000_000_000, largest=(1 << 32) - 1),
    "exfat": replace(_FAT, granularity_ns=2_000_000_000),
    # ntfs-3g and exfat by FUSE look alike; two names are taken for one rather than one lost in the other.
    "fuseblk": replace(_NETWORK, mode=False, granularity_ns=2_000_000_000, names=_FOLDED),
    "ntfs": replace(_NETWORK, mode=False, names=_FOLDED),
    "ntfs3": replace(_NETWORK, mode=False, names=_FOLDED),
    "cifs": replace(_NETWORK, mode=False, names=replace(_FOLDED, forbidden=_DOS_FORBIDDEN)),
    "smb3": replace(_NETWORK, mode=False, names=replace(_FOLDED, forbidden=_DOS_FORBIDDEN)),
    "nfs": _NETWORK,
    "nfs4": _NETWORK,
}
"""By the kernel's name of the type. What is not here is taken for weak, as a network file system is."""

_ELSEWHERE = {
    "darwin": Capabilities(exchange=False, no_replace=False, names=NameRules(fold_case=True, fold_unicode=True)),
    "win32": Capabilities(
        inode=False, ctime=False, mode=False, exchange=False, no_replace=False, symlinks=False, names=_WINDOWS
    ),
}

_STABLE_ID = frozenset({"btrfs", "ext2", "ext3", "ext4"})
"""Types whose statfs id is made from their UUID; others make it from the device number, or anew for each mount."""

_TRIAL = "new-probe-"
_SEPARATOR = "/"
_LONGEST_BYTES = (255, 143, 100)
"""Of names, in bytes: nearly everywhere; eCryptfs; something still stranger."""

_WIDE = 200
"""So many characters of two bytes are more than 255 bytes, and are fewer than 255 characters."""

_OWNED = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""Types that keep the owner of each file by number."""

ON_REQUEST = {
    "owner": (Besides(owner=1 << 32 | 2), Besides(owner=3 << 32 | 1)),
    "xattr": (Besides(xattr=xattrs.pack({b"user.syncline.trial": b"1\0"})), Besides(xattr=b"")),
    "windows": (Besides(windows=windows.KEPT), Besides(windows=0)),
}
"""The properties that a root keeps only for the jobs that ask for them, as `Capabilities` calls them, and what is set
to try them."""

_ODD_TIME_NS = 1_600_000_001_123_456_789
_STEPS_NS = (2_000_000_000, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class _Mount:
    inside: str
    point: str
    kind: str
    source: str


def capabilities_of(path: str) -> Capabilities:
    """What the file system at `path` keeps and can do, by its type; nothing is tried."""
    mount = _mount_of(path)
    if mount is None:
        return _ELSEWHERE.get(sys.platform, replace(_NETWORK, inode=True, ctime=True))
    found = replace(_TABLE.get(mount.kind, _NETWORK), filesystem=mount.kind)
    if mount.kind == "fuseblk" and not windows.kept_at(path):
        return replace(found, **_DOS_TIMES)  # not NTFS, so it may be exFAT, which shows its own times after a remount
    return found


def may_keep(root: Root, name: str) -> bool:
    """Whether this process may set a property of `ON_REQUEST` and the file system keeps it, as far as can be told
    without trying."""
    if name == "owner":
        return root.capabilities.filesystem in _OWNED and os.geteuid() == 0
    return windows.kept_at(root.path) if name == "windows" else xattrs.kept_at(root.path)


def does_keep(root: Root, name: str) -> bool:
    """Whether a property of `ON_REQUEST` can be set in a root that is taken to keep it, tried in its staging directory;
    only for a run that holds its lock. Leaves nothing behind. Raises: PathError where not even a file can be made.
    """
    trial = join(STAGING, f"{_TRIAL}{os.getpid()}-{name}")
    if root.entry(trial) is not None:
        root.remove(trial)  # a run of that number was killed
    _put(root, trial, b"")
    try:
        return _works(lambda: all(_keeps(root, trial, each, name) for each in ON_REQUEST[name]))
    finally:
        root.remove(trial)


def filesystem_id(path: str) -> str:
    """The identity of the file system at `path`, the same after a remount; empty where it is not known."""
    mount = _mount_of(path)
    if mount is None:
        return ""
    uuid = _uuid_of(mount.source)
    if uuid:
        return f"uuid:{uuid}"
    if mount.kind in {"nfs", "nfs4", "cifs", "smb3"}:
        return f"{mount.kind}:{mount.source}"
    if mount.kind in _STABLE_ID:
        try:
            number = os.statvfs(path).f_fsid
        except OSError:
            return ""
        return f"{mount.kind}:{number:016x}" if number else ""
    return ""


def below(outer: str, inner: str) -> str | None:
    """The path in the tree of one directory at which another stands, by whatever mount it is named; empty where both
    are one. None where it stands apart, or cannot be told."""
    try:
        if os.stat(outer).st_dev != os.stat(inner).st_dev:
            return None
    except OSError:
        return None
    above, there = _inside(outer), _inside(inner)
    if above is None or there is None or os.path.commonpath((above, there)) != above:
        return None
    return os.path.relpath(there, above) if there != above else ""


def probe(root: Root) -> Capabilities:
    """What the root can do, tried in its staging directory; only for a run that holds its lock. Leaves nothing behind.

    Whether inodes and ctime can be trusted is not to be seen in one mount: for them the table's word stands.

    Raises: PathError where not even a file can be made there, RunRefused where the file system itself loses files.
    """
    for private in (DIRECTORY, STAGING):
        if root.entry(private) is None:
            root.make_directory(private)
    for left in root.names(STAGING):
        if left.startswith(_TRIAL):
            _clear(root, join(STAGING, left))  # a run was killed in the middle of its trial
    trial = join(STAGING, f"{_TRIAL}{os.getpid()}")
    root.make_directory(trial)
    try:
        return _tried(root, trial)
    finally:
        _clear(root, trial)


def _tried(root: Root, trial: RelPath) -> Capabilities:
    known = root.capabilities
    one, two = join(trial, "one"), join(trial, "two")
    _put(root, one, b"1")
    _put(root, two, b"22")
    _keep_what_is_inside(root, trial)
    return replace(
        known,
        exchange=_works(lambda: _exchanges(root, one, two)),
        no_replace=_works(lambda: root.rename_at_once(one, join(trial, "free"))),
        hard_links=_works(lambda: _links(root, two, join(trial, "second"))),
        symlinks=_works(lambda: root.make_link(join(trial, "link"), b"../two").content is None),
        mode=known.mode and _works(lambda: _keeps_modes(root, two)),
        granularity_ns=max(known.granularity_ns, _step_ns(root, join(trial, "time"))),
        names=_names(root, trial),
    )


def _keep_what_is_inside(root: Root, trial: RelPath) -> None:
    """Nothing, where a renamed directory still holds what was in it. Drivers were seen that lose it.

    Raises: RunRefused.
    """
    before, after = join(trial, "before"), join(trial, "after")
    root.make_directory(before)
    _put(root, join(before, "inner"), b"1")
    root.rename(before, after)
    found = root.entry(join(after, "inner"))
    if found is None or found.size != 1 or root.names(after) != ["inner"]:
        raise RunRefused(
            f"{root.path}: the driver of its file system loses what is in a folder that is renamed",
            hint="mount it with another driver (the kernel's own, if it has one); nothing was done",
        )


def _names(root: Root, trial: RelPath) -> NameRules:
    """What names the root takes and which it takes for one. What is known to be refused is not tried, and stays so."""
    known = root.capabilities.names

    def takes(name: str) -> bool:
        return _works(lambda: _takes(root, trial, name))

    def one_name(one: str, other: str) -> bool:
        return _works(lambda: _folds(root, join(trial, one), join(trial, other)))

    tried = [character for character in _DOS_FORBIDDEN if character not in known.forbidden + _SEPARATOR]
    if tried and takes(f"all{''.join(tried)}of them"):
        tried = []
    refused = {character for character in tried if not takes(f"with{character}")}
    ascii_only = not takes("\u00e9")
    fold_case = one_name("Case", "cASE")
    wide = not ascii_only and takes("\u00e9" * _WIDE)
    return replace(
        known,
        fold_case=fold_case,
        simple_case=fold_case and not one_name("\u00df", "ss"),
        fold_unicode=one_name(*(unicodedata.normalize(form, "e\u0301x") for form in ("NFC", "NFD"))),
        forbidden="".join(sorted(refused.union(known.forbidden))),
        trailing_dot_space=takes("dot.") and takes("blank "),
        reserved=not takes("nul"),
        utf8_only=not takes("\udcff"),
        ascii_only=ascii_only,
        max_bytes=3 * 255 if wide else next((size for size in _LONGEST_BYTES if takes("n" * size)), known.max_bytes),
        max_units=255 if wide else known.max_units,
    )


def _takes(root: Root, trial: RelPath, name: str) -> bool:
    """Whether a name comes back as it was given, its Unicode form apart."""
    _put(root, join(trial, name), b"")
    wanted = unicodedata.normalize("NFC", name)
    return any(unicodedata.normalize("NFC", found) == wanted for found in root.names(trial))


def _works(trial: Callable[[], bool]) -> bool:
    try:
        return trial()
    except PathError:
        return False


def _exchanges(root: Root, one: RelPath, two: RelPath) -> bool:
    root.exchange(one, two)
    changed = root.entry(one)
    root.exchange(one, two)
    return changed is not None and changed.size == 2


def _links(root: Root, old: RelPath, new: RelPath) -> bool:
    root.link(old, new)
    return root.entry(new) is not None


def _keeps_modes(root: Root, path: RelPath) -> bool:
    for mode in (0o640, 0o711, 0o600):
        entry = root.entry(path)
        if entry is None or root.set_properties(path, expect=entry, mtime_ns=None, mode=mode).mode != mode:
            return False
    return True


def _keeps(root: Root, path: RelPath, besides: Besides, name: str) -> bool:
    entry = root.entry(path)
    if entry is None:
        return False
    found = root.set_properties(path, expect=entry, mtime_ns=None, mode=None, besides=besides)
    wanted = getattr(besides, name)
    return bool(getattr(found, name) == (wanted if besides.xattr is None else xattrs.digest(wanted)))


def _folds(root: Root, one: RelPath, other: RelPath) -> bool:
    _put(root, one, b"")
    return root.entry(other) is not None


def _step_ns(root: Root, path: RelPath) -> int:
    """The step of the times: the coarsest in which a time with nanoseconds and an odd second comes back."""
    writer = root.create(path)
    try:
        writer.finish(mtime_ns=_ODD_TIME_NS, mode=None)
    except BaseException:
        writer.abandon()
        raise
    entry = root.entry(path)
    if entry is None:
        return _STEPS_NS[0]
    return next((step for step in _STEPS_NS if entry.mtime_ns % step == 0), 1)


def _put(root: Root, path: RelPath, data: bytes) -> None:
    writer = root.create(path)
    try:
        writer.write(data)
        writer.finish(mtime_ns=None, mode=None)
    except BaseException:
        writer.abandon()
        raise


def _clear(root: Root, trial: RelPath) -> None:
    for name in root.names(trial):
        path = join(trial, name)
        entry = root.entry(path)
        if entry is not None and entry.kind is Kind.DIRECTORY:
            _clear(root, path)
        else:
            root.remove(path)
    if root.entry(trial) is not None:
        root.remove_directory(trial)


def _mount_of(path: str) -> _Mount | None:
    """The mount `path` lies on; None where the system does not list its mounts."""
    try:
        with open("/proc/self/mountinfo", "rb") as lines:
            mounts = [mount for line in lines if (mount := _parsed(os.fsdecode(line))) is not None]
    except OSError:
        return None
    where = os.path.realpath(path)
    best: _Mount | None = None
    for mount in mounts:
        below = where == mount.point or where.startswith(mount.point.rstrip("/") + "/")
        if below and (best is None or len(mount.point) >= len(best.point)):  # of two on one point the later is on top
            best = mount
    return best


def _inside(path: str) -> str | None:
    """The path of a directory within its file system; None where the system does not list its mounts."""
    mount = _mount_of(path)
    if mount is None:
        return None
    relative = os.path.relpath(os.path.realpath(path), mount.point)
    return os.path.normpath(os.path.join(mount.inside, relative))


def _parsed(line: str) -> _Mount | None:
    """A line of mountinfo: proc(5)."""
    before, separator, after = line.partition(" - ")
    fields, described = before.split(" "), after.split(" ")
    if not separator or len(fields) < 5 or len(described) < 2:
        return None
    return _Mount(_unescaped(fields[3]), _unescaped(fields[4]), described[0], _unescaped(described[1]))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text) if "\\" in text else text


def _uuid_of(source: str) -> str:
    directory = "/dev/disk/by-uuid"
    try:
        device = os.stat(source).st_rdev
        for uuid in sorted(os.listdir(directory)):
            if device and os.stat(os.path.join(directory, uuid)).st_rdev == device:
                return uuid
    except OSError:
        return ""
    return ""
