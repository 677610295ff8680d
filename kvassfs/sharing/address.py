"""Addresses of shared entries: a base URL and the token of an entry or a share link."""

from __future__ import annotations

import re

from ..errors import InvalidConfiguration
from ..remote.address import hide_credentials, parse_base_url
from ..store import Store

# A string, compiled only when it is needed: few commands need it.
_ADDRESS = r"(?:.*[?&]q=([A-Za-z0-9_-]+)(?:[&#].*)?|([A-Za-z0-9_-]{22}))"


def choose_base_url(public_url: str, remote: str) -> str:
    """Return the base URL of shared addresses: the public URL, else the hub's without its password.

    Return ``""`` if neither is set.
    """
    address = public_url or hide_credentials(remote)
    return parse_base_url(address) if address else ""


def find_base_url(store: Store) -> str:
    """Return the base URL of shared addresses; ``""`` if it is not known."""
    return choose_base_url(store.settings.public_url(), store.settings.config().remote)


def require_base_url(store: Store) -> str:
    """Return the base URL of shared addresses.

    Raises:
        InvalidConfiguration: there is neither a hub nor a public address.
    """
    if base := find_base_url(store):
        return base
    raise InvalidConfiguration(
        "no address is known under which entries are shared; set the hub with `kvass config remote HOST`, or, on the"
        " hub itself, its public address with `kvass config url URL`"
    )


def is_token(text: str) -> bool:
    """Return True if ``text`` has only characters of tokens; anything else is not searched for."""
    return text.isascii() and text.replace("-", "0").replace("_", "0").isalnum()


def format_share_url(base: str, token: str) -> str:
    """Return the address of ``token`` at the hub with the base URL ``base``."""
    return f"{base}/get?q={token}"


def find_token(text: str) -> str | None:
    """Return the token in an address, or ``text`` itself if it is a token; ``None`` if it is neither."""
    found = re.fullmatch(_ADDRESS, text, re.DOTALL)
    return None if found is None else found[1] or found[2]
