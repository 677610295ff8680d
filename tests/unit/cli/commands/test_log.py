"""kvassfs_cli.commands.log"""

from __future__ import annotations

import json

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Store
from tests.unit.cli.conftest import Kvass


def columns(out: bytes) -> list[tuple[str, ...]]:
    """Return the lines as number, device, state and key; times and sizes are left out."""
    found = []
    for line in out.decode().splitlines():
        parts = line.split()
        device = " ".join(parts[3:5]) if parts[3] == "this" else parts[3]
        rest = parts[5:] if parts[3] == "this" else parts[4:]
        found.append(
            (parts[0], device, *(part for part in rest if not part[0].isdigit() and part not in ("B", "kB", "-")))
        )
    return found


def test_log_shows_the_versions_of_a_key(kvass: Kvass, store: Store) -> None:
    for value in (b"one", b"two"):
        store.set("k", value)
    store.delete("k")
    status, out, err = kvass("log", "k")
    assert (status, err) == (0, "")
    assert columns(out) == [
        ("-", "this device", "removal"),
        ("2", "this device", "removed"),
        ("1", "this device", "replaced"),
    ]


def test_log_shows_what_changed_in_the_store(kvass: Kvass, store: Store) -> None:
    store.set("a", b"one")
    store.set("dir/b", b"two")
    store.set("a", b"three")
    assert [line[-2:] for line in columns(kvass("log").out)] == [
        ("current", "a"),
        ("current", "dir/b"),
        ("replaced", "a"),
    ]
    assert [line[-2:] for line in columns(kvass("log", "dir/").out)] == [("current", "dir/b")]
    assert [line[-2:] for line in columns(kvass("log", "-n", "1").out)] == [("current", "a")]


def test_versions_of_other_devices_have_their_process_id(kvass: Kvass, store: Store) -> None:
    store.inbox.merge_pushed([Delivery(Entry("k", 5, 5, 4711, "T" * 22, 5), 5, b"value")])
    assert columns(kvass("log", "k").out) == [("1", "4711", "current")]


def test_sizes_and_times_stand_in_columns(kvass: Kvass, store: Store) -> None:
    store.inbox.merge_pushed([Delivery(Entry("k", 1_704_067_200_000_000, 5, 4711, "T" * 22, 1500), 5, bytes(1500))])
    (line,) = kvass("log").out.decode().splitlines()
    assert line.startswith("   1  20")
    assert "1.5 kB" in line
    assert line.endswith("current   k")


def test_json_is_an_array_of_objects(kvass: Kvass, store: Store) -> None:
    entry = store.set("k", b"value")
    store.delete("k")
    removal, version = json.loads(kvass("log", "--json", "k").out)
    assert removal["state"] == "removal"
    assert removal["number"] is None
    assert version["replaced"] is not None
    del version["replaced"], version["time"]
    assert version == {
        "key": "k",
        "number": 1,
        "timestamp": entry.timestamp,
        "device": "this device",
        "process_id": entry.process_id,
        "size": 5,
        "state": "removed",
    }


def test_of_nothing_json_is_an_empty_array(kvass: Kvass, store: Store) -> None:
    assert kvass("log", "--json") == (0, b"[]\n", "")
    assert kvass("log") == (0, b"", "")


@pytest.mark.parametrize("key", ["missing", "missing/"])
def test_a_key_that_never_was_is_said(kvass: Kvass, store: Store, key: str) -> None:
    assert kvass("log", key) == (1, b"", f"kvass: no such key: {key}\n")


def test_controls_in_keys_are_escaped(kvass: Kvass, store: Store) -> None:
    store.set("a\nb\x1b[31m", b"value")
    assert kvass("log").out.decode().endswith("a\\nb\\x1b[31m\n")
