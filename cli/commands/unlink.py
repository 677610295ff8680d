"""``kvass unlink``: end links."""

from __future__ import annotations

import contextlib

import click

from kvassfs.errors import KvassError
from kvassfs.share_link import ShareLink
from kvassfs.sharing.address import find_token
from kvassfs.store import Store

from .. import hub
from ..arguments import complete, text
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import notice
from .links import unexpired

LATER = "until the hub hears of it, what was ended still works there"


class LinkMissing(KvassError):
    """What was given is no link that could be ended."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such link and no key with links: {name}; `kvass links` lists the links")
        self.name = name


@click.command("unlink", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("names", metavar="LINK|KEY...", nargs=-1, required=True, type=text, shell_complete=complete)
@hub.offline_option
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context, names: tuple[str, ...], offline: bool) -> None:
    """End each LINK, or all links to each KEY; from then on nobody gets anything there.

    A LINK is given by its address, in quotes, or by the token at the end of that. The links to a KEY are those that
    `kvass links` lists. The address of its current value is not among them: given as LINK, that ends too.
    """
    with database.open() as store:
        hub.pull_first(store, offline=offline)
        with store.transaction:
            failures = [error for name in names if (error := end(store, name)) is not None]
        for error in failures:
            notice(str(error))
        for name in names:
            _tell_address(store, name)
        hub.push_after(store, offline=offline, otherwise=LATER)
    if failures:
        context.exit(LinkMissing.exit_code)


def end(store: Store, name: str) -> LinkMissing | None:
    """End what is named, unless it has ended already; return the error if that is nothing."""
    links = [link for link in unexpired(store) if link.key == name]
    for link in links:
        store.links.end(link)
    token = find_token(name)
    if links or (token is not None and _end_address(store, token)):
        return None
    return LinkMissing(name)


def _end_address(store: Store, token: str) -> bool:
    """End the one link, or the address of a value, that has a token; return whether anything ever had it."""
    found = store.links.find(token)
    if isinstance(found, ShareLink):
        return store.links.end(found)
    return store.links.renew(token) or store.links.has_ended(token)


def _tell_address(store: Store, name: str) -> None:
    """Say of a key that its own address is still there."""
    with contextlib.suppress(KvassError):
        token = store.entry(name).url_token
        notice(f"the address of the current value of {name} still works; end it with `kvass unlink -- {token}`")
