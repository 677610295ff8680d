"""kvassfs_cli.dot_texts"""

from __future__ import annotations

from pathlib import Path

from kvassfs.store import Store
from kvassfs_cli.dot_texts import TEXTS
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass


def test_the_status_is_that_of_the_command_offline(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("a", b"1")
    text = TEXTS["status"](store)
    assert text == kvass("status", "--offline").out.decode()
    assert "not asked" in text
    assert hub.calls == []


def test_a_path_that_is_not_utf_8_is_said(tmp_path: Path) -> None:
    with Store.open(tmp_path / "\udcff.db") as store:
        assert "\udcff.db" in TEXTS["status"](store)


def test_there_are_no_conflicts_yet(store: Store) -> None:
    assert TEXTS["conflicts"](store) == ""
