"""What `resolve`, `undo` and `trash restore` have in common: their options, and that they are told about as runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from syncline.cli.options import Manner, shared

F = TypeVar("F", bound=Callable[..., Any])


def errand(function: F) -> F:
    """The options of a command that does something at once, given to it as `manner`; and the global ones."""

    def gathered(*args: Any, dry_run: bool, json: bool, verbose: bool, quiet: bool, **said: Any) -> Any:
        return function(*args, manner=Manner(dry_run, json, verbose, quiet), **said)

    gathered.__doc__ = function.__doc__
    gathered.__name__ = function.__name__
    wrapped: Any = shared(gathered)
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Show only what needs a person."),
        click.option("-v", "--verbose", is_flag=True, help="Show every line, and the log."),
        click.option("--json", is_flag=True, help="One JSON document on standard output."),
        click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, change nothing."),
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click's decorators keep the function, with options noted on it
