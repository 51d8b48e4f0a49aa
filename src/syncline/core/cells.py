"""The decision matrix of two-way synchronisation, for one name that is no directory on either side.

Each function is a block of the table: there on one side only, new on both, in the base and on both.
"""

from __future__ import annotations

from dataclasses import replace

from syncline.core import clashes, policy
from syncline.core.draft import (
    Change,
    Draft,
    Name,
    as_it_was,
    bring,
    change,
    content,
    equal,
    on_both,
    properties_changed,
    stamp_changed,
    suspect,
    taken_for_equal,
    too_large_there,
    touched,
)
from syncline.core.model import SIDES, Agreed, Entry, Gone, Hold, Kind, Policy, Rule, Side, Want, Why
from syncline.core.policy import Properties
from syncline.core.trees import Fate, Merged


def decide(draft: Draft, merged: Merged, name: Name) -> Fate:
    """Settle a name that is no directory on either side.

    Raises:
        Unknown: a content must be read first, or could not be.
    """
    if name.left is None or name.right is None:
        if name.left is None and name.right is None:
            merged.forgotten.append(name.key)
            return Fate.GONE
        side = Side.RIGHT if name.left is None else Side.LEFT
        if too_large_there(draft, name, side):
            return draft.hold(merged, name, Hold.WAITING)
        return _alone(draft, merged, name, side)
    if any(too_large_there(draft, name, side) for side in SIDES):
        return draft.hold(merged, name, Hold.WAITING)
    base = name.before(Kind.FILE, Kind.LINK)
    if base is None:
        return _created_both(draft, merged, name)
    if as_it_was(draft, name, base):
        return draft.agree(merged, name, base.left.content, unverified=base.unverified)
    if base.unverified:
        return _unverified(draft, merged, name, base)
    return _in_both(draft, merged, name, base)


def _alone(draft: Draft, merged: Merged, name: Name, side: Side) -> Fate:
    """A name that only one side has: created there, or deleted on the other."""
    if name.base is None:
        return bring(draft, merged, name, side, name.because(side, Why.CREATED))
    base = name.before(Kind.FILE, Kind.LINK)
    if base is None:
        return bring(draft, merged, name, side, name.because(side, Why.EDITED_AFTER_DELETE))
    if touched(draft, name, side, base):
        edited = stamp_changed(name, side, base) if base.unverified else change(draft, name, side, base).content
        _count_changed(draft, base, side, edited)
        return bring(draft, merged, name, side, name.because(side, Why.EDITED_AFTER_DELETE))
    return draft.gone(name, side, Gone(name.because(side.other, Why.DELETED), recoverable=base.unverified))


def _created_both(draft: Draft, merged: Merged, name: Name) -> Fate:
    if taken_for_equal(draft, name):
        return adopt(draft, merged, name, None, unverified=True)
    if equal(draft, name):
        return adopt(draft, merged, name, content(draft, name, Side.LEFT))
    return clashes.settle(draft, merged, name, Rule.CREATED_BOTH)


def _unverified(draft: Draft, merged: Merged, name: Name, base: Agreed) -> Fate:
    """A pair taken for equal unread: before one side is first replaced, both are read. What differs then was never
    known to be the same file, so it is as if both sides had just created it."""
    if not any(stamp_changed(name, side, base) or suspect(draft, name, side) for side in SIDES):
        if any(properties_changed(draft, name, side, base) for side in SIDES):
            return _level(draft, merged, name, base, None, None, unverified=True)
        return draft.agree(merged, name, None, unverified=True)
    if equal(draft, name):
        return adopt(draft, merged, name, content(draft, name, Side.LEFT))
    for side in SIDES:
        _count_changed(draft, base, side, stamp_changed(name, side, base))
    return clashes.settle(draft, merged, name, Rule.CREATED_BOTH)


def _in_both(draft: Draft, merged: Merged, name: Name, base: Agreed) -> Fate:
    on_left, on_right = on_both(lambda side: change(draft, name, side, base))
    _count_changed(draft, base, Side.LEFT, on_left.content)
    _count_changed(draft, base, Side.RIGHT, on_right.content)
    if on_left.content and on_right.content:
        return _changed_both(draft, merged, name, base)
    if on_left.content or on_right.content:
        return _edited(draft, merged, name, base, Side.LEFT if on_left.content else Side.RIGHT)
    return _properties(draft, merged, name, base, on_left, on_right)


