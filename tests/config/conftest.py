"""A folder with a configuration file, and the program started in it as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from syncline import config
from syncline.config import Configuration, Setup
from syncline.errors import ConfigurationRefused
from tests.e2e.forks import Forks

SOURCE = Path(__file__).resolve().parents[2] / "src"


class Home:
    """A folder of its own; `environment` is all that the program sees of the outside. With a `parent`, calls are forked
    instead of started anew, with the outside as it is."""

    def __init__(self, folder: Path, parent: Forks | None = None) -> None:
        self.folder, self.parent = folder, parent
        self.file = folder / "syncline.yaml"
        self.state = folder / "state"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "HOME": str(folder / "home"),
            "SYNCLINE_STATE_DIR": str(self.state),
            "LC_ALL": "C.UTF-8",
        }

    def write(self, text: str, name: str = "syncline.yaml") -> None:
        (self.folder / name).write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")

    def make(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, "utf-8")

    def tree(self, name: str) -> dict[str, str]:
        """Path -> content, what is syncline's own left out."""
        top = self.folder / name
        return {
            str(path.relative_to(top)): path.read_text("utf-8")
            for path in sorted(top.rglob("*"))
            if path.is_file() and ".syncline" not in path.parts
        }

    def setup(self, **environment: str) -> Setup:
        return Setup(str(self.file), environment, str(self.folder))

    def load(self, keep: bool = False, /, **environment: str) -> Configuration:
        return config.load(self.setup(**environment), str(self.state), keep=keep)

    def faults(self, text: str, **environment: str) -> list[str]:
        """`line: message` of everything that is wrong with a text."""
        self.write(text)
        with pytest.raises(ConfigurationRefused) as caught:
            self.load(**environment)
        assert all(error.file == str(self.file) for error in caught.value.errors)
        return [f"{error.line}: {error.message}" for error in caught.value.errors]

    def __call__(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        if self.parent is not None:
            assert not environment
            said = self.parent.call("--config", self.file, "--state-dir", self.state, *args, cwd=self.folder)
            return subprocess.CompletedProcess(args, said.code, said.out, said.err)
        done = subprocess.run(
            [sys.executable, "-m", "syncline", *args],
            cwd=self.folder,
            env={**self.environment, "SYNCLINE_CONFIG": str(self.file), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *args: str, **environment: str) -> tuple[int, dict[str, Any]]:
        done = self(*args, "--json", **environment)
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)
