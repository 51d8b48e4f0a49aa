"""The names a thing had before, and the one it has now: followed through the renames that runs carried out, of itself
and of the folders above it. Told from the journal alone.
"""

from __future__ import annotations

from syncline.core.model import RelPath, Rename
from syncline.jobs.kind import Job
from syncline.store.db import Store
from syncline.store.journal import DONE, Journal, Step

Moment = tuple[int, int, str]
"""When an action was done: turn of the run, number in the run, stored time. What was done later comes later, whatever
the clock said."""


def moment_of(step: Step) -> Moment:
    return step.turn, step.number, step.at


def earlier_names(job: Job, store: Store, path: RelPath) -> list[tuple[RelPath, Moment | None]]:
    """A path, and the names that what stands there had before, the latest first, each with the rename that ended it.

    Raises: StateError.
    """
    found: list[tuple[RelPath, Moment | None]] = [(path, None)]
    while True:
        name, until = found[-1]
        came = None
        for step in Journal(store).of_path(job.id, name):
            before = _led(step, name, back=True)
            if before is not None and (until is None or moment_of(step) < until):
                came = before, moment_of(step)
        if came is None:
            return found
        found.append(came)


def went(job: Job, store: Store, path: RelPath) -> RelPath | None:
    """Where the last rename took what stood at a path; None where there was none. Raises: StateError."""
    now = None
    for step in Journal(store).of_path(job.id, path):
        now = _led(step, path, back=False) or now
    return now


def _led(step: Step, path: RelPath, *, back: bool) -> RelPath | None:
    """The other name of a path in a rename that was done of it, or of a folder above it."""
    if not isinstance(step.action, Rename) or step.state != DONE:
        return None
    ends = (step.action.to, step.action.at.path) if back else (step.action.at.path, step.action.to)
    for one, other in (ends, ends[::-1]) if step.action.swap else (ends,):
        if f"{path}/".startswith(f"{one}/"):
            return RelPath(other + path[len(one) :])
    return None
