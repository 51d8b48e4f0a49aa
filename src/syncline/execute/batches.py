"""Carrying out a plan batch by batch: journal, stage, make durable, commit, make durable, journal.

Durability is bought once per batch instead of once per file. What a crash leaves of a batch is explained by its
journal rows, which were written before anything could be seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from syncline.core import plan as planning
from syncline.core.model import (
    SIDES,
    Action,
    ActionDone,
    ActionFailed,
    Entry,
    Event,
    Place,
    Problem,
    Progress,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Rename,
    Side,
)
from syncline.core.policy import Durability
from syncline.errors import PathError, StateError
from syncline.execute import perform
from syncline.execute.ahead import COPYING, Ahead
from syncline.execute.perform import Site, Staged
from syncline.execute.results import outcome_place
from syncline.execute.transfer import Names, ours_changed
from syncline.store.db import Store
from syncline.store.journal import Journal

BATCH_ACTIONS = 1000
BATCH_BYTES = 256_000_000


_Done = tuple[Entry | None, RelPath | None]
"""What an action left where it ended, and where in the trash what stood there went."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """An action with its number in the run's journal."""

    number: int
    action: Action


@dataclass(slots=True)
class Tally:
    """How far a run has come."""

    total_actions: int
    total_bytes: int
    actions: int = 0
    bytes: int = 0

    def progress(self, path: RelPath | None = None) -> Progress:
        return Progress(self.bytes, self.total_bytes, self.actions, self.total_actions, path)


@dataclass(frozen=True, slots=True)
class Books:
    """Where a batch is written down: the state, the journal in it, the run, and what to write when a batch is done."""

    store: Store
    journal: Journal
    run: str
    remember: Callable[[], object]


def carry_out(actions: Sequence[Action] | Iterable[Action], site: Site, books: Books, tally: Tally) -> Iterator[Event]:
    """Do what a plan says. Stops between two actions when `site.stop()` is true.

    Raises:
        RootLost: a root went away; what was done since anything was made durable stays begun, and recovery looks at it.
        StateError: the journal cannot be written; nothing more was done after that.
    """
    ahead = Ahead(site, books.run)
    coming = _numbered(actions)
    following = deque(islice(coming, 1))
    try:
        while following and not site.stop():
            batch = following.popleft()
            following.extend(islice(coming, COPYING - len(following)))
            yield from _carry_out_batch(batch, following, ahead, site, books, tally)
    finally:
        ahead.stop()


def _numbered(actions: Iterable[Action]) -> Iterator[list[Numbered]]:
    number = 1
    for batch in batches(actions):
        yield [Numbered(number + index, action) for index, action in enumerate(batch)]
        number += len(batch)


def batches(actions: Iterable[Action]) -> Iterator[list[Action]]:
    """Consecutive actions, so many as may be staged at once; a group is never divided. What is read under a new name
    before anything is done waits until the renames are done."""
    batch: list[Action] = []
    size, renames = 0, False
    for action in actions:
        reads = isinstance(action, PutFile | PutLink) or perform.attributes_change(action)
        if renames and reads:
            yield batch
            batch, size, renames = [], 0, False
        full = len(batch) >= BATCH_ACTIONS or size + planning.size_of(action) > BATCH_BYTES
        if batch and full and (action.group is None or action.group != batch[-1].group):
            yield batch
            batch, size, renames = [], 0, False
        batch.append(action)
        renames = renames or isinstance(action, Rename)
        size += planning.size_of(action)
    if batch:
        yield batch


def _carry_out_batch(
    batch: list[Numbered], following: Iterable[list[Numbered]], ahead: Ahead, site: Site, books: Books, tally: Tally
) -> Iterator[Event]:
    begun = [(item.number, item.action.group, perform.with_attributes(site, item.action), None) for item in batch]
    with books.store.transaction():
        books.journal.begin(books.run, begun)
    failures: dict[int, Problem] = {}
    done: dict[int, _Done] = {}
    found = ahead.take(_plain(batch))
    _begin_following(batch, following, ahead)
    staged = yield from _stage(batch, found, site, books.run, failures, tally)
    if _flushed(site, batch, staged_items(batch, staged), failures, lambda item: [_names(books, item).new]):
        for unit in _units(batch):
            _commit_unit(unit, site, books, staged, failures, done)
        _begin_following([], following, ahead)  # what waited for renames
    else:
        for item in batch:
            perform.discard(site, item.action, _names(books, item))
    changed = [item for item in batch if item.number in done]
    if not _flushed(site, batch, changed, failures, lambda item: _names_changed(item.action), done):
        done.clear()  # what may be lost is not remembered: the next run compares it anew
    for item in changed if done else ():
        perform.release(site, item.action, _names(books, item))
    try:
        _write_down(batch, site, books, failures, done)
    except StateError:
        # It stands on the disk, and is told; recovery writes it down.
        yield from (ActionDone(item.number, item.action) for item in changed if item.number in done)
        raise
    for item in batch:
        tally.actions += 1
        if item.number in done:
            yield ActionDone(item.number, item.action)
        else:
            problem = failures.get(item.number) or _interrupted(item.action)
            yield ActionFailed(item.number, item.action, problem, skipped=item.number not in failures)
    yield tally.progress()


def _begin_following(batch: list[Numbered], following: Iterable[list[Numbered]], ahead: Ahead) -> None:
    """Have the next batches staged, but none whose sources a rename before it may still move."""
    before = batch
    for other in following:
        if any(isinstance(item.action, Rename) for item in before):
            return
        ahead.begin(_plain(other))
        before = other


