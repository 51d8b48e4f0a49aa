"""The kinds of work that are timed: on which trees, in which state, beside which programs, and how far to get."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from bench import trees
from bench.measure import Cost, Failed, run
from bench.tools import ROOT, Task, Tool
from bench.trees import Shape

OURS = "syncline"


class State(Enum):
    """How the two trees stand to each other, and what a program knows of them, before every run."""

    STILL = "equal and known, nothing changed"
    EDITED = "known, edited on both sides since"
    EMPTY = "one empty, never seen"
    STRANGERS = "equal, never seen"


TASKS = {State.STILL: Task.SYNC, State.EDITED: Task.SYNC, State.EMPTY: Task.COPY, State.STRANGERS: Task.MEET}


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work. `reach` is the ratio of our wall time to each peer's that is aimed at; None: for comparison."""

    name: str
    title: str
    state: State
    shape: Shape
    reach: Mapping[str, float | None]
    reach_bytes: int | None = None


WORKS = [
    Work(
        "still",
        "No change",
        State.STILL,
        trees.OFFICE,
        {"rsync": 0.95, "unison": 0.55, "rclone": 0.15, "FreeFileSync": None, "floor": None},
    ),
    Work(
        "edits",
        "Edits, deletions and renames on both sides (rsync: one way)",
        State.EDITED,
        trees.OFFICE,
        {"rsync": 1.20, "unison": 0.50, "rclone": None, "FreeFileSync": None},
    ),
    Work(
        "small",
        "First copy of small files",
        State.EMPTY,
        trees.SMALL,
        {"rsync": 0.95, "unison": None, "rclone": None, "FreeFileSync": None},
    ),
    Work(
        "media",
        "First copy of large files",
        State.EMPTY,
        trees.MEDIA,
        {"rsync": 0.40, "unison": None, "rclone": None, "FreeFileSync": None},
    ),
    Work(
        "meet",
        "First run on two filled and equal trees",
        State.STRANGERS,
        trees.OFFICE,
        {"unison": 0.10, "rclone": None, "FreeFileSync": None},
    ),
    Work(
        "many",
        "No change, very many files",
        State.STILL,
        trees.MANY,
        {"rsync": 0.90, "unison": None, "floor": None},
        reach_bytes=150_000_000,
    ),
    Work(
        "fill",
        "First copy of very many files",
        State.EMPTY,
        trees.MANY,
        {"rsync": None, "unison": None},
        reach_bytes=600_000_000,
    ),
]
HELP = "help"
NAMES = [*(work.name for work in WORKS), HELP]


@dataclass(slots=True)
class Row:
    """What one program needed for a work; `trouble` says why there are no figures, or which are not to be believed."""

    tool: str
    costs: list[Cost] = field(default_factory=list)
    peak_bytes: int = 0
    trouble: str = ""
    bad: bool = False

    def wall_s(self) -> float:
        return statistics.median(cost.wall_s for cost in self.costs)

    def cpu_s(self) -> float:
        return statistics.median(cost.cpu_s for cost in self.costs)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a work, ours first, and on what it was done."""

    name: str
    title: str
    on: str
    reach: Mapping[str, float | None]
    reach_bytes: int | None
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where, how large in parts of the full size, how often, from which seed."""

    work: Path
    scale: float
    rounds: int
    seed: int
    say: Callable[[str], None]


def time_work(work: Work, tools: Mapping[str, Tool], settings: Settings) -> Table:
    """Runs every program so many rounds, in turn, and once more for its memory. The trees are removed afterwards."""
    shape = work.shape.scaled(settings.scale)
    rows = {name: Row(name) for name in (OURS, *work.reach) if name in tools}
    grounds = _Grounds(work, shape, settings)
    for name, row in rows.items():
        row.trouble = tools[name].missing
    for number in range(settings.rounds + 1):
        memory = number == settings.rounds
        for name in _in_turn([name for name in rows if not rows[name].trouble], number):
            try:
                cost = _once(work, tools[name], grounds.of(tools[name]), number, settings, memory=memory)
            except (Failed, Unequal) as error:
                rows[name].trouble, rows[name].bad = str(error), True
                settings.say(f"{work.name}: {name}: {error}")
                continue
            settings.say(f"{work.name} {number + 1}/{settings.rounds + 1} {name}: {cost.wall_s:.3f} s")
            if memory:
                rows[name].peak_bytes = cost.peak_bytes
            else:
                rows[name].costs.append(cost)
    grounds.clear()
    on = f"{shape.files:,} files in {shape.directories:,} directories a side"
    return Table(work.name, work.title, on, work.reach, work.reach_bytes, list(rows.values()))


