"""What must be true: after every step, after a good run, at the end. Each check raises `Broken` with its promise."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from unicodedata import normalize

from syncline.core.model import (
    Action,
    ActionDone,
    Guard,
    Kind,
    Outcome,
    Place,
    Plan,
    Problem,
    Reason,
    Remove,
    Rename,
    Trash,
)
from syncline.core.names import NameRules, impossible
from syncline.torture.gate import STATE, Step
from syncline.torture.users import PRIVATE, Ledger, Node, Tree

TIE_NS = 2_000_000_000
"""Times that differ by less count as the same."""


class Broken(Exception):
    """A promise was broken: which one, and what was seen."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Sight:
    """Both folders at one moment, what is ours in them included.

    `key`: under what a path is compared with those of the other side, and of other moments. Where one of the roots
    takes several names for one that is not the path itself.
    """

    left: Tree
    right: Tree
    key: Callable[[str], str] = str

    def tree(self, side: str) -> Tree:
        """One side without what is ours, by key; of names that collide, all but one with their spelling besides."""
        raw = self.raw(side)
        return raw if self.key is str else _keyed(raw, self.key)

    def raw(self, side: str) -> Tree:
        """One side without what is ours, as it is spelled."""
        whole = self.left if side == "left" else self.right
        return {path: node for path, node in whole.items() if path and path.split("/")[0] != PRIVATE}

    def collisions(self, side: str) -> set[str]:
        """The keys of several names in one folder each."""
        seen = Counter((path.rpartition("/")[0], self.key(path)) for path in self.raw(side))
        return {key for (_, key), times in seen.items() if times > 1}

    def live(self, side: str) -> set[bytes]:
        return {node.content for node in self.tree(side).values() if node.content}

    def parked(self) -> set[bytes]:
        """What a run that was cut off has parked: old versions, or copies that were about to take their place."""
        return self._below((f"{PRIVATE}/staging/swap-", f"{PRIVATE}/staging/parked-"))

    def trashed(self) -> set[bytes]:
        return self._below((f"{PRIVATE}/trash/",))

    def contents(self) -> set[bytes]:
        """Every content that is live, in the trash or parked."""
        return self.live("left") | self.live("right") | self.trashed() | self.parked()

    def _below(self, places: tuple[str, ...]) -> set[bytes]:
        whole = (*self.left.items(), *self.right.items())
        return {node.content for path, node in whole if path.startswith(places) and node.content}


_BESIDES = "\0"


def _keyed(raw: Tree, key: Callable[[str], str]) -> Tree:
    found, keys = dict[str, Node](), {"": ""}
    for path, node in raw.items():  # a folder comes before what is in it
        above, _, name = path.rpartition("/")
        known = f"{keys[above]}/{key(name)}".lstrip("/")
        keys[path] = f"{known}{_BESIDES}{name}" if known in found else known
        found[keys[path]] = replace(node, spelled=name)
    return found


def _by_key_alone(path: str) -> str:
    return re.sub(f"{_BESIDES}[^/]*", "", path)


@dataclass(slots=True)
class Ran:
    """One call of the engine: what it planned and did, what passed the gate, and how it ended."""

    plan: Plan | None = None
    done: list[ActionDone] = field(default_factory=list)
    outcome: Outcome | None = None
    error: str = ""
    crashed: bool = False
    troubled: bool = False
    changes: list[Step] = field(default_factory=list)
    reads: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    acts: int = 0
    conflicts: int = 0
    approve: str | None = None

    @property
    def good(self) -> bool:
        """It came to its end, and nothing was in its way."""
        ends = (Outcome.DONE, Outcome.IN_SYNC, Outcome.NEEDS_ATTENTION)
        return self.outcome in ends and not self.crashed and not self.troubled


def nothing_lost(must: set[bytes], after: Sight, ledger: Ledger) -> None:
    """Whatever the engine replaced or removed is in the trash, if it is not elsewhere. Holds at every instant."""
    lost = (must - after.contents()) & ledger.born.keys()
    if lost:
        raise Broken("no byte lost", _told(lost, ledger))


