"""A merge while it is drawn up: the name under decision, where decisions are written, and what is known of contents.

What happened on a side is told by comparing that side with its own remembered entry, never with the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TypeVar

from syncline.core import names, policy
from syncline.core.model import (
    ATTENTION,
    Agreed,
    Because,
    Entry,
    Gone,
    Hold,
    Kind,
    Look,
    MergeWith,
    Place,
    Policy,
    Problem,
    PutFile,
    Reason,
    RelPath,
    Rule,
    Side,
    Unagreed,
    Want,
    Why,
)
from syncline.core.policy import Rules
from syncline.core.trees import Contents, Fate, Merged, Triple, Wanted, hold

T = TypeVar("T")


@dataclass(slots=True)
class Name:
    """One name of a directory: each side's path of it, and what stands there. Written once, then only read.

    On a side where nothing stands, the path is the one it would have. `base` is what is remembered of the name, be it
    agreed now or before it was held.
    """

    at: Triple
    key: str
    left_path: RelPath
    right_path: RelPath
    base: Agreed | None
    left: Entry | None
    right: Entry | None
    _places: dict[Side, Place] = field(default_factory=dict)

    def entry(self, side: Side) -> Entry | None:
        return self.left if side is Side.LEFT else self.right

    def there(self, side: Side) -> Entry:
        """The entry of a side that is known to have one."""
        entry = self.left if side is Side.LEFT else self.right
        assert entry is not None
        return entry

    def path(self, side: Side) -> RelPath:
        return self.left_path if side is Side.LEFT else self.right_path

    def place(self, side: Side) -> Place:
        """The place of the name on one side; asked for often, made once."""
        place = self._places.get(side)
        if place is None:
            place = self._places[side] = Place(side, self.left_path if side is Side.LEFT else self.right_path)
        return place

    def because(self, side: Side, why: Why) -> Because:
        """What justifies an act on the other side: what was seen at `side`."""
        return Because(why, self.place(side), self.entry(side))

    def earlier(self) -> Hold | None:
        """Why the name was not agreed when the base was written, if it was not."""
        before = self.at.base.unagreed.get(self.key)
        return None if before is None else before.hold

    def before(self, *kinds: Kind) -> Agreed | None:
        """What is remembered of the name, if it was of one of these kinds."""
        return self.base if self.base is not None and self.base.left.kind in kinds else None


@dataclass(slots=True)
class Draft:
    """A merge while it is drawn up: what it may ask, and where it writes its decisions."""

    rules: Rules
    contents: Contents
    wanted: Wanted
    fold: Callable[[str], str]

    def policy(self, name: Name, rule: Rule) -> Policy:
        """How a disagreement is settled; what no program can merge is kept twice."""
        chosen = self.rules.policy(name.left_path, rule)
        if not isinstance(chosen, MergeWith):
            return chosen
        return Policy.KEEP_BOTH if self.merger(name, rule) is None else Policy.MERGE

    def merger(self, name: Name, rule: Rule) -> MergeWith | None:
        """The program that merges two versions of a name: both of them files, and not tried in vain already."""
        chosen = self.rules.policy(name.left_path, rule)
        files = all(entry is not None and entry.kind is Kind.FILE for entry in (name.left, name.right))
        return chosen if isinstance(chosen, MergeWith) and files and name.left_path not in self.rules.unmerged else None

    def want(self, name: Name, side: Side, want: Want) -> None:
        """Say what should stand at a name on one side."""
        self.wanted.wants[side][name.path(side)] = want
        self.see(name)

    def gone(self, name: Name, side: Side, gone: Gone) -> Fate:
        """Say that nothing should stand at a name on one side."""
        self.wanted.wants[side][name.path(side)] = gone
        self.see(name)
        return Fate.GONE

    def see(self, name: Name) -> None:
        """Keep what was seen at a name: the plan says what it expects to find."""
        if name.left is not None:
            self.wanted.seen[name.place(Side.LEFT)] = name.left
        if name.right is not None:
            self.wanted.seen[name.place(Side.RIGHT)] = name.right

    def put(
        self,
        name: Name,
        source: Side,
        entry: Entry,
        reason: Because,
        aside: RelPath | None = None,
        group: RelPath | None = None,
        *,
        superseded: bool = False,
    ) -> None:
        """Want on the other side what stands at `source`, with the properties of `entry`."""
        present, there = name.entry(source.other), name.there(source)
        plain = aside is None and group is None and there.kind is Kind.FILE and reason.entry is there
        if plain and (present is None or present.kind is not Kind.DIRECTORY):
            at, outright = name.place(source.other), superseded and present is not None
            self.wanted.puts.add(PutFile(at, present, reason, entry, reason.place, there, outright=outright))
            return
        self.want(name, source.other, Want(entry, reason, name.place(source), aside, group, superseded))

    def problem(self, name: Name, side: Side, reason: Reason, detail: str) -> None:
        self.wanted.problems.append(Problem(name.place(side), reason, detail))

    def agree(self, merged: Merged, name: Name, content: bytes | None, *, unverified: bool = False) -> Fate:
        """Both sides show the name once the actions have succeeded; `content` is what is known of it already."""
        merged.contents[name.key] = content
        if unverified:
            merged.unverified.add(name.key)
        return Fate.LIVES

    def hold(self, merged: Merged, name: Name, why: Hold) -> Fate:
        """Leave a name alone on both sides; what had been agreed of it stays remembered."""
        merged.holds[name.key] = hold(spelling(name), why, merged.at.base, name.key)
        return Fate.FROZEN if why in ATTENTION else Fate.STAYS

    def disown(self, merged: Merged, name: Name, why: Hold) -> Fate:
        """Leave a name alone on both sides and remember nothing of it: it is neither new nor deleted."""
        merged.holds[name.key] = Unagreed(spelling(name), why)
        return Fate.STAYS


class Unknown(Exception):
    """A content must be read, or could not be, before this name can be decided."""

    def __init__(self, problem: Problem | None = None) -> None:
        super().__init__()
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one side of an agreed name since both sides agreed. `known` is its content, where known."""

    content: bool
    mtime: bool
    properties: bool
    known: bytes | None

    @property
    def any(self) -> bool:
        return self.content or self.mtime or self.properties


