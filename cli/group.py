"""Commands and groups of ``kvass``: common options, cheat sheets, sub-commands loaded on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

from . import streams, suggestions
from .cheat_sheet import HELP_HELP, format_cheat_sheet
from .database import create_database_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _write_help(context: click.Context) -> None:
    streams.write([context.get_help().encode() + b"\n"])


def _show_help(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        _write_help(context)
        context.exit()


class Command(click.Command):
    """A command with ``--db``, whose help meets closed pipes and full disks as other output does.

    ``example`` is a line, or several, as one types them; tests run each.
    """

    def __init__(self, *args: Any, example: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.example = example
        self.params.append(create_database_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; what is wrong with them is an error of this command, also where click does not say so.

        For a completion, the option whose value is being completed is left out: click would give up all of them.
        """
        if ctx.resilient_parsing and self._awaits_value(ctx, args):
            args = args[:-1]
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def _awaits_value(self, context: click.Context, arguments: Sequence[str]) -> bool:
        options = (each for each in self.get_params(context) if isinstance(each, click.Option) and not each.is_flag)
        return bool(arguments) and arguments[-1] in {name for each in options for name in each.opts}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example as it is."""
        super().format_epilog(ctx, formatter)
        if self.example:
            lines = self.example.strip("\n").split("\n")
            with formatter.section("Examples" if len(lines) > 1 else "Example"):
                formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in lines))

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return click's help option, printing through :mod:`.streams`."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
            option.help = HELP_HELP if isinstance(self, Group) else "show this help"
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the name of a sub-command, itself and the arguments behind it.

        Raises:
            click.UsageError: there is none of that name; it says which may be meant.
        """
        if ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            return None, None, args[1:]
        return args[0], self.find(ctx, args[0]), args[1:]

    def find(self, context: click.Context, name: str) -> click.Command:
        """Return a sub-command.

        Raises:
            click.UsageError: there is none of that name; it says which may be meant.
        """
        command = self.get_command(context, name)
        if command is None:
            raise click.UsageError(suggestions.no_such_command(name, self.list_commands(context)), context)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer sub-commands and options; no module is imported for it."""
        return self.complete_names(ctx, incomplete) + click.Command.shell_complete(self, ctx, incomplete)

    def complete_names(self, context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer the sub-commands."""
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=summary)
            for name, summary in self.summaries(context).items()
            if name.startswith(incomplete)
        ]

    def summaries(self, context: click.Context) -> dict[str, str]:
        """Return the names of the sub-commands, and what the cheat sheet says of them."""
        return {
            name: self.modules.get(name) or self.commands[name].get_short_help_str(100)
            for name in self.list_commands(context)
        }

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the group and its sub-command; without one, show the cheat sheet."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None and self.callback is None:
            _write_help(ctx)
        return result

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the cheat sheet, in the form of the original program's."""
        formatter.write(
            format_cheat_sheet(ctx.command_path, self.help or "", self._summarise_options(ctx), self.summaries(ctx))
        )
        if self.example:
            formatter.write("\n")
            self.format_epilog(ctx, formatter)

    def _summarise_options(self, context: click.Context) -> dict[str, str]:
        options = (parameter for parameter in self.get_params(context) if isinstance(parameter, click.Option))
        return {", ".join(option.opts): option.help or "" for option in options}


def find_command(context: click.Context, path: Sequence[str]) -> click.Context:
    """Return the context of the sub-command that ``path`` names, from that of a group.

    Raises:
        click.UsageError: there is no such command.
    """
    for name in path:
        group = context.command
        if not isinstance(group, Group):
            raise click.UsageError(f"`{context.command_path}` has no commands, and so no {name!r}", context)
        command = group.find(context, name)
        context = click.Context(command, parent=context, info_name=name, **command.context_settings)
    return context


def name_module(command: str) -> str:
    """Return the relative name of the module of a command; that of one that Python has as a keyword ends in ``_``."""
    return f".commands.{command}_" if iskeyword(command) else f".commands.{command}"


def invoke_other(context: click.Context, name: str, **parameters: object) -> None:
    """Do what another command of ``kvass`` does."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    other = root.command.get_command(root, name)
    assert other is not None
    context.invoke(other, **parameters)
