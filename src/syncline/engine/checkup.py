"""Looking for what is missing or risky on this machine and in the jobs' folders, each with what to do about it.

Reads only; takes no lock. What a person asks for with `doctor`.
"""

from __future__ import annotations

import locale
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from syncline.core.model import PRIVATE, SIDES, Side
from syncline.engine.standing import in_the_way
from syncline.errors import PathError, SynclineError
from syncline.execute.transfer import STAGING
from syncline.fs.marker import read_marker
from syncline.fs.opening import open_root
from syncline.fs.probe import capabilities_of
from syncline.fs.root import Capabilities, Root
from syncline.jobs.kind import Job
from syncline.store.db import Store
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs
from syncline.store.runs import Runs

OLDEST_SQLITE = (3, 35, 0)
LITTLE_BYTES = 1_000_000_000
"""Less free space than this, or than a hundredth of the disk, is worth a word."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "davfs", "davfs2", "afs", "fuse.sshfs"})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. A remedy beside `ok` is an advice, not a need."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def machine(state_dir: str) -> Iterator[Check]:
    """What this machine, this user and the state directory are like."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else "install 3.11")
    good = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    yield Check("sqlite", good, sqlite3.sqlite_version, "" if good else "install SQLite 3.35 or a newer Python")
    yield _user()
    yield _locale()
    yield from _state_directory(state_dir)


def of_job(job: Job, store: Store) -> Iterator[Check]:
    """What the folders of a job are like, and whether something waits for a person. Raises: StateError."""
    record = Jobs(store).by_id(job.id)
    roots: dict[Side, Capabilities] = {}
    for side in SIDES:
        name, path = f"{job.name}: {job.kind.root_name(side)}", job.root(side)
        if not os.path.isdir(path):
            yield Check(name, False, f"{path} is not there", "connect its drive, or mend its path")
            continue
        yield from _root(job, record, side, name, path, store)
        roots[side] = capabilities_of(path)
    if len(roots) == len(SIDES) and any(each.names.fold_case for each in roots.values()):
        weaker = next(job.kind.root_name(side) for side in SIDES if roots[side].names.fold_case)
        told = f"{weaker} takes Name and NAME for one: two files that differ only so are held, and listed"
        yield Check(f"{job.name}: names", True, told)
    if record is not None and Runs(store).unfinished(record.id):
        remedy = f"if none is running: syncline run {job.word}"
        yield Check(f"{job.name}: last run", False, "a run goes on, or was cut off", remedy)


def _root(job: Job, record: Remembered | None, side: Side, name: str, path: str, store: Store) -> Iterator[Check]:
    able = capabilities_of(path)
    writes = job.kind.writes(side)
    allowed = os.access(path, os.R_OK | os.X_OK | (os.W_OK if writes else 0))
    what = "read and written" if writes else "read"
    remedy = "" if allowed else f"see who owns it: ls -ld {path}"
    yield Check(name, allowed, f"{path} can {'' if allowed else 'not '}be {what}", remedy)
    yield _kind_of(name, able)
    yield _space(f"{name} space", path)
    if not allowed or not writes:
        return
    try:
        root = open_root(path)
    except SynclineError as error:
        yield Check(f"{name} marker", False, error.message, error.hint)
        return
    try:
        yield from _private(job, record, side, name, root, store)
    finally:
        root.close()


def _private(job: Job, record: Remembered | None, side: Side, name: str, root: Root, store: Store) -> Iterator[Check]:
    """The marker of a root, and what lies in its staging."""
    known = None if record is None else record.left_marker if side is Side.LEFT else record.right_marker
    adopt = f"is the right drive connected? To take the folder as it stands: syncline adopt {job.word}"
    try:
        marker = read_marker(root)
        blocked = in_the_way(job, side, marker, root)
        staged = root.names(STAGING) if blocked is None else []
    except PathError as error:
        yield Check(f"{name} marker", False, str(error), adopt)
        return
    if blocked is not None:
        yield Check(f"{name} marker", False, blocked.detail, blocked.remedy)
    elif known is None:
        yield Check(f"{name} marker", True, "never run; the first run writes it")
    elif marker is None:
        yield Check(f"{name} marker", False, f"{root.path}/{PRIVATE}/root.json is missing", adopt)
    else:
        fits = marker.id == known
        yield Check(f"{name} marker", fits, "fits" if fits else "is another one", "" if fits else adopt)
    running = any(Runs(store).unfinished(each.id) for each in Jobs(store).all())
    if staged and not running:
        told = f"{len(staged)} things left in {root.path}/{STAGING}"
        yield Check(f"{name} staging", False, told, f"the next run settles them: syncline run {job.word}")


