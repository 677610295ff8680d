"""``kvass set``: set a value from the command line or from standard input."""

from __future__ import annotations

import os

import click

from kvassfs.clocks import describe_ahead
from kvassfs.entry import Entry
from kvassfs.store import Store

from .. import hub, streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import explain_interrupt, print_notice


@click.command("set", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=parse_key, shell_complete=complete_key)
@click.argument("value", required=False)
@click.option("--empty", is_flag=True, help="make an empty file of KEY")
@hub.offline_option
@pass_database
def command(database: DatabaseFile, key: str, value: str | None, empty: bool, offline: bool) -> None:
    """Set KEY to VALUE and a newline, or to what standard input holds, byte for byte.

    So an empty VALUE is stored as a newline. An empty standard input is refused: kvass rm deletes.
    Put -- before a KEY or VALUE that begins with a dash.
    """
    if empty and value is not None:
        raise click.UsageError("--empty and a VALUE exclude each other.")
    with database.open() as store:
        if empty:
            entry = store.set_empty(key)
        elif value is None:
            entry = set_from_input(store, key)
        else:
            entry = store.set(key, os.fsencode(value) + b"\n")
        warn_if_ahead(store, entry)
        hub.push_after(store, offline=offline)


def set_from_input(store: Store, key: str) -> Entry:
    """Set ``key`` to what standard input holds; if it is empty, or reading it fails, the old value stays."""
    with explain_interrupt(lambda: f"{key} is as it was"), streams.standard_input() as stream:
        if not streams.errors_are_terminal() or streams.input_is_terminal():
            return store.set_stream(key, stream)
        from ..progress import FollowedInput, show_progress

        with show_progress() as bar:
            return store.set_stream(key, FollowedInput(stream, bar))


def warn_if_ahead(store: Store, entry: Entry) -> None:
    """Say so where a version beats all that others write for some time to come."""
    warning = describe_ahead(entry.key, entry.timestamp, store.hub_time.now())
    if warning is not None:
        print_notice(f"warning: {warning}")
