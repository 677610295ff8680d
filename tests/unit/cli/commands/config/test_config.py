"""kvassfs_cli.commands.config"""

from __future__ import annotations

import os
import pty
import termios
import time
from pathlib import Path

import pytest

from kvassfs.store import Config, Store
from kvassfs_cli.commands.config import format_config
from tests.unit.cli.conftest import Kvass, Processes

KEY = "cd9994e3a0c5ca40c2652ff21ab401d6d3a1a5c5fd5482ae62c03ce32d340b49"


@pytest.mark.parametrize(("remote", "line"), [("", "(None)"), ("http://127.0.0.1:18001", "http://127.0.0.1:18001")])
def test_the_configuration_is_shown_in_the_bytes_of_the_original(remote: str, line: str) -> None:
    assert format_config(Config(encryption_key=bytes.fromhex(KEY), process_id=1001, remote=remote, clock=3)) == (
        f"Encryption Key:  \t{KEY}\nProcessID:       \t1001\nRemote:          \t{line}\n"
    )


def test_a_public_address_is_shown_where_there_is_one(kvass: Kvass, store: Store) -> None:
    store.settings.set_public_url("https://example.org/kvass")
    status, out, err = kvass("config", "show")
    assert (status, err) == (0, "")
    assert out == format_config(store.settings.config()).encode() + b"Public address:  \thttps://example.org/kvass\n"


def test_a_name_is_shown_where_there_is_one(kvass: Kvass, store: Store) -> None:
    assert kvass("config", "name", "laptop 猫") == (0, b"", "")
    shown = format_config(store.settings.config()) + "Name:            \tlaptop 猫\n"
    assert kvass("config", "show") == (0, shown.encode(), "")


def test_name_shows_that_of_the_host_until_another_is_set(kvass: Kvass, store: Store) -> None:
    host = f"{os.uname().nodename}\n".encode()
    assert kvass("config", "name") == (0, host, "")
    kvass("config", "name", "laptop")
    assert kvass("config", "name") == (0, b"laptop\n", "")
    assert kvass("config", "name", "") == (0, b"", "")
    assert kvass("config", "name") == (0, host, "")


@pytest.mark.parametrize("name", ["a\nb", " a", "x" * 65, "\udcff"])
def test_a_wrong_name_is_refused_with_the_reason_and_makes_no_store(kvass: Kvass, database: Path, name: str) -> None:
    status, out, err = kvass("config", "name", name)
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: the name of a device is one line of at most 64 characters, and ")
    assert err.count("\n") == 1
    assert not database.exists()


def test_show_prints_the_configuration(kvass: Kvass, store: Store) -> None:
    assert kvass("config", "show") == (0, format_config(store.settings.config()).encode(), "")


@pytest.mark.parametrize("key", [KEY, KEY.upper()])
def test_key_sets_the_encryption_key_and_warns_of_who_may_see_it(kvass: Kvass, store: Store, key: str) -> None:
    warning = (
        "kvass: warning: others could read the key in the list of processes, and the shell's history may have it;"
        " without HEX `kvass config key` asks for it, and `kvass config key -` reads it\n"
    )
    assert kvass("config", "key", key) == (0, b"", warning)
    assert store.settings.config().encryption_key == bytes.fromhex(KEY)


@pytest.mark.parametrize("stdin", [KEY, f"{KEY}\n", f"{KEY}\r\nmore\n", f"  {KEY}\n"])
@pytest.mark.parametrize("arguments", [["-"], []])
def test_key_reads_a_line_of_standard_input(kvass: Kvass, store: Store, arguments: list[str], stdin: str) -> None:
    assert kvass("config", "key", *arguments, stdin=stdin.encode()) == (0, b"", "")
    assert store.settings.config().encryption_key == bytes.fromhex(KEY)


@pytest.mark.parametrize("stdin", [b"", b"\n", b"\xff" * 64, KEY.encode() * 1_000_000])
def test_key_refuses_another_line_with_the_reason(kvass: Kvass, store: Store, stdin: bytes) -> None:
    before = store.settings.config()
    status, out, err = kvass("config", "key", "-", stdin=stdin)
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: an encryption key is 64 hex digits, and this one has ")
    assert store.settings.config() == before


def test_key_asks_at_a_terminal_and_does_not_show_the_answer(processes: Processes, store: Store) -> None:
    terminal, end = pty.openpty()
    with processes.start("config", "key", stdin=end, stdout=end, stderr=end, start_new_session=True) as process:
        while termios.tcgetattr(terminal)[3] & termios.ECHO:  # what is typed before that, getpass drops
            time.sleep(0.01)
        shown_there = os.read(terminal, 1000)
        os.write(terminal, f"{KEY}\n".encode())
        assert process.wait(30) == 0
        os.close(end)
        while piece := _read(terminal):
            shown_there += piece
    assert shown_there == b"Encryption key: \r\n"
    assert store.settings.config().encryption_key == bytes.fromhex(KEY)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # EIO: the other end is closed
        return b""


