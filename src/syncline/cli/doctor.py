"""`doctor`: what is missing or risky on this machine, each with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.options import as_json, examples
from syncline.errors import SynclineError

if TYPE_CHECKING:
    from syncline.cli.terminal import Screen
    from syncline.engine.checkup import Check


@click.command(epilog=examples("syncline doctor", "syncline doctor documents-usb", "syncline doctor --json"))
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete.jobs)
@as_json
@click.pass_obj
def doctor(call: Call, jobs: tuple[str, ...], json: bool) -> int:
    """Look for what is missing or risky: the machine, the state, and the folders of each job.

    Changes nothing. What is listed with a remedy but marked as fine is only good to know.
    """
    from syncline.cli import terminal
    from syncline.engine import checkup

    checks = [*checkup.machine(call.state_dir()), *_of_jobs(call, jobs)]
    if json:
        rows = [
            {"name": each.name, "ok": each.ok, "detail": each.detail, "remedy": each.remedy or None} for each in checks
        ]
        call.answer({"checks": rows})
    else:
        _show(terminal.screen(call), checks)
    return 0


def _of_jobs(call: Call, names: tuple[str, ...]) -> list[Check]:
    """What there is to say of the configuration and of the jobs; what keeps them from being looked at is a finding."""
    from syncline.compose import NO_CONFIGURATION, Desk
    from syncline.engine import checkup
    from syncline.engine.checkup import Check

    checks: list[Check] = []
    configuration = NO_CONFIGURATION
    try:
        configuration = call.configuration()
        checks.append(Check("configuration", True, configuration.file or "none; only the remembered jobs"))
    except SynclineError as error:
        where = (
            f"{getattr(error, 'file', None)}:{getattr(error, 'line', None)}: " if getattr(error, "file", None) else ""
        )
        checks.append(Check("configuration", False, f"{where}{error.message}", "syncline config check"))
    try:
        with Desk.open(call.state_dir(), write=False, configuration=configuration) as desk:
            notes = "; ".join(desk.notes)
            checks.append(Check("state", not notes, notes or "can be read", error_hint(notes)))
            for job in [desk.job(name, gone=True) for name in names] if names else desk.jobs():
                checks += checkup.of_job(job, desk.store)
    except SynclineError as error:
        if names and error.exit_code == 2:
            raise
        checks.append(Check("state", False, error.message, error.hint))
    return checks


def error_hint(notes: str) -> str:
    """What to do when opening the state brought something to light."""
    return "the next run begins a new state and deletes nothing" if notes else ""


def _show(screen: Screen, checks: list[Check]) -> None:
    from syncline.cli import show
    from syncline.core.names import printable

    width = max(len(each.name) for each in checks)
    for each in checks:
        sign, style = ("✓", "green") if each.ok else ("✗", "bold red")
        if each.ok and each.remedy:
            sign, style = "!", "yellow"
        screen.lines((sign, style), f" {each.name:<{width}}", f"  {printable(each.detail)}", indent=4)
        if each.remedy:
            screen.line("    ", (printable(each.remedy), "" if each.ok else "bold cyan"))
    needs = sum(not each.ok for each in checks)
    word, style = ("all is well", "green") if not needs else (f"{show.many(needs, 'thing')} to mend", "bold red")
    screen.line((word, style))
