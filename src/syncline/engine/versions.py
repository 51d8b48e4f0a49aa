"""The versions of one path: what stands there now, and every earlier content that is still kept, from the trash and
from conflicts; and how two of them differ. Changes nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from syncline.core import names
from syncline.core.model import SIDES, Entry, Kind, Place, RelPath, Side
from syncline.core.report import action_row
from syncline.engine import trash
from syncline.engine.ground import Ground
from syncline.engine.lineage import earlier_names
from syncline.engine.world import World
from syncline.errors import UsageError
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts
from syncline.store.db import stored_time
from syncline.store.journal import Journal
from syncline.store.runs import Runs

LARGEST_BYTES = 2_000_000
"""What is larger is not compared line by line: that takes minutes and nobody reads it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a path. `number` counts back: 0 stands there now, 1 came before it.

    `side`: whose it is; None: both have it, `place` is the left one. `run` and `at`: which run took it away and when,
    None for what stands there. `why`: `present`, why it was taken away, or `conflict`. `path`: the name it had then.
    """

    number: int
    path: RelPath
    place: Place
    side: Side | None
    entry: Entry
    run: str | None
    at: str | None
    why: str

    @property
    def modified(self) -> str:
        """When its content was last written, as a stored time."""
        return stored_time(datetime.fromtimestamp(self.entry.mtime_ns / 1e9, UTC))


@dataclass(frozen=True, slots=True)
class Difference:
    """How two versions differ. `lines`: as `diff -u` writes them, None where they are no texts or too large."""

    one: Version
    other: Version
    equal: bool
    lines: list[str] | None


def versions(job: Job, world: World, path: RelPath) -> list[Version]:
    """What there is of a path, the present one first, then the latest. Raises: UsageError: a folder; PathError."""
    found = [*_present(job, world, path)]
    kept_of = [(now, kept) for now, kept in trash.of_path(job, world, path) if now == path]
    whys = _whys(job, world, {kept.path for _, kept in kept_of})
    earlier = [
        Version(0, kept.path, Place(kept.side, kept.place), kept.side, kept.entry, kept.run, kept.at, why)
        for _, kept in kept_of
        if kept.entry.kind in (Kind.FILE, Kind.LINK)
        for why in [whys.get((kept.run, kept.number), "unknown")]
    ]
    earlier += _clashes(job, world, path)
    runs = Runs(world.store)

    def order(version: Version) -> tuple[int, str, str, str]:
        run, at = runs.by_id(version.run or ""), version.at or ""
        return runs.turn_at(at) if run is None else run.turn, at, version.run or "", version.place.path

    earlier.sort(key=order, reverse=True)
    return found + [replace(each, number=number) for number, each in enumerate(earlier, 1)]


def chosen(among: Sequence[Version], said: str, job: Job) -> Version:
    """The version a person means: by its number, or by the name of a root for what stands there.

    Raises: UsageError.
    """
    for version in among:
        if version.number == 0 and said in ("left", "right") and version.place.side is Side(said):
            return version
        if said == str(version.number):
            return version
        if version.number == 0 and version.side is None and said in ("left", "right"):
            return version
    numbers = ", ".join(dict.fromkeys(str(version.number) for version in among)) or "none"
    raise UsageError(f"there is no version {said!r}", hint=f"there are {numbers}: syncline versions {job.word} PATH")


def differ(world: World, one: Version, other: Version, *, spoken: str) -> Difference:
    """How two versions differ; `spoken` is the path for the head of the difference. Raises: PathError."""
    if max(one.entry.size, other.entry.size) > LARGEST_BYTES:
        return Difference(one, other, False, None)
    before, after = _content(world, one), _content(world, other)
    old, new = _lines(before), _lines(after)
    if before == after or old is None or new is None:
        return Difference(one, other, before == after, [] if before == after else None)
    before_is, after_is = (f"{spoken} ({_title(each)})" for each in (one, other))
    return Difference(one, other, False, _ended(difflib.unified_diff(old, new, before_is, after_is)))


def _whys(job: Job, world: World, paths: Iterable[RelPath]) -> dict[tuple[str, int], str]:
    """Why each action took away what stood at these paths, by run and number."""
    roots = dict(zip(SIDES, job.kind.root_names, strict=True))
    return {
        (step.run, step.number): action_row(step.action, step.state, roots)["why"]
        for path in paths
        for step in Journal(world.store).of_path(job.id, path)
        if step.trash is not None
    }


def _present(job: Job, world: World, path: RelPath) -> Iterable[Version]:
    found = Ground(job, world).find(path)
    there = {side: entry for side in SIDES if (entry := found.entries[side]) is not None}
    if any(entry.kind is Kind.DIRECTORY for entry in there.values()):
        raise UsageError(f"{names.printable(path)} is a folder", hint="name a file in it")
    if len(there) == 2 and found.agreed is not None and all(found.as_agreed(side) for side in SIDES):
        yield Version(0, path, found.place(Side.LEFT), None, there[Side.LEFT], None, None, "present")
        return
    for side, entry in there.items():
        if entry.kind in (Kind.FILE, Kind.LINK):
            yield Version(0, path, found.place(side), side, entry, None, None, "present")


def _clashes(job: Job, world: World, path: RelPath) -> Iterable[Version]:
    """The versions that lost a conflict and stand beside the path as clash files."""
    for name, until in earlier_names(job, world.store, path):
        for recorded in Conflicts(world.store).of_path(job.id, name):
            clash, side = recorded.conflict.clash, recorded.conflict.clash_from or Side.RIGHT
            if clash is None or clash == name or not recorded.open or (until and recorded.detected >= until[2]):
                continue
            entry = world.roots[side].entry(clash)
            if entry is not None and entry.kind in (Kind.FILE, Kind.LINK):
                at = recorded.detected
                yield Version(0, name, Place(side, clash), side, entry, recorded.run, at, "conflict")


def _content(world: World, version: Version) -> bytes:
    root, path = world.roots[version.place.side], version.place.path
    if version.entry.kind is Kind.LINK:
        return b"-> " + root.read_link(path)
    reader = root.open(path)
    try:
        return b"".join(reader.blocks())
    finally:
        reader.close()


def _lines(content: bytes) -> list[str] | None:
    """The lines of a text with their ends; None where it is none."""
    if b"\0" in content:
        return None
    try:
        *whole, last = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    return [f"{line}\n" for line in whole] + ([last] if last else [])


def _title(version: Version) -> str:
    return "now" if version.run is None else f"version {version.number}, {version.at}"


def _ended(lines: Iterable[str]) -> list[str]:
    """Lines without their ends; a last one that has none is told, as `diff` does."""
    told = []
    for line in lines:
        told.append(line.rstrip("\n"))
        if not line.endswith("\n"):
            told.append("\\ No newline at end of file")
    return told
