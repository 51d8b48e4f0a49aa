"""Who tests the tester: every planted fault is found within a minute; where it was found before is tried first."""

from __future__ import annotations

import pytest

from syncline.torture.__main__ import Tally, series
from tests.torture.faults import FAULTS, planted

LIMIT_S = 60.0

SEEN_AT = {
    "act-before-journal": 9,
    "attributes-left-behind": 41,
    "case-collapse": 5,
    "changing-source-believed": 227,
    "delete-before-copy": 1,
    "done-before-durable": 1,
    "failed-act-remembered": 194,
    "guard-off-by-one": 90,
    "link-followed": 13,
    "missing-fsync": 1,
    "no-clash-file": 1,
    "not-agreed-taken-for-base": 10,
    "old-state-believed": 255,
    "racy-entry-believed": 99,
    "replaced-version-not-kept": 1,
    "retry-without-end": 123,
    "staging-cleared-at-will": 176,
    "stale-plan-applied": 194,
    "state-before-act": 82,
    "trash-name-overwritten": 17,
    "unreadable-taken-for-absent": 146,
    "wrong-base-after-conflict": 20,
}
"""Seeds at which a fault showed itself; only to save time: from anywhere else it is found within the minute too."""


def quiet(tally: Tally) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(name: str) -> None:
    with planted(name):
        tally = series("L1", SEEN_AT.get(name, 1), 100_000, seconds=LIMIT_S, told=quiet, small=False)
    assert tally.failures, f"{name} was not found in {tally.cases} cases"
