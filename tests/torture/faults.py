"""Faults to plant in the product: each a small change of its behaviour, for as long as its context lasts.

The random tester must find every one of them. Those in `UNSEEN` all other tests pass, or they would prove little: they
show only in a circumstance that no example has. What is said there was found out, and can be found out again, by
`SYNCLINE_LONG=1 pytest tests/torture/test_unseen.py`. Nothing outside the tests imports this.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from syncline.core import cells, draft, guard
from syncline.core.model import (
    Agreed,
    Guard,
    Hold,
    Kind,
    MakeDirectory,
    Policy,
    PutFile,
    Reason,
    RelPath,
    Rename,
    SetProperties,
    Side,
    Trash,
)
from syncline.errors import PathError
from syncline.execute import batches, perform, recover, remember, results, transfer
from syncline.fs import local, scan
from syncline.scanner import scan as scanning
from syncline.store import journal

FAULTS: dict[str, Callable[[ExitStack], None]] = {}

ORDINARY = ("tests/core", "tests/store", "tests/fs", "tests/scanner", "tests/e2e")
"""The tests of the engine and what is below it, those at random left out."""

UNSEEN = frozenset(
    {
        "case-collapse",
        "changing-source-believed",
        "done-before-durable",
        "guard-off-by-one",
        "missing-fsync",
        "no-clash-file",
        "not-agreed-taken-for-base",
        "old-state-believed",
        "racy-entry-believed",
        "retry-without-end",
        "stale-plan-applied",
    }
)
"""The faults with which all `ORDINARY` tests pass, planted together."""


def fault(plant: Callable[[ExitStack], None]) -> Callable[[ExitStack], None]:
    FAULTS[plant.__name__.replace("_", "-")] = plant
    return plant


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The product with one fault."""
    with ExitStack() as stack:
        FAULTS[name](stack)
        yield


def _depth(path: RelPath) -> int:
    """How many folders lie above a path, the root not counted."""
    return path.count("/")


def swap(stack: ExitStack, owner: Any, name: str, new: Any) -> None:
    stack.enter_context(patch.object(owner, name, new))


@fault
def state_before_act(stack: ExitStack) -> None:
    """What is planned is remembered as done before anything is done."""
    carry_out = batches._carry_out_batch

    def early(batch: Any, *rest: Any) -> Any:
        site = next(arg for arg in rest if isinstance(arg, perform.Site))
        books = next(arg for arg in rest if isinstance(arg, batches.Books))
        for item in batch:
            site.results.settle(item.action, failed=False)
        with books.store.transaction():
            books.remember()
        return carry_out(batch, *rest)

    swap(stack, batches, "_carry_out_batch", early)


@fault
def failed_act_remembered(stack: ExitStack) -> None:
    """An action that failed is remembered as if it had not been tried: the base runs ahead of the disk."""
    settle = results.Results.settle
    swap(stack, results.Results, "settle", lambda self, action, *, failed: settle(self, action, failed=False))


@fault
def act_before_journal(stack: ExitStack) -> None:
    """What goes to the trash, is renamed or is a new folder is written into the journal after the deed."""
    carry_out = batches._carry_out_batch

    def later(batch: Any, *rest: Any) -> Any:
        books = next(arg for arg in rest if isinstance(arg, batches.Books))
        late: Any = replace(books, journal=_Late(books.journal))  # type: ignore[arg-type]
        others: list[Any] = [late if arg is books else arg for arg in rest]
        return carry_out(batch, *others)

    swap(stack, batches, "_carry_out_batch", later)


class _Late:
    """A journal that is told of some actions only when they are done."""

    def __init__(self, real: journal.Journal) -> None:
        self._real = real
        self._late: list[Any] = []
        self.failed = real.failed

    def begin(self, run: str, steps: Any) -> None:
        early: list[Any] = []
        for step in steps:
            (self._late if isinstance(step[2], Trash | Rename | MakeDirectory) else early).append(step)
        self._real.begin(run, early)

    def done(self, run: str, steps: Any) -> None:
        self._real.begin(run, self._late)
        self._real.done(run, steps)


@fault
def no_clash_file(stack: ExitStack) -> None:
    """`keep-both` keeps one, where a path is not ASCII."""
    chosen = draft.Draft.policy

    def one(self: Any, name: Any, rule: Any) -> Policy:
        found = chosen(self, name, rule)
        return Policy.NEWEST if found is Policy.KEEP_BOTH and not name.left_path.isascii() else found

    swap(stack, draft.Draft, "policy", one)


