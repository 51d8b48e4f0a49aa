"""Who tests the tester: every planted fault is found within a minute; where it was found before is tried first."""

from __future__ import annotations

import pytest

from syncline.torture.__main__ import Tally, series
from tests.torture.faults import FAULTS, planted

LIMIT_S = 60.0

SEEN_AT: dict[str, int] = {}
"""Seeds at which a fault showed itself; only to save time: from anywhere else it is found within the minute too."""


def quiet(tally: Tally) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(name: str) -> None:
    with planted(name):
        tally = series("L1", SEEN_AT.get(name, 1), 100_000, seconds=LIMIT_S, told=quiet)
    assert tally.failures, f"{name} was not found in {tally.cases} cases"
