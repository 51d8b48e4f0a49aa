"""Both trees with every rename carried out: what a merge looks at instead of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from syncline.core import names
from syncline.core.model import (
    SIDES,
    Conflict,
    Entry,
    Place,
    Problem,
    RelPath,
    Rename,
    Side,
    Want,
)
from syncline.core.pairing import Thing
from syncline.core.renames.paths import key_of, parent_of
from syncline.core.trees import Looked, Triple, Wanted


@dataclass(slots=True)
class Followed:
    """Both trees with every rename carried out, which a merge looks at instead of what was seen (`merge.Trees`).

    `renames` are in the order in which they are done, before anything else. `needs`: contents, by where they stand
    now, that must be read first; where there are any, nothing else here is to be used. `things`: what each rename is
    about, by where it leads. `rows`: all remembered directories that were looked at. `rotten`: places that are known to
    hold bytes nobody wrote, by where they were when both sides agreed, each with where it will be.
    """

    seen: Looked
    fold: Callable[[str], str]
    renames: list[Rename] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    needs: dict[Place, Entry] = field(default_factory=dict)
    things: dict[Place, Thing] = field(default_factory=dict)
    directories: dict[str, Triple] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    stood: dict[Side, dict[RelPath, RelPath]] = field(default_factory=lambda: {side: {} for side in SIDES})
    rotten: dict[Place, Place] = field(default_factory=dict)

    def tops(self) -> list[Triple]:
        """The directories that differ and whose parent does not."""
        return [at for key, at in sorted(self.directories.items()) if not key or parent_of(key) not in self.directories]

    def child(self, above: Triple, key: str, left_name: str, right_name: str) -> Triple | None:
        """As `Trees.child`."""
        return self.directories.get(names.join(RelPath(key_of(above.left_path, self.fold)), key))

    def rest(self) -> None:
        """As `Looked.rest`; all of it is needed until the end."""

    def frozen_above(self, top: Triple) -> bool:
        """As `Trees.frozen_above`: nothing above a top was moved."""
        return self.seen.frozen_above(top)

    def stranded(self, wanted: Wanted) -> tuple[set[Thing], set[Thing]]:
        """The things whose renames lead into a directory that neither stands there nor is wanted there: those for which
        that directory waits for something, and those for which it will never be."""
        waiting: set[Thing] = set()
        never: set[Thing] = set()
        missing = {place: thing for place, thing in self.things.items() if not self._reachable(place, wanted)}
        held = self._held(wanted) if missing else set()
        for place, thing in missing.items():
            above = [key_of(each, self.fold) for each in names.ancestors(place.path)]
            (waiting if held.intersection(above) else never).add(thing)
        return waiting, never

    def _reachable(self, place: Place, wanted: Wanted) -> bool:
        above = names.parent(place.path)
        at = self.directories.get(key_of(above, self.fold))
        stands = at is None or at.origin is None or isinstance(at.origin.look(place.side), Mapping)
        return stands or isinstance(wanted.wants[place.side].get(above), Want)

    def _held(self, wanted: Wanted) -> set[str]:
        """Every name that is left alone for now."""
        return {
            names.join(RelPath(key_of(directory.at.left_path, self.fold)), key)
            for directory in wanted.directories
            for key in directory.holds
        }

    def actual(self, place: Place) -> Place:
        """Where something stands before the renames."""
        stood = self.stood[place.side]
        for path in (place.path, *names.ancestors(place.path)):
            if path in stood:
                rest = place.path[len(path) :].lstrip("/")
                return Place(place.side, names.join(stood[path], rest) if rest else stood[path])
        return place