def versions_kept(before: Sight, after: Sight, keep: int) -> None:
    """Of each path the trash holds as many versions as it did, or as are to be kept; one that stands again counts.
    What has the same size and time is a copy of the same version, as far as anybody can tell without reading it."""
    left, live = _versions(after), after.live("left") | after.live("right")
    for path, versions in _versions(before).items():
        again = {stamp for stamp, contents in versions.items() if contents & live}
        now = len(left.get(path, {}).keys() | again)
        if now < min(len(versions), keep):
            raise Broken("what is to be kept is kept", f"{path!r}: {now} versions of {len(versions)}, to keep: {keep}")


def _versions(sight: Sight) -> dict[str, dict[tuple[int, int], set[bytes]]]:
    """The different contents that the trash of both sides holds of each path, by size and time."""
    top, found = f"{PRIVATE}/trash/", dict[str, dict[tuple[int, int], set[bytes]]]()
    for where, node in (*sight.left.items(), *sight.right.items()):
        if where.startswith(top) and node.kind in ("file", "link"):
            path = re.sub(r"~\d+$", "", where.removeprefix(top).partition("/")[2])
            found.setdefault(path, {}).setdefault((len(node.content), node.mtime_ns), set()).add(node.content)
    return found


def nothing_torn(after: Sight, ledger: Ledger) -> None:
    """Every file shows a whole content that somebody wrote. Holds at every instant."""
    for side in ("left", "right"):
        for path, node in after.tree(side).items():
            if node.kind in ("file", "link") and node.content and node.content not in ledger.born:
                raise Broken("whole content", f"{side} {path!r} shows {node.content[:40]!r}")


def places(actions: Iterable[Action]) -> set[tuple[str, str]]:
    """Every name that these actions change, with its side."""
    found = set()
    for action in actions:
        found.add((action.at.side.value, str(action.at.path)))
        found.add((action.at.side.value, str(getattr(action, "aside", None))))
        found.add((action.at.side.value, str(getattr(action, "to", None))))
    return found


def inside(actions: Iterable[Action], sight: Sight) -> set[tuple[str, str]]:
    """What is in the folders that these actions take away as a whole: one that goes on with them may find something new
    there, and take away the rest by name."""
    folders = [(each.at.side.value, f"{each.at.path}/") for each in actions if isinstance(each, Trash)]
    return {(side, name) for side, folder in folders for name in sight.raw(side) if name.startswith(folder)}


def renamed(actions: Iterable[Action]) -> set[str]:
    """Every name that a rename takes or gives, on either side."""
    moves = [action for action in actions if isinstance(action, Rename)]
    return {str(move.at.path) for move in moves} | {str(move.to) for move in moves}


def nothing_unplanned(ran: Ran, begun: set[tuple[str, str]]) -> None:
    """Every name that was changed stands in the plan that was shown, or in one that was `begun` and cut off; a first
    run removes nothing."""
    if ran.plan is None:
        return
    planned = places(ran.plan.actions) | begun
    actions = list(ran.plan.actions)
    for done in ran.done:
        if done.action not in actions:
            raise Broken("done is what was shown, or less", repr(done.action))
    for step in ran.changes:
        if step.where == STATE or step.kind in ("flush", "lock"):
            continue
        for path in step.paths:
            if path.split("/")[0] != PRIVATE and (step.where, path) not in planned:
                raise Broken("done is what was shown, or less", f"{step}")
    if ran.plan.first and ran.plan.kind == "twoway":
        removals = [action for action in actions if isinstance(action, Trash | Remove)]
        if removals:
            raise Broken("a first run deletes nothing", repr(removals[0]))


