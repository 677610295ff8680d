"""Addresses of shared entries: what they begin with, and the token that ends them."""

from __future__ import annotations

import re

from ..remote.address import base_url, shown

# A text, which is compiled when it is needed: few commands do.
_ADDRESS = r"(?:.*[?&]q=([A-Za-z0-9_-]+)(?:[&#].*)?|([A-Za-z0-9_-]{22}))"


def sharing_base(public_url: str, remote: str) -> str:
    """Return what the addresses of shared entries begin with: the public URL, else the hub's, without a password.

    ``""``: neither is set.
    """
    address = public_url or shown(remote)
    return base_url(address) if address else ""


def is_token(text: str) -> bool:
    """Whether a token can be ``text``; what holds anything else is none, and is not searched for."""
    return text.isascii() and text.replace("-", "0").replace("_", "0").isalnum()


def share_url(base: str, token: str) -> str:
    """Return the address of a token at a hub, whose other addresses begin with ``base``."""
    return f"{base}/get?q={token}"


def token_in(text: str) -> str | None:
    """Return the token of an address, or of one that is given alone; ``None`` if ``text`` is neither."""
    found = re.fullmatch(_ADDRESS, text, re.DOTALL)
    return None if found is None else found[1] or found[2]
