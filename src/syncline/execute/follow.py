"""Letting what both sides had agreed on follow a rename of which a crash cut off the remembering.

A run remembers each batch together with what its renames moved. What a crash kept it from remembering is made up for
from the journal, by the rows as they are stored: without that, an edited file under a new name would be nobody's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from syncline.core import listing, names
from syncline.core.model import Agreed, BaseDirectory, Entry, Hold, Kind, RelPath, Rename, Side, Unagreed, Why
from syncline.scanner.client import remembered
from syncline.store.base import BaseStore, Row

Fold = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Spot:
    """A name in a remembered directory: as each side spells it, and folded."""

    row: Row
    left_name: str
    right_name: str
    key: str


def follow(base: BaseStore, rename: Rename, fold: Fold) -> None:
    """Remember under its new name what a rename that is done has brought to where the other side had it; what was
    exchanged for it, under its old one. What is remembered of neither is left as it is. Needs an open transaction.

    Raises: StateError.
    """
    side, other, entry = rename.at.side, rename.because.place, rename.because.entry
    if rename.because.why is not Why.RENAMED or other.side is side or entry is None:
        return
    above = _find(base, side, names.parent(rename.at.path), fold)
    old = names.basename(rename.at.path)
    if above is None or not _is(_before(above, fold(old), fold), side.other, entry):
        return
    goal = {side: rename.to, side.other: other.path}
    below = _find(base, side, names.parent(rename.to), fold) or _made(base, goal[Side.LEFT], goal[Side.RIGHT], fold)
    if below is None:
        return
    spelled = names.basename(goal[Side.LEFT]), names.basename(goal[Side.RIGHT])
    _move(base, _Spot(above, old, old, fold(old)), _Spot(below, *spelled, fold(spelled[0])), fold, swap=rename.swap)


def _move(base: BaseStore, at: _Spot, to: _Spot, fold: Fold, *, swap: bool) -> None:
    gone, came = _before(at.row, at.key, fold), _before(to.row, to.key, fold) if swap else None
    folders = _child(base, at, fold), _child(base, to, fold)
    for spot, agreed in ((at, came), (to, gone)):
        row = base.row(spot.row.id or 0)
        if row is not None:
            _note(base, row, spot, agreed, fold)
    for folder, spot in ((folders[0], to), (folders[1] if swap else None, at)):
        if folder is not None:
            base.write(
                replace(
                    folder, parent=spot.row.id, left_name=spot.left_name, right_name=spot.right_name, attention=True
                )
            )
    if not swap and folders[1] is not None and folders[1].id is not None and folders[1] != folders[0]:
        base.forget(folders[1].id)


def _note(base: BaseStore, row: Row, spot: _Spot, agreed: Agreed | None, fold: Fold) -> None:
    """Remember at a name that this was agreed of it, though it is not as it was; or nothing."""
    known = remembered(row, fold)
    still = {key: each for key, each in known.agreed.items() if key != spot.key}
    held = {key: each for key, each in known.unagreed.items() if key != spot.key}
    if agreed is not None:
        moved = replace(agreed, left_name=spot.left_name, right_name=spot.right_name)
        held[spot.key] = Unagreed(spot.left_name, Hold.FAILED, moved)
    left, right = (
        listing.unpack(b"" if sealed is None else listing.unseal(sealed)) for sealed in (row.left, row.right)
    )
    files = [each.left for each in still.values() if each.left.kind is Kind.FILE]
    beside = listing.pack_base(left, right, BaseDirectory(still, held), fold)
    size = sum(entry.size for entry in files)
    base.write(replace(row, beside=listing.seal(beside), attention=True, files=len(files), size=size))


def _before(row: Row, key: str, fold: Fold) -> Agreed | None:
    known = remembered(row, fold)
    held = known.unagreed.get(key)
    return known.agreed.get(key) or (None if held is None else held.before)


def _is(agreed: Agreed | None, side: Side, entry: Entry) -> bool:
    """Whether what is remembered is what was seen where that side had moved it."""
    before = None if agreed is None else agreed.entry(side)
    if before is None or before.kind is not entry.kind:
        return False
    return before.inode == entry.inode if before.inode and entry.inode else before.size == entry.size


def _find(base: BaseStore, side: Side, path: RelPath, fold: Fold) -> Row | None:
    """The row of a directory whose bytes can be believed; by its path on one side."""
    row = next(iter(base.child_rows(None)), None)
    for part in path.split("/") if path else ():
        below = [] if row is None else base.child_rows(row.id)
        row = next((each for each in below if fold(each.name(side) or "") == fold(part)), None)
    return row if row is not None and _sound(row) else None


def _child(base: BaseStore, spot: _Spot, fold: Fold) -> Row | None:
    rows = base.child_rows(spot.row.id)
    return next((each for each in rows if fold(each.left_name or each.right_name or "") == spot.key), None)


def _made(base: BaseStore, left: RelPath, right: RelPath, fold: Fold) -> Row | None:
    """The row of the directory above a new name, which was made in the same run; None where it cannot be had."""
    row = next(iter(base.child_rows(None)), None)
    for left_name, right_name in zip(left.split("/")[:-1], right.split("/")[:-1], strict=False):
        if row is None or not _sound(row):
            return None
        found = _child(base, _Spot(row, left_name, right_name, fold(left_name)), fold)
        if found is None:
            empty = listing.seal(listing.pack_base({}, {}, BaseDirectory(), fold))
            nothing = listing.seal(b"")
            made = base.write(Row(None, row.id, left_name, right_name, nothing, nothing, empty, attention=True))
            found = base.row(made)
        row = found
    return row if row is not None and _sound(row) else None


def _sound(row: Row) -> bool:
    """Whether all that is stored of a directory carries its checksum."""
    try:
        for sealed in (row.left, row.right, row.beside):
            if sealed is not None:
                listing.unseal(sealed)
    except listing.Damaged:
        return False
    return row.beside is not None
