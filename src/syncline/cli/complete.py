"""What the shell offers for an argument: jobs, runs, open conflicts. Asks the state only, silent about trouble."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from syncline.cli.call import Call
from syncline.errors import SynclineError

if TYPE_CHECKING:
    from syncline.compose import Desk

Offer = Callable[[click.Context, click.Parameter, str], list[str]]


def jobs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of jobs."""
    return _offered(ctx, incomplete, lambda desk: [job.name for job in desk.jobs()])


def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the latest runs."""

    def found(desk: Desk) -> Iterable[str]:
        from syncline import queries

        job = ctx.params.get("job")
        return ["last", *[row["run"] for row in queries.history(desk.store, job if isinstance(job, str) else None, 50)]]

    return _offered(ctx, incomplete, found)


def conflicts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The paths of the open conflicts of the job that was named."""

    def found(desk: Desk) -> Iterable[str]:
        from syncline import queries

        job = ctx.params.get("job")
        named = [desk.job(job)] if isinstance(job, str) else desk.jobs()
        return [each.row["path"] for each in queries.conflicts(desk.store, named)]

    return _offered(ctx, incomplete, found)


def _offered(ctx: click.Context, incomplete: str, ask: Callable[[Desk], Iterable[str]]) -> list[str]:
    from syncline.compose import Desk

    call = Call(())
    said = ctx.find_root().params
    with suppress(SynclineError, OSError):
        call.configure(said.get("config") or os.environ.get("SYNCLINE_CONFIG"), said.get("state_dir"))
        with Desk.open(call.state_dir(), write=False, configuration=call.configuration()) as desk:
            return sorted({word for word in ask(desk) if word.startswith(incomplete) and word.isprintable()})
    return []