def _kind_of(name: str, able: Capabilities) -> Check:
    """What the file system of a root cannot do, and what that means."""
    lacks = [
        told
        for cannot, told in (
            (not able.mode, "permissions are not kept: they are never carried there"),
            (not able.symlinks, "no symbolic links: they are held, and listed"),
            (not able.inode, "inodes are not stable: more files are read to be sure"),
            (able.granularity_ns >= 1_000_000_000, f"times in steps of {able.granularity_ns / 1e9:.0f} s"),
            (bool(able.names.forbidden), f"names cannot have {able.names.forbidden}"),
            (not able.exchange and not able.hard_links, "a replaced file is absent for one system call"),
        )
        if cannot
    ]
    kind = able.filesystem or "of an unknown kind"
    if not lacks:
        return Check(f"{name} file system", True, kind)
    remedy = "a native file system (ext4, xfs, btrfs, zfs) has none of these limits"
    return Check(f"{name} file system", True, f"{kind}, weak: {'; '.join(lacks)}", remedy)


def _space(name: str, path: str) -> Check:
    try:
        usage = shutil.disk_usage(path)
    except OSError as error:
        return Check(name, False, f"{path}: {error.strerror}", "see whether its disk is there")
    enough = usage.free >= min(LITTLE_BYTES, usage.total // 100)
    remedy = "" if enough else "make room; 'syncline trash empty' empties the trash of all jobs"
    return Check(name, enough, f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free", remedy)


def _user() -> Check:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return Check("user", True, "not root")
    return Check(
        "user",
        True,
        "root: no permission stops a run, and what it makes belongs to root",
        "run it as the user who owns the files, unless they belong to many",
    )


def _locale() -> Check:
    shown = getattr(sys.stdout, "encoding", None) or "unknown"
    names = sys.getfilesystemencoding()
    if names.lower() != "utf-8":
        return Check("locale", False, f"file names are taken for {names}", "set LC_ALL=C.UTF-8, or PYTHONUTF8=1")
    name = locale.setlocale(locale.LC_CTYPE)
    if shown.lower().replace("-", "") != "utf8":
        told = f"names are UTF-8, the terminal shows {shown}: what it lacks is written as \\x.."
        return Check("locale", True, told, "a UTF-8 locale shows them as they are: LC_ALL=C.UTF-8")
    return Check("locale", True, f"UTF-8 ({name})")


def _state_directory(path: str) -> Iterator[Check]:
    if not os.path.isdir(path):
        yield Check("state directory", True, f"{path} is not there yet; the first run makes it")
        return
    found = os.stat(path)
    mine = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    closed = os.name != "posix" or not stat.S_IMODE(found.st_mode) & 0o077
    if not mine:
        yield Check(
            "state directory", False, f"{path} belongs to another user", f"chown it, or say --state-dir: {path}"
        )
    elif not closed:
        told = f"{path} can be read by others (mode {stat.S_IMODE(found.st_mode):04o})"
        yield Check("state directory", False, told, f"chmod 700 {path}")
    else:
        yield Check("state directory", True, path)
    if not os.access(path, os.W_OK | os.X_OK):
        yield Check("state directory writable", False, f"{path} cannot be written", f"chmod u+wx {path}")
    kind = capabilities_of(path).filesystem
    if kind in _NETWORK:
        told = f"{kind}, a network file system: a database is not safe there"
        yield Check("state file system", False, told, "say --state-dir with a folder on a local disk")
    else:
        yield Check("state file system", True, kind or "unknown")
    yield _space("state space", path)


def failing(checks: Sequence[Check]) -> int:
    """How many of these need a person."""
    return sum(not check.ok for check in checks)
