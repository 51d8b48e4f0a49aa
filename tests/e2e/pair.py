"""Two folders, a state directory, and the command line between them: what most scenarios are made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import disk
from tests.e2e.forks import Forks, environment

COMMAND = [sys.executable, "-m", "syncline"]


@dataclass(frozen=True)
class Answer:
    """What a call said. `document` is its JSON, where it was asked for."""

    code: int
    out: str
    err: str
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def actions(self) -> list[tuple[str, str, str]]:
        """The actions as (action, root, path)."""
        return [(row["action"], row["root"], row["path"]) for row in self.document["actions"]]

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        return [(row["reason"], row["root"], row["path"]) for row in self.document["problems"]]

    @property
    def guards(self) -> list[str]:
        return [row["guard"] for row in self.document["objections"]]

    @property
    def approve(self) -> str:
        (plan,) = {row["approve"] for row in self.document["objections"]}
        assert isinstance(plan, str)
        return plan

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"


class Pair:
    """Two folders and a state directory below `top`. With a `parent`, calls are forked instead of started anew."""

    def __init__(
        self, top: Path, kind: str = "sync", *, left: str = "left", right: str = "right", parent: Forks | None = None
    ) -> None:
        self.kind, self.parent = kind, parent
        self.left, self.right, self.state = top / left, top / right, top / "state"
        for folder in (self.left, self.right):
            folder.mkdir(parents=True, exist_ok=True)

    def call(self, *args: str | Path, cwd: Path | None = None) -> Answer:
        """Run the command line with these arguments."""
        if self.parent is not None:
            forked = self.parent.call("--state-dir", self.state, *args, cwd=cwd or self.left.parent)
            code, out, err = forked.code, forked.out, forked.err
        else:
            done = subprocess.run(self.command(*args), **PIPES, env=environment(), cwd=cwd, timeout=60, check=False)
            code = done.returncode
            out, err = (said.decode("utf-8", "surrogateescape") for said in (done.stdout, done.stderr))
        return Answer(code, out, err, json.loads(out) if "--json" in args and out else {})

    def command(self, *args: str | Path) -> list[str]:
        return [*COMMAND, "--state-dir", str(self.state), *(os.fspath(arg) for arg in args)]

    def start(self, *args: str | Path) -> subprocess.Popen[bytes]:
        """Begin `sync` or `mirror` with JSON and do not wait for it."""
        return subprocess.Popen(
            self.command(self.kind, self.left, self.right, "--json", *args), **PIPES, env=environment()
        )

    def sync(self, *args: str, code: int | None = 0) -> Answer:
        """Synchronise, with JSON; `code` is what is expected."""
        answer = self.call(self.kind, self.left, self.right, "--json", *args)
        assert code is None or answer.code == code, str(answer)
        return answer

    def write(self, left: disk.Tree | None = None, right: disk.Tree | None = None) -> None:
        disk.write(self.left, left or {})
        disk.write(self.right, right or {})

    def same(self) -> dict[str, str]:
        """What stands on both sides; fails if the sides differ in anything."""
        left, right = disk.read(self.left, properties=True), disk.read(self.right, properties=True)
        differ = {path: (left.get(path), right.get(path)) for path in left | right if left.get(path) != right.get(path)}
        assert not differ, f"left and right differ: {differ}"
        return disk.read(self.left)

    def settled(self) -> None:
        """Both sides are equal, and a further run finds nothing to do and writes nothing but its lock."""
        self.same()
        before = disk.fingerprint(self.left, self.right)
        answer = self.sync(code=None)
        told = (answer.code, answer.document["run"], answer.document["outcome"], answer.actions)
        assert told == (0, None, "in-sync", []), str(answer)
        after = disk.fingerprint(self.left, self.right)
        written = {path for path in before | after if before.get(path) != after.get(path)}
        assert written <= {str(root / ".syncline" / "lock") for root in (self.left, self.right)}, written


PIPES: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

UNPRIVILEGED = [
    "setpriv",
    "--bounding-set",
    "-dac_override,-dac_read_search",
    "--inh-caps",
    "-dac_override,-dac_read_search",
]
"""Before a command: root, but bound by permissions like anybody."""
