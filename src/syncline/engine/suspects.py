"""Files that hold bytes nobody wrote, as runs and people meet them: what is said of them, and what is remembered."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from syncline.core import listing, names
from syncline.core.model import Place, Problem, Reason, RelPath, Side
from syncline.core.trees import Wanted
from syncline.jobs.kind import Job
from syncline.store.db import Store
from syncline.store.suspects import Suspect, Suspects


def rotten(suspects: Iterable[Suspect]) -> frozenset[tuple[Side, RelPath]]:
    """The places that are held: those of which it is remembered what they held before."""
    return frozenset((each.place.side, each.place.path) for each in suspects if each.remembered is not None)


def doubtful(suspects: Iterable[Suspect]) -> frozenset[tuple[Side, RelPath]]:
    """The places that were taken for equal to the other side unread, and are not: read again by the next run."""
    return frozenset((each.place.side, each.place.path) for each in suspects if each.remembered is None)


def problems(job: Job, wanted: Wanted) -> list[Problem]:
    """What is to be told of the suspects a run holds."""
    return [problem(job, place, each.path, both=each.both) for place, each in wanted.rotten.items()]


def problem(job: Job, place: Place, path: RelPath, *, both: bool) -> Problem:
    """That a place is suspect, and what to do. `path`: as the left side spells it; `both`: the other side is too."""
    told = f"suspect: its bytes changed although nobody wrote to it; it is held; {remedy(job, place, path, both=both)}"
    return Problem(place, Reason.UNREADABLE, told)


def remedy(job: Job, place: Place, path: RelPath, *, both: bool) -> str:
    """What a person can do about a suspect, with the command."""
    spoken = shlex.quote(names.printable(path))
    if both:
        return f"neither side has what is remembered; earlier versions: syncline versions {job.word} {spoken}"
    if not job.kind.writes(place.side):
        good, bad = (f"{job.root(side)}/{place.path}" for side in (place.side.other, place.side))
        copy = f"cp -p {shlex.quote(names.printable(good))} {shlex.quote(names.printable(bad))}"
        return f"{job.kind.root_name(place.side)} is never written to; to put the good copy back yourself: {copy}"
    return f"to put back the copy of the other side: syncline resolve {job.word} {spoken} --keep {place.side.other}"


def spelled(content: bytes | None) -> str | None:
    """A remembered content as people and programs know it: `blake3:<hexadecimal>`; None where there is none."""
    return None if content is None else f"{_ALGORITHMS.get(content[0], 'digest')}:{content[1:].hex()}"


def remember(store: Store, job: str, wanted: Wanted, met: Iterable[Suspect], *, settled: bool) -> None:
    """Write down what a run found to be suspect, and what is so no more.

    `met`: what was known when it began; `settled`: all it planned was done, so what was in doubt has been read and is.
    Needs an open transaction. Raises: StateError.
    """
    suspects, met = Suspects(store, job), list(met)
    known = rotten(met)
    for place, each in wanted.rotten.items():
        if (place.side, place.path) not in known and each.entry is not None and each.remembered is not None:
            suspects.note(place, each.remembered, each.entry, each.row)
    over = {Place(*place) for place in doubtful(met)} if settled else set()
    suspects.clear({*wanted.healed, *over})
    suspects.watch(each.row for each in wanted.rotten.values() if each.row is not None)


_ALGORITHMS = {listing.BLAKE3: "blake3", listing.SHA256: "sha256"}
