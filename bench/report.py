"""The figures as a table, and the pages they stand in."""

from __future__ import annotations

import os
import platform
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.tools import Tool
from bench.works import OURS, Row, Table


def table(found: Table) -> str:
    """A markdown table; every ratio is ours to theirs, so less is better."""
    ours = next(row for row in found.rows if row.tool == OURS)
    lines = [
        f"### {found.title}",
        "",
        f"{found.on[0].upper()}{found.on[1:]}.",
        "",
        "| program | wall s (least to most) | ratio | reach | CPU s | ratio | peak MB | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(row, ours, found) for row in found.rows]
    return "\n".join(lines) + "\n"


def _row(row: Row, ours: Row, found: Table) -> str:
    if row.trouble or not row.costs:
        what = "WRONG" if row.bad else "skipped"
        trouble = (row.trouble or "not run").splitlines()[0].replace("|", "/")
        return f"| {row.tool} | {what}: {trouble} | | | | | | |"
    walls = [cost.wall_s for cost in row.costs]
    wall = f"{row.wall_s():.3f} ({min(walls):.3f} to {max(walls):.3f})"
    cells = [row.tool, wall, "", "", f"{row.cpu_s():.3f}", "", _megabytes(row.peak_bytes), ""]
    if row is ours:
        if found.reach_bytes is not None and row.peak_bytes:
            verdict = "reached" if row.peak_bytes <= found.reach_bytes else "not reached"
            cells[7] = f"at most {_megabytes(found.reach_bytes)}: {verdict}"
    elif ours.costs and not ours.trouble:
        ratio, aim = ours.wall_s() / row.wall_s(), found.reach.get(row.tool)
        cells[2] = f"{ratio:.2f}"
        cells[3] = "" if aim is None else f"{aim:.2f}: {'reached' if ratio <= aim else 'not reached'}"
        cells[5] = f"{ours.cpu_s() / row.cpu_s():.2f}" if row.cpu_s() else ""
        cells[7] = f"{ours.peak_bytes / row.peak_bytes:.2f}" if row.peak_bytes and ours.peak_bytes else ""
    return f"| {' | '.join(cells)} |"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}" if size else "too short"


def origin(command: str, date: str, tools: Mapping[str, Tool], tables: Sequence[Table], work: Path) -> str:
    """When, by which command, on what machine, with which versions."""
    used = {row.tool for found in tables for row in found.rows if row.costs}
    versions = ", ".join(f"{tool.name} {tool.version}" for tool in tools.values() if tool.name in used)
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {_file_system(work)}"
    text = f"{date}, `{command}`. {machine}; {versions}, Python {platform.python_version()}."
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False) + "\n"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _file_system(path: Path) -> str:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    above = [(len(mount[1]), mount[2]) for mount in mounts if path.resolve().is_relative_to(mount[1])]
    return max(above)[1] if above else "unknown file system"


def put(page: Path, name: str, text: str) -> None:
    """Puts the figures of one work into a page, in the place of those before, or at its end."""
    start, end = f"<!-- figures: {name} -->\n", f"<!-- end: {name} -->\n"
    before = page.read_text("utf-8")
    head, found, tail = before.partition(start)
    after = tail.partition(end)[2] if found else ""
    page.write_text(f"{head}{'' if found else chr(10)}{start}\n{text}\n{end}{after}", "utf-8")
