"""``kvass rm``: remove keys."""

from __future__ import annotations

from collections.abc import Iterable

import click

from kvassfs.errors import KeyMissing
from kvassfs.store import Store

from .. import hub
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import print_notice


@click.command("rm", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, type=parse_key, shell_complete=complete_key)
@hub.offline_option
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context, keys: tuple[str, ...], offline: bool) -> None:
    """Remove each KEY; the others go even if one is missing."""
    with database.open_existing() as store:
        missing = remove(store, keys)
        for error in missing:
            print_notice(str(error))
        hub.push_after(store, offline=offline)
    if missing:
        context.exit(KeyMissing.exit_code)


def remove(store: Store, keys: Iterable[str]) -> list[KeyMissing]:
    """Remove ``keys`` and return an error for each that was not there."""
    missing = []
    for name in keys:
        try:
            store.delete(name)
        except KeyMissing as error:
            missing.append(error)
    return missing
