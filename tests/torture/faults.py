"""Faults to plant in the product: each a small change of its behaviour, for as long as its context lasts.

The random tester must find every one of them; most of them pass all other tests, or they would prove little.
Nothing outside the tests imports this.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from syncline.core import cells, draft, guard
from syncline.core.model import Agreed, Guard, Hold, Kind, Policy, PutFile, RelPath
from syncline.errors import PathError
from syncline.execute import batches, perform, recover, remember, results, transfer
from syncline.fs import local, scan
from syncline.scanner import scan as scanning
from syncline.store import journal

FAULTS: dict[str, Callable[[ExitStack], None]] = {}


def fault(plant: Callable[[ExitStack], None]) -> Callable[[ExitStack], None]:
    FAULTS[plant.__name__.replace("_", "-")] = plant
    return plant


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The product with one fault."""
    with ExitStack() as stack:
        FAULTS[name](stack)
        yield


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
    """The journal is written after the deed."""
    begin, done = journal.Journal.begin, journal.Journal.done
    late: list[Any] = []

    def later(self: Any, run: str, steps: Any) -> None:
        late[:] = [(run, list(steps))]

    def now(self: Any, run: str, steps: Any) -> None:
        for begun in late:
            begin(self, *begun)
        late.clear()
        done(self, run, steps)

    swap(stack, journal.Journal, "begin", later)
    swap(stack, journal.Journal, "done", now)


@fault
def no_clash_file(stack: ExitStack) -> None:
    """`keep-both` keeps one."""
    chosen = draft.Draft.policy

    def one(self: Any, name: Any, rule: Any) -> Policy:
        found = chosen(self, name, rule)
        return Policy.NEWEST if found is Policy.KEEP_BOTH else found

    swap(stack, draft.Draft, "policy", one)


@fault
def trash_name_overwritten(stack: ExitStack) -> None:
    """All runs share one name in the trash, and the later version takes the place of the earlier one."""

    def shared(root: Any, own: Any, path: RelPath) -> RelPath:
        keep = RelPath(f"{transfer.TRASH}/{own.run[:8]}/{path}")
        found = root.entry(keep)
        if found is not None:
            (root.remove_directory if found.kind is Kind.DIRECTORY else root.remove)(keep)
        return keep

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
    """What was replaced is deleted."""
    put = perform._displace

    def displace(site: Any, action: Any, *args: Any) -> Any:
        keep = put(site, action, *args)
        if keep is not None and action.expect is not None and action.expect.kind is Kind.FILE:
            site.roots[action.at.side].remove(keep)
            return None
        return keep

    swap(stack, perform, "_displace", displace)


@fault
def stale_plan_applied(stack: ExitStack) -> None:
    """Nobody looks whether the target still is what the plan saw."""
    swap(stack, perform, "_unchanged", lambda expect, found: True)
    swap(stack, transfer, "same_object", lambda expect, found: found is not None)
    swap(stack, local, "as_planned", lambda *args: None)


@fault
def changing_source_believed(stack: ExitStack) -> None:
    """A source that changed while it was copied counts as copied."""
    swap(stack, transfer, "same_file", lambda expect, found: True)
    swap(stack, perform, "_reason_holds", lambda *args: None)


@fault
def link_followed(stack: ExitStack) -> None:
    """A scan looks through links."""
    through = SimpleNamespace(
        listdir=os.listdir, stat=lambda name, *, dir_fd, follow_symlinks: _stat_through(name, dir_fd)
    )
    swap(stack, scan, "os", through)
    swap(stack, local, "pack_directory", scan.pack_directory)


def _stat_through(name: str, dir_fd: int) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=dir_fd)
    except OSError:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)


@fault
def missing_fsync(stack: ExitStack) -> None:
    """Files get their names before they are durable."""
    flushed = batches._flushed

    def lazy(site: Any, batch: Any, items: Any, failures: Any, paths: Any) -> bool:
        chosen = list(items)
        if any("/staging/" in path for item in chosen for path in paths(item)):
            return True
        return flushed(site, batch, chosen, failures, paths)

    swap(stack, batches, "_flushed", lazy)


@fault
def done_before_durable(stack: ExitStack) -> None:
    """The journal says done, and the base moves, before the names are durable."""
    flushed = batches._flushed

    def lazy(site: Any, batch: Any, items: Any, failures: Any, paths: Any) -> bool:
        chosen = list(items)
        if any("/staging/" not in path for item in chosen for path in paths(item)):
            return True
        return flushed(site, batch, chosen, failures, paths)

    swap(stack, batches, "_flushed", lazy)


@fault
def wrong_base_after_conflict(stack: ExitStack) -> None:
    """After a conflict the base keeps what it had before."""
    settle = results.Results.settle

    def half(self: Any, action: Any, *, failed: bool) -> None:
        settle(self, action, failed=failed or action.group is not None)

    swap(stack, results.Results, "settle", half)


@fault
def case_collapse(stack: ExitStack) -> None:
    """Two names that differ in case are one in the target."""
    rename = local.LocalRoot.rename

    def collapsed(self: Any, old: RelPath, new: RelPath) -> None:
        ours = new.startswith(".syncline/")
        rename(self, old, new if ours or "_clash_" in new else RelPath(new.lower()))

    swap(stack, local.LocalRoot, "rename", collapsed)


@fault
def racy_entry_believed(stack: ExitStack) -> None:
    """Equal size and time are taken for an unchanged file, whatever else the stat says."""

    def changed(name: Any, side: Any, base: Any) -> bool:
        entry, before = name.there(side), base.entry(side)
        return (entry.size, entry.mtime_ns, entry.kind) != (before.size, before.mtime_ns, before.kind)

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
    """One file more than the limit may go."""
    deletions = guard._deletions

    def generous(actions: Any, plan_id: Any, seen: Any, *rest: Any) -> Any:
        limits = seen.limits
        more = None if limits.deletes is None else limits.deletes + 1
        return deletions(actions, plan_id, replace(seen, limits=replace(limits, deletes=more)), *rest)

    swap(stack, guard, "_deletions", generous)


@fault
def not_agreed_taken_for_base(stack: ExitStack) -> None:
    """A name that only stands in the listing counts as agreed."""
    agreed = remember.Memory._agreed

    def generous(self: Any, directory: Any, left: Any, right: Any) -> Any:
        base = agreed(self, directory, left, right)
        names: dict[str, Agreed] = dict(base.agreed)
        rest = dict(base.unagreed)
        for key, item in base.unagreed.items():
            entry = left.get(item.name) or right.get(item.name)
            if item.hold is Hold.FAILED and entry is not None and entry.kind is Kind.FILE:
                names[key] = Agreed(item.name, item.name, entry, entry)
                del rest[key]
        return replace(base, agreed=names, unagreed=rest)

    swap(stack, remember.Memory, "_agreed", generous)


@fault
def retry_without_end(stack: ExitStack) -> None:
    """A copy that fails is tried again, for ever."""
    once = transfer._copy_once

    def again(*args: Any) -> Any:
        while True:
            try:
                yield from once(*args)
                return
            except PathError:
                continue

    swap(stack, transfer, "_copy_once", again)


@fault
def old_state_believed(stack: ExitStack) -> None:
    """A state restored from an old copy is taken for the living one."""
    running = sys.modules["syncline.engine.run"]
    judge = running.judge

    def believing(job: Any, record: Any, *args: Any, **named: Any) -> Any:
        found = judge(job, record, *args, **named)
        if record is None or not record.generation or named.get("adopted"):
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
