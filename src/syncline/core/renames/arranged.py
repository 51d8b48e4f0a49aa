"""Both trees rearranged: every name where it will be after the renames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from syncline.core import names
from syncline.core.draft import listed
from syncline.core.model import (
    SIDES,
    Agreed,
    BaseDirectory,
    Entry,
    Frozen,
    Kind,
    Look,
    Place,
    RelPath,
    Side,
)
from syncline.core.pairing import Thing
from syncline.core.renames.followed import Followed
from syncline.core.renames.homes import Homes
from syncline.core.renames.paths import Paths, key_of, on, parent_of
from syncline.core.trees import Triple

Step = tuple[Side, Thing]
"""One rename that is to be done: of which thing, on which side."""


@dataclass(slots=True)
class _Final:
    """A directory as it will be: its paths, and the directories that the base and each side have of it."""

    paths: Paths
    base: int | None = None
    now: dict[Side, int] = field(default_factory=dict)
    agreed: dict[str, Agreed] | None = None
    looks: dict[Side, dict[str, Entry]] = field(default_factory=dict)
    held: dict[str, Agreed | None] = field(default_factory=dict)
    brought: dict[str, Thing] = field(default_factory=dict)
    taken: dict[str, Thing] = field(default_factory=dict)


class Arranged:
    """The directories of both trees as they will be, with every moved thing where it belongs.

    `blocked`: the moved things for which there is no place, none when all have theirs. `over`: what they displace.
    """

    def __init__(self, homes: Homes) -> None:
        self._homes, self._all, self._sights, self._fold = homes, homes.all, homes.sights, homes.all.fold
        self._finals: dict[str, _Final] = {}
        self.over: dict[Step, Entry] = {}
        self.blocked = self._arrange() or self._move()

    def _arrange(self) -> set[Thing]:
        """The directories as they will be; what is in the way where two of one side would be one."""
        blocked: set[Thing] = set()
        for index in range(len(self._all.all)):
            if any(index in self._sights[side].stands or index in self._sights[side].unseen for side in SIDES):
                self._final_directory(self._homes.base_paths(index)).base = index
            for side in SIDES:
                if self._all.all[index].look(side) is None:
                    continue
                final = self._final_directory(self._homes.side_paths(side, index))
                if side in final.now:
                    blocked |= self._blamed(side, (index, final.now[side]))
                final.now[side] = index
        return blocked

    def _final_directory(self, paths: Paths) -> _Final:
        return self._finals.setdefault(key_of(paths[0], self._fold), _Final(paths))

    def _blamed(self, side: Side, indices: Iterable[int]) -> set[Thing]:
        """The moved things that brought these directories of one side to where they are."""
        blamed = set()
        for index in indices:
            at: int | None = index
            while at is not None:
                owner = self._sights[side].owner.get(at)
                thing = None if owner is None else self._all.above[owner]
                if thing is not None and thing in self._homes.winner:
                    blamed.add(thing)
                    break
                above = self._all.above[at]
                at = None if above is None else above[0]
        return blamed or {thing for thing in self._homes.moved if thing not in self._homes.held}

    def _at(self, paths: Paths) -> _Final:
        return self._finals[key_of(paths[0], self._fold)]

    def _move(self) -> set[Thing]:
        """Take every moved thing from where it was and stands, and put it where it belongs."""
        carried = [thing for thing in self._homes.moved if thing not in self._homes.held]
        for thing in self._homes.held:
            self._hold(thing)
        for thing in carried:
            self._take(thing)
        return {thing for thing in carried if not self._bring(thing)}

    def _hold(self, thing: Thing) -> None:
        agreed = self._all.base(thing[0])[thing[1]]
        for side in SIDES:
            spot = self._sights[side].place.get(thing)
            if spot is not None:
                self._at(self._homes.side_paths(side, spot[0])).held[self._fold(spot[1])] = None
        home = self._finals.get(key_of(self._homes.base_paths(thing[0])[0], self._fold))
        if home is not None:
            home.held[thing[1]] = agreed

    def _take(self, thing: Thing) -> None:
        home = self._finals.get(key_of(self._homes.base_paths(thing[0])[0], self._fold))
        if home is not None:
            self._agreed(home).pop(thing[1], None)
            home.taken[thing[1]] = thing
        for side in SIDES:
            index, name = self._sights[side].place[thing]
            self._look(self._at(self._homes.side_paths(side, index)), side).pop(name, None)

    def _bring(self, thing: Thing) -> bool:
        """Show a thing where it belongs; false where something else stands in its way."""
        before = self._all.base(thing[0])[thing[1]]
        paths = self._homes.final(thing, before)
        above = self._finals.get(parent_of(key_of(paths[0], self._fold)))
        if above is None:
            return False
        spelled = [names.basename(path) for path in paths]
        key = self._fold(spelled[0])
        free = True
        for side, name in zip(SIDES, spelled, strict=True):
            if isinstance(self._seen(above, side), Frozen):
                return False
            look = self._look(above, side)
            taken = next((other for other in look if self._fold(other) == key), None)
            if taken is not None:
                free = free and taken == name and self._displaced(side, thing, above, taken)
                look.pop(taken)
            look[name] = self._homes.entry(side, thing)
        self._agreed(above)[key] = replace(before, left_name=spelled[0], right_name=spelled[1])
        above.brought[key] = thing
        return free

    def _displaced(self, side: Side, thing: Thing, above: _Final, name: str) -> bool:
        """Whether what stands in the way is a file that the other side deleted or wrote over, and nobody touched here:
        it goes to the trash by the act that takes its name."""
        spot = (above.now[side], name) if side in above.now else None
        other = None if spot is None else self._sights[side].taken.get(spot)
        if other is None or spot is None or other in self._homes.winner or other in self._sights[side.other].place:
            return False
        entry, before = self._all.entry(side, spot), self._all.base(other[0])[other[1]]
        remembered = before.entry(side)
        racy, plain = before.racy(side), Kind.DIRECTORY not in (entry.kind, self._homes.entry(side, thing).kind)
        if racy or not plain or replace(entry, content=None) != replace(remembered, content=None):
            return False
        self.over[side, thing] = replace(entry, content=remembered.content)
        return True

    def _agreed(self, final: _Final) -> dict[str, Agreed]:
        if final.agreed is None:
            final.agreed = {} if final.base is None else dict(self._all.all[final.base].base.agreed)
        return final.agreed

    def _look(self, final: _Final, side: Side) -> dict[str, Entry]:
        if side not in final.looks:
            index = final.now.get(side)
            final.looks[side] = {} if index is None else dict(listed(self._all.all[index].look(side)))
        return final.looks[side]

    def to_be_made(self, side: Side, path: RelPath) -> bool:
        """Whether a directory belongs where something stands on this side, that it has not got."""
        final = self._finals.get(key_of(path, self._fold))
        return final is not None and side not in final.now and side.other in final.now

    def draw(self, followed: Followed, reached: Mapping[Thing, frozenset[Place]]) -> None:
        """Show a merge the trees as they will be. `reached`: where the renames of each thing lead."""
        for at in self._all.all:
            if at.row is not None and not any(isinstance(at.look(side), Frozen) for side in SIDES):
                followed.rows.add(at.row)
        for key, final in self._finals.items():
            followed.directories[key] = self._triple(final, reached)
            for side, index in final.now.items():
                followed.stood[side].setdefault(on(side, final.paths), self._all.all[index].path(side))
        for side, path in self._all.rules.rotten:
            followed.rotten[Place(side, path)] = Place(side, self._with_its_folder(side, path))

    def _with_its_folder(self, side: Side, path: RelPath) -> RelPath:
        """Where something will be that keeps its name in the directory in which both sides had it."""
        for index, at in enumerate(self._all.all):
            if at.row is not None and at.path(side) == names.parent(path):
                return names.join(on(side, self._homes.base_paths(index)), names.basename(path))
        return path

    def _triple(self, final: _Final, reached: Mapping[Thing, frozenset[Place]]) -> Triple:
        before = None if final.base is None else self._all.all[final.base]
        base = BaseDirectory() if before is None else before.base
        if final.agreed is not None or final.held:
            agreed = base.agreed if final.agreed is None else final.agreed
            left = {key: held for key, held in base.unagreed.items() if not self._moves_from(final, key)}
            base = BaseDirectory(agreed, {key: held for key, held in left.items() if key not in agreed})
        looks = [self._seen(final, side) for side in SIDES]
        stood = [None if (at := final.now.get(side)) is None else self._all.all[at].look(side) for side in SIDES]
        steady = None if before is None else before.steady
        return Triple(
            *final.paths,
            None if before is None else before.row,
            base,
            *looks,
            held=final.held or None,
            origin=Triple(
                *final.paths, None, BaseDirectory() if before is None else before.base, *stood, steady=steady
            ),
            brought=_once_reached(final.brought, reached),
            taken=_once_reached(final.taken, reached),
            steady=steady,
        )

    def _moves_from(self, final: _Final, key: str) -> bool:
        return (
            final.base is not None
            and (final.base, key) in self._homes.winner
            and (final.base, key) not in self._homes.held
        )

    def _seen(self, final: _Final, side: Side) -> Look:
        if side in final.looks and (final.looks[side] or side in final.now):
            return final.looks[side]
        index = final.now.get(side)
        return None if index is None else self._all.all[index].look(side)


def _once_reached(moved: Mapping[str, Thing], reached: Mapping[Thing, frozenset[Place]]) -> dict[str, frozenset[Place]]:
    return {key: reached.get(thing, frozenset()) for key, thing in moved.items()}
