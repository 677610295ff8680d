"""How shells complete a line: the functions with which they ask, and what they are given.

The functions hand over the line up to the cursor as it is written, for each shell takes words apart in another way, and
get a completion with its kind: ``plain`` for what it is, ``dir`` and ``file`` where the shell is to look itself. A
directory is completed to its ``/``, and the line goes on behind that without a space. Of itself only fish does so.
"""

from __future__ import annotations

import os
import re
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from kvassfs.errors import KvassError

from .arguments import parse_text
from .locations import expand_home
from .words import Line, quote_for_bash, split_fish_line, split_line

_BASH = """\
# shellcheck shell=bash
# Completion of %(prog_name)s for bash: what `%(prog_name)s completion bash` prints. It is read at the first Tab from
# ~/.local/share/bash-completion/completions/%(prog_name)s; without the package bash-completion, source it from ~/.bashrc.
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
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_REPLACED="$2" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""The line up to the cursor says more than the words into which bash splits it, also at ``:``, ``=`` and ``@``."""

_ZSH = """\
#compdef %(prog_name)s
# Completion of %(prog_name)s for zsh: what `%(prog_name)s completion zsh` prints. It is read from a folder of $fpath that
# is named before compinit is called, as the file _%(prog_name)s.
%(complete_func)s() {
    local type value help
    local -a described
    for type value help in "${(@0)$(COMP_LINE="${(j: :)words[1,CURRENT]}" %(complete_var)s=zsh_complete "$words[1]" 2>/dev/null)}"; do
        case $type in
            dir) compset -P '--*='; _files -/ ;;
            file) compset -P '--*='; _files ;;
            plain)
                if [[ -n $help ]]; then
                    described+=("${${value//\\\\/\\\\\\\\}//:/\\\\:}:$help")
                elif [[ $value == */ ]]; then
                    compadd -U -V unsorted -S '' -- "$value"
                else
                    compadd -U -V unsorted -- "$value"
                fi
                ;;
        esac
    done
    if (( $#described )); then _describe -V unsorted described -U; fi
}
if [[ $funcstack[1] == _%(prog_name)s ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
# Completion of %(prog_name)s for fish: what `%(prog_name)s completion fish` prints. It is read at the first Tab from
# ~/.config/fish/completions/%(prog_name)s.fish.
function %(complete_func)s
    set -l token (commandline -ct | string collect)
    set -l option (string match -r -- '^--[^=]*=' "$token")
    set -l path (string replace -r -- '^--[^=]*=' '' "$token")
    set -l plain
    for found in (env COMP_LINE=(commandline -cp | string collect) %(complete_var)s=fish_complete %(prog_name)s \\
        2>/dev/null | string split0)
        switch $found
            case 'dir,*'
                printf '%%s\\n' "$option"(__fish_complete_directories "$path")
            case 'file,*'
                printf '%%s\\n' "$option"(complete -C"%(prog_name)s-completes-a-file $path")
            case 'plain,*'
                set -a plain (string sub -s 7 -- $found | string collect)
        end
    end
    if set -q plain[1]
        printf '%%s\\0' $plain | string split0
    end
end
complete --keep-order --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class Shell(ShellComplete):
    """Completion in a shell, which hands over ``COMP_LINE``, the line up to the cursor."""

    def split(self, line: str) -> Line:
        """Return the words of a line."""
        return split_line(line)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and what there is of the one at it."""
        self._line = self.split(os.environ["COMP_LINE"])
        words = list(self._line.words)
        while len(words) > 1 and re.match(r"\w+=", words[0]):  # variables for the command
            del words[0]
        *arguments, incomplete = words[1:] or [""]
        self._option = ""
        if "--" not in arguments and re.match("--[^=]+=", incomplete):
            name, _, incomplete = incomplete.partition("=")
            arguments.append(name)
            self._option = f"{name}="
        return arguments, expand_home(incomplete) if self._line.tilde else incomplete

    def complete(self) -> str:
        """Return what the shell is given."""
        arguments, incomplete = self.get_completion_args()
        return "".join(map(self.format_completion, self.get_completions(arguments, incomplete)))

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return what the shell is given for one completion."""
        raise NotImplementedError

    def word(self, item: CompletionItem[Any]) -> str:
        """Return the whole word, with the option to which a value belongs."""
        return f"{self._option}{item.value}"


class Bash(Shell):
    """Completion in bash, which alone of the shells puts words into the line as they are.

    They take the place of ``COMP_REPLACED``, the end of ``COMP_LINE``, which is a part of a word where there is a quote
    or one of ``COMP_WORDBREAKS`` before it.
    """

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and what there is of the one at it."""
        arguments, incomplete = super().get_completion_args()
        before = self.split(os.environ["COMP_LINE"].removesuffix(os.environ["COMP_REPLACED"]))
        self._quote = before.quote
        text = before.words[-1] if len(before.words) == len(self._line.words) else ""
        self._before = parse_text(expand_home(text) if before.tilde else text)
        return arguments, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return what takes the place of ``COMP_REPLACED``."""
        text = self.word(item).removeprefix(self._before)
        return f"{item.type},{quote_for_bash(text, self._quote)}\n"


class Zsh(Shell):
    """Completion in zsh."""

    name = "zsh"
    source_template = _ZSH

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return kind, word and what is said of it."""
        return f"{item.type}\0{self.word(item)}\0{item.help or ''}\0"


class Fish(Shell):
    """Completion in fish, which knows no word with a tab: what is said of a word stands behind one."""

    name = "fish"
    source_template = _FISH

    def split(self, line: str) -> Line:
        """Return the words of a line."""
        return split_fish_line(line)

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return kind, word, as it was begun, and what is said of it."""
        word = self.word(item)
        if "\t" in word:
            return ""
        if self._line.tilde:
            word = word.replace(expand_home("~"), "~", 1)
        return f"{item.type},{word}\t{item.help}\0" if item.help else f"{item.type},{word}\0"


SHELLS = {shell.name: shell for shell in (Bash, Zsh, Fish)}
"""The shells that complete a line, by name."""


def script(command: click.Command, name: str, variable: str, shell: str) -> str:
    """Return the function with which a shell completes the command ``name``."""
    return SHELLS[shell](command, {}, name, variable).source()


def complete(command: click.Command, name: str, variable: str, instruction: str) -> int:
    """Write what a shell asks for, ``instruction`` in the environment's ``variable``; return the exit status.

    That is its function for completing the command ``name``, or the completions of a line.
    """
    shell, _, wanted = instruction.partition("_")
    if shell not in SHELLS or wanted not in {"source", "complete"}:
        return 1
    asked = SHELLS[shell](command, {}, name, variable)
    try:
        text = asked.source() if wanted == "source" else asked.complete()
        click.echo(text.encode(), nl=False)
    except (
        KvassError,
        UnicodeError,
    ):  # the environment is odd, as the command will say, or the line not of this locale
        return 1
    return 0
