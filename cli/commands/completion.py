"""``kvass completion``: print the script with which a shell completes command lines."""

from __future__ import annotations

import click

from .. import streams
from ..group import Command
from ..process import COMPLETION


@click.command(
    "completion", cls=Command, example="kvass completion bash > ~/.local/share/bash-completion/completions/kvass"
)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what completes commands, options, keys, links and mounts with Tab in SHELL: bash, zsh or fish.

    It says in its first lines where it goes. To try it in bash, without a file: eval "$(kvass completion bash)"
    """
    from .. import shells

    root = context.find_root().command
    streams.write([shells.script(root, "kvass", COMPLETION, shell).encode()])
