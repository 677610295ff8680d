"""Addresses of entries, for the commands that show them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from kvassfs.errors import InvalidConfiguration
from kvassfs.share_link import ShareLink
from kvassfs.sharing.address import choose_base_url, format_share_url
from kvassfs.store import Store

from . import hub
from .database import DatabaseFile

_UNITS = {"w": 7 * 86_400, "d": 86_400, "h": 3600, "m": 60, "s": 1}

LATER = "the address works once the hub has heard of it"

_LONGEST = 100 * 365 * 86_400
"""Seconds that nobody means to give a link."""


def duration(text: str) -> int:
    """Return a span of time such as ``90m``, ``1h30m`` or ``7d`` in seconds: the type of such parameters."""
    if not re.fullmatch(rf"([0-9]{{1,12}}[{''.join(_UNITS)}])+", text):
        raise click.BadParameter(f"{text!r} is no span of time; write 90s, 15m, 1h, 1h30m, 7d or 2w.")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)(.)", text))
    if not 0 < seconds <= _LONGEST:
        raise click.BadParameter(f"{text!r} is {'too long' if seconds else 'no time at all'}.")
    return seconds


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that show an address."""
    for add in (
        hub.offline_option,
        click.option("--once", is_flag=True, help="make a link that ends after one download"),
        click.option("--expires", metavar="TIME", type=duration, help="make a link that ends after TIME: 15m, 1h, 7d"),
    ):
        command = add(command)
    return command


class Terms(NamedTuple):
    """When a link ends: after so many seconds, or when it was used once; the plain address has neither."""

    expires: int | None = None
    once: bool = False


def address(database: DatabaseFile, key: str, *, expires: int | None, once: bool, offline: bool) -> str:
    """Return the address of a key: that of its current version, or with ``expires`` or ``once`` a new link's.

    The hub is asked first for what it has, and told what it needs for the address to work.

    Raises:
        InvalidConfiguration: no address is known, or the hub can't do that.
        KeyMissing: there is no such key.
    """
    terms = Terms(expires, once)
    with database.open() as store:
        base = base_of(store)
        hub.pull_first(store, offline=offline)
        token = store.entry(key).url_token if terms == Terms() else made(store, key, terms).token
        hub.push_after(store, offline=offline, otherwise=LATER)
        return format_share_url(base, token)


def made(store: Store, key: str, terms: Terms, *, clock: Callable[[], int] = time.time_ns) -> ShareLink:
    """Make a link to a key; its time is counted by the clock of the hub, which heeds it.

    Raises:
        InvalidConfiguration: the hub is one that does not know such links.
        KeyMissing: there is no such key.
    """
    if store.peers.hub().version == 1:
        raise InvalidConfiguration(
            "the hub is that of the original kvass, which knows no links that end; leave --expires and --once away"
        )
    expires = 0 if terms.expires is None else hub_time(store, clock) + terms.expires * 1_000_000
    return store.links.make(key, expires=expires, once=terms.once)


def hub_time(store: Store, clock: Callable[[], int] = time.time_ns) -> int:
    """Return the time by the clock of the hub, as far as that is known: µs since the epoch."""
    return clock() // 1000 + (store.peers.hub().difference or 0)


def known_base(store: Store) -> str:
    """Return what all addresses begin with, ``""`` if that is not known."""
    return choose_base_url(store.settings.public_url(), store.settings.config().remote)


def base_of(store: Store) -> str:
    """Return what all addresses begin with.

    Raises:
        InvalidConfiguration: there is neither a hub nor a public address.
    """
    if base := known_base(store):
        return base
    raise InvalidConfiguration(
        "no address is known under which entries are shared; set the hub with `kvass config remote HOST`, or, on the"
        " hub itself, its public address with `kvass config url URL`"
    )
