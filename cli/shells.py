"""How shells complete a line: the functions with which they ask, and what they are given.

A directory is completed to its ``/``, and the line goes on behind that without a space. Of itself only fish does so.
"""

from __future__ import annotations

import os
import re
from typing import Any

import click
from click.shell_completion import (
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

from kvassfs.errors import KvassError

from .arguments import parse_text

_BASH = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                if [[ $value == */ ]]; then compopt -o nospace; fi
                ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_REPLACED="$2" %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""The line up to the cursor says more than the words into which bash splits it, also at ``:``, ``=`` and ``@``."""

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

_FISH = """\
function %(complete_func)s
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp | string collect) \
COMP_CWORD=(commandline -ct | string collect) %(prog_name)s)
        set -l completion (string split -m 1 , -- $line)
        switch $completion[1]
            case dir
                __fish_complete_directories $completion[2]
            case file
                __fish_complete_path $completion[2]
            case plain
                echo -- $completion[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""

_PIECES = re.compile(
    r"""(?P<blank>\s+)
    | '(?P<single>[^']*)(?P<single_end>'?)
    | "(?P<double>(?:[^"\\]|\\.|\\$)*)(?P<double_end>"?)
    | \\(?P<escaped>.?)
    | (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)
"""The pieces of a line of a POSIX shell, the last of which may be unfinished."""


def split_line(line: str) -> tuple[list[str], str]:
    """Return the words of a line, without quotes, and the quote that is open at its end, if any.

    The last word is the one that is being written, ``""`` behind a blank.
    """
    words, quote = [""], ""
    for found in _PIECES.finditer(line):
        if found["blank"]:
            words.append("")
        double = re.sub(r'\\([\\"$`])', r"\1", found["double"] or "")
        words[-1] += (found["single"] or "") + double + (found["escaped"] or "") + (found["plain"] or "")
        quote = "'" if found["single_end"] == "" else '"' if found["double_end"] == "" else ""
    return words, quote


def quote_for_bash(text: str, quote: str) -> str:
    """Return how ``text`` is written in bash, behind an open ``quote`` or none."""
    if not quote:
        return re.sub(r"[^\w%+,./:=@^-]", r"\\\g<0>", text)
    if quote == "'":
        quoted = text.replace("'", r"'\''")
    else:  # where a backslash before ! would stay
        quoted = re.sub(r'[\\"$`]', r"\\\g<0>", text).replace("!", "\"'!'\"")
    # Bash closes the quote, unless it takes the last character for that.
    return quoted + quote if quoted.endswith(quote) else quoted


class Bash(ShellComplete):
    """Completion in bash, which alone of the shells puts words into the line as they are.

    They take the place of ``COMP_REPLACED``, the end of ``COMP_LINE``, which is a part of a word where there is a quote
    or one of ``COMP_WORDBREAKS`` before it.
    """

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and what there is of the one at it."""
        line, replaced = os.environ["COMP_LINE"], os.environ["COMP_REPLACED"]
        words, _ = split_line(line)
        before, self._quote = split_line(line.removesuffix(replaced))
        self._before = parse_text(before[-1]) if len(before) == len(words) else ""
        *arguments, incomplete = words[1:] or [""]
        self._option = ""
        if "--" not in arguments and re.match("--[^=]+=", incomplete):
            name, _, incomplete = incomplete.partition("=")
            arguments.append(name)
            self._option = f"{name}="
        return arguments, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return what takes the place of ``COMP_REPLACED``."""
        text = (self._option + item.value).removeprefix(self._before)
        return f"{item.type},{quote_for_bash(text, self._quote)}"


class Zsh(ZshComplete):
    """Completion in zsh."""

    def source(self) -> str:
        """Return the function for the shell."""
        return super().source().replace(_ZSH_WORDS, _ZSH_PATHS)


class Fish(FishComplete):
    """Completion in fish."""

    source_template = _FISH


def complete(command: click.Command, name: str, variable: str, instruction: str) -> int:
    """Write what a shell asks for, ``instruction`` in the environment's ``variable``; return the exit status.

    That is its function for completing the command ``name``, or the completions of a line.
    """
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)
    try:
        return shell_complete(command, {}, name, variable, instruction)
    except (
        KvassError,
        UnicodeError,
    ):  # the environment is odd, as the command will say, or the line not of this locale
        return 1