def durable(changes: Iterable[Step]) -> None:
    """A staged file is durable before it gets its name, and a name before the state says so."""
    written = defaultdict[str, set[str]](set)
    named = defaultdict[str, set[str]](set)
    for step in changes:
        if step.kind == "finish":
            written[step.where].add(step.paths[0])
        elif step.kind == "flush":
            written[step.where].clear()
            named[step.where].clear()
        elif step.kind in ("rename", "replace") and step.paths[1] in written[step.where]:
            raise Broken("durable before it is shown", repr(step))
        elif step.kind in ("rename", "exchange", "make-directory", "set-properties") and not _ours(step.paths[0]):
            named[step.where].add(step.paths[0])
        elif step.kind == "commit" and any(named.values()):
            raise Broken("durable before it is remembered", repr(set().union(*named.values())))


def _ours(path: str) -> bool:
    return path.split("/")[0] == PRIVATE


def guarded(plan: Plan, before: Sight) -> None:
    """More than 25 files and more than 10 % of a side do not go without a question; fewer go without one."""
    if plan.first or plan.kind != "twoway" or any(objection.guard not in _QUESTIONS for objection in plan.objections):
        return
    expected = False
    for side in ("left", "right"):
        going = [
            action for action in plan.actions if isinstance(action, Trash | Remove) and action.at.side.value == side
        ]
        files = sum(_files(action) for action in going)
        there = sum(node.kind == "file" for node in before.tree(side).values())
        expected = expected or (files > 25 and files > 0.1 * there)
    asked = any(objection.guard is Guard.TOO_MANY_DELETES for objection in plan.objections)
    if expected and not asked and not plan.objections and files_gone(plan):
        raise Broken("many deletions are asked about", f"{files_gone(plan)} files")


def unseen_kept(plan: Plan, failed: Iterable[Step]) -> None:
    """Not seen is not gone: nothing goes on one side because the other could not be read."""
    for step in failed:
        for action in plan.actions if step.kind == "listing" else ():
            below = action.at.path == step.paths[0] or action.at.path.startswith(f"{step.paths[0]}/".lstrip("/"))
            if isinstance(action, Trash | Remove) and action.at.side.value != step.where and below:
                raise Broken("not seen is not gone", f"{step} and {action}")


_QUESTIONS = (Guard.TOO_MANY_DELETES, Guard.ALL_CHANGED)


def files_gone(plan: Plan) -> int:
    return sum(_files(action) for action in plan.actions if isinstance(action, Trash | Remove))


def _files(action: Trash | Remove) -> int:
    if isinstance(action, Trash):
        return action.files
    return int(action.expect is not None and action.expect.kind is Kind.FILE)


def no_wrong_delete(after: Sight, ledger: Ledger, *, both: bool) -> None:
    """What no user destroyed is at a live path: on both sides, or on one where something is out of scope or held."""
    left, right = after.live("left"), after.live("right")
    missing = ledger.alive() - (left & right if both else left | right)
    if missing:
        raise Broken("no wrong delete", _told(missing, ledger))


def source_untouched(before: Sight, after: Sight) -> None:
    """A mirror never writes to its source."""
    if before.left != after.left:
        changed = [
            path for path in before.left.keys() | after.left.keys() if before.left.get(path) != after.left.get(path)
        ]
        raise Broken("a mirror never writes to its source", f"{sorted(changed)[:3]!r}")


def one_side_only(agreed: Sight, before: Sight, after: Sight, moved: Collection[str]) -> None:
    """A path changed on one side only ends as that side has it, on both; where one side did not change at all, the
    other one is not touched. `moved`: the names a rename of the plan takes or gives."""
    for quiet_side, other in (("left", "right"), ("right", "left")):
        if agreed.tree(quiet_side) == before.tree(quiet_side) and before.tree(other) != after.tree(other):
            raise Broken("only one side changed, so only the other is touched", f"{other} was touched as well")
    base, left, right = agreed.tree("left"), before.tree("left"), before.tree("right")
    moved = {before.key(path) for path in moved}
    for path in base.keys() | left.keys() | right.keys():
        here = (base.get(path), left.get(path), right.get(path))
        if any(node is not None and node.kind != "file" for node in here) or not _plain_above(path, base, left, right):
            continue
        on_left, on_right = not _untouched(here[1], here[0]), not _untouched(here[2], here[0])
        if on_left == on_right:
            continue
        wanted = here[1] if on_left else here[2]
        if _moved(path, wanted, base) or any(path == other or path.startswith(f"{other}/") for other in moved):
            continue  # under another name now, with whatever the other side made of it
        for side in ("left", "right"):
            found = after.tree(side).get(path)
            if not same_node(found, wanted):
                raise Broken(
                    "a change of one side reaches the other",
                    f"{path!r} on {side} is {_shown(found)}, not {_shown(wanted)}",
                )


