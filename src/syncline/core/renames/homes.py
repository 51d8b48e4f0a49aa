"""Where everything belongs in the end: whose place each moved thing takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from syncline.core import names
from syncline.core.model import (
    SIDES,
    Agreed,
    Conflict,
    Entry,
    Kept,
    Place,
    Policy,
    Problem,
    Reason,
    RelPath,
    Rule,
    Side,
)
from syncline.core.pairing import Differing, Sight, Thing
from syncline.core.renames.paths import Paths, key_of, under


class _Cycle(Exception):
    """Directories that were moved into each other."""

    def __init__(self, things: list[Thing]) -> None:
        super().__init__()
        self.things = things


class Homes:
    """Where every remembered name, and every directory of each side, belongs once the renames are carried.

    `winner`: whose place each moved thing takes, None where it stays. `held`: moved things that are left where they
    are. What is told of that are `conflicts` and `problems`.
    """

    def __init__(
        self, differing: Differing, sights: Mapping[Side, Sight], moved: Collection[Thing], held: Collection[Thing]
    ) -> None:
        self.all, self._rules, self.sights = differing, differing.rules, sights
        self.moved = sorted(moved)
        self.held = set(held)
        self.winner: dict[Thing, Side | None] = {}
        self.conflicts: list[Conflict] = []
        self.problems: list[Problem] = []
        self._of_base: dict[int, Paths] = {}
        self._of_side: dict[tuple[Side, int], Paths] = {}
        self._visiting: list[Thing] = []
        for thing in self.held:
            self._tell(thing)
        self._choose()

    def _tell(self, thing: Thing) -> None:
        """Say that a thing stays where it is although the other side moved it, at both of its names."""
        for side in SIDES:
            if thing in self.sights[side.other].moved:
                told = (
                    "was moved on the other side to where it cannot be now; it keeps its name on both sides until then"
                )
                self._stays(thing, side, told)
                self._stays(thing, side.other, "was moved to where the other side cannot have it now; it stays here")

    def _stays(self, thing: Thing, side: Side, told: str) -> None:
        place = Place(side, self.all.path(side, self.sights[side].place[thing]))
        self.problems.append(Problem(place, Reason.PARTLY_KEPT, told))

    def _choose(self) -> None:
        """Whose place each moved thing takes. Two renames of one thing are a conflict of properties."""
        mirror = self._rules.extras is not None
        for thing in self.moved:
            at = [side for side in SIDES if thing in self.sights[side].moved]
            self.winner[thing] = Side.LEFT if mirror else at[0]
        self._without_cycles()
        if mirror:
            self._check_names()
            return
        chosen: dict[Thing, Policy] = {}
        for thing in self.moved:
            if not all(thing in self.sights[side].moved for side in SIDES):
                continue
            left, right = (self._found(side, thing) for side in SIDES)
            if self._same(left, right):
                continue
            path = self._base_path(thing)
            said = self._rules.policy(path, Rule.PROPS_BOTH)
            policy = chosen[thing] = said if isinstance(said, Policy) else Policy.NEWEST  # no program merges names
            if policy is Policy.HOLD:
                self.held.add(thing)
            elif policy is Policy.RIGHT:
                self.winner[thing] = Side.RIGHT
        self._without_cycles()
        for thing, policy in chosen.items():
            self._conflict(thing, policy, None if policy is Policy.HOLD else self.winner[thing] or Side.LEFT)
        self._check_names()

    def _without_cycles(self) -> None:
        """Directories moved into each other: what the right did is taken back. What the left did alone is a tree."""
        while True:
            self._of_base.clear()
            self._of_side.clear()
            self._visiting.clear()
            try:
                for index in range(len(self.all.all)):
                    self.base_paths(index)
                    for side in SIDES:
                        self.side_paths(side, index)
                return
            except _Cycle as cycle:
                thing = next(
                    thing for thing in cycle.things if self.winner.get(thing) is Side.RIGHT
                )  # left's are a tree
                self.winner[thing] = None
                self._conflict(thing, Policy.LEFT, Side.LEFT)

    def base_paths(self, index: int) -> Paths:
        """Where a remembered directory belongs."""
        known = self._of_base.get(index)
        if known is None:
            known = self._of_base[index] = self._belongs(index)
        return known

    def _belongs(self, index: int) -> Paths:
        thing, at = self.all.above[index], self.all.all[index]
        if thing is None:
            return at.left_path, at.right_path
        agreed = self.all.base(thing[0]).get(thing[1])
        if thing in self._visiting:
            raise _Cycle(self._visiting[self._visiting.index(thing) :])
        self._visiting.append(thing)
        try:
            if agreed is None:
                return under(self.base_paths(thing[0]), names.basename(at.left_path), names.basename(at.right_path))
            return self.final(thing, agreed)
        finally:
            self._visiting.remove(thing)

    def final(self, thing: Thing, agreed: Agreed) -> Paths:
        """Where a remembered name belongs, on each side."""
        winner = None if thing in self.held else self.winner.get(thing)
        if winner is None:
            spelled = [self._spelled_now(side, thing, agreed) for side in SIDES]
            return under(self.base_paths(thing[0]), *spelled)
        index, name = self.sights[winner].place[thing]
        return under(self.side_paths(winner, index), name, name)

    def _spelled_now(self, side: Side, thing: Thing, agreed: Agreed) -> str:
        spot = self.sights[side].place.get(thing)
        if spot is not None and self.all.fold(spot[1]) == thing[1] and thing not in self.sights[side].moved:
            return spot[1]
        return agreed.name(side)

    def side_paths(self, side: Side, index: int) -> Paths:
        """Where a directory of one side belongs: as the remembered one it is, or under the one it lies in."""
        known = self._of_side.get((side, index))
        if known is None:
            known = self._of_side[side, index] = self._goes(side, index)
        return known

    def _goes(self, side: Side, index: int) -> Paths:
        thing, at = self.all.above[index], self.all.all[index]
        owner = self.sights[side].owner.get(index)
        if owner is not None and self.all.above[owner] not in self.held:
            return self.base_paths(owner)
        if thing is None:
            return at.left_path, at.right_path
        left, right = (self._spelled_at(each, side, index, thing) for each in SIDES)
        return under(self.side_paths(side, thing[0]), left, right)

    def _spelled_at(self, each: Side, side: Side, index: int, thing: Thing) -> str:
        """How a side spells the name of a directory of `side`: as what stands there and stays, else as it is spelled
        on `side`."""
        there = self.all.spelled(each, thing[0]).get(thing[1])
        if there is not None and self.sights[each].taken.get((thing[0], there)) not in self.winner:
            return there
        return names.basename(self.all.all[index].path(side))

    def _found(self, side: Side, thing: Thing) -> Paths:
        """Where one side wants a thing."""
        index, name = self.sights[side].place[thing]
        return under(self.side_paths(side, index), name, name)

    def _same(self, one: Paths, two: Paths) -> bool:
        return key_of(one[0], self.all.fold) == key_of(two[0], self.all.fold)

    def _base_path(self, thing: Thing) -> RelPath:
        return self.all.base_path(Side.LEFT, thing)

    def _conflict(self, thing: Thing, policy: Policy, winner: Side | None) -> None:
        left, right = (self.entry(side, thing) for side in SIDES)
        kept = None if winner is None else Kept(winner.value)
        base = self.all.base(thing[0])[thing[1]]
        both = all(thing in self.sights[side].moved for side in SIDES)
        renamed = tuple(self.all.path(side, self.sights[side].place[thing]) for side in SIDES) if both else ()
        conflict = Conflict(self._base_path(thing), Rule.PROPS_BOTH, policy, kept, left, right, base, names=renamed)
        self.conflicts.append(conflict)

    def entry(self, side: Side, thing: Thing) -> Entry:
        """What stands on a side of a thing that it has."""
        return self.all.entry(side, self.sights[side].place[thing])

    def _check_names(self) -> None:
        """A new name that the other side cannot have: both sides keep theirs."""
        for thing in self.moved:
            winner = self.winner[thing]
            if winner is None or thing in self.held:
                continue
            spot, other = (self.sights[side].place[thing] for side in (winner, winner.other))
            obstacle = names.impossible(spot[1], self._rules.ability(winner.other).names)
            if obstacle is not None and spot[1] != other[1]:
                self.held.add(thing)
                place = Place(winner, self.all.path(winner, spot))
                self.problems.append(Problem(place, Reason.IMPOSSIBLE_NAME, obstacle))
                told = f"was moved on the other side to {names.printable(place.path)}, a name it cannot have here"
                self._stays(thing, winner.other, f"{told}; it stays until it has another name there")
