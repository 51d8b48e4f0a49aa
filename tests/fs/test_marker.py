"""The marker survives being written, is absent only when it is, and is never guessed."""

from __future__ import annotations

import os

import pytest

from syncline.core.model import Reason
from syncline.errors import PathError
from syncline.fs.marker import Marker, read_marker, write_marker


def test_written_and_read(root, place):
    assert read_marker(root) is None
    assert os.listdir(place) == []
    for generation in (1, 2):
        marker = Marker("5f1c", {"photos": generation, "n\u00e4chtlich": 0})
        write_marker(root, marker)
        assert read_marker(root) == marker
    assert root.names(".syncline") == ["root.json", "staging"]
    assert root.names(".syncline/staging") == []
    assert root.listing("") == (b"", [])


def test_what_a_killed_run_staged_is_in_nobodys_way(root, place):
    write_marker(root, Marker("a", {}))
    root.create(".syncline/staging/new-root.json").finish(mtime_ns=None, mode=None)
    write_marker(root, Marker("b", {}))
    assert read_marker(root) == Marker("b", {})


DAMAGED = {
    "empty": b"",
    "half": b'{"id": "x", "jo',
    "no JSON": b"\x00\xff",
    "not an object": b"[]",
    "no id": b'{"jobs": {}}',
    "empty id": b'{"id": "", "jobs": {}}',
    "no jobs": b'{"id": "x"}',
    "a generation that is text": b'{"id": "x", "jobs": {"a": "1"}}',
    "a generation that is true": b'{"id": "x", "jobs": {"a": true}}',
    "a negative generation": b'{"id": "x", "jobs": {"a": -1}}',
    "too deep": b"[" * 100_000,
    "too large": b" " * ((1 << 20) + 1),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_marker_is_told(root, place, data):
    os.mkdir(f"{place}/.syncline")
    with open(f"{place}/.syncline/root.json", "wb") as file:
        file.write(data)
    with pytest.raises(PathError, match="marker of this root is damaged") as caught:
        read_marker(root)
    assert caught.value.reason == Reason.UNREADABLE


def test_a_marker_that_is_a_link_is_none_of_ours(root, place):
    os.mkdir(f"{place}/.syncline")
    os.symlink("/etc/hostname", f"{place}/.syncline/root.json")
    with pytest.raises(PathError):
        read_marker(root)
