"""What every root promises, on every root: a new one must pass this unchanged.

`root` is each variant of `tests.fs.roots` in turn, `place` its directory on the disk.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from syncline.core import listing
from syncline.core.model import Kind, Reason, RelPath
from syncline.core.names import impossible
from syncline.core.record import kinds
from syncline.errors import PathError, RootLocked
from syncline.fs import windows, xattrs
from syncline.fs.root import Besides
from tests.fs.roots import SIMULATED, content, on_disk, put

AWKWARD = [
    "plain",
    "with space ",
    "-rf",
    "~",
    "new\nline",
    "\x1b[31mred",
    "\u202ertl",
    "quote'\"",
    "*?:",
    "dot.",
    "caf\u00e9",
    "cafe\u0301",
    "\udcff\udcfe",
    "n" * 255,
    "\u00e9" * 127,
    ".syncline2",
    "CON",
]


def seen(root, path="") -> dict:
    found = root.listing(RelPath(path))
    payload = None if found is None else found[0]
    assert payload is not None
    return listing.unpack(payload)


def refused(reason, call, *arguments, **named) -> PathError:
    with pytest.raises(PathError) as caught:
        call(*arguments, **named)
    assert caught.value.reason == reason, caught.value
    assert caught.value.detail
    return caught.value


def possible(root, name) -> bool:
    return impossible(name, root.capabilities.names) is None


# entry, listing, names


def test_a_file_is_what_was_written(root, place):
    when = 1_700_000_000_123_456_789
    entry = put(root, "a", b"hello", mtime_ns=when, mode=0o640)
    step = root.capabilities.granularity_ns
    assert (entry.kind, entry.size) == (Kind.FILE, 5)
    assert entry.mtime_ns == (when if step < 1_000_000_000 else when - when % step)
    assert entry.mode == (0o640 if root.capabilities.mode else 0o666)
    assert (entry.inode != 0, entry.ctime_ns != 0) == (root.capabilities.inode, root.capabilities.ctime)
    assert root.entry("a") == entry == seen(root)["a"]
    assert content(root, "a") == b"hello"


def test_a_directory_has_no_size_and_no_times(root):
    entry = root.make_directory("d", 0o750)
    assert (entry.kind, entry.size, entry.mtime_ns, entry.ctime_ns) == (Kind.DIRECTORY, 0, 0, 0)
    assert entry.mode == (0o750 if root.capabilities.mode else 0o777)
    assert root.entry("d") == entry == seen(root)["d"]
    assert root.entry("").kind is Kind.DIRECTORY


def test_special_files_are_named_but_never_opened(root, place):
    os.mkfifo(f"{place}/fifo")
    unix = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(place)
    try:
        unix.bind("socket")
    finally:
        os.chdir(here)
        unix.close()
    for name in ("fifo", "socket"):
        assert root.entry(name).kind is Kind.SPECIAL
        assert seen(root)[name] == root.entry(name)
        began = time.monotonic()
        refused(Reason.SPECIAL_FILE, root.open, name)
        refused(Reason.SPECIAL_FILE, root.set_properties, name, expect=root.entry(name), mtime_ns=1, mode=0o600)
        assert time.monotonic() - began < 1
    root.flush(["fifo", "socket"])


ABSENT = {
    "no such name": "missing",
    "no such directory": "missing/deeper/still",
    "below a file": "file/x",
    "below a file, deeper": "file/x/y",
    "below a link to a directory": "link/secret",
    "below a link to a file": "filelink/x",
    "below a dangling link": "dangling/x",
}


@pytest.mark.parametrize("path", ABSENT.values(), ids=ABSENT.keys())
def test_what_is_surely_absent_is_none(root, place, path):
    outside = f"{place}-outside"
    os.mkdir(outside)
    open(f"{outside}/secret", "w").close()
    open(f"{place}/file", "w").close()
    os.symlink(outside, f"{place}/link")
    os.symlink("file", f"{place}/filelink")
    os.symlink("nowhere", f"{place}/dangling")
    assert root.entry(path) is None
    assert root.listing(path) is None
    assert root.names(path) == []
    refused(Reason.TARGET_CHANGED, root.open, path)
    refused(Reason.TARGET_CHANGED, root.read_link, path)


def test_a_listing_of_what_is_no_directory_is_none(root, place):
    open(f"{place}/file", "w").close()
    os.symlink("/", f"{place}/link")
    assert root.listing("file") is None
    assert root.listing("link") is None


def test_an_absence_is_believed_only_when_it_is_one_now(root, place):
    os.makedirs(f"{place}/d/e")
    assert root.entry("d/e/x") is None
    os.rename(f"{place}/d", f"{place}/moved")
    os.makedirs(f"{place}/d/e")
    open(f"{place}/d/e/x", "w").close()
    assert root.entry("d/e/x") is not None


@pytest.mark.root
def test_what_may_not_be_read_is_neither_there_nor_absent(root, place):
    os.makedirs(f"{place}/closed/below")
    os.makedirs(f"{place}/names-only/below")
    os.makedirs(f"{place}/pass-only/below")
    open(f"{place}/locked", "w").close()
    os.chmod(f"{place}/closed", 0)
    os.chmod(f"{place}/names-only", 0o444)
    os.chmod(f"{place}/pass-only", 0o111)
    os.chmod(f"{place}/locked", 0)
    os.seteuid(65534)
    try:
        refused(Reason.UNREADABLE, root.entry, "closed/below")
        refused(Reason.UNREADABLE, root.listing, "closed")
        refused(Reason.UNREADABLE, root.listing, "pass-only")
        refused(Reason.UNREADABLE, root.names, "closed")
        refused(Reason.UNREADABLE, root.open, "locked")
        refused(Reason.UNREADABLE, root.create, "closed/new")
        assert root.entry("pass-only/below").kind is Kind.DIRECTORY
        assert seen(root, "names-only")["below"].kind is Kind.UNKNOWN
        assert "closed" in seen(root)
    finally:
        os.seteuid(0)


def test_listings_are_sorted_and_packed_like_any_other(root, place):
    for name in ("b", "a", "B", "10", "9", "\u00e9", "\udcff", "\U0001f600", "\ufffd"):
        if not os.path.lexists(f"{place}/{name}"):
            with open(f"{place}/{name}", "w") as file:
                file.write(name.encode("utf-8", "replace").decode())
    os.mkdir(f"{place}/dir")
    os.symlink("dir", f"{place}/link")
    payload, _ = root.listing("")
    names = list(listing.unpack(payload))
    assert names == sorted(names)
    assert payload == listing.pack(listing.unpack(payload))
    assert listing.unpack(payload) == {name: root.entry(name) for name in names}


def test_times_no_record_can_hold_are_read_as_the_last_it_can(root, place):
    open(f"{place}/late", "w").close()
    os.utime(f"{place}/late", (32_503_680_000, 32_503_680_000))  # the year 3000
    entry = root.entry("late")
    assert seen(root)["late"] == entry
    assert entry.mtime_ns > 4_000_000_000 * 1_000_000_000


def test_private_directories_are_left_out(root, place):
    os.makedirs(f"{place}/.syncline/staging")
    os.makedirs(f"{place}/other/.syncline/trash")
    open(f"{place}/other/.syncline/root.json", "w").close()
    os.makedirs(f"{place}/users/.syncline")
    open(f"{place}/users/.syncline/notes", "w").close()
    os.makedirs(f"{place}/file")
    open(f"{place}/file/.syncline", "w").close()
    assert set(seen(root)) == {"other", "users", "file"}
    assert seen(root, "other") == {}
    assert set(seen(root, "users")) == {".syncline"}
    assert seen(root, "file")[".syncline"].kind is Kind.FILE
    assert root.names("") == [".syncline", "file", "other", "users"]
    assert root.names("other") == [".syncline"]


@pytest.mark.parametrize("name", AWKWARD, ids=[ascii(name)[:20] for name in AWKWARD])
def test_awkward_names(root, place, name):
    if not possible(root, name):
        refused(Reason.IMPOSSIBLE_NAME, root.create, RelPath(name))
        refused(Reason.IMPOSSIBLE_NAME, root.make_directory, RelPath(name))
        return
    put(root, name, b"1")
    root.make_directory(RelPath("d"))
    root.rename(RelPath(name), RelPath(f"d/{name}"))
    assert list(seen(root, "d")) == [name] == root.names(RelPath("d"))
    assert content(root, f"d/{name}") == b"1"
    root.set_properties(f"d/{name}", expect=root.entry(f"d/{name}"), mtime_ns=4_000_000_000, mode=0o600)
    root.flush([RelPath(f"d/{name}")])
    root.remove(RelPath(f"d/{name}"))
    assert seen(root, "d") == {}


@pytest.mark.parametrize("path", ["..", "a/../b", "/etc", "a//b", "a/", ".", "./a", "a\0b", "\ud800"], ids=ascii)
def test_paths_that_lead_elsewhere_are_refused(root, path):
    for call in (root.entry, root.listing, root.names, root.open, root.create, root.make_directory, root.remove):
        refused(Reason.IMPOSSIBLE_NAME, call, path)
    put(root, "a")
    for call in (root.rename, root.replace, root.link, root.exchange):
        if call == root.link and not root.capabilities.hard_links:
            continue
        refused(Reason.IMPOSSIBLE_NAME, call, "a", path)
        refused(Reason.IMPOSSIBLE_NAME, call, path, "a")


def test_the_root_itself_is_never_changed(root):
    for call in (root.create, root.make_directory, root.remove, root.remove_directory, root.open):
        with pytest.raises(PathError):
            call("")
    with pytest.raises(PathError):
        root.rename("", "x")


def test_a_name_of_256_bytes(root):
    refused(Reason.IMPOSSIBLE_NAME, root.create, "n" * 256)


# reading files and links


def test_a_link_is_read_and_never_followed(root, place):
    os.symlink(b"/etc/pass\xffwd", f"{place}/link")
    assert root.read_link("link") == b"/etc/pass\xffwd"
    assert root.entry("link").kind is Kind.LINK
    refused(Reason.TARGET_CHANGED, root.open, "link")


def test_a_reader_tells_what_the_file_is_now(root, place):
    put(root, "a", b"12345")
    reader = root.open("a")
    assert b"".join(reader.blocks(2)) == b"12345"
    assert b"".join(reader.blocks()) == b"12345"
    with open(f"{place}/a", "ab") as file:
        file.write(b"678")
    assert reader.entry.size == 8
    assert [len(block) for block in reader.blocks(3)] == [3, 3, 2]
    reader.close()
    reader.close()


def test_large_files_come_in_blocks(root, place):
    data = os.urandom(1 << 20) * 6 + b"end"
    put(root, "big", data)
    reader = root.open("big")
    blocks = list(reader.blocks())
    reader.close()
    assert b"".join(blocks) == data
    assert max(len(block) for block in blocks) <= 1 << 20


def test_a_directory_is_no_file(root):
    root.make_directory("d")
    refused(Reason.TARGET_CHANGED, root.open, "d")


# making


def test_a_taken_name_is_never_written_over(root, place):
    put(root, "file", b"old")
    root.make_directory("dir")
    os.symlink("nowhere", f"{place}/link")
    before = on_disk(place)
    for taken in ("file", "dir", "link"):
        refused(Reason.TARGET_CHANGED, root.create, taken)
        refused(Reason.TARGET_CHANGED, root.make_directory, taken)
        if root.capabilities.symlinks:
            refused(Reason.TARGET_CHANGED, root.make_link, taken, b"x")
        if root.capabilities.hard_links and taken != "file":
            refused(Reason.TARGET_CHANGED, root.link, "file", taken)
    assert on_disk(place) == before


def test_nothing_is_made_through_a_link_or_below_a_file(root, place):
    outside = f"{place}-outside"
    os.mkdir(outside)
    open(f"{place}/file", "w").close()
    os.symlink(outside, f"{place}/link")
    os.symlink(place, f"{place}/loop")
    put(root, "a")
    for above in ("link", "file", "loop", "link/deeper", "missing"):
        refused(Reason.TARGET_CHANGED, root.create, f"{above}/x")
        refused(Reason.TARGET_CHANGED, root.make_directory, f"{above}/x")
        refused(Reason.TARGET_CHANGED, root.rename, "a", f"{above}/x")
        refused(Reason.TARGET_CHANGED, root.replace, "a", f"{above}/x")
        refused(Reason.TARGET_CHANGED, root.remove, f"{above}/x")
        refused(Reason.TARGET_CHANGED, root.remove_directory, f"{above}/x")
    assert os.listdir(outside) == []


def test_a_writer_given_up_leaves_nothing(root, place):
    writer = root.create("a")
    writer.write(b"half")
    writer.abandon()
    writer.abandon()
    assert on_disk(place) == {}


def test_a_writer_given_up_spares_what_took_its_name(root, place):
    writer = root.create("a")
    os.unlink(f"{place}/a")
    with open(f"{place}/a", "w") as file:
        file.write("somebody else's")
    writer.abandon()
    assert on_disk(place) == {"a": b"somebody else's"}


def test_a_staged_file_is_only_for_its_owner(root, place):
    mask = os.umask(0)
    try:
        writer = root.create("a")
        assert os.stat(f"{place}/a").st_mode & 0o777 == 0o600
        writer.abandon()
        root.make_directory("d")
        assert os.stat(f"{place}/d").st_mode & 0o777 == 0o700
    finally:
        os.umask(mask)


def test_many_writes_make_one_file(root):
    writer = root.create("a")
    for part in (b"one", memoryview(b"-two"), b"", bytes(3 << 20)):
        writer.write(part)
    assert writer.finish(mtime_ns=None, mode=None).size == 7 + (3 << 20)
    assert content(root, "a")[:7] == b"one-two"


def test_set_id_bits_are_not_carried_and_not_taken(root, place):
    if not root.capabilities.mode:
        return
    assert put(root, "a", mode=0o4755).mode == 0o755
    assert os.stat(f"{place}/a").st_mode & 0o7777 == 0o755
    root.make_directory("shared", 0o755)
    os.chmod(f"{place}/shared", 0o2755)
    root.set_properties("shared", expect=root.entry("shared"), mtime_ns=None, mode=0o775)
    assert os.stat(f"{place}/shared").st_mode & 0o7777 == 0o2775


@pytest.mark.parametrize("target", [b"../up", b"/abs", b"\xff", b"-n", b"a" * 1000, b"new\nline"], ids=ascii)
def test_links_keep_their_text(root, target):
    if not root.capabilities.symlinks:
        assert "symbolic links" in refused(Reason.IMPOSSIBLE_NAME, root.make_link, "l", target).detail
        return
    entry = root.make_link("l", target)
    assert entry.kind is Kind.LINK
    assert root.entry("l") == entry
    assert root.read_link("l") == target


def test_links_no_system_can_hold(root):
    for target in (b"", b"a\0b", b"a" * 5000):
        refused(Reason.IMPOSSIBLE_NAME, root.make_link, "l", target)


# moving


def test_a_rename_takes_only_free_names(root, place):
    put(root, "a", b"a")
    put(root, "b", b"b")
    root.make_directory("d")
    put(root, "d/inside", b"i")
    root.make_directory("empty")
    os.symlink("a", f"{place}/l")
    before = on_disk(place)
    for old, new in [("a", "b"), ("a", "d"), ("a", "l"), ("d", "a"), ("d", "empty"), ("empty", "d"), ("l", "b")]:
        refused(Reason.TARGET_CHANGED, root.rename, old, new)
    refused(Reason.TARGET_CHANGED, root.rename, "missing", "new")
    refused(Reason.TARGET_CHANGED, root.rename, "missing", "b")
    assert on_disk(place) == before
    root.rename("a", "d/a")
    root.rename("l", "d/l")
    root.rename("d", "e")
    assert on_disk(place) == {
        "b": b"b",
        "e": None,
        "e/a": b"a",
        "e/inside": b"i",
        "e/l": b"a",
        "empty": None,
    }
    assert root.entry("d/a") is None
    assert content(root, "e/a") == b"a"


def test_nothing_moves_into_itself(root):
    root.make_directory("d")
    root.make_directory("d/e")
    for call in (root.rename, root.replace, root.exchange):
        refused(Reason.TARGET_CHANGED, call, "d", "d/e/new")
    assert root.entry("d/e") is not None


def test_an_exchange_swaps_two_names(root, place):
    put(root, "a", b"a")
    root.make_directory("d")
    put(root, "d/b", b"b")
    if not root.capabilities.exchange:
        assert "cannot exchange" in refused(Reason.UNREADABLE, root.exchange, "a", "d/b").detail
        return
    root.exchange("a", "d/b")
    assert (content(root, "a"), content(root, "d/b")) == (b"b", b"a")
    root.exchange("a", "d")
    assert root.entry("a").kind is Kind.DIRECTORY
    assert on_disk(place) == {"a": None, "a/b": b"a", "d": b"b"}
    refused(Reason.TARGET_CHANGED, root.exchange, "a", "missing")
    refused(Reason.TARGET_CHANGED, root.exchange, "missing", "a")


def test_replace_moves_over_a_taken_name(root, place):
    put(root, "new", b"new")
    put(root, "old", b"old")
    root.replace("new", "old")
    assert on_disk(place) == {"old": b"new"}
    refused(Reason.TARGET_CHANGED, root.replace, "missing", "old")
    root.make_directory("d")
    refused(Reason.TARGET_CHANGED, root.replace, "old", "d")
    assert on_disk(place) == {"old": b"new", "d": None}


def test_a_link_is_a_second_name(root, place):
    put(root, "a", b"a")
    if not root.capabilities.hard_links:
        refused(Reason.UNREADABLE, root.link, "a", "b")
        return
    root.link("a", "b")
    assert os.path.samefile(f"{place}/a", f"{place}/b")
    refused(Reason.TARGET_CHANGED, root.link, "missing", "c")
    refused(Reason.TARGET_CHANGED, root.link, "a", "b")


def test_a_hard_link_to_a_link_is_not_one_to_its_target(root, place):
    if not root.capabilities.hard_links:
        return
    outside = f"{place}-outside"
    open(outside, "w").close()
    os.symlink(outside, f"{place}/l")
    root.link("l", "m")
    assert os.path.islink(f"{place}/m")
    assert os.stat(outside).st_nlink == 1


# properties


def test_properties_are_set_only_on_what_the_plan_saw(root, place):
    planned = put(root, "a", b"planned", mtime_ns=4_000_000_000)
    entry = root.set_properties("a", expect=planned, mtime_ns=8_000_000_000, mode=0o644)
    assert entry == root.entry("a")
    assert (entry.mtime_ns, entry.mode) == (8_000_000_000, 0o644 if root.capabilities.mode else 0o666)
    refused(Reason.TARGET_CHANGED, root.set_properties, "a", expect=planned, mtime_ns=2, mode=None)
    refused(Reason.TARGET_CHANGED, root.set_properties, "missing", expect=planned, mtime_ns=2, mode=None)
    assert root.entry("a").mtime_ns == 8_000_000_000
    untouched = root.set_properties("a", expect=entry, mtime_ns=None, mode=None)
    assert (untouched.mtime_ns, untouched.mode) == (entry.mtime_ns, entry.mode)


def test_properties_of_directories_and_links(root, place):
    directory = root.make_directory("d", 0o700)
    changed = root.set_properties("d", expect=directory, mtime_ns=None, mode=0o755)
    assert changed.mode == (0o755 if root.capabilities.mode else 0o777)
    outside = f"{place}-outside"
    open(outside, "w").close()
    os.chmod(outside, 0o600)
    os.utime(outside, ns=(1, 1))
    os.symlink(outside, f"{place}/l")
    link = root.set_properties("l", expect=root.entry("l"), mtime_ns=6_000_000_000, mode=0o777)
    assert link.mtime_ns == 6_000_000_000
    status = os.stat(outside)
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o600, 1)


@pytest.mark.root
@pytest.mark.parametrize("mode", [0, 0o200])
def test_the_owner_of_a_file_closed_to_him_may_open_it(root, place, mode):
    if not root.capabilities.mode:
        return
    open(f"{place}/a", "w").close()
    os.chmod(f"{place}/a", mode)
    for path in (f"{place}/a", place):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        entry = root.set_properties("a", expect=root.entry("a"), mtime_ns=4_000_000_000, mode=0o640)
    finally:
        os.seteuid(0)
    assert (entry.mode, entry.mtime_ns) == (0o640, 4_000_000_000)


@pytest.mark.root
def test_owners_are_told_and_set_where_they_are_kept(root, place):
    root.trust(replace(root.capabilities, owner=True))
    alice, bob = 1001 << 32 | 1002, 4_000_000_001 << 32 | 4_000_000_002
    writer = root.create("a")
    writer.write(b"1")
    staged = writer.finish(mtime_ns=4_000_000_000, mode=0o640, besides=Besides(owner=alice))
    made = root.make_directory("d", 0o750, Besides(owner=bob))
    assert (staged.owner, made.owner) == (alice, bob)
    assert staged.mode == (0o640 if root.capabilities.mode else 0o666)
    assert (os.stat(f"{place}/a").st_uid, os.stat(f"{place}/a").st_gid) == (1001, 1002)
    os.chmod(f"{place}/a", 0o4755)
    os.chmod(f"{place}/d", 0o3777)
    changed = root.set_properties("a", expect=root.entry("a"), mtime_ns=None, mode=0o755, besides=Besides(owner=bob))
    assert (changed.owner, changed.mtime_ns) == (bob, 4_000_000_000)
    assert os.stat(f"{place}/a").st_mode & 0o7000 == 0, "nobody gets a set-id program of another"
    assert (
        root.set_properties("d", expect=root.entry("d"), mtime_ns=None, mode=None, besides=Besides(owner=alice)).owner
        == alice
    )
    assert os.stat(f"{place}/d").st_mode & 0o7777 == 0o3777
    os.symlink("a", f"{place}/l")
    os.mkfifo(f"{place}/p")
    root.set_properties("l", expect=root.entry("l"), mtime_ns=None, mode=None, besides=Besides(owner=bob))
    assert os.lstat(f"{place}/l").st_uid == 0
    told = {name: entry.owner for name, entry in listing.unpack(root.listing("")[0]).items()}
    assert told == {"a": bob, "d": alice, "l": None, "p": None}
    assert listing.pack(listing.unpack(root.listing("")[0])) == root.listing("")[0]
    assert root.listing("")[1] == ["d"]
    assert all(root.entry(name).owner == told[name] for name in told)
    root.trust(replace(root.capabilities, owner=False))
    untouched = root.set_properties("a", expect=root.entry("a"), mtime_ns=None, mode=None, besides=Besides(owner=alice))
    assert untouched.owner is None
    assert os.stat(f"{place}/a").st_uid == 4_000_000_001


def test_extended_attributes_are_told_and_set_where_they_are_kept(root, place):
    root.trust(replace(root.capabilities, xattr=True))
    red, both = xattrs.pack({b"user.tag": b"red"}), xattrs.pack({b"user.a\xff": b"\0" * 300, b"user.tag": b""})
    writer = root.create("a")
    writer.write(b"1")
    staged = writer.finish(mtime_ns=4_000_000_000, mode=0o440, besides=Besides(xattr=red))
    made = root.make_directory("d", 0o700, Besides(xattr=both))
    put(root, "n", b"")
    assert (staged.xattr, made.xattr) == (xattrs.digest(red), xattrs.digest(both))
    assert (root.xattrs("a"), root.xattrs("d"), root.xattrs("n")) == (red, both, b"")
    assert os.getxattr(f"{place}/a", "user.tag") == b"red"
    changed = root.set_properties("a", expect=root.entry("a"), mtime_ns=None, mode=None, besides=Besides(xattr=both))
    assert (changed.xattr, changed.mtime_ns) == (xattrs.digest(both), 4_000_000_000)
    reader = root.open("a")
    assert reader.entry.xattr == xattrs.digest(both)
    reader.close()
    emptied = root.set_properties("d", expect=root.entry("d"), mtime_ns=None, mode=None, besides=Besides(xattr=b""))
    assert (emptied.xattr, os.listxattr(f"{place}/d")) == (b"", [])
    os.symlink("a", f"{place}/l")
    os.mkfifo(f"{place}/p")
    told = {name: entry.xattr for name, entry in seen(root).items()}
    assert told == {"a": xattrs.digest(both), "d": b"", "l": None, "n": b"", "p": None}
    assert all(root.entry(name).xattr == told[name] for name in told)
    assert listing.pack(listing.unpack(root.listing("")[0])) == root.listing("")[0]
    assert [name for name, _ in kinds(root.listing("")[0])] == ["a", "d", "l", "n", "p"]
    root.set_properties("l", expect=root.entry("l"), mtime_ns=None, mode=None, besides=Besides(xattr=red))
    assert root.xattrs("a") == both, "a link is not followed"
    root.trust(replace(root.capabilities, owner=True))
    if root.entry("a").owner is not None:
        assert listing.pack(listing.unpack(root.listing("")[0])) == root.listing("")[0]
        assert [name for name, _ in kinds(root.listing("")[0])] == ["a", "d", "l", "n", "p"]
    root.trust(replace(root.capabilities, owner=False, xattr=False))
    untouched = root.set_properties("a", expect=root.entry("a"), mtime_ns=None, mode=None, besides=Besides(xattr=red))
    assert untouched.xattr is None
    assert root.xattrs("a") == b""
    assert os.getxattr(f"{place}/a", "user.tag") == b""


def test_attributes_of_windows_are_told_and_set_where_they_are_kept(root, place, monkeypatch):
    monkeypatch.setattr(windows, "ATTRIBUTE", SIMULATED)

    def word(name):
        return int.from_bytes(os.getxattr(f"{place}/{name}", SIMULATED), "big")

    root.trust(replace(root.capabilities, windows=True))
    writer = root.create("a")
    writer.write(b"1")
    staged = writer.finish(mtime_ns=4_000_000_000, mode=0o640, besides=Besides(windows=3))
    made = root.make_directory("d", 0o700, Besides(windows=4))
    put(root, "n", b"")
    assert (staged.windows, made.windows, word("a")) == (3, 4, 3)
    os.setxattr(f"{place}/a", SIMULATED, bytes([0x80, 0, 0x20, 0x23]))
    changed = root.set_properties("a", expect=root.entry("a"), mtime_ns=None, mode=None, besides=Besides(windows=4))
    assert (changed.windows, changed.mtime_ns, word("a")) == (4, 4_000_000_000, 0x80002024)
    reader = root.open("a")
    assert reader.entry.windows == 4
    reader.close()
    os.symlink("a", f"{place}/l")
    os.mkfifo(f"{place}/p")
    told = {name: entry.windows for name, entry in seen(root).items()}
    assert told == {"a": 4, "d": 4, "l": None, "n": 0, "p": None}
    assert all(root.entry(name).windows == told[name] for name in told)
    root.set_properties("l", expect=root.entry("l"), mtime_ns=None, mode=None, besides=Besides(windows=7))
    assert word("a") == 0x80002024, "a link is not followed"
    root.trust(replace(root.capabilities, owner=True, xattr=True))
    assert root.entry("n").windows == 0
    assert listing.pack(listing.unpack(root.listing("")[0])) == root.listing("")[0]
    assert [name for name, _ in kinds(root.listing("")[0])] == ["a", "d", "l", "n", "p"]
    root.trust(replace(root.capabilities, owner=False, xattr=False, windows=False))
    untouched = root.set_properties("a", expect=root.entry("a"), mtime_ns=None, mode=None, besides=Besides(windows=7))
    assert (untouched.windows, word("a")) == (None, 0x80002024)


# removing, flushing, locking


def test_removals_take_one_thing(root, place):
    put(root, "a")
    root.make_directory("d")
    put(root, "d/x")
    os.symlink("d", f"{place}/l")
    refused(Reason.TARGET_CHANGED, root.remove, "d")
    refused(Reason.TARGET_CHANGED, root.remove_directory, "d")
    refused(Reason.TARGET_CHANGED, root.remove_directory, "a")
    refused(Reason.TARGET_CHANGED, root.remove_directory, "l")
    refused(Reason.TARGET_CHANGED, root.remove, "missing")
    refused(Reason.TARGET_CHANGED, root.remove_directory, "missing")
    root.remove("l")
    root.remove("d/x")
    root.remove_directory("d")
    assert on_disk(place) == {"a": b"content"}
    assert root.entry("d/x") is None


def test_a_flush_takes_files_directories_and_what_has_gone(root, place):
    root.make_directory("d")
    put(root, "d/a")
    os.symlink("a", f"{place}/d/l")
    root.flush([])
    root.flush(["d/a", "d", "", "d/l", "gone", "gone/deeper", "d/a/below"])


def test_the_lock_is_for_one_and_says_for_whom(root, place):
    root.lock()
    root.lock()
    assert os.stat(f"{place}/.syncline").st_mode & 0o777 == 0o700
    assert os.path.isdir(f"{place}/.syncline/staging")
    other = type(root)(place)
    with pytest.raises(RootLocked) as caught:
        other.lock()
    assert f"process {os.getpid()} since 20" in caught.value.holder
    root.close()
    other.lock()
    other.close()


def test_the_lock_dies_with_its_holder(root, place):
    program = (
        "import sys, time\n"
        f"from {type(root).__module__} import {type(root).__name__} as Root\n"
        "root = Root(sys.argv[1]); root.lock(); print('locked', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, place], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder, holder.stdout as lines:
        assert lines.readline() == "locked\n"
        with pytest.raises(RootLocked) as caught:
            root.lock()
        assert f"process {holder.pid} " in caught.value.holder
        holder.kill()
    root.lock()


def test_the_lock_is_not_taken_through_a_link(root, place):
    outside = f"{place}-outside"
    os.mkdir(outside)
    os.symlink(outside, f"{place}/.syncline")
    with pytest.raises(PathError):
        root.lock()
    assert os.listdir(outside) == []


def test_space_and_life(root, place):
    assert root.space().free_bytes > 0
    assert root.alive()
    os.rename(place, f"{place}-moved")
    assert not root.alive()
    os.mkdir(place)
    assert not root.alive()
    os.rmdir(place)
    os.rename(f"{place}-moved", place)
    assert root.alive()


def test_a_root_may_lie_behind_a_link(root, place):
    os.symlink(place, f"{place}-link")
    other = type(root)(f"{place}-link")
    assert other.alive()
    put(other, "a")
    os.unlink(f"{place}-link")
    assert not other.alive()
    assert root.entry("a") is not None
    other.close()


HOLED = {
    "nothing but a hole": ((), 3_000_000),
    "a hole before": (((2_500_000, b"end"),), 2_500_003),
    "a hole behind": (((0, b"begin"),), 5_000_000),
    "data in the middle": (((1_200_000, b"one"), (4_000_000, b"two" * 40_000)), 6_000_000),
    "no hole": (((0, b"x" * 2_000_000),), 2_000_000),
}


@pytest.mark.parametrize("holed", HOLED.values(), ids=list(HOLED))
def test_holes_are_read_as_zeros_and_not_written(root, place, holed):
    parts, size = holed
    expected = bytearray(size)
    with open(f"{place}/from", "wb") as stream:
        for position, data in parts:
            stream.seek(position)
            stream.write(data)
            expected[position : position + len(data)] = data
        stream.truncate(size)
    reader, writer = root.open("from"), root.create("to")
    for block in reader.blocks():
        writer.write(block)
    assert writer.finish(mtime_ns=None, mode=None).size == size
    assert content(root, "from") == content(root, "to") == expected
    assert b"".join(reader.blocks()) == expected  # a second time, from the start
    reader.close()
    with open(f"{place}/to", "rb") as stream:
        assert stream.read() == expected
    written = sum(len(data) for _, data in parts)
    if root.capabilities.holes and os.stat(f"{place}/from").st_blocks * 512 < size:
        assert os.stat(f"{place}/to").st_blocks * 512 < written + 3 * 65_536