def on_both(ask: Callable[[Side], T]) -> tuple[T, T]:
    """What `ask` finds on the left and on the right. Both are asked before a missing answer is raised, so that
    everything that must be read is known at once.

    Raises:
        Unknown: an answer is missing.
    """
    try:
        left = ask(Side.LEFT)
    except Unknown as unknown:
        if unknown.problem is None:
            ask(Side.RIGHT)
        raise
    return left, ask(Side.RIGHT)


def spelling(name: Name) -> str:
    """How a name is written on the first side that has it."""
    return names.basename(name.left_path if name.left is not None else name.right_path)


def bring(draft: Draft, merged: Merged, name: Name, source: Side, reason: Because, *, superseded: bool = False) -> Fate:
    """Copy what stands at `source` to the other side, with its own properties, unless its name is impossible there."""
    entry, present = name.there(source), name.entry(source.other)
    if present is None and impossible_there(draft, name, source):
        return draft.hold(merged, name, Hold.WAITING)
    draft.put(name, source, carried(draft.rules, source, entry, present), reason, superseded=superseded)
    return draft.agree(merged, name, entry.content)


def impossible_there(draft: Draft, name: Name, source: Side) -> bool:
    """Whether the other side cannot have this name; the reason, with the character, becomes a problem."""
    obstacle = names.impossible(names.basename(name.path(source)), draft.rules.ability(source.other).names)
    if obstacle is not None:
        draft.problem(name, source, Reason.IMPOSSIBLE_NAME, obstacle)
    return obstacle is not None


def too_large_there(draft: Draft, name: Name, source: Side) -> bool:
    """Whether the other side can have no file of this size; the reason becomes a problem."""
    entry, largest = name.entry(source), draft.rules.ability(source.other).largest
    too_large = entry is not None and entry.kind is Kind.FILE and entry.size > largest
    if too_large:
        told = f"the file is too large for the file system of the other side: no more than {largest:,} bytes"
        draft.problem(name, source, Reason.NO_SPACE, told)
    return too_large


