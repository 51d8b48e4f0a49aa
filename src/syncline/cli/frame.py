"""The frame around every command: the table of commands, the global options, and what becomes of errors.

Whatever goes wrong ends here as a sentence on standard error, with `--json` as a document on standard output, and as an
exit code; never as a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from syncline.cli.call import Call
from syncline.errors import ConfigurationRefused, Interrupted, SynclineError, UsageError

COMMANDS: dict[str, tuple[str, str]] = {
    "sync": ("sync.sync", "Keep two folders in step, either of which may change."),
    "mirror": ("sync.mirror", "Make a target folder like a source folder."),
    "plan": ("run.plan", "Show what a run would do; changes nothing."),
    "run": ("run.run", "Run jobs: all that are configured, or those named."),
    "status": ("ask.status", "Say per job whether it is in sync, and what is open."),
    "conflicts": ("conflicts.conflicts", "List the open conflicts."),
    "resolve": ("conflicts.resolve", "Settle conflicts: say which version stays."),
    "history": ("ask.history", "List past runs."),
    "show": ("ask.show", "Show what a past run did."),
    "undo": ("undo.undo", "Put back what a run changed."),
    "explain": ("explain.explain", "Tell what happened to a path, and why."),
    "versions": ("versions.versions", "List the versions of a file, and compare them."),
    "trash": ("trash.trash", "List, put back or empty what was moved to the trash."),
    "verify": ("verify.verify", "Read contents again and compare them with what is remembered."),
    "jobs": ("jobs.jobs", "List, show or forget jobs."),
    "config": ("config.config", "Check, show or begin the configuration file."),
    "adopt": ("jobs.adopt", "Accept a root whose marker is missing or different."),
    "doctor": ("doctor.doctor", "Look for what is missing or risky, each with its remedy."),
    "completion": ("completion.completion", "Print the completion for bash, zsh or fish."),
}
"""The commands in the order of the help: where each is, and its line there."""

ALIASES = {"check": "plan", "dry-run": "plan", "list-conflicts": "conflicts", "resync": "run"}

EXAMPLES = """\b
Examples:
  syncline sync ~/Documents /media/usb/Documents
  syncline mirror --dry-run ~/Pictures /media/usb/Pictures
  syncline status
"""


def call(args: Sequence[str]) -> int:
    """The exit code of a call with these arguments."""
    args = list(args)
    if "_SYNCLINE_COMPLETE" in os.environ:  # the shell asks what could be typed next
        with suppress(SynclineError):
            root.main(args=args, prog_name="syncline")
        return 1
    _prepare_streams()
    current = Call.of(args)
    try:
        code = _invoke(args, current)
    except KeyboardInterrupt:
        code = current.refuse([Interrupted(2)])
    except click.ClickException as error:
        code = current.refuse([_usage(error)])
    except ConfigurationRefused as error:
        code = current.refuse(error.errors)
    except SynclineError as error:
        code = current.refuse([error])
    except Exception as error:  # noqa: BLE001  the last place: nothing may reach a person as a traceback
        code = current.fail(error)
    return current.close(code)


def _invoke(args: list[str], current: Call) -> int:
    try:
        with root.make_context("syncline", args, obj=current) as context:
            result = root.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    where = "syncline" if context is None else context.command_path
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint=f"'{where} --help' shows what is possible")


def _prepare_streams() -> None:
    """Let no character that the terminal lacks stop an answer."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class _Root(click.Group):
    """Loads a command's file when the command is called, not when the help lists it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if found is None:
            return None
        module, name = found[0].split(".")
        command: click.Command = getattr(import_module(f"syncline.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0] not in ALIASES and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], [*COMMANDS, *ALIASES], 1)
            hint = f"did you mean '{near[0]}'?" if near else "'syncline --help' lists all commands"
            raise UsageError(f"there is no command '{args[0]}'", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _print_version(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and not ctx.resilient_parsing:
        from syncline.cli import version

        click.echo(f"syncline {version()}")
        ctx.exit()


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES, no_args_is_help=True)
@click.option("--config", metavar="FILE", envvar="SYNCLINE_CONFIG", help="Configuration file.")
@click.option(
    "--state-dir", metavar="DIR", envvar="SYNCLINE_STATE_DIR", help="Where syncline keeps its memory and log."
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Say it.")
@click.pass_obj
def root(call: Call, config: str | None, state_dir: str | None) -> None:
    """Keep folders in step. It shows its plan, survives a crash at any instant, and can tell what it did."""
    call.configure(config, state_dir)
