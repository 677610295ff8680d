"""Addresses of a hub: what they stand for, what is shown of them, and which are none."""

from __future__ import annotations

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs.remote.address import hide_credentials, parse_base_url


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
