"""Links and addresses of a sealed store: what stands behind their ``#`` opens what they lead to, and no server sees it."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import InvalidConfiguration
from ..share_link import ShareLink
from ..store import Store
from ..veil.addresses import address_link, address_version, parse_fragment
from ..veil.keys import Keys, hide_key, hide_version
from ..veil.links import MOST_WRAPS, is_proven, make_link


def format_sealed_url(base: str, fragment: str) -> str:
    """Return the address at the hub with the base URL ``base``."""
    return f"{base}/open#{fragment}"


def locate_version(store: Store, keys: Keys, base: str, key: str) -> str:
    """Return the address of the current version of a key.

    Raises:
        InvalidKey, KeyMissing
    """
    return format_sealed_url(base, address_version(keys, store.entry(key)).fragment)


def locate_link(keys: Keys, base: str, link: ShareLink) -> str:
    """Return the address of a link."""
    return format_sealed_url(base, address_link(keys, link).fragment)


def add_link(
    store: Store,
    keys: Keys,
    key: str,
    *,
    expires: int,
    once: bool,
    now: int,
    random: Callable[[int], bytes] = os.urandom,
) -> ShareLink:
    """Make a link to a key, whose version is saved anew for that; times in µs since the epoch.

    Raises:
        InvalidConfiguration: the key has too many.
        InvalidKey, KeyMissing
    """
    link = make_link(keys, hide_key(keys, key), expires=expires, once=once, random=random)
    with store.transaction:
        live = [other for other in store.share_links.list_to(key) if not other.has_expired(now)]
        if len(live) >= MOST_WRAPS:
            raise InvalidConfiguration(
                f"{key} has {MOST_WRAPS} links, and in a sealed store a key has no more; `kvass links` lists them, `kvass unlink`"
                " ends one"
            )
        store.share_links.add(link, key, anew=True)
    return link


def name_links(store: Store, keys: Keys) -> list[ShareLink]:
    """Return the links of a sealed store with the keys that they lead to, as far as these are here."""
    links = [link for link in store.share_links.list_all() if is_proven(keys, link)]
    names = {hide_key(keys, key): key for key in store.keys()} if links else {}
    return [link._replace(key=names[link.key]) for link in links if link.key in names]


def find_stored_token(store: Store, keys: Keys, text: str) -> str | None:
    """Return the token that this store has for what an address leads to, or for a token at the hub; ``None`` for neither."""
    address = parse_fragment(text.rpartition("#")[2])
    token = text if address is None else address.token
    found = (entry.url_token for entry in store.entries() if hide_version(keys, entry).token == token)
    return token if store.share_links.find(token) is not None else next(found, None)
