"""``kvass links``: list the share links that have not ended."""

from __future__ import annotations

from collections.abc import Iterator

import click

from kvassfs.share_link import ShareLink
from kvassfs.sharing.address import find_base_url
from kvassfs.sharing.links import find_locator, list_links
from kvassfs.store import Store

from .. import hub, streams
from ..arguments import parse_text
from ..completions import complete_linked
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time
from ..group import Command
from ..notices import escape_controls
from ..offline import offline_option


@click.command("links", cls=Command, options_metavar="[OPTIONS] [--]", example="kvass links")
@click.argument("prefix", default="", type=parse_text, shell_complete=complete_linked)
@offline_option
@pass_database
def command(database: DatabaseFile, prefix: str, offline: bool) -> None:
    """List the links that have not ended: when they do, whether they work once, address and key.

    With PREFIX, only those to keys that begin with it.
    """
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        lines = list(format_links(store, prefix))
    streams.write(f"{escape_controls(line)}\n".encode() for line in lines)


def format_links(store: Store, prefix: str) -> Iterator[str]:
    """Yield a line for each share link to a key that begins with ``prefix``, in the order of the keys."""
    locate = find_locator(store, find_base_url(store))
    for link in list_links(store, prefix):
        yield format_link(link, locate(link)) + ("" if store.share_links.resolve(link) else " (removed)")


def format_link(link: ShareLink, address: str) -> str:
    """Return when a share link ends, whether it works once, its address, and its key."""
    end = format_local_time(link.expires) if link.expires else "-"
    return f"{end:<19} {'once' if link.once else '-':<4} {address} {link.key}"
