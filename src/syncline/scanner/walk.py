"""Walking one root beside what is remembered of it, and telling only of the directories that differ.

The one walk there is: it runs in a process of its own where that can be had, else in this one. It imports next to
nothing, so that that process starts fast.
"""

from __future__ import annotations

from syncline.core.record import MOUNT, UNKNOWN, kinds, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from syncline.store.children import Child

    Listed = tuple[bytes, list[str]] | None
    Told = tuple[str, int | None, int | None, bytes | bool | Exception | None]

NOT_SEEN = False
"""Said of a remembered directory that cannot be seen into: nothing is known of it now, and it is not gone."""

_NEW = (None, None, False)


def walk(
    listing: Callable[[str], Listed],
    children: Callable[[int | None], dict[str, Child]],
    prune: Callable[[str], bool],
    unreadable: type[Exception],
    *,
    everything: bool,
    rescope: bool,
) -> Iterator[Told]:
    """Every directory whose bytes differ from the remembered ones, and every remembered one that is gone.

    Each as (path, row, row of the directory above, what was seen): a packed listing, None when it is surely gone,
    the error when it could not be read, or `NOT_SEEN`.

    `listing(path)` reads a directory or raises `unreadable`; `children(row)` are the remembered directories in one, in
    None the root. `prune(path)` says that a directory is out of scope; a remembered one is in scope and not asked
    about, unless the filter changed (`rescope`). `everything` tells of all directories.
    """
    stack = [("", None, *(children(None).get("") or _NEW))]
    while stack:
        path, above, row, blob, attention = stack.pop()
        try:
            found = listing(path)
        except unreadable as error:
            yield path, row, above, error
            continue
        known = children(row) if row is not None else {}
        if found is None:
            yield path, row, above, None
            yield from _gone(children, path, row, known)
            continue
        payload, directories = found
        if everything or attention or not same(blob, payload):
            yield path, row, above, payload
        for name in directories:
            below = f"{path}/{name}" if path else name
            remembered = known.pop(name, None)
            if (remembered is None or rescope) and prune(below):
                continue
            stack.append((below, row, *(remembered or _NEW)))
        if known:
            yield from _missing(children, path, row, payload, known)


def _missing(
    children: Callable[[int | None], dict[str, Child]],
    path: str,
    row: int | None,
    payload: bytes,
    known: dict[str, Child],
) -> Iterator[Told]:
    """Remembered directories that are no plain directories now: gone, or something that cannot be seen into."""
    standing = dict(kinds(payload))
    for name, (child, _, _) in known.items():
        below = f"{path}/{name}" if path else name
        if standing.get(name) in (MOUNT, UNKNOWN):
            yield below, child, row, NOT_SEEN
        else:
            yield below, child, row, None
            yield from _gone(children, below, child, children(child))


def _gone(
    children: Callable[[int | None], dict[str, Child]], path: str, row: int | None, known: dict[str, Child]
) -> Iterator[Told]:
    """Everything that is remembered below a directory is gone with it."""
    stack = [(f"{path}/{name}" if path else name, row, child) for name, (child, _, _) in known.items()]
    while stack:
        below, above, child = stack.pop()
        yield below, child, above, None
        stack += [(f"{below}/{name}", child, inner) for name, (inner, _, _) in children(child).items()]
