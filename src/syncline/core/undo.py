"""What takes a run back: for each place it changed what stood there before, and whether that can be brought back.

The journal tells what a run did, `Sight` what stands there now. Nobody's own change is undone: only what still is as
the run left it is touched. What cannot be taken back stays, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from syncline.core import names, policy
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
from syncline.core.trail import Trail


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
    none. `lost`: it was removed outright. `values`: its extended attributes, packed, where the journal has them.
    """

    entry: Entry | None
    kept: Place | None = None
    aside: bool = False
    lost: bool = False
    values: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a run made of one place, from its first action there to its last; `became` is what it left.

    The place is that before the first rename of the run. Of what came to a name that a rename had freed it is that at
    the end of the run, and `freed` is the number of the rename. `group` ties it to the others it was done with.
    """

    at: Place
    was: Was
    became: Entry | None
    freed: int | None = None
    group: RelPath | None = None

    @property
    def displaced_folder(self) -> bool:
        """Whether one folder took the place of another, which went with all in it."""
        folders = [each is not None and each.kind is Kind.DIRECTORY for each in (self.was.entry, self.became)]
        return all(folders) and self.was.kept is not None


class Sight(Protocol):
    """What stands on the disk now. Raises: PathError."""

    def now(self, place: Place) -> Entry | None:
        """What stands at a place."""

    def as_left(self, place: Place, left: Entry, *, content: bool) -> bool:
        """Whether a place still shows what the run left there: kind, size, time and mode, and the `content`."""

    def same_below(self, place: Place, kept: Place) -> bool:
        """Whether in a directory stands what is in one that is kept: names, kinds, sizes and times."""


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
    `values`: the extended attributes of a directory made anew.
    """

    at: Place
    present: Entry | None
    entry: Entry
    kept: Place | None = None
    copy: Entry | None = None
    aside: bool = False
    values: bytes | None = None

    @property
    def is_folder(self) -> bool:
        return self.entry.kind is Kind.DIRECTORY

    @property
    def keeps_folder(self) -> bool:
        """Whether a folder is there already, and stays."""
        return self._on_a_folder and self.is_folder

    @property
    def replaces_folder(self) -> bool:
        """Whether something else comes in place of a folder."""
        return self._on_a_folder and not self.is_folder

    @property
    def _on_a_folder(self) -> bool:
        return self.present is not None and self.present.kind is Kind.DIRECTORY


@dataclass(frozen=True, slots=True)
class Reset:
    """The properties are set back; `values`: the extended attributes, where these are among them."""

    at: Place
    present: Entry
    entry: Entry
    values: bytes | None = None


Inverse = Nothing | Stays | TakeAway | BringBack | Reset


@dataclass(frozen=True, slots=True)
class GoesBack:
    """A renamed thing gets its earlier name again. `over`: what stands there now and changes places with it."""

    present: Entry
    over: Entry | None = None


def trail(steps: Iterable[Done]) -> Trail:
    """The renames of a run."""
    return Trail([step.action for step in steps if isinstance(step.action, Rename)])


def changes(steps: Iterable[Done], way: Trail, passed: Collection[int] = ()) -> list[Change]:
    """What a run made of each place, in the order in which it came to them. `passed`: renames that are not what stands
    between a name at the end of the run and now."""
    found: dict[tuple[Place, int | None], Change] = {}
    moment = 0
    for step in steps:
        action = step.action
        if isinstance(action, Rename):
            moment += 1
            if action.over is None or action.swap:
                continue
            at = Place(action.at.side, action.to)
            before, became = moment - 1, None
            was = Was(action.over, None if step.trash is None else Place(at.side, step.trash), lost=step.trash is None)
        elif isinstance(action, SetProperties) and action.expect is None and not _known(action.at, way, moment, found):
            continue  # what stood there before is not told
        else:
            at, before, was = action.at, moment, _was(step)
            became = None if isinstance(action, Trash | Remove) else step.result
        place, freed = way.start_of(at, before)
        if freed is not None:
            place = way.now_of(place, freed + 1, passed) or place
        elif was.aside and was.kept is not None:
            was = replace(was, kept=way.start_of(was.kept, before)[0])
        earlier = found.get((place, freed))
        first = was if earlier is None else _first(earlier.was, was)
        group = action.group if earlier is None else earlier.group or action.group
        found[place, freed] = Change(place, first, became, freed, group)
    return list(found.values())


