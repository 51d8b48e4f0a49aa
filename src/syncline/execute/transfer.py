"""Staging a new version beside the tree, and exchanging it with the old one: steps every action is made of.

A version is complete, hashed and durable under `.syncline/staging` before its name is touched. What it displaces is
looked at *after* the exchange and put back if it is not what the plan saw, so no unseen version is ever replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from syncline.core import listing, names, policy
from syncline.core.model import PRIVATE, Entry, Kind, Place, Reason, RelPath
from syncline.errors import PathError
from syncline.fs.root import NOTHING, Besides, Root
from syncline.scanner.client import content_of, new_digest, same_file

STAGING = RelPath(f"{PRIVATE}/staging")
TRASH = RelPath(f"{PRIVATE}/trash")
ATTEMPTS = 3
FIRST_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Names:
    """Where one action of one run stages, parks what it displaces, and what goes to the trash."""

    run: str
    number: int

    @property
    def new(self) -> RelPath:
        return RelPath(f"{STAGING}/new-{self.run}-{self.number}")

    @property
    def swap(self) -> RelPath:
        """Since directly before an exchange: afterwards this name holds the user's old version."""
        return RelPath(f"{STAGING}/swap-{self.run}-{self.number}")

    def trash(self, path: RelPath) -> RelPath:
        return RelPath(f"{TRASH}/{self.run}/{path}")


@dataclass(frozen=True, slots=True)
class Copied:
    """A staged file: its entry with the content's digest, and the source's entry as it was verified around the copy."""

    entry: Entry
    source: Entry


def copy_file(
    source: Root,
    place: Place,
    expect: Entry,
    target: Root,
    staged: RelPath,
    *,
    mtime_ns: int,
    mode: int | None,
    besides: Besides = NOTHING,
    stop: Callable[[], bool],
) -> Iterator[int | Copied]:
    """Copy and hash in one pass; yields the bytes copied so far, and last what was staged.

    A source that changes meanwhile is tried again after a pause, then given up as busy.

    Raises:
        PathError: the source cannot be read or keeps changing, the target cannot be written. Nothing is left staged.
    """
    pause_s, seen = FIRST_PAUSE_S, expect
    for attempt in range(1, ATTEMPTS + 1):
        try:
            times = mtime_ns if attempt == 1 else None
            yield from _copy_once(source, place, seen, target, staged, times, mode, besides, stop)
            return
        except PathError as error:
            if error.reason not in (Reason.CHANGED_WHILE_COPIED, Reason.BUSY) or stop():
                raise
            if attempt == ATTEMPTS:
                raise PathError(Reason.BUSY, place.path, f"{error.detail}; tried {ATTEMPTS} times") from error
        time.sleep(pause_s)
        pause_s *= 2
        found = source.entry(place.path)
        if found is None or found.kind is not Kind.FILE:
            raise PathError(Reason.CHANGED_WHILE_COPIED, place.path, "is not the file any more that was to be copied")
        seen = known(found, seen.content) if same_file(seen, found) else found


def _copy_once(
    source: Root,
    place: Place,
    expect: Entry,
    target: Root,
    staged: RelPath,
    mtime_ns: int | None,
    mode: int | None,
    besides: Besides,
    stop: Callable[[], bool],
) -> Iterator[int | Copied]:
    reader = source.open(place.path)
    try:
        if not same_file(expect, reader.opened):
            raise PathError(Reason.CHANGED_WHILE_COPIED, place.path, "changed after the plan was made")
        writer = target.create(staged)
        try:
            digest, done = new_digest(), 0
            for block in reader.blocks():
                digest.update(block)
                writer.write(block)
                done += len(block)
                if done < expect.size:
                    yield len(block)
                if stop():
                    raise PathError(Reason.BUSY, place.path, "interrupted")
            found = reader.entry
            if done != expect.size or not same_file(expect, found):
                raise PathError(Reason.CHANGED_WHILE_COPIED, place.path, "changed while it was copied")
            content = content_of(digest)
            if expect.content is not None and expect.content[:1] == content[:1] and expect.content != content:
                raise PathError(Reason.CHANGED_WHILE_COPIED, place.path, "reads differently from a moment ago")
            time_ns = expect.mtime_ns if mtime_ns is None else mtime_ns
            entry = writer.finish(mtime_ns=time_ns, mode=mode, besides=besides)
        except BaseException:
            writer.abandon()
            raise
    finally:
        reader.close()
    yield Copied(known(entry, content), known(found, content))


def known(entry: Entry, content: bytes | None) -> Entry:
    """`entry` with this content."""
    if entry.content is content:
        return entry
    stamp = entry.kind, entry.size, entry.mtime_ns, entry.mode, entry.ctime_ns, entry.inode
    return Entry(*stamp, content, entry.owner, entry.xattr, entry.windows)


def with_properties(entry: Entry, planned: Entry) -> Entry:
    """`entry` with the properties it was planned with, but for its time."""
    return policy.with_properties(entry, {each: getattr(planned, each) for each in policy.MERGED})


