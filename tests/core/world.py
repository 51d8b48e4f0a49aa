"""A world of two trees and what is remembered of them, in which plans are carried out without a disk.

It does what the engine and the executor do, and is stricter: every action must find what it expects, a free name and a
directory to stand in, and what is remembered afterwards must be true.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from syncline.core import listing, merge, names, plan
from syncline.core.model import (
    ATTENTION,
    SIDES,
    Action,
    Agreed,
    BaseDirectory,
    Conflict,
    Entry,
    Frozen,
    Hold,
    Kind,
    Look,
    MakeDirectory,
    Place,
    Policy,
    Problem,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Remove,
    Rename,
    Rule,
    SetProperties,
    Side,
    Trash,
    Unagreed,
)
from syncline.core.policy import Rules
from syncline.core.steady import meet, tell_apart
from syncline.core.trees import Merged, Triple, Wanted
from syncline.core.trees import count as counted_in
from tests.core.trees import ROOT, SECOND_NS, START_NS, Node, Tree, parse, tree


@dataclass(slots=True)
class Row:
    """What is remembered of one directory."""

    base: BaseDirectory
    listings: dict[Side, dict[str, Entry] | None]


@dataclass(slots=True)
class Round:
    """What one run planned, and what it did."""

    wanted: Wanted
    actions: list[Action]

    @property
    def conflicts(self) -> list[Conflict]:
        return self.wanted.conflicts

    @property
    def problems(self) -> list[Problem]:
        return self.wanted.problems


@dataclass
class World:
    """Two trees, what is remembered of them, and the trash. `run` does what the engine and the executor do."""

    trees: dict[Side, Tree]
    rules: Rules
    disposal: plan.Disposal = plan.Disposal()
    rows: dict[str, Row] = field(default_factory=dict)
    trash: list[tuple[Side, RelPath, Node]] = field(default_factory=list)
    removed: list[tuple[Side, RelPath, Node]] = field(default_factory=list)
    wrote: set[Place] = field(default_factory=set)
    renamed: dict[Place, Entry] = field(default_factory=dict)
    trusting: bool = True
    ticks: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def look(self) -> Observed:
        return Observed(self)

    def want(self) -> Wanted:
        """What a merge of all that differs draws up, contents being read as it asks for them."""
        asked: set[Place] = set()

        def read(needs: Mapping[Place, Entry]) -> dict[Place, bytes | Problem]:
            assert not asked.intersection(needs), "asked twice"
            asked.update(needs)
            assert len(asked) <= sum(map(len, self.trees.values())), "questions without end"
            return {place: self.content(place) for place in needs}

        return merge.merge_all(self.look(), self.rules, read)[0]

    def plan(self) -> Round:
        wanted = self.want()
        return Round(wanted, list(plan.compare(wanted, self.disposal)))

    def run(self) -> Round:
        """Plan, carry out, remember."""
        planned = self.plan()
        self.renamed = {}
        self.wrote = {action.at for action in planned.actions if isinstance(action, PutFile | PutLink)}
        for action in planned.actions:
            self._perform(action)
        self._remember(planned.wanted.directories)
        return planned

    def edit(self, left: str | None = None, right: str | None = None) -> None:
        """Make a side what a text says; what is the same in it keeps its stamp."""
        for side, text in ((Side.LEFT, left), (Side.RIGHT, right)):
            if text is not None:
                self.trees[side] = self._stamped(tree(text), self.trees[side])

    def make_parents(self, side: Side, path: RelPath) -> None:
        """Make the directories above a path that are missing."""
        for above in reversed(names.ancestors(path)):
            if above and above not in self.trees[side]:
                self.trees[side][above] = self.stamp(Node(Kind.DIRECTORY, mode=0o755))

    def stamp(self, node: Node) -> Node:
        """A node as it stands after it was made."""
        return replace(node, restamped=False, inode=next(self.ticks), ctime_ns=START_NS + next(self.ticks))

    def touched(self, node: Node) -> Node:
        """A node as it stands after it was changed in place."""
        return replace(node, restamped=False, ctime_ns=START_NS + next(self.ticks))

    def listing(self, side: Side, path: RelPath) -> Look:
        node = self.trees[side].get(path)
        if path and (node is None or node.kind is not Kind.DIRECTORY):
            return None
        if node is not None and node.unreadable:
            return Frozen(Reason.UNREADABLE, "permission denied")
        return {
            names.basename(below): found.entry(self.rules.ability(side))
            for below, found in self.trees[side].items()
            if below and names.parent(below) == path
        }

    def content(self, place: Place) -> bytes | Problem:
        """What reading a place gives."""
        node = self.trees[place.side][place.path]
        if node.unreadable:
            return Problem(place, Reason.UNREADABLE, "permission denied")
        return node.content.encode() if node.kind is Kind.LINK else b"\1" + node.content.encode()

    def _stamped(self, wanted: Tree, present: Tree) -> Tree:
        stamped = {}
        for path, node in wanted.items():
            before = present.get(path)
            if before is not None and before.same(node):
                stamped[path] = before
            elif before is not None and before.kind is node.kind:
                stamped[path] = self.touched(replace(node, inode=before.inode))
            else:
                stamped[path] = self.stamp(node)
        return stamped

    # -- carrying out -------------------------------------------------------------------------------------------------

    def _perform(self, action: Action) -> None:
        at = action.at
        here, present = self.trees[at.side], self.trees[at.side].get(at.path)
        above = names.parent(at.path)
        assert not above or here[above].kind is Kind.DIRECTORY, f"no directory above {at}"
        if isinstance(action, SetProperties):
            assert present is not None
            self._expect(action, present)
            mtime_ns = action.entry.mtime_ns if present.kind is Kind.FILE else present.mtime_ns
            owner = present.owner if action.entry.owner is None else action.entry.owner
            changed = replace(present, mode=action.entry.mode, mtime_ns=mtime_ns, owner=owner)
            here[at.path] = self.touched(changed)
            return
        assert (action.expect is None) == (present is None), f"{action} finds {present}"
        if present is not None:
            self._expect(action, present)
        match action:
            case PutFile() | PutLink() | MakeDirectory():
                self._put(action, present)
            case Trash():
                assert present is not None
                self._trash(action, present)
            case Rename():
                self._rename(action)
            case Remove():
                assert present is not None
                assert not self._below(at), f"{at.path} is not empty"
                self.removed.append((at.side, at.path, here.pop(at.path)))
            case _:
                raise AssertionError(action)

    def _put(self, action: PutFile | PutLink | MakeDirectory, present: Node | None) -> None:
        at = action.at
        if present is not None:
            if action.aside is not None:
                self._free(at.side, action.aside)
                self.move(at.side, at.path, action.aside)
            else:
                assert not self._below(at), f"{at.path} is replaced although something stands in it"
                kept = self.removed if not isinstance(action, MakeDirectory) and action.outright else self.trash
                kept.append((at.side, at.path, self.trees[at.side].pop(at.path)))
        self._free(at.side, at.path)
        if isinstance(action, MakeDirectory):
            node = Node(Kind.DIRECTORY, mode=action.entry.mode | 0o700, owner=action.entry.owner or 0)
        else:
            source = self.trees[action.source.side][action.source.path]
            assert source.kind is action.entry.kind and source.size == action.entry.size
            if isinstance(action, PutFile):
                able = self.rules.ability(action.source.side)
                expect = self.renamed.get(action.source, action.source_entry)
                assert source.entry(able) == replace(expect, content=None), f"the source of {action}"
            entry = action.entry
            node = replace(source, mode=entry.mode, mtime_ns=entry.mtime_ns, owner=entry.owner or 0)
        self.trees[at.side][at.path] = self.stamp(node)

    def _rename(self, action: Rename) -> None:
        side, tree = action.at.side, self.trees[action.at.side]
        above = names.parent(action.to)
        assert not above or tree[above].kind is Kind.DIRECTORY, f"no directory above {action}"
        taken = tree.get(action.to)
        assert (taken is None) == (action.over is None), f"{action} finds {taken}"
        if taken is not None:
            assert action.over is not None
            seen = replace(action.over, content=None)
            assert action.swap or taken.entry(self.rules.ability(side)) == seen, f"{action} finds {taken}"
        parked = RelPath("\0parked")
        if action.swap:
            self.move(side, action.to, parked)
        elif taken is not None:
            self.trash.append((side, action.to, tree.pop(action.to)))
        self.move(side, action.at.path, action.to)
        if action.swap:
            self.move(side, parked, action.at.path)
        for path in (action.at.path, action.to):
            if path in tree:
                self.renamed[Place(side, path)] = tree[path].entry(self.rules.ability(side))

    def _trash(self, action: Trash, present: Node) -> None:
        below = self._below(action.at)
        files = [node for _, node in [(action.at.path, present), *below] if node.kind is Kind.FILE]
        assert (action.files, action.size) == (len(files), sum(node.size for node in files)), action
        if present.kind is Kind.DIRECTORY:
            assert action.seen == self._digest(action.at), f"{action} goes with what was not seen"
        for path, _ in [(action.at.path, present), *below]:
            self.trash.append((action.at.side, path, self.trees[action.at.side].pop(path)))

    def _digest(self, at: Place) -> bytes:
        found = [at.path, *(path for path, node in self._below(at) if node.kind is Kind.DIRECTORY)]
        looks = ((path[len(at.path) + 1 :], self.listing(at.side, path)) for path in found)
        return listing.subtree_digest((path, listing.pack(look)) for path, look in looks if isinstance(look, dict))

    def _expect(self, action: Action, present: Node) -> None:
        if action.expect is None:
            assert present.kind is Kind.DIRECTORY, f"{action} expects nothing"
            return
        found = present.entry(self.rules.ability(action.at.side))
        expect = self.renamed.get(action.at, action.expect)
        assert found == replace(expect, content=None), f"{action} finds {found}"

    def _free(self, side: Side, path: RelPath) -> None:
        fold = names.folding(self.rules.ability(side).names, self.rules.ability(side).names)
        twins = [other for other in self.trees[side] if names.parent(other) == names.parent(path)]
        assert fold(path) not in map(fold, twins), f"{path} is taken"

    def move(self, side: Side, path: RelPath, to: RelPath) -> None:
        """Give what stands at a path another one, with all below it."""
        for old, _ in [(path, None), *self._below(Place(side, path))]:
            self.trees[side][RelPath(to + old[len(path) :])] = self.trees[side].pop(old)
        self.trees[side][to] = self.touched(self.trees[side][to])

    def _below(self, at: Place) -> list[tuple[RelPath, Node]]:
        return [(path, node) for path, node in self.trees[at.side].items() if path.startswith(f"{at.path}/")]

    # -- remembering --------------------------------------------------------------------------------------------------

    def _remember(self, merged: Iterable[Merged]) -> None:
        for directory in merged:
            key = _key_of(self.rules, directory.at.left_path)
            looks = {side: self.listing(side, directory.at.path(side)) for side in SIDES}
            listings = {side: dict(look) if isinstance(look, Mapping) else None for side, look in looks.items()}
            if listings[Side.LEFT] is None and listings[Side.RIGHT] is None:
                self.rows.pop(key, None)
                continue
            self.rows[key] = Row(self._base(directory, listings), listings)
        kinds = (Kind.DIRECTORY, Kind.UNKNOWN, Kind.MOUNT)
        standing = {
            _key_of(self.rules, p) for side in SIDES for p, node in self.trees[side].items() if node.kind in kinds
        }
        held = {
            names.join(RelPath(_key_of(self.rules, directory.at.left_path)), key)
            for directory in merged
            for key in directory.at.held or ()
        }
        standing |= held
        self.rows = {key: row for key, row in self.rows.items() if not key or key in standing or _within(key, held)}

    def _base(self, directory: Merged, listings: dict[Side, dict[str, Entry] | None]) -> BaseDirectory:
        fold, at = self.rules.fold(), directory.at
        left, right = ({fold(name): name for name in listings[side] or {}} for side in SIDES)
        agreed: dict[str, Agreed] = {}
        waits = {key: item for key, item in directory.holds.items() if key in (at.held or {}) and item.before}
        unagreed: dict[str, Unagreed] = dict(waits)
        steady = {} if at.steady is None else at.steady.remembered(fold).agreed
        unseen = set() if at.steady is None else set(map(fold, at.steady.names()))
        for key in left.keys() | right.keys():
            if key in unseen:
                assert key not in directory.contents, f"{key} was decided although it is as it was"
                one, two = (listings[Side.LEFT] or {})[left[key]], (listings[Side.RIGHT] or {})[right[key]]
                agreed[key] = steady.get(key) or Agreed(left[key], right[key], one, two, unverified=True)
                continue
            if key in directory.holds:
                assert key not in directory.contents, f"{key} is agreed and held"
                unagreed[key] = directory.holds[key]
                continue
            assert key in directory.contents, f"nothing is known of {key} in {at.left_path!r}"
            assert key in left and key in right, f"{key} is agreed and stands on one side only"
            agreed[key] = self._pair(directory, key, (left[key], right[key]), listings)
        return BaseDirectory(agreed, unagreed)

    def _pair(
        self,
        directory: Merged,
        key: str,
        spelled: tuple[str, str],
        listings: dict[Side, dict[str, Entry] | None],
    ) -> Agreed:
        places = [
            Place(side, names.join(directory.at.path(side), name)) for side, name in zip(SIDES, spelled, strict=True)
        ]
        left, right = ((listings[side] or {})[name] for side, name in zip(SIDES, spelled, strict=True))
        assert left.kind is right.kind
        told, unverified = directory.contents[key], key in directory.unverified
        if left.kind is Kind.DIRECTORY or unverified:
            return Agreed(*spelled, left, right, unverified)
        known, twin = (self.content(place) for place in places)
        assert isinstance(known, bytes)
        assert known == twin, f"{places} are agreed and differ"
        assert told == known if told is not None else self.wrote.intersection(places), f"not known what is in {places}"
        return Agreed(*spelled, replace(left, content=known), replace(right, content=known))


class Observed:
    """What a scan of both sides of a world sees, as `merge.Trees`: only directories that are not as remembered."""

    def __init__(self, world: World) -> None:
        self.world = world
        paths = {side: {ROOT, *_directories(world, side)} for side in SIDES}
        self.spelled: dict[str, dict[Side, RelPath]] = {}
        for side in SIDES:
            for path in paths[side]:
                self.spelled.setdefault(_key_of(world.rules, path), {})[side] = path
        for key in world.rows:
            self.spelled.setdefault(key, {})
        self.changed = {key for key in self.spelled if self._differs(key)}
        for key in sorted(self.changed):  # what stands on one side only is settled from where both sides are
            while key and len(self.spelled.get(key, ())) < 2:
                key = key.rpartition("/")[0]
                self.changed.add(key)

    def tops(self) -> list[Triple]:
        found = [key for key in sorted(self.changed) if not key or key.rpartition("/")[0] not in self.changed]
        return [self._triple(key, *self._paths(key)) for key in found]

    def child(self, above: Triple, key: str, left_name: str, right_name: str) -> Triple | None:
        full = names.join(RelPath(_key_of(self.world.rules, above.left_path)), key)
        if full not in self.changed and len(self.spelled.get(full, ())) == 2:
            return None
        return self._triple(full, names.join(above.left_path, left_name), names.join(above.right_path, right_name))

    def rest(self) -> None:
        pass

    def frozen_above(self, top: Triple) -> bool:
        return any(
            isinstance(self.world.listing(side, above), Frozen)
            for side in SIDES
            for above in names.ancestors(top.path(side))
        )

    def _paths(self, key: str) -> tuple[RelPath, RelPath]:
        left, right = (self.spelled.get(key, {}).get(side) for side in SIDES)
        return left or right or RelPath(key), right or left or RelPath(key)

    def _triple(self, key: str, left_path: RelPath, right_path: RelPath) -> Triple:
        row = self.world.rows.get(key)
        left, right = self.world.listing(Side.LEFT, left_path), self.world.listing(Side.RIGHT, right_path)
        whole = Triple(
            left_path, right_path, None if row is None else 1, row.base if row else BaseDirectory(), left, right
        )
        if row is None:
            return self._without_equal(whole)
        return self._without_steady(whole, row) if self.world.trusting else whole

    def _without_equal(self, whole: Triple) -> Triple:
        """A directory that meets its like for the first time as the engine shows it: of what is taken for equal unread,
        nothing is told."""
        rules, left, right = self.world.rules, whole.left, whole.right
        first = self.world.trusting and rules.quick and not self.world.rows
        if not first or rules.reread or not isinstance(left, Mapping) or not isinstance(right, Mapping):
            return whole
        paths = whole.left_path, whole.right_path
        *shown, steady = meet(listing.pack(left), listing.pack(right), paths, rules, rules.fold())
        on_left, on_right = map(listing.Packed, shown)
        return replace(whole, left=on_left, right=on_right, steady=steady)

    def _without_steady(self, whole: Triple, row: Row) -> Triple:
        """A directory as the engine shows it: of what is the same on both sides, nothing is told."""
        rules, fold = self.world.rules, self.world.rules.fold()
        left, right = (row.listings[side] for side in SIDES)
        seen = [listing.pack(look) for look in (whole.left, whole.right) if isinstance(look, Mapping)]
        distrusts = rules.reread or rules.suspects or rules.rotten or rules.undone
        if left is None or right is None or len(seen) < 2 or distrusts:
            return whole
        beside = listing.pack_base(left, right, row.base, fold)
        was = listing.seal(listing.pack(left)), listing.seal(listing.pack(right)), listing.seal(beside)
        base, *shown, steady = tell_apart(seen[0], seen[1], was, fold)
        on_left, on_right = map(listing.Packed, shown)
        return replace(whole, base=base, left=on_left, right=on_right, steady=steady)

    def _differs(self, key: str) -> bool:
        row = self.world.rows.get(key)
        if row is None or self.world.rules.reread:
            return True
        if any(item.hold in ATTENTION for item in row.base.unagreed.values()):
            return True
        if any(agreed.racy_left or agreed.racy_right for agreed in row.base.agreed.values()):
            return True
        left, right = self._paths(key)
        return self.world.listing(Side.LEFT, left) != row.listings[Side.LEFT] or (
            self.world.listing(Side.RIGHT, right) != row.listings[Side.RIGHT]
        )


def _within(key: str, held: Collection[str]) -> bool:
    """Whether a row lies below a name that is held."""
    return any(key.startswith(f"{each}/") for each in held)


def _directories(world: World, side: Side) -> Iterator[RelPath]:
    """The directories a scan looks into: those in scope."""
    for path, node in world.trees[side].items():
        if node.kind is Kind.DIRECTORY and not any(
            world.rules.ignored(p, True) for p in [path, *names.ancestors(path)]
        ):
            yield path


def _key_of(rules: Rules, path: RelPath) -> str:
    return "/".join(map(rules.fold(), path.split("/"))) if path else ""


def world(base: str | None, left: str, right: str, rules: Rules, disposal: plan.Disposal | None = None) -> World:
    """Two trees that agreed on `base` (None: they never met) and now are `left` and `right`."""
    made = World({Side.LEFT: {}, Side.RIGHT: {}}, rules, disposal or plan.Disposal())
    if base is not None:
        for side in SIDES:
            made.trees[side] = {path: made.stamp(node) for path, node in tree(base, side).items()}
        made.rows = _rows(made, base)
    made.edit(left, right)
    return made


def _rows(made: World, base: str) -> dict[str, Row]:
    flags = {path: flag for path, _, flag in (parse(token, Side.LEFT) for token in base.split())}
    rows = {}
    for directory in [ROOT, *(path for path, node in made.trees[Side.LEFT].items() if node.kind is Kind.DIRECTORY)]:
        looks = {side: made.listing(side, directory) for side in SIDES}
        listings = {side: dict(look) if isinstance(look, Mapping) else None for side, look in looks.items()}
        agreed, unagreed = {}, {}
        for name, entry in (listings[Side.LEFT] or {}).items():
            path = names.join(directory, name)
            flag, node = flags.get(path, ""), made.trees[Side.LEFT][path]
            if made.rules.ignored(path, entry.kind is Kind.DIRECTORY):
                unagreed[made.rules.fold()(name)] = Unagreed(name, Hold.IGNORED)
                continue
            known = None
            if node.kind in (Kind.FILE, Kind.LINK) and "u" not in flag:
                known = (b"" if node.kind is Kind.LINK else b"\1") + node.content.encode()
            twin = (listings[Side.RIGHT] or {})[name]
            agreed[made.rules.fold()(name)] = Agreed(
                name,
                name,
                replace(entry, content=known),
                replace(twin, content=known),
                "u" in flag,
                "l" in flag,
                "r" in flag,
            )
        rows[_key_of(made.rules, directory)] = Row(BaseDirectory(agreed, unagreed), listings)
    return rows


def counted(wanted: Wanted) -> tuple[int, int, int]:
    """Files in scope in the directories that were merged: left, right, on both sides."""
    return counted_in(wanted.directories)


def ignored(path: RelPath, directory: bool) -> bool:
    """The filter of these tests: names that end in `.tmp`."""
    return path.endswith(".tmp")


DEFAULTS = {Rule.CHANGED_BOTH: Policy.KEEP_BOTH, Rule.CREATED_BOTH: Policy.KEEP_BOTH, Rule.PROPS_BOTH: Policy.NEWEST}


def rules(policies: Mapping[Rule, Policy] | None = None, **options: object) -> Rules:
    """The rules of a job: the default policies but for those given; clash names carry the minute `M`."""
    chosen = {**DEFAULTS, **(policies or {})}
    plain: Callable[[RelPath, Rule], Policy] = lambda path, rule: chosen[rule]  # noqa: E731
    given = {"ignored": ignored, "now_ns": START_NS + 3600 * SECOND_NS, "minute": "M", **options}
    return Rules(policy=plain, **given)  # type: ignore[arg-type]  # the names are those of Rules
