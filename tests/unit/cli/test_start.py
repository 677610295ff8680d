"""kvassfs_cli.start: what it does by itself is what click and the store would do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.store import INLINE_LIMIT, Store
from kvassfs_cli.database import DatabaseFile
from kvassfs_cli.file_limit import ENOUGH_FILES
from kvassfs_cli.main import kvass as root
from kvassfs_cli.start import OPERANDS, find_path, parse
from tests.support.processes import KVASS, unmeasured

WORDS = (
    "get",
    "ls",
    "set",
    "--db",
    "--db=x",
    "--db=",
    "--offline",
    "--",
    "-",
    "-l",
    "--force",
    "--rev",
    "key",
    "a b",
    "é",
    "",
)


def as_click_does(arguments: list[str]) -> tuple[str, str, str | None, str, bool] | None:
    """Return command, key or prefix, value, database and whether it is offline; ``None`` if click refuses that."""
    try:
        with root.make_context("kvass", list(arguments)) as context:
            name, command, rest = root.resolve_command(context, [*context._protected_args, *context.args])
            assert name is not None
            assert command is not None
            with command.make_context(name, rest, parent=context) as inner:
                database = inner.ensure_object(DatabaseFile)
                text = inner.params.get("key", inner.params.get("prefix"))
                return name, text, inner.params.get("value"), database._chosen, inner.params["offline"]
    except (click.ClickException, click.exceptions.Exit):
        return None


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_a_command_line_is_read_as_click_reads_it_or_left_to_it(arguments: list[str]) -> None:
    plain = parse(arguments)
    if plain is None:
        return
    found = as_click_does(arguments)
    if found is None:  # a key that cannot be: that is said later
        assert plain.text == ""
        return
    command, text, value, database, offline = found
    assert (plain.command, plain.text, plain.value, plain.offline) == (command, text, value, offline)
    if plain.database is not None:
        assert plain.database == database


@pytest.mark.parametrize("command", OPERANDS)
def test_it_knows_the_operands_of_each_command(command: str) -> None:
    with root.make_context("kvass", []) as context:
        found = root.get_command(context, command)
    assert found is not None
    operands = [each for each in found.params if isinstance(each, click.Argument)]
    assert OPERANDS[command] == (sum(each.required for each in operands), sum(each.nargs for each in operands))


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            [],
            ["get"],
            ["get", "a", "b"],
            ["ls", "a", "b"],
            ["set"],
            ["set", "a", "b", "c"],
            ["set", "a", "--empty"],
            ["get", "-x"],
            ["get", "a", "--rev", "1"],
        ),
        *(["--offline", "get", "a"], ["get", "a", "--db"], ["--db", "", "get", "a"], ["-V"], ["get", "\udcff"]),
    ],
)
def test_what_is_not_plain_is_left_to_click(arguments: list[str]) -> None:
    assert parse(arguments) is None


@pytest.mark.parametrize(
    ("database", "environment", "path"),
    [
        ("/a/b", {}, "/a/b"),
        ("~/a", {"HOME": "/home/x"}, "/home/x/a"),
        (None, {"KVASS_DB": "/c", "HOME": "/home/x"}, "/c"),
        (None, {"KVASS_DB": "", "HOME": "/home/x"}, "/home/x/.kvassdb.sqlite"),
        ("~other/a", {"HOME": "/home/x"}, None),
        ("~/a", {}, None),
        ("~/a", {"HOME": "home"}, None),
        ("a", {}, None),
    ],
)
def test_the_database_is_found_where_the_path_is_plain(
    database: str | None, environment: dict[str, str], path: str | None
) -> None:
    assert find_path(database, environment) == path


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_the_cheat_sheet_is_that_of_click(
    kvass: Callable[..., tuple[int, bytes, str]], arguments: tuple[str, ...]
) -> None:
    assert spoken(*arguments) == (0, kvass(*arguments)[1], b"")


# As processes


def spoken(*arguments: str, **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run([*KVASS, *arguments], capture_output=True, check=False, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def loaded(*arguments: str) -> set[str]:
    """Return the modules that a command has loaded at its end."""
    probe = (
        "import sys, os; end = os._exit; os._exit = lambda status: (print(*sys.modules, file=sys.stderr, flush=True), end(status));"
        "from kvassfs_cli.start import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", probe, *arguments], capture_output=True, check=True, env=unmeasured())
    return set(done.stderr.decode().split())


def bare_modules() -> set[str]:
    """Return the modules that Python loads by itself."""
    bare = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    return set(subprocess.run(bare, capture_output=True, check=True, env=unmeasured()).stdout.decode().split())


HEAVY = {
    "click",
    "typing",
    "dataclasses",
    "contextlib",
    "enum",
    "re",
    "json",
    "logging",
    "kvassfs.errors",
    "kvassfs.store.store",
}


@pytest.mark.parametrize("arguments", [("get", "key"), ("ls",), ("get", "key", "--offline"), (), ("--help",)])
def test_it_loads_next_to_nothing(store: Store, arguments: tuple[str, ...]) -> None:
    store.set("key", b"value")
    assert (loaded(*arguments) - bare_modules()) & HEAVY == set()


RARE = {
    "base64",
    "click",
    "dataclasses",
    "enum",
    "hashlib",
    "json",
    "kvassfs.echo",
    "kvassfs.replica",
    "kvassfs.store.creation",
    "kvassfs.store.lengthy",
    "kvassfs.store.peers",
    "kvassfs.store.reading",
    "kvassfs.store.settings",
    "kvassfs.store.tree",
    "kvassfs.store.values",
    "kvassfs_cli.occasions",
    "kvassfs_cli.streams",
    "logging",
    "re",
    "signal",
    "threading",
    "typing",
    "weakref",
}


def test_setting_loads_no_more_of_the_store_than_it_uses(store: Store) -> None:
    store.set("key", b"value")
    assert (loaded("set", "key", "another value") - bare_modules()) & RARE == set()


@pytest.mark.parametrize("remote", ["", "http://127.0.0.1:1"])
def test_what_a_glance_does_not_find_is_got_without_click(store: Store, remote: str) -> None:
    store.set("long", bytes(INLINE_LIMIT + 1))
    store.set("key", b"value")
    store.settings.set_remote(remote)
    assert {"click", "dataclasses"} & (loaded("get", "key" if remote else "long") - bare_modules()) == set()


def test_where_too_few_files_may_be_open_more_are_allowed_first(store: Store) -> None:
    probe = (
        "import os, resource; end = os._exit\n"
        "os._exit = lambda status: (print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True), end(status))\n"
        "from kvassfs_cli.start import main; main()"
    )
    limited = ["bash", "-c", 'ulimit -S -n 16; exec "$@"', "bash", sys.executable, "-c", probe, "set", "key", "value"]
    done = subprocess.run(limited, capture_output=True, check=True, env=unmeasured())
    assert int(done.stdout) == ENOUGH_FILES
    assert store.get("key").read() == b"value\n"


@pytest.mark.parametrize("size", [0, 1, INLINE_LIMIT, INLINE_LIMIT + 1])
def test_a_value_is_written_byte_for_byte(store: Store, size: int) -> None:
    value = os.urandom(size)
    if size:
        store.set("key", value)
    else:
        store.set_empty("key")
    assert spoken("get", "key") == (0, value, b"")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("get", "none"), 1), (("get", "a"), 1), (("get", ""), 1), (("ls", "none"), 0), (("ls", "a/"), 0)],
)
def test_it_says_what_the_whole_program_says(
    store: Store, kvass: Callable[..., tuple[int, bytes, str]], arguments: tuple[str, ...], status: int
) -> None:
    store.set("a/b", b"value")
    said = spoken(*arguments)
    assert said[0] == status
    expected = kvass(*arguments)
    assert (said[0], said[1], said[2].decode()) == tuple(expected)


def test_a_database_that_others_may_read_is_closed_as_before(store: Store, database: Path) -> None:
    store.set("key", b"value")
    database.chmod(0o644)
    status, out, err = spoken("get", "key")
    assert (status, out, b"closed" in err) == (0, b"value", True)
    assert database.stat().st_mode & 0o777 == 0o600


def test_a_hub_is_asked_as_before(store: Store) -> None:
    store.set("key", b"value")
    store.settings.set_remote("http://127.0.0.1:1")
    status, out, err = spoken("get", "key")
    assert (status, out, b"warning" in err) == (0, b"value", True)


def test_who_stops_reading_ends_it_without_a_word(store: Store) -> None:
    with store.bulk(), store.transaction:
        for number in range(20_000):
            store.set(f"key {number:06}", b"value")
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(KVASS)} ls | head -1; echo ${{PIPESTATUS[0]}}"], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"key 000000\n141\n", b"")


def test_a_full_disk_is_said(store: Store) -> None:
    store.set("key", b"value")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*KVASS, "get", "key"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        b"kvass: cannot write to standard output: No space left on device\n",
    )


def test_closed_output_is_said(store: Store) -> None:
    store.set("key", b"value")
    done = subprocess.run(["bash", "-c", f"{' '.join(KVASS)} get key >&-"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"kvass: cannot write to standard output: it is closed\n")


def test_a_key_is_set_as_before(store: Store, kvass: Callable[..., tuple[int, bytes, str]]) -> None:
    assert spoken("set", "key", "a value") == (0, b"", b"")
    assert store.get("key").read() == b"a value\n"
    assert spoken("set", "key", "") == (0, b"", b"")
    assert store.get("key").read() == b"\n"
    done = subprocess.run([*KVASS, "set", "key"], input=b"\xff\0 from a pipe", capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert store.get("key").read() == b"\xff\0 from a pipe"
    assert spoken("undo", "--yes")[0] == 0
    assert store.get("key").read() == b"\n"


@pytest.mark.parametrize("arguments", [("set", "", "value"), ("set", "\x01link/token/-/once/k", "x"), ("set", "empty")])
def test_what_cannot_be_set_is_said_as_before(
    store: Store, kvass: Callable[..., tuple[int, bytes, str]], arguments: tuple[str, ...]
) -> None:
    done = subprocess.run([*KVASS, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    expected = kvass(*arguments)
    assert (done.returncode, done.stdout, done.stderr.decode()) == tuple(expected)
    assert expected[0]
    assert not list(store.keys())


def test_setting_makes_a_database_and_loads_no_click(database: Path) -> None:
    assert "click" not in loaded("set", "key", "value")
    with Store.open(database) as store:
        assert store.get("key").read() == b"value\n"


def test_setting_pushes_as_before(store: Store) -> None:
    store.settings.set_remote("http://127.0.0.1:1")
    status, out, err = spoken("set", "key", "value")
    assert (status, out, b"kept here and pushed later" in err) == (0, b"", True)
    assert b"warning" not in spoken("set", "key", "value", "--offline")[2]
