"""What stands on the disk now, asked by where it is to stand in the end, and what will stand there then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncline.core import policy
from syncline.core.model import Entry, Kind, Place, Problem, RelPath
from syncline.core.names import folding, parent
from syncline.engine.ground import Ground
from syncline.engine.world import World, check_stop
from syncline.errors import PathError
from syncline.scanner.client import same_file
from syncline.scanner.contents import read_contents


@dataclass(frozen=True, slots=True)
class Eyes:
    """What stands on the disk now. `actual`: where what is to stand at a place in the end is now; None: nowhere."""

    ground: Ground
    world: World
    actual: Callable[[Place], Place | None] = lambda place: place

    def now(self, place: Place) -> Entry | None:
        at = self.actual(place)
        return None if at is None else self.ground.roots[at.side].entry(at.path)

    def one_name(self, one: Place, other: Place) -> bool:
        """Whether a root takes two names in one directory for the same."""
        rules = self.ground.rules.ability(one.side).names
        fold = folding(rules, rules)
        return parent(one.path) == parent(other.path) and fold(one.path) == fold(other.path)

    def names(self, place: Place) -> list[str]:
        """What is in a directory."""
        at = self.actual(place)
        return [] if at is None else self.ground.roots[at.side].names(at.path)

    def as_left(self, place: Place, left: Entry, *, content: bool) -> bool:
        now = self.now(place)
        if now is None or now.kind is not left.kind:
            return False
        moded = self.ground.rules.ability(place.side).mode and now.kind is not Kind.LINK
        if not policy.same_properties(now, left, mode=moded):
            return False
        if now.kind is Kind.DIRECTORY or same_file(left, now):
            return True
        if now.kind is Kind.FILE and (now.size, now.mtime_ns) != (left.size, left.mtime_ns):
            return False
        if not content and now.kind is Kind.FILE:
            return True
        return left.content is not None and self.content(place, now) == left.content

    def same_below(self, place: Place, kept: Place) -> bool:
        at = self.actual(place)
        try:
            return at is not None and self._below(at) == self._below(kept)
        except PathError:  # one of them is not there, or cannot be seen into
            return False

    def _below(self, place: Place) -> list[tuple[RelPath, Kind, int, int]]:
        found = self.ground.tree(place, leave_nothing)
        return sorted(
            (path, entry.kind, entry.size, entry.mtime_ns if entry.kind is Kind.FILE else 0) for path, entry in found
        )

    def content(self, place: Place, entry: Entry) -> bytes:
        """What is in a file, or the text of a link. Raises: PathError."""
        at = self.actual(place) or place
        found = read_contents(self.ground.roots, {at: entry}, lambda: check_stop(self.world))[at]
        if isinstance(found, Problem):
            raise PathError(found.reason, place.path, found.detail)
        return found


@dataclass(frozen=True, slots=True)
class Then:
    """What stands at a place after the undo, and where its content can be read before it. `moved`: it gets its name
    by a rename, and what is in it comes along."""

    entry: Entry | None
    content_at: Place
    moved: bool = False


def leave_nothing(path: RelPath, entry: Entry) -> bool:
    return False


def by_path(place: Place) -> tuple[str, str]:
    return place.path, place.side.value
