"""What `local` does where the system or the file system lacks the call for it. For the two roots alone."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

from syncline.core.names import NameRules, folding
from syncline.fs import syscalls

T = TypeVar("T")

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
"""What `link` says where a file cannot be given a second name; the name itself may still be possible."""

PROCESS_FDS = os.path.isdir("/proc/self/fd")


def by_descriptor(fd: int, act: Callable[[int | str], T]) -> T:
    """Do something to an open file, also to one that was opened only to be looked at."""
    try:
        return act(fd)
    except OSError as error:
        if error.errno != errno.EBADF or not PROCESS_FDS:
            raise
    return act(f"/proc/self/fd/{fd}")  # leads to that very file, whatever stands at its name now


def respelled(old: str, new: str, above: int) -> bool:
    """Whether the file system took `new` for `old` in another spelling."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)
    try:
        names = os.listdir(fd)
    finally:
        os.close(fd)
    folded = NameRules(fold_case=True, fold_unicode=True)
    fold = folding(folded, folded)
    return fold(old) == fold(new) and old in names and new not in names


def respell(old: str, new: str, above: int) -> None:
    """Give a name another spelling, on a file system that takes both for the same."""
    os.rename(old, new, src_dir_fd=above, dst_dir_fd=above)
    if not respelled(old, new, above):
        return
    # Linux does nothing where both names lead to one file, and says that it worked; so it goes by a third name.
    # RACE: a kill between the two renames leaves that one; the next run takes it for the name the user gave.
    between = f"~syncline-{os.getpid()}"
    if not syscalls.rename_no_replace(old, between, above, above):
        rename(old, between, above, above)
    try:
        if not syscalls.rename_no_replace(between, new, above, above):
            rename(between, new, above, above)
    except OSError:
        os.rename(between, old, src_dir_fd=above, dst_dir_fd=above)
        raise


def rename(old: str, new: str, old_fd: int, new_fd: int) -> None:
    """Rename to a free name where the file system has no call for it."""
    if not stat.S_ISDIR(os.stat(old, dir_fd=old_fd, follow_symlinks=False).st_mode):
        try:
            os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        else:
            # RACE: the old name may be given to another file here; worst case that newer file is removed.
            os.unlink(old, dir_fd=old_fd)
            return
    try:
        os.stat(new, dir_fd=new_fd, follow_symlinks=False)
    except FileNotFoundError:
        # RACE: the new name may be taken here; worst case the file that took it is overwritten.
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
