"""`script/bench`: times the works asked for and prints their tables."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import report, works
from bench.tools import find
from bench.works import HELP, NAMES, OURS, WORKS, Settings, Table


def main(arguments: list[str]) -> int:
    """Exit status 0, or 1 when a program failed or left two trees that differ."""
    options = _options().parse_args(arguments)
    asked = options.work or NAMES
    with tempfile.TemporaryDirectory(prefix="syncline-bench-", dir=options.where) as top:
        found = find(Path(top))
        tools = {name: tool for name, tool in found.items() if name == OURS or name in (options.tool or found)}
        settings = Settings(Path(top), options.scale, options.rounds, options.seed, _say)
        tables: list[Table] = []
        for name in asked:
            if name == HELP:
                tables.append(works.time_help(settings))
            else:
                work = next(work for work in WORKS if work.name == name)
                tables.append(works.time_work(work, tools, settings))
            _show(tables[-1], report.origin(_command(options, name), _today(), tools, tables[-1:], Path(top)), options)
    return 1 if any(row.bad for table in tables for row in table.rows) else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("script/bench", description="Times syncline beside its peers on the same trees.")
    parser.add_argument("--work", action="append", choices=NAMES, help="only this one; may be repeated")
    parser.add_argument("--tool", action="append", help="besides syncline only this one; may be repeated")
    parser.add_argument("--scale", type=_positive, default=1.0, help="parts of the full size, such as 0.01")
    parser.add_argument("--rounds", type=int, default=5, help="how often each program runs (5)")
    parser.add_argument("--seed", type=int, default=1, help="of trees and edits (1)")
    parser.add_argument("--in", dest="where", help="make the trees below this directory, on the disk to measure")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page, too")
    return parser


def _positive(text: str) -> float:
    if (value := float(text)) <= 0:
        raise ValueError(text)
    return value


def _show(table: Table, origin: str, options: argparse.Namespace) -> None:
    text = f"{report.table(table)}\n{origin}"
    print(text, flush=True)
    if options.write is not None:
        report.put(options.write, table.name, text)


def _command(options: argparse.Namespace, name: str) -> str:
    """What to type for these figures; where the trees were made is the reader's own choice."""
    parts = ["script/bench", "--work", name]
    for tool in options.tool or []:
        parts += ["--tool", tool]
    for option in ("scale", "rounds", "seed"):
        value = getattr(options, option)
        if value != _options().get_default(option):
            parts += [f"--{option}", f"{value:g}"]
    return shlex.join(parts)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
