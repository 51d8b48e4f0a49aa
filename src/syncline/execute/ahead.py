"""Staging the next batch in a second process while this one commits: reading and hashing there, renaming here."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Mapping, Sequence
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

Outcome = Staged | PathError
Numbers = Sequence[tuple[int, Action]]


class Ahead:
    """At most one batch, staged while another is committed."""

    def __init__(self, site: Site, run: str) -> None:
        self._site = site
        self._run = run
        self._batch: Numbers = ()
        self._beside: Beside | None = None

    def begin(self, batch: Numbers) -> None:
        """Start staging these actions, if that is worth a process."""
        if not ABLE or (os.cpu_count() or 1) < 2 or not _worth(batch):
            return
        self._batch = batch
        self._beside = Beside(lambda orphaned: _stage(self._site, self._run, batch, orphaned))

    def take(self, batch: Numbers) -> dict[int, Outcome]:
        """What became of those actions of a batch that were staged ahead; the others are still to be staged."""
        if self._beside is None:
            return {}
        assert [number for number, _ in self._batch] == [number for number, _ in batch]
        data = self._beside.result(self._site.stop)
        self._beside = None
        found = _read(data) if data else {}
        self._discard(found)
        return found

    def stop(self) -> None:
        """End it, and clear away what it staged."""
        if self._beside is not None:
            self._beside.stop()
            self._beside = None
            self._discard({})

    def _discard(self, found: Mapping[int, Outcome]) -> None:
        for number, action in self._batch:
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
        except PathError as error:
            if not here.stop():
                rows.append((number, str(error.reason), error.path, error.detail))
    return marshal.dumps(rows)


def _read(data: bytes) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    for row in marshal.loads(data):  # noqa: S302  # from our own child, through a pipe nobody else has
        if len(row) == 3:
            number, entry, source = row
            found[number] = Staged(_entry(entry), _entry(source))
        else:
            number, reason, path, detail = row
            found[number] = PathError(reason, path, detail)
    return found


def _plain(entry: Entry | None) -> tuple[object, ...] | None:
    if entry is None:
        return None
    return int(entry.kind), entry.size, entry.mtime_ns, entry.mode, entry.ctime_ns, entry.inode, entry.content


def _entry(row: tuple[int, int, int, int, int, int, bytes | None] | None) -> Entry | None:
    return None if row is None else Entry(Kind(row[0]), *row[1:])
