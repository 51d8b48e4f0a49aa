"""The way down into a tree leads to the same directory, or ends for the same reason, whatever the system can do."""

from __future__ import annotations

import errno
import os

import pytest

from syncline.fs import syscalls
from syncline.fs.directories import Directories

# The names that are followed, and the error that ends the way, None where it leads somewhere. In the tree: the
# directories `a/b/c`, a file `a/file`, links to a directory beside them and to one outside.
WAYS = {
    "one name": ("a", None),
    "several": ("a/b/c", None),
    "the last is not there": ("a/b/x", errno.ENOENT),
    "one in the middle is not there": ("a/x/c", errno.ENOENT),
    "the last is a file": ("a/file", errno.ENOTDIR),
    "one in the middle is a file": ("a/file/c", errno.ENOTDIR),
    "the last is a link to a directory": ("a/link", errno.ENOTDIR),
    "one in the middle is a link to a directory": ("a/link/c", errno.ENOTDIR),
    "the last leads outside": ("a/outside", errno.ENOTDIR),
    "one in the middle leads outside": ("a/outside/d", errno.ENOTDIR),
    "a link to nothing": ("a/dangling", errno.ENOTDIR),
}


@pytest.mark.parametrize("at_once", [True, False], ids=["all names at once", "name by name"])
@pytest.mark.parametrize(("path", "error"), WAYS.values(), ids=WAYS.keys())
def test_where_a_way_leads(place, monkeypatch, path, error, at_once):
    os.makedirs(f"{place}/a/b/c")
    os.makedirs(f"{place}-outside/d")
    open(f"{place}/a/file", "w").close()
    for name, target in (("link", "b"), ("outside", f"{place}-outside"), ("dangling", "nowhere")):
        os.symlink(target, f"{place}/a/{name}")
    if not at_once:
        monkeypatch.setattr(syscalls, "_open", None)
    fd = os.open(place, os.O_RDONLY)
    directories = Directories(fd, os.fstat(fd).st_dev)
    for afresh in (False, True, False):
        found = None
        try:
            found = os.fstat(directories.reach(path.split("/"), afresh=afresh).fd)
        except OSError as met:
            assert met.errno == error
        else:
            assert error is None
            assert os.path.samestat(found, os.lstat(f"{place}/{path}"))
    directories.close()


@pytest.mark.parametrize("at_once", [True, False], ids=["all names at once", "name by name"])
def test_no_way_leads_into_another_file_system(monkeypatch, at_once):
    """What is mounted in `/`: every system has `/proc` or `/dev` so."""
    mounted = next((path for path in ("proc", "dev", "sys") if os.stat(f"/{path}").st_dev != os.stat("/").st_dev), None)
    assert mounted is not None, "nothing is mounted here"
    if not at_once:
        monkeypatch.setattr(syscalls, "_open", None)
    fd = os.open("/", os.O_RDONLY)
    directories = Directories(fd, os.fstat(fd).st_dev)
    with pytest.raises(OSError, match=os.strerror(errno.EXDEV)) as met:
        directories.reach([mounted])
    assert met.value.errno == errno.EXDEV
    directories.close()