def respelled(agreed: Sight, before: Sight, after: Sight, rules: Mapping[str, NameRules]) -> None:
    """A name that was only spelled otherwise, on one side, is spelled so on both. Where a disk has a form of Unicode of
    its own, another one says nothing of what a person did."""
    for side, other in (("left", "right"), ("right", "left")):
        base, now, there = agreed.tree(side), before.tree(side), before.tree(other)
        for path, node in now.items():
            was = base.get(path)
            same = was is not None and (was.kind, was.inode, was.content) == (node.kind, node.inode, node.content)
            if was is None or not same or was.spelled == node.spelled:
                continue
            formed = side in rules and rules[side].fold_unicode
            if formed and normalize("NFC", was.spelled) == normalize("NFC", node.spelled):
                continue
            if there.get(path) != agreed.tree(other).get(path):
                continue
            for each in ("left", "right"):
                found = after.tree(each).get(path)
                if found is None or found.spelled != node.spelled:
                    told = "gone" if found is None else f"spelled {found.spelled!r}"
                    raise Broken("another spelling reaches the other side", f"{node.spelled!r} is {told} on {each}")


def both_kept_once(agreed: Sight, before: Sight, after: Sight) -> None:
    """Two different edits of one file: one keeps the name, the other becomes exactly one clash file, on both sides."""
    base = agreed.tree("left")
    left, right = before.tree("left"), before.tree("right")
    for path in left.keys() & right.keys():
        here = (base.get(path), left[path], right[path])
        if any(node is None or node.kind != "file" for node in here) or not _plain_above(path, base, left, right):
            continue
        contents = {node.content for node in here if node is not None}
        if len(contents) != 3 or b"" in contents:
            continue
        if any(_moved(path, tree[path], base) for tree in (left, right)):
            continue
        for content in (left[path].content, right[path].content):
            copies = sum(node.content == content for tree in (left, right) for node in tree.values())
            for side in ("left", "right"):
                found = [name for name, node in after.tree(side).items() if node.content == content]
                if copies == 1 and len(found) != 1:
                    raise Broken("one clash file", f"{content[:30]!r} of {path!r} is at {found!r} on {side}")


def _moved(path: str, node: Node | None, base: Mapping[str, Node]) -> bool:
    """Whether a file had another name when both sides agreed. No two writes have the same content."""
    return node is not None and any(
        other != path and before.kind == node.kind and before.content == node.content for other, before in base.items()
    )


def left_alone(apart: Iterable[str], before: Sight, after: Sight) -> None:
    """No run touches what an undo left apart, nor anything below it."""
    for path in map(before.key, apart):
        for side in ("left", "right"):
            here, then = (_at_and_below(sight.tree(side), path) for sight in (before, after))
            folders = here.get(path, _NOTHING).kind == then.get(path, _NOTHING).kind == "directory"
            if not folders and _contents(here) != _contents(then):
                raise Broken("what an undo left apart is left alone", f"{path!r} on {side}")


def _contents(tree: Tree) -> dict[str, bytes]:
    return {name: node.content for name, node in tree.items()}


def waiting_above(apart: Iterable[str], after: Sight) -> list[str]:
    """The folders that wait for what an undo left apart in them, because the other side has something else there."""
    left, right = after.tree("left"), after.tree("right")
    found = []
    for path in map(after.key, apart):
        while "/" in path:
            path = path.rpartition("/")[0]
            if left.get(path, _NOTHING).kind != right.get(path, _NOTHING).kind:
                found.append(path)
    return found


