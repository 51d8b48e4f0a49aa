"""`undo`: put back what a run changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.errands import errand
from syncline.cli.options import Manner, examples

if TYPE_CHECKING:
    from syncline.compose import Desk
    from syncline.core.model import Event
    from syncline.engine import Ask
    from syncline.jobs.kind import Job


@click.command(
    epilog=examples(
        "syncline undo last --dry-run",
        "syncline undo last",
        "syncline undo 20261120T184500Z-1a2b",
        "syncline resolve documents-usb --run last --keep left",
    )
)
@click.argument("run", shell_complete=complete.runs)
@click.option("--approve", metavar="PLAN_ID", help="Go ahead with an undo that a guard refused.")
@errand
@click.pass_obj
def undo(call: Call, run: str, approve: str | None, manner: Manner) -> int:
    """Put back what a run changed, where it changed it; nothing else is touched.

    Copies that the run made go to the trash, what it replaced or deleted comes back from there, what it renamed gets
    its earlier name, modes and times are set back; a conflict that it settled waits again. What was changed since stays
    as it is, and is named with the reason, as is what the trash does not have any more. An undo is a run itself:
    'syncline undo last' once more takes it back.

    Where the two sides differ afterwards nothing is synchronised until you say which one holds: 'syncline resolve JOB
    --run RUN --keep left', right or both, or path by path.
    """
    from syncline.cli.running import carry_out

    found: list[str] = []

    def pick(desk: Desk) -> list[Job]:
        from syncline import queries

        identity, job = queries.job_of_run(desk.store, run)
        found.append(identity)
        return [desk.job(job)]

    def act(desk: Desk, job: Job, ask: Ask) -> Iterator[Event]:
        from syncline.engine import undo as undoing

        return desk.perform(job, ask, partial(undoing.undo, run=found[0]))

    return carry_out(call, replace(manner, approve=approve), pick, act)