def carried(rules: Rules, source: Side, entry: Entry, present: Entry | None) -> Entry:
    """The entry as it should stand on the other side: a property that one of the sides cannot keep, or that is not to
    be kept in step, is not carried. What is new there begins with the mode it is copied from, if any."""
    if entry.kind is Kind.LINK:
        return entry
    replaced = present if present is not None and present.kind is entry.kind else None
    left_out = [each for each in policy.MERGED if not rules.carries(each)]
    values = {each: getattr(replaced, each) if replaced else None for each in left_out}
    if replaced is None and "mode" in values:
        ordinary = 0o755 if entry.kind is Kind.DIRECTORY else 0o644
        values["mode"] = entry.mode if rules.ability(source).mode else ordinary
    return policy.with_properties(entry, values)


def as_it_was(draft: Draft, name: Name, base: Agreed) -> bool:
    """Whether nothing of an agreed name changed on either side, all of it being believed: so it is with most names of a
    directory in which something did."""
    if base.racy_left or base.racy_right or draft.rules.suspects or draft.rules.reread:
        return False
    left, right = name.there(Side.LEFT), name.there(Side.RIGHT)
    return _stat(left) == _stat(base.left) and _stat(right) == _stat(base.right)


_stat: Callable[[Entry], tuple[object, ...]] = attrgetter(
    *(each.name for each in fields(Entry) if each.name != "content")
)
"""All of an entry but what is in it."""


def stamp_changed(name: Name, side: Side, base: Agreed) -> bool:
    """Whether a side's stat, its mode apart, differs from the remembered one or cannot be believed."""
    entry, before = name.there(side), base.entry(side)
    return (
        entry.mtime_ns != before.mtime_ns
        or entry.ctime_ns != before.ctime_ns
        or entry.size != before.size
        or entry.inode != before.inode
        or entry.kind is not before.kind
        or base.racy(side)
    )


def properties_changed(draft: Draft, name: Name, side: Side, base: Agreed) -> bool:
    """Whether a property of a side, its time apart, differs from the remembered one, where it means something. One that
    was not kept in step before is compared with that of the other side."""
    entry, before, there = name.there(side), base.entry(side), name.entry(side.other)
    if entry.kind is Kind.LINK:
        return False
    for each in policy.MERGED:
        if draft.rules.reads(each, side):
            known = before if getattr(before, each) is not None else there
            if known is not None and not policy.same_property(each, entry, known):
                return True
    return False


def change(draft: Draft, name: Name, side: Side, base: Agreed) -> Change:
    """What happened to one side of a verified pair. Stamps that differ without a difference in size are settled by
    reading: the status may have changed for a chmod, a restore or a hard link, the time for a touch.

    Raises:
        Unknown: the content must be read first, or could not be.
    """
    entry, before = name.there(side), base.entry(side)
    properties = properties_changed(draft, name, side, base)
    if not stamp_changed(name, side, base) and not (entry.kind is Kind.FILE and suspect(draft, name, side)):
        return Change(False, False, properties, before.content)
    if entry.kind is not before.kind:
        return Change(True, False, False, None)
    mtime = entry.kind is Kind.FILE and entry.mtime_ns != before.mtime_ns
    if entry.kind is Kind.FILE and entry.size != before.size:
        return Change(True, mtime, properties, None)
    known = content(draft, name, side)
    return Change(known != before.content, mtime, properties, known)


def touched(draft: Draft, name: Name, side: Side, base: Agreed) -> bool:
    """Whether anything of a side's file or link is not as remembered. Of a pair that was never read, the stat tells.

    Raises:
        Unknown: the content must be read first, or could not be.
    """
    if base.unverified:
        return properties_changed(draft, name, side, base) or stamp_changed(name, side, base)
    return change(draft, name, side, base).any


def suspect(draft: Draft, name: Name, side: Side) -> bool:
    """Whether a file must be read before it is believed."""
    suspects = draft.rules.suspects
    return draft.rules.reread or bool(suspects and (side, name.path(side)) in suspects)


