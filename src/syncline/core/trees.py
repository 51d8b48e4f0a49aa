"""What a merge looks at (three views of each directory that differs) and what it draws up (wants for both sides)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol

from syncline.core.listing import Packed
from syncline.core.model import (
    Agreed,
    BaseDirectory,
    Conflict,
    Entry,
    Gone,
    Hold,
    Look,
    MergeWith,
    Place,
    Problem,
    RelPath,
    Rename,
    Side,
    Unagreed,
    Want,
)
from syncline.core.puts import Puts
from syncline.core.steady import Steady


@dataclass(frozen=True, slots=True)
class Triple:
    """One directory as remembered and as seen on both sides. `row` is its row in the base, None when it is new.

    Both paths are always set: on a side where the directory is absent, it is the path it would have. Where renames are
    carried across, it shows what will be after them; `origin` then is what was seen, and `held` are names that are to
    be left alone, with what had been agreed of them; `brought` and `taken` are the names that a rename gives it and
    takes from it, each with the places that must have been reached before that is so. `steady`: files that are as they
    were, and left out of all views.
    """

    left_path: RelPath
    right_path: RelPath
    row: int | None
    base: BaseDirectory
    left: Look
    right: Look
    held: Mapping[str, Agreed | None] | None = field(default=None, kw_only=True)
    origin: Triple | None = field(default=None, kw_only=True)
    brought: Mapping[str, frozenset[Place]] = field(default_factory=dict, kw_only=True)
    taken: Mapping[str, frozenset[Place]] = field(default_factory=dict, kw_only=True)
    steady: Steady | None = field(default=None, kw_only=True)

    def path(self, side: Side) -> RelPath:
        return self.left_path if side is Side.LEFT else self.right_path

    def look(self, side: Side) -> Look:
        return self.left if side is Side.LEFT else self.right

    def whole(self, side: Side) -> Look:
        """As `look`, with the names that are steady."""
        look = self.look(side)
        return Packed(self.steady.beside(side, look)) if self.steady is not None and isinstance(look, Mapping) else look

    def complete(self, fold: Callable[[str], str]) -> Triple:
        """The directory with nothing left out."""
        if self.steady is None:
            return self
        left, right = (self.whole(side) for side in (Side.LEFT, Side.RIGHT))
        return replace(self, base=self.steady.remembered(fold), left=left, right=right, steady=None)


class Trees(Protocol):
    """Where the merge finds the directories below one that differs."""

    def child(self, above: Triple, key: str, left_name: str, right_name: str) -> Triple | None:
        """A directory below `above`; None when it stands on both sides and both still are as remembered.

        A directory that stands on one side only is always given, changed or not: what the other side has in its place
        decides what becomes of it. The other side's look is None then, for the directory and for all below it.
        """

    def frozen_above(self, top: Triple) -> bool:
        """Whether a directory above `top` could not be seen on one of the sides."""


class Looked(Trees, Protocol):
    """All that was seen, and what of it differs."""

    def tops(self) -> list[Triple]:
        """The directories that differ and whose parent does not."""

    def rest(self) -> None:
        """What was looked at so far is not asked for soon."""


class Fate(IntEnum):
    """What becomes of a name whose counterpart is missing on the other side; a directory's is the highest in it."""

    GONE = 0  # nothing is left of it
    STAYS = 1  # out of scope, or not in step by the wish of the user: it stays where it is
    FROZEN = 2  # not seen, not possible or not decided yet: neither it nor what is above it can be settled now
    LIVES = 3  # it is wanted on both sides


@dataclass(slots=True)
class Merged:
    """One directory after its merge: for every name either what is agreed of it or why it is not.

    A name is agreed once both sides show it and its actions, if any, have succeeded. `contents` holds what became
    known of an agreed name, `unverified` the pairs taken for equal by size and time alone, `taken` the folded names no
    clash file can have.
    """

    at: Triple
    contents: dict[str, bytes | None] = field(default_factory=dict)
    unverified: set[str] = field(default_factory=set)
    holds: dict[str, Unagreed] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    files: dict[Side, int] = field(default_factory=lambda: {Side.LEFT: 0, Side.RIGHT: 0})
    both: int = 0
    taken: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Rotten:
    """A held place whose bytes nobody wrote. `path`: how the left side spells it, as a conflict does; `remembered`: the
    content it had when both sides agreed; `entry`: what stands there, with its content where that was read, None where
    nothing does any more; `both`: the other side is such a place too; `row`: its directory in the base."""

    path: RelPath
    remembered: bytes | None
    entry: Entry | None
    both: bool
    row: int | None


@dataclass(frozen=True, slots=True)
class Merging:
    """Two versions of a file of which a program is to make one: where they are, what was seen, what both came from."""

    places: Mapping[Side, Place]
    entries: Mapping[Side, Entry]
    base: Agreed | None
    by: MergeWith


@dataclass(slots=True)
class Wanted:
    """What a merge drew up. A path that is not mentioned in `wants` is not touched.

    `needs` are contents the merge must know before it can decide: it is run again once they are known.
    `changed` counts, per side, the files whose content is not the remembered one. `together` are the paths of conflicts
    of an undo on which both sides show the same again. `rotten` are the held places whose bytes nobody wrote; `healed`
    those that are so no more. `merges` are, by their path on the left, the files a program is to merge: what is wanted
    of them stands for what it will make. `renames` are done before anything else, in their order; all paths elsewhere
    are those after them. `puts` are the files that are just brought to the other side: of them there are no `wants`.
    """

    wants: dict[Side, dict[RelPath, Want | Gone]] = field(default_factory=lambda: {Side.LEFT: {}, Side.RIGHT: {}})
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    directories: list[Merged] = field(default_factory=list)
    needs: dict[Place, Entry] = field(default_factory=dict)
    changed: dict[Side, int] = field(default_factory=lambda: {Side.LEFT: 0, Side.RIGHT: 0})
    seen: dict[Place, Entry] = field(default_factory=dict)
    together: set[RelPath] = field(default_factory=set)
    rotten: dict[Place, Rotten] = field(default_factory=dict)
    healed: set[Place] = field(default_factory=set)
    merges: dict[RelPath, Merging] = field(default_factory=dict)
    renames: list[Rename] = field(default_factory=list)
    puts: Puts = field(default_factory=Puts)

    def include(self, other: Wanted) -> None:
        """Take over everything that `other` holds."""
        for side in (Side.LEFT, Side.RIGHT):
            self.wants[side].update(other.wants[side])
            self.changed[side] += other.changed[side]
        self.conflicts += other.conflicts
        self.problems += other.problems
        self.directories += other.directories
        self.needs.update(other.needs)
        self.seen.update(other.seen)
        self.together |= other.together
        self.rotten.update(other.rotten)
        self.healed |= other.healed
        self.merges.update(other.merges)
        self.renames += other.renames
        self.puts.include(other.puts)


Contents = Mapping[Place, "bytes | Problem"]
"""Contents read on demand: a digest or link target, or why it could not be read."""


def hold(name: str, why: Hold, base: BaseDirectory, key: str) -> Unagreed:
    """A name that is not agreed; what had been agreed of it before is kept with it."""
    before = base.agreed.get(key)
    if before is None and (earlier := base.unagreed.get(key)) is not None:
        before = earlier.before
    return Unagreed(name, why, before)


def count(merged: Iterable[Merged]) -> tuple[int, int, int]:
    """Regular files in scope in these directories: left, right, on both sides."""
    left = right = both = 0
    for directory in merged:
        left += directory.files[Side.LEFT]
        right += directory.files[Side.RIGHT]
        both += directory.both
    return left, right, both
