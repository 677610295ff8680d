"""Making, listing and ending what leads to a value: share links, and the addresses of versions.

``clock`` is that of this machine and returns ns since the epoch; links end by the clock of the hub.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from ..errors import InvalidConfiguration, LinkMissing
from ..share_link import ShareLink
from ..store import Store
from .address import find_token, format_share_url
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


def share_at(store: Store, base: str, key: str, terms: Terms = UNLIMITED) -> str:
    """Return the address, at the hub with the base URL ``base``, of what ``share`` does; that of a sealed store opens it.

    Raises:
        InvalidConfiguration: the hub does not know share links, or the key has too many.
        InvalidKey, KeyMissing
    """
    keys = store.sealed.keys()
    if keys is None:
        return format_share_url(base, share(store, key, terms))
    from .sealed_links import locate_version  # noqa: PLC0415

    if terms == UNLIMITED:
        return locate_version(store, keys, base, key)
    return find_locator(store, base)(create_link(store, key, terms))


def find_locator(store: Store, base: str) -> Callable[[ShareLink], str]:
    """Return a function that returns the address of a link; its token alone where ``base`` is ``""``."""
    keys = store.sealed.keys()
    if keys is None or not base:
        return lambda link: format_share_url(base, link.token) if base else link.token
    from .sealed_links import locate_link  # noqa: PLC0415

    return partial(locate_link, keys, base)


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
    now = hub_time(store, clock)
    keys = store.sealed.keys()
    if keys is None:
        return store.share_links.create(key, expires=terms.expires_at(now), once=terms.once)
    from .sealed_links import add_link  # noqa: PLC0415  a plain store has no need of it

    return add_link(store, keys, key, expires=terms.expires_at(now), once=terms.once, now=now)


def list_links(store: Store, prefix: str = "", *, clock: Callable[[], int] = time.time_ns) -> list[ShareLink]:
    """Return the share links to keys that begin with ``prefix`` and have not ended, in the order of the keys.

    Those to a key that was removed in a mount are among them.
    """
    now = hub_time(store, clock)
    found = (link for link in _list_named(store) if link.key.startswith(prefix) and not link.has_expired(now))
    return sorted(found, key=lambda link: (link.key, link.expires, link.token))


def _list_named(store: Store) -> list[ShareLink]:
    keys = store.sealed.keys()
    if keys is None:
        return store.share_links.list_all()
    from .sealed_links import name_links  # noqa: PLC0415

    return name_links(store, keys)


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
    token = _find_token(store, name)
    return bool(links) or (token is not None and _end_token(store, token))


def _find_token(store: Store, name: str) -> str | None:
    keys = store.sealed.keys()
    if keys is None:
        return find_token(name)
    from .sealed_links import find_stored_token  # noqa: PLC0415

    return find_stored_token(store, keys, name)


def _end_token(store: Store, token: str) -> bool:
    """End the link, or the address of a version, that has the token; return whether anything ever had it."""
    found = store.share_links.find(token)
    if isinstance(found, ShareLink):
        return store.share_links.end(found)
    return store.share_links.renew_token(token) or store.share_links.has_ended(token)