class Unequal(Exception):
    """A program ended well and left two trees that differ."""


def _once(work: Work, tool: Tool, ground: _Ground, number: int, settings: Settings, *, memory: bool) -> Cost:
    ground.prepare(tool, number)
    os.sync()  # what was written before is nobody's to pay for
    cost = ground.run(tool, TASKS[work.state], memory=memory)
    if tool.name != "floor":
        found = trees.differences(ground.left, ground.right, contents=work.state in (State.EDITED, State.EMPTY))
        if found:
            raise Unequal(f"the trees differ at {len(found)} paths, such as {found[0]!r}")
    return cost


class _Ground:
    """Two trees, and what each program remembers of them."""

    def __init__(self, top: Path, work: Work, shape: Shape, seed: int) -> None:
        self.left, self.right = top / "left", top / "right"
        self._memories = top / "memory"
        self._state = work.state
        self._seed = seed
        self._known: set[str] = set()
        self._files = trees.make(self.left, shape, seed)
        if work.state is State.EMPTY:
            self.right.mkdir()
        else:
            trees.make(self.right, shape, seed)

    def prepare(self, tool: Tool, number: int) -> None:
        """Brings trees and memory into the state that the work begins with."""
        memory = self._memory(tool)
        if self._state in (State.EMPTY, State.STRANGERS):
            for root in (self.left, self.right):
                trees.forget(root)
            trees.clear(memory)
        if self._state is State.EMPTY:
            trees.clear(self.right)
            self.right.mkdir()
        memory.mkdir(parents=True, exist_ok=True)
        if self._state in (State.STILL, State.EDITED) and tool.name not in self._known:
            self._known.add(tool.name)
            # What is edited was read before: where a program takes equal trees for equal unread, it reads them now.
            for task in (Task.LEARN if self._state is State.EDITED else Task.MEET, Task.SYNC):
                self.run(tool, task)
        if self._state is State.EDITED:
            trees.edit(self.left, self.right, self._files, self._seed, number)

    def run(self, tool: Tool, task: Task, *, memory: bool = False) -> Cost:
        remembers = str(self._memory(tool))
        command = tool.command(task, str(self.left), str(self.right), remembers)
        return run(command, tool.environment(remembers), good=tool.good, memory=memory)

    def _memory(self, tool: Tool) -> Path:
        return self._memories / tool.name


class _Grounds:
    """One ground for all programs, or one each where a run changes what the next one would meet."""

    def __init__(self, work: Work, shape: Shape, settings: Settings) -> None:
        self._top = settings.work / work.name
        self._work, self._shape, self._settings = work, shape, settings
        self._made: dict[str, _Ground] = {}

    def of(self, tool: Tool) -> _Ground:
        name = tool.name if self._work.state is State.EDITED or tool.keeps_in_trees else "shared"
        if name not in self._made:
            self._settings.say(f"{self._work.name}: making trees")
            self._made[name] = _Ground(self._top / name, self._work, self._shape, self._settings.seed)
        return self._made[name]

    def clear(self) -> None:
        trees.clear(self._top)


def _in_turn(names: Sequence[str], number: int) -> Iterator[str]:
    """All of them, each round beginning with another one."""
    start = number % len(names) if names else 0
    yield from names[start:]
    yield from names[:start]


def time_help(settings: Settings) -> Table:
    """The least a call costs: our help, beside a Python that does nothing."""
    script, python = ROOT / "script" / "syncline", ROOT / ".venv" / "bin" / "python"
    built = (ROOT / ".venv" / "built").exists()
    ours = [str(script)] if built else [sys.executable, "-m", "syncline"]
    commands = {OURS: [*ours, "--help"], "python -c pass": [str(python) if built else sys.executable, "-c", "pass"]}
    rows = {name: Row(name) for name in commands}
    for number in range(settings.rounds * 5):
        for name in _in_turn(list(commands), number):
            rows[name].costs.append(run(commands[name], {}))
    for name, command in commands.items():
        rows[name].peak_bytes = run(command, {}, memory=True).peak_bytes
    title = f"`{'script/syncline' if built else 'python -m syncline'} --help`"
    return Table(HELP, title, "no trees", {"python -c pass": 6.0}, None, list(rows.values()))
