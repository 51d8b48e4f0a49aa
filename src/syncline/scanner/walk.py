"""Walking one root beside what is remembered of it, and reporting only the directories that differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from syncline.core import listing, names
from syncline.core.model import Frozen, Kind, Reason, RelPath, Side
from syncline.errors import PathError
from syncline.fs.root import Root
from syncline.store.base import BaseStore


@dataclass(frozen=True, slots=True)
class Seen:
    """A directory that differs from what is remembered of this side: its packed listing, None when it is gone."""

    row: int | None
    parent_row: int | None
    look: bytes | Frozen | None


@dataclass(slots=True)
class Scan:
    """What a walk found. `complete` is false when the root itself could not be read."""

    side: Side
    changed: dict[RelPath, Seen] = field(default_factory=dict)
    unseen: set[RelPath] = field(default_factory=set)
    complete: bool = True
    empty: bool = True


def walk(
    root: Root,
    side: Side,
    base: BaseStore,
    prune: Callable[[RelPath], bool],
    stop: Callable[[], bool],
    *,
    everything: bool,
    rescope: bool,
) -> Scan:
    """Every directory of `root` whose bytes differ from the remembered ones, and every remembered one that is gone.

    `prune(path)` says that a directory is out of scope; a remembered one is in scope and not asked about, unless the
    filter changed (`rescope`). `everything` reports all directories. A walk that is stopped is not to be used.
    """
    scan = Scan(side)
    top = base.children(side, None).get("", (None, None, False))
    stack: list[tuple[RelPath, int | None, tuple[int | None, bytes | None, bool]]] = [(names.ROOT, None, top)]
    while stack and not stop():
        path, parent_row, (row, blob, attention) = stack.pop()
        try:
            found = root.listing(path)
        except PathError as error:
            scan.changed[path] = Seen(row, parent_row, Frozen(Reason(error.reason), error.detail))
            scan.unseen.add(path)
            scan.complete = scan.complete and bool(path)
            continue
        known = base.children(side, row) if row is not None else {}
        if found is None:
            scan.changed[path] = Seen(row, parent_row, None)
            _gone(scan, base, path, row, known)
            continue
        payload, directories = found
        scan.empty = scan.empty and not payload
        if everything or attention or not listing.same(blob, payload):
            scan.changed[path] = Seen(row, parent_row, payload)
        for name in directories:
            below = names.join(path, name)
            remembered = known.pop(name, None)
            if (remembered is None or rescope) and prune(below):
                continue
            stack.append((below, row, remembered or (None, None, False)))
        if known:
            _missing(scan, base, path, row, payload, known)
    return scan


def _missing(
    scan: Scan,
    base: BaseStore,
    path: RelPath,
    row: int | None,
    payload: bytes,
    known: dict[str, tuple[int, bytes | None, bool]],
) -> None:
    """Remembered directories that are no plain directories now: gone, or something that cannot be seen into."""
    entries = listing.unpack(payload)
    for name, (child, _, _) in known.items():
        entry = entries.get(name)
        below = names.join(path, name)
        if entry is not None and entry.kind in (Kind.MOUNT, Kind.UNKNOWN):
            scan.unseen.add(below)
        else:
            scan.changed[below] = Seen(child, row, None)
            _gone(scan, base, below, child, base.children(scan.side, child))


def _gone(
    scan: Scan, base: BaseStore, path: RelPath, row: int | None, known: dict[str, tuple[int, bytes | None, bool]]
) -> None:
    """Everything that is remembered below a directory is gone with it."""
    stack = [(names.join(path, name), row, child) for name, (child, _, _) in known.items()]
    while stack:
        below, parent_row, child = stack.pop()
        scan.changed[below] = Seen(child, parent_row, None)
        stack += [
            (names.join(below, name), child, inner) for name, (inner, _, _) in base.children(scan.side, child).items()
        ]
