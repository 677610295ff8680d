"""``kvass url``: print the address of an entry."""

from __future__ import annotations

import click

from .. import share_options, streams
from ..arguments import complete, key
from ..database import DatabaseFile, pass_database
from ..group import Command


@click.command("url", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=key, shell_complete=complete)
@share_options.options
@pass_database
def command(database: DatabaseFile, key: str, expires: int | None, once: bool, offline: bool) -> None:
    """Print the address under which everybody who has it gets the value of KEY from the hub.

    It is that of the value as it is now, and ends when that is replaced or removed. With --expires or --once it is a
    new link, which leads to what KEY holds when it is opened, and ends by itself; `kvass links` lists these.
    """
    streams.write([f"{share_options.address(database, key, expires=expires, once=once, offline=offline)}\n".encode()])
