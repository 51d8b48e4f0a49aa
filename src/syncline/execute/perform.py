"""One function per action, in two halves: `stage` prepares beside the tree, `commit` changes it.

Before it changes anything, `commit` makes sure that the target still is what the plan saw and that the reason still
holds on the other side; otherwise it raises, and the path is planned anew by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

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
from syncline.core.policy import Durability, properties_of, with_properties
from syncline.errors import PathError, SynclineError
from syncline.execute import transfer
from syncline.execute.results import Results
from syncline.execute.transfer import Copied, Names
from syncline.fs.root import Besides, Root
from syncline.fs.xattrs import digest
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
                besides=_besides(site, action, None),
                stop=site.stop,
            )
            for step in steps:
                yield Staged(step.entry, step.source) if isinstance(step, Copied) else step
        case PutLink():
            target = site.roots[action.source.side].read_link(action.source.path)
            yield Staged(transfer.known(root.make_link(own.new, target), target))
        case MakeDirectory(expect=expect) if expect is not None:
            yield Staged(root.make_directory(own.new, action.entry.mode | 0o700, _besides(site, action, None)))
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
        # A property set since the plan was made was not carried: the planned one is remembered, and the next scan
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
    _restamp(site, expect, Place(at.side, keep))
    if outright:
        return None
    if action.aside is None:
        return keep
    displaced = root.entry(keep)
    if displaced is not None:
        # As in `_put`: the clash file on the other side has the properties that were planned.
        seen = transfer.with_properties(transfer.known(displaced, expect.content), expect)
        site.results.note(Place(at.side, keep), seen)
    return None


def _make_directory(site: Site, action: MakeDirectory, own: Names, staged: Staged) -> RelPath | None:
    root, at = site.roots[action.at.side], action.at
    expect = _expected(site, at, action.expect)
    if expect is None:
        made = root.make_directory(at.path, action.entry.mode | 0o700, _besides(site, action, None))
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
    if file and not same_file(present, root.entry(at.path)):
        raise PathError(Reason.TARGET_CHANGED, at.path, "was changed after the plan was made; it is left as it is")
    besides = _besides(site, action, present)
    found = root.set_properties(at.path, expect=present, mtime_ns=mtime_ns, mode=mode, besides=besides)
    if site.results.has_more_names(at.side, present):
        site.results.restamped(at.side, present, found)
    # As in `_put`: of a folder, other properties may have been set since the plan was made.
    kept = {each: value for each, value in properties_of(action.entry).items() if getattr(root.capabilities, each)}
    site.results.note(at, with_properties(transfer.known(found, present.content), kept))


def _besides(site: Site, action: PutFile | MakeDirectory | SetProperties, present: Entry | None) -> Besides:
    """What an action sets besides time and mode, as far as it differs from what stands there. Raises: PathError."""
    keeps, wanted = site.roots[action.at.side].capabilities, action.entry
    owner = wanted.owner if keeps.owner and (present is None or present.owner != wanted.owner) else None
    before = b"" if present is None else present.xattr
    attributed = keeps.xattr and wanted.xattr is not None and wanted.xattr != before
    windows = wanted.windows if keeps.windows and (present is None or present.windows != wanted.windows) else None
    return Besides(owner, _attributes(site, action) if attributed else None, windows)


def _attributes(site: Site, action: PutFile | MakeDirectory | SetProperties) -> bytes:
    """The extended attributes an action sets, from where they stand. Raises: PathError."""
    at, wanted = action.at, action.entry.xattr
    values: bytes | None = b"" if not wanted else getattr(action, "values", None)
    if values is not None:
        return values
    source = action.source if isinstance(action, PutFile) else getattr(action, "like", None)
    for place in dict.fromkeys((source, action.because.place, at, Place(at.side.other, at.path))):
        with suppress(PathError):
            found = b"" if place is None else site.roots[place.side].xattrs(place.path)
            if digest(found) == wanted:
                return found
    raise PathError(Reason.TARGET_CHANGED, at.path, "the extended attributes it was to get were changed meanwhile")


def with_attributes(site: Site, action: Action) -> Action:
    """An action with the extended attributes that it takes away, which undo needs, and with those it sets, which
    recovery needs; to be asked directly before it is begun."""
    match action:
        case SetProperties(at, expect) if attributes_change(action):
            was = values = None
            with suppress(PathError):
                was = site.roots[at.side].xattrs(at.path)
                values = _attributes(site, action)
            known = was is not None and expect is not None and digest(was) == expect.xattr
            return replace(action, was=was if known else None, values=values)
        case Remove(at, expect) if expect is not None and expect.kind is Kind.DIRECTORY and expect.xattr:
            with suppress(PathError):
                return replace(action, was=site.roots[at.side].xattrs(at.path))
    return action


def attributes_change(action: Action) -> bool:
    """Whether an action gives what stands at its place other extended attributes."""
    if not isinstance(action, SetProperties) or action.expect is None:
        return False
    return action.entry.xattr is not None and action.expect.xattr not in (None, action.entry.xattr)


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
    _restamp(site, expect, to)
    if over is not None:
        _restamp(site, over, at if keep is None else Place(at.side, keep))
    return keep


def _trash(site: Site, action: Trash, own: Names) -> RelPath:
    root, at = site.roots[action.at.side], action.at
    expect = _present(site, action)
    keep = transfer.free_trash(root, own, at.path)
    transfer.move_away(root, at.path, expect, keep, action.seen)
    _restamp(site, expect, Place(at.side, keep))
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
    return site.results.expected(at, planned)


def _restamp(site: Site, before: Entry, now_at: Place) -> None:
    """Where a file that was moved has further names to be changed, expect them with the status time it has now."""
    if site.results.has_more_names(now_at.side, before):
        now = site.roots[now_at.side].entry(now_at.path)
        if now is not None and transfer.same_object(before, now):
            site.results.restamped(now_at.side, before, now)


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
    expect = _expected(site, place, action.because.entry)
    found = root.entry(place.path)
    if expect is None:
        if found is not None:
            raise PathError(Reason.TARGET_CHANGED, place.path, "is there again; nothing is removed on the other side")
        if not root.alive():
            raise PathError(Reason.UNREADABLE, place.path, "the root it was missing from is not there any more")
    elif not _unchanged(expect, found):
        raise PathError(Reason.CHANGED_WHILE_COPIED, place.path, "was changed after the plan was made")