def publish(root: Root, staged: RelPath, path: RelPath, entry: Entry) -> Entry:
    """Give a staged object a name that must be free; the entry as it stands.

    Raises: PathError (target-changed when the name was taken meanwhile).
    """
    root.rename(staged, path)
    return settled(root, path, entry)


def settled(root: Root, path: RelPath, staged: Entry) -> Entry:
    """What to remember of an object just put in place: its staged stamp with the status time it has now.

    If anything else differs already, somebody edited it: the staged values are kept, so that the next scan sees it.
    """
    found = root.entry(path)
    if (
        found is None
        or (found.kind, found.size, found.mtime_ns, found.inode)
        != (
            staged.kind,
            staged.size,
            staged.mtime_ns,
            staged.inode,
        )
        or any(getattr(found, each) != getattr(staged, each) for each in policy.MERGED)
    ):
        return staged
    return known(found, staged.content)


def exchange(root: Root, at: RelPath, expect: Entry, entry: Entry, own: Names, keep: RelPath) -> Entry:
    """Put the staged object in the place of what the plan saw, which moves to `keep` (`own.swap`, if it is to go once
    the new version is durable); the entry as it stands.

    Raises: PathError (target-changed when something else stood there; it stands there again).
    """
    able = root.capabilities
    if able.exchange:
        root.rename(own.new, own.swap)
        try:
            root.exchange(own.swap, at)
        except PathError:
            _back_to_new(root, expect, entry, own)
            raise
        if not same_object(expect, root.entry(own.swap)):
            root.exchange(own.swap, at)
            root.rename(own.swap, own.new)
            raise PathError(Reason.TARGET_CHANGED, at, "was changed after the plan was made; it is left as it is")
        if keep != own.swap:
            root.rename(own.swap, keep)
        return settled(root, at, entry)
    if expect.kind is Kind.DIRECTORY or entry.kind is Kind.DIRECTORY or not able.hard_links:
        return _replace_by_moves(root, at, expect, entry, own, keep)
    # RACE: between the look at what the second name shows and the rename over the first, one system call passes;
    # worst case a version written in it is replaced, and stays only in the writer's open file.
    root.link(at, keep)
    if not same_object(expect, root.entry(keep)):
        root.remove(keep)
        raise PathError(Reason.TARGET_CHANGED, at, "was changed after the plan was made; it is left as it is")
    try:
        root.replace(own.new, at)
    except PathError:
        if same_object(expect, root.entry(at)):
            root.remove(keep)  # a second name of what still stands there is no version of its own
        raise
    return settled(root, at, entry)


def _back_to_new(root: Root, expect: Entry, entry: Entry, own: Names) -> None:
    """After an exchange that failed: our own copy is called so again, and cleared with what else was staged.

    Where a system failed and exchanged nevertheless, the name holds the user's version, and stays.
    """
    with suppress(PathError):
        found = root.entry(own.swap)
        if same_object(entry, found) and not same_object(expect, found):
            root.rename(own.swap, own.new)


def _replace_by_moves(root: Root, at: RelPath, expect: Entry, entry: Entry, own: Names, keep: RelPath) -> Entry:
    """Without exchange and links: move the old version away, then the new one in.

    RACE: between the two renames the name is absent for one system call; the journal finishes it after a crash.
    """
    root.rename(at, own.swap)
    if not same_object(expect, root.entry(own.swap)):
        root.rename(own.swap, at)
        raise PathError(Reason.TARGET_CHANGED, at, "was changed after the plan was made; it is left as it is")
    try:
        root.rename(own.new, at)
    except PathError:
        with suppress(PathError):
            root.rename(own.swap, at)  # a name that was taken meanwhile keeps what stands there
        raise
    if keep != own.swap:
        root.rename(own.swap, keep)
    return settled(root, at, entry)


def move(root: Root, at: RelPath, to: RelPath, expect: Entry) -> None:
    """Give what the plan saw another name, which must be free; what turns out to be something else is put back.

    Raises: PathError (target-changed).
    """
    root.rename(at, to)
    if not same_object(expect, root.entry(to)):
        root.rename(to, at)
        raise PathError(Reason.TARGET_CHANGED, at, "was changed after the plan was made; it keeps its name")


def swap(root: Root, one: RelPath, two: RelPath, first: Entry, second: Entry) -> None:
    """Let two things the plan saw change their names in one step; undone where one turns out to be something else.

    Raises: PathError (target-changed).
    """
    root.exchange(one, two)
    if not (same_object(first, root.entry(two)) and same_object(second, root.entry(one))):
        root.exchange(one, two)
        raise PathError(Reason.TARGET_CHANGED, one, "was changed after the plan was made; it keeps its name")


