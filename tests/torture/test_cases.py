"""The random tester at work: some cases of every layer, the failures of the past, and the tester's own promises.

`SYNCLINE_LONG=1` plays twenty times as many cases.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from syncline.torture.__main__ import Tally, broken, main, series
from syncline.torture.case import Case, drawn
from syncline.torture.play import play
from syncline.torture.shrink import shrunk

TIMES = 20 if os.environ.get("SYNCLINE_LONG") == "1" else 1
REGRESS = sorted((Path(__file__).parent / "regress").glob("*.json"))


def quiet(tally: Tally) -> None:
    """Nobody watches."""


@pytest.mark.parametrize(
    ("layer", "seed", "cases"),
    [("L0", 1, 2000), ("L1", 1, 110), ("L1", 1_000_001, 110), ("L2", 1, 40), ("L3", 1, 3)],
)
def test_every_promise_is_kept(layer: str, seed: int, cases: int) -> None:
    tally = series(layer, seed, cases * TIMES, told=quiet)
    shown = [f"{what}\n{case.to_json()}" for case, what in tally.failures]
    assert not shown, "\n".join(shown)
    assert tally.cases == cases * TIMES


@pytest.mark.parametrize("path", REGRESS, ids=[path.stem for path in REGRESS])
def test_what_failed_once(path: Path, tmp_path: Path) -> None:
    found = broken(Case.from_json(path.read_text("utf-8")), str(tmp_path))
    assert found is None, ": ".join(found or ())


@pytest.mark.parametrize("seed", [3, 17, 29, 131])
def test_the_same_seed_is_the_same_journal(seed: int, tmp_path: Path) -> None:
    assert drawn(seed) == drawn(seed)
    assert play(drawn(seed), str(tmp_path / "one")) == play(drawn(seed), str(tmp_path / "two"))


def test_a_case_survives_its_file() -> None:
    for seed in range(50):
        assert Case.from_json(drawn(seed).to_json()) == drawn(seed)


def test_a_case_is_made_small() -> None:
    case = Case(1, ops=tuple(["mkdir", "left", str(number)] for number in range(40)))
    culprits = (["mkdir", "left", "7"], ["mkdir", "left", "31"])
    small = shrunk(case, lambda other: all(op in other.ops for op in culprits))
    assert small.ops == culprits


def test_on_the_command_line(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["--layer", "L1", "--cases", "3"])
    assert shown.exit_code == 0
    assert "3 cases of layer L1" in shown.output
    assert "every promise was kept" in shown.output
    (tmp_path / "case.json").write_text(drawn(1).to_json())
    assert CliRunner().invoke(main, ["--replay", str(tmp_path / "case.json")]).exit_code == 0
    assert "Layers" in CliRunner().invoke(main, ["--help"]).output
