"""``kvass unlink``: end share links."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import click

from kvassfs.errors import KvassError, LinkMissing
from kvassfs.sharing.links import end_links
from kvassfs.store import Store

from .. import hub
from ..arguments import parse_text
from ..completions import complete_link
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import print_notice
from ..offline import offline_option

LATER = "until the hub hears of it, what was ended still works there"


@click.command("unlink", cls=Command, options_metavar="[OPTIONS] [--]", example="kvass unlink report.pdf")
@click.argument("names", metavar="LINK|KEY...", nargs=-1, required=True, type=parse_text, shell_complete=complete_link)
@offline_option
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context, names: tuple[str, ...], offline: bool) -> None:
    """End each LINK, or all links to each KEY; from then on nobody gets anything there.

    A LINK is given by its address, in quotes, or by the token at the end of that. The links to a KEY are those that
    `kvass links` lists. The address of its current value is not among them: given as LINK, that ends too.
    """
    with database.open_existing() as store:
        missing = hub.pull_and_push(store, lambda: end(store, names), offline=offline, otherwise=LATER)
    if missing:
        context.exit(LinkMissing.exit_code)


def end(store: Store, names: Sequence[str]) -> list[LinkMissing]:
    """End what ``names`` give, and say what was not there and what still works; return an error for each missing one."""
    missing = end_links(store, names)
    for error in missing:
        print_notice(str(error))
    for name in names:
        print_remaining_address(store, name)
    return missing


def print_remaining_address(store: Store, name: str) -> None:
    """Say of a key that the address of its current version is still there."""
    with contextlib.suppress(KvassError):
        token = store.entry(name).url_token
        print_notice(f"the address of the current value of {name} still works; end it with `kvass unlink -- {token}`")
