"""kvassfs_cli.commands.log"""

from __future__ import annotations

import json

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Store
from kvassfs_cli.dot_texts import describe_conflicts
from tests.unit.cli.conftest import Kvass

OTHER = Entry("k", 5, 5, 4711, "T" * 22, 5, seen="")
"""What another device wrote, without having seen anything."""


@pytest.fixture(autouse=True)
def _name(store: Store) -> None:
    store.settings.set_name("laptop")


def columns(out: bytes) -> list[tuple[str, ...]]:
    """Return the lines as number, device, state and key; times and sizes are left out."""
    found = []
    for line in out.decode().splitlines():
        number, _, _, device, *rest = line.split()
        found.append(
            (number, device, *(part for part in rest if not part[0].isdigit() and part not in ("B", "kB", "-")))
        )
    return found


def test_log_shows_the_versions_of_a_key(kvass: Kvass, store: Store) -> None:
    for value in (b"one", b"two"):
        store.set("k", value)
    store.delete("k")
    status, out, err = kvass("log", "k")
    assert (status, err) == (0, "")
    assert columns(out) == [
        ("-", "laptop", "removal"),
        ("2", "laptop", "removed"),
        ("1", "laptop", "replaced"),
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


def test_versions_of_other_devices_have_their_names_or_process_ids(kvass: Kvass, store: Store) -> None:
    store.inbox.merge_pushed([Delivery(OTHER, 5, b"value")])
    assert columns(kvass("log", "k").out) == [("1", "4711", "current")]
    store.peers.note_names({4711: "phone", 4712: "phone"})
    assert kvass("log", "k").out.split()[3:5] == [b"phone", b"(4711)"]
    store.peers.note_names({4711: "tablet"})
    assert columns(kvass("log", "k").out) == [("1", "tablet", "current")]


def test_a_version_of_which_another_device_changed_the_mode_is_of_who_wrote_it(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    own = store.entry("k")
    changed = own._replace(
        timestamp=own.timestamp + 1, process_id=4711, mode=0o100755, origin=f"{own.process_id}:{own.counter}"
    )
    store.inbox.merge_pushed([Delivery(changed, 9, b"value")])
    assert columns(kvass("log", "k").out) == [("1", "laptop", "current")]


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
        "device": "laptop",
        "process_id": entry.process_id,
        "size": 5,
        "state": "removed",
        "lost_to": None,
        "settled": None,
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


# Conflicts


@pytest.fixture
def conflict(store: Store) -> None:
    """Two keys of which what another device wrote lost to what is here, and one in no conflict."""
    store.peers.note_names({4711: "phone"})
    for key in ("k", "dir/k"):
        store.set(key, b"here")
        lost = OTHER._replace(key=key, url_token=key)
        store.inbox.merge_pushed([Delivery(lost, 5, b"there")])
    store.set("alone", b"value")


def test_a_version_that_lost_says_to_whom(kvass: Kvass, store: Store, conflict: None) -> None:
    assert columns(kvass("log", "k").out) == [("2", "laptop", "current"), ("1", "phone", "lost", "to", "laptop")]


def test_conflicts_are_listed(kvass: Kvass, store: Store, conflict: None) -> None:
    lost = ("1", "phone", "lost", "to", "laptop")
    assert columns(kvass("log", "--conflicts").out) == [(*lost, "dir/k"), (*lost, "k")]
    assert columns(kvass("log", "--conflicts", "dir/").out) == [(*lost, "dir/k")]
    assert kvass("log", "--conflicts", "other") == (0, b"", "")
    (found, _) = json.loads(kvass("log", "--conflicts", "--json").out)
    assert (found["state"], found["lost_to"], found["settled"], found["device"]) == ("lost", "laptop", False, "phone")


def test_a_conflict_is_forgotten(kvass: Kvass, store: Store, conflict: None) -> None:
    assert kvass("log", "--forget", "k") == (0, b"", "")
    assert [line[-1] for line in columns(kvass("log", "--conflicts").out)] == ["dir/k"]
    assert columns(kvass("log", "k").out)[1] == ("1", "phone", "lost", "to", "laptop")
    assert json.loads(kvass("log", "--json", "k").out)[1]["settled"] is True
    assert kvass("log", "--forget", "k") == (
        1,
        b"",
        "kvass: k is in no conflict (`kvass log --conflicts` lists those that are)\n",
    )


def test_taking_the_other_version_up_settles_a_conflict(kvass: Kvass, store: Store, conflict: None) -> None:
    assert kvass("get", "k", "--rev", "1").out == b"there"
    assert kvass("restore", "k", "--rev", "1").status == 0
    assert kvass("get", "k").out == b"there"
    assert [line[-1] for line in columns(kvass("log", "--conflicts").out)] == ["dir/k"]


@pytest.mark.parametrize("more", [["k"], ["--conflicts"], ["--json"], ["-n", "1"]])
def test_forgetting_goes_with_nothing_else(kvass: Kvass, store: Store, more: list[str]) -> None:
    status, _, err = kvass("log", "--forget", "k", *more)
    assert status == 2
    assert "--forget KEY goes with no other option or key" in err


def test_conflicts_are_in_the_status(kvass: Kvass, store: Store, conflict: None) -> None:
    lines = kvass("status", "--offline").out.decode().splitlines()
    told = "{0!r}: the version of phone lost to that of laptop, and neither knew the other; `kvass get {0} --rev 1` shows it"
    assert lines[-2:] == [f"Conflicts:       \t{told.format('dir/k')}", f"                 \t{told.format('k')}"]
    found = json.loads(kvass("status", "--offline", "--json").out)["conflicts"]
    assert [(each["key"], each["number"], each["device"], each["lost_to"], each["command"]) for each in found] == [
        ("dir/k", 1, "phone", "laptop", "kvass get dir/k --rev 1"),
        ("k", 1, "phone", "laptop", "kvass get k --rev 1"),
    ]
    assert describe_conflicts(store).splitlines() == [line.partition("\t")[2] for line in lines[-2:]]