def _plain(batch: Iterable[Numbered]) -> list[tuple[int, Action]]:
    return [(item.number, item.action) for item in batch]


def staged_items(batch: list[Numbered], staged: Mapping[int, Staged]) -> list[Numbered]:
    """Those of a batch that have an object in staging."""
    return [item for item in batch if (found := staged.get(item.number)) is not None and found.entry is not None]


def _stage(
    batch: list[Numbered],
    found: Mapping[int, Staged],
    site: Site,
    run: str,
    failures: dict[int, Problem],
    tally: Tally,
) -> Generator[Event, None, dict[int, Staged]]:
    """Stage every action of a batch that was not found staged ahead; returns what was staged by number."""
    staged: dict[int, Staged] = {}
    for item in batch:
        if site.stop():
            break
        before, size = tally.bytes, planning.size_of(item.action)
        try:
            known = found.get(item.number)
            if known is not None:
                staged[item.number] = known
                tally.bytes = before + size
                continue
            for step in perform.stage(site, item.action, Names(run, item.number)):
                if isinstance(step, Staged):
                    staged[item.number] = step
                else:
                    tally.bytes += step
                    yield tally.progress(item.action.at.path)
        except PathError as error:
            if not site.stop():
                source = getattr(item.action, "source", item.action.at)
                failures[item.number] = _problem(source if error.path == source.path else item.action.at, error)
        tally.bytes = before + size
    return staged


def _commit_unit(
    unit: list[Numbered],
    site: Site,
    books: Books,
    staged: Mapping[int, Staged],
    failures: dict[int, Problem],
    done: dict[int, _Done],
) -> None:
    """Commit one action, or a group: it is begun only when all of it is staged, and stops at its first failure."""
    if all(item.number in staged for item in unit):
        for item in unit:
            try:
                own = _names(books, item)
                trashed = perform.commit(site, item.action, own, staged[item.number])
                done[item.number] = site.results.entries.get(outcome_place(item.action)), trashed
            except PathError as error:
                unjustified = isinstance(error, perform.Unjustified)
                failures[item.number] = _problem(item.action.because.place if unjustified else item.action.at, error)
                break
    for item in unit:
        if item.number not in done and item.number in staged:
            perform.discard(site, item.action, _names(books, item))
            if item.number not in failures and not site.stop():
                blamed = next((failures[other.number] for other in unit if other.number in failures), None)
                failures[item.number] = blamed or _interrupted(item.action)


def _write_down(
    batch: list[Numbered],
    site: Site,
    books: Books,
    failures: Mapping[int, Problem],
    done: Mapping[int, _Done],
) -> None:
    """Say in the journal what became of these actions, and remember what both sides agree on now."""
    rows: list[tuple[int, Entry | None, RelPath | None]] = []
    failed: list[tuple[int, Problem, bool]] = []
    for item in batch:
        site.results.settle(item.action, failed=item.number not in done)
        if item.number in done:
            rows.append((item.number, *done[item.number]))
        else:
            problem = failures.get(item.number) or _interrupted(item.action)
            failed.append((item.number, problem, item.number not in failures))
    with books.store.transaction():
        books.journal.done(books.run, rows)
        books.journal.failed(books.run, failed)
        books.remember()


def _flushed(
    site: Site,
    batch: Sequence[Numbered],
    items: Iterable[Numbered],
    failures: dict[int, Problem],
    paths: Callable[[Numbered], list[RelPath]],
    done: Mapping[int, _Done] | None = None,
) -> bool:
    """Make what was done for these items durable, and where they went that were in the way of those that are `done`;
    whether that worked. What was not flushed is taken for lost, unless
    the job says that nothing is to be waited for."""
    if site.durability is Durability.OFF:
        return True
    by_side: dict[Side, list[RelPath]] = {}
    kept: dict[Side, list[RelPath | None]] = {side: [] for side in SIDES}
    for item in items:
        by_side.setdefault(item.action.at.side, []).extend(paths(item))
        if done:
            kept[item.action.at.side].append(done[item.number][1])
    try:
        for side, found in by_side.items():
            ours = ours_changed(kept[side]) if done else ()
            site.roots[side].flush(found, each=site.durability is Durability.EACH, directories=ours)
    except PathError as error:
        for item in batch:
            failures.setdefault(item.number, Problem(item.action.at, Reason(error.reason), error.detail))
        return False
    return True


def _names_changed(action: Action) -> list[RelPath]:
    return [action.at.path, action.to] if isinstance(action, Rename) else [action.at.path]


def _units(batch: list[Numbered]) -> Iterator[list[Numbered]]:
    """Single actions, and groups as they stand together."""
    unit: list[Numbered] = []
    for item in batch:
        if unit and (item.action.group is None or item.action.group != unit[-1].action.group):
            yield unit
            unit = []
        unit.append(item)
    if unit:
        yield unit


def _names(books: Books, item: Numbered) -> Names:
    return Names(books.run, item.number)


def _problem(place: Place, error: PathError) -> Problem:
    """What went wrong, under the name a person knows; the error itself may be about one of ours."""
    return Problem(place, Reason(error.reason), error.detail)


def _interrupted(action: Action) -> Problem:
    return Problem(action.at, Reason.BUSY, "not reached: the run was stopped before it")
