"""What takes a run back: for each place it changed what stood there before, and whether that can be brought back.

The journal tells what a run did, `Sight` what stands there now. Nobody's own change is undone: only what still is as
the run left it is touched. What cannot be taken back stays, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from syncline.core import names
from syncline.core.model import (
    Action,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Remove,
    Rename,
    RunCommand,
    SetProperties,
    Trash,
)


@dataclass(frozen=True, slots=True)
class Done:
    """An action that a run did, as its journal has it: what it left at its place, and where in the trash what stood
    there went."""

    action: Action
    result: Entry | None
    trash: RelPath | None = None


@dataclass(frozen=True, slots=True)
class Was:
    """What stood at a place before a run; `entry` None: nothing.

    `kept` is where its content went, in the trash or under a clash name; None: it never left its place, or there is
    none. `lost`: it was removed outright.
    """

    entry: Entry | None
    kept: Place | None = None
    aside: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What a run made of one place, from its first action there to its last; `became` is what it left."""

    at: Place
    was: Was
    became: Entry | None


class Sight(Protocol):
    """What stands on the disk now. Raises: PathError."""

    def now(self, place: Place) -> Entry | None:
        """What stands at a place."""

    def as_left(self, place: Place, left: Entry, *, content: bool) -> bool:
        """Whether a place still shows what the run left there: kind, size, time and mode, and the `content`."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The place is as it was before the run."""

    at: Place


@dataclass(frozen=True, slots=True)
class Stays:
    """The place cannot be taken back."""

    at: Place
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class TakeAway:
    """The run put this there where nothing was: it goes to the trash."""

    at: Place
    present: Entry


@dataclass(frozen=True, slots=True)
class BringBack:
    """The earlier version comes back from where it is kept; a directory without `kept` is made anew.

    `entry` is what is to stand there, `copy` what is kept. `aside`: it is kept under a clash name, which goes.
    """

    at: Place
    present: Entry | None
    entry: Entry
    kept: Place | None = None
    copy: Entry | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """Mode and time are set back."""

    at: Place
    present: Entry
    entry: Entry


Inverse = Nothing | Stays | TakeAway | BringBack | Reset


def changes(steps: Iterable[Done]) -> list[Change]:
    """What a run made of each place, in the order in which it came to them."""
    found: dict[Place, Change] = {}
    for step in steps:
        if isinstance(step.action, Rename):
            continue  # see `renamed`
        at, was = step.action.at, _was(step)
        earlier = found.get(at)
        found[at] = Change(at, was if earlier is None else _first(earlier.was, was), step.result)
    return list(found.values())


def renamed(steps: Iterable[Done]) -> list[Stays]:
    """What is told of the names a run renamed, and of what it did below them: that is not taken back."""
    told = []
    for step in steps:
        if isinstance(step.action, Rename):
            at, to = step.action.at, step.action.to
            names_of = f"{names.printable(at.path)} was renamed to {names.printable(to)} by that run"
            detail = f"{names_of}, and an undo does not take renames back; rename it yourself, if it should be"
            told += [Stays(Place(at.side, path), Reason.TARGET_CHANGED, detail) for path in (at.path, to)]
    return told


def inverse(change: Change, sight: Sight) -> Inverse:
    """What takes one change back, seen from what stands there now. Raises: PathError."""
    at, was, became = change.at, change.was, change.became
    now = sight.now(at)
    if now is None:
        if was.entry is None:
            return Nothing(at)
        if became is not None:
            return Stays(at, Reason.TARGET_CHANGED, "was deleted since that run")
    elif became is None or not sight.as_left(at, became, content=not _only_properties(was, became)):
        if was.entry is not None and _alike(was.entry, now):
            return Nothing(at)
        told = "something else stands there now" if became is None else "was changed since that run"
        return Stays(at, Reason.TARGET_CHANGED, f"{told}; it stays as it is")
    if was.entry is None:
        assert now is not None
        return TakeAway(at, now)
    if was.lost:
        told = "was deleted for good by that run, not moved to the trash (too large for it, or by wish)"
        return Stays(at, Reason.UNREADABLE, told)
    if was.kept is not None:
        return _from_kept(at, was, was.entry, was.kept, now, sight)
    if now is None or became is None or not _only_properties(was, became):
        return BringBack(at, now, was.entry)
    entry = replace(now, mode=was.entry.mode, mtime_ns=was.entry.mtime_ns)
    return Nothing(at) if entry == now else Reset(at, now, entry)


def _only_properties(was: Was, became: Entry) -> bool:
    """Whether a run changed nothing but mode and time, so that no content is at stake."""
    return was.entry is not None and was.kept is None and not was.lost and was.entry.kind is became.kind


def _from_kept(at: Place, was: Was, entry: Entry, kept: Place, now: Entry | None, sight: Sight) -> Inverse:
    copy = sight.now(kept)
    if copy is None or copy.kind is not entry.kind:
        where = "as a clash file" if was.aside else "in the trash of that run"
        return Stays(at, Reason.UNREADABLE, f"its earlier version is not there any more {where}")
    if was.aside and not _same_version(entry, copy):
        told = f"its earlier version, the clash file {names.printable(kept.path)}, was changed since"
        return Stays(at, Reason.TARGET_CHANGED, told)
    wanted = replace(copy, mode=entry.mode, mtime_ns=entry.mtime_ns, content=entry.content)
    return BringBack(at, now, wanted, kept, copy, was.aside)


def _was(step: Done) -> Was:
    """What stood at an action's place before it."""
    action = step.action
    match action:
        case MakeDirectory(at, expect) | PutFile(at, expect) | PutLink(at, expect):
            if expect is None:
                return Was(None)
            aside = action.aside if step.trash is None else None
            kept = aside if aside is not None else step.trash
            return Was(expect, None if kept is None else Place(at.side, kept), aside is not None, lost=kept is None)
        case SetProperties(expect=expect):
            return Was(expect)
        case Trash(at, expect):
            return Was(expect, None if step.trash is None else Place(at.side, step.trash), lost=step.trash is None)
        case Remove(expect=expect):
            return Was(expect, lost=expect is None or expect.kind is not Kind.DIRECTORY)
        case Rename() | RunCommand():
            raise AssertionError(f"{type(action).__name__} is not planned yet")


def _first(first: Was, later: Was) -> Was:
    """What stood at a place before several actions: where it was only given other properties by the first, a later one
    took its content away."""
    if first.entry is None or first.kept is not None or first.lost or later.entry is None:
        return first
    return replace(first, kept=later.kept, aside=later.aside, lost=later.lost)


def _alike(was: Entry, now: Entry) -> bool:
    """Whether a place looks as it did before the run; that it is not as the run left it is known."""
    if was.kind is not now.kind or was.mode != now.mode:
        return False
    return was.kind is Kind.DIRECTORY or (
        was.size == now.size and (was.kind is Kind.LINK or was.mtime_ns == now.mtime_ns)
    )


def _same_version(seen: Entry, found: Entry) -> bool:
    """Whether what has a clash name is the version that was given it; a copy of it counts, made by an undo between."""
    return seen.kind is Kind.DIRECTORY or (seen.size, seen.mtime_ns) == (found.size, found.mtime_ns)
