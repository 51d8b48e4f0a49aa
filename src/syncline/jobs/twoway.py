"""Two folders kept in step, either of which may change."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncline.core.guard import Limits
from syncline.core.model import Policy, RelPath, Rule
from syncline.core.policy import Extras
from syncline.jobs.kind import JobKind, Settings


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Settings of a two-way job. Sizes in bytes; `trash_max_size` None means no limit."""

    changed_both: Policy = Policy.KEEP_BOTH
    created_both: Policy = Policy.KEEP_BOTH
    props_both: Policy = Policy.NEWEST
    compare: str = "quick"
    trash_max_size: int | None = 20_000_000
    ignore: tuple[str, ...] = ()
    ignore_litter: bool = True
    limits: Limits = field(default_factory=Limits)


def policy(settings: Settings, path: RelPath, rule: Rule) -> Policy:
    """The policy in force for a path."""
    assert isinstance(settings, TwoWay)
    if rule is Rule.PROPS_BOTH:
        return settings.props_both
    return settings.created_both if rule is Rule.CREATED_BOTH else settings.changed_both


def extras(settings: Settings) -> Extras | None:
    """None: what stands on one side only is no extra here."""
    return None


KIND = JobKind("twoway", ("left", "right"), TwoWay, writes_left=True, policy=policy, extras=extras)
