"""The planner alone, on trees in memory: merge and plan, carried out on dicts, thousands of cases a minute."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from syncline.core import listing, merge, names, plan
from syncline.core.model import (
    SIDES,
    Action,
    Agreed,
    BaseDirectory,
    Entry,
    Kind,
    Look,
    MakeDirectory,
    Place,
    Policy,
    Problem,
    PutFile,
    PutLink,
    RelPath,
    Remove,
    Rename,
    Rule,
    SetProperties,
    Side,
    Trash,
)
from syncline.core.policy import Rules
from syncline.core.trees import Triple
from syncline.torture.oracle import Broken

PATHS = ("a", "b", "A", "d", "d/a", "d/b", "d/e", "d/e/c", "e/a", "\udcff", "x\ny")
START_NS = 1_767_225_600_000_000_000
SECOND_NS = 1_000_000_000
DIRECTORY_MODE = 0o755

Tree = dict[RelPath, Entry]


@dataclass(slots=True)
class World:
    """Two trees, what both agreed on, the trash, and a number that makes every content and stamp another."""

    chance: random.Random
    trees: dict[Side, Tree] = field(default_factory=lambda: {side: {} for side in SIDES})
    agreed: dict[RelPath, Agreed] = field(default_factory=dict)
    trash: list[Entry] = field(default_factory=list)
    destroyed: set[bytes] = field(default_factory=set)
    born: set[bytes] = field(default_factory=set)
    asked: set[Place] = field(default_factory=set)
    ticks: int = 0

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks

    # what the merge asks for

    def tops(self) -> list[Triple]:
        return [self.triple(names.ROOT)]

    def triple(self, path: RelPath) -> Triple:
        inside = {names.basename(name): agreed for name, agreed in self.agreed.items() if names.parent(name) == path}
        known = not path or (path in self.agreed and self.agreed[path].left.kind is Kind.DIRECTORY)
        looks = [self.look(side, path) for side in SIDES]
        return Triple(path, path, 1 if known else None, BaseDirectory(inside if known else {}), *looks)

    def look(self, side: Side, path: RelPath) -> Look:
        tree = self.trees[side]
        if path and (path not in tree or tree[path].kind is not Kind.DIRECTORY):
            return None
        below = {names.basename(name): entry for name, entry in tree.items() if name and names.parent(name) == path}
        return {name: replace(entry, content=None) for name, entry in below.items()}

    def child(self, above: Triple, key: str, left_name: str, right_name: str) -> Triple | None:
        return self.triple(names.join(above.left_path, left_name))

    def rest(self) -> None:
        """Nothing is kept of a look."""

    def frozen_above(self, top: Triple) -> bool:
        return False

    def read(self, needs: Mapping[Place, Entry]) -> dict[Place, bytes | Problem]:
        found: dict[Place, bytes | Problem] = {}
        for place in needs:
            if place in self.asked:
                raise Broken("nothing is asked twice", repr(place))
            self.asked.add(place)
            content = self.trees[place.side][place.path].content
            assert content is not None
            found[place] = content
        return found

    # the users

    def edit(self, side: Side) -> None:
        chance, tree = self.chance, self.trees[side]
        path = RelPath(chance.choice(PATHS))
        what = chance.choice(("write", "write", "write", "mkdir", "link", "delete", "delete", "chmod", "touch", "move"))
        if what in ("write", "mkdir", "link"):
            self._make(tree, path, what)
        elif path in tree:
            entry = tree[path]
            if what == "delete":
                self._delete(tree, path)
            elif what == "move":
                self._move(tree, path, RelPath(chance.choice(PATHS)))
            elif what == "chmod" and entry.kind is not Kind.LINK:
                tree[path] = replace(entry, mode=chance.choice((0o700, 0o755)), ctime_ns=self._ctime(entry))
            elif what == "touch" and entry.kind is Kind.FILE:
                tree[path] = replace(entry, mtime_ns=self._time(), ctime_ns=self.tick())

    def _ctime(self, entry: Entry) -> int:
        return 0 if entry.kind is Kind.DIRECTORY else self.tick()

    def _time(self) -> int:
        return START_NS + self.tick() * self.chance.choice((1, 5)) * SECOND_NS

    def _make(self, tree: Tree, path: RelPath, what: str) -> None:
        for above in reversed(names.ancestors(path)):
            if above and above in tree and tree[above].kind is not Kind.DIRECTORY:
                return
            if above and above not in tree:
                tree[above] = Entry(Kind.DIRECTORY, mode=DIRECTORY_MODE, inode=self.tick())
        if path in tree:
            self._delete(tree, path)
        number = self.tick()
        content = b"\1%d" % number
        if what == "mkdir":
            tree[path] = Entry(Kind.DIRECTORY, mode=DIRECTORY_MODE, inode=number)
            return
        kind = Kind.LINK if what == "link" else Kind.FILE
        mode = 0o777 if kind is Kind.LINK else 0o644
        tree[path] = Entry(kind, self.chance.choice((5, 5, 9)), self._time(), mode, number, number, content)
        self.born.add(content)

    def _delete(self, tree: Tree, path: RelPath) -> None:
        for name in _at_and_below(tree, path):
            content = tree.pop(name).content
            if content is not None:
                self.destroyed.add(content)

    def _move(self, tree: Tree, path: RelPath, to: RelPath) -> None:
        if path == to or to.startswith(f"{path}/") or path.startswith(f"{to}/"):
            return
        above = names.parent(to)
        if above and (above not in tree or tree[above].kind is not Kind.DIRECTORY):
            return
        if to in tree:
            self._delete(tree, to)
        for name in _at_and_below(tree, path):
            tree[RelPath(to + name[len(path) :])] = tree.pop(name)

    # carrying out

    def perform(self, action: Action) -> None:
        at, tree = action.at, self.trees[action.at.side]
        present = tree.get(at.path)
        if action.expect is not None and (present is None or present.inode != action.expect.inode):
            raise Broken("a target still is what the plan saw", f"{action} finds {present}")
        if names.parent(at.path) and tree.get(names.parent(at.path), Entry(Kind.FILE)).kind is not Kind.DIRECTORY:
            raise Broken("a directory is there before what is in it", repr(action))
        match action:
            case SetProperties(entry=entry):
                assert present is not None
                mtime_ns = entry.mtime_ns if present.kind is Kind.FILE else 0
                tree[at.path] = replace(present, mode=entry.mode, mtime_ns=mtime_ns, ctime_ns=self._ctime(present))
            case Trash() | Remove():
                self._take_away(action, tree)
            case MakeDirectory() | PutFile() | PutLink():
                self._put(action, tree, present)
            case Rename():
                self._rename(action, tree)
            case _:
                raise Broken("only what is planned", repr(action))

    def _take_away(self, action: Trash | Remove, tree: Tree) -> None:
        path = action.at.path
        gone = _at_and_below(tree, path)
        if isinstance(action, Remove) and len(gone) > 1:
            raise Broken("no recursive delete", repr(action))
        if isinstance(action, Trash) and action.seen is not None and action.seen != self._digest(action.at):
            raise Broken("what goes with a directory was seen", repr(action))
        for name in gone:
            entry = tree.pop(name)
            if isinstance(action, Trash):
                self.trash.append(entry)

    def _put(self, action: MakeDirectory | PutFile | PutLink, tree: Tree, present: Entry | None) -> None:
        path = action.at.path
        if present is not None and action.expect is None:
            raise Broken("a target still is what the plan saw", f"{action} finds {present}")
        if action.aside is not None:
            if action.aside in tree:
                raise Broken("a clash name is free", repr(action))
            for name in _at_and_below(tree, path):
                tree[RelPath(action.aside + name[len(path) :])] = tree.pop(name)
        elif present is not None:
            if len(_at_and_below(tree, path)) > 1:
                raise Broken("no recursive delete", repr(action))
            self.trash.append(tree.pop(path))
        number = self.tick()
        if isinstance(action, MakeDirectory):
            tree[path] = Entry(Kind.DIRECTORY, mode=action.entry.mode, inode=number)
            return
        source = self.trees[action.source.side].get(action.source.path)
        if source is None or (isinstance(action, PutFile) and source.inode != action.source_entry.inode):
            raise Broken("a source still is what the plan saw", f"{action} finds {source}")
        tree[path] = replace(
            source, mode=action.entry.mode, ctime_ns=number, inode=number, mtime_ns=action.entry.mtime_ns
        )

    def _rename(self, action: Rename, tree: Tree) -> None:
        path, to = action.at.path, action.to
        above = names.parent(to)
        if above and (above not in tree or tree[above].kind is not Kind.DIRECTORY):
            raise Broken("a directory is there before what is in it", repr(action))
        taken = tree.get(to)
        if (taken is None) != (action.over is None) or (taken and action.over and taken.inode != action.over.inode):
            raise Broken("a target still is what the plan saw", f"{action} finds {taken}")
        going, back = ({name: tree[name] for name in _at_and_below(tree, each)} for each in (path, to))
        for name in (*going, *back):
            del tree[name]
        for name, entry in going.items():
            tree[RelPath(to + name[len(path) :])] = entry
        if not action.swap:
            self.trash += back.values()
            back = {}
        for name, entry in back.items():
            tree[RelPath(path + name[len(to) :])] = entry
        for moved in (path, to):
            if moved in tree:
                tree[moved] = replace(tree[moved], ctime_ns=self._ctime(tree[moved]))

    def _digest(self, at: Place) -> bytes:
        tree = self.trees[at.side]
        below = [name for name in _at_and_below(tree, at.path) if tree[name].kind is Kind.DIRECTORY]
        looks = ((name[len(at.path) + 1 :], self.look(at.side, name)) for name in below)
        return listing.subtree_digest((name, listing.pack(look)) for name, look in looks if isinstance(look, Mapping))

    def remember(self) -> None:
        """Both sides agree on everything that stands on both."""
        left, right = self.trees[Side.LEFT], self.trees[Side.RIGHT]
        self.agreed = {
            path: Agreed(names.basename(path), names.basename(path), left[path], right[path])
            for path in left.keys() & right.keys()
            if left[path].kind is right[path].kind
        }


def play(seed: int) -> None:
    """Play the case of a seed. Raises: Broken."""
    chance = random.Random(f"L0:{seed}")  # noqa: S311  # a game of chance, no secret
    world = World(chance)
    for _ in range(chance.randint(1, 8)):
        world.edit(Side.LEFT)
    _round(world, first=True)
    for _ in range(chance.randint(1, 3)):
        for _ in range(chance.randint(1, 7)):
            world.edit(chance.choice(SIDES))
        _round(world)


def _round(world: World, *, first: bool = False) -> None:
    for number in range(3):
        actions = _plan(world)
        if number == 0 and actions != _plan(world):
            raise Broken("the same world gives the same plan", repr(actions))
        if first and any(isinstance(action, Trash | Remove) for action in actions):
            raise Broken("a first run deletes nothing", repr(actions))
        before = _everything(world)
        for action in actions:
            world.perform(action)
        _check(world, before)
        world.remember()
        if not actions:
            break
    else:
        raise Broken("convergence", repr(actions))
    left, right = (_shown(world.trees[side]) for side in SIDES)
    if left != right:
        raise Broken("both sides the same", repr(sorted(left.items() ^ right.items())[:4]))


def _plan(world: World) -> list[Action]:
    world.asked.clear()
    rules = Rules(_policy, lambda path, directory: False, START_NS + 3600 * SECOND_NS, "202601010000")
    wanted, _ = merge.merge_all(world, rules, world.read)
    return list(plan.compare(wanted, plan.Disposal()))


def _policy(path: RelPath, rule: Rule) -> Policy:
    return Policy.NEWEST if rule is Rule.PROPS_BOTH else Policy.KEEP_BOTH


def _everything(world: World) -> set[bytes]:
    """Every content that is live or in the trash."""
    entries = [*world.trash, *world.trees[Side.LEFT].values(), *world.trees[Side.RIGHT].values()]
    return {entry.content for entry in entries if entry.content is not None}


def _check(world: World, before: set[bytes]) -> None:
    live = {side: {entry.content for entry in world.trees[side].values()} for side in SIDES}
    everywhere = _everything(world)
    alive = world.born - world.destroyed
    if alive - (live[Side.LEFT] & live[Side.RIGHT]):
        raise Broken("no wrong delete", repr(alive - (live[Side.LEFT] & live[Side.RIGHT])))
    if before - everywhere:
        raise Broken("no byte lost", repr(before - everywhere))


def _shown(tree: Tree) -> dict[RelPath, tuple[object, ...]]:
    return {path: (entry.kind, entry.content, entry.mode) for path, entry in tree.items()}


def _at_and_below(tree: Tree, path: RelPath) -> list[RelPath]:
    return sorted(name for name in tree if name == path or name.startswith(f"{path}/"))
