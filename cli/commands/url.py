"""``kvass url``: print the address of an entry."""

from __future__ import annotations

import click

from kvassfs.sharing.terms import Terms

from .. import streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..share_options import add_share_options, get_address


@click.command(
    "url",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass url logo.png
kvass url report.pdf --expires 7d
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_key)
@add_share_options
@pass_database
def command(database: DatabaseFile, key: str, expires: int | None, once: bool, offline: bool) -> None:
    """Print the address under which everybody who has it gets the value of KEY from the hub.

    It is that of the value as it is now, and ends when that is replaced or removed. With --expires or --once it is a
    new link, which leads to what KEY holds when it is opened, and ends by itself; `kvass links` lists these.
    """
    streams.write([f"{get_address(database, key, Terms(expires, once), offline=offline)}\n".encode()])
