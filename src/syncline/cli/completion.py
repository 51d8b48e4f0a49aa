"""`completion`: what the shell needs to complete commands, options, jobs, runs and conflicts."""

from __future__ import annotations

import os

import click

from syncline.cli.call import Call
from syncline.cli.options import examples, shared
from syncline.errors import UsageError

SHELLS = ("bash", "zsh", "fish")

_INSTALL = {
    "bash": "syncline completion bash > ~/.local/share/bash-completion/completions/syncline",
    "zsh": "syncline completion zsh > ~/.zfunc/_syncline   (with 'fpath+=~/.zfunc' before compinit in ~/.zshrc)",
    "fish": "syncline completion fish > ~/.config/fish/completions/syncline.fish",
}


@click.command(
    epilog=examples(
        "syncline completion zsh > ~/.zfunc/_syncline",
        'eval "$(syncline completion bash)"',
        "syncline completion fish > ~/.config/fish/completions/syncline.fish",
    )
)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@shared
@click.pass_obj
def completion(call: Call, shell: str | None) -> int:
    """Print the completion for a shell: bash, zsh or fish. Without one, that of your shell."""
    from click.shell_completion import get_completion_class

    from syncline.cli.frame import root

    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    kind = get_completion_class(name) if name in SHELLS else None
    if kind is None:
        raise UsageError("say for which shell", hint="syncline completion bash, zsh or fish")
    call.write([kind(root, {}, "syncline", "_SYNCLINE_COMPLETE").source(), "\n"])
    call.flush()
    if os.isatty(1):
        call.say(f"to have it always: {_INSTALL[name]}")
    return 0
