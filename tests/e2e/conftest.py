"""What the scenarios share: a pair of folders of one's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.conftest import Home
from tests.e2e.forks import Forks, forks
from tests.e2e.pair import Pair

MEMORY = "/dev/shm"


@pytest.fixture
def pair(quick: Path, parent: Forks) -> Pair:
    """Two empty folders to be kept in step; calls are forked from a process that has everything imported."""
    return Pair(quick, parent=parent)


@pytest.fixture
def mirror(quick: Path, parent: Forks) -> Pair:
    """A source and a target, both empty; calls are forked."""
    return Pair(quick, "mirror", left="source", right="target", parent=parent)


@pytest.fixture
def home(quick: Path, parent: Forks) -> Home:
    """A folder with a configuration file; calls are forked."""
    return Home(quick, parent)


@pytest.fixture
def spawned(tmp_path: Path) -> Pair:
    """Two empty folders on the disk the machine has for such things; calls are processes of their own."""
    return Pair(tmp_path)


@pytest.fixture(scope="session")
def parent() -> Iterator[Forks]:
    """Calls the command line in forked children."""
    with forks() as parent:
        yield parent


@pytest.fixture(scope="session")
def fast() -> Iterator[Path]:
    """A folder in memory where there is one: for what is done hundreds of times."""
    top = tempfile.mkdtemp(prefix="syncline-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    yield Path(top)
    shutil.rmtree(top)


@pytest.fixture
def quick(fast: Path) -> Iterator[Path]:
    """A folder of one's own below `fast`."""
    top = tempfile.mkdtemp(dir=fast)
    yield Path(top)
    shutil.rmtree(top)