def _known(at: Place, way: Trail, moment: int, found: Container[tuple[Place, int | None]]) -> bool:
    place, freed = way.start_of(at, moment)
    return freed is not None or (place, freed) in found


def left_by(steps: Iterable[Done], way: Trail) -> dict[Place, Entry]:
    """What the run left of each thing it renamed, by where that had stood before the first rename."""
    left: dict[Place, Entry] = {}
    moment = 0
    for step in steps:
        action = step.action
        if isinstance(action, Rename):
            arrived = step.result or action.expect
            if action.swap and action.over is not None:
                left[way.start_of(Place(action.at.side, action.to), moment)[0]] = action.over
            if arrived is not None:
                left[way.start_of(action.at, moment)[0]] = arrived
            moment += 1
        elif step.result is not None:
            place, freed = way.start_of(action.at, moment)
            if freed is None:
                left[place] = step.result
    return left


def way_back(
    rename: Rename, left: tuple[Entry | None, Entry | None], at: Entry | None, to: Entry | None, *, free: bool
) -> GoesBack | Nothing | Stays:
    """What takes a rename back. `left`: what the run left of the renamed thing and, of a swap, of the other one; `at`
    and `to`: what stands at the earlier and the new name now; `free`: what is at the earlier name goes."""
    renamed, other = left
    arrived, returned = _same_thing(renamed, to), _same_thing(renamed, at) or _was_thing(rename.expect, at)
    if rename.swap:
        if arrived and _same_thing(other, at):
            assert to is not None
            return GoesBack(to, at)
        if returned and (_same_thing(other, to) or _was_thing(rename.over, to)):
            return Nothing(rename.at)
    elif arrived and to is not None:
        if at is None or free:
            return GoesBack(to)
        return _no_way(rename, "its earlier name is taken by something that stays")
    elif returned:
        return Nothing(rename.at)
    if to is None:
        return _no_way(rename, "it is not there any more")
    return _no_way(rename, "it was changed since")


def stays_renamed(rename: Rename, why: Stays | None) -> list[Stays]:
    """What is told of both names of a rename that is not taken back."""
    side, at, to = rename.at.side, rename.at.path, rename.to
    detail = "another name that goes with it cannot be taken back" if why is None else why.detail
    told = f"{names.printable(at)} was renamed to {names.printable(to)} by that run; {detail}"
    reason = Reason.TARGET_CHANGED if why is None else why.reason
    return [Stays(Place(side, path), reason, told) for path in (at, to)]


def _no_way(rename: Rename, detail: str) -> Stays:
    return Stays(rename.at, Reason.TARGET_CHANGED, detail)


def _same_thing(left: Entry | None, now: Entry | None) -> bool:
    """Whether the thing that a run left stands somewhere. Its mode may be another: its name is what counts."""
    if left is None or now is None or left.kind is not now.kind:
        return False
    if left.inode and now.inode and left.inode != now.inode:
        return False
    return left.kind is Kind.DIRECTORY or (left.size, left.mtime_ns) == (now.size, now.mtime_ns)


def _was_thing(was: Entry | None, now: Entry | None) -> bool:
    """Whether something stands as before the run, perhaps as a copy that was brought back."""
    return was is not None and now is not None and (_same_thing(was, now) or _alike(was, now))


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
        if was.entry is not None and _alike(was.entry, now) and _same_inside(at, was, sight):
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
        entry = replace(was.entry, xattr=None) if was.entry.xattr and was.values is None else was.entry
        return BringBack(at, now, entry, values=was.values)
    entry = _as_it_was(now, was.entry)
    if entry.xattr and entry.xattr != now.xattr and was.values is None:
        return Stays(at, Reason.UNREADABLE, "the extended attributes it had before that run are not kept")
    return Nothing(at) if entry == now else Reset(at, now, entry, was.values)


