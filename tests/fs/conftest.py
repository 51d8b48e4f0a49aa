"""The root a scenario runs on, and the directory it stands in."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from syncline.fs.root import Root as Probed
from tests.fs.roots import MEMORY, ROOTS

VARIANTS = [*ROOTS, *(["local-memory"] if os.path.isdir(MEMORY) else [])]


@pytest.fixture
def place(request) -> Iterator[str]:
    """Where a root is to stand: alone in a directory anybody may pass through (pytest's own are closed)."""
    above = tempfile.mkdtemp(dir=MEMORY if "local-memory" in request.node.name else None)
    os.chmod(above, 0o755)
    yield os.path.join(above, "root")
    shutil.rmtree(above)


@pytest.fixture(params=VARIANTS)
def root(request, place) -> Iterator[Probed]:
    os.mkdir(place)
    opened = ROOTS["local" if request.param == "local-memory" else request.param](place)
    yield opened
    opened.close()