def _changed_both(draft: Draft, merged: Merged, name: Name, base: Agreed) -> Fate:
    left, right = name.there(Side.LEFT), name.there(Side.RIGHT)
    if left.kind is right.kind:
        if equal(draft, name):
            return adopt(draft, merged, name, content(draft, name, Side.LEFT))
        return clashes.settle(draft, merged, name, Rule.CHANGED_BOTH)
    # A file became a link on one side, or a link a file, and the other side edited it: that one keeps the name.
    chosen = draft.policy(name, Rule.CHANGED_BOTH)
    if chosen is Policy.HOLD:
        return clashes.held(draft, merged, name, Rule.TYPE_BOTH)
    edited = Side.LEFT if left.kind is base.left.kind else Side.RIGHT
    return clashes.keep_both(draft, merged, name, Rule.TYPE_BOTH, chosen, edited)


def _edited(draft: Draft, merged: Merged, name: Name, base: Agreed, source: Side) -> Fate:
    """The content changed on one side only: it goes across; properties that the other side changed come back."""
    entry, present = name.there(source), name.there(source.other)
    if not (entry.kind is present.kind is Kind.FILE):
        why = Why.CHANGED if entry.kind is present.kind else Why.TYPE_CHANGE
        return bring(draft, merged, name, source, name.because(source, why), superseded=True)
    properties = _merged_properties(draft, name, base)
    if properties is None:
        return clashes.held(draft, merged, name, Rule.PROPS_BOTH)
    carried = properties.on(source.other, entry)
    draft.put(name, source, carried, name.because(source, Why.CHANGED), superseded=True)
    wanted = properties.on(source, entry)
    if wanted is not entry:
        _set(draft, name, source, wanted)
    return draft.agree(merged, name, entry.content)


def _properties(draft: Draft, merged: Merged, name: Name, base: Agreed, on_left: Change, on_right: Change) -> Fate:
    """No content changed: the newest changed time wins silently, the other properties are merged."""
    if not (on_left.any or on_right.any):
        return draft.agree(merged, name, on_left.known)
    times = [name.there(side).mtime_ns for side, on in zip(SIDES, (on_left, on_right), strict=True) if on.mtime]
    return _level(draft, merged, name, base, max(times, default=None), on_left.known)


def adopt(draft: Draft, merged: Merged, name: Name, known: bytes | None, *, unverified: bool = False) -> Fate:
    """Equal bytes: the newest time, all else by the rule for properties."""
    newest = max(name.there(Side.LEFT).mtime_ns, name.there(Side.RIGHT).mtime_ns)
    return _level(draft, merged, name, name.before(Kind.FILE), newest, known, unverified=unverified)


def _level(
    draft: Draft,
    merged: Merged,
    name: Name,
    base: Agreed | None,
    mtime_ns: int | None,
    known: bytes | None,
    *,
    unverified: bool = False,
) -> Fate:
    """Give both sides the same properties, where their content already is the same. A link has none."""
    left, right = name.there(Side.LEFT), name.there(Side.RIGHT)
    level = left.mtime_ns == right.mtime_ns == mtime_ns and policy.values_of(left) == policy.values_of(right)
    if left.kind is Kind.FILE and not level:
        properties = _merged_properties(draft, name, base)
        if properties is None:
            return clashes.held(draft, merged, name, Rule.PROPS_BOTH)
        for side in SIDES:
            entry = name.there(side)
            wanted = properties.on(side, entry)
            if mtime_ns is not None and not policy.level_time(entry.mtime_ns, mtime_ns, draft.rules):
                wanted = replace(wanted, mtime_ns=mtime_ns)
            if wanted is not entry:
                _set(draft, name, side, wanted)
    return draft.agree(merged, name, known, unverified=unverified)


def _merged_properties(draft: Draft, name: Name, base: Agreed | None) -> Properties | None:
    """The properties of both sides; None where a person must choose. A choice made by policy is listed, but for a first
    meeting: there it is not worth a word."""
    left, right = name.there(Side.LEFT), name.there(Side.RIGHT)
    chosen = draft.policy(name, Rule.PROPS_BOTH)
    found = policy.merge_properties(base, left, right, chosen, draft.rules)
    if found.undecided:
        return None
    if found.winner is not None and base is not None:
        clashes.note(draft, name, Rule.PROPS_BOTH, chosen, found.winner)
    return found


def _set(draft: Draft, name: Name, side: Side, entry: Entry) -> None:
    draft.want(name, side, Want(entry, name.because(side.other, Why.PROPERTIES)))


def _count_changed(draft: Draft, base: Agreed, side: Side, changed: bool) -> None:
    if changed and base.left.kind is Kind.FILE:
        draft.wanted.changed[side] += 1
