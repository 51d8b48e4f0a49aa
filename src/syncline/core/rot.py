"""Files whose bytes changed although nobody wrote to them: size, times and inode are as remembered, the content is not.

A disk or a cable did that, no person, so nothing of it is ever carried to the other side, and nothing of the other side
replaces it unasked. Such a name is a held conflict, whatever else happens to it on either side, until both sides show
the same bytes or a person decides. It is found where contents are read again: by `verify`, and by a run that reads all.
"""

from __future__ import annotations

from dataclasses import replace

from syncline.core import cells, clashes, oneway
from syncline.core.draft import Draft, Name, on_both, read, stamp_changed
from syncline.core.model import SIDES, Kind, Rule, Side
from syncline.core.trees import Fate, Merged, Rotten


def settle(draft: Draft, merged: Merged, name: Name) -> Fate | None:
    """Hold a name of which a side holds bytes nobody wrote, or take it as agreed if both sides are equal by now; None
    where there is nothing of the kind, and the name is decided as ever.

    Raises:
        Unknown: a content must be read first, or could not be.
    """
    known = [side for side in SIDES if (side, name.path(side)) in draft.rules.rotten]
    on_left, on_right = on_both(lambda side: _rotten(draft, name, side, side in known))
    found = [side for side, rotten in ((Side.LEFT, on_left), (Side.RIGHT, on_right)) if rotten]
    if found and _touched_since(name) and _equal(draft, name):
        draft.wanted.healed.update(name.place(side) for side in found)
        bytes_now = read(draft, name, Side.LEFT)
        bring_level = cells.adopt if draft.rules.extras is None else oneway.level
        return bring_level(draft, merged, name, bytes_now)
    draft.wanted.healed.update(name.place(side) for side in known if side not in found)
    if not found:
        return None
    for side in found:
        draft.wanted.rotten[name.place(side)] = _told(draft, merged, name, side, both=len(found) > 1)
    kinds = {entry.kind for side in SIDES if (entry := name.entry(side)) is not None}
    return clashes.held(draft, merged, name, Rule.CHANGED_BOTH if len(kinds) == 1 else Rule.TYPE_BOTH)


def _rotten(draft: Draft, name: Name, side: Side, known: bool) -> bool:
    """Whether a side holds bytes nobody wrote: as was found before, or as is found now that everything is read."""
    entry, base = name.entry(side), name.before(Kind.FILE)
    if (name.left and name.left.kind) == (name.right and name.right.kind) != Kind.FILE:
        return False  # both sides have a directory there, or a link, or nothing: that is nobody's bytes
    if not draft.rules.reread or entry is None or base is None or stamp_changed(name, side, base):
        return known
    remembered = base.entry(side).content
    return known if remembered is None else read(draft, name, side) != remembered


def _told(draft: Draft, merged: Merged, name: Name, side: Side, *, both: bool) -> Rotten:
    entry, base, was_read = name.entry(side), name.before(Kind.FILE), draft.contents.get(name.place(side))
    if entry is not None and isinstance(was_read, bytes):
        entry = replace(entry, content=was_read)
    remembered = None if base is None else base.entry(side).content
    return Rotten(name.left_path, remembered, entry, both, merged.at.row)


def _touched_since(name: Name) -> bool:
    """Whether anything was done to a side since both agreed; what was not touched need not be read to differ."""
    base = name.base
    return base is None or any(name.entry(side) is None or stamp_changed(name, side, base) for side in SIDES)


def _equal(draft: Draft, name: Name) -> bool:
    left, right = name.left, name.right
    if left is None or right is None or not (left.kind is right.kind is Kind.FILE) or left.size != right.size:
        return False
    on_left, on_right = on_both(lambda side: read(draft, name, side))
    return on_left == on_right
