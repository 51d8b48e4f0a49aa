"""What must hold for any two trees: drawn at random from a common base, each changed as a user might change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.core import names
from syncline.core.model import SIDES, BaseDirectory, Kind, MergeWith, Policy, RelPath, Rule, Side
from syncline.core.names import NameRules
from syncline.core.policy import Ability, Extras, Rules
from tests.core.trees import MODES, SECOND_NS, START_NS, Node, Tree, show
from tests.core.world import Row, World, ignored, rules, world

DRAWN = 20
"""Every cell of the table must have been drawn so often, or the properties prove nothing about it."""

PLACES = ["a", "b", "c", "d/a", "d/b", "d/e/a", "d/e/b", "f/a"]
STATES = ["unchanged", "content", "deleted", "properties", "type"]
CELLS = [
    *(f"{one} / {other}" for i, one in enumerate(STATES) for other in STATES[i:] if (one, other) != (STATES[0],) * 2)
]
NEW = ["created / absent", "created / equal", "created / different", "created / file and directory"]

Step = tuple[str, int, int]
EDITS = [
    "write",
    "rewrite",
    "touch",
    "chmod",
    "delete",
    "move",
    "over",
    "swap",
    "retype",
    "relink",
    "link",
    "mkdir",
    "litter",
    "create",
    "same",
]

FOCUSED = ["write", "touch", "chmod", "delete", "retype", "relink", "create", "mkdir"]
SAME_FILE = 99
"""Given as second number of a step, it picks among the files only: both users begin at the same name."""

base_texts = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["=1", "=2", "=33", "->x"])), min_size=2, max_size=8,
    unique_by=lambda item: item[0],
).map(lambda items: " ".join(path + what for path, what in items))  # fmt: skip
steps = st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 40), st.integers(0, 40)), max_size=6)
focused = st.integers(0, 8).flatmap(
    lambda at: st.tuples(*(st.tuples(st.sampled_from(FOCUSED), st.just(at), st.just(SAME_FILE)) for _ in SIDES))
)
freezes = st.lists(st.tuples(st.just("freeze"), st.integers(0, 40), st.just(0)), max_size=1)


@dataclass
class User:
    """Somebody who changes one side of a world. No two edits carry the same time, but for those made alike."""

    made: World
    side: Side
    second: int

    @property
    def tree(self) -> Tree:
        return self.made.trees[self.side]

    def do(self, step: Step) -> None:
        what, first, second = step
        self.second += 10
        here = sorted(self.tree)
        files = [path for path in here if self.tree[path].kind is Kind.FILE]
        folders = [RelPath(""), *(path for path in here if self.tree[path].kind is Kind.DIRECTORY)]
        if what in ("create", "mkdir", "litter", "link", "same"):
            self._make(what, folders[first % len(folders)], second)
        elif what in ("write", "rewrite", "touch") and files:
            self._edit(what, files[first % len(files)], second)
        elif what == "freeze" and len(folders) > 1:
            path = folders[1:][first % (len(folders) - 1)]
            self.tree[path] = replace(self.tree[path], unreadable=True)
        elif what in ("chmod", "delete", "move", "over", "swap", "retype", "relink") and here:
            found = files if second == SAME_FILE and files else here
            self._change(what, found[first % len(found)], folders[second % len(folders)])

    def _make(self, what: str, folder: RelPath, number: int) -> None:
        path = names.join(folder, {"litter": "x.tmp", "mkdir": "gaf"[number % 3]}.get(what, "abcg"[number % 4]))
        if path not in self.tree:
            content = "7" if what == "same" else f"n{self.second}"
            mtime_ns = START_NS + (5 * SECOND_NS if what == "same" else self.second * SECOND_NS)
            kind = {"mkdir": Kind.DIRECTORY, "link": Kind.LINK}.get(what, Kind.FILE)
            plain = Node(kind, mode=MODES[kind])
            made = plain if what == "mkdir" else replace(plain, content=content, size=len(content), mtime_ns=mtime_ns)
            self.tree[path] = self.made.stamp(made)

    def _edit(self, what: str, path: RelPath, number: int) -> None:
        node = self.tree[path]
        content = {"write": f"w{self.second}", "rewrite": "89"[number % 2] * node.size}.get(what, node.content)
        mtime_ns = START_NS + self.second * SECOND_NS
        self.tree[path] = self.made.touched(replace(node, content=content, size=len(content), mtime_ns=mtime_ns))

    def _change(self, what: str, path: RelPath, folder: RelPath) -> None:
        node = self.tree[path]
        below = [other for other in self.tree if other == path or other.startswith(f"{path}/")]
        if what == "chmod" and node.kind is not Kind.LINK:
            self.tree[path] = self.made.touched(replace(node, mode=0o700 if self.second % 20 else 0o750))
        elif what == "delete":
            for gone in below:
                del self.tree[gone]
        elif what == "move":
            to = names.join(folder, "mv" + names.basename(path)[-1])
            if to not in self.tree and folder not in below:
                self._move(below, path, to)
        elif what == "over" and node.kind is Kind.FILE:
            to = names.join(folder, "abc"[self.second % 3])
            if to != path and self.tree.get(to, node).kind is Kind.FILE:
                self._move(below, path, to)
        elif what == "swap":
            other = [each for each in self.tree if names.parent(each) == folder][:1]
            if other and not path.startswith(f"{other[0]}/") and not other[0].startswith(f"{path}/"):
                back = [each for each in self.tree if each == other[0] or each.startswith(f"{other[0]}/")]
                parked = RelPath("parked")
                self._move(back, other[0], parked)
                if path != other[0]:
                    self._move(below, path, other[0])
                self._move([RelPath(parked + each[len(other[0]) :]) for each in back], parked, path)
        elif what == "relink" and node.kind is Kind.FILE:
            mtime_ns = START_NS + self.second * SECOND_NS
            self.tree[path] = self.made.stamp(Node(Kind.LINK, f"l{self.second}", 5, mtime_ns, MODES[Kind.LINK]))
        elif what == "retype":
            for gone in below:
                del self.tree[gone]
            if node.kind is Kind.FILE:
                self.tree[path] = self.made.stamp(Node(Kind.DIRECTORY, mode=0o755))
                self._make("create", path, 0)
            else:
                self._make_file(path)

    def _move(self, below: list[RelPath], path: RelPath, to: RelPath) -> None:
        for old in below:
            self.tree[RelPath(to + old[len(path) :])] = self.tree.pop(old)
        self.tree[to] = self.made.touched(self.tree[to])

    def _make_file(self, path: RelPath) -> None:
        node = Node(Kind.FILE, f"t{self.second}", 0, START_NS + self.second * SECOND_NS, 0o644)
        self.tree[path] = self.made.stamp(replace(node, size=len(node.content)))


def _drawn(base: str, left: list[Step], right: list[Step], given_rules: Rules) -> World:
    made = world(_clean(base), _clean(base), _clean(base), given_rules)
    for side, done, start in ((Side.LEFT, left, 1000), (Side.RIGHT, right, 1005)):
        user = User(made, side, start)
        for step in done:
            user.do(step)
        made.trees[side] = dict(sorted(made.trees[side].items()))
    return made


def _clean(base: str) -> str:
    return " ".join(sorted(base.split()))


def _swapped(made: World) -> World:
    """The same world with its sides exchanged."""
    rows = {
        key: Row(_swapped_base(row.base), dict(zip(SIDES, reversed(list(row.listings.values())), strict=True)))
        for key, row in made.rows.items()
    }
    trees = {side: dict(made.trees[side.other]) for side in SIDES}
    mirrored = replace(made.rules, left=made.rules.right, right=made.rules.left, policy=_mirrored(made.rules.policy))
    return World(trees, mirrored, rows=rows)


def _swapped_base(base: BaseDirectory) -> BaseDirectory:
    agreed = {
        key: replace(pair, left=pair.right, right=pair.left, racy_left=pair.racy_right, racy_right=pair.racy_left)
        for key, pair in base.agreed.items()
    }
    return BaseDirectory(agreed, base.unagreed)


Chosen = Callable[[RelPath, Rule], Policy | MergeWith]


def _mirrored(policy: Chosen) -> Chosen:
    exchanged: dict[Policy | MergeWith, Policy] = {Policy.LEFT: Policy.RIGHT, Policy.RIGHT: Policy.LEFT}
    return lambda path, rule: exchanged.get(policy(path, rule), policy(path, rule))


def _scope(tree: Mapping[RelPath, Node]) -> dict[RelPath, Node]:
    """What is in scope of a tree, without what belongs to one side only: inode and status time."""
    return {
        path: replace(node, inode=0, ctime_ns=0, mtime_ns=node.mtime_ns if node.kind is Kind.FILE else 0)
        for path, node in tree.items()
        if not any(ignored(above, True) for above in [path, *names.ancestors(path)])
    }


def _contents(tree: Mapping[RelPath, Node]) -> set[tuple[Kind, str]]:
    return {(node.kind, node.content) for node in tree.values() if node.kind in (Kind.FILE, Kind.LINK)}


def _count(cells: Counter[str], base: Tree, left: Tree, right: Tree) -> None:
    for path in left.keys() | right.keys() | base.keys():
        before, one, other = base.get(path), left.get(path), right.get(path)
        if before is not None and before.kind is not Kind.DIRECTORY:
            found = sorted((_state(before, one), _state(before, other)), key=STATES.index)
            cells[" / ".join(found)] += 1
        elif before is None and not ignored(path, False):
            cells[_new(one, other)] += 1


def _state(before: Node, now: Node | None) -> str:
    if now is None:
        return "deleted"
    if now.kind is not before.kind:
        return "type"
    if now.content != before.content:
        return "content"
    return "unchanged" if (now.mtime_ns, now.mode) == (before.mtime_ns, before.mode) else "properties"


def _new(one: Node | None, other: Node | None) -> str:
    if one is None or other is None:
        return "created / absent"
    if Kind.DIRECTORY in (one.kind, other.kind):
        return "both directories" if one.kind is other.kind else "created / file and directory"
    return "created / equal" if (one.kind, one.content) == (other.kind, other.content) else "created / different"


def _settled(made: World) -> None:
    """Both sides show the same, apart from what is out of scope and the directories that stay for it."""
    left, right = (_scope(made.trees[side]) for side in SIDES)
    for here, there, side in ((left, right, Side.LEFT), (right, left, Side.RIGHT)):
        for path, node in here.items():
            if path in there:
                assert node == there[path]
            else:
                assert node.kind is Kind.DIRECTORY, f"{path} stands only on the {side}"
                assert any(ignored(below, False) and below.startswith(f"{path}/") for below in made.trees[side])


def _nothing_lost(made: World, before: Mapping[Side, Tree]) -> None:
    kept = _contents({RelPath(f"{i}"): node for i, (_, _, node) in enumerate(made.trash)})
    live = {side: _contents(made.trees[side]) for side in SIDES}
    for side in SIDES:
        assert _contents(before[side]) <= live[Side.LEFT] | live[Side.RIGHT] | kept


def _untouched_stays(made: World, was: Mapping[Side, Tree], before: Mapping[Side, Tree]) -> None:
    """What stands on both sides as both had it before stands there still, if nobody moved it there."""
    for path, node in _scope(before[Side.LEFT]).items():
        if any(
            path in was[side] and before[side][path].inode != was[side][path].inode
            for side in SIDES
            if path in before[side]
        ):
            continue
        if node.kind is not Kind.DIRECTORY and _scope(before[Side.RIGHT]).get(path) == node:
            assert all(_scope(made.trees[side])[path] == node for side in SIDES)


def _work_lives(made: World, base: Mapping[Side, Tree], before: Mapping[Side, Tree]) -> None:
    """What a user wrote on one side stands on both, whatever the other side did. Another name alone is no work."""
    live = {side: _contents(made.trees[side]) for side in SIDES}
    for side in SIDES:
        old = {(node.inode, node.content) for node in base[side].values()}
        written = {
            path: node
            for path, node in _scope(before[side]).items()
            if path not in base[side] or (base[side][path].kind, base[side][path].content) != (node.kind, node.content)
            if (before[side][path].inode, node.content) not in old
        }
        assert _contents(written) <= live[Side.LEFT] & live[Side.RIGHT]


def test_any_two_trees_come_together_and_nothing_is_lost() -> None:
    cells: Counter[str] = Counter()

    @settings(max_examples=800, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(base_texts, focused, steps, steps, st.booleans())
    def check(base: str, first: tuple[Step, Step], left: list[Step], right: list[Step], twice: bool) -> None:
        policies = {Rule.PROPS_BOTH: Policy.LEFT}
        made = _drawn(base, [first[0], *left], [first[1], *right], rules(policies))
        was = world(_clean(base), _clean(base), _clean(base), rules()).trees
        if twice:  # the same edits on the other side as well: equal bytes and states
            user = User(made, Side.RIGHT, 1000)
            for step in left:
                user.do(step)
        before = {side: dict(made.trees[side]) for side in SIDES}
        _count(cells, was[Side.LEFT], before[Side.LEFT], before[Side.RIGHT])
        mirrored = _swapped(made)
        made.run()
        assert made.plan().actions == []
        made.run()
        assert not made.look().changed
        _settled(made)
        _nothing_lost(made, before)
        _untouched_stays(made, was, before)
        _work_lives(made, was, before)
        if not twice:  # else times are alike, and a tie goes to left
            mirrored.run()
            assert [show(made.trees[side]) for side in SIDES] == [show(mirrored.trees[side.other]) for side in SIDES]

    check()
    table = "\n".join(f"{cell:32}{cells[cell]:6}" for cell in [*CELLS, *NEW])
    print(f"\n{table}")
    assert [cell for cell in [*CELLS, *NEW] if cells[cell] < DRAWN] == [], table


WEAK = [
    Ability(mode=False, symlinks=False, granularity_ns=2 * SECOND_NS),
    Ability(names=NameRules(fold_case=True, forbidden="mv")),
    Ability(),
]
CHOICES = st.sampled_from([Policy.KEEP_BOTH, Policy.NEWEST, Policy.HOLD, Policy.LEFT])


@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(base_texts, steps, steps, freezes, freezes, st.sampled_from(WEAK), CHOICES, CHOICES, st.booleans())
def test_nothing_is_lost_whatever_a_root_cannot_do(
    base: str,
    left: list[Step],
    right: list[Step],
    left_frozen: list[Step],
    right_frozen: list[Step],
    weak: Ability,
    changed: Policy,
    created: Policy,
    quick: bool,
) -> None:
    policies = {Rule.CHANGED_BOTH: changed, Rule.CREATED_BOTH: created}
    links = " ".join(token for token in base.split() if "->" not in token or weak.symlinks)
    made = _drawn(links, [*left, *left_frozen], [*right, *right_frozen], rules(policies, right=weak, quick=quick))
    before = {side: dict(made.trees[side]) for side in SIDES}
    made.run()
    assert made.plan().actions == []
    _nothing_lost(made, before)
    _untouched_stays(made, world(_clean(links), _clean(links), _clean(links), rules()).trees, before)


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(base_texts, steps, steps, freezes, freezes, st.sampled_from(list(Extras)), st.booleans())
def test_a_mirror_never_touches_its_source_and_makes_the_target_like_it(
    base: str,
    left: list[Step],
    right: list[Step],
    left_frozen: list[Step],
    right_frozen: list[Step],
    extras: Extras,
    quick: bool,
) -> None:
    made = _drawn(base, [*left, *left_frozen], [*right, *right_frozen], rules(extras=extras, quick=quick))
    before = {side: dict(made.trees[side]) for side in SIDES}
    done = made.run()
    assert made.trees[Side.LEFT] == before[Side.LEFT]
    assert made.plan().actions == []
    if not any(node.unreadable for side in SIDES for node in before[side].values()) and not done.problems:
        source, target = (_scope(made.trees[side]) for side in SIDES)
        assert {path: target.get(path) for path in source} == source
        if extras is not Extras.KEEP:
            assert {path for path, node in target.items() if node.kind is not Kind.DIRECTORY} <= source.keys()
    if extras is not Extras.DELETE:
        _nothing_lost(made, before)


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(base_texts, steps, steps, st.booleans())
def test_a_first_meeting_deletes_nothing(base: str, left: list[Step], right: list[Step], quick: bool) -> None:
    made = _drawn(base, left, right, rules(quick=quick))
    made.rows = {}
    before = {side: dict(made.trees[side]) for side in SIDES}
    made.run()
    assert made.trash == [] and made.removed == []
    assert made.plan().actions == []
    for side in SIDES:
        assert _contents(before[side]) <= _contents(made.trees[side])
