"""kvassfs_cli.commands.ls"""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess

import pytest

from kvassfs.entry import Entry
from kvassfs.store import Store
from kvassfs_cli.commands import ls
from kvassfs_cli.formats import format_utc
from tests.support.stores import is_scratch, save
from tests.unit.cli.conftest import Kvass, Processes


@pytest.mark.usefixtures("store")
def test_an_empty_store_lists_nothing(kvass: Kvass) -> None:
    assert kvass("ls") == (0, b"", "")


def test_keys_are_listed_one_per_line_sorted_by_their_utf_8(kvass: Kvass, store: Store) -> None:
    keys = ["b", "a", "B", "a/b", "\U0001f600", "\uffff", "\u00e9", "e\u0301", "-x", " ", "猫咪 key/with slash"]
    for key in keys:
        store.set(key, b"value")
    expected = sorted(key.encode() for key in keys)
    assert kvass("ls").out == b"".join(key + b"\n" for key in expected)


def test_deleted_keys_are_not_listed(kvass: Kvass, store: Store) -> None:
    store.set("gone", b"value")
    store.set("emptied", b"value")
    store.delete("gone")
    store.set("emptied", b"")
    assert kvass("ls").out == b""


@pytest.mark.parametrize(
    ("prefix", "listed"),
    [("a", b"a\na/b\na/c\nab\n"), ("a/", b"a/b\na/c\n"), ("x", b""), ("", b"a\na/b\na/c\nab\nb\n")],
)
def test_a_prefix_lists_the_keys_that_begin_with_it(kvass: Kvass, store: Store, prefix: str, listed: bytes) -> None:
    for key in ("a", "a/b", "a/c", "ab", "b"):
        store.set(key, b"value")
    assert kvass("ls", prefix) == (0, listed, "")


def test_null_ends_lines_with_nul(kvass: Kvass, store: Store) -> None:
    store.set("two\nlines", b"value")
    store.set("a", b"value")
    assert kvass("ls", "-0").out == kvass("ls", "--null").out == b"a\0two\nlines\0"


def test_long_shows_size_and_time(kvass: Kvass, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("some key", b"12345")
    out = kvass("ls", "-l").out.decode()
    assert re.fullmatch(r" {11}5 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d some key\n", out)


def entry(timestamp: int) -> Entry:
    return Entry("k", timestamp=timestamp, counter=1, process_id=1, url_token="", size=1_000_000)


def test_long_shows_local_time(kathmandu: None) -> None:
    assert ls.format_entry(entry(1_795_396_752_382_991)) == "     1000000 2026-11-23 07:04:12 k"


@pytest.mark.parametrize("timestamp", [2**62, 10**18, -(2**62)])
def test_long_shows_a_time_beyond_the_calendar_as_unknown(timestamp: int) -> None:
    assert re.fullmatch(r"     1000000 \? {18} k", ls.format_entry(entry(timestamp)))


def test_long_leaves_out_a_key_that_goes_while_it_lists(store: Store) -> None:
    store.set("a", b"value")
    store.set("b", b"value")
    lines = ls.list_lines(store, "", ls.Form(long=True))
    assert next(lines).endswith(" a")
    with Store.open(store.path) as other:
        other.delete("b")
    assert [line[-2:] for line in lines] == []


def test_on_a_terminal_control_characters_are_escaped(processes: Processes, store: Store) -> None:
    store.set("two\nlines \x1b[31m", b"value")
    reader, writer = pty.openpty()
    with open(reader, "rb", closefd=True) as terminal:
        done = subprocess.run([*processes.command, "ls"], stdout=writer, check=True)
        os.close(writer)
        assert terminal.readline() == b"two\\nlines \\x1b[31m\r\n"
    assert done.returncode == 0


@pytest.fixture
def forest(store: Store) -> Store:
    """Keys and directories, some of them with awkward names."""
    for key in ("a", "a/b/c", "a/b/d", "e/", "e/f", "x y/z"):
        store.set(key, b"value")
    store.tree.directories.make("a/empty/", 0o40700, is_scratch=is_scratch)
    return store


TREE = """\
a
a/
├── b/
│   ├── c
│   └── d
└── empty/
e/
├── ""
└── f
x y/
└── z
"""


@pytest.mark.usefixtures("forest")
def test_tree_draws_directories_and_what_is_in_them(kvass: Kvass) -> None:
    assert kvass("ls", "--tree") == (0, TREE.encode(), "")
    assert kvass("ls").out == b"a\na/b/c\na/b/d\ne/\ne/f\nx y/z\n"


@pytest.mark.parametrize(
    ("prefix", "drawn"),
    [
        ("a/", "b/\n├── c\n└── d\nempty/\n"),
        ("a/e", "empty/\n"),
        ("e/", '""\nf\n'),
        ("x", "x y/\n└── z\n"),
        ("none", ""),
    ],
)
@pytest.mark.usefixtures("forest")
def test_tree_draws_what_begins_with_a_prefix(kvass: Kvass, prefix: str, drawn: str) -> None:
    assert kvass("ls", "--tree", prefix).out.decode() == drawn


def test_tree_goes_without_lines_where_there_are_no_such_characters(forest: Store) -> None:
    drawn = "\n".join(ls.draw_tree(forest, "", ls.ASCII)) + "\n"
    assert drawn == TREE.replace("├──", "|--").replace("└──", "`--").replace("│", "|")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--tree -l", "--tree goes with neither --long nor --null"),
        ("--tree -0", "--tree goes with neither --long nor --null"),
        ("--tree -h", "--tree goes with none of --human-readable, --json and --sort"),
        ("--tree --json", "--tree goes with none of --human-readable, --json and --sort"),
        ("--tree --sort size", "--tree goes with none of --human-readable, --json and --sort"),
        ("--json -l", "--json goes with none of --long, --human-readable and --null"),
        ("--json -h", "--json goes with none of --long, --human-readable and --null"),
        ("--json -0", "--json goes with none of --long, --human-readable and --null"),
        ("--sort colour", "invalid value for '--sort': 'colour' is not one of 'name', 'time', 'size'"),
    ],
)
@pytest.mark.usefixtures("store")
def test_options_that_ask_for_different_forms_are_refused(kvass: Kvass, options: str, said: str) -> None:
    assert kvass("ls", *options.split()) == (2, b"", f"kvass: {said} (see `kvass ls --help`)\n")


