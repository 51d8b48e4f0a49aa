"""One function per action, in two halves: `stage` prepares beside the tree, `commit` changes it.

Before it changes anything, `commit` makes sure that the target still is what the plan saw and that the reason still
holds on the other side; otherwise it raises, and the path is planned anew by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

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
    Side,
    Trash,
)
from syncline.core.policy import Durability
from syncline.errors import PathError, SynclineError
from syncline.execute import transfer
from syncline.execute.results import Results
from syncline.execute.transfer import Copied, Names
from syncline.fs.root import Root
from syncline.scanner.client import same_file


class Unjustified(PathError):
    """What justifies an act on the other side is not so any more, or could not be seen."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where actions are carried out: both roots and what this run knows of them."""

    roots: Mapping[Side, Root]
    results: Results
    stop: Callable[[], bool]
    durability: Durability = Durability.BATCH


@dataclass(frozen=True, slots=True)
class Staged:
    """What `stage` prepared: the object's entry, and the source as it was verified (files only)."""

    entry: Entry | None = None
    source: Entry | None = None


def stage(site: Site, action: Action, own: Names) -> Iterator[int | Staged]:
    """Prepare an action without touching the tree; yields bytes copied, and last what was staged. Raises: PathError."""
    root = site.roots[action.at.side]
    match action:
        case PutFile():
            steps = transfer.copy_file(
                site.roots[action.source.side],
                action.source,
                _expected(site, action.source, action.source_entry) or action.source_entry,
                root,
                own.new,
                mtime_ns=action.entry.mtime_ns,
                mode=action.entry.mode if root.capabilities.mode else None,
                owner=action.entry.owner if root.capabilities.owner else None,
                stop=site.stop,
            )
            for step in steps:
                yield Staged(step.entry, step.source) if isinstance(step, Copied) else step
        case PutLink():
            target = site.roots[action.source.side].read_link(action.source.path)
            yield Staged(transfer.known(root.make_link(own.new, target), target))
        case MakeDirectory(expect=expect) if expect is not None:
            yield Staged(root.make_directory(own.new, action.entry.mode | 0o700, action.entry.owner))
        case _:
            yield Staged()


def commit(site: Site, action: Action, own: Names, staged: Staged) -> RelPath | None:
    """Carry out a staged action; the path in the trash of what it displaced, if any. Raises: PathError."""
    try:
        _reason_holds(site, action, staged)
    except PathError as error:
        raise Unjustified(error.reason, error.path, error.detail) from error
    match action:
        case PutFile() | PutLink():
            return _put(site, action, own, staged)
        case MakeDirectory():
            return _make_directory(site, action, own, staged)
        case SetProperties():
            _set_properties(site, action)
            return None
        case Trash():
            return _trash(site, action, own)
        case Remove():
            _remove(site, action, own)
            return None
        case Rename():
            return _rename(site, action, own)
        case RunCommand():
            raise AssertionError(f"{type(action).__name__} is not planned yet")


def release(site: Site, action: Action, own: Names) -> None:
    """Remove the version an action replaced outright, now that the new one is durable. Never raises."""
    if isinstance(action, PutFile | PutLink) and action.outright:
        try:
            site.roots[action.at.side].remove(own.swap)
        except SynclineError:
            return  # it stays in staging, from where the next run takes it to the trash


def discard(site: Site, action: Action, own: Names) -> None:
    """Remove what `stage` left for an action that will not be committed. Never raises."""
    root = site.roots[action.at.side]
    try:
        entry = root.entry(own.new)
        if entry is not None:
            (root.remove_directory if entry.kind is Kind.DIRECTORY else root.remove)(own.new)
    except SynclineError:
        return  # it stays in staging, and the next run clears it


def _put(site: Site, action: PutFile | PutLink, own: Names, staged: Staged) -> RelPath | None:
    root, at = site.roots[action.at.side], action.at
    assert staged.entry is not None
    expect = _expected(site, at, action.expect)
    if expect is None:
        site.results.note(at, transfer.publish(root, own.new, at.path, staged.entry))
        trashed = None
    else:
        trashed = _displace(site, action, own, expect, staged.entry)
    if isinstance(action, PutFile) and staged.source is not None:
        # A mode or owner set since the plan was made was not carried: the planned one is remembered, and the next scan
        # sees it.
        site.results.note(action.source, transfer.with_properties(staged.source, action.source_entry))
    elif isinstance(action, PutLink):
        seen = site.results.entries.get(action.source) or action.because.entry
        if seen is not None and action.source == action.because.place:
            site.results.note(action.source, transfer.known(seen, staged.entry.content))
    return trashed


def _displace(
    site: Site, action: PutFile | PutLink | MakeDirectory, own: Names, expect: Entry, entry: Entry
) -> RelPath | None:
    root, at = site.roots[action.at.side], action.at
    if not _unchanged(expect, root.entry(at.path)):
        raise PathError(Reason.TARGET_CHANGED, at.path, "was changed after the plan was made; it is left as it is")
    outright = isinstance(action, PutFile | PutLink) and action.outright
    keep = action.aside or (own.swap if outright else transfer.free_trash(root, own, at.path))
    site.results.note(at, transfer.exchange(root, at.path, expect, entry, own, keep))
    if outright:
        return None
    if action.aside is None:
        return keep
    displaced = root.entry(keep)
    if displaced is not None:
        site.results.note(Place(at.side, keep), transfer.known(displaced, expect.content))
    return None


