"""The files of a directory that are on both sides as they were when both agreed, or that meet for the first time and
may be taken for equal unread.

Of a directory that differs, most names do not. They are told apart by the bytes of their records, without unpacking
one: a merge never sees them, and they stay remembered as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from syncline.core import listing, names
from syncline.core.model import SIDES, BaseDirectory, Listing, RelPath, Side
from syncline.core.policy import Rules
from syncline.core.record import CHECKSUM_BYTES, FILE, PLAIN, RECORD, alike, split


@dataclass(frozen=True, slots=True)
class Steady:
    """What a directory shows besides the names that are looked at. `left`, `right`: the packed listings as seen, None
    where they are as remembered; `was`: left, right and beside as they are stored, None where nothing is remembered;
    `apart`: every name that is not steady; `files`: how many are."""

    left: bytes | None
    right: bytes | None
    was: tuple[bytes, bytes, bytes] | None
    apart: frozenset[str]
    files: int

    def payload(self, side: Side) -> bytes:
        """The whole packed listing of a side."""
        seen = self.left if side is Side.LEFT else self.right
        if seen is None:
            assert self.was is not None
            return _payload(self.was[SIDES.index(side)])
        return seen

    def names(self) -> Iterator[str]:
        """The names that are steady; both sides spell them alike."""
        return iter(self._steady(Side.LEFT))

    def beside(self, side: Side, shown: Listing) -> bytes:
        """The packed listing of a side that shows these names besides the steady ones."""
        return self.payload(side) if isinstance(shown, listing.Packed) else _joined(self._records(side, shown))

    def _notes(self, names: Iterable[str]) -> dict[str, bytes]:
        if self.was is None:
            return dict.fromkeys(names, listing.UNREAD)
        known, _ = listing.split_beside(split(_payload(self.was[0])), _payload(self.was[2]))
        return {name: known[name] for name in names}

    def _records(self, side: Side, shown: Listing) -> dict[str, bytes]:
        return self._steady(side) | {name: listing.pack_entry(name, entry) for name, entry in shown.items()}

    def _steady(self, side: Side) -> dict[str, bytes]:
        return {name: record for name, record in split(self.payload(side)).items() if name not in self.apart}

    def remembered(self, fold: Callable[[str], str]) -> BaseDirectory:
        """All that was agreed in the directory."""
        if self.was is None:
            return BaseDirectory()
        left, right, beside = map(_payload, self.was)
        return listing.unpack_base(left, right, beside, fold)

    def packed(
        self, left: Listing, right: Listing, base: BaseDirectory, fold: Callable[[str], str]
    ) -> tuple[bytes, bytes, bytes, int]:
        """The three payloads of the directory with these names besides the steady ones, none of which may be among
        them; and the bytes of the steady files."""
        records = self._steady(Side.LEFT)
        size = sum(RECORD.unpack_from(record)[2] for record in records.values())
        notes, rest = listing.pack_beside(left, right, base, fold)
        notes = self._notes(records) | notes
        return self.beside(Side.LEFT, left), self.beside(Side.RIGHT, right), _joined(notes) + rest, size


def tell_apart(
    left: bytes | None, right: bytes | None, was: tuple[bytes, bytes, bytes], fold: Callable[[str], str]
) -> tuple[BaseDirectory, bytes, bytes, Steady | None]:
    """What was agreed of the names of a directory that may differ, how both sides show these, packed; and the others.

    `left`, `right`: the packed listings as seen, None where they are as remembered; `was`: left, right and beside as
    they are stored.

    Raises:
        Damaged: a checksum does not fit.
    """
    payloads = listing.unseal(was[0]), listing.unseal(was[1])
    before = split(payloads[0]), split(payloads[1])
    now = before[0] if left is None else split(left), before[1] if right is None else split(right)
    notes, rest = listing.split_beside(before[0], listing.unseal(was[2]))
    unagreed = dict(listing.unpack_unagreed(rest))
    (was_left, was_right), (on_left, on_right) = before, now
    steady = {
        name
        for name, record in was_left.items()
        if record[0] & PLAIN == FILE
        and listing.settled(notes[name])
        and on_left.get(name) == record
        and name in was_right
        and on_right.get(name) == was_right[name]
    }
    apart = set().union(*before, *now) - steady
    folded = Counter(map(fold, steady | apart))
    alike = {name for name in steady if folded[key := fold(name)] > 1 or key in unagreed}
    steady -= alike
    apart |= alike
    shown = [{name: record for name, record in found.items() if name in apart} for found in (*before, *now)]
    known = {name: note for name, note in notes.items() if name in apart}
    agreed_left, agreed_right = (listing.unpack(b"".join(found.values())) for found in shown[:2])
    base = BaseDirectory(dict(listing.unpack_notes(known, agreed_left, agreed_right, fold)), unagreed)
    if not steady:
        return base, payloads[0] if left is None else left, payloads[1] if right is None else right, None
    stays = Steady(left, right, was, frozenset(apart), len(steady))
    return base, b"".join(shown[2].values()), b"".join(shown[3].values()), stays


def meet(
    left: bytes, right: bytes, paths: tuple[RelPath, RelPath], rules: Rules, fold: Callable[[str], str]
) -> tuple[bytes, bytes, Steady | None]:
    """How both sides show the names of a directory that must be looked at, packed; and the others: files in scope of
    the same size, time and properties, which are taken for equal unread as they meet for the first time.

    `left`, `right`: the packed listings as seen of a directory of which nothing is remembered; `paths`: where it is.
    """
    on_left, on_right = split(left), split(right)
    every = on_left.keys() | on_right.keys()
    folded = Counter(map(fold, every))
    largest = min(rules.left.largest, rules.right.largest)
    equal = {
        name
        for name, record in on_left.items()
        if record[0] & PLAIN == FILE
        and (other := on_right.get(name)) is not None
        and alike(record, other)
        and RECORD.unpack_from(record)[2] <= largest
        and folded[fold(name)] == 1
    }
    for path in dict.fromkeys(paths):
        equal = {name for name in equal if not rules.ignored(names.join(path, name), False)}
    if not equal:
        return left, right, None
    apart = frozenset(every - equal)
    shown = [b"".join(record for name, record in found.items() if name in apart) for found in (on_left, on_right)]
    return shown[0], shown[1], Steady(left, right, None, apart, len(equal))


def _joined(parts: Mapping[str, bytes]) -> bytes:
    return b"".join(parts[name] for name in sorted(parts))


def _payload(blob: bytes) -> bytes:
    return blob[:-CHECKSUM_BYTES]
