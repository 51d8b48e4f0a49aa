"""Jobs, how they stand, and past runs: a line or two for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from syncline.cli import show
from syncline.cli.terminal import Piece, Screen
from syncline.core.names import pasted, printable

if TYPE_CHECKING:
    from syncline.queries import JobRow, OperationsRow, RunRow, SpaceRow, StatusRow


def jobs(screen: Screen, rows: Sequence[JobRow]) -> None:
    """The jobs that are known."""
    if not rows:
        screen.line("no jobs yet; begin with: ", ("syncline sync LEFT RIGHT", "cyan"))
    width = max((len(row["job"]) for row in rows), default=0)
    for row in rows:
        (_, one), (_, other) = row["roots"].items()
        arrow = "↔" if row["kind"] == "twoway" else "→"
        screen.line((row["job"].ljust(width), "bold"), f"  {printable(one)} {arrow} {printable(other)}")


def status(screen: Screen, rows: Sequence[StatusRow]) -> None:
    """How each job stands, and what was done lately where that was asked for."""
    if not rows:
        screen.line("no jobs yet; begin with: ", ("syncline sync LEFT RIGHT", "cyan"))
    width = max((len(row["job"]) for row in rows), default=0)
    for row in rows:
        word, style = _standing(row)
        looked, run = row["last_checked"], row["last_run"]
        pieces: list[Piece] = [(row["job"].ljust(width), "bold"), (f"  {word}{',' if looked or run else ''}", style)]
        if looked is not None:
            pieces.append(f" looked at {show.moment(looked)}{',' if run else ''}")
        if run is not None:
            pieces.append(f" last run {run}")
        screen.lines(*pieces, indent=width + 2)
        if "operations" in row:
            _operations(screen, row["operations"], width)
        if "trash" in row:
            _space(screen, row["trash"], width)
        if row["conflicts"]:
            screen.line(f"{'':<{width}}  ", (f"syncline conflicts {pasted(row['job'])}", "cyan"))


def _operations(screen: Screen, done: OperationsRow, width: int) -> None:
    """What was done lately: actions, and the conflicts that were found, by their rules."""
    for said, counts in (("operation", done["actions"]), ("conflict", done["conflicts"])):
        parts = [f" {name} {number:,}," for name, number in counts.items()]
        total = sum(counts.values())
        head = f"{'':<{width + 2}}last {done['hours']:g} h: {show.many(total, said)}{':' if parts else ''}"
        screen.lines(head, *[*parts[:-1], *[part.rstrip(",") for part in parts[-1:]]], indent=width + 4)


def _space(screen: Screen, kept: Mapping[str, SpaceRow] | None, width: int) -> None:
    """How much the trash of each root holds."""
    if kept is None:
        screen.line(f"{'':<{width + 2}}trash: its folders cannot be looked at now")
        return
    parts = [f" {root} {show.many(row['items'], 'item')} ({show.size(row['bytes'])})" for root, row in kept.items()]
    screen.lines(f"{'':<{width + 2}}trash:", *[f"{part}," for part in parts[:-1]], *parts[-1:], indent=width + 4)


def history(screen: Screen, rows: Sequence[RunRow]) -> None:
    """Past runs, the latest first."""
    if not rows:
        screen.line("nothing was run yet")
    width = max((len(row["job"]) for row in rows), default=0)
    for row in rows:
        outcome = row["outcome"] or "not finished"
        screen.line(
            f"{show.moment(row['started'])}  {row['run']}  ",
            (row["job"].ljust(width), "bold"),
            "  ",
            (outcome, show.STYLES.get(outcome, "yellow")),
            f"  {show.phrase(row['summary'], done=True) or 'nothing to copy'}",
        )


def _standing(row: StatusRow) -> tuple[str, str]:
    needs = ", ".join(
        show.many(number, noun)
        for number, noun in ((row["conflicts"], "open conflict"), (row["problems"], "problem"))
        if number
    )
    if row["state"] == "running":
        return f"a run is going on or was cut off{f', {needs}' if needs else ''}", "yellow"
    if row["state"] == "refused":
        return "refused, waits for your word ('syncline plan' shows it)", "bold red"
    if row["in_sync"] is None:
        return "never run", "yellow"
    if row["in_sync"]:
        return f"in sync{f', {needs}' if needs else ''}", "yellow" if row["conflicts"] else "green"
    return f"not in sync{f', {needs}' if needs else ''}", "red"
