"""Both roots beside the base: the directories that differ, as the merge wants them, and contents read on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from blake3 import blake3

from syncline.core import listing, names
from syncline.core.model import (
    SIDES,
    Agreed,
    BaseDirectory,
    Entry,
    Frozen,
    Look,
    Reason,
    RelPath,
    Side,
)
from syncline.core.policy import Rules
from syncline.core.steady import Steady, meet, tell_apart
from syncline.core.trees import Triple
from syncline.errors import PathError
from syncline.fs.root import Root
from syncline.scanner.scan import Scan, Seen
from syncline.store.base import BaseStore, Named, Row


class Digest(Protocol):
    """A hash over a file's content."""

    def update(self, data: bytes | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


def new_digest() -> Digest:
    """BLAKE3: 2 GB/s while copying."""
    return blake3()


def content_of(digest: Digest) -> bytes:
    """The stored form of a file's content: the algorithm's number and the digest."""
    return bytes((listing.BLAKE3,)) + digest.digest()


class Observed:
    """What two scans saw, joined with the base: the trees a merge looks at."""

    def __init__(
        self,
        scans: Mapping[Side, Scan],
        base: BaseStore,
        fold: Callable[[str], str],
        *,
        trusting: bool = False,
        meeting: Rules | None = None,
    ) -> None:
        """`trusting`: what is as it was on both sides need not be looked at. `meeting`: the rules by which what meets
        for the first time may be taken for equal without being looked at."""
        self._changed = {side: scans[side].changed for side in SIDES}
        self._unseen = {side: scans[side].unseen for side in SIDES}
        self._base = base
        self._fold = fold
        self._trusting = trusting
        self._meeting = meeting
        self._children: dict[int, dict[str, tuple[int, bool]]] = {}
        self._paths: dict[int, tuple[RelPath | None, RelPath | None]] = {}
        self._known: dict[tuple[RelPath, RelPath], Triple] = {}
        self._agreed: dict[int, Mapping[str, Agreed]] = {}
        self._way: list[Triple] = []
        self.rows: dict[int, Row] = {}
        """Every remembered directory that was looked at."""
        for side in SIDES:
            self._climb(side)

    def tops(self) -> list[Triple]:
        """The directories that differ and whose parent does not."""
        found: dict[tuple[RelPath, RelPath], Triple] = {}
        changed_rows = {seen.row for side in SIDES for seen in self._changed[side].values() if seen.row is not None}
        for side in SIDES:
            for path, seen in self._changed[side].items():
                if path and (names.parent(path) in self._changed[side] or seen.parent_row in changed_rows):
                    continue
                triple = self._top(side, path, seen)
                found.setdefault((triple.left_path, triple.right_path), triple)
        return [found[paths] for paths in sorted(found)]

    def child(self, above: Triple, key: str, left_name: str, right_name: str) -> Triple | None:
        left_path, right_path = names.join(above.left_path, left_name), names.join(above.right_path, right_name)
        found = self._rows_below(above.row).get(key) if above.row is not None else None
        row = None if found is None else found[0]
        left, right = self._seen(Side.LEFT, left_path, row), self._seen(Side.RIGHT, right_path, row)
        on_both = above.left is not None and above.right is not None
        if left is None and right is None and (found is None or (on_both and found[1])):
            return None  # as it was, and settled; what only one side has never is, nor what is below it
        triple = self._triple(row, left_path, right_path, left, right)
        if not on_both:
            triple = triple.complete(self._fold)
            triple = replace(
                triple,
                left=None if above.left is None else triple.left,
                right=None if above.right is None else triple.right,
            )
        self._go_down(above, triple)
        return triple

    def frozen_above(self, top: Triple) -> bool:
        for side in SIDES:
            path = top.path(side)
            if self._unseen[side] and any(above in self._unseen[side] for above in names.ancestors(path)):
                return True
        return False

    def rest(self) -> None:
        """Pack again what a merge has looked at: it is done."""
        while self._way:
            _rest(self._way.pop())

    def _go_down(self, above: Triple, triple: Triple) -> None:
        """A merge goes down depth first: of what it has left, nothing is asked again soon."""
        while self._way and (self._way[-1].left_path, self._way[-1].right_path) != (above.left_path, above.right_path):
            _rest(self._way.pop())
        if not self._way:
            self._way.append(above)
        self._way.append(triple)

    def _climb(self, side: Side) -> None:
        """A directory that only one side has is settled from where both have one: those above it are looked at too."""
        changed = self._changed[side]
        for path, seen in list(changed.items()):
            while path and names.parent(path) not in changed and seen.row is not None:
                if None not in self._paths_of(seen.row):
                    break
                row = self._base.row(seen.row)
                if row is None or row.parent is None:
                    break
                above = self._base.row(row.parent)
                blob = None if above is None else above.sealed(side)
                if above is None or blob is None:
                    break
                path, seen = names.parent(path), Seen(above.id, above.parent, blob[: -listing.CHECKSUM_BYTES])
                changed[path] = seen

    def _top(self, side: Side, path: RelPath, seen: Seen) -> Triple:
        if seen.row is not None:
            left_path, right_path = self._paths_of(seen.row)
            left_path, right_path = left_path or right_path or path, right_path or left_path or path
        else:
            left_path, right_path = path, path
            if seen.parent_row is not None:
                above = self._paths_of(seen.parent_row)[0 if side is Side.RIGHT else 1]
                name = self._twin_of(seen.parent_row, side, names.basename(path))
                twin = names.join(above if above is not None else names.parent(path), name)
                left_path, right_path = (path, twin) if side is Side.LEFT else (twin, path)
        left, right = self._changed[Side.LEFT].get(left_path), self._changed[Side.RIGHT].get(right_path)
        return self._triple(seen.row, left_path, right_path, left, right)

    def _twin_of(self, above: int, side: Side, name: str) -> str:
        """How the other side spells a name of a remembered directory, if it is agreed there: a run that was cut off may
        have remembered a directory, and not yet those in it."""
        if above not in self._agreed:
            self._agreed[above] = remembered(self._base.row(above), self._fold).agreed
        agreed = self._agreed[above].get(self._fold(name))
        return name if agreed is None else agreed.name(side.other)

    def _seen(self, side: Side, path: RelPath, row: int | None) -> Seen | None:
        """What was seen of a directory that differs. What is no directory any more was seen under its old spelling."""
        seen = self._changed[side].get(path)
        if seen is None and row is not None:
            earlier = self._paths_of(row)[0 if side is Side.LEFT else 1]
            seen = None if earlier is None else self._changed[side].get(earlier)
        return seen

    def _triple(
        self, id: int | None, left_path: RelPath, right_path: RelPath, left: Seen | None, right: Seen | None
    ) -> Triple:
        """A directory; asked for more than once, and kept where that takes little."""
        known = self._known.get((left_path, right_path))
        if known is None:
            known = self._made(id, left_path, right_path, left, right)
            if known.steady is not None:
                self._known[left_path, right_path] = known
        return known

    def _made(
        self, id: int | None, left_path: RelPath, right_path: RelPath, left: Seen | None, right: Seen | None
    ) -> Triple:
        row = None if id is None else self._base.row(id)
        if row is not None and row.id is not None:
            self.rows[row.id] = row
        known = None if row is None else row.id
        told = self._met((left_path, right_path), left, right) if row is None else self._told_apart(row, left, right)
        if told is not None:
            base, on_left, on_right, steady = told
            return Triple(
                left_path, right_path, known, base, listing.Packed(on_left), listing.Packed(on_right), steady=steady
            )
        return Triple(
            left_path,
            right_path,
            known,
            remembered(row, self._fold),
            _look(left, None if row is None else row.left),
            _look(right, None if row is None else row.right),
        )

    def _met(
        self, paths: tuple[RelPath, RelPath], left: Seen | None, right: Seen | None
    ) -> tuple[BaseDirectory, bytes, bytes, Steady | None] | None:
        """As `meet`, of a directory that is new and was seen on both sides; None of any other."""
        on_left, on_right = None if left is None else left.look, None if right is None else right.look
        if self._meeting is None or not isinstance(on_left, bytes) or not isinstance(on_right, bytes):
            return None
        return BaseDirectory(), *meet(on_left, on_right, paths, self._meeting, self._fold)

    def _told_apart(
        self, row: Row, left: Seen | None, right: Seen | None
    ) -> tuple[BaseDirectory, bytes, bytes, Steady | None] | None:
        """As `tell_apart`, of a directory that is remembered and was seen on both sides; None of any other."""
        if not self._trusting or row.left is None or row.right is None or row.beside is None:
            return None
        on_left = None if left is None else left.look
        on_right = None if right is None else right.look
        gone = (left is not None and on_left is None) or (right is not None and on_right is None)
        if gone or isinstance(on_left, Frozen) or isinstance(on_right, Frozen):
            return None
        try:
            return tell_apart(on_left, on_right, (row.left, row.right, row.beside), self._fold)
        except listing.Damaged:
            return None

    def _rows_below(self, parent: int) -> dict[str, tuple[int, bool]]:
        """By folded name, the directories that are remembered in one, and whether both sides have them."""
        if parent not in self._children:
            rows = self._base.child_names(parent)
            self._children[parent] = {self._fold(row.left or row.right or ""): (row.id, row.both) for row in rows}
        return self._children[parent]

    def _paths_of(self, id: int) -> tuple[RelPath | None, RelPath | None]:
        """The directory's path on the left and on the right; None where that side has not got it."""
        way: list[Named] = []
        at: int | None = id
        while at is not None and at not in self._paths:
            found = self._base.named(at)
            if found is None or found in way:
                return None, None
            way.append(found)
            at = found.parent
        for each in reversed(way):
            above = (names.ROOT, names.ROOT) if each.parent is None else self._paths[each.parent]
            self._paths[each.id] = _in(above[0], each.left), _in(above[1], each.right)
        return self._paths[id]


def _in(above: RelPath | None, name: str | None) -> RelPath | None:
    if above is None or name is None:
        return None
    return names.join(above, name) if name else above


def remembered(row: Row | None, fold: Callable[[str], str]) -> BaseDirectory:
    """What a stored row says was agreed; nothing where a checksum does not fit, which makes both sides new."""
    if row is None or row.beside is None:
        return BaseDirectory()
    try:
        left = listing.unseal(row.left) if row.left is not None else b""
        right = listing.unseal(row.right) if row.right is not None else b""
        return listing.unpack_base(left, right, listing.unseal(row.beside), fold)
    except listing.Damaged:
        return BaseDirectory()


def hashing(root: Root, path: RelPath, expect: Entry, *, uncached: bool = False) -> Iterator[int | bytes]:
    """Read a file; yields the bytes of each block that was read, and last the content. `uncached`: from the disk.

    Raises: PathError (changed-while-copied when it is not the file that was seen).
    """
    reader = root.open(path)
    try:
        if uncached:
            reader.uncached()
        digest = new_digest()
        for block in reader.blocks():
            digest.update(block)
            yield len(block)
        if not same_file(expect, reader.entry):
            raise PathError(Reason.CHANGED_WHILE_COPIED, path, "changed while it was read")
    finally:
        reader.close()
    yield content_of(digest)


def same_file(expect: Entry, found: Entry | None) -> bool:
    """Whether `found` still is the object that was seen: kind, size, time, status time and inode."""
    return found is not None and (
        (expect.kind, expect.size, expect.mtime_ns, expect.ctime_ns, expect.inode)
        == (found.kind, found.size, found.mtime_ns, found.ctime_ns, found.inode)
    )


def _rest(triple: Triple) -> None:
    for look in (triple.left, triple.right):
        if isinstance(look, listing.Packed):
            look.rest()


def _look(seen: Seen | None, blob: bytes | None) -> Look:
    if seen is not None:
        return listing.Packed(seen.look) if isinstance(seen.look, bytes) else seen.look
    return None if blob is None else listing.Packed(blob[: -listing.CHECKSUM_BYTES])
