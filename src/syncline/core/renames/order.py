"""In which order the renames are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from syncline.core import names
from syncline.core.model import (
    SIDES,
    Because,
    Entry,
    Place,
    RelPath,
    Rename,
    Side,
    Why,
)
from syncline.core.pairing import Thing
from syncline.core.renames.arranged import Arranged, Step
from syncline.core.renames.homes import Homes
from syncline.core.renames.paths import key_of, on


class Order:
    """The renames to be done, in an order in which each finds its name free and its directory in place.

    `stuck`: the things that cannot be moved in any order, none when all can. `renames`, `things` and `stood` are those
    of `Followed`. `reached`: where the renames of each thing lead.
    """

    def __init__(self, homes: Homes, arranged: Arranged) -> None:
        self._homes, self._arranged = homes, arranged
        self._all, self._sights = homes.all, homes.sights
        self.renames: list[Rename] = []
        self.things: dict[Place, Thing] = {}
        self.stood: dict[Side, dict[RelPath, RelPath]] = {side: {} for side in SIDES}
        self.reached: dict[Thing, frozenset[Place]] = {}
        self.stuck = self._schedule()

    def _schedule(self) -> set[Thing]:
        """Put the renames in an order in which each finds its name free and its directory in place."""
        stands: dict[Step, RelPath] = {}
        goes: dict[Step, RelPath] = {}
        for thing in self._homes.moved:
            if thing in self._homes.held:
                continue
            final = self._homes.final(thing, self._all.base(thing[0])[thing[1]])
            for side in SIDES:
                index, name = self._sights[side].place[thing]
                now = names.join(on(side, self._homes.side_paths(side, index)), name)
                self.stood[side][on(side, final)] = self._all.path(side, (index, name))
                if now != on(side, final):
                    stands[side, thing], goes[side, thing] = now, on(side, final)
        in_the_way = {thing for (side, thing), path in stands.items() if self._arranged.to_be_made(side, path)}
        if in_the_way:
            return in_the_way
        arrives = {(side, path): (side, thing) for (side, thing), path in goes.items()}
        occupies = {(side, key_of(path, self._all.fold)): (side, thing) for (side, thing), path in stands.items()}
        behind = {step: occupies.get((step[0], key_of(path, self._all.fold))) for step, path in goes.items()}
        units = _units(behind)
        for unit in units:
            if len(unit) > 1 and not self._turns(unit, goes, arrives):
                return {thing for _, thing in unit}
            places = frozenset(Place(step[0], goes[step]) for step in unit)
            for _, thing in unit:
                self.reached[thing] = self.reached.get(thing, frozenset()) | places
        stuck: set[Thing] = set()
        for leaving in (False, True):
            try:
                order = self._order(units, behind, stands, goes, arrives, leaving=leaving)
            except CycleError as error:
                stuck = {thing for number in error.args[1] for _, thing in units[number]}
                continue
            done: dict[Side, list[tuple[RelPath, RelPath, bool]]] = {side: [] for side in SIDES}
            for number in order:
                self.renames += self._renames(units[number], goes, done)
            return set()
        return stuck

    def _turns(
        self, unit: list[Step], goes: Mapping[Step, RelPath], arrives: Mapping[tuple[Side, RelPath], Step]
    ) -> bool:
        """Whether a ring can be turned by exchanges: none of it lies in another of it."""
        if not self._all.rules.ability(unit[0][0]).exchange:
            return False
        above = {arrives.get((side, each)) for side, thing in unit for each in names.ancestors(goes[side, thing])}
        return not above.intersection(unit)

    def _order(
        self,
        units: list[list[Step]],
        behind: Mapping[Step, Step | None],
        stands: Mapping[Step, RelPath],
        goes: Mapping[Step, RelPath],
        arrives: Mapping[tuple[Side, RelPath], Step],
        *,
        leaving: bool,
    ) -> list[int]:
        """The units in order: what is above a place comes before what goes there, and, unless `leaving`, what is above
        a thing before the thing itself.

        Raises: CycleError.
        """
        graph: dict[int, set[int]] = {number: set() for number in range(len(units))}
        number_of = {step: number for number, unit in enumerate(units) for step in unit}
        for step, number in number_of.items():
            needed = [behind[step]] if len(units[number]) == 1 else []
            paths = [(step[0], goes[step]), (step[0].other, goes[step])]
            for side, path in paths if leaving else [*paths, (step[0], stands[step])]:
                above = (arrives.get((side, each)) for each in names.ancestors(path))
                needed.append(next((found for found in above if found is not None), None))
            for other in needed:
                if other is not None and number_of[other] != number:
                    graph[number].add(number_of[other])
        return list(TopologicalSorter(graph).static_order())

    def _renames(
        self, unit: list[Step], goes: Mapping[Step, RelPath], done: dict[Side, list[tuple[RelPath, RelPath, bool]]]
    ) -> Iterator[Rename]:
        """One rename; or names that change places in a ring, as exchanges with the first of them. `done` are those
        before it, by side: they may have moved what is above."""
        side = unit[0][0]
        first = self._now(unit[0], done[side])
        if len(unit) == 1:
            step = unit[0]
            yield self._rename(step, first, goes[step], goes, self._arranged.over.get(step))
            done[side].append((first, goes[step], False))
            return
        for step, behind in zip(unit[:-1], unit[1:], strict=True):
            rename = self._rename(step, first, goes[step], goes, self._homes.entry(*behind))
            yield replace(rename, swap=True, group=first if len(unit) > 2 else None)
            done[side].append((first, goes[step], True))

    def _now(self, step: Step, done: Iterable[tuple[RelPath, RelPath, bool]]) -> RelPath:
        """Where a thing stands once these renames are done."""
        path = self._all.path(step[0], self._sights[step[0]].place[step[1]])
        for old, new, swapped in done:
            for one, two in ((old, new), (new, old)) if swapped else ((old, new),):
                if path == one or path.startswith(f"{one}/"):
                    path = RelPath(two + path[len(one) :])
                    break
        return path

    def _rename(self, step: Step, at: RelPath, to: RelPath, goes: Mapping[Step, RelPath], over: Entry | None) -> Rename:
        side, thing = step
        entry = self._homes.entry(side, thing)
        place, reason = Place(side, at), entry
        if (side.other, thing) not in goes:
            final = self._homes.final(thing, self._all.base(thing[0])[thing[1]])
            place, reason = Place(side.other, on(side.other, final)), self._homes.entry(side.other, thing)
        self.things[Place(side, to)] = thing
        return Rename(Place(side, at), to, entry, Because(Why.RENAMED, place, reason), over=over)


def _units(behind: Mapping[Step, Step | None]) -> list[list[Step]]:
    """Rings, each taking the name of the next one; and all others, one by one."""
    units: list[list[Step]] = []
    done: set[Step] = set()
    for start in sorted(behind):
        if start in done:
            continue
        chain, step = [start], behind[start]
        while step is not None and step != start and step not in chain and step not in done:
            chain.append(step)
            step = behind[step]
        if step == start and len(chain) > 1:
            units.append(chain)
            done.update(chain)
    units += [[step] for step in sorted(behind) if step not in done]
    return units
