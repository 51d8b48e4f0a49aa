"""Runs the `console` blocks of a page for real, in order, in one empty home, and compares what they print.

Ids, times, minutes and seconds differ from run to run: they are compared by their form only, and where a later command
repeats one that was printed before, it gets the one that was really printed.

    PYTHONPATH=src:. python -m tests.docs.console README.md     writes what is printed now into the page
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs import pages

HOME = "/home/ada"
"""What the home of the one who reads is called in the pages."""

_FORMS = {
    "run": r"\b\d{8}T\d{6}Z-[0-9a-f]{4}\b",
    "plan": r"\b[0-9a-f]{16}\b",
    "clash": r"(?<=_clash_)\d{12}(?=\b|-)",
    "time": r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b",
    "seconds": r"\bin \d+\.\d s\b",
}
_ANY = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()))


@dataclass(frozen=True)
class Step:
    """A command of a page and what the page says that it prints."""

    command: str
    output: str


def steps(text: str) -> list[list[Step]]:
    """The commands of each console block of a page."""
    return [list(_steps(block.text)) for block in pages.blocks(text) if block.language == "console"]


def _steps(text: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Step(command, output)


class Terminal:
    """An empty home with `syncline` on the path."""

    def __init__(self, top: Path) -> None:
        self.home = top / "home"
        self.home.mkdir()
        programs = top / "bin"
        programs.mkdir()
        program = programs / "syncline"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m syncline "$@"\n')
        program.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYNCLINE_", "XDG_"))}
        self.environment = {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(pages.ROOT / "src"),
            "PYTHONIOENCODING": "utf-8",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }
        self.code = 0
        self._real: dict[str, str] = {}

    def real(self, command: str) -> str:
        """A command with what was really printed before in the place of what the page says."""
        return _ANY.sub(lambda found: self._real.get(found[0], found[0]), command)

    def run(self, step: Step) -> str:
        """What the command prints, the home called as the pages call it."""
        done = subprocess.run(
            ["/bin/sh", "-c", f"(exit {self.code}); {self.real(step.command)}"],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        self.code = done.returncode
        printed = done.stdout.decode().replace(str(self.home), HOME)
        for said, real in zip(_ANY.finditer(step.output), _ANY.finditer(printed), strict=False):
            self._real[said[0]] = real[0]
        return printed


def general(output: str) -> str:
    """An output with all that differs from run to run named by its form."""
    return _ANY.sub(lambda found: f"<{found.lastgroup}>", output)


def rewrite(page: Path) -> None:
    """Put into a page what its commands print now."""
    text = page.read_text("utf-8")
    with tempfile.TemporaryDirectory() as top:
        terminal = Terminal(Path(top))
        for block in pages.blocks(text):
            if block.language == "console":
                told = "".join(f"$ {terminal.real(step.command)}\n{terminal.run(step)}" for step in _steps(block.text))
                text = text.replace(block.text, told)
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(Path(name))
