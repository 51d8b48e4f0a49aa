"""script/bench, at a size at which its figures mean nothing: it runs, compares, counts and skips as it says it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import measure, report, trees, works
from bench.tools import Task, Tool, find
from bench.trees import PRIVATE, Shape
from bench.works import NAMES, OURS, WORKS, Settings

ROOT = Path(__file__).resolve().parent.parent
TINY = Shape(40, 5, smallest=0, largest=3000)


def bench(*arguments: str, **environment: str) -> str:
    """What `script/bench` prints, once its packages are installed."""
    whole = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **environment}
    command = [sys.executable, "-m", "bench", "--scale", "0.0003", "--rounds", "1", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(printed: str) -> list[list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line[:1] == "|"]
    return [row for row in cells if row[0] != "program" and not row[0].startswith("-")]


@pytest.mark.slow
def test_every_work_runs_and_every_program_has_figures_or_a_reason() -> None:
    printed = bench("--tool", "rsync", "--tool", "unison", "--tool", "floor")
    assert printed.count("### ") == len(NAMES)
    found = rows(printed)
    assert len([row for row in found if row[0] == OURS and float(row[1].split()[0]) > 0]) == len(NAMES)
    assert {row[0] for row in found} == {OURS, "rsync", "unison", "floor", "python -c pass"}
    for row in found:
        assert row[1].startswith("skipped: not installed (apt install ") or float(row[1].split()[0]) > 0, row


def test_no_edit_is_taken_for_a_version_that_was_never_compared(tmp_path: Path) -> None:
    edits = next(work for work in WORKS if work.name == "edits")
    ground, ours = works._Ground(tmp_path / "ground", edits, TINY, seed=1), find(tmp_path)[OURS]
    ground.prepare(ours, 0)
    ground.run(ours, Task.SYNC)
    assert trees.differences(ground.left, ground.right, contents=True) == []
    assert [path for path in ground.left.rglob("*_clash_*") if PRIVATE not in path.parts] == []


def test_a_program_that_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    found = {row[0]: row[1] for row in rows(bench("--work", "small", "--tool", "rsync", PATH=str(tmp_path)))}
    assert float(found[OURS].split()[0]) > 0
    assert found["rsync"] == "skipped: not installed (apt install rsync)"


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("pass", "the trees differ at "),
        ("raise SystemExit(3)", "ended with 3"),
    ],
)
def test_a_program_that_does_not_do_its_work_has_no_figures(tmp_path: Path, script: str, trouble: str) -> None:
    def command(*_: object) -> list[str]:
        return [sys.executable, "-c", script]

    work = next(work for work in WORKS if work.name == "small")
    settings = Settings(tmp_path, 0.001, 2, 1, lambda _: None)
    found = works.time_work(work, {OURS: Tool(OURS, command)}, settings)
    assert found.rows[0].bad
    assert trouble in found.rows[0].trouble
    assert "WRONG: " in report.table(found)
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_makes_the_same_trees_and_the_same_edits(tmp_path: Path) -> None:
    sides = [tmp_path / name for name in ("one", "two", "three", "four")]
    files = [trees.make(side, TINY, 5) for side in sides]
    assert files[0] == files[1]
    assert trees.differences(sides[0], sides[1], contents=True) == []
    assert trees.edit(sides[0], sides[1], files[0], 5, 0) == trees.edit(sides[2], sides[3], files[0], 5, 0) == 6
    assert len(trees.differences(sides[0], sides[1], contents=True)) >= 6
    for one, two in ((0, 2), (1, 3)):
        for side in (sides[one], sides[two]):
            for path in side.rglob("*.dat"):
                os.utime(path, (1, 1))
        assert trees.differences(sides[one], sides[two], contents=True) == []


@pytest.mark.parametrize(
    ("harm", "contents"),
    [
        (lambda path: path.unlink(), False),
        (lambda path: path.write_bytes(b"other"), False),
        (lambda path: os.utime(path, (1, 1)), False),
        (lambda path: path.with_name("more").mkdir(), False),
        (lambda path: flip(path), True),
    ],
    ids=["missing", "size", "time", "directory", "content"],
)
def test_what_differs_is_found(tmp_path: Path, harm, contents: bool) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    files = trees.make(one, TINY, 1)
    trees.make(two, TINY, 1)
    harm(two / next(path for path in files if (two / path).stat().st_size > 10))
    assert len(trees.differences(one, two, contents=contents)) == 1


def flip(path: Path) -> None:
    status = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_processor_and_memory_of_children_count() -> None:
    child = (
        "import time; data = b'x' * 60_000_000; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = measure.run([sys.executable, "-c", parent], {}, memory=True)
    assert cost.peak_bytes > 60_000_000
    assert cost.cpu_s > 0.3
    assert cost.wall_s > 0.3


def test_figures_take_the_place_of_those_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n", "utf-8")
    for name, text in (("a", "1\n"), ("b", "2\n"), ("a", "3\n")):
        report.put(page, name, text)
    figures = "\n<!-- figures: {0} -->\n\n{1}\n\n<!-- end: {0} -->\n"
    assert page.read_text("utf-8") == "# Title\n" + figures.format("a", 3) + figures.format("b", 2)
