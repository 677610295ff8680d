"""kvassfs_cli.main: the commands together, their common options, and how each of their ends looks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
import pytest

import kvassfs
from kvassfs.errors import KvassError, StoreBusy
from kvassfs.store import Store
from kvassfs_cli import main
from kvassfs_cli.database import DatabaseFile
from kvassfs_cli.group import name_module
from tests.unit.cli.conftest import Kvass

CHEAT_SHEET = """\
kvass [--db=string]

Description:
    kvass - a personal key-value store, on the command line and as files

Options:
        --db       the database file to use (default: $KVASS_DB or ~/.kvassdb.sqlite)
    -V, --version  show the version
    -h, --help     show help, also after a sub-command

Sub-commands:
    kvass ls         list keys
    kvass get        get a value
    kvass set        set a value
    kvass rm         remove keys
    kvass log        show the versions of a key, or what changed lately
    kvass diff       show what changed between versions
    kvass restore    bring an earlier version back
    kvass undo       take the last change back
    kvass mv         rename keys
    kvass cp         copy keys
    kvass edit       change a value in an editor
    kvass grep       search values
    kvass watch      tell what becomes of keys as it happens
    kvass exec       run a command with values in its environment
    kvass url        print the address under which a value is shared
    kvass qr         draw that address as a QR code
    kvass links      list the links that end by themselves
    kvass unlink     end links
    kvass mount      show the keys as files in a directory
    kvass umount     end a mount
    kvass import     take in files, an archive, or what another program keeps
    kvass export     write keys into files or an archive
    kvass backup     copy the whole database while it is in use
    kvass pair       let another device join
    kvass join       share the store of another device
    kvass sync       exchange with the hub
    kvass status     show the store, its hub, and what waits to be pushed
    kvass gc         let history go, and give its room back
    kvass config     show or change the configuration
    kvass doctor     look whether all is well, and say what to do
    kvass serve      be the hub of your devices
    kvass claim      have a store at a hub for many
    kvass hub        look after the stores of a hub for many
    kvass service    start mount, sync or hub by itself
    kvass completion print what completes commands and keys in your shell
    kvass help       show the help of a command
