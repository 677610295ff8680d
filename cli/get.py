"""``kvass get``: write a value to standard output."""

from __future__ import annotations

import click

from . import online, streams
from .database import DatabaseFile, pass_database
from .group import Command
from .keys import complete, key


@click.command("get", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=key, shell_complete=complete)
@online.offline_option
@pass_database
def command(database: DatabaseFile, key: str, offline: bool) -> None:
    """Write the value of KEY to standard output, byte for byte."""
    with database.open() as store:
        online.pull_first(store, offline=offline)
        streams.write(store.get(key).chunks())
