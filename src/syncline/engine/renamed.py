"""What is told of a thing that both sides renamed, each to another name."""

from __future__ import annotations

from syncline.core.model import SIDES, Conflict, Side
from syncline.core.names import printable
from syncline.jobs.kind import Job


def apart(job: Job, conflict: Conflict) -> str:
    """That both sides renamed it, to which names, and what becomes of it or is to be done."""
    left, right = (
        f"to {printable(name)} on {job.kind.root_name(side)}" for side, name in zip(SIDES, conflict.names, strict=True)
    )
    told = f"{printable(conflict.path)} was renamed on both sides, {left} and {right}"
    if conflict.kept is None:
        return f"{told}; both stay so until you say which name holds"
    kept = conflict.names[SIDES.index(Side(conflict.kept.value))]
    return f"{told}; both get the name {printable(kept)}"
