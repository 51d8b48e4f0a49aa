"""Files with several names: each name becomes a file of its own on the other side, which is told when it is copied."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import pairwise

from syncline.core import listing, names
from syncline.core.model import Action, Place, Problem, PutFile, Reason, RelPath, Side
from syncline.core.trees import Merged


def told(actions: Iterable[Action], directories: Iterable[Merged]) -> list[Problem]:
    """A problem for every file that is copied although it has a further name in the directories that were looked at.

    What was copied before is not told again: the copies are in step, and there is nothing to do.
    """
    twice: dict[Side, frozenset[int]] = {}
    found: dict[Side, Mapping[int, list[RelPath]]] = {}
    told = []
    for action in actions:
        if not isinstance(action, PutFile) or not action.source_entry.inode:
            continue
        side, path, inode = action.source.side, action.source.path, action.source_entry.inode
        if side not in twice:
            twice[side] = _twice(directories, side)
            found[side] = _named(directories, side, twice[side])
        if inode in twice[side]:
            told.append(Problem(Place(side, path), Reason.HARD_LINK, _words(path, found[side][inode])))
    return told


def _twice(directories: Iterable[Merged], side: Side) -> frozenset[int]:
    """The inodes that have more than one name on one side."""
    inodes = array("Q")  # eight bytes for each: there may be a million
    for merged in directories:
        inodes.extend(listing.inodes(merged.at.whole(side)).values())
    ordered = sorted(inodes)
    return frozenset(one for one, next in pairwise(ordered) if one == next and one)


def _named(directories: Iterable[Merged], side: Side, inodes: frozenset[int]) -> Mapping[int, list[RelPath]]:
    """All names of these inodes on one side, sorted."""
    found: dict[int, set[RelPath]] = {}
    for merged in directories if inodes else ():
        for name, inode in listing.inodes(merged.at.whole(side)).items():
            if inode in inodes:
                found.setdefault(inode, set()).add(names.join(merged.at.path(side), name))
    return {inode: sorted(paths) for inode, paths in found.items()}


def _words(path: RelPath, paths: list[RelPath]) -> str:
    other = names.printable(next(each for each in paths if each != path))
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return f"the same file as {other}{more}; on the other side each name is a file of its own"
