"""What stands at single paths of a job now, on the disk and in the base: what an errand is drawn up from.

Looks only where it is asked to, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from syncline.core import filters, listing, names
from syncline.core.draft import carried
from syncline.core.model import (
    SIDES,
    Action,
    Agreed,
    BaseDirectory,
    Because,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    Problem,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    SetProperties,
    Side,
    Trash,
)
from syncline.core.policy import Rules
from syncline.engine.world import World, ability
from syncline.errors import PathError
from syncline.execute import transfer
from syncline.jobs.kind import Job, keeps_modes, patterns
from syncline.scanner.client import remembered, same_file
from syncline.store.base import BaseStore, Row
from syncline.store.suspects import Suspects

UNTOUCHABLE = (Kind.SPECIAL, Kind.UNKNOWN, Kind.MOUNT)


@dataclass(frozen=True, slots=True)
class Found:
    """One name: where it is on each side, what stands there, and what is remembered of it.

    `row` is the row of the directory it lies in, None where that is not remembered. `agreed` is what both sides last
    agreed on, None where they did not; `before` what they had agreed on until the name was held.
    """

    paths: Mapping[Side, RelPath]
    entries: Mapping[Side, Entry | None]
    row: Row | None
    key: str
    agreed: Agreed | None
    before: Agreed | None = None

    def place(self, side: Side) -> Place:
        return Place(side, self.paths[side])

    def as_agreed(self, side: Side) -> bool:
        """Whether a side shows what both agreed on; of a directory, whether it is one."""
        entry = self.entries[side]
        if self.agreed is None or entry is None:
            return self.agreed is None and entry is None
        return same_file(self.agreed.entry(side), entry) if entry.kind is not Kind.DIRECTORY else self.was_directory

    @property
    def was_directory(self) -> bool:
        return self.agreed is not None and self.agreed.left.kind is Kind.DIRECTORY


@contextmanager
def on(side: Side) -> Iterator[None]:
    """What is looked at within stands on this side. Raises: PathError: which says so."""
    try:
        yield
    except PathError as error:
        error.side = error.side or side.value
        raise


def obstacle(error: PathError, otherwise: Side) -> Problem:
    """What is told of a path that could not be handled; on which side, where the error does not say it."""
    place = Place(Side(error.side) if error.side else otherwise, RelPath(error.path))
    return Problem(place, Reason(error.reason), error.detail)


class Ground:
    """Both roots of a job and its base, asked path by path. Raises: PathError (with its side), StateError."""

    def __init__(self, job: Job, world: World) -> None:
        self.job = job
        self.roots = world.roots
        self.base = BaseStore(world.store, job.id)
        self.ignored = filters.ignored_by(patterns(job.settings))
        now = world.now()
        self.rules = Rules(
            policy=job.kind.policy(job.settings),
            ignored=self.ignored,
            now_ns=int(now.timestamp() * 1e9),
            minute=now.strftime("%Y%m%d%H%M"),
            left=ability(world.roots[Side.LEFT]),
            right=ability(world.roots[Side.RIGHT]),
            modes=keeps_modes(job.settings),
        )
        self.fold: Callable[[str], str] = self.rules.fold()
        self._suspects = {each.place: each for each in Suspects(world.store, job.id).all()}
        self._rows: dict[int | None, dict[str, Row]] = {}
        self._remembered: dict[int, BaseDirectory] = {}

    def find(self, path: RelPath) -> Found:
        """What stands at a path, which is given as either side spells it."""
        above, name = names.parent(path), names.basename(path)
        row, folders = self._directory(above)
        key = self.fold(name)
        base = self._base_of(row)
        agreed = base.agreed.get(key)
        paths = {}
        for side in SIDES:
            spelled = agreed.name(side) if agreed is not None else self._spelled(side, folders[side], name)
            paths[side] = names.join(folders[side], spelled)
        entries = {side: self.entry(Place(side, paths[side])) for side in SIDES}
        held = base.unagreed.get(key)
        return Found(paths, entries, row, key, agreed, None if held is None else held.before)

    def entry(self, place: Place) -> Entry | None:
        """What stands at a place."""
        with on(place.side):
            return self.roots[place.side].entry(place.path)

    def rotten(self, found: Found) -> list[Side]:
        """The sides that hold bytes nobody wrote, as far as that is known."""
        return [side for side in SIDES if (each := self._suspects.get(found.place(side))) and each.remembered]

    def as_sworn(self, found: Found, side: Side) -> Entry:
        """What stands on a side whose twin is rotten, with the content it must have while nobody wrote to it."""
        entry, twin = found.entries[side], self._suspects[found.place(side.other)]
        assert entry is not None
        known = found.agreed or found.before
        untouched = known is not None and same_file(known.entry(side), entry)
        return replace(entry, content=twin.remembered) if untouched else entry

    def as_remembered(self, found: Found) -> bool:
        """Whether everything at and below a name stands on both sides as both agreed."""
        return found.agreed is not None and all(self.side_as_remembered(found, side) for side in SIDES)

    def side_as_remembered(self, found: Found, side: Side) -> bool:
        """Whether one side shows what both agreed on, at a name and below it."""
        if not found.as_agreed(side):
            return False
        if not found.was_directory or found.row is None or found.row.id is None:
            return True
        row = self._below(found.row.id).get(found.key)
        return row is not None and self._rows_hold(side, found.paths[side], row)

    def tree(self, place: Place, leave: Callable[[RelPath, Entry], bool]) -> Iterator[tuple[RelPath, Entry]]:
        """Everything below a directory, what is above before what is below it, by path relative to it.

        What `leave` names, by its path, is left out with all below it.
        """
        stack = [RelPath("")]
        while stack:
            relative = stack.pop()
            inner = names.join(place.path, relative) if relative else place.path
            with on(place.side):
                listed = self.roots[place.side].listing(inner)
                if listed is None:
                    raise PathError(Reason.TARGET_CHANGED, inner, "vanished while it was looked at")
            for name, entry in sorted(listing.unpack(listed[0]).items()):
                below = names.join(relative, name)
                if leave(names.join(inner, name), entry):
                    continue
                yield below, entry
                if entry.kind is Kind.DIRECTORY:
                    stack.append(below)

    def put(
        self,
        found: Found,
        side: Side,
        source: Place,
        entry: Entry,
        because: Because,
        group: RelPath,
        aside: RelPath | None = None,
    ) -> Iterator[Action]:
        """The actions that bring what stands at `source` to a name on one side; what is there goes to the trash, or
        `aside`. A directory is brought with all that is in scope in it."""
        at, present = found.place(side), found.entries[side]
        wanted = entry if source.side is side else carried(self.rules, source.side, entry, None)
        if present is not None and present.kind is Kind.DIRECTORY and aside is None:
            yield self.trash(at, present, because, group)
            present = None
        yield _made(at, present, because, wanted, source, entry, aside, group)
        if entry.kind is not Kind.DIRECTORY:
            return
        closed = [(at, wanted)]
        for relative, inner in self.tree(source, self._stays):
            place, target = Place(source.side, _inside(source.path, relative)), _inside(at.path, relative)
            copied = inner if source.side is side else carried(self.rules, source.side, inner, None)
            reason = Because(because.why, place, inner)
            yield _made(Place(side, target), None, reason, copied, place, inner, None, group)
            if inner.kind is Kind.DIRECTORY:
                closed.append((Place(side, target), copied))
        for made, mode in reversed(closed):
            if mode.mode & 0o700 != 0o700:
                yield SetProperties(made, None, because, mode, group)

    def trash(self, at: Place, entry: Entry, because: Because, group: RelPath) -> Trash:
        """The action that moves something to the trash. Raises: PathError: in a directory is what must stay."""
        if entry.kind is not Kind.DIRECTORY:
            return Trash(at, entry, because, 1, entry.size, None, group)
        files = size = 0
        for relative, inner in self.tree(at, lambda path, entry: False):
            path = _inside(at.path, relative)
            if self._stays(path, inner):
                told = "is not synchronised and would go with its folder; move it"
                raise PathError(Reason.PARTLY_KEPT, path, told, side=at.side.value)
            files += inner.kind is Kind.FILE
            size += inner.size
        with on(at.side):
            digest = transfer.subtree(self.roots[at.side], at.path)
        return Trash(at, entry, because, files, size, digest, group)

    def free_name(self, found: Found) -> str:
        """A clash name for a name, free on both sides."""
        taken = {self.fold(name) for side in SIDES for name in self._names(side, names.parent(found.paths[side]))}
        longest = min(self.rules.left.names.max_bytes, self.rules.right.names.max_bytes)
        spelled = names.basename(found.paths[Side.LEFT])
        return names.clash_name(spelled, self.rules.minute, lambda name: self.fold(name) in taken, longest)

    def _directory(self, path: RelPath) -> tuple[Row | None, dict[Side, RelPath]]:
        """The row of a directory, None where it has none, and how each side spells its path."""
        row = next(iter(self._below(None).values()), None)
        paths = dict.fromkeys(SIDES, names.ROOT)
        for part in path.split("/") if path else ():
            row = self._below(row.id).get(self.fold(part)) if row is not None and row.id is not None else None
            for side in SIDES:
                spelled = row.name(side) if row is not None else None
                paths[side] = names.join(paths[side], spelled or self._spelled(side, paths[side], part))
        return row, paths

    def _spelled(self, side: Side, above: RelPath, name: str) -> str:
        """How a side spells a name; as it is given, where it has none like it."""
        if self.entry(Place(side, names.join(above, name))) is not None:
            return name
        return next((each for each in self._names(side, above) if self.fold(each) == self.fold(name)), name)

    def _names(self, side: Side, folder: RelPath) -> list[str]:
        with on(side):
            return self.roots[side].names(folder)

    def _below(self, parent: int | None) -> dict[str, Row]:
        """The rows of the directories in a directory, by folded key. Asked for often, read once."""
        if parent not in self._rows:
            rows = self.base.child_rows(parent)
            self._rows[parent] = {self.fold(row.left_name or row.right_name or ""): row for row in rows}
        return self._rows[parent]

    def _base_of(self, row: Row | None) -> BaseDirectory:
        if row is None or row.id is None:
            return BaseDirectory()
        if row.id not in self._remembered:
            self._remembered[row.id] = remembered(row, self.fold)
        return self._remembered[row.id]

    def _rows_hold(self, side: Side, path: RelPath, row: Row) -> bool:
        with on(side):
            listed = self.roots[side].listing(path)
        if listed is None or not listing.same(row.sealed(side), listed[0]):
            return False
        return all(
            (name := each.name(side)) is not None and self._rows_hold(side, names.join(path, name), each)
            for each in self._below(row.id).values()
        )

    def _stays(self, path: RelPath, entry: Entry) -> bool:
        """Whether something is not synchronised."""
        return entry.kind in UNTOUCHABLE or self.ignored(path, entry.kind is Kind.DIRECTORY)


def _made(
    at: Place,
    present: Entry | None,
    because: Because,
    wanted: Entry,
    source: Place,
    entry: Entry,
    aside: RelPath | None,
    group: RelPath,
) -> Action:
    match wanted.kind:
        case Kind.DIRECTORY:
            return MakeDirectory(at, present, because, wanted, aside, group, source)
        case Kind.LINK:
            return PutLink(at, present, because, wanted, source, aside, group)
        case _:
            return PutFile(at, present, because, wanted, source, entry, aside, group)


def _inside(path: RelPath, relative: RelPath) -> RelPath:
    return RelPath(f"{path}/{relative}")
