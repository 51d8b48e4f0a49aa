"""Plants faults of tests/torture/faults.py in the product while other tests run: which of them would have seen them?

SYNCLINE_PLANTED=no-clash-file,missing-fsync pytest -p tests.plugins.plant tests/core tests/e2e tests/fs tests/store

They are in this process, in those that tests fork, and in each `python -m syncline` that a test starts; not in a
process that only reads a root.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

NAME = "SYNCLINE_PLANTED"
REPOSITORY = Path(__file__).resolve().parents[2]

_STARTED = """
import sys
if sys.orig_argv[1:3] == ["-m", "syncline"]:
    sys.path[:0] = {path!r}
    from contextlib import ExitStack
    from tests.torture.faults import planted
    for_good = ExitStack()
    for name in {names!r}:
        for_good.enter_context(planted(name))
"""
"""What a Python does before anything else, so that a command has the faults."""


def pytest_configure(config: pytest.Config) -> None:
    stack = ExitStack()
    stack.enter_context(planted_here())
    stack.enter_context(_planted_in_commands())
    config.add_cleanup(stack.close)


@contextmanager
def planted_here() -> Iterator[None]:
    """The product of this process with the faults that the environment names; without any as it is."""
    with ExitStack() as stack:
        if names := _names():
            from tests.torture.faults import planted

            for name in names:
                stack.enter_context(planted(name))
        yield


@contextmanager
def _planted_in_commands() -> Iterator[None]:
    """The commands that are started meanwhile with the same faults."""
    with tempfile.TemporaryDirectory(prefix="syncline-plant-") as folder:
        os.chmod(folder, 0o755)  # some tests start them as another user
        path = [str(REPOSITORY), str(REPOSITORY / "src")]
        Path(folder, "sitecustomize.py").write_text(_STARTED.format(path=path, names=_names()))
        before = os.environ.get("PYTHONPATH", "")
        with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, (folder, before)))):
            yield


def _names() -> list[str]:
    return list(filter(None, os.environ.get(NAME, "").split(",")))
