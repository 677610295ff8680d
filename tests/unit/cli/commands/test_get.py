"""kvassfs_cli.commands.get"""

from __future__ import annotations

import pytest

from kvassfs.store import BLOCK_SIZE, Store
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
