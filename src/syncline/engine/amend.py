"""Bringing single names of the base up to date after an errand; all other names stay as they are remembered.

Only what both sides show with the same known content is written down as agreed. Whatever else happened is left as it
was remembered: the next run sees that the disk differs, and compares it anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from syncline.core import listing, names
from syncline.core.model import ATTENTION, SIDES, Agreed, Entry, Kind, Side
from syncline.engine.ground import Found, Ground
from syncline.execute.results import Results
from syncline.execute.transfer import known
from syncline.scanner.client import remembered
from syncline.store.base import Row


def amend(ground: Ground, touched: Iterable[Found], results: Results, now_ns: int) -> None:
    """Write down what both sides agree on at these names now. Needs an open transaction. Raises: StateError."""
    by_row: dict[int, list[Found]] = {}
    for found in touched:
        if found.row is not None and found.row.id is not None and not any(results.open(found.place(s)) for s in SIDES):
            by_row.setdefault(found.row.id, []).append(found)
    for number, several in by_row.items():
        row = ground.base.row(number)
        if row is not None:
            _amend_row(ground, row, several, results, now_ns)


def _amend_row(ground: Ground, row: Row, several: list[Found], results: Results, now_ns: int) -> None:
    if row.left is None or row.right is None or row.beside is None:
        return
    try:
        looks = {Side.LEFT: _unpacked(row.left), Side.RIGHT: _unpacked(row.right)}
        listing.unseal(row.beside)
    except listing.Damaged:
        return  # its checksum makes both sides new in the next run
    base = remembered(row, ground.fold)
    spelled = {side: {ground.fold(name): name for name in looks[side]} for side in SIDES}
    crowded = {key for look in looks.values() for key, times in Counter(map(ground.fold, look)).items() if times > 1}
    agreed, unagreed, settled = dict(base.agreed), dict(base.unagreed), []
    for found in several:
        if found.key in crowded:
            continue  # one of several names that are held: all of them are compared anew
        left, right = (results.entries.get(found.place(side), found.entries[side]) for side in SIDES)
        fact = _fact(ground, found, left, right, results, now_ns)
        if fact is None and not (left is None and right is None):
            continue
        settled.append(found.key)
        unagreed.pop(found.key, None)
        agreed.pop(found.key, None)
        for side, entry in ((Side.LEFT, left), (Side.RIGHT, right)):
            looks[side].pop(spelled[side].get(found.key, ""), None)
            if entry is not None:
                looks[side][names.basename(found.paths[side])] = known(entry, None)
        if fact is not None:
            agreed[found.key] = fact
    if settled:
        base = replace(base, agreed=agreed, unagreed=unagreed)
        files = [each.left for each in agreed.values() if each.left.kind is Kind.FILE]
        racy = any(each.racy_left or each.racy_right for each in agreed.values())
        left_look, right_look = looks[Side.LEFT], looks[Side.RIGHT]
        changed = replace(
            row,
            left=listing.seal(listing.pack(left_look)),
            right=listing.seal(listing.pack(right_look)),
            beside=listing.seal(listing.pack_base(left_look, right_look, base, ground.fold)),
            attention=racy or any(each.hold in ATTENTION for each in unagreed.values()),
            files=len(files),
            size=sum(entry.size for entry in files),
        )
        ground.base.write(changed)
        for child in ground.base.child_rows(row.id):
            if child.id is not None and ground.fold(child.left_name or child.right_name or "") in settled:
                ground.base.forget(child.id)


def _fact(
    ground: Ground, found: Found, left: Entry | None, right: Entry | None, results: Results, now_ns: int
) -> Agreed | None:
    """What is agreed of a name; None where that is nothing, or not known for sure."""
    if left is None or right is None or left.kind is not right.kind or left.kind not in (Kind.FILE, Kind.LINK):
        return None
    contents = [_content(found, side, entry) for side, entry in ((Side.LEFT, left), (Side.RIGHT, right))]
    if contents[0] is None or contents[0] != contents[1]:
        return None
    racy = {
        side: _racy(ground, found, side, entry, results, now_ns)
        for side, entry in zip(SIDES, (left, right), strict=True)
    }
    spelled = [names.basename(found.paths[side]) for side in SIDES]
    one, other = known(left, contents[0]), known(right, contents[0])
    return Agreed(spelled[0], spelled[1], one, other, racy_left=racy[Side.LEFT], racy_right=racy[Side.RIGHT])


def _content(found: Found, side: Side, entry: Entry) -> bytes | None:
    if entry.content is None and found.as_agreed(side) and found.agreed is not None and entry == found.entries[side]:
        return found.agreed.entry(side).content
    return entry.content


def _racy(ground: Ground, found: Found, side: Side, entry: Entry, results: Results, now_ns: int) -> bool:
    """Whether a further change could hide behind a stamp; our own writes are known to be complete."""
    if found.agreed is not None and found.agreed.racy(side) and found.place(side) not in results.entries:
        return True
    step = ground.roots[side].capabilities.granularity_ns
    ours = results.entries.get(found.place(side)) is not None
    return not ours and entry.kind is Kind.FILE and 0 <= now_ns - (entry.ctime_ns or entry.mtime_ns) < step


def _unpacked(sealed: bytes) -> dict[str, Entry]:
    return listing.unpack(listing.unseal(sealed))
