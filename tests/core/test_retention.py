"""Which versions of a path stay: how many, how long, and how close together."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest

from syncline.core.retention import Span, Version, Versions, step, steps, thinned

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday
H, D = timedelta(hours=1), timedelta(days=1)
HOUR_S, DAY_S = 3_600.0, 86_400.0
DAILY, WEEKLY = ((9 * DAY_S, Span.DAILY),), ((60 * DAY_S, Span.WEEKLY),)
EXAMPLE = Versions(10, 90 * DAY_S, ((DAY_S, Span.ALL), (30 * DAY_S, Span.DAILY), (365 * DAY_S, Span.WEEKLY)))

MONTHS = [40 * D, 41 * D, 50 * D, 91 * D]
TABLE = [
    ("nothing said, nothing goes", Versions(), [1 * H, 500 * D, 5000 * D], set()),
    ("no versions", EXAMPLE, [], set()),
    ("so many, the newest", Versions(keep=2), [1 * H, 2 * H, 3 * H, 4 * H], {2, 3}),
    ("of one moment", Versions(keep=1), [1 * H, 1 * H, 1 * H], {1, 2}),
    ("fewer than so many", Versions(keep=5), [1 * H, 400 * D], set()),
    ("so long, inclusive", Versions(for_s=90 * DAY_S), [89 * D, 90 * D, 90 * D + H], {2}),
    ("all of a day stay", Versions(thin=((DAY_S, Span.ALL),)), [1 * H, 1 * H, 23 * H, 24 * H], set()),
    ("older than the last step goes", Versions(thin=((DAY_S, Span.ALL),)), [23 * H, 25 * H], {1}),
    ("without an end", Versions(thin=((float("inf"), Span.YEARLY),)), [1 * D, 400 * D, 500 * D, 5000 * D], {2}),
    ("the newest of each hour", Versions(thin=((DAY_S, Span.HOURLY),)), [0.1 * H, 0.5 * H, 0.9 * H, 1.1 * H], {1, 2}),
    (
        "the newest of each day",
        Versions(thin=((9 * DAY_S, Span.DAILY),)),
        [1 * H, 11 * H, 13 * H, 35 * H, 37 * H],
        {1, 3},
    ),
    (
        "the newest of each week",
        Versions(thin=WEEKLY),
        [0 * D, 4 * D, 5 * D, 11 * D, 12 * D],
        {1, 3},
    ),
    ("the newest of each month", Versions(thin=((400 * DAY_S, Span.MONTHLY),)), [1 * D, 19 * D, 20 * D, 51 * D], {1}),
    (
        "close by, then thinner",
        EXAMPLE,
        [1 * H, 2 * H, 30 * H, 31 * H, 54 * H, 40 * D, 41 * D, 50 * D, 91 * D],
        {3, 6, 8},
    ),
    (
        "thinned before counted",
        Versions(2, None, DAILY),
        [1 * H, 2 * H, 25 * H, 26 * H, 49 * H],
        {1, 3, 4},
    ),
    ("the newest is what was taken away last, whatever the clock said", Versions(keep=1), [2 * H, 1 * H], {1}),
    ("of each day as well", Versions(thin=DAILY), [2 * H, 1 * H, 25 * H], {1}),
    ("a time to come counts as now", Versions(for_s=0, thin=((0.0, Span.ALL),)), [-5 * D, 0 * D, 1 * H], {2}),
]


@pytest.mark.parametrize(("says", "rule", "ages", "gone"), TABLE, ids=[row[0] for row in TABLE])
def test_which_versions_go(says: str, rule: Versions, ages: list[timedelta], gone: set[int]) -> None:
    versions = [Version(number, NOW - age) for number, age in enumerate(ages)]
    assert thinned(versions, rule, NOW) == gone
    assert thinned(reversed(versions), rule, NOW) == gone


COPIES = [
    ("a copy takes the place of one", 2, "aabc", {3}),
    ("the newest are kept anyway", 3, "aaabc", set()),
    ("of the older, the newest copy", 1, "abab", {1, 2, 3}),
    ("in turn", 2, "ababab", {2, 3, 4, 5}),
    ("without a stamp like no other", 2, "--a-", {2, 3}),
]


@pytest.mark.parametrize(("says", "keep", "stamps", "gone"), COPIES, ids=[row[0] for row in COPIES])
def test_copies_of_one_version_count_once(says: str, keep: int, stamps: str, gone: set[int]) -> None:
    versions = [Version(age, NOW - age * H, None if stamp == "-" else stamp) for age, stamp in enumerate(stamps)]
    assert thinned(versions, Versions(keep=keep), NOW) == gone


def test_a_day_is_one_of_the_calendar_where_the_person_is() -> None:
    zone = timezone(timedelta(hours=-8))
    now = datetime(2026, 11, 20, 12, 0, tzinfo=zone)
    one, other = (Version(-hour, datetime(2026, 11, 19, hour, 30, tzinfo=zone)) for hour in (1, 23))  # two days in UTC
    assert thinned([one, other], Versions(thin=((9 * DAY_S, Span.DAILY),)), now) == {-1}


def test_asking_often_wears_nothing_away() -> None:
    """Asked every five hours for months, the newest version and one of each past week are there in the end."""
    made = [Version(-number, NOW + number * 5 * H) for number in range(400)]
    left: list[Version] = []
    for hour in itertools.count(0, 5):
        now = NOW + hour * H
        left += [version for version in made if now - 5 * H < version.at <= now]
        gone = thinned(left, EXAMPLE_UNCOUNTED, now)
        left = [version for version in left if version.key not in gone]
        assert left[-1].at >= min(now, made[-1].at) - 5 * H, "the newest always stays"
        if now > made[-1].at:
            break
    weeks = {version.at.isocalendar()[:2] for version in made}
    assert {version.at.isocalendar()[:2] for version in left} == weeks


EXAMPLE_UNCOUNTED = Versions(None, None, EXAMPLE.thin)

STEPS = [
    ("30d: daily", (30 * DAY_S, Span.DAILY)),
    (" 1y :Weekly ", (365 * DAY_S, Span.WEEKLY)),
    ("2w:all", (14 * DAY_S, Span.ALL)),
    ("none: yearly", (float("inf"), Span.YEARLY)),
]


@pytest.mark.parametrize(("said", "means"), STEPS)
def test_a_step(said: str, means: tuple[float, Span]) -> None:
    assert step(said) == means


@pytest.mark.parametrize(
    "said", [["daily"], ["30d"], ["30d: often"], ["30: daily"], ["2d: all", "1d: daily"], ["1d: all"] * 2]
)
def test_what_is_no_step(said: list[str]) -> None:
    with pytest.raises(ValueError, match="step|duration"):
        steps(said)
