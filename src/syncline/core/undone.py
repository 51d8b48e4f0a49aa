"""Names on which an undo left the two sides apart: no run touches them until a person says which version stays.

What stands there may be edited meanwhile; it is left alone all the same. Only when both sides show the same again is
nothing left to say, and the name is like any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncline.core import names, policy
from syncline.core.draft import Draft, Name, Unknown, equal, names_in, spelling
from syncline.core.model import SIDES, Conflict, Entry, Frozen, Hold, Kind, Policy, RelPath, Rule, Side, Unagreed
from syncline.core.policy import Rules
from syncline.core.trees import Fate, Merged, Trees


def apart(draft: Draft, trees: Trees, name: Name) -> Conflict | None:
    """The open conflict that an undo left at a name; None where there is none, or no difference any more.

    Raises:
        Unknown: a content must be read first, or could not be.
    """
    conflict = draft.rules.undone.get(draft.fold(name.left_path))
    if conflict is not None and (conflict.path in draft.wanted.together or _together(draft, trees, name, conflict)):
        draft.wanted.together.add(conflict.path)
        return None
    return conflict


def hold(draft: Draft, merged: Merged, name: Name, conflict: Conflict) -> Fate:
    """Leave a name alone on both sides. What was agreed of it before the undo is forgotten: it would make the version
    that came back look like an edit of the other one."""
    draft.wanted.conflicts.append(left_apart(conflict.path, name.left, name.right, whole=conflict.whole))
    merged.holds[name.key] = Unagreed(spelling(name), Hold.WAITING)
    return Fate.FROZEN


def left_apart(path: RelPath, left: Entry | None, right: Entry | None, *, whole: bool = False) -> Conflict:
    """The conflict that an undo leaves where this stands on the two sides. Once it is about the `whole` of a path it
    stays so: what a person puts there waits too, until all of it is the same on both sides."""
    whole = whole or not _are_directories(left, right)
    return Conflict(path, Rule.UNDONE, Policy.HOLD, None, left, right, whole=whole)


def covered(rules: Rules, path: RelPath) -> bool:
    """Whether a directory stands at or below a name that is left alone with all in it; `path` is that of the left."""
    if not rules.undone:
        return False
    fold = rules.fold()
    above: Iterable[RelPath] = (path, *names.ancestors(path))
    found = (rules.undone.get(fold(each)) for each in above)
    return any(conflict is not None and conflict.whole for conflict in found)


def _together(draft: Draft, trees: Trees, name: Name, conflict: Conflict) -> bool:
    left, right, rules = name.left, name.right, draft.rules
    if left is None or right is None:
        return left is None and right is None
    if _are_directories(left, right):
        return same_properties(left, right, rules) and (not conflict.whole or _same_within(draft, trees, name))
    if left.kind is not right.kind or not same_properties(left, right, rules):
        return False
    if _as_seen(conflict.left, left) and _as_seen(conflict.right, right):
        return False  # they were told apart when the undo was done, and need not be read again
    return equal(draft, name)


def _same_within(draft: Draft, trees: Trees, name: Name) -> bool:
    """Whether two folders have the same in them, all of it seen. Contents are read only where nothing else differs.

    Raises:
        Unknown: contents must be read first.
    """
    folders, pairs = [name], list[Name]()
    while folders:
        folder = folders.pop()
        below = trees.child(folder.at, folder.key, *map(names.basename, (folder.left_path, folder.right_path)))
        if below is None or below.held or any(isinstance(below.look(side), Frozen) for side in SIDES):
            return False
        for inner, collided in names_in(below.complete(draft.fold), draft.fold):
            if inner.left is None and inner.right is None or _is_ignored(draft.rules, inner):
                continue
            if collided or not _alike(draft.rules, inner):
                return False
            (folders if inner.there(Side.LEFT).kind is Kind.DIRECTORY else pairs).append(inner)
    unread: Unknown | None = None
    for pair in pairs:
        try:
            if not equal(draft, pair):
                return False
        except Unknown as unknown:
            if unknown.problem is not None:
                return False
            unread = unknown  # all are asked for at once
    if unread is not None:
        raise unread
    return True


def _is_ignored(rules: Rules, name: Name) -> bool:
    there = ((name.left_path, name.left), (name.right_path, name.right))
    return any(entry is not None and rules.ignored(path, entry.kind is Kind.DIRECTORY) for path, entry in there)


def _alike(rules: Rules, name: Name) -> bool:
    """Whether two sides of a name can be the same, as far as that is seen without reading."""
    left, right = name.left, name.right
    if left is None or right is None or left.kind is not right.kind:
        return False
    if left.kind not in (Kind.FILE, Kind.LINK, Kind.DIRECTORY) or not same_properties(left, right, rules):
        return False
    return left.kind is Kind.DIRECTORY or left.size == right.size


def same_properties(left: Entry, right: Entry, rules: Rules) -> bool:
    """Whether two of a kind have the same properties, as far as these are kept in step. A link has none."""
    if left.kind is Kind.LINK:
        return True
    timed = left.kind is Kind.FILE
    return all(policy.same_property(each, left, right) for each in policy.MERGED if rules.carries(each)) and (
        not timed or policy.level_time(left.mtime_ns, right.mtime_ns, rules)
    )


def _are_directories(left: Entry | None, right: Entry | None) -> bool:
    return left is not None and right is not None and left.kind is right.kind is Kind.DIRECTORY


def _as_seen(seen: Entry | None, found: Entry) -> bool:
    return seen is not None and (seen.kind, seen.size, seen.mtime_ns, seen.ctime_ns, seen.inode) == (
        found.kind,
        found.size,
        found.mtime_ns,
        found.ctime_ns,
        found.inode,
    )