@pytest.mark.parametrize("key", ["", "abc", KEY[:-1] + "x"])
def test_a_wrong_key_is_refused_with_the_reason(kvass: Kvass, store: Store, key: str) -> None:
    before = store.settings.config()
    status, out, err = kvass("config", "key", key)
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: an encryption key is 64 hex digits, and this one has ")
    assert store.settings.config() == before


@pytest.mark.parametrize("number", ["1", "4294967295"])
def test_pid_sets_the_process_id(kvass: Kvass, store: Store, number: str) -> None:
    assert kvass("config", "pid", number) == (0, b"", "")
    assert store.settings.config().process_id == int(number)


@pytest.mark.parametrize("number", ["0", "-1", "4294967296", "x", ""])
def test_a_wrong_process_id_is_refused_with_the_reason(kvass: Kvass, store: Store, number: str) -> None:
    before = store.settings.config()
    assert kvass("config", "pid", number) == (
        1,
        b"",
        f"kvass: a process id is a number from 1 to 4294967295, and {number!r} is not\n",
    )
    assert store.settings.config() == before


def test_remote_sets_the_hub_and_nothing_removes_it(kvass: Kvass, store: Store) -> None:
    assert kvass("config", "remote", "example.org:8000") == (0, b"", "")
    assert store.settings.config().remote == "example.org:8000"
    assert kvass("config", "remote", "") == (0, b"", "")
    assert store.settings.config().remote == ""


def test_a_wrong_remote_is_refused_with_the_reason(kvass: Kvass, store: Store) -> None:
    status, out, err = kvass("config", "remote", "ftp://example.org")
    assert (status, out) == (1, b"")
    assert err == "kvass: 'ftp://example.org' is no address of a hub: a URL begins with http:// or https://\n"
    assert store.settings.config().remote == ""


def test_a_new_hub_keeps_the_entries_and_has_them_pushed(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    store.outbox.acknowledge([store.entry("k")], epoch=store.peers.hub().epoch)
    assert kvass("config", "remote", "example.org:8000") == (0, b"", "")
    assert store.outbox.count_dirty() == (1, 5)
    assert store.get("k").read() == b"value"


def test_timeout_shows_the_limits(kvass: Kvass, store: Store) -> None:
    assert kvass("config", "timeout") == (0, b"Connect:         \t1 s\nProgress:        \t10 s\n", "")
    store.settings.set_timeouts(0.25, 3600)
    assert kvass("config", "timeout").out == b"Connect:         \t0.25 s\nProgress:        \t3600 s\n"


def test_timeout_sets_both_limits_or_the_first_and_default_returns(kvass: Kvass, store: Store) -> None:
    assert kvass("config", "timeout", "2.5", "20") == (0, b"", "")
    assert store.settings.timeouts() == (2.5, 20.0)
    assert kvass("config", "timeout", "3") == (0, b"", "")
    assert store.settings.timeouts() == (3.0, 20.0)
    assert kvass("config", "timeout", "default") == (0, b"", "")
    assert store.settings.timeouts() == (1.0, 10.0)


@pytest.mark.parametrize("arguments", [["0"], ["-1"], ["x"], ["1", "4000"], ["default", "1"], [""]])
def test_a_wrong_timeout_is_refused_with_the_reason(kvass: Kvass, store: Store, arguments: list[str]) -> None:
    status, out, err = kvass("config", "timeout", *arguments)
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: a time limit is a number of seconds up to 3600, and ")
    assert store.settings.timeouts() == (1.0, 10.0)


@pytest.mark.parametrize(
    "arguments", [["remote"], ["pid"], ["nope"], ["show", "x"], ["key", "a", "b"], ["timeout", *"123"]]
)
def test_wrong_usage_exits_2(kvass: Kvass, arguments: list[str]) -> None:
    assert kvass("config", *arguments).status == 2


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://example.org/kvass", "https://example.org/kvass"),
        ("https://example.org/kvass/", "https://example.org/kvass"),
        ("hub.example:8000", "http://hub.example:8000"),
        ("", "http://remote.example"),
    ],
)
def test_url_sets_the_public_address_and_shows_what_addresses_begin_with(
    kvass: Kvass, store: Store, url: str, base: str
) -> None:
    store.settings.set_remote("remote.example")
    assert kvass("config", "url", url) == (0, b"", "")
    assert kvass("config", "url") == (0, f"{base}\n".encode(), "")


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "https://", "a b", "https://me:secret@example.org", "http://h?q=1"]
)
def test_a_url_that_can_be_no_public_address_is_refused(kvass: Kvass, store: Store, url: str) -> None:
    status, out, err = kvass("config", "url", url)
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: ")
    assert "secret" not in err
    assert store.settings.public_url() == ""


def test_without_any_address_url_says_what_sets_one(kvass: Kvass, store: Store) -> None:
    status, out, err = kvass("config", "url")
    assert (status, out) == (1, b"")
    assert "`kvass config remote HOST`" in err
    assert "`kvass config url URL`" in err
