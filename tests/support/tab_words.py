"""The words of `cli/tab_words.py`, from the commands as click has them; `python -m tests.support.tab_words` writes them there."""

from __future__ import annotations

from collections.abc import Iterator

import click

from kvassfs_cli.arguments import complete_key, complete_prefix
from kvassfs_cli.group import Group
from kvassfs_cli.revisions import complete_key_or_version
from tests.support.commands import all_commands
from tests.support.processes import ROOT

KINDS = {complete_key: "key", complete_key_or_version: "key", complete_prefix: "prefix"}
"""What completes operands with what is in the store just now; without ``--rev``, the second one as well."""

MODULE = '''"""Commands and options, and what is said of them when Tab is pressed: what click would find in the modules of all commands.

``tab`` reads it; its test compares it with the commands. Made by ``python -m tests.support.tab_words``.
"""

from __future__ import annotations

WORDS = """\\
{words}"""
"""A line for each command: its path, and its operands: a ``key``, a ``prefix``, or ``?``, which click completes; the last one
may be followed by ``...``. After it those of its sub-commands (``+``), flags (``-``) and options with a value (``=``)."""
'''


def write_words() -> str:
    """Return the words, but for those commands that take options as the operands of another one."""
    return "".join(
        f"{line}\n"
        for context in all_commands().values()
        if context.allow_interspersed_args or isinstance(context.command, Group)
        for line in write_command(context)
    )


def write_command(context: click.Context) -> Iterator[str]:
    """Yield the lines of one command."""
    parameters = context.command.get_params(context)
    operands = " ".join(write_operand(each) for each in parameters if isinstance(each, click.Argument))
    yield f"{context.command_path} | {operands}".rstrip()
    if isinstance(context.command, Group) and context.parent is not None:
        yield from (f"+ {name} | {summary}" for name, summary in context.command.summaries(context).items())
    for each in parameters:
        if isinstance(each, click.Option):
            yield f"{'-' if each.is_flag else '='} {' '.join(each.opts)} | {each.help}"


def write_operand(operand: click.Argument) -> str:
    """Return what completes an operand."""
    kind = KINDS.get(operand._custom_shell_complete, "?")
    return f"{kind}..." if operand.nargs == -1 else kind


if __name__ == "__main__":
    (ROOT / "cli/tab_words.py").write_text(MODULE.format(words=write_words()), encoding="utf-8")
