"""A strong folder and one on a weak file system, and the command line between them."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.forks import Forks, forks
from tests.weak.mounts import Mount
from tests.weak.pairs import WeakPair

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def parent() -> Iterator[Forks]:
    """Calls the command line in forked children."""
    with forks() as parent:
        yield parent


@pytest.fixture(scope="session")
def mounts() -> Iterator[dict[str, Mount]]:
    """Every kind is made and mounted once."""
    found: dict[str, Mount] = {}
    yield found
    for mount in found.values():
        mount.close()


@pytest.fixture
def pair(kind: str, mounts: dict[str, Mount], parent: Forks) -> Iterator[WeakPair]:
    """Two empty folders: the left one on a disk, the right one on the weak file system."""
    if kind not in mounts:
        mounts[kind] = Mount(kind)
    top = Path(tempfile.mkdtemp(prefix="syncline-weak-"))
    yield WeakPair(top, mounts[kind], f"t{next(_numbers)}", parent)
    shutil.rmtree(top)
