"""kvassfs_cli.commands.get"""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from kvassfs.store import BLOCK_SIZE, Store
from kvassfs_cli.commands.get import NoText, ask_unless_text
from tests.support.stores import count, is_scratch
from tests.unit.cli.conftest import Kvass, Processes

VALUES = [b"x", b"\0", b"\r\n", bytes(range(256)), b"no newline", b"\xff\xfe", b"z" * (3 * BLOCK_SIZE + 1)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value[:12]))
def test_get_writes_exactly_the_bytes(kvass: Kvass, store: Store, value: bytes) -> None:
    store.set("k", value)
    assert kvass("get", "k") == (0, value, "")


@pytest.mark.parametrize("key", ["a b", "-x", "--db", "猫咪 key/with slash", "a/", "/", ".", "two\nlines", "%@"])
def test_any_key_can_be_named_after_a_double_dash(kvass: Kvass, store: Store, key: str) -> None:
    store.set(key, b"value")
    assert kvass("get", "--", key) == (0, b"value", "")


@pytest.mark.usefixtures("store")
def test_a_missing_key_is_said_on_standard_error(kvass: Kvass) -> None:
    assert kvass("get", "nothing") == (1, b"", "kvass: no such key: nothing\n")


@pytest.mark.usefixtures("store")
def test_a_missing_key_with_a_newline_is_still_one_line(kvass: Kvass) -> None:
    assert kvass("get", "two\nlines").err == "kvass: no such key: two\\nlines\n"


def test_a_deleted_key_is_missing(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    store.delete("k")
    assert kvass("get", "k").status == 1


def test_an_empty_key_is_refused_with_the_reason(kvass: Kvass) -> None:
    assert kvass("get", "") == (1, b"", "kvass: '' cannot be a key: it is empty\n")


def test_a_key_that_is_not_utf_8_is_refused_with_the_reason(processes: Processes) -> None:
    status, out, err = processes.run("get", b"caf\xe9")
    assert (status, out) == (1, b"")
    assert err == "kvass: 'caf\\udce9' cannot be a key: it is not valid UTF-8\n"


def test_keys_are_utf_8_whatever_the_locale(
    processes: Processes, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("é", b"value")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    monkeypatch.setenv("LC_ALL", "C")
    assert processes.run("get", "é".encode()) == (0, b"value", "")
    assert processes.run("ls").out == "é\n".encode()


def test_of_a_directory_it_is_said_that_it_is_one(kvass: Kvass, store: Store) -> None:
    store.set("notes/trip", b"value")
    store.tree.directories.make("empty/", 0o40700, is_scratch=is_scratch)
    for key, prefix in (("notes", "notes/"), ("notes/", "notes/"), ("empty", "empty/"), ("empty/", "empty/")):
        assert kvass("get", key) == (1, b"", f"kvass: {prefix} is a directory; `kvass ls` lists what is in it\n")
    assert kvass("get", "note") == (1, b"", "kvass: no such key: note\n")


def test_a_key_that_has_a_value_beside_a_directory_is_no_directory(kvass: Kvass, store: Store) -> None:
    store.set("notes/trip", b"value")
    store.set("notes", b"other")
    assert kvass("get", "notes").out == b"other"


def get_at_terminal(
    processes: Processes, *arguments: str, answer: bytes | None = None, stdin: int | None = None
) -> tuple[int, bytes]:
    """Get a value at a terminal, and answer what is asked; return the exit status, and all that the screen showed."""
    controller, terminal = pty.openpty()
    streams = {"stdin": terminal if stdin is None else stdin, "stdout": terminal, "stderr": terminal}
    with processes.start("get", *arguments, env=processes.environment(), **streams) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
            if answer is not None and b"[y/N]" in shown:
                os.write(controller, answer)
                answer = None
        status = process.wait(30)
    os.close(controller)
    return status, shown.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("value", [b"plain\n", "é\n".encode(), ("é" * BLOCK_SIZE).encode()[:-1] + b"x\n"])
def test_text_is_shown_at_a_terminal_without_a_question(processes: Processes, store: Store, value: bytes) -> None:
    store.set("k", value)
    if len(value) < 100:
        assert get_at_terminal(processes, "k") == (0, value)
    else:
        assert get_at_terminal(processes, "k")[1][:12] == "éééééé".encode()


@pytest.mark.parametrize(
    ("answer", "status", "end"),
    [
        (b"y\n", 0, b"y\na\0b"),
        (
            b"n\n",
            1,
            b"n\nkvass: k\\n is no text, which a terminal cannot show; write it to a file or program, or show it with --force\n",
        ),
        (b"\n", 1, b"show it with --force\n"),
        (b"\x04", -2, b"[y/N]: "),
    ],
)
def test_a_terminal_asks_before_it_shows_what_is_no_text(
    processes: Processes, store: Store, answer: bytes, status: int, end: bytes
) -> None:
    store.set("k\n", b"a\0b")
    got, shown = get_at_terminal(processes, "k\n", answer=answer)
    assert got == status
    assert shown.startswith(b"k\\n is no text (3 B); show it nonetheless? [y/N]: ")
    assert shown.strip(b"\n").endswith(end.strip(b"\n"))


def test_with_force_it_does_not_ask(processes: Processes, store: Store) -> None:
    store.set("k", b"a\0\xffb")
    assert get_at_terminal(processes, "--force", "k") == (0, b"a\0\xffb")


def test_where_nobody_can_be_asked_it_is_refused(processes: Processes, store: Store) -> None:
    store.set("k", b"a\0b")
    status, shown = get_at_terminal(processes, "k", stdin=subprocess.DEVNULL)
    assert status == 1
    assert shown.startswith(b"kvass: k is no text")


def test_what_was_held_is_let_go_when_it_is_not_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("k", b"\0" + b"z" * (20 * BLOCK_SIZE))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(NoText):
        list(ask_unless_text("k", store.get("k")))
    assert count(store, "pins") == 0
