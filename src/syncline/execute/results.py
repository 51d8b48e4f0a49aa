"""What a run knows of the disk after its own actions, without looking again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from syncline.core import names
from syncline.core.model import SIDES, Action, Entry, Place, RelPath, Side


class Results:
    """Entries as this run left them (None: gone), and names that are still to be done or could not be done."""

    def __init__(self) -> None:
        self.entries: dict[Place, Entry | None] = {}
        self._changes: dict[Side, dict[RelPath, dict[str, Entry | None]]] = {side: {} for side in SIDES}
        self._open: dict[Side, dict[RelPath, Counter[str]]] = {side: {} for side in SIDES}
        self._touched: dict[Side, set[RelPath]] = {side: set() for side in SIDES}

    def expect(self, actions: Iterable[Action]) -> None:
        """Take all names these actions are about for open."""
        for action in actions:
            for place in touched(action):
                directory, _, name = place.path.rpartition("/")
                self._open[place.side].setdefault(RelPath(directory), Counter())[name] += 1

    def note(self, place: Place, entry: Entry | None) -> None:
        """Remember what stands at a place now."""
        self.entries[place] = entry
        directory, _, name = place.path.rpartition("/")
        self._changes[place.side].setdefault(RelPath(directory), {})[name] = entry

    def settle(self, action: Action, *, failed: bool) -> None:
        """Take an action for finished. What failed stays open, and a name of which more is to be done."""
        for place in touched(action):
            directory, _, name = place.path.rpartition("/")
            self._touched[place.side].update((RelPath(directory), place.path))
            still_open = self._open[place.side].get(RelPath(directory))
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

    def take_touched(self) -> dict[Side, set[RelPath]]:
        """The directories in which something was settled since this was last asked."""
        touched, self._touched = self._touched, {side: set() for side in SIDES}
        return touched


def touched(action: Action) -> list[Place]:
    """Every place an action changes."""
    aside = getattr(action, "aside", None)
    return [action.at] if aside is None else [action.at, Place(action.at.side, aside)]
