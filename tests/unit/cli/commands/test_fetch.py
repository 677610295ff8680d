"""kvassfs_cli.commands.fetch"""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.kind import Kind
from kvassfs.store import Store
from tests.support.near_hub import NearHub
from tests.support.sealed import random_bytes
from tests.unit.cli.conftest import Kvass

LARGE = random_bytes(3 * BLOCK_SIZE + 7000)


@pytest.fixture(autouse=True)
def sealed(kvass: Kvass, store: Store, hub: NearHub) -> None:
    """A sealed store with two keys, and its hub."""
    assert kvass("config", "sealed", "on")[0] == 0
    hub.store.settings.set_encryption_key(store.sealed.message_key(), Kind.HUB)
    store.set("small", b"value")
    store.set("large", LARGE)


def url(kvass: Kvass, *arguments: str) -> str:
    status, out, _ = kvass("url", *arguments)
    assert status == 0
    return out.decode().strip()


def test_the_value_is_written_to_standard_output(kvass: Kvass) -> None:
    assert kvass("fetch", url(kvass, "small")) == (0, b"value", "")
    assert kvass("fetch", url(kvass, "large", "--expires", "1h")) == (0, LARGE, "")


def test_or_into_a_new_file(kvass: Kvass, tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert kvass("fetch", url(kvass, "large"), str(file)) == (0, b"", "")
    assert file.read_bytes() == LARGE
    assert kvass("fetch", url(kvass, "small"), str(file))[0] == 1
    assert file.read_bytes() == LARGE
    assert kvass("fetch", "--force", url(kvass, "small"), str(file)) == (0, b"", "")
    assert file.read_bytes() == b"value"


def test_the_hub_is_that_of_the_address_and_no_store_is_needed(kvass: Kvass, hub: NearHub, tmp_path: Path) -> None:
    address = url(kvass, "small")
    hub.opened.clear()
    missing = tmp_path / "missing"
    assert kvass("--db", str(missing), "fetch", address) == (0, b"value", "")
    assert [opened for opened, _ in hub.opened] == ["http://hub.example:8000"]
    assert not missing.exists()


def test_a_link_that_works_once_is_used_up(kvass: Kvass) -> None:
    address = url(kvass, "small", "--once")
    assert kvass("fetch", address) == (0, b"value", "")
    status, out, err = kvass("fetch", address)
    assert (status, out) == (1, b"")
    assert "used up" in err


@pytest.mark.parametrize("text", ["https://example.org/get?q=token", "https://example.org/open#", "", "nothing"])
def test_another_address_is_refused_and_not_shown(kvass: Kvass, text: str) -> None:
    status, out, err = kvass("fetch", text)
    assert (status, out) == (1, b"")
    assert "that is no address of a sealed store" in err


def test_a_key_that_is_none_opens_nothing(kvass: Kvass, tmp_path: Path) -> None:
    one, other = url(kvass, "small"), url(kvass, "large")
    status, out, err = kvass("fetch", f"{one.rpartition('.')[0]}.{other.rpartition('.')[2]}", str(tmp_path / "file"))
    assert (status, out) == (1, b"")
    assert "check that it was copied whole" in err
    assert not (tmp_path / "file").exists()
