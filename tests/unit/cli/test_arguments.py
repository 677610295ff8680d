"""kvassfs_cli.arguments: texts among the arguments, and completion"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import click
import pytest

from kvassfs.errors import InvalidKey
from kvassfs.store import Store
from kvassfs_cli import arguments, main, shells
from kvassfs_cli.database import DatabaseFile
from tests.unit.cli.conftest import GOLDEN, Processes


@pytest.mark.parametrize("argument", ["k", "é", "e\u0301", "猫咪 key/with slash", "/", ".", "\n"])
def test_an_argument_is_a_key(argument: str) -> None:
    assert arguments.parse_key(argument) == argument


def test_an_argument_is_utf_8_even_where_the_locale_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("latin-1", "surrogateescape"))
    assert arguments.parse_text("caf\xc3\xa9") == "café"


@pytest.mark.parametrize("argument", ["", "\0", "\udcff"])
def test_other_arguments_are_refused(argument: str) -> None:
    with pytest.raises(InvalidKey):
        arguments.parse_key(argument)


def complete(processes: Processes, line: str, **variables: str) -> list[str]:
    """Complete the last word as bash does."""
    environment = {
        **os.environ,
        "_KVASS_COMPLETE": "bash_complete",
        "COMP_LINE": line,
        "COMP_REPLACED": re.split(r"(?<!\\)[ =]", line)[-1],
        **variables,
    }
    status, out, err = processes.run(env=environment)
    assert (status, err) == (0, "")
    return [line.partition(",")[2] for line in out.decode().splitlines() if line]


@pytest.fixture
def keyed_store(store: Store) -> Store:
    for key in ("alpha", "alps", "beta", "two\nlines"):
        store.set(key, b"value")
    return store


@pytest.mark.parametrize("command", ["get", "set", "rm", "ls", "rm beta", "mv", "cp beta", "edit", "grep x", "watch"])
def test_keys_are_completed(processes: Processes, keyed_store: Store, command: str) -> None:
    assert complete(processes, f"kvass {command} al") == ["alpha", "alps"]


def test_keys_are_escaped_for_bash_alone(processes: Processes, store: Store) -> None:
    for key in ("a key", "a$key", "aé,k"):
        store.set(key, b"value")
    assert complete(processes, "kvass get a") == [r"a\ key", r"a\$key", "aé,k"]
    assert complete(processes, "kvass get a\\ ") == [r"a\ key"]
    done = processes.run(env={**os.environ, "_KVASS_COMPLETE": "fish_complete", "COMP_LINE": "kvass get a"})
    assert done.out.decode().split("\0") == ["plain,a key", "plain,a$key", "plain,aé,k", ""]


def test_keys_that_no_line_can_show_are_escaped(processes: Processes, keyed_store: Store) -> None:
    assert complete(processes, "kvass get ") == ["alpha", "alps", "beta", r"two$'\n'lines"]


@pytest.mark.parametrize(
    ("word", "completions"),
    [
        ("", ["docs/", "dog", "notes/", "notes.txt"]),
        ("do", ["docs/", "dog"]),
        ("docs", ["docs/"]),
        ("docs/", ["docs/drafts/", "docs/plan"]),
        ("docs/drafts/", ["docs/drafts/a", "docs/drafts/b"]),
        ("docs/p", ["docs/plan"]),
        ("docs/plan/", []),
    ],
)
def test_keys_are_completed_level_by_level(
    processes: Processes, store: Store, word: str, completions: list[str]
) -> None:
    for key in ("docs/drafts/a", "docs/drafts/b", "docs/plan", "dog", "notes/x", "notes.txt"):
        store.set(key, b"value")
    assert sorted(complete(processes, f"kvass get {word}")) == sorted(completions)


def offered(store: Store) -> list[str]:
    """Return the keys that are offered for an empty word."""
    command = click.Command("get")
    with click.Context(command, obj=DatabaseFile()) as context:
        return [item.value for item in arguments.complete_key(context, click.Argument(["key"]), "")]


def test_a_directory_is_one_completion_however_many_keys_it_holds(store: Store) -> None:
    with store.transaction:
        for number in range(2000):
            store.set(f"many/{number}", b"value")
        store.set("zeta", b"value")
    store.upkeep.checkpoint()
    assert offered(store) == ["many/", "zeta"]


@pytest.mark.parametrize("words", ["kvass --db {} get z", "kvass get --db {} z", "kvass --db={} get z"])
def test_keys_of_the_database_that_the_line_names(
    processes: Processes, keyed_store: Store, tmp_path: Path, words: str
) -> None:
    path = tmp_path / "other.sqlite"
    with Store.open(path) as other:
        other.set("zeta", b"value")
    assert complete(processes, words.format(path)) == ["zeta"]


def test_commands_are_completed(processes: Processes) -> None:
    assert complete(processes, "kvass c") == ["cp", "config", "claim", "completion"]
    assert complete(processes, "kvass s") == ["set", "sync", "status", "serve", "service"]
    assert complete(processes, "kvass config s") == ["show", "scratch"]


def test_completion_makes_no_database(processes: Processes, database: Path) -> None:
    assert complete(processes, "kvass get ") == []
    assert not database.exists()


def test_completion_takes_no_database_over(processes: Processes, database: Path) -> None:
    shutil.copyfile(GOLDEN / "client-1001.sqlite", database)
    before = database.read_bytes()
    assert complete(processes, "kvass get ") == []
    assert database.read_bytes() == before


def test_completion_is_silent_where_the_database_cannot_be_read(processes: Processes, database: Path) -> None:
    database.write_bytes(b"shopping list\n" * 100)
    assert complete(processes, "kvass get ") == []
    assert complete(processes, "kvass get ", KVASS_DB="/no/such/folder/db") == []


def test_completion_is_silent_where_the_database_is_damaged(
    processes: Processes, keyed_store: Store, database: Path
) -> None:
    keyed_store.upkeep.checkpoint()
    keyed_store.close()
    content = database.read_bytes()
    database.write_bytes(content[:4096] + bytes(len(content) - 4096))
    assert complete(processes, "kvass get ") == []


def test_completions_are_limited(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "COMPLETIONS", 2)
    for key in "abc":
        store.set(key, b"value")
    store.upkeep.checkpoint()
    assert offered(store) == ["a", "b"]


def test_an_interrupt_while_the_shell_waits_for_completions_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(shells, "complete", interrupted)
    assert main.complete("bash_complete") == 130
