"""What is read from the type of a file system, and what a trial finds out."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace

import pytest

from syncline.core.model import Kind
from syncline.core.names import ROOT, NameRules, join
from syncline.fs import probe as probing
from syncline.fs import tried, windows
from syncline.fs.bypath import PathRoot
from syncline.fs.local import LocalRoot
from syncline.fs.locking import STAGING
from syncline.fs.opening import open_root
from syncline.fs.probe import capabilities_of, does_keep, filesystem_id, may_keep, probe
from tests.fs.roots import APPLE, FAT, FORGETFUL, MEMORY, PLAIN, SIMULATED, STRONG, UNLINKED, on_disk, put

COATS = {
    "strong": STRONG,
    "plain": PLAIN,
    "unlinked": UNLINKED,
    "forgetful": FORGETFUL,
    "apple": APPLE,
    "fat": FAT,
    "coarse": replace(STRONG, granularity_ns=1_000_000_000),
}


@pytest.mark.parametrize("coat", COATS.values(), ids=COATS.keys())
def test_a_trial_finds_what_the_root_does(place, coat):
    os.mkdir(place)
    root = PathRoot(place, coat)
    root.lock()
    before = on_disk(place)
    assert probe(root) == coat
    assert probe(root) == coat
    assert on_disk(place) == before
    root.close()


@pytest.mark.root
def test_whether_owners_can_be_set_is_tried(place):
    os.mkdir(place)
    root = LocalRoot(place, STRONG)
    root.lock()
    before = on_disk(place)
    assert may_keep(root, "owner")
    assert not does_keep(root, "owner"), "a root that is not asked to keep owners keeps none"
    root.trust(replace(STRONG, owner=True))
    assert does_keep(root, "owner")
    os.chown(place, 65534, 65534)
    for above, folders, files in os.walk(place):
        for name in folders + files:
            os.chown(os.path.join(above, name), 65534, 65534)
    os.seteuid(65534)
    try:
        assert not may_keep(root, "owner")
        assert not does_keep(root, "owner")
    finally:
        os.seteuid(0)
    root.trust(replace(STRONG, filesystem="vfat"))
    assert not may_keep(root, "owner")
    assert on_disk(place) == before
    root.close()


def test_whether_attributes_of_windows_can_be_set_is_tried(place, monkeypatch):
    os.mkdir(place)
    root = LocalRoot(place, STRONG)
    root.lock()
    before = on_disk(place)
    assert not may_keep(root, "windows"), "no driver of NTFS"
    root.trust(replace(STRONG, windows=True))
    assert not does_keep(root, "windows")
    monkeypatch.setattr(windows, "ATTRIBUTE", SIMULATED)
    os.setxattr(place, SIMULATED, bytes(4))
    assert may_keep(root, "windows")
    assert does_keep(root, "windows")
    root.trust(STRONG)
    assert not does_keep(root, "windows"), "a root that is not asked to keep them keeps none"
    assert on_disk(place) == before
    root.close()


def test_whether_attributes_can_be_set_is_tried(place, monkeypatch):
    os.mkdir(place)
    root = LocalRoot(place, STRONG)
    root.lock()
    before = on_disk(place)
    assert may_keep(root, "xattr")
    assert not does_keep(root, "xattr"), "a root that is not asked to keep attributes keeps none"
    root.trust(replace(STRONG, xattr=True))
    assert does_keep(root, "xattr")

    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    assert may_keep(root, "xattr")
    assert not does_keep(root, "xattr")
    monkeypatch.setattr(os, "getxattr", refuse)
    assert not may_keep(root, "xattr")
    assert on_disk(place) == before
    root.close()


def test_a_trial_mends_a_table_that_says_too_much_or_too_little(place):
    os.mkdir(place)
    root = LocalRoot(place, replace(PLAIN, hard_links=False, symlinks=False, names=NameRules(fold_case=True)))
    found = probe(root)
    assert (found.exchange, found.no_replace, found.hard_links) == (True, True, True)
    assert not found.names.fold_case
    root.close()


def test_a_trial_clears_what_a_killed_one_left(place):
    os.mkdir(place)
    root = LocalRoot(place)
    root.lock()
    for number in (os.getpid(), 1):
        stale = join(STAGING, f"new-probe-{number}")
        root.make_directory(stale)
        put(root, f"{stale}/one")
        root.make_directory(join(stale, "inner"))
        put(root, f"{stale}/inner/two")
    assert probe(root).exchange
    assert root.names(STAGING) == []
    root.close()


MOUNTS = [
    ("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw", ("/", "ext4", "/dev/vda")),
    (r"40 27 8:1 / /media/my\040stick rw shared:3 - vfat /dev/sda1 rw", ("/media/my stick", "vfat", "/dev/sda1")),
    ("41 27 0:50 / /mnt/nas rw master:1 propagate_from:2 - nfs4 nas:/export rw", ("/mnt/nas", "nfs4", "nas:/export")),
    ("damaged", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "mount"), MOUNTS)
def test_a_line_of_mountinfo(line, mount):
    parsed = probing._parsed(line)
    assert (parsed and (parsed.point, parsed.kind, parsed.source)) == mount


WEAK = [
    # type, inode, mode, exchange, step of its times in seconds
    ("vfat", False, False, False, 2),
    ("exfat", False, False, False, 2),
    ("fuseblk", False, False, False, 2),
    ("nfs4", False, True, False, 1),
    ("cifs", False, False, False, 1),
    ("fuse.sshfs", False, True, False, 1),
    ("never heard of", False, True, False, 1),
    ("ext4", True, True, True, 0.01),
    ("btrfs", True, True, True, 0.01),
]


@pytest.mark.parametrize(("kind", "inode", "mode", "exchange", "step_s"), WEAK)
def test_the_table_of_types(kind, inode, mode, exchange, step_s):
    known = probing._TABLE.get(kind, probing._NETWORK)
    assert (known.inode, known.mode, known.exchange) == (inode, mode, exchange)
    assert known.granularity_ns == step_s * 1e9


@pytest.mark.skipif(not os.path.isdir(MEMORY), reason="no tmpfs here")
def test_the_deepest_mount_counts():
    assert capabilities_of(MEMORY).filesystem == "tmpfs"
    assert capabilities_of(f"{MEMORY}/not/there/yet").filesystem == "tmpfs"
    assert capabilities_of("/").filesystem != "tmpfs"


def test_an_identity_is_the_same_twice_or_empty(place):
    os.mkdir(place)
    assert filesystem_id(place) == filesystem_id(os.path.dirname(place))
    assert filesystem_id("/proc") == ""


def test_a_root_is_opened_by_descriptors_where_there_are_any(place):
    os.mkdir(place)
    root = open_root(place)
    assert isinstance(root, LocalRoot)
    entry = root.entry(ROOT)
    assert entry is not None and entry.kind is Kind.DIRECTORY
    root.close()


DAMAGED = {
    "another file system": lambda found: {**found, "filesystem": "another"},
    "a field less": lambda found: {name: value for name, value in found.items() if name != "inode"},
    "a field more": lambda found: {**found, "later": True},
    "a wrong type": lambda found: {**found, "granularity_ns": "2 s"},
    "wrong names": lambda found: {**found, "names": {**found["names"], "forbidden": 7}},
    "no object": lambda found: [found],
}


def test_what_a_trial_found_is_recalled(place):
    os.mkdir(place)
    root = PathRoot(place, FAT)
    root.lock()
    assert tried.recall(root) == FAT
    found = replace(FAT, granularity_ns=1_000_000_000, names=replace(FAT.names, max_bytes=765, max_units=255))
    for _ in range(2):
        tried.note(root, found)
        assert tried.recall(root) == found
    tried.note(root, FAT)
    assert tried.recall(root) == FAT
    assert root.names(STAGING) == []
    root.close()


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=list(DAMAGED))
def test_what_does_not_fit_is_not_believed(place, damage):
    os.mkdir(place)
    root = PathRoot(place, FAT)
    root.lock()
    tried.note(root, replace(FAT, granularity_ns=1))
    path = os.path.join(place, ".syncline/tried.json")
    with open(path) as stream:
        found = json.load(stream)
    for text in (json.dumps(damage(found)), "", "{", "\0"):
        with open(path, "w") as stream:
            stream.write(text)
        assert tried.recall(root) == FAT
    root.close()
