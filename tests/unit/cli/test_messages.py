"""Every message that a person can meet, with its exit status: `messages.txt` here is the table of them.

A message is the text in the code, with `…` for what is filled in, which may be another line of the table. One that is new
is added to the table in the form that the failure shows; that of click, which only stands in its code, is among the command
lines below. `grep` ends with 2 and `exec` with 125 where another command would end with 1, as their likes in Unix do, and
`mount.fuse.kvassfs` with 32.
"""

from __future__ import annotations

import ast
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.errors import KvassError
from kvassfs.tools.patterns import InvalidPattern
from kvassfs_cli import main
from kvassfs_cli.commands.edit import NotSaved
from kvassfs_cli.editor import EditingEnded
from tests.support.message_sources import (
    Message,
    error_classes,
    find_makers,
    find_messages,
    find_varying,
    messages_in,
)
from tests.unit.cli.conftest import Kvass

TABLE = Path(__file__).with_name("messages.txt")

ABSTRACT = {
    "DirectoryError",
    "KvassError",
    "MessageError",
    "PairingError",
    "PairingRefused",
    "ShareError",
    "SyncError",
    "TransferError",
    "VeilError",
}
"""Errors that are only ever one of the kinds below them."""

SILENT = {"OutputClosed": 141, "_Refused": 1, "_Stale": 1}
"""Errors without a text: nobody is left to read it, or they are handled where they are raised."""

LIKE_THEIR_BASE = {"CommandMissing": 127}
"""Errors that say what their base says, with another exit status."""


def rows() -> list[Message]:
    """Return the table: exit status, kind and text in each line."""
    split = (line.split(maxsplit=2) for line in TABLE.read_text(encoding="utf-8").splitlines())
    return [Message(kind, int(status), text) for status, kind, text in split]


def format_rows(messages: set[Message]) -> list[str]:
    return sorted(f"{status} {kind} {text.strip()}" for kind, status, text in messages)


def test_every_message_of_the_code_is_in_the_table_with_its_exit_status() -> None:
    in_code, in_table = set(format_rows(find_messages())), set(format_rows(set(rows())))
    assert sorted(in_code - in_table) == [], "not in messages.txt"
    assert sorted(in_table - in_code) == [], "in messages.txt, but nothing says it any more"


def test_the_table_is_sorted_and_has_nothing_twice() -> None:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))


def test_every_error_says_something() -> None:
    speaking = {row.kind for row in rows()}
    others = SILENT | LIKE_THEIR_BASE
    assert error_classes().keys() - speaking == ABSTRACT | others.keys()
    assert {name: error_classes()[name].exit_code for name in others} == others


def test_two_errors_have_the_exit_status_of_what_they_are_raised_for() -> None:
    assert EditingEnded(signal.SIGTERM).exit_code == 128 + 15
    assert NotSaved(InvalidPattern("(", "is open"), "/tmp/file").exit_code == InvalidPattern.exit_code
    assert set(find_varying()) == {"EditingEnded", "NotSaved"}


def test_a_message_is_one_line_without_a_full_stop() -> None:
    assert [row for row in rows() if "\n" in row.text] == []
    assert [row for row in rows() if row.text.endswith(".") and row.status != 2] == []


