"""kvassfs.store.settings: what a device is called."""

from __future__ import annotations

import os

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs.store import Store


def test_a_store_has_a_hub_once_one_is_set(store: Store) -> None:
    assert not store.has_hub()
    store.settings.set_remote("hub.example")
    assert store.has_hub()
    store.settings.set_remote("")
    assert not store.has_hub()


def test_a_device_is_called_as_its_host_until_it_has_a_name(store: Store) -> None:
    assert store.settings.name() == os.uname().nodename[:64]
    assert store.settings.chosen_name() == ""
    store.settings.set_name("laptop 猫")
    assert store.settings.name() == store.settings.chosen_name() == "laptop 猫"
    store.settings.set_name("")
    assert store.settings.name() == os.uname().nodename[:64]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", " a", "a ", "x" * 65, "\udcff", "a\u2028b"])
def test_a_name_is_one_line_that_can_be_shown(store: Store, name: str) -> None:
    store.settings.set_name("laptop")
    with pytest.raises(InvalidConfiguration, match="one line of at most 64 characters"):
        store.settings.set_name(name)
    assert store.settings.name() == "laptop"
