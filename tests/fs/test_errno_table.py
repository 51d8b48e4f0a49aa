"""Each errno becomes one error of ours, in words that name the path."""

from __future__ import annotations

import errno
import os

import pytest

from syncline.core.model import Reason
from syncline.errors import PathError, RootLost
from syncline.fs.errno_table import translated

TABLE = [
    # errno, reason (None: the root is lost), a word the message must hold
    (errno.ENOSPC, Reason.NO_SPACE, "space"),
    (errno.EDQUOT, Reason.NO_SPACE, "quota"),
    (errno.EFBIG, Reason.NO_SPACE, "too large for this file system"),
    (errno.EACCES, Reason.UNREADABLE, "permission"),
    (errno.EPERM, Reason.UNREADABLE, "permit"),
    (errno.EIO, Reason.UNREADABLE, "disk"),
    (errno.ESTALE, Reason.UNREADABLE, "server"),
    (errno.EMFILE, Reason.UNREADABLE, "too many files are open in this process"),
    (errno.ENFILE, Reason.UNREADABLE, "too many files are open on this system"),
    (errno.EMLINK, Reason.UNREADABLE, "names"),
    (errno.EINVAL, Reason.UNREADABLE, "Invalid argument"),
    (errno.EBUSY, Reason.BUSY, "in use"),
    (errno.ETXTBSY, Reason.BUSY, "running"),
    (errno.EAGAIN, Reason.BUSY, "in use"),
    (errno.EXDEV, Reason.OTHER_FILE_SYSTEM, "another file system"),
    (errno.ENAMETOOLONG, Reason.IMPOSSIBLE_NAME, "too long"),
    (errno.EILSEQ, Reason.IMPOSSIBLE_NAME, "characters"),
    (errno.ENOENT, Reason.TARGET_CHANGED, "not there"),
    (errno.EEXIST, Reason.TARGET_CHANGED, "taken"),
    (errno.ENOTEMPTY, Reason.TARGET_CHANGED, "not empty"),
    (errno.ENOTDIR, Reason.TARGET_CHANGED, "link or file stands where a directory was"),
    (errno.ELOOP, Reason.TARGET_CHANGED, "link"),
    (errno.EISDIR, Reason.TARGET_CHANGED, "directory stands there"),
    (errno.EROFS, None, "read-only"),
    (errno.ENOTCONN, None, "no longer answers"),
    (errno.ENODEV, None, "gone"),
    (errno.ENXIO, None, "gone"),
    (errno.EDOM, Reason.UNREADABLE, "argument out of domain"),
]


@pytest.mark.parametrize(("number", "reason", "word"), TABLE, ids=[errno.errorcode[row[0]] for row in TABLE])
def test_the_table(number, reason, word):
    error = translated(OSError(number, os.strerror(number)), "a/b", "could not be done", root="/the/root")
    assert word in error.message
    assert os.strerror(number) in error.message
    assert "a/b" in error.message
    if reason is None:
        assert isinstance(error, RootLost)
        assert error.message.startswith("/the/root: ")
        assert error.hint
    else:
        assert isinstance(error, PathError)
        assert (error.reason, error.path) == (reason, "a/b")
        assert error.detail.startswith("could not be done: ")


def test_a_refused_name_is_one_only_where_a_name_is_made():
    error = translated(OSError(errno.EINVAL, ""), "a:b", "could not be created", root="/r", naming=True)
    assert isinstance(error, PathError)
    assert error.reason == Reason.IMPOSSIBLE_NAME


def test_space_says_which_kind_ran_out():
    full = OSError(errno.ENOSPC, "")
    assert "inodes" not in translated(full, "a", "could not be created", root="/r", free_inodes=7).message
    assert "inodes" in translated(full, "a", "could not be created", root="/r", free_inodes=0).message


def test_an_error_without_a_number_keeps_its_words():
    assert "odd thing" in translated(OSError("odd thing"), "a", "could not be read", root="/r").message
