"""Writing down what both sides agree on after a run, from what was seen and what was done, without looking again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

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
    Place,
    RelPath,
    Side,
    Unagreed,
)
from syncline.core.trees import Merged
from syncline.execute.results import Results
from syncline.execute.transfer import known
from syncline.store.base import BaseStore, Row


@dataclass(frozen=True, slots=True)
class Clocks:
    """When the scan ended, and how finely each root keeps times: a stamp younger than that hides later changes.

    A root whose clock was waited for has a step of 0 here.
    """

    scanned_ns: int
    step_ns: Mapping[Side, int]

    def racy(self, side: Side, entry: Entry, results: Results, place: Place) -> bool:
        if entry.kind is not Kind.FILE or place in results.entries:
            return False  # our own writes are known to be complete
        changed_ns = entry.ctime_ns or entry.mtime_ns
        return 0 <= self.scanned_ns - changed_ns < self.step_ns[side]


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
        self._known: dict[int, Row] = dict(rows)
        self._results = results
        self._fold = fold
        self._clocks = clocks
        self._ids: dict[RelPath, int] = {
            directory.at.left_path: directory.at.row for directory in self._merged if directory.at.row is not None
        }

    def write(self, *, touched: set[Place] | None = None) -> bool:
        """Write the rows that are not as they should be; whether any was. Parents come before what is below them.

        `touched`: only directories in which one of these places lies.
        """
        wrote = False
        for directory in self._merged:
            if touched is None or any(Place(side, directory.at.path(side)) in touched for side in SIDES):
                wrote = self._write(directory) or wrote
        return wrote

    def _write(self, directory: Merged) -> bool:
        at = directory.at
        left = self._now(directory, Side.LEFT)
        right = self._now(directory, Side.RIGHT)
        identity = self._ids.get(at.left_path)
        if left is None and right is None:
            if identity is None:
                return False
            del self._ids[at.left_path]
            self._base.forget(identity)
            self._known.pop(identity, None)
            return True
        row = self._row(directory, identity, left, right)
        if row is None:
            return False
        self._forget_below(directory, identity, left, right)
        if identity is not None and self._known.get(identity) == row:
            return False
        written = self._base.write(row)
        self._ids[at.left_path] = written
        self._known[written] = Row(
            written,
            row.parent,
            row.left_name,
            row.right_name,
            row.left,
            row.right,
            row.beside,
            row.attention,
            row.files,
            row.size,
        )
        return True

    def _row(
        self, directory: Merged, identity: int | None, left: dict[str, Entry] | None, right: dict[str, Entry] | None
    ) -> Row | None:
        at = directory.at
        parent = None
        if at.left_path:
            before = self._known.get(identity) if identity is not None else None
            parent = before.parent if before is not None else self._parent(at.left_path)
            if parent is None:
                return None  # the directory above is not remembered, so this one cannot be
        base = self._agreed(directory, left or {}, right or {})
        files = [agreed.left for agreed in base.agreed.values() if agreed.left.kind is Kind.FILE]
        racy = any(agreed.racy_left or agreed.racy_right for agreed in base.agreed.values())
        return Row(
            identity,
            parent,
            names.basename(at.left_path) if left is not None else None,
            names.basename(at.right_path) if right is not None else None,
            None if left is None else listing.seal(listing.pack(left)),
            None if right is None else listing.seal(listing.pack(right)),
            listing.seal(listing.pack_base(left or {}, right or {}, base, self._fold)),
            racy or any(item.hold in ATTENTION for item in base.unagreed.values()),
            len(files),
            sum(entry.size for entry in files),
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

    def _now(self, directory: Merged, side: Side) -> dict[str, Entry] | None:
        """One side's listing as it is now; None when the directory is not there."""
        path = directory.at.path(side)
        look = directory.at.look(side)
        if self._gone(side, path):
            return None
        changes = self._results.below(side, path)
        if not isinstance(look, Mapping):
            made = self._results.entries.get(Place(side, path))
            if (made is None or made.kind is not Kind.DIRECTORY) and not changes:
                return None
            look = {}
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
        for place in (path, *names.ancestors(path)):
            at = Place(side, place)
            if at in self._results.entries:
                entry = self._results.entries[at]
                return entry is None or entry.kind is not Kind.DIRECTORY
        return False

    def _agreed(self, directory: Merged, left: dict[str, Entry], right: dict[str, Entry]) -> BaseDirectory:
        on_left = {self._fold(name): name for name in left}
        on_right = {self._fold(name): name for name in right}
        agreed: dict[str, Agreed] = {}
        unagreed: dict[str, Unagreed] = {}
        for key in on_left.keys() | on_right.keys():
            left_name, right_name = on_left.get(key), on_right.get(key)
            spelled = left_name or right_name or key
            held = directory.holds.get(key)
            if held is not None:
                unagreed[key] = held
                continue
            one = left[left_name] if left_name is not None else None
            two = right[right_name] if right_name is not None else None
            if (
                one is None
                or two is None
                or one.kind is not two.kind
                or self._open(directory, left_name or spelled, right_name or spelled)
            ):
                before = directory.at.base.agreed.get(key)
                if before is None and (earlier := directory.at.base.unagreed.get(key)) is not None:
                    before = earlier.before
                unagreed[key] = Unagreed(spelled, Hold.FAILED, before)
                continue
            assert left_name is not None and right_name is not None
            agreed[key] = self._pair(directory, key, left_name, right_name, one, two)
        return BaseDirectory(agreed, unagreed)

    def _pair(self, directory: Merged, key: str, left_name: str, right_name: str, left: Entry, right: Entry) -> Agreed:
        at = directory.at
        content = left.content or right.content or directory.contents.get(key)
        if left.kind is Kind.DIRECTORY:
            content = None
        places = (
            Place(Side.LEFT, names.join(at.left_path, left_name)),
            Place(Side.RIGHT, names.join(at.right_path, right_name)),
        )
        return Agreed(
            left_name,
            right_name,
            known(left, content),
            known(right, content),
            unverified=left.kind is Kind.FILE and content is None,
            racy_left=self._clocks.racy(Side.LEFT, left, self._results, places[0]),
            racy_right=self._clocks.racy(Side.RIGHT, right, self._results, places[1]),
        )

    def _open(self, directory: Merged, left_name: str, right_name: str) -> bool:
        at = directory.at
        return self._results.open(Place(Side.LEFT, names.join(at.left_path, left_name))) or self._results.open(
            Place(Side.RIGHT, names.join(at.right_path, right_name))
        )

    def _forget_below(
        self, directory: Merged, identity: int | None, left: dict[str, Entry] | None, right: dict[str, Entry] | None
    ) -> None:
        """Drop the rows of names that are no directories any more on either side, or left the scope."""
        if identity is None:
            return
        for row in self._base.child_rows(identity):
            one = (left or {}).get(row.left_name) if row.left_name is not None else None
            two = (right or {}).get(row.right_name) if row.right_name is not None else None
            standing = any(entry is not None and entry.kind in _MAY_HAVE_ROWS for entry in (one, two))
            held = directory.holds.get(self._fold(row.left_name or row.right_name or ""))
            if row.id is not None and (not standing or (held is not None and held.hold is Hold.IGNORED)):
                self._base.forget(row.id)


_MAY_HAVE_ROWS = (Kind.DIRECTORY, Kind.UNKNOWN, Kind.MOUNT)
