"""Addresses of a hub: what they stand for, what is shown of them, and which are none."""

from __future__ import annotations

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs.remote.address import hide_credentials, may_mean_served_port, name_port, parse_base_url, show_address


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("host", "http://host"),
        ("host:8000", "http://host:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("host/prefix/", "http://host/prefix"),
        ("http://host:8000/", "http://host:8000"),
        ("HTTPS://host/a/b/", "https://host/a/b"),
        ("https://user:password@host", "https://user:password@host"),
        ("user:password@host:1", "http://user:password@host:1"),
    ],
)
def test_an_address_stands_for_a_url(address: str, url: str) -> None:
    assert parse_base_url(address) == url


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://",
        "ftp://host",
        "://host",
        ":8000",
        "host:",
        "host:0",
        "host:port",
        "host:99999",
        "[::1",
        "ho st",
        "host\n",
        "https://host?query",
        "https://host/#fragment",
        "https://host/a@b",
        "https://user:pass/word@host",
        "https://user:1/2@host",
        "https://user:pass#word@host",
    ],
)
def test_what_is_no_address_is_refused_without_showing_a_password(address: str) -> None:
    with pytest.raises(InvalidConfiguration, match="is no address of a hub: ") as raised:
        parse_base_url(address)
    assert "user" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "visible"),
    [
        ("", ""),
        ("host:8000", "host:8000"),
        ("https://host/prefix/", "https://host/prefix/"),
        ("user:secret@host:8000", "host:8000"),
        ("https://user:secret@host", "https://host"),
        ("https://user:sec/ret@host/prefix", "https://host/prefix"),
        ("https://user:s@cr@t@host", "https://host"),
        ("user:://secret@host", "host"),
        ("https://user:://secret@host", "https://host"),
        ("https://user:sec\nret@host", "https://host"),
    ],
)
def test_an_address_is_shown_without_user_and_password(address: str, visible: str) -> None:
    assert hide_credentials(address) == visible


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        ("host", "host:80"),
        ("host:8000", "host:8000"),
        ("me:secret@host", "host:80"),
        ("[::1]", "[::1]:80"),
        ("[::1]:8000", "[::1]:8000"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]:80"),
        ("http://host/", "http://host:80/"),
        ("HTTPS://host/pre/fix", "HTTPS://host:443/pre/fix"),
        ("https://me:secret@host:8443/a:b", "https://host:8443/a:b"),
    ],
)
def test_an_address_is_shown_with_its_port(address: str, shown: str) -> None:
    assert show_address(address) == shown


@pytest.mark.parametrize("address", ["host", "http://host", "HTTP://host/", "[::1]"])
def test_a_host_alone_may_mean_the_port_of_kvass_serve(address: str) -> None:
    assert may_mean_served_port(address)
    assert parse_base_url(name_port(address, 8000)) == name_port(parse_base_url(address), 8000)


@pytest.mark.parametrize("address", ["", "host:80", "http://host/prefix", "https://host", "[::1]:80"])
def test_other_addresses_mean_one_port(address: str) -> None:
    assert not may_mean_served_port(address)
