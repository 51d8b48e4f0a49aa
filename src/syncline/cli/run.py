"""`plan` and `run`: jobs that are already known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.options import Manner, common, examples
from syncline.errors import UsageError

if TYPE_CHECKING:
    from syncline.compose import Desk
    from syncline.jobs.kind import Job


@click.command(
    epilog=examples(
        "syncline plan documents-usb",
        "syncline plan documents-usb -v",
        "syncline plan documents-usb --json",
    )
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete.jobs)
@click.option("--all", "every", is_flag=True, help="All configured jobs.")
@common
@click.pass_obj
def plan(call: Call, jobs: tuple[str, ...], every: bool, manner: Manner) -> int:
    """Show what a run would do; changes nothing.

    JOB is a name that 'syncline jobs list' shows; without any, all configured jobs are planned.
    Also called 'check' and 'dry-run'.
    """
    return _known(call, jobs, every, replace(manner, dry_run=True))


@click.command(
    epilog=examples(
        "syncline run documents-usb",
        "syncline run documents-usb --approve 0123456789abcdef",
        "syncline run --all --quiet",
    )
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete.jobs)
@click.option("--all", "every", is_flag=True, help="All configured jobs.")
@common
@click.pass_obj
def run(call: Call, jobs: tuple[str, ...], every: bool, manner: Manner) -> int:
    """Run jobs, one after the other.

    JOB is a name that 'syncline jobs list' shows; without any, all configured jobs are run. Also called 'resync'.
    """
    return _known(call, jobs, every, manner)


def _known(call: Call, names: tuple[str, ...], every: bool, manner: Manner) -> int:
    from syncline.cli.running import carry_out

    if every and names:
        raise UsageError("--all means every job: leave the names out, or leave --all out")

    def pick(desk: Desk) -> list[Job]:
        jobs = [desk.job(name) for name in dict.fromkeys(names)] if names else desk.configured()
        if manner.approve is not None and len(jobs) > 1:
            raise UsageError("--approve goes with one plan of one job", hint="run that job alone")
        return [_leaving_out(job, manner.exclude) for job in jobs]

    return carry_out(call, manner, pick)


def _leaving_out(job: Job, patterns: tuple[str, ...]) -> Job:
    """The job with more left out, for this run only."""
    if not patterns:
        return job
    settings: Any = job.settings
    return replace(job, settings=replace(settings, ignore=(*settings.ignore, *patterns)))