def move_over(root: Root, at: RelPath, to: RelPath, expect: Entry, over: Entry, own: Names, keep: RelPath) -> None:
    """Give what the plan saw the name of a file, which moves to `keep`. No name shows anything else at any instant,
    but where the system can neither exchange nor link.

    Raises: PathError (target-changed; both stand where they stood).
    """
    if root.capabilities.exchange:
        swap(root, at, to, expect, over)
        root.rename(at, keep)
        if not same_object(over, root.entry(keep)):
            root.rename(keep, at)
            root.exchange(at, to)
            raise PathError(Reason.TARGET_CHANGED, to, "was changed after the plan was made; it is left as it is")
        return
    if root.capabilities.hard_links:
        # RACE: as in `exchange`.
        root.link(to, keep)
        if not same_object(over, root.entry(keep)):
            root.remove(keep)
            raise PathError(Reason.TARGET_CHANGED, to, "was changed after the plan was made; it is left as it is")
        root.replace(at, to)
        return
    # RACE: as in `_replace_by_moves`.
    root.rename(to, own.swap)
    if not same_object(over, root.entry(own.swap)):
        root.rename(own.swap, to)
        raise PathError(Reason.TARGET_CHANGED, to, "was changed after the plan was made; it is left as it is")
    root.rename(at, to)
    root.rename(own.swap, keep)


def move_away(root: Root, at: RelPath, expect: Entry, keep: RelPath, seen: bytes | None) -> None:
    """Move what the plan saw to `keep`; what turns out to be something else is put back.

    Raises: PathError (target-changed).
    """
    if seen is not None and subtree(root, at) != seen:
        raise PathError(Reason.TARGET_CHANGED, at, "something in it was changed after the plan was made; it is kept")
    root.rename(at, keep)
    if same_object(expect, root.entry(keep)) and (seen is None or subtree(root, keep) == seen):
        return
    root.rename(keep, at)
    raise PathError(Reason.TARGET_CHANGED, at, "was changed after the plan was made; it is kept")


def subtree(root: Root, path: RelPath) -> bytes:
    """`subtree_digest` of a directory as it stands. Raises: PathError."""
    found: list[tuple[str, bytes]] = []
    stack = [""]
    while stack:
        relative = stack.pop()
        listed = root.listing(names.join(path, relative) if relative else path)
        if listed is None:
            raise PathError(Reason.TARGET_CHANGED, path, "vanished while it was looked at")
        payload, directories = listed
        found.append((relative, payload))
        stack.extend(f"{relative}/{name}" if relative else name for name in directories)
    return listing.subtree_digest(found)


def same_object(expect: Entry, found: Entry | None) -> bool:
    """Whether `found` is what the plan saw, after a rename: its status time may have moved."""
    return found is not None and (
        (expect.kind, expect.size, expect.mtime_ns, expect.inode)
        == (found.kind, found.size, found.mtime_ns, found.inode)
    )


def make_parents(root: Root, path: RelPath) -> bool:
    """Make the directories above a path that are missing; whether the nearest one was. Raises: PathError."""
    above = names.parent(path)
    if not above:
        return False
    try:
        root.make_directory(above)
        return True
    except PathError as error:
        if error.reason != Reason.TARGET_CHANGED:
            raise
    if root.entry(above) is not None:
        return False
    make_parents(root, above)
    root.make_directory(above)
    return True


def ours_changed(kept: Iterable[RelPath | None]) -> list[RelPath]:
    """The directories of ours that commits changed: the one they were staged in, and all above what they `kept`."""
    above = (directory for path in kept if path for directory in names.ancestors(path)[:-1])
    return list(dict.fromkeys([*above, STAGING]))


def free_trash(root: Root, own: Names, path: RelPath) -> RelPath:
    """A free name in this run's trash for a path, in a directory that is there by now. Raises: PathError."""
    return free_in_trash(root, own.trash(path))


def free_in_trash(root: Root, wanted: RelPath) -> RelPath:
    """A free place in the trash, in a directory that is there by now: where the one that is wanted is taken, or a file
    stands in the way to it, the next one, `name~2` and so on. Raises: PathError."""
    try:
        if make_parents(root, wanted):
            return wanted
    except PathError as error:
        if error.reason != Reason.TARGET_CHANGED:  # else a file stands in the way
            raise
    folder, last = names.parent(wanted), names.basename(wanted)
    there = root.entry(folder)
    if there is None or there.kind is not Kind.DIRECTORY:
        above, folder = names.parent(wanted).removeprefix(f"{TRASH}/"), TRASH
        for name in above.split("/"):
            folder = next(each for each in _in_turn(folder, name) if _passable(root.entry(each)))
        make_parents(root, names.join(folder, last))
    return next(each for each in _in_turn(folder, last) if root.entry(each) is None)


def _in_turn(above: RelPath, name: str) -> Iterator[RelPath]:
    yield RelPath(f"{above}/{name}")
    yield from (RelPath(f"{above}/{name}~{attempt}") for attempt in count(2))


def _passable(found: Entry | None) -> bool:
    return found is None or found.kind is Kind.DIRECTORY
