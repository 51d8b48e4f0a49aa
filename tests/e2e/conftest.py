"""What the scenarios share: a pair of folders of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pair import Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two empty folders to be kept in step."""
    return Pair(tmp_path)


@pytest.fixture
def mirror(tmp_path: Path) -> Pair:
    """A source and a target, both empty."""
    return Pair(tmp_path, "mirror", left="source", right="target")
