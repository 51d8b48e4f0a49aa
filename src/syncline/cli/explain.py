"""`explain`: what happened to a path, and how it stands."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import click

from syncline.cli import complete
from syncline.cli.call import Call
from syncline.cli.options import as_json, examples
from syncline.errors import SynclineError

if TYPE_CHECKING:
    from syncline.cli.terminal import Screen
    from syncline.engine.story import EventRow, StoryRow


@click.command(
    epilog=examples(
        "syncline explain documents-usb letters/2026.txt", "syncline explain documents-usb letters/2026.txt --json"
    )
)
@click.argument("job", shell_complete=complete.jobs)
@click.argument("path")
@as_json
@click.pass_obj
def explain(call: Call, job: str, path: str, json: bool) -> int:
    """Tell what happened to a path: when, which action, why, in which run, and where earlier versions are.

    What was done under earlier names, before it or a folder above it was renamed, is told too. Also for paths that do
    not exist any more. If both sides do not agree on it: why, and what to do.
    """
    from syncline import queries
    from syncline.cli import terminal
    from syncline.cli.ask import looking
    from syncline.core.names import pasted_path
    from syncline.engine import story

    with looking(call) as desk, ExitStack() as opened:
        named = desk.job(job, gone=True)
        place = queries.path_in(named, path)
        world = None
        with suppress(SynclineError):
            world = opened.enter_context(desk.world(named))
        told = story.story(named, desk.store, place, world, spell=pasted_path)
    if json:
        call.answer(dict(told))
    else:
        _show(terminal.screen(call), told)
    return 0


def _show(screen: Screen, told: StoryRow) -> None:
    from syncline.core.names import printable

    screen.line((printable(told["path"]), "bold"), f" in {told['job']}")
    for event in told["events"]:
        _event(screen, event, told["path"])
    if not told["events"]:
        screen.line("  nothing was ever done to it")
    style = {True: "green", False: "yellow", None: ""}[told["in_step"]]
    word = {True: "now", False: "not in step", None: "now"}[told["in_step"]]
    reasons = printable(told["reason"]).split("; ")
    parts = [f" {each}{';' if each != reasons[-1] else ''}" for each in reasons]
    screen.lines((f"{word}:", style), *parts, indent=2)
    for command in told["next"]:
        screen.line("  ", (command, "bold cyan"))


def _event(screen: Screen, event: EventRow, path: str) -> None:
    from syncline.cli import show
    from syncline.core.names import printable

    run = f"  run {event['run']}" if event["run"] is not None else ""
    above = event["path"] != path and path.startswith(f"{event['path']}/")
    among = f" (with the folder {printable(event['path'])})" if above else ""
    told = [part for part in (*_done(event), among) if part]
    screen.lines(f"  {show.moment(event['at'])} ", *[f" {part.lstrip()}" for part in told], (run, "dim"), indent=6)
    if event.get("detail"):
        screen.line((f"      {printable(event['detail'])}", "dim"))
    if "trash" in event:
        place = printable(event["trash"])
        gone = {True: "", False: " (not there any more)", None: " (cannot be looked at now)"}[event.get("there")]
        screen.line((f"      in the trash: {place}{gone}", "dim"))


def _done(event: EventRow) -> list[str]:
    """What was done, in parts between which a line may be broken."""
    from syncline.cli import show
    from syncline.core.names import printable

    if event["action"] == "conflict":
        clash = event.get("clash")
        kept = event.get("kept")
        told = f"conflict, {show.rule(event['why'])};"
        if kept is None:
            return [told, "nothing was touched"]
        if kept == "merged":
            return [told, "both versions were merged"]
        return [told, f"{kept} kept the name", f"and the other version is {printable(clash)}" if clash else ""]
    if event["action"] == "settled":
        return ["the conflict was settled"]
    state = "" if event["state"] == "done" else f" ({event['state']})"
    if event["action"] == "put-file" and "trash" in event:
        state += ";"
    why = show.reason(event["why"])
    size = f" {show.size(event['bytes'])}" if event["bytes"] else ""
    did = _DID.get(event["action"], event["action"] + " in {root}").format(
        root=event["root"], to=printable(event.get("to", ""))
    )
    kept = "the earlier version went to the trash" if state.endswith(";") else ""
    return [f"{did}{size}{f': {why}' if why else ''}{state}", kept]


_DID = {
    "put-file": "copied to {root}",
    "put-link": "linked in {root}",
    "make-directory": "made in {root}",
    "rename": "renamed in {root} to {to}",
    "set-properties": "properties set in {root}",
    "trash": "moved to the trash of {root}",
    "remove": "removed for good in {root}",
}
