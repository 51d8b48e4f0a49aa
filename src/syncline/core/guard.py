"""Reasons not to start: what a plan would do that a person should see first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from syncline.core import names
from syncline.core import plan as planning
from syncline.core.model import (
    SIDES,
    Action,
    Guard,
    Kind,
    MakeDirectory,
    Objection,
    PutFile,
    PutLink,
    Remove,
    Side,
    Trash,
)

ALWAYS_ALLOWED = 25
"""So many files may go, or change at once, without a question. DESIGN: more than 25 and more than 10 %."""

STAGING_RESERVE_BYTES = 64 * 1024
"""Room for the directories and the marker of the run itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many deletions a run may make unasked: both numbers must be exceeded. None switches one off."""

    deletes: int | None = ALWAYS_ALLOWED
    deletes_percent: float | None = 10.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guards look at besides the actions. Per side: files and bytes remembered, files whose content
    changed, free bytes and inodes (None: not known). `command`: what carries the plan out, if not `run`."""

    job: str
    names: dict[Side, str]
    roots: dict[Side, str]
    remembered_files: int
    remembered_bytes: int
    changed: dict[Side, int]
    free_bytes: dict[Side, int | None]
    free_inodes: dict[Side, int | None]
    mirror: bool
    first: bool
    source_empty: bool
    target_empty: bool
    limits: Limits
    command: str | None = None


def objections(actions: Collection[Action], plan_id: str, seen: Situation) -> list[Objection]:
    """Every reason not to start this plan."""
    found = []
    job = names.pasted(seen.job)
    shows = f"syncline plan {job} -v" if seen.command is None else f"{seen.command} --dry-run -v"
    does = f"syncline run {job}" if seen.command is None else seen.command
    approve = f"look at it: {shows}; if it is right: {does} --approve {plan_id}"
    if seen.mirror and seen.source_empty and not seen.target_empty:
        found.append(
            Objection(
                Guard.SOURCE_EMPTY,
                f"the source {seen.roots[Side.LEFT]} is empty, the target is not",
                f"is the right drive connected? {approve}",
                plan_id,
            )
        )
    sums = _sums(actions)
    going = sum(each.going for each in sums.values())
    if seen.mirror and seen.first and going:
        files = sum(each.files for each in sums.values())
        found.append(
            Objection(
                Guard.FIRST_MIRROR_EXTRAS,
                f"{going} names ({files} files) stand only in the target and would go",
                f"{approve}; or say what becomes of them: --extras keep, trash or delete",
                plan_id,
            )
        )
    for side in SIDES:
        found += _deletions(sums[side], plan_id, seen, side, approve)
        found += _all_changed(plan_id, seen, side, approve)
        found += _space(sums[side], seen, side)
    return found


@dataclass(slots=True)
class _Sums:
    """What a plan does to one side: names, files and bytes that go, files and bytes that come, names that are new."""

    going: int = 0
    files: int = 0
    size: int = 0
    puts: int = 0
    need: int = 0
    new: int = 0


def _sums(actions: Collection[Action]) -> dict[Side, _Sums]:
    """Per side; in one pass, for the actions of a large plan are made anew for each."""
    sums = {side: _Sums() for side in SIDES}
    for action in actions:
        here = sums[action.at.side]
        if isinstance(action, Trash | Remove):
            here.going += 1
            here.files += _files(action)
            here.size += _bytes(action)
        elif isinstance(action, PutFile | PutLink | MakeDirectory):
            here.new += 1
            if isinstance(action, PutFile):
                here.puts += 1
                here.need += planning.size_of(action)
    return sums


def _deletions(sums: _Sums, plan_id: str, seen: Situation, side: Side, approve: str) -> list[Objection]:
    files, size = sums.files, sums.size
    if not sums.going or seen.remembered_files == 0:
        return []
    many = seen.limits.deletes is not None and files > seen.limits.deletes
    percent = max(
        100.0 * files / seen.remembered_files,
        100.0 * size / seen.remembered_bytes if seen.remembered_bytes else 0.0,
    )
    large = seen.limits.deletes_percent is not None and percent > seen.limits.deletes_percent
    if (seen.limits.deletes is not None and not many) or (seen.limits.deletes_percent is not None and not large):
        return []
    if seen.limits.deletes is None and seen.limits.deletes_percent is None:
        return []
    return [
        Objection(
            Guard.TOO_MANY_DELETES,
            f"{files} of {seen.remembered_files} files ({size} bytes, {percent:.0f} %) would go "
            f"from {seen.names[side]} ({seen.roots[side]})",
            approve,
            plan_id,
        )
    ]


def _all_changed(plan_id: str, seen: Situation, side: Side, approve: str) -> list[Objection]:
    changed = seen.changed[side]
    if changed <= ALWAYS_ALLOWED or changed < seen.remembered_files:
        return []
    return [
        Objection(
            Guard.ALL_CHANGED,
            f"the content of all {changed} files of {seen.names[side]} ({seen.roots[side]}) changed at once",
            f"was it encrypted or restored by something? {approve}",
            plan_id,
        )
    ]


def _space(sums: _Sums, seen: Situation, side: Side) -> list[Objection]:
    job = names.pasted(seen.job)
    need, new, free, inodes = sums.need, sums.new, seen.free_bytes[side], seen.free_inodes[side]
    found = []
    if sums.puts and free is not None and need + STAGING_RESERVE_BYTES > free:
        found.append(
            Objection(
                Guard.NO_SPACE,
                f"{need} bytes would be written to {seen.names[side]} ({seen.roots[side]}), {free} bytes are free, "
                f"and the run needs {STAGING_RESERVE_BYTES} of them for itself",
                f"make room there or exclude something; what its trash holds: syncline trash list {job}",
            )
        )
    if new and inodes is not None and new > inodes:
        found.append(
            Objection(
                Guard.NO_SPACE,
                f"{new} names would be made in {seen.names[side]} ({seen.roots[side]}), {inodes} inodes are free",
                "make room there or exclude something",
            )
        )
    return found


def _files(action: Action) -> int:
    if isinstance(action, Trash):
        return action.files
    return int(isinstance(action, Remove) and action.expect is not None and action.expect.kind is Kind.FILE)


def _bytes(action: Action) -> int:
    if isinstance(action, Trash):
        return action.size
    return action.expect.size if isinstance(action, Remove) and action.expect is not None else 0
