"""What a run knows of the disk after its own actions, without looking again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from syncline.core import names
from syncline.core.model import Action, Entry, Place, RelPath, Side


@dataclass(slots=True)
class Results:
    """Entries as this run left them (None: gone), paths still to be done, and paths that could not be done."""

    entries: dict[Place, Entry | None] = field(default_factory=dict)
    pending: set[Place] = field(default_factory=set)
    failed: set[Place] = field(default_factory=set)
    _by_directory: dict[Place, dict[str, Entry | None]] = field(default_factory=dict)
    _touched: set[Place] = field(default_factory=set)

    def expect(self, actions: Iterable[Action]) -> None:
        """Take all places these actions are about for pending."""
        for action in actions:
            self.pending.update(touched(action))

    def note(self, place: Place, entry: Entry | None) -> None:
        """Remember what stands at a place now."""
        self.entries[place] = entry
        directory = Place(place.side, names.parent(place.path))
        self._by_directory.setdefault(directory, {})[names.basename(place.path)] = entry

    def settle(self, action: Action, *, failed: bool) -> None:
        """Take an action for finished, one way or the other."""
        for place in touched(action):
            self.pending.discard(place)
            self._touched.update((place, Place(place.side, names.parent(place.path))))
            if failed:
                self.failed.add(place)

    def take_touched(self) -> set[Place]:
        """The directories in which something was settled since this was last asked."""
        touched, self._touched = self._touched, set()
        return touched

    def below(self, side: Side, directory: RelPath) -> dict[str, Entry | None]:
        """What this run changed directly in a directory, by name."""
        return self._by_directory.get(Place(side, directory), {})

    def open(self, place: Place) -> bool:
        """Whether something was planned for a place and is not done."""
        return place in self.pending or place in self.failed


def touched(action: Action) -> list[Place]:
    """Every place an action changes or justifies itself by, on both sides."""
    places = [action.at]
    aside = getattr(action, "aside", None)
    if aside is not None:
        places.append(Place(action.at.side, aside))
    return places