@pytest.fixture
def sized(store: Store) -> Store:
    """Keys whose order by name, by time and by size differ."""
    for key, size in (("b", 1), ("c", 2_500_000), ("a", 12_345), ("d", 1), ("other", 5)):
        store.set(key, b"x" * size)
    store.set_empty("e")
    return store


@pytest.mark.parametrize(
    ("order", "listed"), [("name", "abcdeo"), ("time", "eodacb"), ("size", "caobde")], ids=["name", "time", "size"]
)
@pytest.mark.usefixtures("sized")
def test_keys_are_sorted_by_what_is_asked_for(kvass: Kvass, order: str, listed: str) -> None:
    assert [line[:1] for line in kvass("ls", "--sort", order).out.decode().split()] == list(listed)
    assert [line.split()[-1][0] for line in kvass("ls", "-l", "--sort", order).out.decode().splitlines()] == list(
        listed
    )


@pytest.mark.usefixtures("sized")
def test_h_shows_sizes_that_people_read(kvass: Kvass) -> None:
    lines = kvass("ls", "-h").out.decode().splitlines()
    assert [line[:9] for line in lines] == [
        "  12.3 kB",
        "      1 B",
        "   2.5 MB",
        "      1 B",
        "      0 B",
        "      5 B",
    ]
    assert kvass("ls", "-lh").out == kvass("ls", "--human-readable").out == kvass("ls", "-h").out


def test_json_is_an_array_of_objects_for_programs(kvass: Kvass, store: Store) -> None:
    save(store, "two\nlines é", b"12345", mode=stat.S_IFREG | 0o755)
    store.set("a/b", b"value")
    store.tree.directories.make("d/", 0o40700, is_scratch=is_scratch)
    time = format_utc(store.entry("a/b").timestamp)
    first, second = json.loads(kvass("ls", "--json", "--sort", "size").out)
    assert first == {"key": "a/b", "size": 5, "time": time, "mode": "100600"}
    assert (second["key"], second["size"], second["mode"]) == ("two\nlines é", 5, "100755")
    assert [each["key"] for each in json.loads(kvass("ls", "--json", "a").out)] == ["a/b"]


@pytest.mark.usefixtures("store")
def test_json_of_nothing_is_an_empty_array(kvass: Kvass) -> None:
    assert kvass("ls", "--json") == (0, b"[\n]\n", "")


@pytest.mark.usefixtures("store")
def test_h_is_no_help_here(kvass: Kvass) -> None:
    assert kvass("ls", "-h") == (0, b"", "")
    assert b"Example: kvass ls" in kvass("ls", "--help").out
