"""``kvass get``: write a value to standard output."""

from __future__ import annotations

import click

from .. import hub, streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..revisions import revision_option


@click.command("get", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=parse_key, shell_complete=complete_key)
@revision_option("write an earlier version, by its number in `kvass log KEY`")
@hub.offline_option
@pass_database
def command(database: DatabaseFile, key: str, revision: int | None, offline: bool) -> None:
    """Write the value of KEY to standard output, byte for byte."""
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        value = store.get(key) if revision is None else store.history.get(key, revision)
        streams.write(value.chunks())
