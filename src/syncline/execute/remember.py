"""Writing down what both sides agree on after a run, from what was seen and what was done, without looking again."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from syncline.core import listing, names
from syncline.core.model import (
    ATTENTION,
    PRIVATE,
    SIDES,
    Agreed,
    BaseDirectory,
    Entry,
    Hold,
    Kind,
    Listing,
    Place,
    RelPath,
    Side,
    Unagreed,
)
from syncline.core.trees import Merged, Triple, hold
from syncline.execute.results import Results
from syncline.execute.transfer import known
from syncline.store.base import BaseStore, Row


@dataclass(frozen=True, slots=True)
class Clocks:
    """When the scan ended, what time it is, and how finely each root keeps times: a stamp younger than that when it was
    read hides later changes.

    A root whose clock was waited for has a step of 0 here.
    """

    scanned_ns: int
    step_ns: Mapping[Side, int]
    now_ns: Callable[[], int]

    def waited_for(self) -> bool:
        """Whether no stamp that was read hides later changes."""
        return not any(self.step_ns.values())

    def racy(self, side: Side, entry: Entry) -> bool:
        """Whether a further change of a file could hide behind its stamp; so it is with what this run wrote, too."""
        if not self.step_ns[side] or entry.kind is not Kind.FILE:
            return False
        return self.scanned_ns - self.step_ns[side] < (entry.ctime_ns or entry.mtime_ns) <= self.now_ns()


class Memory:
    """The rows of the directories a run looked at, brought up to date while the run goes on."""

    def __init__(
        self,
        base: BaseStore,
        merged: Iterable[Merged],
        rows: Mapping[int, Row],
        results: Results,
        fold: Callable[[str], str],
        clocks: Clocks,
    ) -> None:
        self._base = base
        self._merged = list(merged)
        self._known = {id: _mark(row) for id, row in rows.items()}
        self._results = results
        self._fold = fold
        self._clocks = clocks
        self._ids: dict[RelPath, int] = {
            directory.at.left_path: directory.at.row for directory in self._merged if directory.at.row is not None
        }
        self._at = {
            side: {directory.at.path(side): number for number, directory in enumerate(self._merged)} for side in SIDES
        }
        self._old = set(self._ids.values())
        self._due = set(range(len(self._merged)))
        self._closed: set[int] = set()
        self._moved = {
            number
            for directory in self._merged
            for key in directory.at.brought
            if (number := self._at[Side.LEFT].get(_path_of(directory.at, key))) is not None
        }
        self._gone_rows: list[int] = []
        self._above: list[_Above] = []

    def write_touched(self) -> None:
        """Bring up to date the rows of the directories in which something was done since the last time, and of those
        above them that are not written yet: a row stands below its parent's or nowhere."""
        touched = self._results.take_touched()
        numbers: set[int] = set()
        for index in self._moved & self._due:
            if not self._awaited(self._merged[index]):
                for side in SIDES:
                    touched[side].add(self._merged[index].at.path(side))
        for side in SIDES:
            at, paths = self._at[side], touched[side]
            numbers.update(number for path in paths if (number := at.get(path)) is not None)
            above = {names.parent(path) for path in paths if path}
            while above:
                found = {number for path in above if (number := at.get(path)) is not None}
                numbers |= found & self._due
                above = {names.parent(path) for path in above if path}
        numbers -= self._closed
        for number in sorted(numbers):
            self._write(self._merged[number])
        self._forget()
        self._due -= numbers
        for number in numbers:
            self._close(number)

    def _close(self, number: int) -> None:
        """Let go of what is known of a directory in which nothing more will be done."""
        paths = {side: self._merged[number].at.path(side) for side in SIDES}
        if all(self._results.finished(side, path) for side, path in paths.items()):
            self._closed.add(number)
            self._merged[number].contents.clear()
            for side, path in paths.items():
                self._results.release(side, path, self._at[side])

    def write(self) -> bool:
        """Bring every row up to date that is not; whether any had to be changed."""
        self.write_touched()
        wrote = [self._write(self._merged[number]) for number in sorted(self._due)]
        self._forget()
        self._due.clear()
        return any(wrote)

    def _write(self, directory: Merged) -> bool:
        try:
            return self._written(directory)
        finally:
            for side in SIDES:
                look = (directory.at.origin or directory.at).look(side)
                if isinstance(look, listing.Packed):
                    look.rest()

    def _written(self, directory: Merged) -> bool:
        at = directory.at
        if self._awaited(directory):
            return False  # it does not stand there yet: what is remembered of it is where it was
        left, right = self._now(directory, Side.LEFT), self._now(directory, Side.RIGHT)
        if (at.origin or at).steady is not None and (left is None or right is None):
            self._complete(directory)
            left, right = self._now(directory, Side.LEFT), self._now(directory, Side.RIGHT)
        identity = self._ids.get(at.left_path)
        if left is None and right is None:
            if identity is None:
                return False
            del self._ids[at.left_path]
            self._gone_rows.append(identity)
            self._known.pop(identity, None)
            return True
        row = self._row(directory, identity, left, right)
        if row is None:
            return False
        if identity is not None:
            self._above.append(_Above(directory, identity, self._standing(directory, left, right)))
        if row.parent in self._old and (identity is None or self._is_moved(directory)):
            self._forget_twins(row)
        mark = _mark(row)
        if identity is not None and self._known.get(identity) == mark:
            return False
        try:
            written = self._base.write(row)
        except KeyError:  # dropped with a directory above it: it is written anew
            row = self._row(directory, None, left, right)
            if row is None:
                return True
            written = self._base.write(row)
        self._ids[at.left_path] = written
        self._known[written] = mark
        return True

    def _complete(self, directory: Merged) -> None:
        """Show a directory with nothing left out: it is not on both sides any more."""
        seen = (directory.at.origin or directory.at).complete(self._fold)
        directory.at = replace(directory.at, origin=seen, steady=None)
        known = {key: agreed.left.content for key, agreed in seen.base.agreed.items()}
        directory.contents = known | directory.contents

    def _row(self, directory: Merged, identity: int | None, left: Listing | None, right: Listing | None) -> Row | None:
        at = directory.at
        parent = None
        if at.left_path:
            before = self._known.get(identity) if identity is not None and not self._is_moved(directory) else None
            parent = before[0] if before is not None else self._parent(at.left_path)
            if parent is None:
                return None  # the directory above is not remembered, so this one cannot be
        on_left, on_right = dict((left or {}).items()), dict((right or {}).items())
        base = self._agreed(directory, on_left, on_right)
        files = [agreed.left for agreed in base.agreed.values() if agreed.left.kind is Kind.FILE]
        racy = any(agreed.racy_left or agreed.racy_right for agreed in base.agreed.values())
        steady = (at.origin or at).steady
        number, size = len(files), sum(entry.size for entry in files)
        if steady is not None:
            packed_left, packed_right, beside, more = steady.packed(left or {}, right or {}, base, self._fold)
            number, size = number + steady.files, size + more
        else:
            packed_left, packed_right = listing.pack(left or {}), listing.pack(right or {})
            beside = listing.pack_base(on_left, on_right, base, self._fold)
        return Row(
            identity,
            parent,
            names.basename(at.left_path) if left is not None else None,
            names.basename(at.right_path) if right is not None else None,
            None if left is None else listing.seal(packed_left),
            None if right is None else listing.seal(packed_right),
            listing.seal(beside),
            racy or any(item.hold in ATTENTION for item in base.unagreed.values()),
            number,
            size,
        )

    def _parent(self, path: RelPath) -> int | None:
        above = names.parent(path)
        if above in self._ids:
            return self._ids[above]
        found: int | None = None
        for name in ("", *above.split("/")) if above else ("",):
            remembered = self._base.children(Side.LEFT, found).get(name)
            if remembered is None:
                return None
            found = remembered[0]
        return found

    def _now(self, directory: Merged, side: Side) -> Listing | None:
        """One side's listing as it is now; None when the directory is not there."""
        path = directory.at.path(side)
        look = (directory.at.origin or directory.at).look(side)
        if self._gone(side, path):
            return None
        changes = self._results.changes(side, path)
        if not isinstance(look, Mapping):
            made = self._results.entries.get(Place(side, path))
            if (made is None or made.kind is not Kind.DIRECTORY) and not changes:
                return None
            look = {}
        if isinstance(look, listing.Packed) and path and not changes:
            return look
        now = {name: known(entry, None) for name, entry in look.items()}
        for name, entry in changes.items():
            if entry is None:
                now.pop(name, None)
            else:
                now[name] = entry
        if not path:
            now.pop(PRIVATE, None)
        return now

    def _gone(self, side: Side, path: RelPath) -> bool:
        """Whether this run removed a directory, itself or with one above it."""
        if not self._results.entries:
            return False
        for place in (path, *names.ancestors(path)):
            at = Place(side, place)
            if at in self._results.entries:
                entry = self._results.entries[at]
                return entry is None or entry.kind is not Kind.DIRECTORY
        return False

    def _agreed(self, directory: Merged, left: Listing, right: Listing) -> BaseDirectory:
        """Which names both sides agree on, and why the others are not agreed."""
        agreed: dict[str, Agreed] = {}
        unagreed: dict[str, Unagreed] = {}
        todo = {side: self._results.open_names(side, directory.at.path(side)) for side in SIDES}
        on_left = {self._fold(name): name for name in left}
        on_right = {self._fold(name): name for name in right}
        before, leaving = self._so_far(directory.at)
        for key, waits in directory.holds.items():
            if directory.at.held and key in directory.at.held and waits.before is not None:
                unagreed[key] = waits  # also where no side shows the name
        for key in on_left.keys() | on_right.keys() | leaving:
            left_name, right_name = on_left.get(key), on_right.get(key)
            held = directory.holds.get(key)
            if held is not None:
                renamed = key in directory.at.brought or key in directory.at.taken
                unagreed[key] = hold(held.name, held.hold, before, key) if renamed and held.before else held
                continue
            is_open = (left_name or right_name) in todo[Side.LEFT] or (right_name or left_name) in todo[Side.RIGHT]
            if left_name is None or right_name is None or is_open or left[left_name].kind is not right[right_name].kind:
                unagreed[key] = hold(left_name or right_name or key, Hold.FAILED, before, key)
                continue
            one, two = left[left_name], right[right_name]
            content = one.content or two.content or directory.contents.get(key)
            if one.kind is Kind.DIRECTORY:
                content = None
            agreed[key] = Agreed(
                left_name,
                right_name,
                known(one, content),
                known(two, content),
                unverified=one.kind is Kind.FILE and content is None,
                racy_left=self._clocks.racy(Side.LEFT, one),
                racy_right=self._clocks.racy(Side.RIGHT, two),
            )
        return BaseDirectory(agreed, unagreed)

    def _so_far(self, at: Triple) -> tuple[BaseDirectory, set[str]]:
        """What was agreed in a directory, with the renames that are done; and the names that have yet to leave it."""
        before = (at.origin or at).base
        if not at.brought and not at.taken:
            return before, set()
        left = {key for key, places in at.taken.items() if not self._results.coming(places)}
        came = {key for key, places in at.brought.items() if not self._results.coming(places)}
        agreed = {key: known for key, known in before.agreed.items() if key not in left}
        agreed |= {key: at.base.agreed[key] for key in came}
        unagreed = {key: known for key, known in before.unagreed.items() if key not in left | came}
        return BaseDirectory(agreed, unagreed), at.taken.keys() - left - came

    def _awaited(self, directory: Merged) -> bool:
        return any(self._results.awaited(side, directory.at.path(side)) for side in SIDES)

    def _is_moved(self, directory: Merged) -> bool:
        """Whether a rename brings a directory to where it is."""
        return self._at[Side.LEFT][directory.at.left_path] in self._moved

    def _forget(self) -> None:
        """Drop what is not remembered any more, after everything that was moved out of it."""
        for above in self._above:
            self._forget_below(above)
        for identity in self._gone_rows:
            self._base.forget(identity)
        self._above.clear()
        self._gone_rows.clear()

    def _standing(self, directory: Merged, left: Listing | None, right: Listing | None) -> set[str]:
        """The names of a directory below which something may be remembered."""
        _, leaving = self._so_far(directory.at)
        return leaving | {
            self._fold(name)
            for listed in (left, right)
            for name, entry in (listed or {}).items()
            if entry.kind in _MAY_HAVE_ROWS
        }

    def _forget_below(self, above: _Above) -> None:
        """Drop the rows of names that are no directories any more on either side, or left the scope."""
        directory, stands = above.directory, above.standing
        for row in self._base.child_names(above.row):
            standing = any(name is not None and self._fold(name) in stands for name in (row.left, row.right))
            held = directory.holds.get(self._fold(row.left or row.right or ""))
            disowned = held is not None and _disowned(held) and row.id not in self._ids.values()
            waits = bool(directory.at.held) and held is not None and held.before is not None
            if (not standing and not waits) or disowned:
                self._base.forget(row.id)

    def _forget_twins(self, row: Row) -> None:
        """Drop what is remembered under the name of a directory that was moved there."""
        key = self._fold(row.left_name or row.right_name or "")
        for other in self._base.child_names(row.parent):
            if other.id not in self._ids.values() and self._fold(other.left or other.right or "") == key:
                self._base.forget(other.id)


@dataclass(frozen=True, slots=True)
class _Above:
    """A directory that was written, in whose row there may be some of directories that are no more."""

    directory: Merged
    row: int
    standing: set[str]


def _path_of(at: Triple, key: str) -> RelPath:
    return names.join(at.left_path, at.base.agreed[key].left_name)


def _mark(row: Row) -> tuple[int | None, bytes]:
    """The directory above, and a digest by which a row is told from another: the row itself is long."""
    told = (row.left_name, row.right_name, row.left, row.right, row.beside, row.attention, row.files, row.size)
    return row.parent, hashlib.blake2b(marshal.dumps((row.parent, *told), _PLAIN), digest_size=16).digest()


_PLAIN = 2
"""The version of marshal's form in which equal values have equal bytes."""


def _disowned(held: Unagreed) -> bool:
    """Whether nothing is remembered of a name, and so nothing below it: it left the scope, or an undo left it apart."""
    return held.hold is Hold.IGNORED or (held.hold is Hold.WAITING and held.before is None)


_MAY_HAVE_ROWS = (Kind.DIRECTORY, Kind.UNKNOWN, Kind.MOUNT)
