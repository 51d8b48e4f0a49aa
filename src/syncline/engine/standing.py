"""Whether the roots are the ones that are remembered, and whether the state is the living one.

Each root carries an id and, per job, the number of the last run that changed something. A run that changes something
writes *begun n* in the state, then n in both markers, works, and writes *done n*. So a state at *begun n* accepts
markers at n-1 or n, a state at *done n* only n; anything else is another copy of the state or of the root.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from syncline.core import names
from syncline.core.model import Guard, Kind, Objection, RelPath, Side
from syncline.core.record import PRIVATE
from syncline.errors import PathError
from syncline.fs.marker import Marker, read_marker, write_marker
from syncline.fs.root import Root
from syncline.jobs.kind import Job
from syncline.store.jobs import Job as Remembered


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands before a run. `first`: nothing that is remembered may be believed, so nothing is deleted.

    `generation` is the number the next changing run takes; `adopted`: a person accepted the roots as they are.
    """

    first: bool
    generation: int
    objections: tuple[Objection, ...] = ()
    notes: tuple[str, ...] = ()
    adopted: bool = False


def judge(
    job: Job, record: Remembered | None, roots: Mapping[Side, Root], filesystems: Mapping[Side, str], *, adopted: bool
) -> Standing:
    """Compare the markers of both roots with what is remembered of them. `adopted`: a person accepts them as they are.

    Raises: PathError when a marker cannot be read.
    """
    sides = job.kind.written()
    markers = {side: _marker(roots[side], adopted=adopted) for side in sides}
    found = [marker.jobs.get(job.id, 0) for marker in markers.values() if marker is not None]
    generation = max([record.generation if record is not None else 0, *found]) + 1
    if blocked := [each for side in sides if (each := in_the_way(job, side, markers[side], roots[side]))]:
        return Standing(False, generation, tuple(blocked))
    if record is None or adopted or record.generation == 0:
        return Standing(True, generation, notes=_strangers(job, record, markers, adopted), adopted=adopted)
    objections = [objection for side in sides if (objection := _objection(job, side, markers[side], record, roots))]
    source = filesystems[Side.LEFT]
    if not job.kind.writes(Side.LEFT) and source and record.left_filesystem not in (None, "", source):
        objections.append(_other_source(job, roots[Side.LEFT]))
    if objections:
        return Standing(False, generation, tuple(objections))
    accepted = {record.generation, record.generation - 1} if record.begun else {record.generation}
    if all(number in accepted for number in found):
        if record.begun:
            generation = record.generation  # a run that was cut off is gone on with: two in a row still are one step
        return Standing(False, generation, notes=_moved(job, record, filesystems))
    if all(number > record.generation for number in found):
        note = (
            f"the state of {job.name} is an older copy than what its roots have seen (run {record.generation} of "
            f"{max(found)}): treated as a first synchronisation, nothing is deleted"
        )
        return Standing(True, generation, notes=(note,))
    return Standing(False, generation, (_older(job, roots, markers, record),))


def claim(
    job_id: str, roots: Mapping[Side, Root], sides: list[Side], generation: int, *, adopted: bool
) -> dict[Side, str]:
    """Write the generation of a run that is about to change something into the markers; the ids of the roots.

    A marker that cannot be read is replaced only when the root was `adopted`. Raises: PathError.
    """
    ids: dict[Side, str] = {}
    for side in sides:
        marker = _marker(roots[side], adopted=adopted) or Marker(uuid.uuid4().hex, {})
        ids[side] = marker.id
        write_marker(roots[side], Marker(marker.id, {**marker.jobs, job_id: generation}))
    return ids


def _marker(root: Root, *, adopted: bool) -> Marker | None:
    """The marker of a root; a damaged one counts as none where a person accepted the root as it is."""
    try:
        return read_marker(root)
    except PathError:
        if not adopted:
            raise
        return None


def in_the_way(job: Job, side: Side, marker: Marker | None, root: Root) -> Objection | None:
    """That something else stands where syncline's own folder is to be. Raises: PathError."""
    own = root.entry(RelPath(PRIVATE)) if marker is None else None
    if own is None or own.kind is Kind.DIRECTORY:
        return None
    detail = f"in {job.kind.root_name(side)} {root.path}, {PRIVATE} is no folder: syncline keeps its own files there"
    return Objection(Guard.MARKER_MISSING, detail, f"rename or remove {names.pasted(f'{root.path}/{PRIVATE}')}")


def _objection(
    job: Job, side: Side, marker: Marker | None, record: Remembered, roots: Mapping[Side, Root]
) -> Objection | None:
    known = record.left_marker if side is Side.LEFT else record.right_marker
    if known is None:
        return None
    name, path = job.kind.root_name(side), roots[side].path
    remedy = f"is the right drive connected? To take the folder as it stands: syncline adopt {job.word}"
    if marker is None:
        detail = f"{name} {path} was synchronised before, but carries no marker (.syncline/root.json)"
        return Objection(Guard.MARKER_MISSING, detail, remedy)
    if marker.id != known:
        detail = f"{name} {path} is not the folder that is remembered: its marker is another one"
        return Objection(Guard.MARKER_DIFFERS, detail, remedy)
    return None


def _older(
    job: Job, roots: Mapping[Side, Root], markers: Mapping[Side, Marker | None], record: Remembered
) -> Objection:
    told = ", ".join(
        f"{job.kind.root_name(side)} {roots[side].path} at run {marker.jobs.get(job.id, 0)}"
        for side, marker in markers.items()
        if marker is not None
    )
    return Objection(
        Guard.STATE_OLDER,
        f"the state remembers run {record.generation}, but {told}: one of them is an older copy",
        f"to compare everything anew without deleting anything: syncline adopt {job.word}",
    )


def _other_source(job: Job, root: Root) -> Objection:
    return Objection(
        Guard.MARKER_DIFFERS,
        f"source {root.path} is on another file system than the one that is remembered",
        f"is the right drive connected? To take the folder as it stands: syncline adopt {job.word}",
    )


def _strangers(
    job: Job, record: Remembered | None, markers: Mapping[Side, Marker | None], adopted: bool
) -> tuple[str, ...]:
    if adopted:
        return (f"{job.name} is adopted: both sides are compared as at a first synchronisation, nothing is deleted",)
    if record is None and any(marker is not None and marker.jobs for marker in markers.values()):
        return ("these folders were synchronised before, but nothing is remembered of it: nothing is deleted",)
    return ()


def _moved(job: Job, record: Remembered, filesystems: Mapping[Side, str]) -> tuple[str, ...]:
    notes = []
    for side, known in ((Side.LEFT, record.left_filesystem), (Side.RIGHT, record.right_filesystem)):
        if job.kind.writes(side) and known and filesystems[side] and known != filesystems[side]:
            notes.append(f"{job.kind.root_name(side)} {job.root(side)} moved to another file system")
    return tuple(notes)
