"""All commands of the command line, by what one types."""

from __future__ import annotations

from functools import cache

import click

from kvassfs_cli.main import kvass


@cache
def all_commands() -> dict[str, click.Context]:
    """Return the context of each command and group, also of those in groups: ``kvass config scratch add``."""
    found: dict[str, click.Context] = {}

    def add(context: click.Context) -> None:
        context.command.get_params(context)  # remembers its --help, which that of a child has other names for
        found[context.command_path] = context
        if isinstance(context.command, click.Group):
            for name in context.command.list_commands(context):
                command = context.command.get_command(context, name)
                assert command is not None
                add(click.Context(command, parent=context, info_name=name, **command.context_settings))

    add(click.Context(kvass, info_name="kvass", **kvass.context_settings))
    return found
