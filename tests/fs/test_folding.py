"""A root that takes several spellings for one name: what stands keeps its spelling, and no second one joins it."""

from __future__ import annotations

import os

import pytest

from syncline.core.model import Reason
from syncline.errors import PathError
from syncline.fs.bypath import PathRoot
from tests.fs.roots import APPLE, FAT, content, on_disk, put

PAIRS = {
    "case": (FAT, "Name", "nAME"),
    "case with umlauts": (FAT, "\u00c4rger", "\u00e4RGER"),
    "sharp s": (FAT, "stra\u00dfe", "STRASSE"),
    "composed": (APPLE, "caf\u00e9", "cafe\u0301"),
    "composed, and case": (APPLE, "CAF\u00c9", "cafe\u0301"),
}


@pytest.fixture(params=PAIRS.values(), ids=list(PAIRS))
def folded(request, place):
    capabilities, one, other = request.param
    os.mkdir(place)
    root = PathRoot(place, capabilities)
    yield root, one, other
    root.close()


def taken(call, *arguments):
    with pytest.raises(PathError) as caught:
        call(*arguments)
    assert caught.value.reason == Reason.TARGET_CHANGED


def test_every_spelling_finds_the_name(folded):
    root, one, other = folded
    root.make_directory(one)
    put(root, f"{other}/{one}", b"x")
    assert root.entry(other) == root.entry(one)
    assert root.listing(other) == root.listing(one)
    assert root.names(other) == [one]
    assert content(root, f"{other}/{other}") == b"x"
    root.remove(f"{one}/{other}")
    root.remove_directory(other)
    assert root.names("") == []


def test_a_taken_name_is_taken_in_every_spelling(folded, place):
    root, one, other = folded
    put(root, one, b"first")
    put(root, "third", b"third")
    taken(root.create, other)
    taken(root.make_directory, other)
    taken(root.rename, "third", other)
    taken(root.rename_at_once, "third", other)
    assert on_disk(place) == {one: b"first", "third": b"third"}


def test_a_name_can_be_spelled_anew(folded, place):
    root, one, other = folded
    put(root, one, b"x")
    root.rename(one, other)
    assert on_disk(place) == {other: b"x"}
    root.make_directory("d")
    put(root, f"d/{one}", b"y")
    taken(root.rename, other, f"d/{other}")


def test_replacing_keeps_the_spelling_that_stands(folded, place):
    root, one, other = folded
    put(root, one, b"old")
    put(root, "new", b"new")
    root.replace("new", other)
    assert on_disk(place) == {one: b"new"}