@pytest.mark.parametrize("name", sorted(error_classes().keys() - SILENT.keys()))
def test_an_error_is_one_line_and_its_exit_status(
    name: str, kvass: Kvass, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = error_classes()[name]
    error = KvassError.__new__(kind, "what is wrong")
    KvassError.__init__(error, "what is wrong")
    assert main.report_failure(error) == kind.exit_code
    assert capsys.readouterr().err == "kvass: what is wrong\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("get", "missing argument 'KEY' (see `kvass get --help`)"),
        ("rm", "missing argument 'KEY...' (see `kvass rm --help`)"),
        ("get a b", "got unexpected extra argument (b) (see `kvass get --help`)"),
        ("get a b c", "got unexpected extra arguments (b c) (see `kvass get --help`)"),
        ("ls --long=yes", "option '--long' does not take a value (see `kvass ls --help`)"),
        ("url k --expires", "option '--expires' requires an argument (see `kvass url --help`)"),
        ("url k --expires 0s", "invalid value for '--expires': '0s' is no time at all (see `kvass url --help`)"),
        (
            "serve --max-body 1",
            "invalid value for '--max-body': 1 is not in the range x>=16 (see `kvass serve --help`)",
        ),
        (
            "serve --max-body x",
            "invalid value for '--max-body': 'x' is not a valid integer range (see `kvass serve --help`)",
        ),
        (
            "qr k --terminal red",
            "invalid value for '--terminal': 'red' is not one of 'color', 'plain' (see `kvass qr --help`)",
        ),
        ("qr k --png a/", "invalid value for '--png': it names no file (see `kvass qr --help`)"),
        ("exec true", "missing option '--env' (see `kvass exec --help`)"),
        ("exec --env a", "missing argument 'COMMAND [ARGUMENT]...' (see `kvass exec --help`)"),
        ("get k --rev 0", "invalid value for '--rev': 0 is not in the range x>=1 (see `kvass get --help`)"),
        ("diff k x", "invalid value for '[N]': 'x' is not a valid integer range (see `kvass diff --help`)"),
        (
            "gc --older soon",
            "invalid value for '--older': 'soon' is no span of time like 7d, 12h or 30m (see `kvass gc --help`)",
        ),
        (
            "ls --sort age",
            "invalid value for '--sort': 'age' is not one of 'name', 'time', 'size' (see `kvass ls --help`)",
        ),
        ("watch -0 -- true", "--null goes with no COMMAND (see `kvass watch --help`)"),
        ("service instal", "no such command 'instal'; did you mean install or uninstall? (see `kvass service --help`)"),
        ("completion", "missing argument 'SHELL'. Choose from: bash, zsh, fish (see `kvass completion --help`)"),
        ("lst", "no such command 'lst'; did you mean ls or set? (see `kvass --help`)"),
        ("config xyzzy", "no such command 'xyzzy' (see `kvass config --help`)"),
        ("ls --tre", "no such option --tre; did you mean --tree? (see `kvass ls --help`)"),
        ("set k v --empty", "a VALUE, --empty and --file exclude each other (see `kvass set --help`)"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(kvass: Kvass, line: str, message: str) -> None:
    assert kvass(*line.split()) == (2, b"", f"kvass: {message}\n")


@pytest.mark.parametrize(
    ("code", "messages"),
    [
        ("raise KeyMissing('no key')", {("KeyMissing", 1, "no key")}),
        ("InvalidConfiguration(f'{a!r} is no ' f'{b}')", {("InvalidConfiguration", 1, "… is no …")}),
        ("click.UsageError('a b' if c else 'd e')", {("UsageError", 2, "a b"), ("UsageError", 2, "d e")}),
        ("print_notice(f'all is {well}')", {("notice", 0, "all is …")}),
        ("click.confirm('Go on?')", {("question", 0, "Go on?")}),
        ("KeyMissing(key), StoreBusy('path')", set()),
        (
            "class KeyMissing:\n  'Of a key.'\n  def __init__(self): f(f'no {x}' if x else 'no key')",
            {("KeyMissing", 1, "no key")},
        ),
        ("def f(x):\n  y = g('c d')[0]\n  y = 'a b'\n  notice(y)", {("notice", 0, "a b")}),
        ("SAID = {1: 'a b'}\ndef f():\n  say(SAID[1])", {("notice", 0, "a b")}),
        ("def describe_this(x):\n  'Of this.'\n  return f'this is {x}'", {("part", 0, "this is …")}),
        ("Finding('a b', OK, 'c'), Finding('d', WRONG, 'e f')", {("finding", 0, "a b"), ("finding", 1, "e f")}),
        ("def f():\n  level = WRONG if x else OK\n  Finding('d', level, 'e f')", {("finding", 1, "e f")}),
        ("def make(x) -> StoreBusy: ...\nmake('a b')", {("StoreBusy", 1, "a b")}),
    ],
)
def test_a_message_in_the_code_is_found(
    code: str, messages: set[Message], parse: Callable[[str], set[Message]]
) -> None:
    assert parse(code) == messages


@pytest.fixture
def parse() -> Callable[[str], set[Message]]:
    """Find the messages of a text."""
    return lambda code: set(messages_in(ast.parse(code), dict(find_makers(ast.parse(code)))))
