"""Staging the next batches in second processes while this one commits: reading and hashing there, renaming here."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from syncline.core import plan as planning
from syncline.core.model import Action, Entry, Kind
from syncline.errors import PathError
from syncline.execute import perform
from syncline.execute.perform import Site, Staged
from syncline.execute.transfer import Names
from syncline.fs.beside import ABLE, Beside

WORTH_ACTIONS = 200
WORTH_BYTES = 32_000_000
"""From so much on a batch is worth the few milliseconds a second process costs."""

COPYING = 2
"""So many batches are staged at the same time."""

Numbers = Sequence[tuple[int, Action]]


class Ahead:
    """A few batches, staged while another is committed."""

    def __init__(self, site: Site, run: str) -> None:
        self._site = site
        self._run = run
        self._under_way: dict[int, tuple[Numbers, Beside]] = {}  # by the number of the first action

    def begin(self, batch: Numbers) -> None:
        """Start staging these actions, unless that goes on already or is not worth a process."""
        able = ABLE and (os.cpu_count() or 1) > 1 and len(self._under_way) < COPYING
        if able and batch[0][0] not in self._under_way and _worth(batch):
            beside = Beside(lambda orphaned: _stage(self._site, self._run, batch, orphaned))
            self._under_way[batch[0][0]] = batch, beside

    def take(self, batch: Numbers) -> dict[int, Staged]:
        """Those actions of a batch that were staged ahead; the others are still to be staged.

        A failure there is not the last word: what stood in the way may have been done by an earlier batch since.
        """
        begun, beside = self._under_way.pop(batch[0][0], ((), None))
        if beside is None:
            return {}
        assert [number for number, _ in begun] == [number for number, _ in batch]
        data = beside.result(self._site.stop)
        found = _read(data) if data else {}
        self._discard(batch, found)
        return found

    def stop(self) -> None:
        """End it, and clear away what was staged."""
        while self._under_way:
            _, (batch, beside) = self._under_way.popitem()
            beside.stop()
            self._discard(batch, ())

    def _discard(self, batch: Numbers, found: Collection[int]) -> None:
        for number, action in batch:
            if number not in found:
                perform.discard(self._site, action, Names(self._run, number))


def _worth(batch: Numbers) -> bool:
    return len(batch) >= WORTH_ACTIONS or sum(planning.size_of(action) for _, action in batch) >= WORTH_BYTES


def _stage(site: Site, run: str, batch: Numbers, orphaned: Callable[[], bool]) -> bytes:
    here = replace(site, stop=lambda: orphaned() or site.stop())
    rows: list[object] = []
    for number, action in batch:
        if here.stop():
            break
        try:
            for step in perform.stage(here, action, Names(run, number)):
                if isinstance(step, Staged):
                    rows.append((number, _plain(step.entry), _plain(step.source)))
        except PathError:
            continue  # the run itself will meet it, and tell it
    return marshal.dumps(rows)


def _read(data: bytes) -> dict[int, Staged]:
    rows = marshal.loads(data)  # noqa: S302  # from our own child, through a pipe nobody else has
    return {number: Staged(_entry(entry), _entry(source)) for number, entry, source in rows}


def _plain(entry: Entry | None) -> tuple[object, ...] | None:
    if entry is None:
        return None
    stamp = int(entry.kind), entry.size, entry.mtime_ns, entry.mode, entry.ctime_ns, entry.inode
    return *stamp, entry.content, entry.owner, entry.xattr, entry.windows


def _entry(row: _Row | None) -> Entry | None:
    return None if row is None else Entry(_KINDS[row[0]], *row[1:])


_Row = tuple[int, int, int, int, int, int, bytes | None, int | None, bytes | None, int | None]
_KINDS = {int(kind): kind for kind in Kind}
