"""Options that several commands share, and the forms of their values: sizes, policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from syncline.cli.call import Call
from syncline.core.spelling import CONTENT_POLICIES, PROPERTY_POLICIES, merge_command, policy_name
from syncline.core.spelling import parse_size as parse_size

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic from click 8.4 on

F = TypeVar("F", bound=Callable[..., Any])


class Unlimited:
    """What `none` means where a size is asked for: said, and no limit. (None is: not said.)"""


NO_LIMIT: Final = Unlimited()


class _Size(_ParamType):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            size = parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return NO_LIMIT if size is None else size


class _Policy(_ParamType):
    """One of some policies, by its name or by 1, 2, 3; for contents also `merge: COMMAND`."""

    name = "policy"

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "POLICY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from syncline.core.model import Policy

        if isinstance(value, Policy):
            return value
        try:
            command = merge_command(str(value)) if self.names == CONTENT_POLICIES else None
            return Policy(policy_name(str(value), self.names)) if command is None else f"merge: {command}"
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Pattern(_ParamType):
    name = "pattern"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from syncline.core import filters

        try:
            filters.check(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


class Measure(click.FloatRange):
    """A number above 0 and up to a `most`."""

    def __init__(self, most: float) -> None:
        super().__init__(min=0, max=most, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number", param, ctx)  # it is within every range
        return number


SIZE = _Size()
PATTERN = _Pattern()
CONTENT_POLICY = _Policy(CONTENT_POLICIES)
PROPERTY_POLICY = _Policy(PROPERTY_POLICIES)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is asked for and told about: the options common to sync, mirror, plan and run."""

    dry_run: bool = False
    json: bool = False
    verbose: bool = False
    quiet: bool = False
    approve: str | None = None
    full: bool = False
    exclude: tuple[str, ...] = field(default=())


def common(function: F) -> F:
    """The options of every command that runs or plans, given to it as `manner`; and the global ones."""

    def gathered(*args: Any, **said: Any) -> Any:
        manner = Manner(**{name: said.pop(name) for name in Manner.__dataclass_fields__})
        return function(*args, manner=manner, **said)

    gathered.__doc__ = function.__doc__
    gathered.__name__ = function.__name__
    options = [
        click.option("-n", "--dry-run", is_flag=True, help="Show the plan, change nothing."),
        click.option("--json", is_flag=True, help="One JSON document on standard output."),
        click.option("-v", "--verbose", is_flag=True, help="Show every line, and the log."),
        click.option("-q", "--quiet", is_flag=True, help="Show only what needs a person."),
        click.option("--approve", metavar="PLAN_ID", help="Go ahead with a plan that a guard refused."),
        click.option("--full", is_flag=True, help="Read the content of every file again."),
        click.option(
            "--exclude",
            multiple=True,
            type=PATTERN,
            metavar="PATTERN",
            help="Leave out what matches, in gitignore syntax; '!' takes in again. May be repeated.",
        ),
        shared,
    ]
    wrapped: Any = gathered
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click's decorators keep the function, with options noted on it


def shared(function: F) -> F:
    """The global options, taken after the command's name too."""

    def take(name: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
        def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
            if value is not None:
                ctx.ensure_object(Call).configure(**{"config": None, "state_dir": None, name: value})

        return callback

    config = click.option("--config", metavar="FILE", expose_value=False, callback=take("config"), hidden=True)
    state = click.option("--state-dir", metavar="DIR", expose_value=False, callback=take("state_dir"), hidden=True)
    return config(state(function))


def as_json(function: F) -> F:
    """The options of a command that only answers: `--json`, and the global ones."""
    return click.option("--json", is_flag=True, help="One JSON document on standard output.")(shared(function))


def examples(*lines: str) -> str:
    """The end of a command's help."""
    told = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{told}\n\n--config FILE and --state-dir DIR are taken here too."


def said(**options: object) -> dict[str, Any]:
    """Only the options that were given, `none` for a size as None."""
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    return {name: None if isinstance(value, Unlimited) else value for name, value in given.items()}
