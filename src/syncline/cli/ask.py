"""`status`, `history` and `show`: what is known, without looking at the roots and without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.options import Measure, as_json, examples
from syncline.errors import SynclineError

if TYPE_CHECKING:
    from syncline.compose import Desk
    from syncline.jobs.kind import Job
    from syncline.queries import SpaceRow


@click.command(
    epilog=examples("syncline status", "syncline status --hours 24 --space", "syncline status documents-usb --json")
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete.jobs)
@click.option("--hours", type=Measure(1_000_000), help="Also count what was done in so many hours.")
@click.option("--space", is_flag=True, help="Also say how much space the trash of each folder takes.")
@as_json
@click.pass_obj
def status(call: Call, jobs: tuple[str, ...], hours: float | None, space: bool, json: bool) -> int:
    """Say per job whether it is in sync, and what is open.

    It tells what was found when the job was last looked at; 'syncline plan JOB' looks anew.
    """
    from syncline import queries
    from syncline.cli import lists, terminal
    from syncline.compose import local_now

    with looking(call) as desk:
        named = [desk.job(name) for name in dict.fromkeys(jobs)] if jobs else desk.jobs()
        rows = queries.status(desk.store, named)
        if hours is not None:
            for row, job in zip(rows, named, strict=True):
                row["operations"] = queries.operations(desk.store, job, hours, local_now())
        for row, job in zip(rows, named, strict=True) if space else ():
            row["trash"] = _space(desk, job)
        if json:
            call.answer({"jobs": rows})
        else:
            lists.status(terminal.screen(call), rows)
    return 0


def _space(desk: Desk, job: Job) -> dict[str, SpaceRow] | None:
    """What the trash of a job's roots holds; None where they cannot be looked at now."""
    from syncline import queries
    from syncline.engine import trash

    try:
        with desk.world(job) as world:
            return queries.space(job, trash.contents(job, world))
    except SynclineError:
        return None


@click.command(epilog=examples("syncline history", "syncline history documents-usb --limit 5"))
@click.argument("job", required=False, shell_complete=complete.jobs)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many runs.")
@as_json
@click.pass_obj
def history(call: Call, job: str | None, limit: int, json: bool) -> int:
    """List past runs, the latest first. Runs that had nothing to do are not among them."""
    from syncline import queries
    from syncline.cli import lists, terminal

    with looking(call, jobs=False) as desk:
        rows = queries.history(desk.store, job, limit)
        if json:
            call.answer({"runs": rows})
        else:
            lists.history(terminal.screen(call), rows)
    return 0


@click.command("show", epilog=examples("syncline show last", "syncline show 20261120T184500Z-1a2b -v"))
@click.argument("run", shell_complete=complete.runs)
@click.option("-v", "--verbose", is_flag=True, help="Show every line.")
@as_json
@click.pass_obj
def show(call: Call, run: str, verbose: bool, json: bool) -> int:
    """Show what a past run did. RUN is an id, its unique beginning, or 'last'."""
    from syncline import queries
    from syncline.cli import show as showing
    from syncline.cli import terminal

    with looking(call, jobs=False) as desk:
        found = queries.show(desk.store, run)
        if json:
            call.pour(found.chunks())
        else:
            with terminal.pages(call, whole=verbose) as screen:
                showing.run(screen, found.head, found.rows, verbose=verbose)
    return 0


@contextmanager
def looking(call: Call, *, jobs: bool = True) -> Iterator[Desk]:
    """A desk that changes nothing. Without `jobs` the configuration is not read: it knows what is remembered."""
    from syncline.compose import NO_CONFIGURATION, Desk

    configuration = call.configuration() if jobs else NO_CONFIGURATION
    with Desk.open(call.state_dir(), write=False, configuration=configuration) as desk:
        for note in desk.notes:
            call.say(f"syncline: {note}")
        yield desk
