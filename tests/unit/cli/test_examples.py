"""Every command and every option has an example; tests/mounted/test_examples.py runs them."""

from __future__ import annotations

import click
import pytest

from tests.support import examples
from tests.support.commands import all_commands
from tests.support.examples import all_scripts


def test_every_command_and_option_has_an_example() -> None:
    shown = {
        used
        for script in all_scripts()
        for line in script.lines
        for arguments in examples.commands_in(line)
        for used in examples.used_by(arguments)
    }
    missing = sorted(f"{path} {option}".rstrip() for path, option in examples.everything_to_show() - shown)
    assert missing == [], "give them one: `example=` of the command, EXAMPLES in contrib/man/kvass.1, or the README"


@pytest.mark.parametrize("path", sorted(all_commands()))
def test_every_help_has_an_example_of_its_own_command(path: str) -> None:
    context = all_commands()[path]
    if isinstance(context.command, click.Group) and context.command.callback is None:
        return  # a sheet of other commands
    lines = [
        line for script in examples.in_help() if script.source.startswith(f"{path} --help") for line in script.lines
    ]
    named = {used for line in lines for each in examples.commands_in(line) for used in examples.used_by(each)}
    assert (path, "") in named


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("kvass get a | kvass set b", [["get", "a"], ["set", "b"]]),
        ("echo kvass > x; date", [[]]),
        ("kvass ls --null | xargs -0 kvass rm -r", [["ls", "--null"], ["rm", "-r"]]),
        ("kvass set a 'x | y'  # kvass get", [["set", "a", "x | y"]]),
        ("(kvass ls)", [["ls"]]),
        ("vim ~/kvass/notes", []),
    ],
)
def test_the_commands_of_a_line(line: str, commands: list[list[str]]) -> None:
    assert examples.commands_in(line) == commands


@pytest.mark.parametrize(
    ("arguments", "used"),
    [
        (
            "--db x ls -l0 p",
            [("kvass", ""), ("kvass", "--db"), ("kvass ls", ""), ("kvass ls", "-l"), ("kvass ls", "-0")],
        ),
        ("get -- --db", [("kvass", ""), ("kvass get", "")]),
        ("qr k --png=-", [("kvass", ""), ("kvass qr", ""), ("kvass qr", "--png")]),
        ("config key -", [("kvass", ""), ("kvass config", ""), ("kvass config key", "")]),
    ],
)
def test_what_a_command_line_uses(arguments: str, used: list[tuple[str, str]]) -> None:
    assert list(examples.used_by(arguments.split())) == used


def test_an_option_that_there_is_not_is_seen() -> None:
    with pytest.raises(AssertionError, match="kvass ls has no option"):
        list(examples.used_by(["ls", "--colour"]))