@fault
def trash_name_overwritten(stack: ExitStack) -> None:
    """Where the trash has versions of several runs, a file in a folder takes the place of all but the latest run's."""
    free = transfer.free_trash

    def shared(root: Any, own: Any, path: RelPath) -> RelPath:
        there = root.names(transfer.TRASH) if _depth(path) and root.entry(transfer.TRASH) is not None else []
        for run in sorted(run for run in there if run != own.run)[:-1]:
            earlier = RelPath(f"{transfer.TRASH}/{run}/{path}")
            found = root.entry(earlier)
            if found is not None and found.kind is Kind.FILE:
                root.remove(earlier)
        return free(root, own, path)

    swap(stack, transfer, "free_trash", shared)


@fault
def unreadable_taken_for_absent(stack: ExitStack) -> None:
    """What cannot be read counts as not there."""
    walk: Any = scanning.walk  # type: ignore[attr-defined]  # replaced where it is used

    def blind(listing: Any, *args: Any, **named: Any) -> Any:
        def listed(path: RelPath) -> Any:
            try:
                return listing(path)
            except PathError:
                return None

        return walk(listed, *args, **named)

    swap(stack, scanning, "walk", blind)


@fault
def delete_before_copy(stack: ExitStack) -> None:
    """What is to be replaced goes to the trash before its successor is staged."""
    stage = perform.stage

    def hasty(site: Any, action: Any, own: Any) -> Any:
        root = site.roots[action.at.side]
        if isinstance(action, PutFile) and action.expect is not None and root.entry(action.at.path) is not None:
            keep = transfer.free_trash(root, own, action.at.path)
            transfer.make_parents(root, keep)
            root.rename(action.at.path, keep)
        return (yield from stage(site, action, own))

    put = perform._displace

    def displace(site: Any, action: Any, own: Any, expect: Any, entry: Any) -> Any:
        if isinstance(action, PutFile):
            site.results.note(action.at, transfer.publish(site.roots[action.at.side], own.new, action.at.path, entry))
            return own.trash(action.at.path)
        return put(site, action, own, expect, entry)

    swap(stack, perform, "stage", hasty)
    swap(stack, perform, "_displace", displace)


@fault
def replaced_version_not_kept(stack: ExitStack) -> None:
    """A file that loses its name to a renamed one is deleted."""
    rename = perform._rename

    def careless(site: Any, action: Any, own: Any) -> Any:
        keep = rename(site, action, own)
        if keep is not None:
            site.roots[action.at.side].remove(keep)
        return None

    swap(stack, perform, "_rename", careless)


@fault
def stale_plan_applied(stack: ExitStack) -> None:
    """Nobody sees that the target was written to since the plan was made, if it is as long as it was."""

    def alike(expect: Any, found: Any) -> bool:
        return found is not None and (expect.kind, expect.size, expect.inode) == (found.kind, found.size, found.inode)

    swap(stack, perform, "_unchanged", alike)
    swap(stack, transfer, "same_object", alike)


@fault
def changing_source_believed(stack: ExitStack) -> None:
    """A source that changed while it was copied counts as copied, if it is as long as it was."""

    def alike(expect: Any, found: Any) -> bool:
        return found is not None and (expect.kind, expect.size) == (found.kind, found.size)

    swap(stack, transfer, "same_file", alike)


@fault
def link_followed(stack: ExitStack) -> None:
    """A scan looks through links to what lies beside them."""
    through = SimpleNamespace(
        listdir=os.listdir, stat=lambda name, *, dir_fd, follow_symlinks: _stat_through(name, dir_fd)
    )
    swap(stack, scan, "os", through)
    swap(stack, local, "pack_directory", scan.pack_directory)


def _stat_through(name: str, dir_fd: int) -> os.stat_result:
    plain = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if not stat.S_ISLNK(plain.st_mode) or "/" in os.path.normpath(os.readlink(name, dir_fd=dir_fd)):
        return plain
    try:
        return os.stat(name, dir_fd=dir_fd)
    except OSError:
        return plain


@fault
def missing_fsync(stack: ExitStack) -> None:
    """Files get their names before they are durable."""
    flushed = batches._flushed

    def lazy(site: Any, batch: Any, items: Any, failures: Any, paths: Any, *done: Any) -> bool:
        chosen = list(items)
        if any("/staging/" in path for item in chosen for path in paths(item)):
            return True
        return flushed(site, batch, chosen, failures, paths, *done)

    swap(stack, batches, "_flushed", lazy)


@fault
def done_before_durable(stack: ExitStack) -> None:
    """Where a batch only sets properties, the journal says done, and the base moves, before they are durable."""
    flushed = batches._flushed

    def lazy(site: Any, batch: Any, items: Any, failures: Any, paths: Any, *done: Any) -> bool:
        if all(isinstance(item.action, SetProperties) for item in batch):
            return True
        return flushed(site, batch, items, failures, paths, *done)

    swap(stack, batches, "_flushed", lazy)