def kept_in_sight(found: Iterable[tuple[Change, Inverse | None]]) -> list[tuple[Change, Stays]]:
    """What is not taken away, because the run put there, under another name, a version that cannot come back to its
    own: it would be nowhere to be seen. A step that is None is not done for another reason."""
    decided = list(found)
    wanting: dict[RelPath | None, RelPath] = {}
    for change, step in decided:
        if change.group is not None and change.was.entry is not None and isinstance(step, Stays | None):
            wanting.setdefault(change.group, change.at.path)
    kept = list[tuple[Change, Stays]]()
    for change, step in decided:
        name = wanting.get(change.group, change.at.path)
        if isinstance(step, TakeAway) and change.at.path != name:
            told = f"stays, for it has what that run replaced at {names.printable(name)}, which cannot be taken back"
            kept.append((change, Stays(change.at, Reason.TARGET_CHANGED, told)))
    return kept


def _only_properties(was: Was, became: Entry) -> bool:
    """Whether a run changed nothing but properties, so that no content is at stake."""
    return was.entry is not None and was.kept is None and not was.lost and was.entry.kind is became.kind


def _from_kept(at: Place, was: Was, entry: Entry, kept: Place, now: Entry | None, sight: Sight) -> Inverse:
    copy = sight.now(kept)
    if copy is None or copy.kind is not entry.kind:
        where = "as a clash file" if was.aside else "in the trash of that run"
        return Stays(at, Reason.UNREADABLE, f"its earlier version is not there any more {where}")
    if was.aside and not _same_version(entry, copy):
        told = f"its earlier version, the clash file {names.printable(kept.path)}, was changed since"
        return Stays(at, Reason.TARGET_CHANGED, told)
    wanted = replace(_as_it_was(copy, entry), content=entry.content, xattr=copy.xattr)
    return BringBack(at, now, wanted, kept, copy, was.aside)


def _as_it_was(now: Entry, before: Entry) -> Entry:
    """What stands somewhere, with the properties it had, as far as they are known of both."""
    known = policy.properties_of(now)
    had = {each: value for each, value in policy.properties_of(before).items() if each in known}
    return policy.with_properties(replace(now, mtime_ns=before.mtime_ns), had)


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
        case SetProperties(expect=expect, was=values):
            return Was(expect, values=values)
        case Trash(at, expect):
            return Was(expect, None if step.trash is None else Place(at.side, step.trash), lost=step.trash is None)
        case Remove(expect=expect, was=values):
            return Was(expect, lost=expect is None or expect.kind is not Kind.DIRECTORY, values=values)
        case Rename() | RunCommand():
            raise AssertionError(f"{type(action).__name__} is not planned yet")


def _first(first: Was, later: Was) -> Was:
    """What stood at a place before several actions: where it was only given other properties by the first, a later one
    took its content away."""
    if first.entry is None or first.kept is not None or first.lost or later.entry is None:
        return first
    return replace(first, kept=later.kept, aside=later.aside, lost=later.lost)


def _same_inside(at: Place, was: Was, sight: Sight) -> bool:
    """Whether a directory that went away whole, and stands there again, is the one that went."""
    whole = was.entry is not None and was.entry.kind is Kind.DIRECTORY and was.kept is not None
    return not whole or was.kept is None or sight.same_below(at, was.kept)


def _alike(was: Entry, now: Entry) -> bool:
    """Whether a place looks as it did before the run; that it is not as the run left it is known."""
    if was.kind is not now.kind or not policy.same_properties(was, now):
        return False
    return was.kind is Kind.DIRECTORY or (
        was.size == now.size and (was.kind is Kind.LINK or was.mtime_ns == now.mtime_ns)
    )


def _same_version(seen: Entry, found: Entry) -> bool:
    """Whether what has a clash name is the version that was given it; a copy of it counts, made by an undo between."""
    return seen.kind is Kind.DIRECTORY or (seen.size, seen.mtime_ns) == (found.size, found.mtime_ns)
