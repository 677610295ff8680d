"""kvassfs_cli.commands.sync"""

from __future__ import annotations

import re

import pytest

from kvassfs.store import Store
from kvassfs.sync import Progress
from kvassfs_cli.commands import sync
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

NO_HUB = "kvass: there is no hub; set one with `kvass config remote HOST`\n"


def test_sync_says_what_moved_and_then_that_nothing_does(kvass: Kvass, store: Store, hub: NearHub) -> None:
    for key in ("a", "b"):
        store.set(key, b"value")
    hub.store.set("c", b"value")
    status, out, err = kvass("sync")
    assert (status, err) == (0, "")
    assert re.fullmatch(rb"pulled 1 entry \(\d+ B\), pushed 2 entries \(\d+ B\)\n", out)
    assert list(store.keys()) == list(hub.store.keys()) == ["a", "b", "c"]
    assert kvass("sync") == (0, b"in step: nothing to move\n", "")


def test_sync_reports_one_direction_where_nothing_moves_in_the_other(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("a", b"value")
    assert re.fullmatch(rb"pushed 1 entry \(\d+ B\)\n", kvass("sync").out)
    hub.store.set("b", b"value")
    assert re.fullmatch(rb"pulled 1 entry \(\d+ B\)\n", kvass("sync").out)


@pytest.mark.parametrize(
    ("moved", "text"),
    [
        (Progress(0, 0, 0, 0, 512, 256), "in step: nothing to move"),
        (Progress(12, 2, 0, 0, 3_400_000, 120), "pulled 12 entries (3.4 MB), pushed 2 entries (120 B)"),
        (Progress(1, 0, 0, 0, 999, 120), "pulled 1 entry (999 B)"),
        (Progress(0, 1, 0, 0, 999, 120), "pushed 1 entry (120 B)"),
    ],
)
def test_what_moved_in_words(moved: Progress, text: str) -> None:
    assert sync.format_summary(moved) == text


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("options", [[], ["--follow"]])
def test_without_a_hub_sync_says_how_to_set_one(kvass: Kvass, options: list[str]) -> None:
    assert kvass("sync", *options) == (1, b"", NO_HUB)


def test_an_error_is_an_error_here(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("a", b"value")
    hub.be_down()
    status, out, err = kvass("sync")
    assert (status, out) == (1, b"")
    assert err == f"kvass: {hub.failure}\n"
    assert hub.closed == 1
    assert store.outbox.count_dirty() == (1, 5)


def test_sync_contacts_the_hub_whatever_kvass_offline_says(
    kvass: Kvass, hub: NearHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVASS_OFFLINE", "1")
    kvass("sync")
    assert hub.calls


def test_an_interrupt_says_what_it_leaves(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("a", b"value")
    hub.failure = KeyboardInterrupt()
    said = "kvass: interrupted: what has moved stays; `kvass sync` goes on with the rest\n"
    assert kvass("sync") == (130, b"", said)
    assert store.outbox.count_dirty() == (1, 5)
