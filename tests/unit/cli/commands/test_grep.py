"""kvassfs_cli.commands.grep"""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass, Processes


@pytest.fixture
def notes(store: Store) -> Store:
    store.set("notes/a", b"Buy milk\nbuy bread (2)\n")
    store.set("notes/b\n", b"sell milk")
    store.set("photo", b"milk\0\xff")
    store.set("other", "Käse\n".encode())
    return store


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["milk"], b"notes/a:Buy milk\nnotes/b\n:sell milk\nkvass: photo: binary value matches\n"),
        (["milk", "notes/"], b"notes/a:Buy milk\nnotes/b\n:sell milk\n"),
        (["-n", "buy"], b"notes/a:2:buy bread (2)\n"),
        (["-in", "BUY"], b"notes/a:1:Buy milk\nnotes/a:2:buy bread (2)\n"),
        (["-l", "milk"], b"notes/a\nnotes/b\n\nphoto\n"),
        (["-l0", "milk"], b"notes/a\0notes/b\n\0photo\0"),
        (["-c", "milk"], b"notes/a:1\nnotes/b\n:1\nother:0\nphoto:1\n"),
        (["-v", "milk", "notes/"], b"notes/a:buy bread (2)\n"),
        (["-E", "(Buy|sell) +milk"], b"notes/a:Buy milk\nnotes/b\n:sell milk\n"),
        (["-F", "(2)"], b"notes/a:buy bread (2)\n"),
        (["(2)"], b"notes/a:buy bread (2)\n"),
        (["-i", "KÄ"], "other:Käse\n".encode()),
        (["--", "-x\nsell"], b"notes/b\n:sell milk\n"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("notes")
def test_what_is_found_is_printed_behind_its_key(kvass: Kvass, arguments: list[str], out: bytes) -> None:
    assert kvass("grep", *arguments) == (0, out, "")


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["nothing"], b""),
        (["-l", "nothing"], b""),
        (["-c", "nothing", "other"], b"other:0\n"),
        (["-v", ""], b""),
        (["milk", "no prefix"], b""),
    ],
    ids=str,
)
@pytest.mark.usefixtures("notes")
def test_where_nothing_is_found_the_status_is_1(kvass: Kvass, arguments: list[str], out: bytes) -> None:
    assert kvass("grep", *arguments) == (1, out, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["["], "invalid pattern '[': a [ without its ]"),
        (["-E", "("], "invalid pattern '(': a ( without its )"),
        ([r"\d"], r"invalid pattern '\\d': \d means nothing here"),
        (["-EF", "x"], "-E and -F exclude each other (see `kvass grep --help`)"),
        (["-0", "x"], "--null goes with -l alone (see `kvass grep --help`)"),
        ([], "missing argument 'PATTERN' (see `kvass grep --help`)"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("notes")
def test_errors_have_the_status_2(kvass: Kvass, arguments: list[str], said: str) -> None:
    assert kvass("grep", *arguments) == (2, b"", f"kvass: {said}\n")


def test_so_has_a_missing_database(kvass: Kvass) -> None:
    status, out, err = kvass("grep", "x")
    assert (status, out) == (2, b"")
    assert err.startswith("kvass: cannot open the database ")


def test_a_pattern_need_not_be_utf_8(processes: Processes, store: Store) -> None:
    store.set("k", b"caf\xe9\n")
    assert processes.run("grep", b"f\xe9$") == (0, b"kvass: k: binary value matches\n", "")


@pytest.mark.usefixtures("notes")
def test_a_reader_that_has_enough_ends_it_by_its_signal(processes: Processes, store: Store) -> None:
    store.set("many", b"milk\n" * 100_000)
    status, out, err = processes.shell("kvass grep milk many | head -1; echo ${PIPESTATUS[0]}")
    assert (status, out, err) == (0, b"many:milk\n141\n", "")


@pytest.mark.usefixtures("notes")
def test_on_a_terminal_keys_are_escaped(processes: Processes) -> None:
    reader, writer = pty.openpty()
    with open(reader, "rb", closefd=True) as terminal:
        assert processes.run("grep", "sell", stdout=writer).status == 0
        os.close(writer)
        assert terminal.readline() == b"notes/b\\n:sell milk\r\n"


def test_the_hub_is_asked_first(kvass: Kvass, store: Store, hub: NearHub) -> None:
    hub.store.set("k", b"from elsewhere")
    assert kvass("grep", "--offline", "else").status == 1
    assert kvass("grep", "else").out == b"k:from elsewhere\n"


def test_memory_is_bounded(processes: Processes, tmp_path: Path) -> None:
    script = "{ head -c 300000000 /dev/zero | tr '\\0' x; echo needle; } | kvass set k && ulimit -v 400000 && kvass grep needle"
    assert processes.shell(script) == (0, b"kvass: k: binary value matches\n", "")
