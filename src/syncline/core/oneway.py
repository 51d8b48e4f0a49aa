"""The decisions of a mirror, for one name that is no directory on either side: the right becomes like the left.

Nothing here wants anything on the left.
"""

from __future__ import annotations

from dataclasses import replace

from syncline.core import policy
from syncline.core.draft import (
    Draft,
    Name,
    bring,
    carried,
    change,
    content,
    equal,
    on_both,
    properties_changed,
    stamp_changed,
    suspect,
    taken_for_equal,
    too_large_there,
)
from syncline.core.model import SIDES, Agreed, Because, Gone, Hold, Kind, Side, Want, Why
from syncline.core.policy import Extras
from syncline.core.trees import Fate, Merged


def decide(draft: Draft, merged: Merged, name: Name) -> Fate:
    """Settle a name that is no directory on either side, whatever happened at the target.

    Raises:
        Unknown: a content must be read first, or could not be.
    """
    if name.left is None and name.right is None:
        merged.forgotten.append(name.key)
        return Fate.GONE
    if name.left is None:
        return settle_extra(draft, merged, name)
    if too_large_there(draft, name, Side.LEFT):
        return draft.hold(merged, name, Hold.WAITING)
    if name.right is None:
        return bring(draft, merged, name, Side.LEFT, missing(name))
    base = name.before(Kind.FILE, Kind.LINK)
    if base is None:
        if taken_for_equal(draft, name):
            return level(draft, merged, name, None, unverified=True)
        return _compared(draft, merged, name, Side.LEFT)
    if base.unverified:
        return _unverified(draft, merged, name, base)
    on_left, on_right = on_both(lambda side: change(draft, name, side, base))
    draft.wanted.changed[Side.LEFT] += on_left.content and base.left.kind is Kind.FILE
    if on_left.content or on_right.content:
        changed = Side.LEFT if on_left.content else Side.RIGHT
        return _compared(draft, merged, name, changed, superseded=not on_right.content)
    return level(draft, merged, name, base.left.content)


def settle_extra(draft: Draft, merged: Merged, name: Name, *, whole: bool = False) -> Fate:
    """What stands only in the target is kept, or goes, by the wish of the user; a directory as a whole."""
    if draft.rules.extras is Extras.KEEP:
        return draft.hold(merged, name, Hold.KEPT)
    why = Why.EXTRA if name.base is None else Why.DELETED
    outright = draft.rules.extras is Extras.DELETE
    recoverable = name.base is not None and name.base.unverified and not outright
    return draft.gone(name, Side.RIGHT, Gone(name.because(Side.LEFT, why), whole, outright, recoverable))


def missing(name: Name) -> Because:
    """Why something that the target has not got is brought there: it is new, or somebody took it away."""
    if name.base is None:
        return name.because(Side.LEFT, Why.CREATED)
    return name.because(Side.RIGHT, Why.DELETED)


def _unverified(draft: Draft, merged: Merged, name: Name, base: Agreed) -> Fate:
    """A pair taken for equal unread: both are read before the target is first replaced."""
    if not any(stamp_changed(name, side, base) or suspect(draft, name, side) for side in SIDES):
        if any(properties_changed(draft, name, side, base) for side in SIDES):
            return level(draft, merged, name, None, unverified=True)
        return draft.agree(merged, name, None, unverified=True)
    at_source = stamp_changed(name, Side.LEFT, base) or not stamp_changed(name, Side.RIGHT, base)
    if at_source and not equal(draft, name):
        draft.wanted.changed[Side.LEFT] += base.left.kind is Kind.FILE
    return _compared(draft, merged, name, Side.LEFT if at_source else Side.RIGHT)


def _compared(draft: Draft, merged: Merged, name: Name, changed: Side, *, superseded: bool = False) -> Fate:
    """Replace the target unless its content is the source's."""
    if equal(draft, name):
        return level(draft, merged, name, content(draft, name, Side.LEFT))
    same_kind = name.there(Side.LEFT).kind is name.there(Side.RIGHT).kind
    reason = name.because(changed, Why.CHANGED if same_kind else Why.TYPE_CHANGE)
    return bring(draft, merged, name, Side.LEFT, reason, superseded=superseded)


def level(draft: Draft, merged: Merged, name: Name, known: bytes | None, *, unverified: bool = False) -> Fate:
    """Give the target the properties of the source; the content already is the same. A link has none."""
    source, target = name.there(Side.LEFT), name.there(Side.RIGHT)
    if source.kind is Kind.FILE:
        wanted = policy.with_properties(target, policy.properties_of(carried(draft.rules, Side.LEFT, source, target)))
        if not policy.level_time(target.mtime_ns, source.mtime_ns, draft.rules):
            wanted = replace(wanted, mtime_ns=source.mtime_ns)
        if wanted is not target:
            draft.want(name, Side.RIGHT, Want(wanted, name.because(Side.LEFT, Why.PROPERTIES)))
    return draft.agree(merged, name, known, unverified=unverified)
