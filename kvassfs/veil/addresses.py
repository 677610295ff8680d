"""Addresses of a sealed store: what stands behind their ``#``, and what they open. No server ever sees it.

Who has one opens what it leads to, and makes nothing: a page in a browser, or ``kvass fetch``, without a store.
"""

from __future__ import annotations

import re
from binascii import a2b_base64

from ..entry import Entry
from ..share_link import ShareLink
from ..tuples import NamedTuple
from .head import Head, open_by_link_key, open_by_version_key
from .keys import Keys, derive_version_key, encode_url, hide_version
from .links import TOKEN_LENGTH, derive_link_key
from .values import Read, check_length, read_head

_FRAGMENT = re.compile(r"([A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")


class SealedAddress(NamedTuple):
    """What finds something at the hub, the ``token`` of a version or of a link, and the ``key`` that opens it."""

    token: str
    key: bytes

    @property
    def fragment(self) -> str:
        """The text that an address has behind its ``#``."""
        return f"{self.token}.{encode_url(self.key)}"

    @property
    def is_link(self) -> bool:
        """Whether it is that of a share link, whose token is longer."""
        return len(self.token) == TOKEN_LENGTH


def address_version(keys: Keys, entry: Entry) -> SealedAddress:
    """Return the address of one version of a key, which ends with that."""
    token = hide_version(keys, entry).token
    return SealedAddress(token, derive_version_key(keys, token))


def address_link(keys: Keys, link: ShareLink) -> SealedAddress:
    """Return the address of a share link."""
    return SealedAddress(link.token, derive_link_key(keys, link.token))


def parse_fragment(text: str) -> SealedAddress | None:
    """Return what stands behind the ``#`` of an address; ``None`` if that is none of a sealed store."""
    found = _FRAGMENT.fullmatch(text)
    if found is None:
        return None
    return SealedAddress(found[1], a2b_base64(f"{found[2]}=".replace("-", "+").replace("_", "/")))


def open_address(address: SealedAddress, read: Read, size: int) -> Head:
    """Open the head of what an address leads to, of which ``read`` returns the ``size`` bytes; ``read_value`` reads the rest.

    Raises:
        CannotBeOpened: the address has another key.
        NewerForm: a later program made it.
        Spoiled: it is damaged.
    """
    data = read_head(read, size)
    head = (open_by_link_key if address.is_link else open_by_version_key)(address.key, data)
    check_length(head, size)
    return head
