"""The three-way merge: what should stand on both sides, one directory at a time.

Wants are partial: a path that is ignored, unreadable, held or in conflict is simply not mentioned, so it cannot be
deleted by omission. A deletion is said aloud (`Gone`). Directories are settled in `syncline.core.merge` itself, every
other name in `cells` (two ways) or `oneway` (mirror). Pure: contents that must be read are asked for
(`Wanted.needs`), and the merge is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from syncline.core import cells, clashes, names, oneway, policy, rot, undone
from syncline.core.draft import (
    Draft,
    Name,
    Unknown,
    as_it_was,
    carried,
    impossible_there,
    listed,
    names_in,
    spelling,
    touched,
)
from syncline.core.model import (
    PRIVATE,
    SIDES,
    BaseDirectory,
    Because,
    Entry,
    Frozen,
    Gone,
    Hold,
    Kind,
    Place,
    Policy,
    Problem,
    Reason,
    RelPath,
    Rule,
    Side,
    Unagreed,
    Want,
    Why,
)
from syncline.core.pairing import Thing
from syncline.core.policy import Extras, Rules
from syncline.core.puts import Puts, Spool
from syncline.core.renames import Followed, follow
from syncline.core.trees import Contents, Fate, Looked, Merged, Trees, Triple, Wanted

_UNTOUCHABLE = {
    Kind.SPECIAL: (Reason.SPECIAL_FILE, "not a file, directory or link; it is left alone"),
    Kind.UNKNOWN: (Reason.UNREADABLE, "what stands at this name could not be read"),
    Kind.MOUNT: (Reason.OTHER_FILE_SYSTEM, "another file system is mounted here; all below is left alone"),
}


Read = Callable[[Mapping[Place, Entry]], Contents]
"""Reads the contents of places: of each what is in it, or why it could not be read."""


def merge_all(
    looked: Looked,
    rules: Rules,
    read: Read,
    contents: dict[Place, bytes | Problem] | None = None,
    spool: Callable[[], Spool] | None = None,
) -> tuple[Wanted, Followed | None]:
    """What both sides should become, wherever they differ, with the renames of each carried across.

    Contents that turn out to be needed are read, kept in `contents` by where they stand now, and the merge is run
    again. Where nothing was renamed there is nothing that was `Followed`. `spool`: where very many copies are kept.
    """
    contents = {} if contents is None else contents
    held: set[Thing] = set()
    uncarried: set[Thing] = set()
    while True:
        followed = follow(looked, rules, contents, held, uncarried)
        if followed is not None and followed.needs:
            contents.update(read(followed.needs))
            continue
        if followed is None:
            return _all_tops(looked, rules, contents, read, lambda place: place, spool), None
        after = replace(rules, rotten=frozenset((each.side, each.path) for each in followed.rotten.values()))
        wanted = _all_tops(followed, after, contents, read, followed.actual, spool)
        waiting, never = followed.stranded(wanted)
        if not waiting and not never:
            wanted.renames += followed.renames
            wanted.conflicts += followed.conflicts
            wanted.problems += followed.problems
            seen = wanted.rotten.keys() | wanted.healed
            gone = {was for was, then in followed.rotten.items() if was != then and then in seen}
            wanted.healed |= gone - wanted.rotten.keys()
            return wanted, followed
        if rules.extras is None:
            held |= waiting
        else:
            uncarried |= waiting  # what a mirror's target has elsewhere is not waited for
        uncarried |= never


def _all_tops(
    looked: Looked,
    rules: Rules,
    contents: dict[Place, bytes | Problem],
    read: Read,
    actual: Callable[[Place], Place],
    spool: Callable[[], Spool] | None,
) -> Wanted:
    """Merge every directory that differs; `contents` are by where they stand now."""
    whole = Wanted(puts=Puts(spool))
    known: dict[Place, bytes | Problem] = {}
    for top in looked.tops():
        while True:
            wanted = merge(top, looked, rules, known, spool)
            missing = {place: entry for place, entry in wanted.needs.items() if place not in known}
            if not missing:
                break
            unread = {now: entry for place, entry in missing.items() if (now := actual(place)) not in contents}
            contents.update(read(unread))
            known.update({place: contents[actual(place)] for place in missing})
        looked.rest()
        whole.include(wanted)
    return whole


def merge(
    top: Triple, trees: Trees, rules: Rules, contents: Contents, spool: Callable[[], Spool] | None = None
) -> Wanted:
    """What both sides should become at `top` and below, as far as they differ from the base.

    `top` stands on both sides: what differs below a directory that only one side has is settled from above it. When
    `needs` of the result is not empty, those contents must be read and the merge run again.
    """
    wanted = Wanted(puts=Puts(spool))
    if not trees.frozen_above(top) and not undone.covered(rules, top.left_path):
        _directory(Draft(rules, contents, wanted, rules.fold()), trees, top)
    return wanted


def _directory(draft: Draft, trees: Trees, at: Triple) -> Fate:
    """Merge one directory and those below it; what becomes of it where the other side does not have it."""
    frozen = [(side, look) for side in SIDES if isinstance(look := at.look(side), Frozen)]
    if frozen:
        for side, look in frozen:
            draft.wanted.problems.append(Problem(Place(side, at.path(side)), look.reason, look.detail))
        return Fate.FROZEN
    merged = Merged(at)
    draft.wanted.directories.append(merged)
    fate = Fate.GONE
    if at.steady is not None:
        fate = Fate.LIVES
        for side in SIDES:
            merged.files[side] = at.steady.files
        merged.both = at.steady.files
    for name, collided in names_in(at, draft.fold):
        if at.held and name.key in at.held:
            merged.holds[name.key] = Unagreed(spelling(name), Hold.WAITING, at.held[name.key])
            _count_files(merged, name.left, name.right)
            # what was moved here keeps the directory alive, though it could not be carried
            moved_here = at.held[name.key] is None and draft.rules.extras is None
            fate = max(fate, Fate.LIVES if moved_here else Fate.FROZEN)
            continue
        found = _hold_collision(draft, merged, name, collided) if collided else _name(draft, trees, merged, name)
        if found > fate:
            fate = found
    return fate


def _name(draft: Draft, trees: Trees, merged: Merged, name: Name) -> Fate:
    left, right, ignored = name.left, name.right, draft.rules.ignored
    if (left is not None and ignored(name.left_path, left.kind is Kind.DIRECTORY)) or (
        right is not None and ignored(name.right_path, right.kind is Kind.DIRECTORY)
    ):
        return _hold_ignored(draft, merged, name)
    _count_files(merged, left, right)
    left_kind, right_kind = left and left.kind, right and right.kind
    if left_kind in _UNTOUCHABLE or right_kind in _UNTOUCHABLE:
        return _hold_untouchable(draft, merged, name)
    if name.earlier() is Hold.MOUNTED and (left or right):
        return _hold_unmounted(draft, merged, name)
    if name.key == PRIVATE and _is_ours(draft, name):
        return draft.hold(merged, name, Hold.WAITING)
    try:
        apart = undone.apart(draft, trees, name)
        if apart is not None and (apart.whole or not left_kind is right_kind is Kind.DIRECTORY):
            return undone.hold(draft, merged, name, apart)
        if draft.rules.rotten or draft.rules.reread:
            fate = rot.settle(draft, merged, name)
            if fate is not None:
                return fate
        if (left_kind is Kind.LINK or right_kind is Kind.LINK) and _link_impossible(draft, name):
            return draft.hold(merged, name, Hold.WAITING)
        if left_kind is Kind.DIRECTORY and right_kind is Kind.DIRECTORY:
            return _both_directories(draft, trees, merged, name)
        if left_kind is Kind.DIRECTORY or right_kind is Kind.DIRECTORY:
            side = Side.LEFT if left_kind is Kind.DIRECTORY else Side.RIGHT
            return _one_directory(draft, trees, merged, name, side)
        if draft.rules.extras is not None:
            return oneway.decide(draft, merged, name)
        return cells.decide(draft, merged, name)
    except Unknown as unknown:
        if unknown.problem is not None:
            draft.wanted.problems.append(unknown.problem)
        return draft.hold(merged, name, Hold.FAILED)


def _count_files(merged: Merged, left: Entry | None, right: Entry | None) -> None:
    """Add a name to the counts of regular files of its directory."""
    on_left = left is not None and left.kind is Kind.FILE
    on_right = right is not None and right.kind is Kind.FILE
    if on_left:
        merged.files[Side.LEFT] += 1
    if on_right:
        merged.files[Side.RIGHT] += 1
        merged.both += on_left


def _both_directories(draft: Draft, trees: Trees, merged: Merged, name: Name) -> Fate:
    below = trees.child(merged.at, name.key, *_spellings(name))
    if below is not None:
        _directory(draft, trees, below)
        if _frozen(below):
            return draft.hold(merged, name, Hold.FOREIGN)
    apart = undone.apart(draft, trees, name)
    if apart is not None:
        undone.hold(draft, merged, name, apart)
        return Fate.LIVES
    left, right, base = name.there(Side.LEFT), name.there(Side.RIGHT), name.before(Kind.DIRECTORY)
    if base is not None and draft.rules.extras is None and as_it_was(draft, name, base):
        return draft.agree(merged, name, None)
    chosen = draft.policy(name, Rule.PROPS_BOTH)
    if draft.rules.extras is not None:
        wanted = policy.properties_of(carried(draft.rules, Side.LEFT, left, right))
        properties = policy.Properties({each: policy.Property(getattr(left, each), wanted[each]) for each in wanted})
    else:
        properties = policy.merge_properties(base, left, right, chosen, draft.rules)
    if properties.undecided:
        clashes.held(draft, merged, name, Rule.PROPS_BOTH)
        return Fate.LIVES
    if properties.winner is not None and base is not None:
        clashes.note(draft, name, Rule.PROPS_BOTH, chosen, properties.winner)
    for side, entry in ((Side.LEFT, left), (Side.RIGHT, right)):
        levelled = properties.on(side, entry)
        if levelled is not entry:
            draft.want(name, side, Want(levelled, name.because(side.other, Why.PROPERTIES)))
    return draft.agree(merged, name, None)


def _one_directory(draft: Draft, trees: Trees, merged: Merged, name: Name, side: Side) -> Fate:
    """Only `side` has a directory; the other side has nothing, a file or a link."""
    other, base, mirror = name.entry(side.other), name.base, draft.rules.extras is not None
    below = trees.child(merged.at, name.key, *_spellings(name))
    if below is None:  # not looked at, so not to be touched
        return draft.hold(merged, name, name.earlier() or Hold.FAILED)
    if _frozen(below):
        _directory(draft, trees, below)
        return draft.hold(merged, name, Hold.FOREIGN)
    if mirror and side is Side.LEFT:
        reason = oneway.missing(name) if other is None else name.because(side, Why.TYPE_CHANGE)
        return _bring_directory(draft, trees, merged, name, side, below, reason)
    if other is None:
        if mirror or name.before(Kind.DIRECTORY) is not None or name.earlier() is Hold.LEFTOVER:
            return _unpaired(draft, trees, merged, name, side, below)
        reason = name.because(side, Why.CREATED if base is None else Why.EDITED_AFTER_DELETE)
        return _bring_directory(draft, trees, merged, name, side, below, reason)
    if mirror or name.before(Kind.DIRECTORY) is not None:
        return _replace_directory(draft, trees, merged, name, side, below)
    if base is None or base.unverified or other.kind is not base.left.kind:
        return _directory_keeps_name(draft, trees, merged, name, side, below)
    if not touched(draft, name, side.other, base):
        return _bring_directory(draft, trees, merged, name, side, below, name.because(side, Why.TYPE_CHANGE))
    return _file_keeps_name(draft, trees, merged, name, side, below)


def _bring_directory(
    draft: Draft,
    trees: Trees,
    merged: Merged,
    name: Name,
    side: Side,
    below: Triple,
    reason: Because,
    clash: str | None = None,
) -> Fate:
    """Make the directory on the other side, with all that is below it; what stands there gets the name `clash`."""
    if name.entry(side.other) is None and impossible_there(draft, name, side):
        return draft.hold(merged, name, Hold.WAITING)
    _want_directory(draft, name, side, reason, clash)
    draft.agree(merged, name, None)
    _directory(draft, trees, below)
    return Fate.LIVES


def _unpaired(draft: Draft, trees: Trees, merged: Merged, name: Name, side: Side, below: Triple) -> Fate:
    """A directory that should not be: the other side deleted it, or a mirror's source never had it. What is unchanged
    goes; what is new or edited in it lives on, with its parents; what is out of scope stays, and the directory with it.
    """
    fate, leftover = _directory(draft, trees, below), name.earlier() is Hold.LEFTOVER
    if fate is Fate.LIVES:
        if not leftover:
            detail = "deleted on the other side; what was new or edited in it was kept on both sides"
            draft.problem(name, side, Reason.PARTLY_KEPT, detail)
        _want_directory(draft, name, side, name.because(side, Why.CREATED if leftover else Why.EDITED_AFTER_DELETE))
        return draft.agree(merged, name, None)
    if draft.rules.extras is Extras.KEEP:
        return draft.hold(merged, name, Hold.KEPT)
    if fate is Fate.FROZEN and not leftover:
        return draft.hold(merged, name, Hold.WAITING)
    if fate is Fate.GONE and draft.rules.extras is not None:
        return oneway.settle_extra(draft, merged, name, whole=True)
    if fate is Fate.GONE and not leftover:
        return draft.gone(name, side, Gone(name.because(side.other, Why.DELETED), whole=True))
    if not leftover:
        detail = "not on the other side any more; it stays for what is out of scope in it"
        draft.problem(name, side, Reason.PARTLY_KEPT, detail)
    return draft.disown(merged, name, Hold.LEFTOVER)


def _replace_directory(draft: Draft, trees: Trees, merged: Merged, name: Name, side: Side, below: Triple) -> Fate:
    """`side` still has the remembered directory, the other side a file or link in its place."""
    trial = Draft(draft.rules, draft.contents, Wanted(), draft.fold)
    fate = _directory(trial, trees, below)
    if fate is Fate.GONE:
        draft.wanted.include(trial.wanted)
        # What is below goes with the directory; only the directory and what replaces it are one group.
        entry = carried(draft.rules, side.other, name.there(side.other), None)
        draft.put(name, side.other, entry, name.because(side.other, Why.TYPE_CHANGE), group=name.left_path)
        return draft.agree(merged, name, name.there(side.other).content)
    if fate is Fate.FROZEN:
        draft.wanted.needs.update(trial.wanted.needs)
        draft.wanted.problems += trial.wanted.problems
        draft.wanted.conflicts += [conflict for conflict in trial.wanted.conflicts if conflict.kept is None]
        detail = "something else has its name on the other side; both stay until what is held in it is settled"
        draft.problem(name, side, Reason.PARTLY_KEPT, detail)
    elif draft.rules.extras is None:
        return _directory_keeps_name(draft, trees, merged, name, side, below)
    else:
        draft.wanted.include(trial.wanted)
        detail = "the source has a file of this name; the directory stays for what is kept or out of scope in it"
        draft.problem(name, side, Reason.PARTLY_KEPT, detail)
    return draft.hold(merged, name, Hold.WAITING)


def _directory_keeps_name(draft: Draft, trees: Trees, merged: Merged, name: Name, side: Side, below: Triple) -> Fate:
    """A directory at `side`, a file or link on the other: the directory keeps the name, the file becomes a clash."""
    new = name.base is None or name.base.unverified
    chosen = draft.policy(name, Rule.CREATED_BOTH if new else Rule.CHANGED_BOTH)
    if chosen is Policy.HOLD:
        return clashes.held(draft, merged, name, Rule.TYPE_BOTH)
    clash = clashes.free_name(draft, merged, name, side.other)
    clashes.spread(draft, merged, name, side.other, clash)
    clashes.note(draft, name, Rule.TYPE_BOTH, chosen, side, clash)
    return _bring_directory(draft, trees, merged, name, side, below, name.because(side, Why.CONFLICT), clash)


def _file_keeps_name(draft: Draft, trees: Trees, merged: Merged, name: Name, side: Side, below: Triple) -> Fate:
    """The edited file keeps its name; the directory that took it at `side` becomes the clash."""
    chosen = draft.policy(name, Rule.CHANGED_BOTH)
    if chosen is Policy.HOLD:
        return clashes.held(draft, merged, name, Rule.TYPE_BOTH)
    clash, edited = clashes.free_name(draft, merged, name, side), name.there(side.other)
    clashes.spread(draft, merged, name, side, clash)
    copies = _elsewhere(below, side, names.join(name.at.left_path, clash), names.join(name.at.right_path, clash))
    _copy_below(draft, trees, below, side, copies, name.left_path)
    aside = names.join(name.at.path(side), clash)
    entry = carried(draft.rules, side.other, edited, None)
    draft.put(name, side.other, entry, name.because(side.other, Why.CONFLICT), aside, name.left_path)
    clashes.note(draft, name, Rule.TYPE_BOTH, chosen, side.other, clash)
    return draft.agree(merged, name, edited.content)


def _copy_below(draft: Draft, trees: Trees, at: Triple, side: Side, copies: Triple, group: RelPath) -> None:
    """Wants for a copy of all that stands below a directory, under another name, on the other side."""
    merged = Merged(copies)
    draft.wanted.directories.append(merged)
    for spelled, entry in sorted(listed(at.whole(side)).items()):
        place, copy = Place(side, names.join(at.path(side), spelled)), names.join(copies.path(side.other), spelled)
        if (
            entry.kind in _UNTOUCHABLE
            or draft.rules.ignored(place.path, entry.kind is Kind.DIRECTORY)
            or names.impossible(spelled, draft.rules.ability(side.other).names) is not None
            or (entry.kind is Kind.LINK and not draft.rules.ability(side.other).symlinks)
        ):
            # told by the next run, when the clash is a directory like any other
            merged.holds[draft.fold(spelled)] = Unagreed(spelled, Hold.FAILED)
            continue
        inner = trees.child(at, draft.fold(spelled), spelled, spelled) if entry.kind is Kind.DIRECTORY else None
        if inner is not None and isinstance(look := inner.look(side), Frozen):
            draft.wanted.problems.append(Problem(place, look.reason, look.detail))
            merged.holds[draft.fold(spelled)] = Unagreed(spelled, Hold.FAILED)
            continue
        merged.contents[draft.fold(spelled)] = entry.content
        draft.wanted.seen[place] = entry
        reason = Because(Why.CONFLICT, place, entry)
        draft.wanted.wants[side.other][copy] = Want(carried(draft.rules, side, entry, None), reason, place, group=group)
        if inner is not None:
            paths = names.join(copies.left_path, spelled), names.join(copies.right_path, spelled)
            _copy_below(draft, trees, inner, side, _elsewhere(inner, side, *paths), group)


def _elsewhere(at: Triple, side: Side, left_path: RelPath, right_path: RelPath) -> Triple:
    """A directory of one side as it will stand under another name: nothing is remembered of it there."""
    left, right = (at.whole(each) if each is side else None for each in SIDES)
    return Triple(left_path, right_path, None, BaseDirectory(), left, right)


def _want_directory(draft: Draft, name: Name, side: Side, reason: Because, clash: str | None = None) -> None:
    """Want at the other side the directory of `side`; what stands there moves to the name `clash`, or to the trash."""
    wanted = carried(draft.rules, side, name.there(side), None)
    if clash is None:
        draft.put(name, side, wanted, reason)
    else:
        draft.put(name, side, wanted, reason, names.join(name.at.path(side.other), clash), name.left_path)


def _hold_ignored(draft: Draft, merged: Merged, name: Name) -> Fate:
    """What is out of scope is left alone; what is in scope and has its name on the other side must be, and is told of:
    a pattern may mean directories alone, or another spelling of what is one name to a side."""
    there = {side: entry for side in SIDES if (entry := name.entry(side)) is not None}
    scope = [side for side in there if not draft.rules.ignored(name.path(side), there[side].kind is Kind.DIRECTORY)]
    if not scope:
        return draft.disown(merged, name, Hold.IGNORED)
    side = scope[0]
    _count_files(merged, *(name.entry(each) if each is side else None for each in SIDES))
    shown = names.printable(name.path(side.other))
    draft.problem(name, side, Reason.NAME_COLLISION, f"{shown!r} on the other side, which is ignored, is in its place")
    return draft.hold(merged, name, Hold.WAITING)


def _hold_untouchable(draft: Draft, merged: Merged, name: Name) -> Fate:
    """What is neither file, directory nor link, or cannot be seen, freezes its name on both sides."""
    why = Fate.STAYS
    for side in SIDES:
        entry = name.entry(side)
        if entry is not None and entry.kind in _UNTOUCHABLE:
            draft.problem(name, side, *_UNTOUCHABLE[entry.kind])
            why = max(why, Fate.STAYS if entry.kind is Kind.SPECIAL else Fate.FROZEN)
    mounted = any(entry is not None and entry.kind is Kind.MOUNT for entry in (name.left, name.right))
    draft.hold(merged, name, Hold.MOUNTED if mounted else Hold.FOREIGN)
    return why


def _is_ours(draft: Draft, name: Name) -> bool:
    """Whether a side has something under another spelling of the name it keeps for itself, where nothing can be done
    to it; it is told."""
    for side in SIDES:
        here = draft.rules.ability(side).names
        if name.entry(side) is not None and names.is_private(names.basename(name.path(side)), here):
            obstacle = names.impossible(names.basename(name.path(side)), here)
            draft.problem(name, side, Reason.IMPOSSIBLE_NAME, obstacle or "")
            return True
    return False


def _hold_unmounted(draft: Draft, merged: Merged, name: Name) -> Fate:
    """What was a mount point and is none now may be empty only because a drive is away."""
    detail = (
        "another file system was mounted here and is not now; 'adopt' the job to take the directory as it stands, "
        "or mount it again"
    )
    draft.problem(name, Side.LEFT if name.left is not None else Side.RIGHT, Reason.OTHER_FILE_SYSTEM, detail)
    return draft.hold(merged, name, Hold.MOUNTED)


def _hold_collision(draft: Draft, merged: Merged, name: Name, twins: list[Place]) -> Fate:
    """Names that are one on the weaker root are left alone, all of them."""
    shown = ", ".join(repr(names.printable(names.basename(twin.path))) for twin in twins)
    for twin in twins[1:]:
        detail = f"{shown} are the same name on the other side"
        draft.wanted.problems.append(Problem(twin, Reason.NAME_COLLISION, detail))
    return draft.hold(merged, name, Hold.WAITING)


def _link_impossible(draft: Draft, name: Name) -> bool:
    """Whether a link stands here that the other side cannot have. A mirror's target is never carried anywhere."""
    for side in SIDES if draft.rules.extras is None else (Side.LEFT,):
        entry = name.entry(side)
        if entry is not None and entry.kind is Kind.LINK and not draft.rules.ability(side.other).symlinks:
            detail = "symbolic links cannot be made on the other side"
            draft.problem(name, side, Reason.IMPOSSIBLE_NAME, detail)
            return True
    return False


def _spellings(name: Name) -> tuple[str, str]:
    return names.basename(name.left_path), names.basename(name.right_path)


def _frozen(at: Triple) -> bool:
    return isinstance(at.left, Frozen) or isinstance(at.right, Frozen)
