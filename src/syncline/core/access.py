"""Directories their owner may not write: opened for the change, and restored after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from syncline.core import names
from syncline.core.model import (
    Action,
    Because,
    Entry,
    MakeDirectory,
    Place,
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
    """The directories in which names are changed, but for those that the plan itself makes."""
    found: set[Place] = set()
    made: set[Place] = set()
    for action in actions:
        if isinstance(action, MakeDirectory):
            made.add(action.at)
        if not isinstance(action, SetProperties):
            found.add(Place(action.at.side, names.parent(action.at.path)))
        if isinstance(action, Rename):
            found.add(Place(action.at.side, names.parent(action.to)))
    return found - made


def opened(
    actions: Collection[Action],
    present: Mapping[Place, Entry],
    actual: Callable[[Place], Place | None] = lambda place: place,
    first: Sequence[Action] = (),
) -> Collection[Action]:
    """The plan with every closed directory opened first and given its mode back last.

    `present`: what stands at the places of `parents`, which `actual` turns into where they are before the renames of
    the plan. The mode is not given back to a directory that goes, nor to one whose mode the plan sets anyway; a root
    keeps its own throughout. `first`: what is done before the actions, at places where things are at that time.
    """
    found = sorted(present.items(), key=_depth)
    closed = {place: entry for place, entry in found if entry.mode & OPEN != OPEN and place.path != names.ROOT}
    if not closed:
        return Actions([first, actions]) if first else actions
    settled = {action.at for action in actions if isinstance(action, Trash | Remove | SetProperties)}
    before, after = [], []
    for place, entry in closed.items():
        why = Because(Why.PROPERTIES, place, entry)
        now = actual(place) or place
        opening = Because(Why.PROPERTIES, now, entry)
        before.append(SetProperties(now, entry, opening, replace(entry, mode=entry.mode | 0o700)))
        if place not in settled:
            after.append(SetProperties(place, None, why, entry))
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