def taken_back(was: Sight, now: Sight, changed: Iterable[tuple[str, str]], reasons: Iterable[str]) -> None:
    """What a run changed is as before it, or a reason is told for it or for the folder above it. Time and mode of a
    file that had another name besides may be those that were set there; and a name need not be spelled as before where
    the run itself spelled it otherwise."""
    told = tuple(map(now.key, reasons))
    spelled = defaultdict[tuple[str, str], set[str]](set)
    for side, path in changed:
        spelled[side, now.key(path)].add(path.rpartition("/")[2])
    linked = {side: _linked(was.tree(side)) for side in ("left", "right")}
    for side, path in spelled:
        before, after = (_at_and_below(sight.tree(side), path) for sight in (was, now))
        for name in before.keys() | after.keys():
            here, there = before.get(name), after.get(name)
            if here and there and name in linked[side] and (here.kind, here.content) == (there.kind, there.content):
                continue
            if here and same_node(here, there) and here.spelled not in spelled.get((side, name), {here.spelled}):
                continue
            if not _same_and_spelled(here, there) and not any(_related(name, each) for each in told):
                shown = f"{_shown(there)}, not {_shown(here)}"
                raise Broken("a run that is undone is as if it had not been", f"{name!r} on {side} is {shown}")


def _linked(tree: Tree) -> set[str]:
    """The names of files that have several."""
    names = Counter(node.inode for node in tree.values() if node.kind == "file")
    return {path for path, node in tree.items() if node.kind == "file" and names[node.inode] > 1}


_NOTHING = Node("nothing")


def _same_and_spelled(one: Node | None, two: Node | None) -> bool:
    return same_node(one, two) and (one is None or two is None or one.spelled == two.spelled)


def _at_and_below(tree: Tree, path: str) -> Tree:
    return {name: node for name, node in tree.items() if f"{name}/".startswith(f"{path}/")}


def _related(name: str, other: str) -> bool:
    return f"{name}/".startswith(f"{other}/") or f"{other}/".startswith(f"{name}/")


def in_step(after: Sight, excused: Iterable[str], *, quick: bool, bare: bool = False) -> None:
    """Both sides show the same, but for reported paths (and `bare` directories, where some may be left)."""
    left, right = after.tree("left"), after.tree("right")
    excused = tuple(map(after.key, excused))
    for path in after.collisions("left") | after.collisions("right"):
        if not any(_related(path, other) for other in excused):
            raise Broken("names that collide are held, and told", f"{path!r}")
    for path in sorted(left.keys() | right.keys()):
        if any(_related(_by_key_alone(path), other) for other in excused):
            continue
        one, two = left.get(path), right.get(path)
        if bare and _bare(path, left, right):
            continue  # what is left of a deleted directory once the special files are gone that it was kept for
        if same_node(one, two) or (one and two and one.kind == two.kind == "link"):
            if one and two and one.kind == "link" and one.content != two.content:
                raise Broken("both sides the same", f"{path!r}: {_shown(one)} and {_shown(two)}")
            continue
        unread = quick and one and two and one.kind == two.kind == "file" and len(one.content) == len(two.content)
        if unread and one and two and abs(one.mtime_ns - two.mtime_ns) <= TIE_NS:
            continue  # taken for equal unread, as `compare: quick` says
        raise Broken("both sides the same", f"{path!r}: {_shown(one)} and {_shown(two)}")


def held_rightly(after: Sight, told: Iterable[Problem], rules: Mapping[str, NameRules]) -> None:
    """A name that is held as one of several has others beside it, or something else on the other side; one that is told
    to be impossible, is so there."""
    for problem in told:
        path, there = problem.place.path, rules.get(problem.place.side.other.value)
        wrong = problem.reason is Reason.NAME_COLLISION and not _collides(after, problem.place)
        if problem.reason is Reason.IMPOSSIBLE_NAME and there is not None:
            wrong = not any(impossible(name, there) for name in path.split("/"))
        if wrong:
            raise Broken("a name is held for a reason", f"{problem}")


