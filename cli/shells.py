"""How shells complete a line: the functions with which they ask, and what they are given.

A directory is completed to its ``/``, and the line goes on behind that without a space. Of itself only fish does so.
"""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

_BASH = """
%(complete_func)s_of_paths() {
    %(complete_func)s "$@"
    local completion
    for completion in "${COMPREPLY[@]}"; do
        if [[ $completion == */ ]]; then
            compopt -o nospace
            break
        fi
    done
}
complete -o nosort -F %(complete_func)s_of_paths %(prog_name)s
"""
"""What follows click's function for bash, whose place it takes."""

_ZSH_WORDS = "compadd -U -V unsorted -a completions\n"
"""How click's function for zsh hands on words without a description."""

_ZSH_PATHS = """\
for key in "${completions[@]}"; do
            if [[ $key == */ ]]; then
                compadd -U -V unsorted -S '' -- "$key"
            else
                compadd -U -V unsorted -- "$key"
            fi
        done
"""


class Bash(BashComplete):
    """Completion in bash, which alone of the shells puts words into the line as they are."""

    def source(self) -> str:
        """Return the function for the shell."""
        return super().source() + _BASH % self.source_vars()

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return a completion so that bash, after click's function has read a backslash away, has it as one word."""
        return f"{item.type}," + re.sub(r"[^\w%+,./:@^-]", r"\\\\\g<0>", item.value)


class Zsh(ZshComplete):
    """Completion in zsh."""

    def source(self) -> str:
        """Return the function for the shell."""
        return super().source().replace(_ZSH_WORDS, _ZSH_PATHS)


def complete(command: click.Command, name: str, variable: str, instruction: str) -> int:
    """Write what a shell asks for, ``instruction`` in the environment's ``variable``; return the exit status.

    That is its function for completing the command ``name``, or the completions of a line.
    """
    add_completion_class(Bash)
    add_completion_class(Zsh)
    return shell_complete(command, {}, name, variable, instruction)
