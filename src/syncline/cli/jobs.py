"""`jobs` (list, show, forget) and `adopt`: which jobs there are, and what they are taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncline.cli.call import Call
from syncline.cli.options import Manner, as_json, common, examples

if TYPE_CHECKING:
    from syncline.compose import Desk
    from syncline.jobs.kind import Job


@click.group(
    epilog=examples("syncline jobs list", "syncline jobs show documents-usb", "syncline jobs forget documents-usb"),
    no_args_is_help=True,
)
def jobs() -> None:
    """List, show or forget jobs."""


@jobs.command("list", epilog=examples("syncline jobs list", "syncline jobs list --json"))
@as_json
@click.pass_obj
def list_jobs(call: Call, json: bool) -> int:
    """List the jobs that are known: the configured ones, and those of 'sync' and 'mirror'."""
    from syncline import queries
    from syncline.cli import lists, terminal
    from syncline.cli.ask import looking

    with looking(call) as desk:
        rows = [queries.job_row(job) for job in desk.jobs()]
    if json:
        call.answer({"jobs": rows})
    else:
        lists.jobs(terminal.screen(call), rows)
    return 0


@jobs.command("show", epilog=examples("syncline jobs show documents-usb"))
@click.argument("job")
@as_json
@click.pass_obj
def show_job(call: Call, job: str, json: bool) -> int:
    """Show one job with its options."""
    from syncline import queries
    from syncline.cli import lists, show, terminal
    from syncline.cli.ask import looking

    with looking(call) as desk:
        found = desk.job(job, gone=True)
        row, settings = queries.job_row(found), queries.settings_row(found)
    if json:
        call.answer({"jobs": [{**row, "settings": settings}]})
        return 0
    screen = terminal.screen(call)
    lists.jobs(screen, [row])
    for name, value in settings.items():
        screen.line(f"  {name}: ", (show.setting(value), "cyan"))
    return 0


@jobs.command("forget", epilog=examples("syncline jobs forget documents-usb"))
@click.argument("job")
@as_json
@click.pass_obj
def forget(call: Call, job: str, json: bool) -> int:
    """Drop what is remembered of a job. No file is touched; its next run is a first run."""
    from syncline.cli import terminal
    from syncline.compose import Desk

    with Desk.open(call.state_dir(), write=True, configuration=call.configuration(keep=True)) as desk:
        for note in desk.notes:
            call.say(f"syncline: {note}")
        found = desk.job(job, gone=True)
        desk.forget(found)
    if json:
        call.answer({"forgotten": found.name})
    else:
        terminal.screen(call).line("forgotten: ", (found.name, "bold"), "; no file was touched")
    return 0


@click.command(epilog=examples("syncline adopt documents-usb --dry-run", "syncline adopt documents-usb"))
@click.argument("job")
@common
@click.pass_obj
def adopt(call: Call, job: str, manner: Manner) -> int:
    """Accept the folders of a job as they stand, whatever their markers say.

    Both sides are compared as at a first run: what is equal is adopted, what differs is kept twice, nothing is deleted.
    """
    from syncline.cli.running import carry_out
    from syncline.compose import Desk

    def pick(desk: Desk) -> list[Job]:
        return [desk.job(job)]

    return carry_out(call, manner, pick, Desk.adopt)
