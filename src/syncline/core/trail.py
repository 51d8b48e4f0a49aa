"""Where things stood while a run renamed: from before its first rename to after its last.

A moment is the number of renames done before it: 0 is the start of the run. Renames that are passed over count as not
done.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

from syncline.core import names
from syncline.core.model import Place, RelPath, Rename, Side


class Trail:
    """The renames of a run, in their order."""

    def __init__(self, renames: Sequence[Rename]) -> None:
        self.renames = renames
        self._about: dict[tuple[Side, RelPath], list[int]] = {}
        for number, rename in enumerate(renames):
            for path in (rename.at.path, rename.to):
                self._about.setdefault((rename.at.side, path), []).append(number)

    @property
    def end(self) -> int:
        """The moment after the last rename."""
        return len(self.renames)

    def start_of(self, place: Place, moment: int, passed: Collection[int] = ()) -> tuple[Place, int | None]:
        """Where something that stood at a place then had stood at the start. Where there was none such, for its name
        had been another thing's until a rename freed it: that place, and the number of the rename."""
        while (number := self._last(place, moment, passed)) is not None:
            rename = self.renames[number]
            inside = _inside(place.path, rename.to)
            if inside is not None:
                place = Place(place.side, _below(rename.at.path, inside))
            elif rename.swap:
                place = Place(place.side, _below(rename.to, _inside(place.path, rename.at.path) or ""))
            else:
                return place, number
            moment = number
        return place, None

    def now_of(self, place: Place, moment: int = 0, passed: Collection[int] = ()) -> Place | None:
        """Where what stood at a place then stands at the end; None where nothing can have stood, for a rename led
        there."""
        while (number := self._next(place, moment, passed)) is not None:
            rename = self.renames[number]
            inside = _inside(place.path, rename.at.path)
            if inside is not None:
                place = Place(place.side, _below(rename.to, inside))
            elif rename.swap:
                place = Place(place.side, _below(rename.at.path, _inside(place.path, rename.to) or ""))
            else:
                return None
            moment = number + 1
        return place

    def together(self, numbers: Collection[int]) -> set[int]:
        """These renames, and all others that are about their paths, or about one above or below, and so on."""
        found, more = set(numbers), set(numbers)
        while more:
            at: set[tuple[Side, RelPath]] = set()
            above: set[tuple[Side, RelPath]] = set()
            for number in more:
                for place in self._places(number):
                    at.add(place)
                    above.update((place[0], each) for each in names.ancestors(place[1]))
            more = set()
            for number in range(self.end):
                if number not in found and any(
                    place in above or any((place[0], each) in at for each in (place[1], *names.ancestors(place[1])))
                    for place in self._places(number)
                ):
                    more.add(number)
            found |= more
        return found

    def _places(self, number: int) -> list[tuple[Side, RelPath]]:
        rename = self.renames[number]
        return [(rename.at.side, rename.at.path), (rename.at.side, rename.to)]

    def _last(self, place: Place, moment: int, passed: Collection[int]) -> int | None:
        found = None
        for numbers in self._of(place):
            for number in reversed(numbers[: bisect_left(numbers, moment)]):
                if number not in passed:
                    found = number if found is None else max(found, number)
                    break
        return found

    def _next(self, place: Place, moment: int, passed: Collection[int]) -> int | None:
        found = None
        for numbers in self._of(place):
            for number in numbers[bisect_left(numbers, moment) :]:
                if number not in passed:
                    found = number if found is None else min(found, number)
                    break
        return found

    def _of(self, place: Place) -> list[list[int]]:
        if not self.renames:
            return []
        paths = (place.path, *names.ancestors(place.path))
        return [numbers for path in paths if (numbers := self._about.get((place.side, path))) is not None]


def _inside(path: RelPath, top: RelPath) -> str | None:
    """What leads from one path to another at or below it; None where it is not."""
    if path == top:
        return ""
    return path[len(top) + 1 :] if path.startswith(f"{top}/") else None


def _below(top: RelPath, inside: str) -> RelPath:
    return names.join(top, inside) if inside else top
