"""`conflicts` and `resolve`: where both sides disagreed, and which version a person wants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.errands import errand
from syncline.cli.options import Manner, as_json, examples
from syncline.errors import SynclineError, UsageError

if TYPE_CHECKING:
    from syncline.cli.terminal import Screen
    from syncline.compose import Desk
    from syncline.core.model import Entry, Event
    from syncline.engine import Ask
    from syncline.jobs.kind import Job
    from syncline.queries import Disagreement

KEEPS = ("left", "right", "both", "newest")


@click.command(
    epilog=examples("syncline conflicts", "syncline conflicts documents-usb -v", "syncline conflicts --json")
)
@click.argument("job", required=False, shell_complete=complete.jobs)
@click.option("--settled", is_flag=True, help="Those that are settled as well.")
@click.option("-v", "--verbose", is_flag=True, help="Show every line.")
@as_json
@click.pass_obj
def conflicts(call: Call, job: str | None, settled: bool, verbose: bool, json: bool) -> int:
    """List the open conflicts: both versions, and the command that settles each.

    One whose clash file you removed or renamed is settled by that.
    """
    from syncline import queries
    from syncline.cli import terminal
    from syncline.cli.ask import looking

    with looking(call) as desk:
        named = [desk.job(job, gone=True)] if job is not None else desk.jobs()
        with_clash = {each.row["job"] for each in queries.conflicts(desk.store, named) if each.row["clash"] is not None}
        stale = [each for each in named if each.name in with_clash and _unnoticed(desk, each)]
    for each in stale:
        _notice(call, each)
    with looking(call) as desk:
        found = queries.conflicts(desk.store, named, settled=settled)
    if json:
        call.answer({"conflicts": [each.row for each in found]})
    else:
        with terminal.pages(call, whole=verbose) as screen:
            _show(screen, found, verbose)
    return 0


@click.command(
    epilog=examples(
        "syncline resolve documents-usb letter.txt --keep left",
        "syncline resolve documents-usb letter_clash_202611201845.txt --keep newest",
        "syncline resolve documents-usb --run last --keep right",
        "syncline resolve documents-usb --all --keep both",
    )
)
@click.argument("job", shell_complete=complete.jobs)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=complete.conflicts)
@click.option("--keep", required=True, type=click.Choice(KEEPS), help="Which version stays.")
@click.option("--run", metavar="RUN", help="All conflicts that this run found.", shell_complete=complete.runs)
@click.option("--all", "every", is_flag=True, help="All open conflicts of the job.")
@errand
@click.pass_obj
def resolve(
    call: Call, job: str, paths: tuple[str, ...], keep: str, run: str | None, every: bool, manner: Manner
) -> int:
    """Settle conflicts: the version you keep takes the path on both sides, the other one goes to the trash.

    'left' and 'right' name the side a version came from, 'newest' the one changed last. 'both' leaves both files where
    they are; where nothing was touched yet, the older one becomes a clash file. PATH may be the original or the clash
    file. If a side changed since, nothing of that conflict is touched.
    """
    from syncline.cli.running import carry_out
    from syncline.core import names

    if bool(paths) + (run is not None) + every != 1:
        hint = f"syncline resolve {names.pasted(job)} PATH --keep {keep}, or --run RUN, or --all"
        raise UsageError("say which conflicts: paths, or --run, or --all", hint=hint)
    return carry_out(call, manner, lambda desk: [desk.job(job)], partial(_resolve, paths=paths, keep=keep, run=run))


def _resolve(desk: Desk, job: Job, ask: Ask, *, paths: Sequence[str], keep: str, run: str | None) -> Iterator[Event]:
    from syncline import queries
    from syncline.engine import resolve as resolving

    means = resolving.Choice(resolving.Keep(keep), tuple(queries.path_in(job, path) for path in paths), run)
    return desk.perform(job, ask, partial(resolving.resolve, choice=means))


def _unnoticed(desk: Desk, job: Job) -> bool:
    from syncline.engine import resolve as resolving

    with suppress(SynclineError), desk.world(job) as world:
        return resolving.unnoticed(job, world)
    return False


def _notice(call: Call, job: Job) -> None:
    """Close what a person settled by removing the clash file. Where the state cannot be written, the next run does."""
    from syncline.compose import Desk
    from syncline.engine import resolve as resolving

    with suppress(SynclineError), Desk.open(call.state_dir(), write=True) as desk, desk.world(job) as world:
        resolving.notice(job, world)


def _show(screen: Screen, found: Sequence[Disagreement], verbose: bool) -> None:
    from syncline.cli import show
    from syncline.core import names

    if not found:
        screen.line("no open conflicts")
    for job in dict.fromkeys(each.row["job"] for each in found):
        mine = [each for each in found if each.row["job"] == job]
        number = sum(each.row["open"] for each in mine)
        screen.line((job, "bold"), f": {show.many(number, 'open conflict')}")
        for each in mine if verbose else mine[: show.FOLD_AT]:
            _conflict(screen, each)
        if len(mine) > show.FOLD_AT and not verbose:
            screen.line((f"  … and {len(mine) - show.FOLD_AT:,} more (-v shows all)", "dim"))
        if number > 1:
            keep, also = ("left", "") if mine[0].mirrored else ("newest", "  (or left, right, both)")
            command = f"syncline resolve {names.pasted(job)} --all --keep {keep}"
            screen.lines("  all at once: ", (command, "bold cyan"), (also, "dim"), indent=4)


def _conflict(screen: Screen, told: Disagreement) -> None:
    from syncline.cli import show
    from syncline.core.names import printable

    row = told.row
    sign, style = ("!", "red") if row["open"] and row["kept"] is None else ("!", "yellow")
    screen.line("  ", (sign, style), " ", (printable(row["path"]), "bold"))
    since = f"{show.rule(row['rule'])}, found {show.moment(row['detected'])}"
    held = "both are kept" if row["kept"] is not None else show.untouched(row["rule"])
    screen.line((f"      {since}; {held if row['open'] else 'settled'}", "dim"))
    width = max(len(version.root) for version in told.versions)
    for version in told.versions:
        shown = version.path if version.renamed else version.path.rpartition("/")[2]
        name = screen.fitted(printable(shown), max((screen.width or 10_000) - 36 - width, 20))
        suspect = ("  suspect: nobody wrote this", "red") if version.suspect else ""
        screen.line(f"      {version.root:<{width}}  {_entry(version.entry)}  {name}", suspect)
    if row["open"]:
        suspects = [version.root for version in told.versions if version.suspect]
        doubted = suspects[0] if len(suspects) == 1 else None
        show.resolution(screen, row["job"], row["path"], row["rule"], doubted, mirror=told.mirrored)


def _entry(entry: Entry | None) -> str:
    from syncline.cli import show
    from syncline.core.model import Kind

    if entry is None:
        return f"{'deleted':<26}"
    if entry.kind is Kind.DIRECTORY:
        return f"{'folder':<26}"
    when = datetime.fromtimestamp(entry.mtime_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{show.size(entry.size):>8}  {when}"
