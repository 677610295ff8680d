"""``kvass links``: list the links that have not ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click

from kvassfs.share_link import ShareLink
from kvassfs.sharing.address import format_share_url
from kvassfs.store import Store

from .. import hub, share_options, streams
from ..arguments import complete, text
from ..database import DatabaseFile, pass_database
from ..formats import local_time
from ..group import Command
from ..notices import one_line


@click.command("links", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("prefix", default="", type=text, shell_complete=complete)
@hub.offline_option
@pass_database
def command(database: DatabaseFile, prefix: str, offline: bool) -> None:
    """List the links that have not ended: when they do, whether they work once, address and key.

    With PREFIX, only those to keys that begin with it.
    """
    with database.open() as store:
        hub.pull_first(store, offline=offline)
        lines = list(shown(store, prefix))
    streams.write(f"{one_line(line)}\n".encode() for line in lines)


def shown(store: Store, prefix: str) -> Iterator[str]:
    """Yield a line for each link to a key that begins with ``prefix``, in the order of the keys."""
    base = share_options.known_base(store)
    for link in sorted(unexpired(store), key=lambda link: (link.key, link.expires, link.token)):
        if link.key.startswith(prefix):
            end = local_time(link.expires) if link.expires else "-"
            address = format_share_url(base, link.token) if base else link.token
            away = "" if store.links.follow(link) else " (removed)"
            yield f"{end:<19} {'once' if link.once else '-':<4} {address} {link.key}{away}"


def unexpired(store: Store, *, clock: Callable[[], int] = time.time_ns) -> list[ShareLink]:
    """Return the links that have not ended, by the clock of the hub; their keys may have been removed in a mount."""
    now = share_options.hub_time(store, clock)
    return [link for link in store.links.all() if not link.has_expired(now)]
