"""``kvass help``: show the help of a command."""

from __future__ import annotations

import click

from .. import streams
from ..completions import complete_command
from ..group import Command, find_command


@click.command("help", cls=Command, example="kvass help config remote")
@click.argument("path", metavar="[COMMAND]...", nargs=-1, shell_complete=complete_command)
@click.pass_context
def command(context: click.Context, path: tuple[str, ...]) -> None:
    """Show the help of COMMAND, as its --help does; without one, the cheat sheet."""
    streams.write([find_command(context.find_root(), path).get_help().encode() + b"\n"])
