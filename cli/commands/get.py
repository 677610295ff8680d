"""``kvass get``: write a value to standard output."""

from __future__ import annotations

import click

from kvassfs.store import Snapshot

from .. import hub, streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import explain_interrupt


@click.command("get", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=parse_key, shell_complete=complete_key)
@hub.offline_option
@pass_database
def command(database: DatabaseFile, key: str, offline: bool) -> None:
    """Write the value of KEY to standard output, byte for byte."""
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        write_value(key, store.get(key))


def write_value(key: str, value: Snapshot) -> None:
    """Write a value, and show how far it is if it goes elsewhere than to the terminal."""
    with explain_interrupt(lambda: f"{key} is not written to its end"):
        if streams.output_is_terminal() or not streams.errors_are_terminal():
            streams.write(value.chunks())
        else:
            from ..progress import follow_pieces

            streams.write(follow_pieces(value.chunks(), value.size))
