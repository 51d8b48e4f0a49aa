"""How a conflict is settled: whose version is newer, whose is kept, and how properties are merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from syncline.core import record
from syncline.core.model import Agreed, Conflict, Entry, MergeWith, Policy, RelPath, Rule, Side
from syncline.core.names import NameRules, folding

TIE_NS = 2_000_000_000
"""Two times closer than this are a tie: FAT keeps times in steps of two seconds."""

EARLIEST_NS = 315_532_800 * 1_000_000_000
"""1980-01-01 UTC, the first time FAT can express; anything earlier is implausible."""

DAY_NS = 86_400 * 1_000_000_000

MERGED: Final = ("mode", "owner", "xattr", "windows")
"""The properties that are merged each by itself, as `Entry` and `Ability` call them. The time goes with the content."""

_EMPTY: Final = {"xattr": b"", "windows": 0}
"""What of a property is nothing: anything comes before it where the two sides never agreed on one."""


class Extras(StrEnum):
    """What a mirror does with what stands only in its target."""

    KEEP = "keep"
    TRASH = "trash"
    DELETE = "delete"


class Durability(StrEnum):
    """What a run waits for before it remembers what it wrote."""

    BATCH = "batch"  # the whole file system is flushed, twice for many files together
    EACH = "each"  # every file and its directory is
    OFF = "off"  # nothing: a power cut may take what was remembered


@dataclass(frozen=True, slots=True)
class Ability:
    """What one root can keep and do, as far as a merge must know."""

    mode: bool = True
    symlinks: bool = True
    ctime: bool = True
    granularity_ns: int = 10_000_000
    names: NameRules = NameRules()
    exchange: bool = True
    owner: bool = False
    xattr: bool = False
    windows: bool = False
    earliest_ns: int = record.EARLIEST_NS
    latest_ns: int = record.LATEST_NS
    largest: int = record.LARGEST


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a merge may depend on besides the trees. Times are nanoseconds since 1970.

    `minute` is the minute of detection for clash names, local time, YYYYMMDDHHMM. `quick`: a pair of equal size and
    time that is new on both sides is taken for equal without reading it. `reread`: every file is read. `extras`: the
    job is a mirror; None for two ways. `suspects`: places whose content must be read before it is believed. `undone`:
    the open conflicts that an undo left, by the folded path of the left. `rotten`: places known to hold bytes that
    nobody wrote there (see `syncline.core.rot`). `unmerged`: paths of the left that a program could not merge. `modes`:
    whether permissions are to be kept in step at all.
    """

    policy: Callable[[RelPath, Rule], Policy | MergeWith]
    ignored: Callable[[RelPath, bool], bool]
    now_ns: int
    minute: str
    left: Ability = Ability()
    right: Ability = Ability()
    quick: bool = False
    reread: bool = False
    extras: Extras | None = None
    suspects: frozenset[tuple[Side, RelPath]] = frozenset()
    undone: Mapping[str, Conflict] = field(default_factory=dict)
    rotten: frozenset[tuple[Side, RelPath]] = frozenset()
    unmerged: frozenset[RelPath] = frozenset()
    modes: bool = True

    def ability(self, side: Side) -> Ability:
        return self.left if side is Side.LEFT else self.right

    def reads(self, name: str, side: Side) -> bool:
        """Whether what one root shows of a property means something."""
        return self.modes and self.ability(side).mode if name == "mode" else self.carries(name)

    def carries(self, name: str) -> bool:
        """Whether a property is compared across, and set: both roots keep it, and are asked to."""
        return getattr(self.left, name) and getattr(self.right, name) and (self.modes or name != "mode")

    def fold(self) -> Callable[[str], str]:
        return folding(self.left.names, self.right.names)

    def step_ns(self) -> int:
        return max(self.left.granularity_ns, self.right.granularity_ns)


def newer(left: Entry, right: Entry, rules: Rules) -> Side | None:
    """The side whose content is newer by its time; None for a tie or when a time is implausible."""
    for entry in (left, right):
        if entry.mtime_ns < EARLIEST_NS or entry.mtime_ns > rules.now_ns + DAY_NS:
            return None
    difference = left.mtime_ns - right.mtime_ns
    if abs(difference) <= max(rules.step_ns(), TIE_NS):
        return None
    return Side.LEFT if difference > 0 else Side.RIGHT


def winner(policy: Policy, left: Entry, right: Entry, rules: Rules) -> Side | None:
    """The side whose version keeps the name under `policy`; None under `hold`. A tie goes to left."""
    match policy:
        case Policy.HOLD:
            return None
        case Policy.KEEP_BOTH | Policy.NEWEST | Policy.MERGE:
            return newer(left, right, rules) or Side.LEFT
        case Policy.OLDEST:
            return (newer(left, right, rules) or Side.RIGHT).other
        case Policy.LARGEST:
            return Side.RIGHT if right.size > left.size else Side.LEFT
        case Policy.SMALLEST:
            return Side.RIGHT if right.size < left.size else Side.LEFT
        case Policy.LEFT:
            return Side.LEFT
        case Policy.RIGHT:
            return Side.RIGHT


