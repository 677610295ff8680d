"""The examples of the help, the manual and the README: where they are, and which commands and options they use."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from tests.support.commands import all_commands

ROOT = Path(__file__).parents[2]

PAGES = ("mount", "history", "devices", "phone", "sharing", "in-and-out", "database", "services", "doctor", "commands")
"""Pages in contrib/doc whose examples are run."""

OPERATORS = {"|", "||", "&", "&&", ";", ";;", "(", ")", "<", ">", ">>", "<<", "<("}


class Script(NamedTuple):
    """Lines of a shell that belong together and are run one after another, and where they stand."""

    source: str
    lines: tuple[str, ...]


def all_scripts() -> list[Script]:
    """Return all examples in which there is a `kvass`."""
    return [script for script in (*in_help(), *in_manual(), *in_readme()) if any(map(commands_in, script.lines))]


def in_help() -> Iterator[Script]:
    """Yield what stands under `Example:` or `Examples:` in the help of each command."""
    for path, context in all_commands().items():
        for number, text in enumerate(re.findall(r"^ *Examples?:\s((?: *\S.*\n?)+)", context.get_help(), re.MULTILINE)):
            yield Script(f"{path} --help{f' {number}' if number else ''}", tuple(map(str.strip, text.splitlines())))


def in_manual(page: Path = ROOT / "contrib/man/kvass.1") -> Iterator[Script]:
    """Yield the blocks of the section `EXAMPLES`."""
    section = re.split(r"^\.Sh ", page.read_text(), flags=re.MULTILINE)
    (examples,) = (each for each in section if each.startswith("EXAMPLES\n"))
    for number, text in enumerate(re.findall(r"^\.Bd -literal.*\n((?:[^.].*\n)+)\.Ed$", examples, re.MULTILINE)):
        yield Script(f"{page.name} {number}", tuple(text.replace("\\e", "\\").splitlines()))


def in_readme() -> Iterator[Script]:
    """Yield what is typed in the README and in the pages for users that it leads to."""
    yield from in_document(ROOT / "README.md")
    for page in PAGES:
        yield from in_document(ROOT / f"contrib/doc/{page}.md")


def in_document(document: Path) -> Iterator[Script]:
    """Yield what is typed in the blocks of a page: behind `$ ` in those of a console."""
    blocks = re.findall(r"^```(console|sh)\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)
    for number, (kind, text) in enumerate(blocks):
        lines = text.splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] if kind == "console" else lines
        yield Script(f"{document.name} {number}", tuple(typed))


def commands_in(line: str) -> list[list[str]]:
    """Return the arguments of each `kvass` in a line, also of one that another command runs."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    open_command: list[str] | None = None
    for word in lexer:
        if word in OPERATORS:
            open_command = None
        elif open_command is not None:
            open_command.append(word)
        elif word == "kvass":
            open_command = []
            found.append(open_command)
    return found


def used_by(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each command that is named, with `""`, and its options, by the first of their names."""
    context = all_commands()["kvass"]
    yield context.command_path, ""
    for word in arguments:
        if word == "--":
            return
        if word.startswith("-") and word != "-":
            yield from ((context.command_path, option) for option in options_named(context, word.partition("=")[0]))
        elif f"{context.command_path} {word}" in all_commands():
            context = all_commands()[f"{context.command_path} {word}"]
            yield context.command_path, ""


def options_named(context: click.Context, word: str) -> Iterator[str]:
    """Yield the options for which a word stands, several letters behind one dash among them."""
    options = {name: each.opts[0] for each in context.command.get_params(context) for name in each.opts}
    names = [word] if word in options else [f"-{letter}" for letter in word[1:]]
    unknown = [name for name in names if name not in options]
    assert not unknown, f"{context.command_path} has no option {unknown}: {word}"
    yield from (options[name] for name in names)


def everything_to_show() -> set[tuple[str, str]]:
    """Return each command, with `""`, and each option of it; those that all commands have, of `kvass` alone."""
    found = set()
    for path, context in all_commands().items():
        command = context.command
        if not isinstance(command, click.Group):
            found.add((path, ""))
        for option in command.get_params(context):
            if isinstance(option, click.Option) and (path == "kvass" or option.opts[0] not in {"--db", "-h", "--help"}):
                found.add((path, option.opts[0]))
    return found
