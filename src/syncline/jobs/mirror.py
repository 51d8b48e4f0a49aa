"""One way: the target becomes like the source. Nothing is ever written to the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from syncline.core.guard import Limits
from syncline.core.model import MergeWith, Policy, RelPath, Rule
from syncline.core.policy import Durability, Extras
from syncline.core.retention import Versions
from syncline.jobs.kind import DAY_S, JobKind, PathRule, Settings


@dataclass(frozen=True, slots=True)
class Mirror:
    """Settings of a mirror. Sizes in bytes, times in seconds; None means no limit."""

    extras: Extras = Extras.TRASH
    properties: tuple[str, ...] = ("mtime", "mode")
    compare: str = "quick"
    trash_max_size: int | None = None
    trash_keep_for_s: float | None = 30 * DAY_S
    trash_replaced: bool = True
    trash_max_total: int | None = None
    versions: Versions | None = None
    history_keep_for_s: float | None = 90 * DAY_S
    durability: Durability = Durability.BATCH
    ignore: tuple[str, ...] = ()
    ignore_litter: bool = True
    rules: tuple[PathRule, ...] = ()
    limits: Limits = field(default_factory=Limits)


def policy(settings: Settings) -> Callable[[RelPath, Rule], Policy | MergeWith]:
    """The source wins: it is the only side that counts."""
    return lambda path, rule: Policy.LEFT


def extras(settings: Settings) -> Extras | None:
    """What happens to that which stands only in the target."""
    assert isinstance(settings, Mirror)
    return settings.extras


KIND = JobKind("mirror", ("source", "target"), Mirror, writes_left=False, policy=policy, extras=extras)
