"""kvassfs.sync.connection: who opens the way to the hub makes a copy a replica of its own; nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from kvassfs.sync.connection import open_synchroniser
from tests.support.replicas import ADDRESS, KvassHub, way_to
from tests.support.stores import rows


@pytest.fixture
def copy(tmp_path: Path) -> Store:
    """A store on a copy of another's file, with a hub."""
    with Store.open(tmp_path / "store") as store:
        store.settings.set_remote(ADDRESS)
        store._database.execute("UPDATE settings SET value = 'where it was copied from' WHERE name = 'place'")
    return Store.open(tmp_path / "store")


def state(store: Store) -> list[object]:
    """Return all that opening a way to the hub could change."""
    return [store.settings.config(), store.peers.hub(), *rows(store, "SELECT value FROM settings WHERE name = 'place'")]


def test_a_copy_gets_a_process_id_of_its_own_before_it_exchanges(copy: Store) -> None:
    with copy:
        before = copy.settings.config().process_id
        with open_synchroniser(copy):
            after = copy.settings.config().process_id
            assert after != before
        with open_synchroniser(copy):
            assert copy.settings.config().process_id == after


def test_making_a_synchroniser_changes_nothing(copy: Store) -> None:
    with copy:
        before = state(copy)
        synchronous = rows(copy, "PRAGMA synchronous")
        Synchroniser(copy, way_to(KvassHub(lambda: copy)))
        assert state(copy) == before
        assert rows(copy, "PRAGMA synchronous") == synchronous


def test_without_a_hub_a_copy_is_left_as_it_is(copy: Store) -> None:
    with copy:
        copy.settings.set_remote("")
        before = state(copy)
        with pytest.raises(InvalidConfiguration), open_synchroniser(copy):
            pass
        assert state(copy) == before