def _collides(after: Sight, place: Place) -> bool:
    path, side, other = after.key(place.path), place.side.value, place.side.other.value
    here, there = after.tree(side).get(path, _NOTHING), after.raw(other).get(place.path, _NOTHING)
    return path in after.collisions(side) or (path in after.tree(other) and here.kind != there.kind)


def _bare(path: str, left: Tree, right: Tree) -> bool:
    """Whether a name is a directory on one side only, with nothing but directories in it."""
    if (path in left) == (path in right):
        return False
    tree = left if path in left else right
    return all(node.kind == "directory" for name, node in tree.items() if name == path or name.startswith(f"{path}/"))


def quiet(ran: Ran, before: Sight, after: Sight, *, leapt: bool) -> None:
    """A run straight after a good one changes nothing and reads no content. `leapt`: the clock has made
    trash and history so old that a run clears them."""
    if ran.acts or ran.outcome is not Outcome.IN_SYNC:
        raise Broken("the next run has nothing to do", f"{ran.outcome} {ran.error} {ran.acts} actions")
    changed = [step for step in ran.changes if step.kind not in ("lock", "commit")]
    if leapt:
        changed = [step for step in changed if not all(path.startswith(f"{PRIVATE}/trash/") for path in step.paths)]
    if changed:
        raise Broken("the next run changes nothing", repr(changed))
    if len([step for step in ran.changes if step.kind == "commit"]) > 1 and not leapt:
        raise Broken("the next run writes nothing but the time of the look", repr(ran.changes))
    read = [step for step in ran.reads if step.kind in ("open", "read-link") and PRIVATE not in step.paths[0]]
    if read:
        raise Broken("the next run reads no content", repr(read))
    if before.tree("left") != after.tree("left") or before.tree("right") != after.tree("right"):
        raise Broken("the next run changes nothing", "a tree differs")


def outside_untouched(before: Tree, after: Tree) -> None:
    """Nothing beside the roots was written."""
    if before != after:
        raise Broken("nothing outside the roots is written", repr(sorted(before.items() ^ after.items())[:2]))


def same_node(one: Node | None, two: Node | None) -> bool:
    """Whether two nodes show a user the same; times that count as equal are."""
    if one is None or two is None:
        return one is two
    if (one.kind, one.content) != (two.kind, two.content):
        return False
    if one.kind == "link":
        return True
    same = (one.mode, one.owner, one.xattr) == (two.mode, two.owner, two.xattr)
    return same and abs(one.mtime_ns - two.mtime_ns) <= TIE_NS


def _untouched(node: Node | None, agreed: Node | None) -> bool:
    return same_node(node, agreed) and (node is None or agreed is None or node.mtime_ns == agreed.mtime_ns)


def same_trees(one: Tree, two: Tree) -> bool:
    return one.keys() == two.keys() and all(same_node(node, two[path]) for path, node in one.items())


def _plain_above(path: str, *trees: Tree) -> bool:
    """Whether every name above a path is a directory, or absent, in all of these trees."""
    above = path
    while "/" in above:
        above = above.rpartition("/")[0]
        if any(above in tree and tree[above].kind != "directory" for tree in trees):
            return False
    return True


def _shown(node: Node | None) -> str:
    if node is None:
        return "absent"
    spelled = f" {node.spelled!r}" if node.spelled else ""
    besides = spelled if (node.owner, node.xattr) == ((0, 0), ()) else f"{spelled} {node.owner} {node.xattr}"
    return f"{node.kind} {node.content[:30]!r} {node.mode:o} {node.mtime_ns // 1_000_000}{besides}"


def _told(contents: set[bytes], ledger: Ledger) -> str:
    return ", ".join(f"{content[:30]!r} (born at {ledger.born[content]})" for content in sorted(contents)[:3])
