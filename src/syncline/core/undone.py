"""Names on which an undo left the two sides apart: no run touches them until a person says which version stays.

What stands there may be edited meanwhile; it is left alone all the same. Only when both sides show the same again is
nothing left to say, and the name is like any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncline.core import names, policy
from syncline.core.draft import Draft, Name, equal, spelling
from syncline.core.model import Conflict, Entry, Hold, Kind, Policy, RelPath, Rule, Unagreed
from syncline.core.policy import Rules
from syncline.core.trees import Fate, Merged


def apart(draft: Draft, name: Name) -> Conflict | None:
    """The open conflict that an undo left at a name; None where there is none, or no difference any more.

    Raises:
        Unknown: a content must be read first, or could not be.
    """
    conflict = draft.rules.undone.get(draft.fold(name.left_path))
    if conflict is not None and _together(draft, name, conflict):
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
    stays so: what a person puts there waits too."""
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


def _together(draft: Draft, name: Name, conflict: Conflict) -> bool:
    left, right, rules = name.left, name.right, draft.rules
    if left is None or right is None:
        return left is None and right is None
    if _are_directories(left, right):
        return not conflict.whole and same_properties(left, right, rules)
    if left.kind is not right.kind or not same_properties(left, right, rules):
        return False
    if _as_seen(conflict.left, left) and _as_seen(conflict.right, right):
        return False  # they were told apart when the undo was done, and need not be read again
    return equal(draft, name)


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
