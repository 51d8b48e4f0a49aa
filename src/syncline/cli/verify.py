"""`verify`: contents read again and compared with what is remembered of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.options import Measure, as_json, examples

if TYPE_CHECKING:
    from syncline.cli.terminal import Screen
    from syncline.core.report import ProblemRow
    from syncline.engine.verify import Verification
    from syncline.jobs.kind import Job


class SuspectRow(TypedDict):
    """A file whose bytes nobody wrote. `next`: how to go on, with the command."""

    root: str
    path: str
    bytes: int
    remembered: str | None
    found: str | None
    since: str
    next: str


class DifferingRow(TypedDict):
    """A pair taken for equal unread, which is not: the digest of each side."""

    path: str
    left: str | None
    right: str | None


class Counted(TypedDict):
    """Files: all that are remembered, and what came of those that were read."""

    files: int
    verified: int
    bytes_verified: int
    pairs: int
    edited: int
    recovered: int
    suspects: int
    differing: int
    problems: int


class VerifyDocument(TypedDict):
    """What `verify --json` prints."""

    syncline: int
    job: str
    kind: str
    outcome: str
    percent: float | None
    roots: dict[str, str]
    suspects: list[SuspectRow]
    differing: list[DifferingRow]
    problems: list[ProblemRow]
    summary: Counted
    all_read_since: str | None
    seconds: float


@click.command(
    epilog=examples("syncline verify documents-usb", "syncline verify documents-usb --percent 5", "syncline conflicts")
)
@click.argument("job", shell_complete=complete.jobs)
@click.option(
    "--percent",
    type=Measure(100),
    metavar="N",
    help="Only so many percent of the bytes, what was not read for the longest time first.",
)
@as_json
@click.pass_obj
def verify(call: Call, job: str, percent: float | None, json: bool) -> int:
    """Read the files of a job again, on both sides, and compare them with what is remembered of their content.

    Changes no file and holds up no run. A file whose bytes changed although nobody wrote to it is suspect: it is
    told, and held as an open conflict from then on, so that it is neither copied nor replaced until you say which
    side is right.
    """
    from syncline.cli import progress, terminal
    from syncline.cli.signals import stopping
    from syncline.compose import Desk
    from syncline.core.model import Progress
    from syncline.engine import verify as verifying
    from syncline.errors import Interrupted

    came: Verification | None = None
    with (
        stopping() as stop,
        Desk.open(call.state_dir(), write=True, interrupted=stop.number, configuration=call.configuration()) as desk,
    ):
        for note in desk.notes:
            call.say(f"syncline: {note}")
        named = desk.job(job)
        with desk.world(named) as world, progress.bar(not json) as bar:
            bar.begin("verifying")
            for step in verifying.verify(named, world, percent):
                if isinstance(step, Progress):
                    bar.update(step)
                else:
                    came = step
        assert came is not None
        with stop.telling():
            if json:
                call.answer(dict(_document(named, came, percent)))
            else:
                _show(terminal.screen(call), named, came)
        number = stop.number()
        if came.stopped and number is not None:
            return Interrupted(number).exit_code
    return 0 if came.fine else 1


def _document(job: Job, came: Verification, percent: float | None) -> VerifyDocument:
    from syncline.core.model import SIDES
    from syncline.core.report import FORMAT
    from syncline.engine.suspects import spelled

    return {
        "syncline": FORMAT,
        "job": job.name,
        "kind": job.kind.name,
        "outcome": "interrupted" if came.stopped else "done" if came.fine else "needs-attention",
        "percent": percent,
        "roots": {job.kind.root_name(side): job.root(side) for side in SIDES},
        "suspects": [
            {
                "root": job.kind.root_name(each.suspect.place.side),
                "path": each.suspect.place.path,
                "bytes": each.suspect.entry.size,
                "remembered": spelled(each.suspect.remembered),
                "found": spelled(each.suspect.entry.content),
                "since": each.suspect.found,
                "next": each.remedy,
            }
            for each in came.suspects
        ],
        "differing": [
            {"path": each.path, "left": spelled(each.left), "right": spelled(each.right)} for each in came.differing
        ],
        "problems": [
            {
                "root": job.kind.root_name(each.place.side),
                "path": each.place.path,
                "reason": each.reason.value,
                "detail": each.detail,
            }
            for each in came.problems
        ],
        "summary": {
            "files": came.remembered,
            "verified": came.verified,
            "bytes_verified": came.size,
            "pairs": came.pairs,
            "edited": came.edited,
            "recovered": came.again,
            "suspects": len(came.suspects),
            "differing": len(came.differing),
            "problems": len(came.problems),
        },
        "all_read_since": came.oldest,
        "seconds": round(came.seconds, 3),
    }


def _show(screen: Screen, job: Job, came: Verification) -> None:
    from syncline.cli import show
    from syncline.core.names import printable
    from syncline.engine.suspects import spelled

    if came.suspects:
        screen.line((f"{show.many(len(came.suspects), 'suspect file')}: changed, but not by anybody", "bold red"))
    for each in came.suspects:
        suspect = each.suspect
        root = job.kind.root_name(suspect.place.side)
        screen.line("    ", ("!", "red"), f" {root}: {printable(suspect.place.path)}")
        screen.lines("      remembered ", (str(spelled(suspect.remembered))[:23] + "…,", "dim"), indent=6)
        screen.lines("      found      ", (str(spelled(suspect.entry.content))[:23] + "…", "dim"), indent=6)
        screen.lines(f"      {each.remedy}", indent=6)
    if came.differing:
        screen.line(
            (f"{show.many(len(came.differing), 'pair')} taken for equal, never read before: not equal", "bold red")
        )
    for pair in came.differing:
        screen.line("    ", ("!", "red"), f" {printable(pair.path)}")
    if came.differing:
        screen.line("  both versions are kept by the next run: ", (f"syncline run {job.word}", "bold cyan"))
    for problem in came.problems:
        where = f"{job.kind.root_name(problem.place.side)}: {printable(problem.place.path)}"
        told = f"  {problem.reason.value}: {printable(problem.detail)}"
        screen.lines("    ", ("!", "yellow"), f" {where}", (told, "dim"), indent=6)
    word, style = ("interrupted", "yellow") if came.stopped else ("✓ fine", "green")
    if not came.stopped and not came.fine:
        word, style = "something needs you", "bold red"
    parts = [f" {show.many(came.verified, 'file')} of {came.remembered:,} read on both sides ({show.size(came.size)})"]
    if came.pairs:
        parts.append(f", {came.pairs:,} of them for the first time")
    if came.again:
        parts.append(f", {came.again:,} suspect before and right again")
    if came.edited:
        parts.append(f"; {came.edited:,} changed since the last run and not verified")
    screen.lines((word, style), ":", *parts, f" in {came.seconds:.1f} s", indent=2)
    if came.oldest is not None:
        screen.line((f"  all of it was read since {show.moment(came.oldest)}", "dim"))
    else:
        screen.line(("  some of it was not read yet", "dim"))
