"""Carrying renames across: where everything belongs in the end, and both trees as they will be once it is there.

What `pairing` found on each side is settled name by name (base, left and right each have a place for it), and the trees
are rearranged: every remembered name, and what stands on either side, is shown where it will be after the renames. The
merge then sees nothing but content and properties. A rename whose place is not free on the other side, or that cannot
be done in any order, is not carried: there the name counts as deleted and made anew, which keeps every version as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from graphlib import CycleError, TopologicalSorter

from syncline.core import names
from syncline.core.draft import listed
from syncline.core.model import (
    SIDES,
    Agreed,
    BaseDirectory,
    Because,
    Conflict,
    Entry,
    Frozen,
    Kept,
    Kind,
    Look,
    Place,
    Policy,
    Problem,
    Reason,
    RelPath,
    Rename,
    Rule,
    Side,
    Want,
    Why,
)
from syncline.core.pairing import Differing, Sight, Thing, anything_missing, sight
from syncline.core.policy import Extras, Rules
from syncline.core.trees import Contents, Looked, Triple, Wanted
from syncline.core.value import dataclass

Paths = tuple[RelPath, RelPath]
"""A path on the left and on the right: the same names, as each side spells them."""

Step = tuple[Side, Thing]
"""One rename that is to be done: of which thing, on which side."""


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
        return [at for key, at in sorted(self.directories.items()) if not key or _parent(key) not in self.directories]

    def child(self, above: Triple, key: str, left_name: str, right_name: str) -> Triple | None:
        """As `Trees.child`."""
        return self.directories.get(names.join(RelPath(_key(above.left_path, self.fold)), key))

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
            above = [_key(each, self.fold) for each in names.ancestors(place.path)]
            (waiting if held.intersection(above) else never).add(thing)
        return waiting, never

    def _reachable(self, place: Place, wanted: Wanted) -> bool:
        above = names.parent(place.path)
        at = self.directories.get(_key(above, self.fold))
        stands = at is None or at.origin is None or isinstance(at.origin.look(place.side), Mapping)
        return stands or isinstance(wanted.wants[place.side].get(above), Want)

    def _held(self, wanted: Wanted) -> set[str]:
        """Every name that is left alone for now."""
        return {
            names.join(RelPath(_key(directory.at.left_path, self.fold)), key)
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


def follow(
    looked: Looked,
    rules: Rules,
    contents: Contents,
    held: Collection[Thing] = frozenset(),
    uncarried: Collection[Thing] = frozenset(),
) -> Followed | None:
    """What both sides moved since they agreed, carried across; None when nothing was moved.

    `contents` by where they stand now. `held`: things that are to be left where they are on both sides. `uncarried`:
    things whose renames count as deleted and made anew.
    """
    if not anything_missing(looked, rules):
        return None
    differing, complete = Differing(looked, rules), False
    single = set(uncarried)
    while True:
        sights = {side: sight(differing, side, contents, single) for side in SIDES}
        moved = sights[Side.LEFT].moved | sights[Side.RIGHT].moved
        if not complete and any(differing.base(index)[key].left.kind is Kind.DIRECTORY for index, key in moved):
            differing, complete = Differing(looked, rules, complete=True), True  # what is below goes elsewhere, too
            continue
        needs = {**sights[Side.LEFT].needs, **sights[Side.RIGHT].needs}
        if not moved and not needs:
            return None
        if needs:
            return Followed(looked, rules.fold(), needs=needs)
        alone = {thing for thing in moved if not all(_movable(differing, sights[side], thing) for side in SIDES)}
        if rules.extras is Extras.KEEP:
            alone |= sights[Side.RIGHT].moved - sights[Side.LEFT].moved
        alone |= _left_apart(differing, sights, moved)
        if not alone:
            course = _Course(differing, looked, sights, moved, {*held, *_rotten(differing, moved)})
            alone = course.obstacles()
            if not alone:
                return course.followed
        single |= alone


def _rotten(differing: Differing, moved: Collection[Thing]) -> set[Thing]:
    """Moved things whose bytes nobody wrote: they are held wherever they go, until a person decides."""
    if not differing.rules.rotten:
        return set()
    paths = {thing: [(side, differing.base_path(side, thing)) for side in SIDES] for thing in moved}
    return {thing for thing, places in paths.items() if differing.rules.rotten.intersection(places)}


def _left_apart(differing: Differing, sights: Mapping[Side, Sight], moved: Collection[Thing]) -> set[Thing]:
    """Moved things at or below names that an undo left apart, which are left alone under whatever name; and folders
    around such names, for these keep their place. The rest of what is in such a folder goes along, name by name."""
    undone, fold = differing.rules.undone, differing.fold
    if not undone:
        return set()
    around = {fold(above) for conflict in undone.values() for above in names.ancestors(conflict.path)}
    found = set()
    for thing in moved:
        paths = [differing.base_path(side, thing) for side in SIDES]
        paths += [differing.path(side, sights[side].place[thing]) for side in SIDES if thing in sights[side].place]
        below = any(fold(each) in undone for path in paths for each in (path, *names.ancestors(path)))
        if below or any(fold(path) in around for path in paths):
            found.add(thing)
    return found


def _movable(differing: Differing, seen: Sight, thing: Thing) -> bool:
    """Whether a side has a thing, and could see into it where it is a directory."""
    return thing in seen.place and differing.below[thing[0]].get(thing[1]) not in seen.unseen


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


class _Cycle(Exception):
    """Directories that were moved into each other."""

    def __init__(self, things: list[Thing]) -> None:
        super().__init__()
        self.things = things


class _Course:
    """One try to carry all of these renames."""

    def __init__(
        self,
        differing: Differing,
        looked: Looked,
        sights: Mapping[Side, Sight],
        moved: Collection[Thing],
        held: Collection[Thing],
    ) -> None:
        self._all, self._rules, self._sights = differing, differing.rules, sights
        self._moved = sorted(moved)
        self._held = set(held)
        self._winner: dict[Thing, Side | None] = {}
        self._of_base: dict[int, Paths] = {}
        self._of_side: dict[tuple[Side, int], Paths] = {}
        self._visiting: list[Thing] = []
        self._finals: dict[str, _Final] = {}
        self._over: dict[Step, Entry] = {}
        self._reached: dict[Thing, frozenset[Place]] = {}
        self.followed = Followed(looked, differing.fold)

    def obstacles(self) -> set[Thing]:
        """Draw everything up; the things whose renames cannot be carried, none when all can."""
        for thing in self._held:
            self._tell(thing)
        self._choose()
        blocked = self._arrange() or self._move() or self._schedule()
        if not blocked:
            self._draw()
        return blocked

    def _tell(self, thing: Thing) -> None:
        """Say that a thing stays where it is although the other side moved it."""
        for side in SIDES:
            if thing in self._sights[side.other].moved:
                place = Place(side, self._all.path(side, self._sights[side].place[thing]))
                detail = (
                    "was moved on the other side to where it cannot be now; it keeps its name on both sides until then"
                )
                self.followed.problems.append(Problem(place, Reason.PARTLY_KEPT, detail))

    # -- where everything belongs -------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Whose place each moved thing takes. Two renames of one thing are a conflict of properties."""
        mirror = self._rules.extras is not None
        for thing in self._moved:
            at = [side for side in SIDES if thing in self._sights[side].moved]
            self._winner[thing] = Side.LEFT if mirror else at[0]
        self._without_cycles()
        if mirror:
            self._check_names()
            return
        chosen: dict[Thing, Policy] = {}
        for thing in self._moved:
            if not all(thing in self._sights[side].moved for side in SIDES):
                continue
            left, right = (self._found(side, thing) for side in SIDES)
            if self._same(left, right):
                continue
            path = self._base_path(thing)
            said = self._rules.policy(path, Rule.PROPS_BOTH)
            policy = chosen[thing] = said if isinstance(said, Policy) else Policy.NEWEST  # no program merges names
            if policy is Policy.HOLD:
                self._held.add(thing)
            elif policy is Policy.RIGHT:
                self._winner[thing] = Side.RIGHT
        self._without_cycles()
        for thing, policy in chosen.items():
            self._conflict(thing, policy, None if policy is Policy.HOLD else self._winner[thing] or Side.LEFT)
        self._check_names()

    def _without_cycles(self) -> None:
        """Directories moved into each other: what the right did is taken back. What the left did alone is a tree."""
        while True:
            self._of_base.clear()
            self._of_side.clear()
            self._visiting.clear()
            try:
                for index in range(len(self._all.all)):
                    self._base_paths(index)
                    for side in SIDES:
                        self._side_paths(side, index)
                return
            except _Cycle as cycle:
                thing = next(
                    thing for thing in cycle.things if self._winner.get(thing) is Side.RIGHT
                )  # left's are a tree
                self._winner[thing] = None
                self._conflict(thing, Policy.LEFT, Side.LEFT)

    def _base_paths(self, index: int) -> Paths:
        """Where a remembered directory belongs."""
        known = self._of_base.get(index)
        if known is None:
            known = self._of_base[index] = self._belongs(index)
        return known

    def _belongs(self, index: int) -> Paths:
        thing, at = self._all.above[index], self._all.all[index]
        if thing is None:
            return at.left_path, at.right_path
        agreed = self._all.base(thing[0]).get(thing[1])
        if thing in self._visiting:
            raise _Cycle(self._visiting[self._visiting.index(thing) :])
        self._visiting.append(thing)
        try:
            if agreed is None:
                return _under(self._base_paths(thing[0]), names.basename(at.left_path), names.basename(at.right_path))
            return self._final(thing, agreed)
        finally:
            self._visiting.remove(thing)

    def _final(self, thing: Thing, agreed: Agreed) -> Paths:
        """Where a remembered name belongs, on each side."""
        winner = None if thing in self._held else self._winner.get(thing)
        if winner is None:
            spelled = [self._spelled_now(side, thing, agreed) for side in SIDES]
            return _under(self._base_paths(thing[0]), *spelled)
        index, name = self._sights[winner].place[thing]
        return _under(self._side_paths(winner, index), name, name)

    def _spelled_now(self, side: Side, thing: Thing, agreed: Agreed) -> str:
        spot = self._sights[side].place.get(thing)
        if spot is not None and self._all.fold(spot[1]) == thing[1] and thing not in self._sights[side].moved:
            return spot[1]
        return agreed.name(side)

    def _side_paths(self, side: Side, index: int) -> Paths:
        """Where a directory of one side belongs: as the remembered one it is, or under the one it lies in."""
        known = self._of_side.get((side, index))
        if known is None:
            known = self._of_side[side, index] = self._goes(side, index)
        return known

    def _goes(self, side: Side, index: int) -> Paths:
        thing, at = self._all.above[index], self._all.all[index]
        owner = self._sights[side].owner.get(index)
        if owner is not None and self._all.above[owner] not in self._held:
            return self._base_paths(owner)
        if thing is None:
            return at.left_path, at.right_path
        name = names.basename(at.path(side))
        return _under(self._side_paths(side, thing[0]), name, name)

    def _found(self, side: Side, thing: Thing) -> Paths:
        """Where one side wants a thing."""
        index, name = self._sights[side].place[thing]
        return _under(self._side_paths(side, index), name, name)

    def _same(self, one: Paths, two: Paths) -> bool:
        return _key(one[0], self._all.fold) == _key(two[0], self._all.fold)

    def _base_path(self, thing: Thing) -> RelPath:
        return self._all.base_path(Side.LEFT, thing)

    def _conflict(self, thing: Thing, policy: Policy, winner: Side | None) -> None:
        left, right = (self._entry(side, thing) for side in SIDES)
        kept = None if winner is None else Kept(winner.value)
        base = self._all.base(thing[0])[thing[1]]
        both = all(thing in self._sights[side].moved for side in SIDES)
        renamed = tuple(self._all.path(side, self._sights[side].place[thing]) for side in SIDES) if both else ()
        conflict = Conflict(self._base_path(thing), Rule.PROPS_BOTH, policy, kept, left, right, base, names=renamed)
        self.followed.conflicts.append(conflict)

    def _entry(self, side: Side, thing: Thing) -> Entry:
        return self._all.entry(side, self._sights[side].place[thing])

    def _check_names(self) -> None:
        """A new name that the other side cannot have: both sides keep theirs."""
        for thing in self._moved:
            winner = self._winner[thing]
            if winner is None or thing in self._held:
                continue
            spot, other = (self._sights[side].place[thing] for side in (winner, winner.other))
            obstacle = names.impossible(spot[1], self._rules.ability(winner.other).names)
            if obstacle is not None and spot[1] != other[1]:
                self._held.add(thing)
                place = Place(winner, self._all.path(winner, spot))
                self.followed.problems.append(Problem(place, Reason.IMPOSSIBLE_NAME, obstacle))

    # -- the trees as they will be ------------------------------------------------------------------------------------

    def _arrange(self) -> set[Thing]:
        """The directories as they will be; what is in the way where two of one side would be one."""
        blocked: set[Thing] = set()
        for index in range(len(self._all.all)):
            if any(index in self._sights[side].stands or index in self._sights[side].unseen for side in SIDES):
                self._final_directory(self._base_paths(index)).base = index
            for side in SIDES:
                if self._all.all[index].look(side) is None:
                    continue
                final = self._final_directory(self._side_paths(side, index))
                if side in final.now:
                    blocked |= self._blamed(side, (index, final.now[side]))
                final.now[side] = index
        return blocked

    def _final_directory(self, paths: Paths) -> _Final:
        return self._finals.setdefault(_key(paths[0], self._all.fold), _Final(paths))

    def _blamed(self, side: Side, indices: Iterable[int]) -> set[Thing]:
        """The moved things that brought these directories of one side to where they are."""
        blamed = set()
        for index in indices:
            at: int | None = index
            while at is not None:
                owner = self._sights[side].owner.get(at)
                thing = None if owner is None else self._all.above[owner]
                if thing is not None and thing in self._winner:
                    blamed.add(thing)
                    break
                above = self._all.above[at]
                at = None if above is None else above[0]
        return blamed or {thing for thing in self._moved if thing not in self._held}

    def _at(self, paths: Paths) -> _Final:
        return self._finals[_key(paths[0], self._all.fold)]

    def _move(self) -> set[Thing]:
        """Take every moved thing from where it was and stands, and put it where it belongs."""
        carried = [thing for thing in self._moved if thing not in self._held]
        for thing in self._held:
            self._hold(thing)
        for thing in carried:
            self._take(thing)
        return {thing for thing in carried if not self._bring(thing)}

    def _hold(self, thing: Thing) -> None:
        agreed = self._all.base(thing[0])[thing[1]]
        for side in SIDES:
            spot = self._sights[side].place.get(thing)
            if spot is not None:
                self._at(self._side_paths(side, spot[0])).held[self._all.fold(spot[1])] = None
        home = self._finals.get(_key(self._base_paths(thing[0])[0], self._all.fold))
        if home is not None:
            home.held[thing[1]] = agreed

    def _take(self, thing: Thing) -> None:
        home = self._finals.get(_key(self._base_paths(thing[0])[0], self._all.fold))
        if home is not None:
            self._agreed(home).pop(thing[1], None)
            home.taken[thing[1]] = thing
        for side in SIDES:
            index, name = self._sights[side].place[thing]
            self._look(self._at(self._side_paths(side, index)), side).pop(name, None)

    def _bring(self, thing: Thing) -> bool:
        """Show a thing where it belongs; false where something else stands in its way."""
        before = self._all.base(thing[0])[thing[1]]
        paths = self._final(thing, before)
        above = self._finals.get(_parent(_key(paths[0], self._all.fold)))
        if above is None:
            return False
        spelled = [names.basename(path) for path in paths]
        key = self._all.fold(spelled[0])
        free = True
        for side, name in zip(SIDES, spelled, strict=True):
            if isinstance(self._seen(above, side), Frozen):
                return False
            look = self._look(above, side)
            taken = next((other for other in look if self._all.fold(other) == key), None)
            if taken is not None:
                free = free and taken == name and self._displaced(side, thing, above, taken)
                look.pop(taken)
            look[name] = self._entry(side, thing)
        self._agreed(above)[key] = replace(before, left_name=spelled[0], right_name=spelled[1])
        above.brought[key] = thing
        return free

    def _displaced(self, side: Side, thing: Thing, above: _Final, name: str) -> bool:
        """Whether what stands in the way is a file that the other side deleted or wrote over, and nobody touched here:
        it goes to the trash by the act that takes its name."""
        spot = (above.now[side], name) if side in above.now else None
        other = None if spot is None else self._sights[side].taken.get(spot)
        if other is None or spot is None or other in self._winner or other in self._sights[side.other].place:
            return False
        entry, before = self._all.entry(side, spot), self._all.base(other[0])[other[1]]
        remembered = before.entry(side)
        racy, plain = before.racy(side), Kind.DIRECTORY not in (entry.kind, self._entry(side, thing).kind)
        if racy or not plain or replace(entry, content=None) != replace(remembered, content=None):
            return False
        self._over[side, thing] = replace(entry, content=remembered.content)
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

    # -- in which order -----------------------------------------------------------------------------------------------

    def _schedule(self) -> set[Thing]:
        """Put the renames in an order in which each finds its name free and its directory in place."""
        stands: dict[Step, RelPath] = {}
        goes: dict[Step, RelPath] = {}
        for thing in self._moved:
            if thing in self._held:
                continue
            final = self._final(thing, self._all.base(thing[0])[thing[1]])
            for side in SIDES:
                index, name = self._sights[side].place[thing]
                now = names.join(_on(side, self._side_paths(side, index)), name)
                self.followed.stood[side][_on(side, final)] = self._all.path(side, (index, name))
                if now != _on(side, final):
                    stands[side, thing], goes[side, thing] = now, _on(side, final)
        in_the_way = {thing for (side, thing), path in stands.items() if self._to_be_made(side, path)}
        if in_the_way:
            return in_the_way
        arrives = {(side, path): (side, thing) for (side, thing), path in goes.items()}
        occupies = {(side, _key(path, self._all.fold)): (side, thing) for (side, thing), path in stands.items()}
        behind = {step: occupies.get((step[0], _key(path, self._all.fold))) for step, path in goes.items()}
        units = _units(behind)
        for unit in units:
            if len(unit) > 1 and not self._turns(unit, goes, arrives):
                return {thing for _, thing in unit}
            places = frozenset(Place(step[0], goes[step]) for step in unit)
            for _, thing in unit:
                self._reached[thing] = self._reached.get(thing, frozenset()) | places
        stuck: set[Thing] = set()
        for leaving in (False, True):
            try:
                order = self._order(units, behind, stands, goes, arrives, leaving=leaving)
            except CycleError as error:
                stuck = {thing for number in error.args[1] for _, thing in units[number]}
                continue
            done: dict[Side, list[tuple[RelPath, RelPath, bool]]] = {side: [] for side in SIDES}
            for number in order:
                self.followed.renames += self._renames(units[number], goes, done)
            return set()
        return stuck

    def _turns(
        self, unit: list[Step], goes: Mapping[Step, RelPath], arrives: Mapping[tuple[Side, RelPath], Step]
    ) -> bool:
        """Whether a ring can be turned by exchanges: none of it lies in another of it."""
        if not self._rules.ability(unit[0][0]).exchange:
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

    def _to_be_made(self, side: Side, path: RelPath) -> bool:
        """Whether a directory belongs where something stands on this side, that it has not got."""
        final = self._finals.get(_key(path, self._all.fold))
        return final is not None and side not in final.now and side.other in final.now

    def _renames(
        self, unit: list[Step], goes: Mapping[Step, RelPath], done: dict[Side, list[tuple[RelPath, RelPath, bool]]]
    ) -> Iterator[Rename]:
        """One rename; or names that change places in a ring, as exchanges with the first of them. `done` are those
        before it, by side: they may have moved what is above."""
        side = unit[0][0]
        first = self._now(unit[0], done[side])
        if len(unit) == 1:
            step = unit[0]
            yield self._rename(step, first, goes[step], goes, self._over.get(step))
            done[side].append((first, goes[step], False))
            return
        for step, behind in zip(unit[:-1], unit[1:], strict=True):
            rename = self._rename(step, first, goes[step], goes, self._entry(*behind))
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
        entry = self._entry(side, thing)
        place, reason = Place(side, at), entry
        if (side.other, thing) not in goes:
            final = self._final(thing, self._all.base(thing[0])[thing[1]])
            place, reason = Place(side.other, _on(side.other, final)), self._entry(side.other, thing)
        self.followed.things[Place(side, to)] = thing
        return Rename(Place(side, at), to, entry, Because(Why.RENAMED, place, reason), over=over)

    # -- what a merge looks at ----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        for at in self._all.all:
            if at.row is not None and not any(isinstance(at.look(side), Frozen) for side in SIDES):
                self.followed.rows.add(at.row)
        for key, final in self._finals.items():
            self.followed.directories[key] = self._triple(final)
            for side, index in final.now.items():
                self.followed.stood[side].setdefault(_on(side, final.paths), self._all.all[index].path(side))
        for side, path in self._rules.rotten:
            self.followed.rotten[Place(side, path)] = Place(side, self._with_its_folder(side, path))

    def _with_its_folder(self, side: Side, path: RelPath) -> RelPath:
        """Where something will be that keeps its name in the directory in which both sides had it."""
        for index, at in enumerate(self._all.all):
            if at.row is not None and at.path(side) == names.parent(path):
                return names.join(_on(side, self._base_paths(index)), names.basename(path))
        return path

    def _triple(self, final: _Final) -> Triple:
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
            brought=self._once_reached(final.brought),
            taken=self._once_reached(final.taken),
            steady=steady,
        )

    def _once_reached(self, moved: Mapping[str, Thing]) -> dict[str, frozenset[Place]]:
        return {key: self._reached.get(thing, frozenset()) for key, thing in moved.items()}

    def _moves_from(self, final: _Final, key: str) -> bool:
        return final.base is not None and (final.base, key) in self._winner and (final.base, key) not in self._held

    def _seen(self, final: _Final, side: Side) -> Look:
        if side in final.looks and (final.looks[side] or side in final.now):
            return final.looks[side]
        index = final.now.get(side)
        return None if index is None else self._all.all[index].look(side)


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


def _under(above: Paths, left_name: str, right_name: str) -> Paths:
    return names.join(above[0], left_name), names.join(above[1], right_name)


def _on(side: Side, paths: Paths) -> RelPath:
    return paths[0] if side is Side.LEFT else paths[1]


def _key(path: RelPath, fold: Callable[[str], str]) -> str:
    return "/".join(map(fold, path.split("/"))) if path else ""


def _parent(key: str) -> str:
    return key.rpartition("/")[0]
