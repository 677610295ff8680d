"""``kvass get``: write a value to standard output."""

from __future__ import annotations

import click

from .. import hub, streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command


@click.command(
    "get",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass get notes/trip.md
kvass get logo.png > logo.png
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_key)
@hub.offline_option
@pass_database
def command(database: DatabaseFile, key: str, offline: bool) -> None:
    """Write the value of KEY to standard output, byte for byte."""
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        streams.write(store.get(key).chunks())
