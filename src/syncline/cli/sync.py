"""`sync` and `mirror`: two folders named on the command line, remembered from then on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from syncline.cli.call import Call
from syncline.cli.options import (
    CONTENT_POLICY,
    PROPERTY_POLICY,
    SIZE,
    Manner,
    common,
    examples,
    said,
)

if TYPE_CHECKING:
    from syncline.compose import Desk
    from syncline.jobs.kind import Job

_CREATE = "Make a folder that does not exist yet (first run only)."
_COMPARE = "How files are first compared: by size and time, or by content."
_TRASH = "Larger deletions do not go to the trash but are final: 20MB, 500MiB, none (no limit)."


@click.command(
    epilog=examples(
        "syncline sync ~/Documents /media/usb/Documents",
        "syncline sync --dry-run --exclude '*.tmp' work /srv/work",
        "syncline sync work /srv/work --changed-both newest --trash-max-size none",
    )
)
@click.argument("left")
@click.argument("right")
@click.option("--changed-both", type=CONTENT_POLICY, help="For a file changed on both sides (keep-both).")
@click.option("--created-both", type=CONTENT_POLICY, help="For a file created on both sides (keep-both).")
@click.option("--props-both", type=PROPERTY_POLICY, help="For properties changed on both sides (newest).")
@click.option("--compare", type=click.Choice(["quick", "hash"]), help=_COMPARE)
@click.option("--trash-max-size", type=SIZE, metavar="SIZE", help=_TRASH + " Default 20MB.")
@click.option("--create", is_flag=True, help=_CREATE)
@common
@click.pass_obj
def sync(call: Call, /, left: str, right: str, create: bool, manner: Manner, **options: Any) -> int:
    """Keep two folders in step, either of which may change.

    What was created, changed or deleted on one side is done on the other. What changed on both sides is kept twice,
    unless you say otherwise. The pair is remembered as a job, with the options given here.

    Policies: keep-both (1), newest (2), hold (3), oldest, largest, smallest, left, right, 'merge: COMMAND';
    for properties: newest (1), left (2), hold (3), right.
    """
    return _pair(call, "twoway", left, right, said(ignore=manner.exclude, **options), create, manner)


@click.command(
    epilog=examples(
        "syncline mirror --dry-run ~/Pictures /media/usb/Pictures",
        "syncline mirror ~/Pictures /media/usb/Pictures --create",
        "syncline mirror --extras keep /srv/music /mnt/player",
    )
)
@click.argument("source")
@click.argument("target")
@click.option(
    "--extras", type=click.Choice(["keep", "trash", "delete"]), help="For what is only in the target (trash)."
)
@click.option("--compare", type=click.Choice(["quick", "hash"]), help=_COMPARE)
@click.option("--trash-max-size", type=SIZE, metavar="SIZE", help=_TRASH + " Default none.")
@click.option("--create", is_flag=True, help=_CREATE)
@common
@click.pass_obj
def mirror(call: Call, /, source: str, target: str, create: bool, manner: Manner, **options: Any) -> int:
    """Make a target folder like a source folder.

    Nothing is ever written to the source. What was edited in the target is replaced; the old version goes to the
    trash, and so does what is only in the target. The pair is remembered as a job, with the options given here.
    """
    from syncline.core.policy import Extras

    given = said(ignore=manner.exclude, **options)
    if "extras" in given:
        given["extras"] = Extras(given["extras"])
    return _pair(call, "mirror", source, target, given, create, manner)


def _pair(
    call: Call, kind: str, left: str, right: str, given: Mapping[str, object], create: bool, manner: Manner
) -> int:
    from syncline.cli.running import carry_out

    def pick(desk: Desk) -> list[Job]:
        return [desk.adhoc(kind, left, right, given, create=create)]

    return carry_out(call, manner, pick)
