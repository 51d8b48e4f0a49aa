"""`versions`: what there is of a path, now and earlier, and how two versions of it differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.options import as_json, examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.cli.terminal import Screen
    from syncline.engine.versions import Difference, Version
    from syncline.jobs.kind import Job


class VersionRow(TypedDict):
    """One version. `root`: None where both have it; `run`, `at`: which run took it away, when; `where`: the file;
    `path`: the name it had then."""

    number: int
    path: str
    root: str | None
    run: str | None
    at: str | None
    bytes: int
    modified: str
    why: str
    where: str


@click.command(
    epilog=examples(
        "syncline versions documents-usb letter.txt",
        "syncline versions documents-usb letter.txt --diff 1 0",
        "syncline trash restore documents-usb letter.txt --run last --to old.txt",
    )
)
@click.argument("job", shell_complete=complete.jobs)
@click.argument("path")
@click.option(
    "--diff", nargs=2, metavar="A B", help="Compare two versions of a text, by number; left, right: what stands there."
)
@as_json
@click.pass_obj
def versions(call: Call, job: str, path: str, diff: tuple[str, str] | None, json: bool) -> int:
    """List the versions of a file: 0 stands there now, 1 came before it, and so on, under each name it had.

    Earlier ones are in the trash (replaced, deleted, lost in a conflict) or are clash files. How many are kept, and for
    how long, is a setting of the job.
    """
    from syncline import queries
    from syncline.cli import terminal
    from syncline.cli.ask import looking
    from syncline.core.names import printable
    from syncline.engine import versions as keeping

    with looking(call) as desk:
        named = desk.job(job, gone=True)
        place = queries.path_in(named, path)
        with desk.world(named) as world:
            found = keeping.versions(named, world, place)
            if diff is None:
                if json:
                    call.answer({"path": place, "job": named.name, "versions": [_row(named, each) for each in found]})
                else:
                    _show(terminal.screen(call), named, place, found)
                return 0
            one, other = (keeping.chosen(found, said, named) for said in diff)
            told = keeping.differ(world, one, other, spoken=printable(place))
    if json:
        rows = {"from": _row(named, one), "to": _row(named, other)}
        call.answer({"path": place, "job": named.name, **rows, "equal": told.equal, "diff": told.lines})
    else:
        _show_difference(terminal.screen(call), named, told)
    return 0


def _row(job: Job, version: Version) -> VersionRow:
    return {
        "number": version.number,
        "path": version.path,
        "root": None if version.side is None else job.kind.root_name(version.side),
        "run": version.run,
        "at": version.at,
        "bytes": version.entry.size,
        "modified": version.modified,
        "why": version.why,
        "where": f"{job.root(version.place.side)}/{version.place.path}",
    }


def _show(screen: Screen, job: Job, path: str, found: Sequence[Version]) -> None:
    from syncline.cli import show
    from syncline.core.names import pasted_path, printable

    screen.line((printable(path), "bold"), f" in {job.name}")
    if not found:
        screen.line("  there is nothing of it: neither on a side nor in the trash")
    for version in found:
        row = _row(job, version)
        where = "both sides" if row["root"] is None else row["root"]
        parts = [f"  {version.number:>3}  {show.size(row['bytes']):>8}  {show.moment(row['modified'])}", f"  {where}"]
        if row["run"] is not None and row["at"] is not None:
            parts.append(f", {show.reason(row['why']) or row['why']}")
            parts.append(f", taken away {show.moment(row['at'])}")
            parts.append(f" by run {row['run']}")
        if row["path"] != path:
            parts.append(f", as {printable(row['path'])}")
        screen.lines(*parts, indent=7)
        if row["run"] is not None:
            screen.line((f"       {printable(row['where'])}", "dim"))
    latest = next((each for each in found if each.run is not None and each.why != "conflict"), None)
    if latest is not None:
        to = "" if found[0].number else " --to NEW_PATH"
        command = f"syncline trash restore {job.word} {pasted_path(path)} --run {latest.run}{to}"
        screen.line("  to put one back: ", (command, "bold cyan"))
    if len(found) > 1:
        command = f"syncline versions {job.word} {pasted_path(path)} --diff {found[1].number} {found[0].number}"
        screen.line("  to compare two:  ", (command, "bold cyan"))


def _show_difference(screen: Screen, job: Job, told: Difference) -> None:
    from syncline.core.names import printable

    if told.equal:
        screen.line("they are the same")
    elif told.lines is None:
        screen.line("they differ, and are not compared line by line: no texts, or too large")
        for version in (told.one, told.other):
            screen.line(f"  {version.number}: {printable(_row(job, version)['where'])}")
    for line in told.lines or ():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        screen.line((printable(line.replace("\t", "        ")), style))
