"""Making, listing and ending what leads to a value: share links, and the addresses of versions.

``clock`` is that of this machine and returns ns since the epoch; links end by the clock of the hub.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ..errors import InvalidConfiguration, LinkMissing
from ..share_link import ShareLink
from ..store import Store
from .address import find_token
from .terms import UNLIMITED, Terms, hub_time


def share(store: Store, key: str, terms: Terms = UNLIMITED, *, clock: Callable[[], int] = time.time_ns) -> str:
    """Return a token for a key: that of its current version, or with other terms that of a new share link.

    Raises:
        InvalidConfiguration: the hub does not know share links.
        InvalidKey, KeyMissing
    """
    if terms == UNLIMITED:
        return store.entry(key).url_token
    return create_link(store, key, terms, clock=clock).token


def create_link(store: Store, key: str, terms: Terms, *, clock: Callable[[], int] = time.time_ns) -> ShareLink:
    """Make a share link to a key.

    Raises:
        InvalidConfiguration: the hub does not know share links.
        InvalidKey, KeyMissing
    """
    if store.peers.hub().version == 1:
        raise InvalidConfiguration(
            "the hub is that of the original kvass, which knows no links that end; leave --expires and --once away"
        )
    return store.share_links.create(key, expires=terms.expires_at(hub_time(store, clock)), once=terms.once)


def list_links(store: Store, prefix: str = "", *, clock: Callable[[], int] = time.time_ns) -> list[ShareLink]:
    """Return the share links to keys that begin with ``prefix`` and have not ended, in the order of the keys.

    Those to a key that was removed in a mount are among them.
    """
    now = hub_time(store, clock)
    found = (link for link in store.share_links.list_all() if link.key.startswith(prefix) and not link.has_expired(now))
    return sorted(found, key=lambda link: (link.key, link.expires, link.token))


def end_links(store: Store, names: Iterable[str], *, clock: Callable[[], int] = time.time_ns) -> list[LinkMissing]:
    """End all that ``names`` name, in one transaction; return an error for each name of nothing that could be ended.

    A name is an address or its token, or a key, which stands for the share links to it.
    """
    now = hub_time(store, clock)
    with store.transaction:
        return [LinkMissing(name) for name in names if not _end_named(store, name, now)]


def _end_named(store: Store, name: str, now: int) -> bool:
    """End what is named; return whether there is such a thing, or was."""
    links = [link for link in store.share_links.list_to(name) if not link.has_expired(now)]
    for link in links:
        store.share_links.end(link)
    token = find_token(name)
    return bool(links) or (token is not None and _end_token(store, token))


def _end_token(store: Store, token: str) -> bool:
    """End the link, or the address of a version, that has the token; return whether anything ever had it."""
    found = store.share_links.find(token)
    if isinstance(found, ShareLink):
        return store.share_links.end(found)
    return store.share_links.renew_token(token) or store.share_links.has_ended(token)
