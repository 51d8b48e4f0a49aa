"""`trash` (list, restore, empty): what runs moved away, and getting it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.errands import errand
from syncline.cli.options import SIZE, Manner, Unlimited, as_json, examples
from syncline.errors import RunRefused, SynclineError, UsageError

if TYPE_CHECKING:
    from syncline.cli.terminal import Screen
    from syncline.compose import Desk
    from syncline.core.model import Event
    from syncline.engine import Ask
    from syncline.jobs.kind import Job
    from syncline.queries import TrashRow

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType


class _Duration(_ParamType):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from syncline.core.spelling import parse_duration

        if not isinstance(value, str):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group(
    epilog=examples(
        "syncline trash list",
        "syncline trash restore documents-usb letter.txt",
        "syncline trash empty documents-usb --older-than 30d",
    ),
    no_args_is_help=True,
)
def trash() -> None:
    """List, put back or empty what runs moved to the trash."""


@trash.command("list", epilog=examples("syncline trash list", "syncline trash list documents-usb --run last -v"))
@click.argument("job", required=False, shell_complete=complete.jobs)
@click.option("--run", metavar="RUN", help="Only what this run moved there.", shell_complete=complete.runs)
@click.option("-v", "--verbose", is_flag=True, help="Show every line.")
@as_json
@click.pass_obj
def list_trash(call: Call, job: str | None, run: str | None, verbose: bool, json: bool) -> int:
    """List what is in the trash, the latest first: every file, with the path it had and the run that moved it."""
    from syncline import queries
    from syncline.cli import terminal
    from syncline.cli.ask import looking
    from syncline.engine import trash as keeping

    rows: list[TrashRow] = []
    with looking(call) as desk:
        wanted = None if run is None else queries.run_id(desk.store, run)
        seen: set[tuple[str, str]] = set()
        for each in [desk.job(job, gone=True)] if job is not None else desk.jobs():
            try:
                with desk.world(each) as world:
                    found = keeping.contents(each, world)
            except SynclineError as error:
                call.tell(SynclineError(f"{each.name}: {error.message}", hint=error.hint))
                continue
            new = [kept for kept in found if (each.root(kept.side), kept.run) not in seen]
            seen |= {(each.root(kept.side), kept.run) for kept in found}
            rows += [queries.trash_row(each, kept) for kept in new if wanted in (None, kept.run)]
    if json:
        call.answer({"trash": rows})
    else:
        _show(terminal.screen(call), rows, verbose)
    return 0


@trash.command(
    epilog=examples(
        "syncline trash restore documents-usb letter.txt",
        "syncline trash restore documents-usb letters --run last",
        "syncline trash restore documents-usb letter.txt --to letter-old.txt",
    )
)
@click.argument("job", shell_complete=complete.jobs)
@click.argument("path")
@click.option("--run", metavar="RUN", help="As this run moved it there; else the latest.", shell_complete=complete.runs)
@click.option("--to", metavar="PATH", help="Put it back under this path.")
@click.option("--from", "side", type=click.Choice(["left", "right"]), help="From the trash of this side.")
@errand
@click.pass_obj
def restore(call: Call, job: str, path: str, run: str | None, to: str | None, side: str | None, manner: Manner) -> int:
    """Put a file or folder back from the trash, on both sides (of a mirror: in the target).

    The latest one is taken, also of a name it had before it was renamed. A path that is taken is never replaced.
    """
    from syncline.cli.running import carry_out

    act = partial(_restore, path=path, run=run, to=to, side=side)
    return carry_out(call, manner, lambda desk: [desk.job(job)], act)


@trash.command(
    epilog=examples(
        "syncline trash empty documents-usb --older-than 30d",
        "syncline trash empty --max-size 5GB --dry-run",
        "syncline trash empty documents-usb",
    )
)
@click.argument("job", required=False, shell_complete=complete.jobs)
@click.option("--older-than", type=_Duration(), metavar="AGE", help="Only what is as old: 12h, 30d.")
@click.option("--max-size", type=SIZE, metavar="SIZE", help="Only the oldest, until no more than this is left.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would go, change nothing.")
@as_json
@click.pass_obj
def empty(
    call: Call, job: str | None, older_than: float | None, max_size: int | Unlimited | None, dry_run: bool, json: bool
) -> int:
    """Empty the trash, of all jobs or of one, run by run. What goes here is gone for good.

    What a run needs that goes on, or was cut off, stays. Without --older-than and --max-size all else goes.
    """
    from syncline.cli import terminal
    from syncline.cli.running import again_command
    from syncline.compose import Desk
    from syncline.core.report import worst
    from syncline.core.retention import Retention

    if isinstance(max_size, Unlimited):
        raise UsageError("--max-size needs a size", hint="to empty all of it leave it out")
    keep = Retention(older_than, max_size)
    rows: list[TrashRow] = []
    codes: list[int] = []
    with Desk.open(call.state_dir(), write=not dry_run, configuration=call.configuration()) as desk:
        for note in desk.notes:
            call.say(f"syncline: {note}")
        for each in [desk.job(job, gone=True)] if job is not None else desk.jobs():
            try:
                rows += _emptied(desk, each, keep, dry_run)
            except SynclineError as error:
                hint = error.hint
                if "syncline " not in hint:
                    again = again_command(call.args)
                    hint = f"{hint}; then: {again}" if hint else again
                call.tell(SynclineError(f"{each.name}: {error.message}", hint=hint))
                missing = isinstance(error, RunRefused) and job is None
                codes.append(0 if missing else error.exit_code)
    if json:
        call.answer({"trash": rows, "dry_run": dry_run})
    else:
        _tell_emptied(terminal.screen(call), call, rows, dry_run)
    return worst(codes)


def _restore(
    desk: Desk, job: Job, ask: Ask, *, path: str, run: str | None, to: str | None, side: str | None
) -> Iterator[Event]:
    from syncline import queries
    from syncline.core.model import Side
    from syncline.engine import trash as keeping

    target = None if to is None else queries.path_in(job, to)
    wish = keeping.Wish(queries.path_in(job, path), run, target, None if side is None else Side(side))
    return desk.perform(job, ask, partial(keeping.restore, wish=wish))


def _emptied(desk: Desk, job: Job, keep: Any, dry_run: bool) -> list[TrashRow]:
    from syncline import queries
    from syncline.engine import trash as keeping

    with desk.world(job) as world:
        return [queries.trash_row(job, kept) for kept in keeping.empty(job, world, keep, dry_run=dry_run)]


def _show(screen: Screen, rows: Sequence[TrashRow], verbose: bool) -> None:
    from syncline.cli import show
    from syncline.core.names import pasted, pasted_path, printable

    if not rows:
        screen.line("the trash is empty")
        return
    heaps: dict[tuple[str, str, str], list[TrashRow]] = {}
    for row in rows:
        heaps.setdefault((row["job"], row["run"], row["root"]), []).append(row)
    for (job, run, root), mine in heaps.items():
        when = f" {show.moment(mine[0]['trashed_at'])},"
        screen.lines((job, "bold"), f" {root}: run {run},", when, f" {_amount(mine)}", indent=4)
        for row in mine if verbose else mine[: show.FOLD_AT]:
            name = screen.fitted(printable(row["path"]), max((screen.width or 10_000) - 16, 20))
            screen.line(f"    {show.size(row['bytes']):>8}  {name}")
        if len(mine) > show.FOLD_AT and not verbose:
            screen.line((f"    … and {len(mine) - show.FOLD_AT:,} more (-v shows all)", "dim"))
    last = rows[0]
    command = f"syncline trash restore {pasted(last['job'])} {pasted_path(last['path'])} --run {last['run']}"
    screen.line(f"{_amount(rows)} in all")
    screen.line("  to put one back: ", (command, "bold cyan"))


def _tell_emptied(screen: Screen, call: Call, rows: Sequence[TrashRow], dry_run: bool) -> None:
    from syncline.cli.running import again_command

    if not rows:
        screen.line("nothing to remove from the trash")
    elif dry_run:
        screen.line(f"would remove {_amount(rows)} for good; nothing was changed")
        screen.line("  to do it: ", (again_command(call.args), "bold cyan"))
    else:
        screen.line(("emptied", "green"), f": {_amount(rows)} removed for good")


def _amount(rows: Sequence[TrashRow]) -> str:
    from syncline.cli import show

    return f"{show.many(len(rows), 'item')} ({show.size(sum(row['bytes'] for row in rows))})"
