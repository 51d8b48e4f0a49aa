"""Directories their owner may not write: opened for the change, and restored after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from syncline.core import names
from syncline.core.model import (
    Action,
    Because,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    PutLink,
    Remove,
    Rename,
    SetProperties,
    Trash,
    Why,
)
from syncline.core.plan import Actions

OPEN = 0o300
"""What the owner needs to change the names in a directory."""


def parents(actions: Iterable[Action]) -> set[Place]:
    """The directories in which names are changed, and those that leave theirs for another one, which the system writes
    down in them; but for those that the plan itself makes."""
    found: set[Place] = set()
    made: set[Place] = set()
    for action in actions:
        if isinstance(action, MakeDirectory):
            made.add(action.at)
        if not isinstance(action, SetProperties):
            found.add(Place(action.at.side, names.parent(action.at.path)))
        if isinstance(action, Rename):
            found.add(Place(action.at.side, names.parent(action.to)))
        found.update(_leaving(action))
    return found - made


def _leaving(action: Action) -> Iterator[Place]:
    """The directories that an action takes out of the one they are in, each where it stands after the renames."""
    if isinstance(action, Rename):
        if names.parent(action.at.path) == names.parent(action.to):
            return
        if _is_directory(action.expect):
            yield Place(action.at.side, action.to)
        if action.swap and _is_directory(action.over):
            yield action.at
    elif isinstance(action, Trash | PutFile | PutLink) and _is_directory(action.expect):
        yield action.at


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.DIRECTORY


def opened(
    actions: Collection[Action],
    present: Mapping[Place, Entry],
    actual: Callable[[Place], Place | None] = lambda place: place,
    first: Sequence[Action] = (),
) -> Collection[Action]:
    """The plan with every closed directory opened first and given its mode back last.

    `present`: what stands at the places of `parents`, which `actual` turns into where they are before the renames of
    the plan. The mode is not given back to a directory that goes, nor to one whose mode the plan sets anyway; one that
    is put aside gets it back there; a root keeps its own throughout. `first`: what is done before the actions, at
    places where things are at that time.
    """
    found = sorted(present.items(), key=_depth)
    closed = {place: entry for place, entry in found if entry.mode & OPEN != OPEN and place.path != names.ROOT}
    if not closed:
        return Actions([first, actions]) if first else actions
    settled = {action.at for action in actions if isinstance(action, Trash | Remove | SetProperties)}
    displaced = {
        action.at: action.aside
        for action in actions
        if isinstance(action, PutFile | PutLink) and _is_directory(action.expect)
    }
    before, after = [], []
    for place, entry in closed.items():
        why = Because(Why.PROPERTIES, place, entry)
        now = actual(place) or place
        opening = Because(Why.PROPERTIES, now, entry)
        before.append(SetProperties(now, entry, opening, replace(entry, mode=entry.mode | 0o700)))
        stays = displaced.get(place, place.path)
        if place not in settled and stays is not None:
            after.append(SetProperties(Place(place.side, stays), None, why, entry))
    return Actions([before, first, actions, after[::-1]])


def is_opening(action: SetProperties) -> bool:
    """Whether an action of a plan does nothing but open a closed directory."""
    before, because = action.expect, action.because
    if before is None or before.mode & OPEN == OPEN or because.place != action.at:
        return False
    return action.entry == replace(before, mode=before.mode | 0o700)


def _depth(item: tuple[Place, Entry]) -> tuple[int, str, str]:
    place = item[0]
    return place.path.count("/"), place.side.value, place.path
