"""Directories their owner may not write are opened for the change and given their mode back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.core import access
from syncline.core.model import (
    Because,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    RelPath,
    Remove,
    Rename,
    SetProperties,
    Side,
    Trash,
    Why,
)

FILE = Entry(Kind.FILE, 1, 1, 0o644)
WHY = Because(Why.CREATED, Place(Side.LEFT, RelPath("a")), FILE)


def at(path: str) -> Place:
    return Place(Side.RIGHT, RelPath(path))


def directory(mode: int) -> Entry:
    return Entry(Kind.DIRECTORY, mode=mode)


def put(path: str) -> PutFile:
    return PutFile(at(path), None, WHY, FILE, Place(Side.LEFT, RelPath(path)), FILE)


def test_a_closed_directory_is_opened_first_and_closed_last():
    actions = access.opened([put("d/x"), put("d/y")], {at("d"): directory(0o555)})
    first, *middle, last = actions
    assert isinstance(first, SetProperties) and (first.at, first.entry.mode) == (at("d"), 0o755)
    assert middle == [put("d/x"), put("d/y")]
    assert isinstance(last, SetProperties) and (last.at, last.entry.mode) == (at("d"), 0o555)


def test_the_upper_one_is_opened_first_and_closed_last():
    actions = access.opened([put("d/e/x")], {at("d/e"): directory(0o500), at("d"): directory(0o500)})
    assert [action.at.path for action in actions] == ["d", "d/e", "d/e/x", "d/e", "d"]


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o300])
def test_an_open_directory_is_left_alone(mode):
    assert access.opened([put("d/x")], {at("d"): directory(mode)}) == [put("d/x")]


def test_what_goes_is_not_closed_again():
    gone = Remove(at("d"), directory(0o555), WHY)
    actions = access.opened([put("d/x"), gone], {at("d"): directory(0o555)})
    assert [type(action) for action in actions] == [SetProperties, PutFile, Remove]


def test_the_root_keeps_its_mode():
    assert access.opened([put("x")], {at(""): directory(0o555)}) == [put("x")]


def test_a_directory_the_plan_makes_is_not_asked_for():
    made = MakeDirectory(at("new"), None, WHY, directory(0o555))
    assert access.parents([made, put("new/x"), put("old/x")]) == {at(""), at("old")}


CLOSED = directory(0o555)


@pytest.mark.parametrize(
    ("says", "action", "asked"),
    [
        ("into another directory", Rename(at("d/x"), RelPath("e/x"), CLOSED, WHY), {"d", "e", "e/x"}),
        ("within its own", Rename(at("d/x"), RelPath("d/y"), CLOSED, WHY), {"d"}),
        ("a file", Rename(at("d/x"), RelPath("e/x"), FILE, WHY), {"d", "e"}),
        (
            "two that change places",
            Rename(at("d/x"), RelPath("e/y"), CLOSED, WHY, over=CLOSED, swap=True),
            {"d", "e", "d/x", "e/y"},
        ),
        ("to the trash", Trash(at("d/x"), CLOSED, WHY), {"d", "d/x"}),
        ("aside, for a file", replace(put("d/x"), expect=CLOSED), {"d", "d/x"}),
    ],
)
def test_a_directory_that_leaves_its_own_is_opened_too(says, action, asked):
    assert {place.path for place in access.parents([action])} == asked, says


def test_a_directory_that_is_put_aside_is_closed_there():
    aside = replace(put("x"), expect=CLOSED, aside=RelPath("x_clash"))
    first, middle, last = access.opened([aside], {at("x"): CLOSED})
    assert isinstance(first, SetProperties) and first.at == at("x")
    assert middle == aside
    assert isinstance(last, SetProperties) and (last.at, last.entry.mode) == (at("x_clash"), 0o555)


def test_what_goes_to_the_trash_is_not_closed_again():
    actions = access.opened([Trash(at("d"), CLOSED, WHY)], {at("d"): CLOSED})
    assert [type(action) for action in actions] == [SetProperties, Trash]