@fault
def wrong_base_after_conflict(stack: ExitStack) -> None:
    """After a conflict in a folder the base keeps what it had before."""
    settle = results.Results.settle

    def half(self: Any, action: Any, *, failed: bool) -> None:
        aside = getattr(action, "aside", None) is not None
        settle(self, action, failed=failed or (aside and _depth(action.at.path) > 0))

    swap(stack, results.Results, "settle", half)


@fault
def case_collapse(stack: ExitStack) -> None:
    """The names of links that differ in case are one in the target."""
    rename = local.LocalRoot.rename

    def collapsed(self: Any, old: RelPath, new: RelPath) -> None:
        lower = RelPath(new.lower())
        ours = lower == new or new.startswith(".syncline/") or "_clash_" in new
        found = None if ours else self.entry(old)
        rename(self, old, lower if found is not None and found.kind is Kind.LINK else new)

    swap(stack, local.LocalRoot, "rename", collapsed)


@fault
def racy_entry_believed(stack: ExitStack) -> None:
    """In a folder of the right, equal size and time are taken for an unchanged file, whenever its status changed."""
    before = draft.stamp_changed

    def changed(name: Any, side: Any, base: Any) -> bool:
        if side is Side.LEFT or not _depth(name.right_path):
            return before(name, side, base)
        entry, then = name.there(side), base.entry(side)
        return any(getattr(entry, each) != getattr(then, each) for each in ("kind", "size", "mtime_ns", "inode"))

    for owner in (draft, cells):
        swap(stack, owner, "stamp_changed", changed)


@fault
def attributes_left_behind(stack: ExitStack) -> None:
    """A copy does not bring extended attributes."""
    besides = perform._besides

    def poor(site: Any, action: Any, present: Any) -> Any:
        found = besides(site, action, present)
        return replace(found, xattr=None) if isinstance(action, PutFile) else found

    swap(stack, perform, "_besides", poor)


@fault
def guard_off_by_one(stack: ExitStack) -> None:
    """One file more than the limit may go from the left."""
    deletions = guard._deletions

    def generous(sums: Any, plan_id: Any, seen: Any, side: Any, *rest: Any) -> Any:
        limits = seen.limits
        if side is Side.LEFT and limits.deletes is not None:
            seen = replace(seen, limits=replace(limits, deletes=limits.deletes + 1))
        return deletions(sums, plan_id, seen, side, *rest)

    swap(stack, guard, "_deletions", generous)


@fault
def not_agreed_taken_for_base(stack: ExitStack) -> None:
    """A link that could not be made on the left and stands only in the listing of the right counts as agreed."""
    agreed = remember.Memory._agreed

    def generous(self: Any, directory: Any, left: Any, right: Any) -> Any:
        base = agreed(self, directory, left, right)
        names: dict[str, Agreed] = dict(base.agreed)
        rest = dict(base.unagreed)
        for key, item in base.unagreed.items():
            entry = None if item.name in left else right.get(item.name)
            if item.hold is Hold.FAILED and entry is not None and entry.kind is Kind.LINK:
                names[key] = Agreed(item.name, item.name, entry, entry)
                del rest[key]
        return replace(base, agreed=names, unagreed=rest)

    swap(stack, remember.Memory, "_agreed", generous)


@fault
def retry_without_end(stack: ExitStack) -> None:
    """A new file whose source has vanished is copied again and again, for ever."""
    stage = perform.stage

    def again(site: Any, action: Any, own: Any) -> Any:
        while True:
            try:
                return (yield from stage(site, action, own))
            except PathError as error:
                new = isinstance(action, PutFile) and action.expect is None and error.path == action.source.path
                if not new or error.reason is not Reason.TARGET_CHANGED:
                    raise

    swap(stack, perform, "stage", again)


@fault
def old_state_believed(stack: ExitStack) -> None:
    """A state restored from an old copy is taken for the living one, if more than one run has passed since."""
    running = import_module("syncline.engine.run")
    judge = running.judge

    def believing(job: Any, record: Any, *args: Any, **named: Any) -> Any:
        found = judge(job, record, *args, **named)
        if record is None or not record.generation or named.get("adopted") or found.generation < record.generation + 3:
            return found
        objections = tuple(objection for objection in found.objections if objection.guard is not Guard.STATE_OLDER)
        return replace(found, first=False, objections=objections)

    swap(stack, running, "judge", believing)


@fault
def staging_cleared_at_will(stack: ExitStack) -> None:
    """After a crash everything in staging is taken for our own copies."""

    def clear(root: Any, *rest: Any) -> None:
        for name in root.names(transfer.STAGING):
            path = RelPath(f"{transfer.STAGING}/{name}")
            found = root.entry(path)
            (root.remove_directory if found.kind is Kind.DIRECTORY else root.remove)(path)

    swap(stack, recover, "_settle", lambda roots, item: None)
    swap(stack, recover, "clear_staging", clear)