def taken_for_equal(draft: Draft, name: Name) -> bool:
    """Whether a pair new on both sides may be taken for equal by size and time, unread."""
    left, right, rules = name.there(Side.LEFT), name.there(Side.RIGHT), draft.rules
    return (
        rules.quick
        and left.kind is Kind.FILE
        and right.kind is Kind.FILE
        and left.size == right.size
        and policy.same_time(left.mtime_ns, right.mtime_ns, rules)
        and not (suspect(draft, name, Side.LEFT) or suspect(draft, name, Side.RIGHT))
    )


def equal(draft: Draft, name: Name) -> bool:
    """Whether both sides have the same content. Asks for both at once where they must be read.

    Raises:
        Unknown: a content must be read first, or could not be.
    """
    left, right = name.there(Side.LEFT), name.there(Side.RIGHT)
    if left.kind is not right.kind or (left.kind is Kind.FILE and left.size != right.size):
        return False
    on_left, on_right = on_both(lambda side: content(draft, name, side))
    return on_left == on_right


def content(draft: Draft, name: Name, side: Side) -> bytes:
    """The content of one side: as remembered while its stamp holds, else as read.

    Raises:
        Unknown: it must be read first, or it could not be.
    """
    entry, base = name.there(side), name.base
    if entry.content is not None:
        return entry.content
    if (
        base is not None
        and name.place(side) not in draft.contents
        and not suspect(draft, name, side)
        and not stamp_changed(name, side, base)
    ):
        remembered = base.entry(side).content
        if remembered is not None:
            return remembered
    return read(draft, name, side)


def read(draft: Draft, name: Name, side: Side) -> bytes:
    """The content of one side as it was read, whatever is remembered of it.

    Raises:
        Unknown: it must be read first, or it could not be.
    """
    place = name.place(side)
    found = draft.contents.get(place)
    if isinstance(found, Problem):
        raise Unknown(found)
    if found is None:
        draft.wanted.needs[place] = name.there(side)
        raise Unknown
    return found


def names_in(at: Triple, fold: Callable[[str], str]) -> Iterator[tuple[Name, list[Place]]]:
    """Every name of a directory, and for names that fold together on one side, where all of them are."""
    on_left, on_right = dict(listed(at.left).items()), dict(listed(at.right).items())
    left_names, left_twins = _spelled(on_left, fold)
    right_names, right_twins = _spelled(on_right, fold)
    agreed, unagreed = at.base.agreed, at.base.unagreed
    above_left, above_right = (f"{path}/" if path else "" for path in (at.left_path, at.right_path))
    for key in sorted(left_names.keys() | right_names.keys() | agreed.keys() | unagreed.keys()):
        base = agreed.get(key)
        if base is None and (earlier := unagreed.get(key)) is not None:
            base = earlier.before
        left, right = left_names.get(key), right_names.get(key)
        name = Name(
            at,
            key,
            RelPath(above_left + (left or (base.left_name if base is not None else right or key))),
            RelPath(above_right + (right or (base.right_name if base is not None else left or key))),
            base,
            None if left is None else on_left[left],
            None if right is None else on_right[right],
        )
        collided = [
            Place(side, names.join(at.path(side), spelled))
            for side, twins in ((Side.LEFT, left_twins), (Side.RIGHT, right_twins))
            if twins
            for spelled in twins.get(key, ())
        ]
        yield name, collided


def _spelled(listing: Mapping[str, Entry], fold: Callable[[str], str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """One side's spelling of each folded name; and those of which there is more than one, with all spellings."""
    spelled = {fold(name): name for name in listing}
    twins: dict[str, list[str]] = {}
    if len(spelled) < len(listing):
        for name in sorted(listing):
            twins.setdefault(fold(name), []).append(name)
    return spelled, {key: found for key, found in twins.items() if len(found) > 1}


def listed(look: Look) -> Mapping[str, Entry]:
    """What is seen of a directory; nothing where it is not there or cannot be seen into."""
    return look if isinstance(look, Mapping) else {}
