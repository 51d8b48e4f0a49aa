"""Reasons not to start: each below, at and above its bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncline.core import plan
from syncline.core.guard import STAGING_RESERVE_BYTES, Limits, Situation, objections
from syncline.core.model import Guard, Objection, Side
from syncline.core.policy import Extras
from tests.core.world import rules, world

CALM = Situation(
    job="job",
    names={Side.LEFT: "left", Side.RIGHT: "right"},
    roots={Side.LEFT: "/l", Side.RIGHT: "/r"},
    remembered_files=100,
    remembered_bytes=1000,
    changed={Side.LEFT: 0, Side.RIGHT: 0},
    free_bytes={Side.LEFT: None, Side.RIGHT: None},
    free_inodes={Side.LEFT: None, Side.RIGHT: None},
    mirror=False,
    first=False,
    source_empty=False,
    target_empty=False,
    limits=Limits(),
)


def _of(left: str, right: str, base: str | None = None, extras: Extras | None = None, **seen: Any) -> list[Objection]:
    made = world(base, left, right, rules(extras=extras))
    return objections(made.plan().actions, "the-id", replace(CALM, **seen))


def _deleting(number: int, **seen: Any) -> list[Guard]:
    text = " ".join(f"f{index}=1" for index in range(number))
    return [found.guard for found in _of("", text, text, **seen)]


@pytest.mark.parametrize(
    ("number", "remembered", "stopped"),
    [
        (25, 25, False),
        (26, 26, True),
        (26, 259, True),
        (26, 260, False),
        (30, 300, False),
        (31, 300, True),
        (100, 100, True),
        (1, 1, False),
    ],
)
def test_deletions_stop_above_25_and_above_a_tenth(number: int, remembered: int, stopped: bool) -> None:
    found = _deleting(number, remembered_files=remembered, remembered_bytes=10**9)
    assert found == ([Guard.TOO_MANY_DELETES] if stopped else [])


def test_a_tenth_of_the_bytes_counts_as_well() -> None:
    assert _deleting(26, remembered_files=10_000, remembered_bytes=259) == [Guard.TOO_MANY_DELETES]
    assert _deleting(26, remembered_files=10_000, remembered_bytes=260) == []


@pytest.mark.parametrize(
    ("limits", "number", "stopped"),
    [
        (Limits(None, 10.0), 11, True),
        (Limits(None, 10.0), 10, False),
        (Limits(5, None), 6, True),
        (Limits(5, None), 5, False),
        (Limits(None, None), 100, False),
        (Limits(0, 0.0), 1, True),
        (Limits(0, 50.0), 50, False),
        (Limits(0, 50.0), 51, True),
    ],
)
def test_limits_can_be_set_and_switched_off(limits: Limits, number: int, stopped: bool) -> None:
    assert bool(_deleting(number, limits=limits, remembered_bytes=10**9)) == stopped


def test_files_in_a_directory_that_goes_whole_are_counted() -> None:
    text = " ".join(f"d/f{index}=1" for index in range(26))
    (found,) = _of("", text, text)
    assert (found.guard, found.approve) == (Guard.TOO_MANY_DELETES, "the-id")
    assert "26 of 100 files" in found.detail
    assert "/r" in found.detail
    assert "--approve the-id" in found.remedy


def test_replacements_and_conflicts_are_no_deletions() -> None:
    base = " ".join(f"f{index}=1" for index in range(60))
    left = " ".join(f"f{index}=2@9" for index in range(60))
    right = " ".join(f"f{index}=3@40" for index in range(30)) + " " + " ".join(f"f{index}=1" for index in range(30, 60))
    assert _of(left, right, base) == []


def test_nothing_remembered_cannot_be_deleted_in_mass() -> None:
    assert _deleting(50, remembered_files=0, remembered_bytes=0) == []


@pytest.mark.parametrize(
    ("changed", "remembered", "stopped"), [(25, 25, False), (26, 26, True), (26, 27, False), (200, 100, True)]
)
def test_every_file_changed_at_once_stops(changed: int, remembered: int, stopped: bool) -> None:
    found = _of("a=1", "", changed={Side.LEFT: changed, Side.RIGHT: 0}, remembered_files=remembered)
    assert [item.guard for item in found] == ([Guard.ALL_CHANGED] if stopped else [])


def test_only_contents_count_as_changed() -> None:
    made = world("a=1 b=1 c=1 d=1 l->a", "a=2 b=1@9 c=1:600 d=1~ l->b", "a=1 b=1 c=1 d=3", rules())
    assert made.want().changed == {Side.LEFT: 1, Side.RIGHT: 1}


def test_an_empty_source_is_no_reason_to_empty_the_target() -> None:
    (found,) = _of("", "a=1", "a=1", Extras.TRASH, mirror=True, source_empty=True)
    assert found.guard is Guard.SOURCE_EMPTY
    assert _of("", "", "", Extras.TRASH, mirror=True, source_empty=True, target_empty=True) == []
    assert _of("", "a=1", "a=1", mirror=False, source_empty=True) == []


@pytest.mark.parametrize("extras", [Extras.TRASH, Extras.DELETE])
def test_a_first_mirror_asks_before_anything_goes(extras: Extras) -> None:
    (found,) = _of("a=1", "a=1 b=1 c/d=1", None, extras, mirror=True, first=True)
    assert found.guard is Guard.FIRST_MIRROR_EXTRAS
    assert "(2 files)" in found.detail
    assert _of("a=1", "a=1 b=1", None, extras, mirror=True, first=False) == []
    assert _of("a=1", "b=1", None, Extras.KEEP, mirror=True, first=True) == []


def test_a_first_mirror_asks_before_a_directory_gives_way_to_a_file() -> None:
    (found,) = _of("a=1", "a/b=1 a/c=1", None, Extras.TRASH, mirror=True, first=True)
    assert found.guard is Guard.FIRST_MIRROR_EXTRAS


@pytest.mark.parametrize(("free", "stopped"), [(0, True), (99, True), (100, False), (101, False)])
def test_too_little_space(free: int, stopped: bool) -> None:
    room = {Side.LEFT: None, Side.RIGHT: STAGING_RESERVE_BYTES + free}
    found = _of("a=1#60 b=1#40", "", free_bytes=room)
    assert [item.guard for item in found] == ([Guard.NO_SPACE] if stopped else [])
    assert all(item.approve is None for item in found)
    for item in found:  # the numbers say why, and nothing is advised that may be impossible
        assert (
            f"{STAGING_RESERVE_BYTES + free} bytes are free, and the run needs {STAGING_RESERVE_BYTES}" in item.detail
        )
        assert "trash empty" not in item.remedy


@pytest.mark.parametrize(("free", "stopped"), [(2, True), (3, False)])
def test_too_few_inodes(free: int, stopped: bool) -> None:
    found = _of("d/a=1 l->a", "", free_inodes={Side.LEFT: None, Side.RIGHT: free})
    assert [item.guard for item in found] == ([Guard.NO_SPACE] if stopped else [])


def test_a_full_disk_does_not_stop_deletions() -> None:
    assert _of("", "a=1", "a=1", free_bytes={Side.LEFT: 0, Side.RIGHT: 0}) == []


def test_the_guards_of_both_sides_speak() -> None:
    made = world("a=1", "a=1 b=1", "a=1 c=1", rules())
    room = replace(CALM, free_bytes={Side.LEFT: 0, Side.RIGHT: 0})
    found = objections(made.plan().actions, "id", room)
    assert [item.detail.split("(")[0].split()[-1] for item in found] == ["left", "right"]
    assert plan.size_of(made.plan().actions[0]) == 1
