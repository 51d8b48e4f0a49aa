"""From wants to a plan: which actions reach them, in which order, and under which id.

The order: make directories and rename, parents first; put files small first, links, properties, then trash and remove
deepest first, modes of directories last. What belongs together (one conflict, one type change) is a group and stands
together.
"""

from __future__ import annotations

import hashlib
import heapq
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from syncline.core import listing, names
from syncline.core.model import (
    SIDES,
    Action,
    Conflict,
    Entry,
    Gone,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    PutLink,
    RelPath,
    Remove,
    Rename,
    RunCommand,
    SetProperties,
    Side,
    Trash,
    Want,
)
from syncline.core.puts import Puts, size_class
from syncline.core.trees import Triple, Wanted

_ORDER = {MakeDirectory: 1, Rename: 2, PutFile: 3, PutLink: 4, SetProperties: 5, Trash: 6, Remove: 6, RunCommand: 8}


_Key = tuple[int, int, str]
_Unit = tuple[_Key, list[Action]]


@dataclass(frozen=True, slots=True)
class Disposal:
    """What goes to the trash: deleted files up to `max_size` bytes, None for no limit; and, if `replaced`, versions
    that a newer one replaces. Versions that lose a conflict always do."""

    max_size: int | None = None
    replaced: bool = True


@dataclass(slots=True)
class _Load:
    """What goes with a directory: files, bytes, and whether any of it may not go to the trash."""

    files: int = 0
    size: int = 0
    outright: bool = False

    def add(self, other: _Load) -> None:
        self.files += other.files
        self.size += other.size
        self.outright = self.outright or other.outright


