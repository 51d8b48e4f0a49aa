"""The manual pages, one for each command, made from the commands themselves.

PYTHONPATH=src:. python -m tests.docs.manual        writes them into docs/manual/
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

import click

from syncline.cli.frame import ALIASES, root
from tests.docs.pages import DOCS

FOLDER = DOCS / "manual"
WIDTH = 110


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    found = {f"{name.replace(' ', '-')}.md": _page(name, command) for name, command in _commands(root, "")}
    return {"README.md": _index(), **found}


def _commands(group: click.Group, above: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{above}{name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{above}{name} ")


def _index() -> str:
    lines = [
        f"| [`{name}`]({name.replace(' ', '-')}.md) | {_first(command)} |" for name, command in _commands(root, "")
    ]
    told = "The same as `syncline COMMAND --help`; [commands.md](../commands.md) says more, exit codes and JSON too."
    return "\n".join(["# Manual pages", "", told, "", "| command | |", "|---|---|", *lines, ""])


def _page(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=name, parent=click.Context(root, info_name="syncline", **root.context_settings)
    )
    parts = [f"# syncline {name}", _wrapped(command), "## Usage", f"```text\n{command.get_usage(context)[7:]}\n```"]
    aliases = [f"`{alias}`" for alias, of in ALIASES.items() if of == name]
    if aliases:
        parts.append(f"Also called {' and '.join(aliases)}.")
    if isinstance(command, click.Group):
        rows = [(each, inner) for each, inner in _commands(command, f"{name} ")]
        table = [f"| [`{each}`]({each.replace(' ', '-')}.md) | {_first(inner)} |" for each, inner in rows]
        parts += ["## Commands", "\n".join(["| command | |", "|---|---|", *table])]
    else:
        table = [f"| `{spelled}` | {told} |" for spelled, told in _options(command, context)]
        parts += ["## Options", "\n".join(["| option | |", "|---|---|", *table])]
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    parts += ["## Examples", "\n".join(["```sh", *examples, "```"]), "[All commands](README.md)"]
    return "\n\n".join(parts) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for each in command.get_params(context):
        record = None if isinstance(each, click.Option) and each.hidden else each.get_help_record(context)
        if record is not None and record[1]:  # newer versions of click have a record of arguments too
            yield record[0].replace("|", "\\|"), re.sub(r"\s+", " ", record[1]).replace("|", "\\|")


def _first(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\n\n")[0].replace("\n", " ")


def _wrapped(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "").replace("\b", "").strip()
    return "\n\n".join(textwrap.fill(part.replace("\n", " "), WIDTH) for part in text.split("\n\n"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for stale in {path.name for path in FOLDER.glob("*.md")} - set(made):
        (FOLDER / stale).unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")
