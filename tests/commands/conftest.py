"""What the scenarios of commands share with those of whole runs: two folders, and calls that are forked."""

from __future__ import annotations

from tests.e2e.conftest import fast, home, mirror, pair, parent, quick, spawned

__all__ = ["fast", "home", "mirror", "pair", "parent", "quick", "spawned"]
