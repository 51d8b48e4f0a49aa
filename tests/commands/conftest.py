"""What the scenarios of commands share with those of whole runs: two folders, and calls that are forked."""

from __future__ import annotations

from tests.e2e.conftest import fast, mirror, pair, parent, quick, spawned

__all__ = ["fast", "mirror", "pair", "parent", "quick", "spawned"]