@dataclass(frozen=True, slots=True)
class Property:
    """What both sides should have of one property, or that they disagree and nobody decided. None where a root tells
    none."""

    left: int | bytes | None
    right: int | bytes | None
    conflict: bool = False
    winner: Side | None = None

    def of(self, side: Side) -> int | bytes | None:
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True)
class Properties:
    """What both sides should have besides content and time, by the name of the property. Where policy decides more than
    one, the winner is the same."""

    each: Mapping[str, Property]

    @property
    def undecided(self) -> bool:
        """Whether a person must choose."""
        return any(found.conflict and found.winner is None for found in self.each.values())

    @property
    def winner(self) -> Side | None:
        return next((found.winner for found in self.each.values() if found.winner is not None), None)

    def on(self, side: Side, entry: Entry) -> Entry:
        """An entry of one side with what it should have."""
        return with_properties(entry, {name: found.of(side) for name, found in self.each.items()})


def with_properties(entry: Entry, values: Mapping[str, int | bytes | None]) -> Entry:
    """`entry` with these properties; the very same where it has them."""
    changes: dict[str, Any] = {name: value for name, value in values.items() if value != getattr(entry, name)}
    return replace(entry, **changes) if changes else entry


values_of: Callable[[Entry], tuple[int | bytes | None, ...]] = attrgetter(*MERGED)
"""The properties of an entry, one after the other; None where they are not told."""


def properties_of(entry: Entry) -> dict[str, int | bytes | None]:
    """The properties of an entry, as far as they are told."""
    return {name: value for name in MERGED if (value := getattr(entry, name)) is not None}


def same_property(name: str, one: Entry, other: Entry) -> bool:
    """Whether two have the same of one property, as far as that is known of both."""
    value, another = getattr(one, name), getattr(other, name)
    return value is None or another is None or value == another


def same_properties(one: Entry, other: Entry, *, mode: bool = True) -> bool:
    """Whether two have the same of every property but the time, as far as that is known; `mode`: of that one, too."""
    return all(same_property(name, one, other) for name in MERGED if mode or name != "mode")


def keeps(rule: str, *, writes_left: bool) -> tuple[str, ...]:
    """What a person may say to settle a conflict of a rule. A side that is never written to can only be kept."""
    if not writes_left:
        return ("left",)
    return ("left", "right", "newest") if rule == Rule.PROPS_BOTH else ("left", "right", "both", "newest")


def merge_properties(base: Agreed | None, left: Entry, right: Entry, policy: Policy, rules: Rules) -> Properties:
    """The properties of both sides, each merged by itself."""
    return Properties({name: merge_property(name, base, left, right, policy, rules) for name in MERGED})


def merge_property(name: str, base: Agreed | None, left: Entry, right: Entry, policy: Policy, rules: Rules) -> Property:
    """One property of both sides: the one that changed, or by `policy` when both did.

    What a root cannot keep is never read from it: its own does not count, and none is set there. So it is where the
    property is not to be kept in step. Where it was not kept before, something comes before nothing, different ones are
    levelled by `policy`, and nobody is told of a winner. `newest` means the later change of status where both roots
    keep it, else left.
    """
    one, other = getattr(left, name), getattr(right, name)
    if one == other or one is None or other is None or not rules.carries(name):
        return Property(one, other)
    before = None if base is None else (getattr(base.left, name), getattr(base.right, name))
    remembered = before is not None and None not in before
    if before is not None and remembered:
        on_left, on_right = one != before[0], other != before[1]
        if not (on_left or on_right):
            return Property(one, other)
        if not (on_left and on_right):
            changed = one if on_left else other
            return Property(changed, changed)
    elif _EMPTY.get(name) in (one, other):
        return Property(one or other, one or other)
    if policy is Policy.HOLD:
        return Property(one, other, conflict=True)
    side = _preferred(left, right, policy, rules)
    chosen = one if side is Side.LEFT else other
    told = base is None or remembered
    return Property(chosen, chosen, conflict=True, winner=side) if told else Property(chosen, chosen)


def _preferred(left: Entry, right: Entry, policy: Policy, rules: Rules) -> Side:
    """Whose property stands where both sides changed it."""
    later = rules.left.ctime and rules.right.ctime and right.ctime_ns > left.ctime_ns
    return Side.RIGHT if policy is Policy.RIGHT or (policy is Policy.NEWEST and later) else Side.LEFT


def level_time(left_ns: int, right_ns: int, rules: Rules) -> bool:
    """Whether two times are as equal as both roots can keep them. All that one of them cannot keep are one.

    A day from either end counts as beyond it: a root that keeps local time shows its first hour as another one
    elsewhere.
    """
    earliest_ns = max(rules.left.earliest_ns, rules.right.earliest_ns) + DAY_NS
    latest_ns = min(rules.left.latest_ns, rules.right.latest_ns) - DAY_NS
    left_ns, right_ns = (min(max(each, earliest_ns), latest_ns) for each in (left_ns, right_ns))
    return same_time(left_ns, right_ns, rules)


def same_time(left_ns: int, right_ns: int, rules: Rules) -> bool:
    """Whether two times are equal as far as both roots can tell.

    A microsecond covers NTFS, which keeps steps of 100 ns; a root that keeps whole seconds is compared by its step.
    """
    if left_ns == right_ns:
        return True
    step = rules.step_ns()
    return abs(left_ns - right_ns) < (step if step >= TIE_NS // 4 else 1_000)
