"""Two folders kept in step, either of which may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from syncline.core import filters
from syncline.core.guard import Limits
from syncline.core.model import MergeWith, Policy, RelPath, Rule
from syncline.core.policy import Durability, Extras
from syncline.core.retention import Versions
from syncline.jobs.kind import DAY_S, JobKind, PathRule, Settings


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Settings of a two-way job. Sizes in bytes, times in seconds; None means no limit."""

    changed_both: Policy | MergeWith = Policy.KEEP_BOTH
    created_both: Policy | MergeWith = Policy.KEEP_BOTH
    props_both: Policy = Policy.NEWEST
    properties: tuple[str, ...] = ("mtime", "mode")
    compare: str = "quick"
    trash_max_size: int | None = 20_000_000
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
    """The policy in force for a path: that of the first rule that matches it and names one, else the job's."""
    assert isinstance(settings, TwoWay)
    changed = _of_block(settings, "changed_both")
    blocks = {
        Rule.CREATED_BOTH: _of_block(settings, "created_both"),
        Rule.PROPS_BOTH: _of_block(settings, "props_both"),
    }
    return lambda path, rule: blocks.get(rule, changed)(path)


def _of_block(settings: TwoWay, block: str) -> Callable[[RelPath], Policy | MergeWith]:
    ordinary: Policy | MergeWith = getattr(settings, block)
    ruled = [(rule.match, chosen) for rule in settings.rules if (chosen := getattr(rule, block)) is not None]
    if not ruled:
        return lambda path: ordinary
    first = filters.first_of(ruled)
    return lambda path: first(path) or ordinary


def extras(settings: Settings) -> Extras | None:
    """None: what stands on one side only is no extra here."""
    return None


KIND = JobKind("twoway", ("left", "right"), TwoWay, writes_left=True, policy=policy, extras=extras)
