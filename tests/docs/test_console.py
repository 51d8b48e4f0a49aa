"""The commands of README.md are run for real and print what it says; the example of python.md runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs import pages
from tests.docs.console import Step, Terminal, general, steps

README = pages.ROOT / "README.md"


def test_the_tour_prints_what_it_says(tmp_path: Path) -> None:
    """After a change of the output: `PYTHONPATH=src:. python -m tests.docs.console README.md`."""
    terminal = Terminal(tmp_path)
    tour = [step for block in steps(README.read_text("utf-8")) for step in block]
    said, printed = [], []
    for step in tour:
        said.append(f"$ {general(step.command)}\n{general(step.output)}")
        printed.append(f"$ {general(step.command)}\n{general(terminal.run(step))}")
    assert printed == said
    assert len(tour) > 15


def test_a_form_hides_only_what_differs_from_run_to_run() -> None:
    told = "in 0.1 s: run 20261120T184500Z-1a2b, plan 0123456789abcdef, a_clash_202611201845.txt, 2026-11-20 18:45, 31"
    assert general(told) == "<seconds>: run <run>, plan <plan>, a_clash_<clash>.txt, <time>, 31"


def test_a_dry_run_leaves_no_trace(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.run(Step("mkdir -p left right && echo one > left/one && echo two > right/two", ""))
    before = everything(terminal.home)
    assert "copy 2 files" in terminal.run(Step("syncline sync left right --dry-run", ""))
    assert "copy 1 file" in terminal.run(Step("syncline mirror left right --dry-run", ""))
    assert everything(terminal.home) == before
    terminal.run(Step("syncline sync left right && echo three > left/three && rm right/two", ""))
    before = everything(terminal.home)
    for command in ("sync left right --dry-run", "plan left-right", "status", "history", "show last", "jobs list"):
        terminal.run(Step(f"syncline {command}", ""))
        assert terminal.code == 0
    assert everything(terminal.home) == before


def everything(top: Path) -> dict[str, tuple[int, ...]]:
    """Every path with what its stat says; of the log only that it is there."""
    found: dict[str, tuple[int, ...]] = {}
    for above, directories, files in os.walk(top):
        for path in [Path(above, name) for name in (*directories, *files)]:
            status = path.lstat()
            told = (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            found[str(path)] = told if path.name != "syncline.log" else (status.st_mode,)
    return found


def test_the_example_of_the_python_page_runs_and_prints_what_it_says() -> None:
    blocks = pages.blocks(pages.read("python.md"))
    (example,) = [block.text for block in blocks if block.language == "python"]
    (printed,) = [block.text for block in blocks if block.language == "text"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env={**os.environ, "PYTHONPATH": str(pages.ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (printed, "")
