"""kvassfs.pairing.addresses"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.pairing.addresses import (
    Reachable,
    choose_page_url,
    find_machine_addresses,
    find_reachable,
    is_local,
    list_addresses,
)
from kvassfs.pairing.errors import NobodyServes
from kvassfs.remote.address import is_trusted_by_browsers
from kvassfs.store import Store

MACHINE = ["192.168.1.5", "10.0.0.3", "fd00::1"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db.sqlite") as opened:
        yield opened


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://0.0.0.0:8000", ("192.168.1.5:8000", "10.0.0.3:8000")),
        ("http://[::]:8000", ("192.168.1.5:8000", "10.0.0.3:8000", "[fd00::1]:8000")),
        ("https://0.0.0.0:443", ("https://192.168.1.5:443", "https://10.0.0.3:443")),
        ("http://192.168.7.7:9", ("192.168.7.7:9",)),
        ("http://[fd00::7]:9", ("[fd00::7]:9",)),
        ("http://127.0.0.1:9", ("127.0.0.1:9",)),
    ],
)
def test_who_listens_everywhere_is_at_the_addresses_of_the_machine(url: str, addresses: tuple[str, ...]) -> None:
    assert list_addresses(url, lambda: MACHINE) == addresses


def test_a_machine_without_a_network_is_at_least_itself() -> None:
    assert list_addresses("http://0.0.0.0:8000", list) == ("localhost:8000",)


def test_many_addresses_are_too_many_to_read() -> None:
    many = [f"10.0.0.{number}" for number in range(100)]
    assert len(list_addresses("http://0.0.0.0:8000", lambda: many)) == 4


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("localhost:8000", True),
        ("hub.localhost", True),
        ("127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("192.168.1.5:8000", False),
        ("https://example.org/kvass", False),
    ],
)
def test_some_addresses_are_this_machine_s_own(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_addresses_of_this_machine_are_for_others_and_each_there_once() -> None:
    found = find_machine_addresses()
    assert len(set(found)) == len(found)
    assert not any(ipaddress.ip_address(each).is_loopback for each in found)


@pytest.mark.parametrize(
    ("remote", "public_url", "reachable"),
    [
        ("hub:8000", "", Reachable(("hub:8000",), local=False)),
        ("http://hub:8000/", "", Reachable(("hub:8000",), local=False)),
        ("https://me:secret@hub", "", Reachable(("https://hub",), local=False)),
        ("localhost:8000", "", Reachable(("localhost:8000",), local=True)),
        ("localhost:8000", "https://example.org/kvass", Reachable(("https://example.org/kvass",), local=False)),
        ("hub:8000", "https://example.org/kvass", Reachable(("hub:8000",), local=False)),
    ],
)
def test_a_device_names_its_hub(store: Store, remote: str, public_url: str, reachable: Reachable) -> None:
    store.settings.set_remote(remote)
    store.settings.set_public_url(public_url)
    assert find_reachable(store, lambda: MACHINE) == reachable


def test_a_hub_names_itself_while_it_is_served(store: Store) -> None:
    with pytest.raises(NobodyServes):
        find_reachable(store, lambda: MACHINE)
    store.processes.note_served("http://0.0.0.0:8000")
    assert find_reachable(store, lambda: MACHINE) == Reachable(("192.168.1.5:8000", "10.0.0.3:8000"), local=False)
    store.processes.note_served("http://127.0.0.1:9000")
    assert find_reachable(store, lambda: MACHINE) == Reachable(("127.0.0.1:9000",), local=True)
    store.settings.set_public_url("https://example.org")
    assert find_reachable(store, lambda: MACHINE) == Reachable(("https://example.org", "127.0.0.1:9000"), local=False)


@pytest.mark.parametrize(
    ("addresses", "public_url", "url"),
    [
        (["hub:8000"], "", "http://hub:8000"),
        (["http://hub:80"], "", "http://hub"),
        (["https://hub:443/kvass"], "", "https://hub/kvass"),
        (["https://hub:8443"], "", "https://hub:8443"),
        (["https://hub"], "https://example.org", "https://hub"),
        (["hub:8000"], "https://example.org/kvass", "https://example.org/kvass"),
        (["hub:8000"], "http://example.org/", "http://example.org"),
        (["192.168.1.5:8000", "https://10.0.0.3:8000"], "", "https://10.0.0.3:8000"),
        (["192.168.1.5:8000", "10.0.0.3:8000"], "", "http://192.168.1.5:8000"),
        (["[fd00::1]:8000"], "", "http://[fd00::1]:8000"),
        (["https://me:secret@hub:443"], "", "https://hub"),
        (["hub:8000/s/a:80"], "", "http://hub:8000/s/a:80"),
    ],
)
def test_a_browser_gets_the_address_with_tls_or_else_the_public_one(
    addresses: list[str], public_url: str, url: str
) -> None:
    assert choose_page_url(addresses, public_url) == url


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://hub", True),
        ("http://hub:8000", False),
        ("http://192.168.1.5:8000", False),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
    ],
)
def test_a_page_works_with_tls_or_on_this_machine(url: str, secure: bool) -> None:
    assert is_trusted_by_browsers(url) is secure


def test_a_hub_that_has_ended_serves_nobody(store: Store) -> None:
    if (pid := os.fork()) == 0:
        with Store.open(store.path) as in_child:
            in_child.processes.note_served("http://0.0.0.0:8000")
        os._exit(0)
    os.waitpid(pid, 0)
    assert store.processes.served() == []
