"""What every kind of job has: its settings, the names of its roots, and the rules it gives the merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from syncline.core import filters, names
from syncline.core.guard import Limits
from syncline.core.model import SIDES, MergeWith, Policy, RelPath, Rule, Side
from syncline.core.plan import Disposal
from syncline.core.policy import Durability, Extras
from syncline.core.retention import Versions

Options = Mapping[str, Any]
"""What was said of a job's settings, as JSON has it: strings, numbers, lists of strings, null."""


DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class PathRule:
    """What holds for the paths of one gitignore pattern. None: it says nothing about that, a later rule may."""

    match: str
    ignore: bool | None = None
    changed_both: Policy | MergeWith | None = None
    created_both: Policy | MergeWith | None = None
    props_both: Policy | None = None


class Settings(Protocol):
    """What the engine asks of any kind's settings."""

    @property
    def ignore(self) -> tuple[str, ...]: ...

    @property
    def rules(self) -> tuple[PathRule, ...]: ...

    @property
    def ignore_litter(self) -> bool: ...

    @property
    def properties(self) -> tuple[str, ...]: ...

    @property
    def compare(self) -> str: ...

    @property
    def trash_max_size(self) -> int | None: ...

    @property
    def trash_keep_for_s(self) -> float | None: ...

    @property
    def trash_replaced(self) -> bool: ...

    @property
    def trash_max_total(self) -> int | None: ...

    @property
    def versions(self) -> Versions | None: ...

    @property
    def history_keep_for_s(self) -> float | None: ...

    @property
    def durability(self) -> Durability: ...

    @property
    def limits(self) -> Limits: ...


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job, for the registry: how its roots are called and what it makes of its settings.

    `writes_left` is false for a mirror: nothing of ours is ever written to its source. `policy` is asked once per run
    for what then answers for every path.
    """

    name: str
    root_names: tuple[str, str]
    settings: type
    writes_left: bool
    policy: Callable[[Settings], Callable[[RelPath, Rule], Policy | MergeWith]]
    extras: Callable[[Settings], Extras | None]

    def root_name(self, side: Side) -> str:
        return self.root_names[0 if side is Side.LEFT else 1]

    def writes(self, side: Side) -> bool:
        return side is Side.RIGHT or self.writes_left

    def written(self) -> list[Side]:
        """The sides such a job writes to: these are locked and carry a marker."""
        return [side for side in SIDES if self.writes(side)]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is run. Roots are absolute paths; `options` are what was said of the settings, as it is stored.
    `mount` is a folder on which something must be mounted before it runs."""

    id: str
    name: str
    kind: JobKind
    left: str
    right: str
    settings: Settings
    options: Options = field(default_factory=dict)
    adhoc: bool = True
    mount: str | None = None

    @property
    def word(self) -> str:
        """Its name as a shell takes it: for a command that a person may paste."""
        return names.pasted(self.name)

    def root(self, side: Side) -> str:
        return self.left if side is Side.LEFT else self.right


def patterns(settings: Settings) -> tuple[str, ...]:
    """All ignore patterns in force, the built-in ones first; the last match decides, so the first rule stands last."""
    ruled = tuple(
        rule.match if rule.ignore else f"!{rule.match}" for rule in reversed(settings.rules) if rule.ignore is not None
    )
    return (filters.LITTER if settings.ignore_litter else ()) + settings.ignore + ruled


def keeps_modes(settings: Settings) -> bool:
    """Whether the job keeps permissions in step."""
    return "mode" in settings.properties


def keeps(settings: Settings, name: str) -> bool:
    """Whether the job is to keep a property in step, where its roots can."""
    return name in settings.properties


def disposal(settings: Settings) -> Disposal:
    """How the job's removals are done."""
    return Disposal(settings.trash_max_size, settings.trash_replaced)
