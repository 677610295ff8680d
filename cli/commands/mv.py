"""``kvass mv``: rename keys."""

from __future__ import annotations

import click

from ..database import DatabaseFile, pass_database
from ..group import Command
from ..transfer_options import add_transfer_options, transfer


@click.command("mv", cls=Command, options_metavar="[OPTIONS] [--]", epilog="Example: kvass mv drafts/ archive/2026/")
@add_transfer_options
@pass_database
def command(database: DatabaseFile, source: str, target: str, keep: bool, offline: bool) -> None:
    """Rename the key SOURCE to TARGET; or with a / at its end, all keys below it.

    TARGET/ keeps the last part of SOURCE. What is replaced stays as an earlier version. All below a prefix moves in one
    step, to where there is nothing yet.
    """
    with database.open_existing() as store:
        transfer(store, lambda: store.transfers.move(source, target, replace=not keep), offline=offline)
