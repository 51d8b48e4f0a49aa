"""What a run knows of the disk after its own actions, without looking again."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from syncline.core import names
from syncline.core.model import SIDES, Action, Entry, Kind, Place, PutFile, RelPath, Rename, Side

_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _Shared:
    """A file with further names that are to be changed: the stamps it had in this run, and how it stands now."""

    now: Entry
    had: set[_Stamp] = field(default_factory=set)


class Results:
    """Entries as this run left them (None: gone), and names that are still to be done or could not be done.

    `frugal`: a new file's name is not counted among these, for a first run may bring a million of them. Until it is
    there, it is not agreed for want of a counterpart.
    """

    def __init__(self, *, frugal: bool = False) -> None:
        self._frugal = frugal
        self._renaming = False
        self.entries: dict[Place, Entry | None] = {}
        self._changes: dict[Side, dict[RelPath, dict[str, Entry | None]]] = {side: {} for side in SIDES}
        self._open: dict[Side, dict[RelPath, Counter[str]]] = {side: {} for side in SIDES}
        self._left: dict[Side, Counter[RelPath]] = {side: Counter() for side in SIDES}
        self._touched: dict[Side, set[RelPath]] = {side: set() for side in SIDES}
        self._coming: Counter[Place] = Counter()
        self._inodes = {side: array("Q") for side in SIDES}  # eight bytes for each: there may be a million
        self._twice: dict[Side, frozenset[int]] = {}
        self._shared: dict[tuple[Side, int], _Shared] = {}

    def expect(self, actions: Iterable[Action]) -> None:
        """Take all names these actions are about for open."""
        self._twice.clear()
        for action in actions:
            for entry in (action.expect, action.over if isinstance(action, Rename) else None):
                if entry is not None and entry.kind is Kind.FILE and entry.inode:
                    self._inodes[action.at.side].append(entry.inode)
            if isinstance(action, Rename):
                self._coming.update(_ends(action.at, action.to, swap=action.swap))
                self._renaming = True
            plain = self._frugal and _is_plain(action)
            for place in touched(action):
                above, _, name = place.path.rpartition("/")
                self._left[place.side][RelPath(above)] += 1
                if not plain:
                    self._left[place.side][place.path] += 1
                    self._open[place.side].setdefault(RelPath(above), Counter())[name] += 1

    def note(self, place: Place, entry: Entry | None) -> None:
        """Remember what stands at a place now."""
        self.entries[place] = entry
        directory, _, name = place.path.rpartition("/")
        self._changes[place.side].setdefault(RelPath(directory), {})[name] = entry

    def expected(self, place: Place, planned: Entry | None) -> Entry | None:
        """What should stand at a place now: as planned, or as this run left it, under whichever of its names."""
        entry = self.entries.get(place, planned)
        shared = None if entry is None else self._shared.get((place.side, entry.inode))
        if entry is None or shared is None or _stamp(entry) not in shared.had:
            return entry
        return replace(shared.now, content=entry.content)

    def has_more_names(self, side: Side, entry: Entry) -> bool:
        """Whether a file that stands on a side has several names that are to be changed (hard links)."""
        if side not in self._twice:
            ordered = sorted(self._inodes[side])
            self._twice[side] = frozenset(one for one, next in pairwise(ordered) if one == next)
        return entry.kind is Kind.FILE and entry.inode in self._twice[side]

    def restamped(self, side: Side, before: Entry, now: Entry) -> None:
        """Remember that a change under one of its names gave a file another stamp: its further names show it, too."""
        shared = self._shared.setdefault((side, now.inode), _Shared(now))
        shared.had |= {_stamp(before), _stamp(now)}
        shared.now = now

    def renamed(self, at: Place, to: RelPath, entry: Entry, back: Entry | None) -> None:
        """Remember that what stood at a place stands at `to` now, and what is at the place instead, if anything."""
        if entry.kind is Kind.DIRECTORY or (back is not None and back.kind is Kind.DIRECTORY):
            self._follow(at.side, at.path, to)
        self.note(at, back)
        self.note(Place(at.side, to), entry)
        for place in _ends(at, to, swap=back is not None):
            self._coming[place] -= 1
            if self._coming[place] <= 0:
                del self._coming[place]

    def _follow(self, side: Side, at: RelPath, to: RelPath) -> None:
        """Let what is known below two paths change places with them."""

        def now(path: RelPath) -> RelPath:
            for old, new in ((at, to), (to, at)):
                if path == old or path.startswith(f"{old}/"):
                    return RelPath(new + path[len(old) :])
            return path

        self.entries = {
            Place(place.side, now(place.path)) if place.side is side else place: entry
            for place, entry in self.entries.items()
        }
        self._changes[side] = {now(path): changes for path, changes in self._changes[side].items()}

    def awaited(self, side: Side, path: RelPath) -> bool:
        """Whether a rename that was planned has not brought a directory, or one above it, to this path."""
        if not self._coming:
            return False
        return any(Place(side, each) in self._coming for each in (path, *names.ancestors(path)))

    def coming(self, places: Collection[Place]) -> bool:
        """Whether a rename that was planned has not brought to one of these places what belongs there."""
        return any(place in self._coming for place in places)

    def settle(self, action: Action, *, failed: bool) -> None:
        """Take an action for finished. What failed stays open, and a name of which more is to be done."""
        plain = self._frugal and _is_plain(action)
        for place in touched(action):
            directory, _, name = place.path.rpartition("/")
            for path in (RelPath(directory),) if plain else (RelPath(directory), place.path):
                self._touched[place.side].add(path)
                self._left[place.side][path] -= 1
                if self._left[place.side][path] <= 0:
                    del self._left[place.side][path]
            still_open = None if plain else self._open[place.side].get(RelPath(directory))
            if not failed and still_open is not None:
                still_open[name] -= 1
                if still_open[name] <= 0:
                    del still_open[name]

    def changes(self, side: Side, directory: RelPath) -> Mapping[str, Entry | None]:
        """What this run changed directly in a directory, by name."""
        return self._changes[side].get(directory, {})

    def open_names(self, side: Side, directory: RelPath) -> Collection[str]:
        """The names in a directory for which something was planned and is not done."""
        return self._open[side].get(directory, ())

    def open(self, place: Place) -> bool:
        """Whether something was planned for a place and is not done."""
        return names.basename(place.path) in self.open_names(place.side, names.parent(place.path))

    def finished(self, side: Side, directory: RelPath) -> bool:
        """Whether nothing that was planned for a directory, or for the names in it, is still to come; never where
        something is renamed."""
        return not self._renaming and directory not in self._left[side]

    def release(self, side: Side, directory: RelPath, but: Container[RelPath]) -> None:
        """Let go of what is known of the names of a directory, but of some: it has been written down."""
        for name in self._changes[side].pop(directory, {}):
            path = names.join(directory, name)
            if path not in but:
                self.entries.pop(Place(side, path), None)

    def take_touched(self) -> dict[Side, set[RelPath]]:
        """The directories in which something was settled since this was last asked."""
        touched, self._touched = self._touched, {side: set() for side in SIDES}
        return touched


def _ends(at: Place, to: RelPath, *, swap: bool) -> list[Place]:
    """The places to which a rename brings something."""
    return [Place(at.side, to), at] if swap else [Place(at.side, to)]


def _stamp(entry: Entry) -> _Stamp:
    return entry.size, entry.mtime_ns, entry.ctime_ns


def _is_plain(action: Action) -> bool:
    """Whether an action makes a new file and nothing else."""
    return isinstance(action, PutFile) and action.expect is None and action.group is None


def outcome_place(action: Action) -> Place:
    """Where what an action made, changed or moved stands afterwards."""
    return Place(action.at.side, action.to) if isinstance(action, Rename) else action.at


def touched(action: Action) -> list[Place]:
    """Every place an action changes."""
    second = action.to if isinstance(action, Rename) else getattr(action, "aside", None)
    return [action.at] if second is None else [action.at, Place(action.at.side, second)]