def _make_directory(site: Site, action: MakeDirectory, own: Names, staged: Staged) -> RelPath | None:
    root, at = site.roots[action.at.side], action.at
    expect = _expected(site, at, action.expect)
    if expect is None:
        made = root.make_directory(at.path, action.entry.mode | 0o700, action.entry.owner)
        site.results.note(at, made)
        return None
    assert staged.entry is not None
    return _displace(site, action, own, expect, staged.entry)


def _set_properties(site: Site, action: SetProperties) -> None:
    root, at = site.roots[action.at.side], action.at
    present = _expected(site, at, action.expect)
    if present is None:
        raise PathError(Reason.TARGET_CHANGED, at.path, "is not there any more")
    file = present.kind is Kind.FILE
    mtime_ns = action.entry.mtime_ns if file and action.entry.mtime_ns != present.mtime_ns else None
    mode = action.entry.mode if root.capabilities.mode and action.entry.mode != present.mode else None
    owner = action.entry.owner if root.capabilities.owner and action.entry.owner != present.owner else None
    if file and not same_file(present, root.entry(at.path)):
        raise PathError(Reason.TARGET_CHANGED, at.path, "was changed after the plan was made; it is left as it is")
    found = root.set_properties(at.path, expect=present, mtime_ns=mtime_ns, mode=mode, owner=owner)
    site.results.note(at, transfer.known(found, present.content))


def _rename(site: Site, action: Rename, own: Names) -> RelPath | None:
    root, at, to = site.roots[action.at.side], action.at, Place(action.at.side, action.to)
    expect, over = _present(site, action), _expected(site, to, action.over)
    if over is not None and not _unchanged(over, root.entry(to.path)):
        raise PathError(Reason.TARGET_CHANGED, to.path, "was changed after the plan was made; it is left as it is")
    if over is None:
        transfer.move(root, at.path, to.path, expect)
        keep = back = None
    elif action.swap:
        transfer.swap(root, at.path, to.path, expect, over)
        keep, back = None, transfer.settled(root, at.path, over)
    else:
        keep, back = transfer.free_trash(root, own, to.path), None
        transfer.move_over(root, at.path, to.path, expect, over, own, keep)
    site.results.renamed(at, to.path, transfer.settled(root, to.path, expect), back)
    return keep


def _trash(site: Site, action: Trash, own: Names) -> RelPath:
    root, at = site.roots[action.at.side], action.at
    expect = _present(site, action)
    keep = transfer.free_trash(root, own, at.path)
    transfer.move_away(root, at.path, expect, keep, action.seen)
    site.results.note(at, None)
    return keep


def _remove(site: Site, action: Remove, own: Names) -> None:
    root, at = site.roots[action.at.side], action.at
    expect = _present(site, action)
    if expect.kind is Kind.DIRECTORY:
        root.remove_directory(at.path)
    else:
        transfer.move_away(root, at.path, expect, own.swap, None)
        root.remove(own.swap)
    site.results.note(at, None)


def _present(site: Site, action: Trash | Remove | Rename) -> Entry:
    """What stands where something is to be taken away, if it still is what the plan saw."""
    expect = _expected(site, action.at, action.expect)
    if expect is None or not _unchanged(expect, site.roots[action.at.side].entry(action.at.path)):
        raise PathError(Reason.TARGET_CHANGED, action.at.path, "was changed after the plan was made; it is kept")
    return expect


def _expected(site: Site, at: Place, planned: Entry | None) -> Entry | None:
    """What should stand at a place now: as planned, or as this run left it."""
    return site.results.entries.get(at, planned)


def _unchanged(expect: Entry, found: Entry | None) -> bool:
    if expect.kind is Kind.DIRECTORY:
        return found is not None and found.kind is Kind.DIRECTORY and found.inode == expect.inode
    return same_file(expect, found)


def _reason_holds(site: Site, action: Action, staged: Staged) -> None:
    """Whether what justifies the act still is so on the other side.

    Raises: PathError (target-changed, or as `Root.entry` does); RootLost is for the caller to find out.
    """
    place = action.because.place
    if place.side is action.at.side and place.path == action.at.path:
        return
    if staged.source is not None and isinstance(action, PutFile) and action.source == place:
        return  # the content itself is the reason, and it was verified around the copy
    root = site.roots[place.side]
    expect = site.results.entries.get(place, action.because.entry)
    found = root.entry(place.path)
    if expect is None:
        if found is not None:
            raise PathError(Reason.TARGET_CHANGED, place.path, "is there again; nothing is removed on the other side")
        if not root.alive():
            raise PathError(Reason.UNREADABLE, place.path, "the root it was missing from is not there any more")
    elif not _unchanged(expect, found):
        raise PathError(Reason.CHANGED_WHILE_COPIED, place.path, "was changed after the plan was made")
