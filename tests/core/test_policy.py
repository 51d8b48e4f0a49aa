"""Whose version is newer, whose is kept, and how permissions of both sides become one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.core import policy
from syncline.core.model import Agreed, Entry, Kind, Policy, Side
from syncline.core.policy import Ability, Property
from tests.core.trees import SECOND_NS, START_NS
from tests.core.world import rules

L, R = Side.LEFT, Side.RIGHT
DAY = 86_400
NOW = 3600  # what `rules()` takes for now, in seconds after the beginning of time here


def _file(seconds: float = 0, size: int = 1, mode: int = 0o644, ctime_ns: int = 0) -> Entry:
    return Entry(Kind.FILE, size, START_NS + int(seconds * SECOND_NS), mode, ctime_ns)


@pytest.mark.parametrize(
    ("left", "right", "newer"),
    [
        (0, 0, None),
        (2, 0, None),
        (2.001, 0, L),
        (0, 2.001, R),
        (NOW + DAY, 0, L),
        (NOW + DAY + 1, 0, None),
        (0, NOW + DAY + 1, None),
        (315_532_800 - 1_700_000_000, 0, R),
        (315_532_799 - 1_700_000_000, 0, None),
        (0, -1_700_000_000, None),
    ],
)
def test_newer_is_by_time_unless_close_or_implausible(left: float, right: float, newer: Side | None) -> None:
    assert policy.newer(_file(left), _file(right), rules()) is newer


def test_a_coarse_root_makes_wider_ties() -> None:
    coarse = rules(right=Ability(granularity_ns=5 * SECOND_NS))
    assert policy.newer(_file(5), _file(0), coarse) is None
    assert policy.newer(_file(5.1), _file(0), coarse) is L


@pytest.mark.parametrize(
    ("chosen", "plain", "tie"),
    [
        (Policy.KEEP_BOTH, R, L),
        (Policy.NEWEST, R, L),
        (Policy.OLDEST, L, L),
        (Policy.LARGEST, L, L),
        (Policy.SMALLEST, R, L),
        (Policy.LEFT, L, L),
        (Policy.RIGHT, R, R),
        (Policy.HOLD, None, None),
    ],
)
def test_every_policy_has_a_winner_and_a_tie_goes_to_left(chosen: Policy, plain: Side, tie: Side) -> None:
    assert policy.winner(chosen, _file(0, 9), _file(10, 3), rules()) is plain
    assert policy.winner(chosen, _file(0, 9), _file(0, 9), rules()) is tie


def _base(left: int = 0o644, right: int = 0o644) -> Agreed:
    return Agreed("a", "a", _file(mode=left), _file(mode=right))


@pytest.mark.parametrize(
    ("base", "left", "right", "mode"),
    [
        (_base(), 0o644, 0o644, Property(0o644, 0o644)),
        (_base(), 0o600, 0o644, Property(0o600, 0o600)),
        (_base(), 0o644, 0o600, Property(0o600, 0o600)),
        (_base(), 0o600, 0o600, Property(0o600, 0o600)),
        (_base(), 0o600, 0o755, Property(0o600, 0o600, True, L)),
        (None, 0o600, 0o755, Property(0o600, 0o600, True, L)),
        (_base(0o644, 0o600), 0o644, 0o600, Property(0o644, 0o600)),
        (_base(0o644, 0o600), 0o755, 0o600, Property(0o755, 0o755)),
    ],
)
def test_a_mode_is_merged_with_what_was_agreed(base: Agreed | None, left: int, right: int, mode: Property) -> None:
    assert policy.merge_property("mode", base, _file(mode=left), _file(mode=right), Policy.NEWEST, rules()) == mode


@pytest.mark.parametrize(
    ("base", "left", "right", "merged"),
    [
        ((b"1", b"1"), b"1", b"2", Property(b"2", b"2")),
        ((b"1", b"1"), b"", b"1", Property(b"", b"")),
        ((b"1", b"1"), b"", b"2", Property(b"", b"", True, L)),
        ((b"1", b"2"), b"1", b"2", Property(b"1", b"2")),
        (None, b"", b"2", Property(b"2", b"2")),
        (None, b"1", b"", Property(b"1", b"1")),
        (None, b"1", b"2", Property(b"1", b"1", True, L)),
        ((None, None), b"", b"2", Property(b"2", b"2")),
        ((None, None), b"1", b"2", Property(b"1", b"1")),
        ((b"1", None), b"1", b"", Property(b"1", b"1")),
        ((b"1", b"1"), None, b"2", Property(None, b"2")),
        ((b"1", b"1"), b"2", None, Property(b"2", None)),
    ],
)
def test_attributes_are_merged_and_none_is_lost_at_a_first_meeting(
    base: tuple[bytes | None, bytes | None] | None, left: bytes | None, right: bytes | None, merged: Property
) -> None:
    able = rules(left=Ability(xattr=True), right=Ability(xattr=True))
    on_left, on_right = replace(_file(), xattr=left), replace(_file(), xattr=right)
    then = None if base is None else [replace(_file(), xattr=each) for each in base]
    agreed = None if then is None else Agreed("a", "a", then[0], then[1])
    assert policy.merge_property("xattr", agreed, on_left, on_right, Policy.NEWEST, able) == merged
    assert policy.merge_property("xattr", agreed, on_left, on_right, Policy.LEFT, rules()) == Property(left, right)


@pytest.mark.parametrize(
    ("base", "left", "right", "merged"),
    [
        ((2, 2), 2, 0, Property(0, 0)),
        ((2, 2), 3, 2, Property(3, 3)),
        ((2, 2), 0, 1, Property(0, 0, True, L)),
        ((0, 2), 0, 2, Property(0, 2)),
        (None, 0, 2, Property(2, 2)),
        (None, 1, 2, Property(1, 1, True, L)),
        ((None, None), 4, 0, Property(4, 4)),
        ((None, None), 1, 2, Property(1, 1)),
        ((2, 2), None, 0, Property(None, 0)),
    ],
)
def test_attributes_of_windows_are_merged_and_none_is_lost_at_a_first_meeting(
    base: tuple[int | None, int | None] | None, left: int | None, right: int | None, merged: Property
) -> None:
    able = rules(left=Ability(windows=True), right=Ability(windows=True))
    on_left, on_right = replace(_file(), windows=left), replace(_file(), windows=right)
    then = None if base is None else [replace(_file(), windows=each) for each in base]
    agreed = None if then is None else Agreed("a", "a", then[0], then[1])
    assert policy.merge_property("windows", agreed, on_left, on_right, Policy.NEWEST, able) == merged
    assert policy.merge_property("windows", agreed, on_left, on_right, Policy.LEFT, rules()) == Property(left, right)


def test_the_later_change_of_status_wins_where_both_roots_keep_it() -> None:
    left, right = _file(mode=0o600, ctime_ns=5), _file(mode=0o755, ctime_ns=6)
    assert policy.merge_property("mode", None, left, right, Policy.NEWEST, rules()).winner is R
    assert policy.merge_property("mode", None, replace(left, ctime_ns=7), right, Policy.NEWEST, rules()).winner is L
    assert policy.merge_property("mode", None, left, right, Policy.NEWEST, rules(left=Ability(ctime=False))).winner is L
    assert policy.merge_property("mode", None, left, right, Policy.LEFT, rules()).winner is L
    assert policy.merge_property("mode", None, right, left, Policy.RIGHT, rules()).winner is R
    assert policy.merge_property("mode", None, left, right, Policy.HOLD, rules()) == Property(0o600, 0o755, True, None)


def test_a_root_without_modes_has_no_say() -> None:
    found = policy.merge_property(
        "mode", _base(), _file(mode=0o600), _file(mode=0o777), Policy.HOLD, rules(right=Ability(mode=False))
    )
    assert found == Property(0o600, 0o777)


@pytest.mark.parametrize(
    ("step_ns", "apart_ns", "same"),
    [
        (1, 0, True),
        (1, 999, True),
        (1, 1000, False),
        (SECOND_NS, 999_999_999, True),
        (SECOND_NS, SECOND_NS, False),
        (2 * SECOND_NS, SECOND_NS, True),
    ],
)
def test_times_are_the_same_as_far_as_both_roots_can_tell(step_ns: int, apart_ns: int, same: bool) -> None:
    given = rules(left=Ability(granularity_ns=step_ns), right=Ability(granularity_ns=1))
    assert policy.same_time(START_NS, START_NS + apart_ns, given) == same
    assert policy.same_time(START_NS + apart_ns, START_NS, given) == same


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (-1, 315_532_800, True),
        (0, 315_532_800 + 50_000, True),  # another zone's first hours
        (315_532_800, 315_532_800 + 100_000, False),
        (8_589_934_592, 4_354_646_400, True),
        (4_354_646_400, 4_350_000_000, False),
        (0, 1_700_000_000, False),
    ],
)
def test_times_that_one_root_cannot_keep_are_level(left: int, right: int, same: bool) -> None:
    dos = Ability(earliest_ns=315_532_800 * SECOND_NS, latest_ns=4_354_646_400 * SECOND_NS)
    for given in (rules(left=dos), rules(right=dos)):
        assert policy.level_time(left * SECOND_NS, right * SECOND_NS, given) == same
        assert policy.level_time(right * SECOND_NS, left * SECOND_NS, given) == same
    assert not policy.level_time(left * SECOND_NS, right * SECOND_NS, rules())