class Actions(Collection[Action]):
    """The actions of a large plan, in the order in which they are carried out. Those that lie in a spool are made anew
    whenever they are asked for."""

    def __init__(self, parts: Sequence[Collection[Action]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Action]:
        return chain.from_iterable(self._parts)

    def __contains__(self, action: object) -> bool:
        return any(action in part for part in self._parts)


class _Ordered(Collection[Action]):
    """Units by their key, with the copies that stand apart between them."""

    def __init__(self, units: list[_Unit], puts: Puts, disposal: Disposal) -> None:
        self._units = units
        self._puts = puts
        self._disposal = disposal

    def __len__(self) -> int:
        return sum(len(members) for _, members in self._units) + len(self._puts)

    def __iter__(self) -> Iterator[Action]:
        puts: Iterator[_Unit] = ((_key(put), [put]) for put in map(self._disposed, self._puts))
        for _, members in heapq.merge(self._units, puts, key=_unit_key):
            yield from members

    def __contains__(self, action: object) -> bool:
        return any(action == each for each in self)

    def _disposed(self, put: PutFile) -> PutFile:
        return replace(put, outright=False) if put.outright and self._disposal.replaced else put


def compare(wanted: Wanted, disposal: Disposal) -> Collection[Action]:
    """The actions that turn what was seen into what is wanted, in the order in which they are carried out."""
    others: list[Action] = []
    for side in SIDES:
        others += _of_side(wanted, side, disposal)
    first, units = _ordered(others, wanted.renames)
    found = Actions([first, _Ordered(units, wanted.puts, disposal)])
    return found if wanted.puts.spooled else list(found)


def plan_id(job: str, actions: Iterable[Action], conflicts: Collection[Conflict]) -> str:
    """A digest of what the plan would do. Generated names and times of the run are left out: the same world gives
    the same id, a different plan never does."""
    generated = {conflict.path: names.basename(conflict.clash) for conflict in conflicts if conflict.clash is not None}
    digest = hashlib.blake2b(job.encode("utf-8", "surrogateescape"), digest_size=8)
    for action in actions:
        digest.update(repr(_identity(action, generated)).encode("utf-8", "surrogateescape"))
    for conflict in conflicts:
        if conflict.kept is None or conflict.command is not None:
            told = (conflict.path, conflict.rule.value, _stated(conflict.left), _stated(conflict.right))
            if conflict.command is not None:
                digest.update(repr(conflict.command).encode("utf-8", "surrogateescape"))
            digest.update(repr(told).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def losses(actions: Iterable[Action]) -> Iterator[str]:
    """One line for everything a plan removes or replaces, by which an approved plan is compared with a later one."""
    for action in actions:
        match action:
            case Trash(at, expect, seen=seen):
                yield repr((at.side.value, at.path, _stated(expect), seen.hex() if seen else None))
            case Remove(at, expect):
                yield repr((at.side.value, at.path, _stated(expect), None))
            case PutFile(at, expect) | PutLink(at, expect) | MakeDirectory(at, expect) if expect is not None:
                outright = getattr(action, "outright", False)
                yield repr((at.side.value, at.path, _stated(expect), "outright" if outright else None))
            case Rename(at, to, over=over, swap=False) if over is not None:
                yield repr((at.side.value, to, _stated(over), None))
            case _:
                pass


def size_of(action: Action) -> int:
    """The bytes an action has to copy."""
    return action.entry.size if isinstance(action, PutFile) else 0


def _of_side(wanted: Wanted, side: Side, disposal: Disposal) -> Iterator[Action]:
    wants = wanted.wants[side]
    loads = _loads(wanted, side, disposal)
    subtrees = _Subtrees(wanted, side)
    covered: set[RelPath] = set()
    for path in sorted(wants):
        item, place = wants[path], Place(side, path)
        present = wanted.seen.get(place)
        if names.parent(path) in covered and isinstance(item, Gone):
            covered.add(path)
            continue
        if isinstance(item, Want):
            replaced = present is not None and present.kind is Kind.DIRECTORY and item.entry.kind is not Kind.DIRECTORY
            if replaced and item.aside is None and present is not None:
                # What is replaced goes to the trash, all of it, whatever its size.
                item = replace(item, group=item.group or path)
                gone = Gone(item.because, whole=True, group=item.group)
                yield _removal(place, present, gone, replace(loads.get(path, _Load()), outright=False), subtrees)
                covered.add(path)
                present = None
            yield from _act(wanted, place, present, item, disposal)
        elif present is not None:
            load = loads.get(path) or _load_of(present, item, disposal)
            action = _removal(place, present, item, load, subtrees)
            if isinstance(action, Trash) and present.kind is Kind.DIRECTORY:
                covered.add(path)
            yield action


def _act(wanted: Wanted, at: Place, present: Entry | None, want: Want, disposal: Disposal) -> Iterator[Action]:
    entry, because = want.entry, want.because
    outright = present is not None and want.superseded and not disposal.replaced
    if want.source is None:
        yield SetProperties(at, present, because, entry, want.group)
    elif entry.kind is Kind.DIRECTORY:
        if present is not None and present.kind is Kind.DIRECTORY and want.aside is None:
            return
        yield MakeDirectory(at, present, because, entry, want.aside, want.group, want.source)
        if entry.mode & 0o700 != 0o700:
            yield SetProperties(at, None, because, entry)
    elif entry.kind is Kind.LINK:
        yield PutLink(at, present, because, entry, want.source, want.aside, want.group, outright)
    else:
        source_entry = wanted.seen[want.source]
        yield PutFile(at, present, because, entry, want.source, source_entry, want.aside, want.group, outright)


def _removal(at: Place, present: Entry, gone: Gone, load: _Load, subtrees: _Subtrees) -> Trash | Remove:
    directory = present.kind is Kind.DIRECTORY
    if load.outright or (directory and not (gone.whole and subtrees.has_entries(at.path))):
        return Remove(at, present, gone.because, gone.group)
    seen = subtrees.digest(at.path) if directory else None
    return Trash(at, present, gone.because, load.files, load.size, seen, gone.group)


def _load_of(present: Entry, gone: Gone, disposal: Disposal) -> _Load:
    """What goes with one name, all below a directory apart."""
    if present.kind is not Kind.FILE:
        return _Load(outright=gone.outright)
    too_large = disposal.max_size is not None and present.size > disposal.max_size and not gone.recoverable
    return _Load(1, present.size, gone.outright or too_large)


def _loads(wanted: Wanted, side: Side, disposal: Disposal) -> dict[RelPath, _Load]:
    """For each directory in which something goes: what goes with it, itself included."""
    wants = wanted.wants[side]
    loads: dict[RelPath, _Load] = {}
    for path in sorted(wants, reverse=True):  # a directory comes after all that is below it
        item = wants[path]
        if not isinstance(item, Gone):
            continue
        present = wanted.seen.get(Place(side, path))
        if present is None:
            continue
        load = _load_of(present, item, disposal)
        if present.kind is Kind.DIRECTORY:
            below = loads.setdefault(path, _Load())
            below.add(load)
            load = below
        loads.setdefault(names.parent(path), _Load()).add(load)
    return loads


class _Subtrees:
    """The directories a merge saw on one side, by path, for digests over whole subtrees."""

    def __init__(self, wanted: Wanted, side: Side) -> None:
        self._side = side
        self._by_path: dict[RelPath, Triple] = {merged.at.path(side): merged.at for merged in wanted.directories}
        self._sorted: list[RelPath] | None = None

    def has_entries(self, path: RelPath) -> bool:
        triple = self._by_path.get(path)
        return triple is not None and bool(triple.whole(self._side))

    def digest(self, path: RelPath) -> bytes:
        """`subtree_digest` of a directory, as the executor finds it again when nothing changed."""
        if self._sorted is None:
            self._sorted = sorted(self._by_path)
        below = path + "/"
        found = [(RelPath(""), self._by_path[path])]
        position = bisect_left(self._sorted, RelPath(below))
        while position < len(self._sorted) and self._sorted[position].startswith(below):
            inner = self._sorted[position]
            found.append((RelPath(inner[len(below) :]), self._by_path[inner]))
            position += 1
        return listing.subtree_digest((relative, _packed(triple, self._side)) for relative, triple in found)


def _packed(triple: Triple, side: Side) -> bytes:
    look = triple.whole(side)
    return listing.pack(look) if isinstance(look, Mapping) else b""


def _ordered(actions: list[Action], renames: Sequence[Rename]) -> tuple[list[Action], list[_Unit]]:
    """What comes before all else, and the rest in the order of execution; a group stands where its directories or its
    largest file would."""
    groups: dict[RelPath, list[Action]] = {}
    units: list[_Unit] = []
    for action in actions:
        if action.group is None:
            units.append((_key(action), [action]))
        else:
            groups.setdefault(action.group, []).append(action)
    for group, members in groups.items():
        members.sort(key=_key_in_group)
        made = [member.at.path for member in members if isinstance(member, MakeDirectory)]
        if made:
            # before what is made below, after what it is made in; `group` is how the left spells it
            key = (_ORDER[MakeDirectory], 0, min(made))
        else:
            key = (_ORDER[PutFile], size_class(max(map(size_of, members))), group)
        units.append((key, members))
    units.sort(key=_unit_key)
    return _with_renames(units, renames) if renames else ([], units)


def _with_renames(units: list[_Unit], renames: Sequence[Rename]) -> tuple[list[Action], list[_Unit]]:
    """Renames come before all else, but for the directories they lead into that are yet to be made; and the rest."""
    makes: dict[Place, _Unit] = {}
    for unit in units:
        for action in unit[1]:
            if isinstance(action, MakeDirectory):
                makes[action.at] = unit
    first: list[Action] = []
    begun: set[int] = set()
    for rename in renames:
        for above in reversed(names.ancestors(rename.to)):
            made = makes.get(Place(rename.at.side, above))
            if made is not None and id(made) not in begun:
                begun.add(id(made))
                first += made[1]
        first.append(rename)
    return first, [unit for unit in units if id(unit) not in begun]


def _unit_key(unit: _Unit) -> _Key:
    return unit[0]


def _key(action: Action) -> _Key:
    order = _ORDER[type(action)]
    path = action.at.path
    if order == _ORDER[Trash]:
        return order, -path.count("/"), path
    if isinstance(action, SetProperties) and action.entry.kind is Kind.DIRECTORY:
        return 7, -path.count("/"), path
    return order, size_class(size_of(action)), path


def _key_in_group(action: Action) -> _Key:
    """Copies before what they save is replaced; what is in the way before what takes its place."""
    aside = getattr(action, "aside", None) is not None
    return (2 if aside else 0 if isinstance(action, Trash | Remove) else 1), _ORDER[type(action)], action.at.path


def _stated(entry: Entry | None) -> tuple[int | bytes, ...] | None:
    if entry is None:
        return None
    stated = (int(entry.kind), entry.size, entry.mtime_ns, entry.mode)
    return (*stated, *(each for each in (entry.owner, entry.xattr, entry.windows) if each is not None))


def _seen(entry: Entry | None) -> tuple[object, ...] | None:
    """What identifies a version that was seen. An edit may hide behind size and time, not behind the status time."""
    return None if entry is None else (_stated(entry), entry.ctime_ns)


def _identity(action: Action, generated: Mapping[RelPath, str]) -> tuple[object, ...]:
    named = _without(generated.get(action.group) if action.group is not None else None)
    entry = getattr(action, "entry", None)
    source = getattr(action, "source", None)
    return (
        type(action).__name__,
        action.at.side.value,
        named(action.at.path),
        _seen(action.expect),
        _stated(entry),
        _seen(getattr(action, "source_entry", None)),
        None if source is None else (source.side.value, named(source.path)),
        named(getattr(action, "aside", None)),
        named(getattr(action, "to", None)),
        getattr(action, "seen", None),
        getattr(action, "argv", None),
        getattr(action, "outright", False),
        _seen(getattr(action, "over", None)),
        getattr(action, "swap", None),
    )


def _without(generated: str | None) -> Callable[[RelPath | None], str | None]:
    """A function that leaves a generated name out of the paths it is given."""
    if generated is None:
        return lambda path: path

    def named(path: RelPath | None) -> str | None:
        return None if path is None else "/".join("\0" if part == generated else part for part in path.split("/"))

    return named
