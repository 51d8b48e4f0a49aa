"""`config` (check, show, init): the configuration file, without any job being looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncline.cli.call import Call
from syncline.cli.options import as_json, examples

if TYPE_CHECKING:
    from syncline.cli.terminal import Screen
    from syncline.config.effective import ValueRow


@click.group(
    epilog=examples("syncline config init", "syncline config check", "syncline config show"), no_args_is_help=True
)
def config() -> None:
    """Check, show or begin the configuration file."""


@config.command(epilog=examples("syncline config check", "syncline --config jobs.yaml config check --json"))
@as_json
@click.pass_obj
def check(call: Call, json: bool) -> int:
    """Check the configuration, and say everything that is wrong with it.

    A folder that is not there is only mentioned: its drive may not be connected.
    """
    from syncline import config as configuration
    from syncline.cli import terminal

    setup = call.setup()
    found = configuration.study(setup).configuration
    file = found.file
    warnings = [*found.notes, *found.missing()]
    for warning in warnings:
        call.say(f"syncline: {warning}")
    names = [job.name for job in found.jobs]
    if json:
        call.answer({"file": file, "jobs": names, "warnings": warnings})
        return 0
    screen = terminal.screen(call)
    if file is None and not names:
        hint = f"there is no configuration file; 'syncline config init' writes {configuration.default_file()}"
        screen.line(hint)
        return 0
    told = ", ".join(names) or "no jobs yet"
    screen.line(("valid", "bold green"), f": {file or 'variables of the environment'}: {told}")
    return 0


@config.command(epilog=examples("syncline config show", "syncline config show --json"))
@as_json
@click.pass_obj
def show(call: Call, json: bool) -> int:
    """Show every value that is in force, and where it comes from. Secrets are hidden."""
    from syncline import config as configuration
    from syncline.cli import terminal
    from syncline.config import effective
    from syncline.core.filters import LITTER

    found = configuration.study(call.setup())
    rows, file = effective.rows(found), found.configuration.file
    if json:
        call.answer({"file": file, "values": rows, "ignored_litter": list(LITTER)})
        return 0
    screen = terminal.screen(call)
    screen.line(("configuration: ", "bold"), file or "none; what follows comes from variables and defaults")
    width = max((len(row["key"]) for row in rows), default=0)
    for row in rows:
        _show(screen, row, width)
    screen.line("ignored unless ignore_litter is false: ", (", ".join(LITTER), "cyan"))
    return 0


@config.command(epilog=examples("syncline config init", "syncline --config ./jobs.yaml config init"))
@as_json
@click.pass_obj
def init(call: Call, json: bool) -> int:
    """Write a commented file to begin with. A file that is there already is not touched."""
    from syncline.cli import terminal
    from syncline.config import default_file, starter

    file = call.config or default_file()
    starter.write(file)
    if json:
        call.answer({"file": file})
        return 0
    screen = terminal.screen(call)
    screen.line("written: ", (file, "bold"))
    screen.line("  take the comment signs from the lines you need, then: ", ("syncline config check", "bold cyan"))
    return 0


def _show(screen: Screen, row: ValueRow, width: int) -> None:
    value = row["value"]
    text = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
    place = row["origin"]
    if row["file"] is not None:
        place = f"{row['file'].rpartition('/')[2]}:{row['line']}"
    if row["variables"]:
        place += f", from {', '.join(row['variables'])}"
    idle = "; does nothing yet" if not row["in_force"] else "" if row["settable"] else "; cannot be changed yet"
    screen.line(f"  {row['key']:<{width}}  ", (text, "cyan"), (f"  ({place}{idle})", "dim"))
