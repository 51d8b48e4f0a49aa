"""Reading contents again and comparing them with the digests that are remembered, on both sides.

A file whose size, times and inode are as remembered but whose bytes are not is suspect: nobody wrote to it. That is
told and remembered, and the name is a held conflict from then on (`syncline.core.rot`); nothing is mended unasked.
Reads only, takes no lock: a file that a run or a person changes meanwhile is not verified, and that is counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace

from syncline.core import listing, names
from syncline.core.model import (
    SIDES,
    Agreed,
    Conflict,
    Entry,
    Kind,
    Place,
    Policy,
    Problem,
    Progress,
    Reason,
    RelPath,
    Rule,
    Side,
)
from syncline.engine import suspects as suspicion
from syncline.engine.ground import Ground
from syncline.engine.standing import judge
from syncline.engine.world import World
from syncline.errors import PathError, RunRefused
from syncline.execute.transfer import known
from syncline.jobs.kind import Job
from syncline.scanner.client import hashing, remembered, same_file
from syncline.store.base import Row
from syncline.store.conflicts import Conflicts
from syncline.store.db import stored_time
from syncline.store.suspects import Stale, Suspect, Suspects, Verified


@dataclass(frozen=True, slots=True)
class Finding:
    """A suspect, how the left side spells its path, and what to do about it."""

    suspect: Suspect
    path: RelPath
    remedy: str


@dataclass(frozen=True, slots=True)
class Differing:
    """A pair that was taken for equal unread, and is not: both contents. To the next run it is new on both sides."""

    path: RelPath
    left: bytes
    right: bytes


@dataclass(slots=True)
class Verification:
    """What came of it. Counts are of files; a file on both sides counts once, and its `size` once.

    `remembered`: all there are; `verified`: read on both sides, and as remembered; `pairs`: those of them that were
    only taken for equal before; `edited`: changed or gone since the last run, so not verified; `again`: suspects whose
    bytes are right again; `oldest`: since when everything has been read, None while something never was.
    """

    remembered: int = 0
    verified: int = 0
    size: int = 0
    pairs: int = 0
    edited: int = 0
    again: int = 0
    suspects: list[Finding] = field(default_factory=list)
    differing: list[Differing] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    oldest: str | None = None
    stopped: bool = False
    seconds: float = 0.0

    @property
    def fine(self) -> bool:
        return not (self.suspects or self.differing or self.problems)


def verify(job: Job, world: World, percent: float | None = None) -> Iterator[Progress | Verification]:
    """Read what is remembered of a job, or so many percent of its bytes, the least recently read first; yields how far
    it is, and last what came of it. A signal ends it early, with what was done kept.

    Raises: RunRefused: these are not the folders that are remembered; StateError.
    """
    _stand(job, world)
    yield from _Reading(job, world, percent).all()


def _stand(job: Job, world: World) -> None:
    again = f"syncline run {job.word}"
    try:
        standing = judge(job, world.record, world.roots, world.filesystems, adopted=False)
    except PathError as error:
        raise RunRefused(str(error), hint=f"look at that file, or: syncline adopt {job.word}") from error
    if standing.objections:
        raise RunRefused(standing.objections[0].detail, standing.objections, hint=standing.objections[0].remedy)
    if standing.first or world.record is None:
        raise RunRefused(f"nothing is remembered of {job.name} that could be verified", hint=again)


class _Unsettled(Exception):
    """A file is not verified: it changed since the last run, is gone, or was not reached before the stop."""


class _Reading:
    """One verification while it goes on."""

    def __init__(self, job: Job, world: World, percent: float | None) -> None:
        self.job, self.world = job, world
        self.ground = Ground(job, world)
        self.suspects = Suspects(world.store, job.id)
        self.begun = stored_time(world.now())
        self.result = Verification()
        files, size = self.ground.base.totals()
        self.result.remembered = files
        self.budget = None if percent is None else max(1, math.ceil(size * percent / 100))
        self.total = (size if self.budget is None else min(size, self.budget)) * 2
        self.read_bytes = self.passed_bytes = self.passed = 0
        self.held: set[Place] = set()

    def all(self) -> Iterator[Progress | Verification]:
        started = time.monotonic()
        known_before = self.suspects.all()
        yield from self._known(known_before)
        verified = Verified(self.world.store, self.job.id)
        for stale in verified.stalest():
            if self._over():
                break
            yield from self._directory(verified, stale)
        self.result.stopped = self.world.stopped() is not None
        self.result.oldest = verified.oldest()
        self.result.seconds = time.monotonic() - started
        yield self.result

    def _over(self) -> bool:
        return self.world.stopped() is not None or (self.budget is not None and self.passed_bytes >= self.budget)

    def _known(self, suspects: list[Suspect]) -> Iterator[Progress]:
        """Those that are known are told each time, unless their bytes are right again."""
        for each in suspects:
            if each.remembered is None or self.world.stopped() is not None:
                continue
            self.held.add(each.place)
            place, content = each.place, each.entry.content
            try:
                content = yield from self._content(place, each.entry)
            except _Unsettled:
                pass  # a run finds out what became of it
            except PathError as error:
                self.result.problems.append(Problem(place, Reason(error.reason), error.detail))
                continue
            if content == each.remembered:
                self.held.discard(place)
                self.result.again += 1
                with self.world.store.transaction():
                    self.suspects.clear([place])
                    name = self.ground.find(place.path)
                    held = Conflicts(self.world.store).open_at(self.job.id, name.paths[Side.LEFT])
                    if len(self.ground.rotten(name)) < 2:
                        Conflicts(self.world.store).settle(one.id for one in held if one.conflict.kept is None)
                continue
            each = replace(each, entry=known(each.entry, content))
            name = self.ground.find(place.path)
            self._tell(each, name.paths[Side.LEFT], both=len(self.ground.rotten(name)) > 1)

    def _directory(self, verified: Verified, stale: Stale) -> Iterator[Progress]:
        """Read what is in one directory, and note how far that came."""
        row = self.ground.base.row(stale.row)
        left, right = self.ground.base.paths(stale.row)
        if row is None or left is None or right is None:
            return
        paths = {Side.LEFT: left, Side.RIGHT: right}
        agreed = remembered(row, self.ground.fold).agreed.values()
        files = sorted((each for each in agreed if each.left.kind is Kind.FILE), key=lambda each: each.left_name)
        upto, learned = stale.upto, dict[str, bytes]()
        for each in files:
            if upto is not None and each.left_name <= upto:
                continue
            if self._over():
                break
            places = tuple(Place(side, names.join(paths[side], each.name(side))) for side in SIDES)
            try:
                content = yield from self._pair(each, places, stale.row)
                if content is not None:
                    learned[each.left_name] = content
            except _Unsettled:
                if self.world.stopped() is not None:
                    break
                self.result.edited += 1
            upto = each.left_name
            self.passed += 1
            self.passed_bytes += each.left.size
        whole = not files or (upto is not None and upto >= files[-1].left_name)
        with self.world.store.transaction():
            if whole or upto is not None:
                verified.reached(stale, self.begun, None if whole else upto)
            if learned:
                self._learn(row, learned)

    def _pair(self, agreed: Agreed, places: tuple[Place, ...], row: int) -> Generator[Progress, None, bytes | None]:
        """Read one file on both sides; its content where that was not known before.

        Raises: _Unsettled.
        """
        if self.held.intersection(places):
            return None
        if any(agreed.racy(place.side) for place in places):
            raise _Unsettled
        contents: dict[Place, bytes] = {}
        for place in places:
            try:
                contents[place] = yield from self._content(place, agreed.entry(place.side))
            except PathError as error:
                self.result.problems.append(Problem(place, Reason(error.reason), error.detail))
                return None
        if agreed.unverified or agreed.left.content is None:
            return self._first_reading(agreed, contents, row)
        wrong = [place for place in places if contents[place] != agreed.entry(place.side).content]
        for place in list(wrong):
            again = yield from self._content(place, agreed.entry(place.side))
            if again == agreed.entry(place.side).content:
                told = "read twice, it gave different bytes: its disk, cable or memory is failing; save what is on it"
                self.result.problems.append(Problem(place, Reason.UNREADABLE, told))
                return None
        if wrong:
            self._note(agreed, places, {place: contents[place] for place in wrong}, row)
        else:
            self.result.verified += 1
            self.result.size += agreed.left.size
        return None

    def _first_reading(self, agreed: Agreed, contents: dict[Place, bytes], row: int) -> bytes | None:
        left, right = contents.items()
        if left[1] == right[1]:
            self.result.verified += 1
            self.result.pairs += 1
            self.result.size += agreed.left.size
            return left[1]
        self.result.differing.append(Differing(left[0].path, left[1], right[1]))
        with self.world.store.transaction():
            for place, content in contents.items():
                self.suspects.note(place, None, known(agreed.entry(place.side), content), row)
        return None

    def _note(self, agreed: Agreed, places: tuple[Place, ...], wrong: dict[Place, bytes], row: int) -> None:
        """Remember suspects, and hold their name as a conflict."""
        path = places[0].path
        conflict = Conflict(
            path, Rule.CHANGED_BOTH, Policy.HOLD, None, known(agreed.left, None), known(agreed.right, None), agreed
        )
        with self.world.store.transaction():
            for place, content in wrong.items():
                self.suspects.note(place, agreed.left.content, known(agreed.entry(place.side), content), row)
            Conflicts(self.world.store).record(self.job.id, None, conflict)
        for place, content in wrong.items():
            self.held.add(place)
            entry = known(agreed.entry(place.side), content)
            self._tell(Suspect(place, agreed.left.content, entry, self.begun), path, both=len(wrong) > 1)

    def _tell(self, suspect: Suspect, path: RelPath, *, both: bool) -> None:
        remedy = suspicion.remedy(self.job, suspect.place, path, both=both)
        self.result.suspects.append(Finding(suspect, path, remedy))

    def _content(self, place: Place, before: Entry) -> Generator[Progress, None, bytes]:
        """The content of a file that is as it was.

        Raises: _Unsettled: it is not, or a signal came; PathError: it could not be read.
        """
        root = self.world.roots[place.side]
        found = root.entry(place.path)
        if found is None or not same_file(before, found):
            raise _Unsettled
        try:
            for step in hashing(root, place.path, found, uncached=True):
                if isinstance(step, bytes):
                    return step
                self.read_bytes += step
                yield Progress(self.read_bytes, max(self.total, self.read_bytes), self.passed, 0, place.path)
                if self.world.stopped() is not None:
                    raise _Unsettled
        except PathError as error:
            if error.reason in (Reason.CHANGED_WHILE_COPIED, Reason.BUSY):
                raise _Unsettled from error
            raise
        raise AssertionError("a content stands at the end of every reading")

    def _learn(self, row: Row, contents: dict[str, bytes]) -> None:
        """Write down contents of pairs that had only been taken for equal, unless a run has written that row since."""
        if self.ground.base.row(row.id or 0) != row or row.left is None or row.right is None:
            return
        base = remembered(row, self.ground.fold)
        agreed = {
            key: replace(
                each,
                left=known(each.left, contents[each.left_name]),
                right=known(each.right, contents[each.left_name]),
                unverified=False,
            )
            if each.left_name in contents
            else each
            for key, each in base.agreed.items()
        }
        left, right = (listing.unpack(listing.unseal(sealed)) for sealed in (row.left, row.right))
        beside = listing.pack_base(left, right, replace(base, agreed=agreed), self.ground.fold)
        self.ground.base.write(replace(row, beside=listing.seal(beside)))
