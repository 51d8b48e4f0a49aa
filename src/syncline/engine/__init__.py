"""One run, from looking at both roots to remembering what is true afterwards. Shown and asked for by others."""

from syncline.engine.run import adopt, plan, run
from syncline.engine.world import Ask, World

__all__ = ["Ask", "World", "adopt", "plan", "run"]
