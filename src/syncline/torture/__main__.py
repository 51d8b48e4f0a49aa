"""`python -m syncline.torture`: lets the random tester run, and says what it found."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from syncline.torture import planner
from syncline.torture.case import Case, drawn
from syncline.torture.forked import run_forked, run_spawned
from syncline.torture.inside import run_here
from syncline.torture.oracle import Broken
from syncline.torture.play import play
from syncline.torture.shrink import shrunk
from syncline.torture.world import Run

RUNS: dict[str, Run] = {"L1": run_here, "L2": run_forked, "L3": run_spawned}
LAYERS = ("L0", *RUNS)


@dataclass(slots=True)
class Tally:
    """What a series of cases came to: cases played, and the failing ones, made small, with what was broken."""

    cases: int = 0
    seconds: float = 0.0
    failures: list[tuple[Case, str]] = field(default_factory=list)
    promises: Counter[str] = field(default_factory=Counter)


def broken(case: Case, top: str) -> tuple[str, str] | None:
    """The promise that a case breaks, and how; None when all are kept."""
    try:
        if case.layer == "L0":
            planner.play(case.seed)
        else:
            play(case, os.path.join(top, "world"), RUNS[case.layer])
    except Broken as found:
        return found.promise, found.detail
    except Exception as error:  # noqa: BLE001  # whatever the engine raises is a finding
        return f"no {type(error).__name__}", traceback.format_exc(limit=-6)
    return None


def series(
    layer: str,
    seed: int,
    cases: int,
    *,
    seconds: float | None = None,
    stop_at: int = 1,
    told: Callable[[Tally], None],
    small: bool = True,
) -> Tally:
    """Play the cases of consecutive seeds until that many cases, seconds or failures; failing ones are made `small`."""
    tally, begun = Tally(), time.monotonic()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # memory, in a folder of our own
    top = tempfile.mkdtemp(prefix="syncline-torture-", dir=place)
    try:
        for number in range(seed, seed + cases):
            case = drawn(number, layer)
            found = broken(case, top)
            tally.cases += 1
            if found is not None:
                promise = found[0]
                if small and layer not in ("L0", "L3"):
                    case = shrunk(case, partial(_breaks, top=top, promise=promise))
                    found = broken(case, top) or found
                tally.failures.append((case, ": ".join(found)))
                tally.promises[promise] += 1
            tally.seconds = time.monotonic() - begun
            told(tally)
            if len(tally.failures) >= stop_at or (seconds is not None and tally.seconds >= seconds):
                break
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return tally


def _breaks(case: Case, top: str, promise: str) -> bool:
    found = broken(case, top)
    return found is not None and found[0] == promise


@click.command()
@click.option("--seed", default=1, show_default=True, help="The first case; the same seed is the same case.")
@click.option("--cases", default=500, show_default=True, help="How many cases, with consecutive seeds.")
@click.option("--seconds", type=float, help="Stop after so many seconds.")
@click.option("--layer", type=click.Choice(LAYERS), default="L1", show_default=True)
@click.option("--failures", default=1, show_default=True, help="Stop after so many failing cases.")
@click.option("--save", type=click.Path(path_type=Path), help="A folder for the failing cases, as JSON.")
@click.option("--replay", type=click.Path(exists=True, path_type=Path), help="Play one saved case instead.")
def main(
    seed: int, cases: int, seconds: float | None, layer: str, failures: int, save: Path | None, replay: Path | None
) -> None:
    """Test syncline at random: users edit two folders, the engine dies, fails and is disturbed, and after every step
    the promises are checked. Works in a temporary folder and touches nothing else.

    Layers: L0 plans on trees in memory; L1 the engine in this process, dying at any step; L2 the same in a child that
    is really killed; L3 the command line, killed at a random moment.
    """
    if replay is not None:
        raise SystemExit(_replay(replay))
    tally = series(layer, seed, cases, seconds=seconds, stop_at=failures, told=_progress)
    click.echo(file=sys.stderr)
    for case, what in tally.failures:
        click.echo(f"\nseed {case.seed} breaks a promise:\n{what}\n\nmade small, it is:\n{case.to_json()}")
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            (save / f"{case.layer}-{case.seed}.json").write_text(case.to_json())
    rate = tally.cases / max(tally.seconds, 0.001) * 60
    click.echo(
        f"{tally.cases} cases of layer {layer} in {tally.seconds:.1f} s ({rate:.0f} a minute): "
        + (f"{len(tally.failures)} failed" if tally.failures else "every promise was kept")
    )
    raise SystemExit(1 if tally.failures else 0)


def _replay(path: Path) -> int:
    top = tempfile.mkdtemp(prefix="syncline-torture-")
    try:
        found = broken(Case.from_json(path.read_text()), top)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    click.echo("every promise was kept" if found is None else f"{found[0]}: {found[1]}")
    return 0 if found is None else 1


def _progress(tally: Tally) -> None:
    if sys.stderr.isatty() and (tally.cases % 20 == 0 or tally.failures):
        click.echo(f"\r{tally.cases} cases, {len(tally.failures)} failed", nl=False, err=True)


if __name__ == "__main__":
    main()