"""


LS = ("ls", "-h")
"""The one command with another meaning of the option."""


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["--db=elsewhere.sqlite"]])
def test_without_a_command_the_cheat_sheet_is_printed_and_no_database_made(
    kvass: Kvass, database: Path, arguments: list[str]
) -> None:
    assert kvass(*arguments) == (0, CHEAT_SHEET.encode(), "")
    assert not database.exists()


def test_a_group_without_a_command_prints_its_own_cheat_sheet(kvass: Kvass) -> None:
    status, out, err = kvass("config")
    assert (status, err) == (0, "")
    assert out.startswith(b"kvass config [--db=string]\n")
    assert b"    kvass config show     show key, process id and remote\n" in out


def test_version(kvass: Kvass) -> None:
    for option in ("-V", "--version"):
        assert kvass(option) == (0, f"kvass {kvassfs.__version__}\n".encode(), "")


@pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for name in main.COMMANDS for option in ("-h", "--help") if (name, option) != LS],
)
def test_every_command_has_help(kvass: Kvass, name: str, option: str) -> None:
    status, out, err = kvass(name, option)
    assert (status, err) == (0, "")
    assert f"kvass {name}".encode() in out
    assert b"--db" in out


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_of_the_cheat_sheet_is_a_module(name: str) -> None:
    assert isinstance(import_module(name_module(name), "kvassfs_cli").command, click.Command)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--db", "{}", "get", "k"],
        ["--db={}", "get", "k"],
        ["get", "--db", "{}", "k"],
        ["get", "--db={}", "k"],
        ["get", "k", "--db", "{}"],
        ["--db", "other.sqlite", "get", "k", "--db={}"],
        ["--db", "other.sqlite", "--db={}", "get", "k"],
    ],
)
def test_db_before_or_after_the_command_names_the_database_and_the_last_counts(
    kvass: Kvass, tmp_path: Path, arguments: list[str]
) -> None:
    path = str(tmp_path / "named.sqlite")
    kvass("--db", path, "set", "k", "there")
    assert kvass(*(argument.format(path) for argument in arguments)) == (0, b"there\n", "")


@pytest.mark.parametrize("where", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_db_at_any_level_of_a_nested_command(kvass: Kvass, tmp_path: Path, where: tuple[int, ...]) -> None:
    arguments: list[str] = ["config", "show"]
    for place in reversed(where):
        last = place == max(where)
        arguments.insert(place, f"--db={tmp_path}/{'named' if last else 'other'}.sqlite")
    assert kvass(*arguments).status == 0
    assert (tmp_path / "named.sqlite").exists()
    assert not (tmp_path / "other.sqlite").exists()


def test_kvass_db_names_the_database_unless_an_option_does(kvass: Kvass, database: Path, tmp_path: Path) -> None:
    kvass("set", "k", "in KVASS_DB")
    kvass("--db", str(tmp_path / "other"), "set", "k", "in --db")
    assert database.exists()
    assert kvass("get", "k").out == b"in KVASS_DB\n"
    assert kvass("--db", str(tmp_path / "other"), "get", "k").out == b"in --db\n"


def test_without_kvass_db_the_database_is_in_the_home_directory(
    kvass: Kvass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVASS_DB", "")
    kvass("set", "k", "v")
    assert (tmp_path / ".kvassdb.sqlite").stat().st_mode & 0o777 == 0o600
    assert kvass("--db=~/.kvassdb.sqlite", "get", "k").out == b"v\n"


def test_an_empty_db_is_a_usage_error(kvass: Kvass) -> None:
    status, out, err = kvass("ls", "--db=")
    assert (status, out) == (2, b"")
    assert "--db" in err


@pytest.mark.parametrize(
    "arguments",
    [["lst"], ["get"], ["get", "a", "b"], ["set"], ["set", "a", "b", "c"], ["rm"], ["ls", "--lang"], ["--nope"]],
)
def test_wrong_usage_exits_2_with_a_message_on_standard_error(kvass: Kvass, arguments: list[str]) -> None:
    status, out, err = kvass(*arguments)
    assert (status, out) == (2, b"")
    assert err.startswith("kvass: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("get", "missing argument 'KEY' (see `kvass get --help`)"),
        ("config kee", "no such command 'kee'; did you mean key? (see `kvass config --help`)"),
        ("staus", "no such command 'staus'; did you mean status? (see `kvass --help`)"),
        ("delete k", "no such command 'delete'; did you mean rm? (see `kvass --help`)"),
        ("xyzzy", "no such command 'xyzzy' (see `kvass --help`)"),
        ("help confg", "no such command 'confg'; did you mean config? (see `kvass --help`)"),
        ("help config kee", "no such command 'kee'; did you mean key? (see `kvass config --help`)"),
        ("help get more", "`kvass get` has no commands, and so no 'more' (see `kvass get --help`)"),
        ("ls --lnog", "no such option --lnog; did you mean --long? (see `kvass ls --help`)"),
        ("ls -x", "no such option -x (see `kvass ls --help`)"),
        ("--vers", "no such option --vers; did you mean --version? (see `kvass --help`)"),
        ("completion", "missing argument 'SHELL'. Choose from: bash, zsh, fish (see `kvass completion --help`)"),
        ("config key a b", "got unexpected extra argument (b) (see `kvass config key --help`)"),
    ],
)
def test_wrong_usage_is_said_in_one_line_with_where_help_is(kvass: Kvass, line: str, said: str) -> None:
    assert kvass(*line.split()).err.startswith(f"kvass: {said}")


@pytest.mark.parametrize(
    ("line", "asked"), [("help", ""), ("help ls", "ls"), ("help config scratch add", "config scratch add")]
)
def test_help_shows_what_the_option_does(kvass: Kvass, line: str, asked: str) -> None:
    assert kvass(*line.split()) == kvass(*asked.split(), "--help")
    assert kvass(*line.split()).out


@pytest.mark.parametrize("option", ["ls --db", "mount --log", "serve --tls-cert", "serve --tls-key"])
def test_whether_a_file_can_be_read_is_not_a_matter_of_usage(option: str) -> None:
    name, flag = option.split()
    command = import_module(name_module(name), "kvassfs_cli").command
    (parameter,) = (each for each in command.params if flag in each.opts)
    assert not parameter.type.readable


def test_an_expected_error_is_one_line_with_its_exit_status(kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failure(KvassError):
        exit_code = 7

    def fail(_database: DatabaseFile) -> None:
        raise Failure("first\nsecond\x1b[2J")

    monkeypatch.setattr(DatabaseFile, "open_existing", fail)
    assert kvass("ls") == (7, b"", "kvass: first\\nsecond\\x1b[2J\n")


def test_a_store_that_is_busy_says_so(kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(database: DatabaseFile) -> None:
        raise StoreBusy(database.path)

    monkeypatch.setattr(DatabaseFile, "open_existing", fail)
    status, _, err = kvass("ls")
    assert status == 1
    assert "locked by another process" in err
    assert err.count("\n") == 1


def test_a_bug_raises(kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_database: DatabaseFile) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(DatabaseFile, "open_existing", fail)
    with pytest.raises(ZeroDivisionError):
        kvass("ls")


def test_a_database_that_cannot_be_made_is_one_line(kvass: Kvass, tmp_path: Path) -> None:
    status, out, err = kvass("--db", str(tmp_path / "no/such/folder/db"), "ls")
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: cannot open the database ")
    assert err.count("\n") == 1


def test_a_file_that_is_no_database_is_refused_and_left_alone(kvass: Kvass, database: Path) -> None:
    database.write_bytes(b"shopping list\n" * 1000)
    status, out, err = kvass("set", "k", "v")
    assert (status, out) == (1, b"")
    assert "is not a kvass database" in err
    assert database.read_bytes() == b"shopping list\n" * 1000


def test_without_memory_it_is_said_in_a_line(kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Store, "set", fail)
    said = "kvass: out of memory: end some programs and try again; what is stored is as it was, or whole\n"
    assert kvass("set", "a", "1") == (1, b"", said)
