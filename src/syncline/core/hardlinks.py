"""Files with several names: each name becomes a file of its own on the other side, which is told when it is copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncline.core import names
from syncline.core.model import SIDES, Action, Kind, Place, Problem, PutFile, Reason, RelPath, Side
from syncline.core.trees import Merged


def told(actions: Iterable[Action], directories: Iterable[Merged]) -> list[Problem]:
    """A problem for every file that is copied although it has a further name in the directories that were looked at.

    What was copied before is not told again: the copies are in step, and there is nothing to do.
    """
    copied: dict[Side, dict[int, list[RelPath]]] = {side: {} for side in SIDES}
    for action in actions:
        if isinstance(action, PutFile) and action.source_entry.inode:
            copied[action.source.side].setdefault(action.source_entry.inode, []).append(action.source.path)
    found = {side: _named(directories, side, copied[side]) for side in SIDES}
    return [
        Problem(Place(side, path), Reason.HARD_LINK, _words(path, found[side][inode]))
        for side in SIDES
        for inode, paths in copied[side].items()
        for path in paths
        if len(found[side].get(inode, ())) > 1
    ]


def _named(
    directories: Iterable[Merged], side: Side, inodes: Mapping[int, list[RelPath]]
) -> Mapping[int, list[RelPath]]:
    """All names of these inodes on one side, sorted."""
    found: dict[int, set[RelPath]] = {}
    for merged in directories if inodes else ():
        look = merged.at.look(side)
        for name, entry in look.items() if isinstance(look, Mapping) else ():
            if entry.inode in inodes and entry.kind is Kind.FILE:
                found.setdefault(entry.inode, set()).add(names.join(merged.at.path(side), name))
    return {inode: sorted(paths) for inode, paths in found.items()}


def _words(path: RelPath, paths: list[RelPath]) -> str:
    other = names.printable(next(each for each in paths if each != path))
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return f"the same file as {other}{more}; on the other side each name is a file of its own"
