"""What became of one path: what was done to it and why, and how it stands now.

Told from the journal, the conflicts, the problems and the base; if both roots can be reached, also from the disk. For
paths that do not exist any more too. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NotRequired, TypedDict

from syncline.core import names, policy
from syncline.core.model import (
    SIDES,
    Conflict,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    PutLink,
    RelPath,
    Rename,
    Rule,
    Side,
    Trash,
)
from syncline.core.record import PRIVATE
from syncline.core.report import PlaceRow, action_row
from syncline.engine import renamed, resolve
from syncline.engine.ground import Found, Ground
from syncline.engine.lineage import earlier_names, moment_of, went
from syncline.engine.world import World
from syncline.errors import PathError
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts, Problems, Recorded
from syncline.store.db import Store
from syncline.store.journal import BEGUN, Journal, Step
from syncline.store.runs import Runs

EventRow = TypedDict(
    "EventRow",
    {
        "run": str | None,
        "at": str,
        "action": str,
        "why": str,
        "root": str | None,
        "path": str,
        "state": str,
        "bytes": int,
        "from": NotRequired[PlaceRow],
        "to": NotRequired[str],
        "clash": NotRequired[str | None],
        "kept": NotRequired[str | None],
        "trash": NotRequired[str],
        "there": NotRequired[bool | None],
        "detail": NotRequired[str],
    },
)
"""One thing that happened. `trash` is where what stood there went, as an absolute path; `there`: it still is there.
The action of a conflict is `conflict`, with its rule for the reason; `settled` when it was settled."""


class StoryRow(TypedDict):
    """What became of a path. `in_step`: both sides agree on it; None: not known. `next`: commands to go on with."""

    path: str
    job: str
    events: list[EventRow]
    in_step: bool | None
    reason: str
    next: list[str]


@dataclass(frozen=True, slots=True)
class _Present:
    """How a path stands: whether both sides agree, in words why or why not, and what to do."""

    in_step: bool | None
    reason: str
    next: tuple[str, ...] = ()


def story(job: Job, store: Store, path: RelPath, world: World | None, *, spell: Spell) -> StoryRow:
    """Everything that is known of a path. `world`: the opened roots, None where they cannot be reached; `spell`:
    how a shell takes a path.

    Raises: StateError.
    """
    events = _events(job, store, path, world)
    present = _present(job, store, path, world, spell)
    following = list(present.next)
    if not following and any(each.get("there") for each in events) and _absent(present):
        following.append(f"syncline trash restore {job.word} {spell(path)}")
    return {
        "path": path,
        "job": job.name,
        "events": events,
        "in_step": present.in_step,
        "reason": present.reason,
        "next": following,
    }


Spell = Callable[[str], str]

NOWHERE = "it stands on neither side"


def _absent(present: _Present) -> bool:
    return present.reason.startswith(NOWHERE)


def _events(job: Job, store: Store, path: RelPath, world: World | None) -> list[EventRow]:
    told: list[tuple[str, int, EventRow]] = []
    known: set[tuple[str, int]] = set()
    conflicts: set[int] = set()
    for name, until in earlier_names(job, store, path):
        for step in Journal(store).of_path(job.id, name):
            moment = moment_of(step)
            if _about(step, name) and (until is None or moment < until) and (step.run, step.number) not in known:
                known.add((step.run, step.number))
                told.append((step.at, step.number, _step_row(job, store, step, name, world)))
        for recorded in Conflicts(store).of_path(job.id, name):
            if (until is None or recorded.detected < until[2]) and recorded.id not in conflicts:
                conflicts.add(recorded.id)
                told += [(row["at"], 0, row) for row in _conflict_rows(job, recorded)]
    return [row for _, _, row in sorted(told, key=lambda each: each[:2])]


def _about(step: Step, path: RelPath) -> bool:
    """Whether something that was done to a path or above it did anything to the path."""
    if path in (step.action.at.path, getattr(step.action, "to", None), getattr(step.action, "aside", None)):
        return True
    return isinstance(step.action, Trash | Rename) or (
        isinstance(step.action, MakeDirectory | PutFile | PutLink) and step.action.expect is not None
    )


def _step_row(job: Job, store: Store, step: Step, path: RelPath, world: World | None) -> EventRow:
    roots = dict(zip(SIDES, job.kind.root_names, strict=True))
    made = action_row(step.action, "planned" if step.state == BEGUN else step.state, roots)
    row: EventRow = {
        "run": step.run,
        "at": step.at,
        "action": made["action"],
        "why": made["why"],
        "root": made["root"],
        "path": made["path"],
        "state": made["state"],
        "bytes": made["bytes"],
    }
    if "from" in made:
        row["from"] = made["from"]
    if "to" in made:
        row["to"] = made["to"]
    if step.problem is not None:
        row["detail"] = step.problem.detail
    if step.trash is not None:
        inner = path[len(step.action.at.path) :] if path.startswith(f"{step.action.at.path}/") else ""
        place = RelPath(step.trash + inner)
        run = Runs(store).by_id(step.run)
        top = str((run.roots or {}).get(step.action.at.side.value, "")) if run is not None else ""
        row["trash"] = f"{top}/{place}"
        row["there"] = _stands(world, Place(step.action.at.side, place))
    return row


def _conflict_rows(job: Job, recorded: Recorded) -> list[EventRow]:
    conflict = recorded.conflict
    kept = conflict.kept.value if conflict.kept is not None else None
    row: EventRow = {
        "run": recorded.run,
        "at": recorded.detected,
        "action": "conflict",
        "why": conflict.rule.value,
        "root": None,
        "path": conflict.path,
        "state": "open" if recorded.open else "settled",
        "bytes": 0,
        "kept": job.kind.root_name(Side(kept)) if kept in ("left", "right") else kept,
        "clash": conflict.clash,
    }
    if recorded.open or recorded.settled is None or recorded.settled == recorded.detected:
        return [row]
    return [row, {**row, "run": None, "at": recorded.settled, "action": "settled", "state": "done"}]


def _stands(world: World | None, place: Place) -> bool | None:
    if world is None:
        return None
    try:
        return world.roots[place.side].entry(place.path) is not None
    except PathError:
        return None


def _present(job: Job, store: Store, path: RelPath, world: World | None, spell: Spell) -> _Present:
    for recorded in _waiting(job, store, path):
        conflict = recorded.conflict
        if conflict.rule is Rule.UNDONE:
            return _left_apart(job, store, recorded, path, spell)
        keeps = policy.keeps(conflict.rule, writes_left=job.kind.writes_left)
        commands = tuple(f"syncline resolve {job.word} {spell(path)} --keep {keep}" for keep in keeps)
        if conflict.names:
            return _Present(False, renamed.apart(job, conflict), commands)
        if conflict.clash is None:
            return _Present(False, f"it is an open conflict ({conflict.rule.value}) and waits for you", commands)
        if world is not None and resolve.removed(world.roots, [recorded]):
            continue
        beside = _beside(job, conflict, conflict.clash, path)
        standing = _standing(job, store, path, world, spell)
        if standing.in_step is False:
            return replace(standing, reason=f"{standing.reason}; {beside}")
        agree = "both sides agree; " if standing.in_step and path != conflict.clash else ""
        return _Present(standing.in_step, f"{agree}{beside}", commands)
    return _standing(job, store, path, world, spell)


def _beside(job: Job, conflict: Conflict, clash: RelPath, path: RelPath) -> str:
    """In words, what stands beside a path since a conflict whose versions were both kept."""
    if path != clash:
        return f"another version of it is the clash file {names.printable(clash)}"
    side = job.kind.root_name(conflict.clash_from or Side.RIGHT)
    return f"it is the version of {side} of {names.printable(conflict.path)}, put aside as a clash file"


def _standing(job: Job, store: Store, path: RelPath, world: World | None, spell: Spell) -> _Present:
    """How a path stands, whatever conflict waits there."""
    again = (f"syncline run {job.word}",)
    problem = _problem(job, store, path)
    if problem is not None:
        return _Present(False, problem, again)
    if world is None:
        return _Present(None, "its folders cannot be reached now", (f"syncline doctor {job.word}",))
    try:
        found = _on_disk(job, world, path, again)
        now = went(job, store, path) if _absent(found) else None
        if now is None:
            return found
        told = f"{NOWHERE}; it was renamed to {names.printable(now)}"
        return _Present(True, told, (f"syncline explain {job.word} {spell(now)}",))
    except PathError as error:
        return _Present(False, f"{names.printable(error.path)}: {error.detail}", again)


def _waiting(job: Job, store: Store, path: RelPath) -> list[Recorded]:
    """The open conflicts at a path, or where an undo left a folder above it apart as a whole; what an undo left, first:
    that holds until a person says otherwise."""
    found = [each for each in Conflicts(store).open_conflicts(job.id) if path in each.conflict.called]
    for above in names.ancestors(path)[:-1]:
        found += [
            each
            for each in Conflicts(store).open_at(job.id, above)
            if each.conflict.rule is Rule.UNDONE and each.conflict.whole
        ]
    return sorted(found, key=lambda each: each.conflict.rule is not Rule.UNDONE)


def _left_apart(job: Job, store: Store, recorded: Recorded, path: RelPath, spell: Spell) -> _Present:
    top = recorded.conflict.path
    run = Runs(store).by_id(recorded.run) if recorded.run is not None else None
    of = f"the undo of run {run.undoes}" if run is not None and run.undoes is not None else "an undo"
    where = "it" if path == top else f"{names.printable(top)}, in which it lies,"
    told = f"{of} left {where} different on the two sides; it is left alone until you say which side holds"
    keeps = policy.keeps(Rule.UNDONE, writes_left=job.kind.writes_left)
    return _Present(False, told, tuple(f"syncline resolve {job.word} {spell(top)} --keep {keep}" for keep in keeps))


def _problem(job: Job, store: Store, path: RelPath) -> str | None:
    above = {path, *[each for each in names.ancestors(path) if each]}
    for seen in Problems(store).of_job(job.id):
        problem = seen.problem
        if problem.place.path in above:
            where = "" if problem.place.path == path else f"{names.printable(problem.place.path)}: "
            side = job.kind.root_name(problem.place.side)
            return f"{where}{problem.reason.value} ({side}): {names.printable(problem.detail)}"
    return None


def _on_disk(job: Job, world: World, path: RelPath, again: tuple[str, ...]) -> _Present:
    if path.partition("/")[0] == PRIVATE:
        return _Present(None, f"it is syncline's own: what lies in {PRIVATE} of a folder is never synchronised")
    ground = Ground(job, world)
    found = ground.find(path)
    left, right = found.entries[Side.LEFT], found.entries[Side.RIGHT]
    out = _left_out(ground, path, left or right)
    if out is not None:
        return _Present(None, f"it is left out: {out}", ("syncline jobs show " + job.word,))
    if left is None and right is None:
        told = f"{NOWHERE}; the next run forgets it" if found.agreed is not None else NOWHERE
        return _Present(True, told)
    if world.record is None:
        return _Present(None, "the job was never run", again)
    if ground.as_remembered(found):
        return _Present(True, "both sides have it as they agreed in the last run")
    return _Present(False, f"{_difference(job, ground, found)}; the next run brings it into step", again)


def _left_out(ground: Ground, path: RelPath, entry: Entry | None) -> str | None:
    for above in reversed(names.ancestors(path)[:-1]):
        if ground.ignored(above, True):
            return f"the folder {names.printable(above)} matches an ignore pattern"
    if ground.ignored(path, entry is not None and entry.kind is Kind.DIRECTORY):
        return "it matches an ignore pattern"
    return None


def _difference(job: Job, ground: Ground, found: Found) -> str:
    """In words, what differs from what both sides agreed on."""
    told = []
    for side in SIDES:
        entry, name = found.entries[side], job.kind.root_name(side)
        if found.as_agreed(side):
            if not ground.side_as_remembered(found, side):
                told.append(f"something below it changed in {name}")
        elif entry is None:
            told.append(f"it was deleted in {name}")
        elif found.agreed is None:
            told.append(f"it is new in {name}")
        else:
            told.append(f"it changed in {name}")
    return " and ".join(told) or "it is not agreed yet"
