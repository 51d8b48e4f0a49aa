"""How a conflict is settled: whose version is newer, whose is kept, and how properties are merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncline.core.model import Agreed, Conflict, Entry, MergeWith, Policy, RelPath, Rule, Side
from syncline.core.names import NameRules, folding

TIE_NS = 2_000_000_000
"""Two times closer than this are a tie: FAT keeps times in steps of two seconds."""

EARLIEST_NS = 315_532_800 * 1_000_000_000
"""1980-01-01 UTC, the first time FAT can express; anything earlier is implausible."""

DAY_NS = 86_400 * 1_000_000_000


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

    def reads_mode(self, side: Side) -> bool:
        """Whether the permissions that one root shows mean something."""
        return self.modes and self.ability(side).mode

    def carries_modes(self) -> bool:
        """Whether permissions are compared across, and set."""
        return self.modes and self.left.mode and self.right.mode

    def carries_owners(self) -> bool:
        """Whether owners are compared across, and set: both roots keep them, and are asked to."""
        return self.left.owner and self.right.owner

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
class Mode:
    """The permission bits both sides should have, or that they disagree and nobody decided."""

    left: int
    right: int
    conflict: bool = False
    winner: Side | None = None

    def of(self, side: Side) -> int:
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner both sides should have, as `Mode` is the mode; None where a root tells none."""

    left: int | None
    right: int | None
    conflict: bool = False
    winner: Side | None = None

    def of(self, side: Side) -> int | None:
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True)
class Properties:
    """What both sides should have besides content and time. Where policy decides both, the winner is the same."""

    mode: Mode
    owner: Owner

    @property
    def undecided(self) -> bool:
        """Whether a person must choose."""
        return any(each.conflict and each.winner is None for each in (self.mode, self.owner))

    @property
    def winner(self) -> Side | None:
        return self.mode.winner or self.owner.winner

    def on(self, side: Side, entry: Entry) -> Entry:
        """An entry of one side with what it should have."""
        mode, owner = self.mode.of(side), self.owner.of(side)
        return entry if (mode, owner) == (entry.mode, entry.owner) else replace(entry, mode=mode, owner=owner)


def merge_properties(base: Agreed | None, left: Entry, right: Entry, policy: Policy, rules: Rules) -> Properties:
    """Mode and owner of both sides, each merged by itself."""
    return Properties(
        merge_mode(base, left, right, policy, rules),
        merge_owner(base, left, right, policy, rules),
    )


def merge_owner(base: Agreed | None, left: Entry, right: Entry, policy: Policy, rules: Rules) -> Owner:
    """The owner of both sides, by the rule for modes. Where owners were not kept in step before, different ones are
    levelled by `policy`, and nobody is told of a winner."""
    if not rules.carries_owners() or left.owner == right.owner or left.owner is None or right.owner is None:
        return Owner(left.owner, right.owner)
    remembered = base is not None and base.left.owner is not None and base.right.owner is not None
    if base is not None and remembered:
        on_left, on_right = left.owner != base.left.owner, right.owner != base.right.owner
        if not (on_left or on_right):
            return Owner(left.owner, right.owner)
        if not (on_left and on_right):
            owner = left.owner if on_left else right.owner
            return Owner(owner, owner)
    if policy is Policy.HOLD:
        return Owner(left.owner, right.owner, conflict=True)
    side = _preferred(left, right, policy, rules)
    owner = left.owner if side is Side.LEFT else right.owner
    return Owner(owner, owner, conflict=True, winner=side) if base is None or remembered else Owner(owner, owner)


def same_owner(one: Entry, other: Entry) -> bool:
    """Whether two have the same owner, as far as that is known of both."""
    return one.owner is None or other.owner is None or one.owner == other.owner


def merge_mode(base: Agreed | None, left: Entry, right: Entry, policy: Policy, rules: Rules) -> Mode:
    """The mode of both sides: the one that changed, or by `policy` when both did.

    What a root cannot keep is never read from it: its mode does not count, and none is set there. So it is where modes
    are not to be kept in step.
    `newest` means the later change of status where both roots keep it, else left.
    """
    if left.mode == right.mode or not rules.carries_modes():
        return Mode(left.mode, right.mode)
    if base is not None:
        on_left, on_right = left.mode != base.left.mode, right.mode != base.right.mode
        if not (on_left or on_right):
            return Mode(left.mode, right.mode)
        if not (on_left and on_right):
            mode = left.mode if on_left else right.mode
            return Mode(mode, mode)
    if policy is Policy.HOLD:
        return Mode(left.mode, right.mode, conflict=True)
    side = _preferred(left, right, policy, rules)
    mode = left.mode if side is Side.LEFT else right.mode
    return Mode(mode, mode, conflict=True, winner=side)


def _preferred(left: Entry, right: Entry, policy: Policy, rules: Rules) -> Side:
    """Whose property stands where both sides changed it."""
    later = rules.left.ctime and rules.right.ctime and right.ctime_ns > left.ctime_ns
    return Side.RIGHT if policy is Policy.RIGHT or (policy is Policy.NEWEST and later) else Side.LEFT


def same_time(left_ns: int, right_ns: int, rules: Rules) -> bool:
    """Whether two times are equal as far as both roots can tell.

    A microsecond covers NTFS, which keeps steps of 100 ns; a root that keeps whole seconds is compared by its step.
    """
    if left_ns == right_ns:
        return True
    step = rules.step_ns()
    return abs(left_ns - right_ns) < (step if step >= TIE_NS // 4 else 1_000)
