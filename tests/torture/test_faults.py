"""Who tests the tester: every planted fault is found within a minute; where it was found before is tried first."""

from __future__ import annotations

import pytest

from syncline.core import draft, guard
from syncline.torture.__main__ import Tally, series
from tests.plugins import plant
from tests.torture.faults import FAULTS, UNSEEN, planted

LIMIT_S = 60.0

SEEN_AT = {
    "act-before-journal": 73,
    "attributes-left-behind": 41,
    "case-collapse": 45,
    "changing-source-believed": 608,
    "delete-before-copy": 1,
    "done-before-durable": 21,
    "failed-act-remembered": 194,
    "guard-off-by-one": 634,
    "link-followed": 13,
    "missing-fsync": 1,
    "no-clash-file": 39,
    "not-agreed-taken-for-base": 430,
    "old-state-believed": 22,
    "racy-entry-believed": 99,
    "replaced-version-not-kept": 128,
    "retry-without-end": 449,
    "staging-cleared-at-will": 241,
    "stale-plan-applied": 194,
    "state-before-act": 82,
    "trash-name-overwritten": 299,
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


def test_half_of_the_faults_pass_the_ordinary_tests() -> None:
    assert FAULTS.keys() >= UNSEEN
    assert 2 * len(UNSEEN) >= len(FAULTS)


def test_several_faults_are_planted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = draft.Draft.policy, guard._deletions
    monkeypatch.setenv(plant.NAME, "no-clash-file,guard-off-by-one")
    with plant.planted_here():
        faulty = draft.Draft.policy, guard._deletions
    assert [one is other for one, other in zip(sound, faulty, strict=True)] == [False, False]
    assert (draft.Draft.policy, guard._deletions) == sound
