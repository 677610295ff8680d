"""Commands and groups of ``kvass``: common options, cheat sheets, sub-commands loaded on demand."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from . import streams
from .database import create_database_option


def _write_help(context: click.Context) -> None:
    streams.write([context.get_help().encode() + b"\n"])


def _show_help(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        _write_help(context)
        context.exit()


class Command(click.Command):
    """A command with ``--db``, whose help meets closed pipes and full disks as other output does."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(create_database_option())

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return click's help option, printing through :mod:`.streams`."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
            option.help = "show help, also after a sub-command" if isinstance(self, Group) else "show this help"
        return option


class Group(Command, click.Group):
    """A group that shows its cheat sheet for help and when it is given no sub-command.

    ``modules`` maps the names of sub-commands to their summaries; each is the object ``command``
    of its module (see ``name_module``), which is imported only when the sub-command is asked for.
    """

    command_class = Command

    def __init__(self, *args: Any, modules: Mapping[str, str] | None = None, **attributes: Any) -> None:
        super().__init__(*args, invoke_without_command=True, **attributes)
        self.modules = modules or {}

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of the sub-commands, in the order of the cheat sheet."""
        return [*self.modules, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a sub-command, importing its module if need be."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(name_module(cmd_name), __package__).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the group and its sub-command; without one, show the cheat sheet."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None and self.callback is None:
            _write_help(ctx)
        return result

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the cheat sheet, in the form of the original program's."""
        summaries = {name: command.get_short_help_str(100) for name, command in self.commands.items()}
        formatter.write(
            format_cheat_sheet(
                ctx.command_path, self.help or "", self._summarise_options(ctx), {**self.modules, **summaries}
            )
        )

    def _summarise_options(self, context: click.Context) -> dict[str, str]:
        options = (parameter for parameter in self.get_params(context) if isinstance(parameter, click.Option))
        return {", ".join(option.opts): option.help or "" for option in options}


def name_module(command: str) -> str:
    """Return the relative name of the module of a command; that of one that Python has as a keyword ends in ``_``."""
    return f".commands.{command}_" if iskeyword(command) else f".commands.{command}"


def format_cheat_sheet(path: str, description: str, options: Mapping[str, str], commands: Mapping[str, str]) -> str:
    """Return the overview of the command ``path``; the mappings go from names to summaries."""
    width = max(8, *map(len, commands))
    return "\n".join(
        [
            f"{path} [--db=string]",
            "",
            "Description:",
            f"    {path} - {description}",
            "",
            "Options:",
            *(f"    {_format_names(names)} {summary}" for names, summary in options.items()),
            "",
            "Sub-commands:",
            *(f"    {path} {name:<{width}} {summary}" for name, summary in commands.items()),
        ]
    )


def _format_names(names: str) -> str:
    return f"{names if ',' in names else '    ' + names:<14}"
