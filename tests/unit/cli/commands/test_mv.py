"""kvassfs_cli.commands.mv, and what it has in common with cp"""

from __future__ import annotations

import pytest

from kvassfs.errors import HubUnreachable
from kvassfs.store import Store
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

AWKWARD = ["-x", "two\nlines", "猫咪 key/with slash", "a b", "%@", "/", "."]


@pytest.mark.parametrize("key", AWKWARD[:5])
def test_mv_renames_any_key(kvass: Kvass, store: Store, key: str) -> None:
    store.set(key, b"value")
    assert kvass("mv", "--", key, "-new\n") == (0, b"", "")
    assert list(store.keys()) == ["-new\n"]


def test_mv_renames_all_below_a_prefix(kvass: Kvass, store: Store) -> None:
    for key in ("d", "d/a", "d/b/c"):
        store.set(key, b"value")
    assert kvass("mv", "d/", "e") == (0, b"", "")
    assert list(store.keys()) == ["d", "e/a", "e/b/c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("missing x", "no such key: missing"),
        ("missing/ x", "no such key: missing/"),
        ("d x", "d/ is a directory; write it with its / to mean all in it"),
        ("a a", "a is what is there already: give it another name"),
        ("d/ d/e", "d/ cannot go to d/e/, which is a part of it"),
        ("d/ e/", "e/ is not empty; `kvass cp` adds to what is there, and `kvass rm -r` removes it"),
    ],
)
def test_what_cannot_be_is_said_in_a_line_and_changes_nothing(
    kvass: Kvass, store: Store, arguments: str, said: str
) -> None:
    for key in ("a", "d/a", "e/b"):
        store.set(key, b"value")
    assert kvass("mv", *arguments.split()) == (1, b"", f"kvass: {said}\n")
    assert list(store.keys()) == ["a", "d/a", "e/b"]


@pytest.mark.parametrize("command", ["mv", "cp"])
def test_no_clobber_says_what_stays_and_fails(kvass: Kvass, store: Store, command: str) -> None:
    store.set("a", b"value")
    store.set("b\n", b"other")
    assert kvass(command, "-n", "a", "b\n") == (1, b"", "kvass: not replaced: b\\n\n")
    assert store.get("b\n").read() == b"other"
    assert kvass(command, "--no-clobber", "a", "c") == (0, b"", "")


@pytest.mark.parametrize("command", ["mv", "cp"])
def test_an_impossible_key_is_refused(kvass: Kvass, store: Store, command: str) -> None:
    store.set("a", b"value")
    assert kvass(command, "a", "") == (1, b"", "kvass: '' cannot be a key: it is empty\n")
    assert kvass(command, "", "a").status == 1
    assert kvass(command, "a").status == 2


@pytest.mark.parametrize(("command", "left"), [("mv", ["b"]), ("cp", ["a", "b"])])
def test_the_hub_is_asked_first_and_told_afterwards(
    kvass: Kvass, store: Store, hub: NearHub, command: str, left: list[str]
) -> None:
    hub.store.set("a", b"from elsewhere")
    assert kvass(command, "a", "b") == (0, b"", "")
    assert store.get("b").read() == hub.store.get("b").read() == b"from elsewhere"
    assert list(hub.store.keys()) == list(store.keys()) == left


@pytest.mark.parametrize("command", ["mv", "cp"])
def test_without_the_hub_it_is_done_here(kvass: Kvass, store: Store, hub: NearHub, command: str) -> None:
    store.set("a", b"value")
    hub.failure = HubUnreachable("hub.example:8000", "gone")
    status, out, err = kvass(command, "a", "b")
    assert (status, out) == (0, b"")
    assert err.count("\n") == 1
    assert err.endswith("kept here and pushed later\n")
    assert store.get("b").read() == b"value"


def test_without_a_database_none_is_made(kvass: Kvass) -> None:
    assert kvass("mv", "a", "b").status == 1
    assert kvass("ls").status == 1
