"""Finishing what a crash left begun, before anything is scanned or merged.

The journal says what each action of an interrupted run was about to do, and under which names. What a `swap-` name
holds is told by comparing it with what the plan saw: the user's old version goes where the action would have put it,
our own copy is removed. A group of which something had been done is finished forward; everything else is left to the
next merge, which sees the files as they are. What no journal explains goes to the trash, never away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncline.core import access, names, policy
from syncline.core.model import (
    PRIVATE,
    Action,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    Problem,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Remove,
    Rename,
    SetProperties,
    Side,
    Trash,
)
from syncline.core.trail import Trail
from syncline.errors import PathError
from syncline.execute import perform, transfer
from syncline.execute.follow import follow
from syncline.execute.perform import Site, Staged
from syncline.execute.results import Results, outcome_place, touched
from syncline.execute.transfer import STAGING, TRASH, Names
from syncline.fs import xattrs
from syncline.fs.root import Besides, Root
from syncline.store.base import BaseStore
from syncline.store.db import Store
from syncline.store.journal import DONE, Journal, Step


@dataclass(slots=True)
class Recovered:
    """What recovery found: how many actions had been begun, what it finished, and places whose content is in doubt."""

    begun: int = 0
    finished: int = 0
    suspects: set[tuple[Side, RelPath]] = field(default_factory=set)


def recover(
    roots: Mapping[Side, Root], store: Store, journal: Journal, job: str, fold: Callable[[str], str]
) -> Recovered:
    """Settle every unfinished action of a job. May itself be killed at any step and run again.

    Raises: PathError, RootLost, StateError: nothing may be merged before recovery has come to its end.
    """
    begun, base = list(journal.unfinished(job)), BaseStore(store, job)
    recovered = Recovered(begun=len(begun))
    for unit in _units(begun):
        site = Site(roots, Results(), lambda: False)
        outcomes: dict[int, tuple[Entry | None, RelPath | None]] = {}
        trashed = {item.number: _settle(roots, item) for item in unit}
        effective = [item for item in unit if trashed[item.number] or _took_effect(roots, item)]
        for item in unit:
            recovered.suspects.update(_in_doubt(item.action))
            if item in effective or _set_whole(site, item):
                outcomes[item.number] = (_left(roots, item.action), trashed[item.number])
            elif effective:
                done = _finish(site, item)
                if done is not None:
                    outcomes[item.number] = done
                    recovered.finished += 1
        for side in {item.action.at.side for item in unit}:
            there = [item for item in unit if item.action.at.side is side]
            kept = (outcomes[item.number][1] for item in there if item.number in outcomes)
            roots[side].flush(_changed(there), directories=transfer.ours_changed(kept))
        with store.transaction():
            _close(journal, unit, outcomes)
            if len(outcomes) == len(unit):
                for item in unit:
                    if isinstance(item.action, Rename):
                        follow(base, item.action, fold)
    return recovered


def _changed(unit: Iterable[Step]) -> list[RelPath]:
    """The names in the tree that a unit changed, whoever did it: before the crash or in recovery."""
    return [place.path for item in unit for place in touched(item.action)]


def close_again(roots: Mapping[Side, Root], journal: Journal, run: str) -> None:
    """Give the directories their mode back that a run, which was cut off, had only opened for its changes. One to which
    somebody has given another mode since keeps that.

    Raises: PathError, RootLost, StateError.
    """
    renames: list[Rename] = []
    changed: list[tuple[SetProperties, int]] = []
    for step in journal.actions(run, Rename, SetProperties):
        if step.state == DONE and isinstance(step.action, Rename):
            renames.append(step.action)
        elif step.state == DONE and isinstance(step.action, SetProperties):
            changed.append((step.action, len(renames)))
    way, opened = Trail(renames), dict[Place, SetProperties]()
    for action, moment in changed:
        place = way.now_of(action.at, moment)
        if place is not None and access.is_opening(action):
            opened[place] = action
        elif place is not None:
            opened.pop(place, None)
    for place, action in reversed(opened.items()):
        root, before = roots[place.side], action.expect
        found = root.entry(place.path)
        if found is None or before is None or (found.kind, found.inode) != (before.kind, before.inode):
            continue
        if found.mode == action.entry.mode:
            root.set_properties(place.path, expect=found, mtime_ns=None, mode=before.mode)
            root.flush([place.path])


def clear_staging(root: Root, run: str, unfinished: Iterable[str]) -> None:
    """Empty the staging directory of a locked root: our own copies go, anything unexplained goes to the trash.

    `unfinished`: runs (of other jobs on this root) whose journal still explains their names. Raises: PathError.
    """
    busy = tuple(unfinished)
    for name in root.names(STAGING):
        if any(other in name for other in busy):
            continue
        path = RelPath(f"{STAGING}/{name}")
        entry = root.entry(path)
        if entry is None:
            continue
        if name.startswith("new-"):
            if entry.kind is Kind.DIRECTORY:
                root.remove_directory(path)
            else:
                root.remove(path)
        else:
            _to_trash(root, path, RelPath(f"{TRASH}/{run}/{PRIVATE}-{name}"))


def _settle(roots: Mapping[Side, Root], item: Step) -> RelPath | None:
    """Move what an exchange displaced to where the action would have put it; its path in the trash, if that."""
    action, own = item.action, Names(item.run, item.number)
    root = roots[action.at.side]
    if isinstance(action, Rename):
        return _settle_rename(root, action, own)
    parked = root.entry(own.swap)
    if parked is None:
        return _already_kept(root, action, own)
    if action.expect is not None and transfer.same_object(action.expect, parked):
        aside = getattr(action, "aside", None)
        outright = isinstance(action, PutFile | PutLink) and action.outright
        if outright and _still_there(root, action) and 0 < parked.inode == action.expect.inode:
            root.remove(own.swap)  # a second name of what was not replaced yet
            return None
        if isinstance(action, Remove) and root.entry(action.at.path) is None:
            root.rename(own.swap, action.at.path)  # nothing was removed yet: the next plan decides again
            return None
        keep = aside if _free(root, aside) else None
        if keep is None:
            keep = transfer.free_trash(root, own, action.at.path)
        root.rename(own.swap, keep)
        return keep
    if _is_ours(action, parked) and _still_there(root, action):
        if parked.kind is Kind.DIRECTORY:
            root.remove_directory(own.swap)
        else:
            root.remove(own.swap)
        return None
    _to_trash(root, own.swap, own.trash(action.at.path))
    return None


def _free(root: Root, path: RelPath | None) -> bool:
    """Whether something can have this name: it is free, and somebody may have taken its folder away meanwhile."""
    return path is not None and root.entry(path) is None and root.entry(names.parent(path)) is not None


def _settle_rename(root: Root, action: Rename, own: Names) -> RelPath | None:
    """Move what lost its name to a renamed file to the trash, as far as that was begun; its path there."""
    if action.over is None or action.swap:
        return None
    at, to, parked = root.entry(action.at.path), root.entry(action.to), root.entry(own.swap)
    if parked is not None:
        if to is None:
            root.rename(own.swap, action.to)  # nothing was renamed yet: the next plan decides again
            return None
        return _kept(root, own.swap, own, action.to)
    if transfer.same_object(action.over, at) and action.expect and transfer.same_object(action.expect, to):
        return _kept(root, action.at.path, own, action.to)
    kept = own.trash(action.to)
    found = root.entry(kept)
    if found is None:
        return None
    if to is not None and 0 < to.inode == found.inode:
        root.remove(kept)  # only a second name of what still has its own
        return None
    return kept


def _kept(root: Root, path: RelPath, own: Names, said: RelPath) -> RelPath:
    keep = transfer.free_trash(root, own, said)
    root.rename(path, keep)
    return keep


def _already_kept(root: Root, action: Action, own: Names) -> RelPath | None:
    """Where the trash has what this action displaced; a second name for what still stands there is taken back."""
    kept = own.trash(action.at.path)
    found = root.entry(kept) if action.expect is not None else None
    if found is None:
        return None
    if action.expect is not None and _still_there(root, action) and 0 < found.inode == action.expect.inode:
        root.remove(kept)
        return None
    return kept


def _is_ours(action: Action, parked: Entry) -> bool:
    """Whether a parked object can be the copy we staged: it has the wanted kind, size and time."""
    entry: Entry | None = getattr(action, "entry", None)
    if entry is None or entry.kind is not parked.kind:
        return False
    return parked.kind is not Kind.FILE or (entry.size, entry.mtime_ns) == (parked.size, parked.mtime_ns)


def _still_there(root: Root, action: Action) -> bool:
    return action.expect is not None and transfer.same_object(action.expect, root.entry(action.at.path))


def _took_effect(roots: Mapping[Side, Root], item: Step) -> bool:
    """Whether the tree already shows what an action wanted."""
    action = item.action
    root = roots[action.at.side]
    found = root.entry(action.at.path)
    match action:
        case PutFile(entry=entry) | PutLink(entry=entry):
            return (
                found is not None
                and found.kind is entry.kind
                and (entry.kind is Kind.LINK or (found.size, found.mtime_ns) == (entry.size, entry.mtime_ns))
                and not (action.expect is not None and transfer.same_object(action.expect, found))
            )
        case MakeDirectory():
            return found is not None and found.kind is Kind.DIRECTORY
        case Trash() | Remove():
            return found is None
        case Rename(expect=expect, to=to):  # its old name may have been given to something else since
            arrived = expect is not None and transfer.same_object(expect, root.entry(to))
            return arrived and expect is not None and not transfer.same_object(expect, found)
        case SetProperties():
            return found is not None and policy.same_properties(found, action.entry)
        case _:
            return False


def _left(roots: Mapping[Side, Root], action: Action) -> Entry | None:
    """What an action that took effect left at its place: what stands there, unless a user has put something else there
    since."""
    place = outcome_place(action)
    found, able = roots[place.side].entry(place.path), roots[place.side].capabilities
    if not isinstance(action, PutFile | PutLink | MakeDirectory):
        return found
    wanted = action.entry
    if found is None or found.kind is not wanted.kind:
        return wanted
    late = abs(found.mtime_ns - able.time_kept(wanted.mtime_ns)) >= able.granularity_ns
    edited = found.kind is Kind.FILE and (found.size != wanted.size or late)
    return wanted if edited else found


def _set_whole(site: Site, item: Step) -> bool:
    """Set what was cut off while extended attributes were set, which takes several steps: where all that stands there
    is from before or from that action, and something of it is from that action. Whether this was so."""
    action = item.action
    if not isinstance(action, SetProperties) or action.was is None or action.values is None:
        return False
    root, at, expect = site.roots[action.at.side], action.at.path, action.expect
    found = root.entry(at)
    if found is None or expect is None or not transfer.same_object(expect, found):
        return False
    now, before, after = (xattrs.unpack(packed) for packed in (root.xattrs(at), action.was, action.values))
    ours = all(now.get(name) in (before.get(name), after.get(name)) for name in {*now, *before, *after})
    opened = found.mode != expect.mode and found.mode == expect.mode | 0o600
    if not ours or (now == before and not opened) or (found.mode != expect.mode and not opened):
        return False
    mode, besides = action.entry.mode, Besides(xattr=action.values)
    root.set_properties(at, expect=found, mtime_ns=None, mode=mode if root.capabilities.mode else None, besides=besides)
    return True


def _finish(site: Site, item: Step) -> tuple[Entry | None, RelPath | None] | None:
    """Carry out a member of a begun group; None when its place or reason is not what it was."""
    action, own = item.action, Names(item.run, item.number)
    root = site.roots[action.at.side]
    staged = Staged()
    try:
        left_over = root.entry(own.new)
        if left_over is not None:
            (root.remove_directory if left_over.kind is Kind.DIRECTORY else root.remove)(own.new)
        for step in perform.stage(site, action, own):
            if isinstance(step, Staged):
                staged = step
        root.flush([own.new] if staged.entry is not None else [])
        trashed = perform.commit(site, action, own, staged)
        root.flush(_changed([item]), directories=transfer.ours_changed([trashed]))
        perform.release(site, action, own)
    except PathError:
        perform.discard(site, action, own)
        return None
    return site.results.entries.get(outcome_place(action)), trashed


def _close(journal: Journal, unit: Sequence[Step], outcomes: Mapping[int, tuple[Entry | None, RelPath | None]]) -> None:
    run = unit[0].run
    journal.done(run, [(number, entry, trashed) for number, (entry, trashed) in outcomes.items()])
    journal.failed(
        run,
        [
            (item.number, Problem(item.action.at, Reason.BUSY, "the run was cut off before it; planned anew"), True)
            for item in unit
            if item.number not in outcomes
        ],
    )


def _units(begun: Sequence[Step]) -> list[list[Step]]:
    units: list[list[Step]] = []
    for item in begun:
        group = item.action.group
        if units and group is not None and units[-1][-1].run == item.run and units[-1][-1].action.group == group:
            units[-1].append(item)
        else:
            units.append([item])
    return units


def _in_doubt(action: Action) -> list[tuple[Side, RelPath]]:
    places = touched(action)
    if isinstance(action, PutFile):
        places.append(action.source)
    return [(place.side, place.path) for place in places]


def _to_trash(root: Root, path: RelPath, wanted: RelPath) -> None:
    root.rename(path, transfer.free_in_trash(root, wanted))
