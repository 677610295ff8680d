"""``kvass get``: write a value to standard output."""

from __future__ import annotations

import click

from . import streams
from .database import DatabaseFile, pass_database
from .group import Command
from .keys import complete, key


@click.command("get", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=key, shell_complete=complete)
@pass_database
def command(database: DatabaseFile, key: str) -> None:
    """Write the value of KEY to standard output, byte for byte."""
    with database.open() as store:
        streams.write(store.get(key).chunks())
