"""``kvass set``: set a value from the command line, from a file or from standard input."""

from __future__ import annotations

import os

import click

from kvassfs.entry import Entry
from kvassfs.store import Store

from .. import hub, streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database, require_path
from ..group import Command
from ..notices import explain_interrupt

STANDARD_INPUT = "-"


def _require_file(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    return None if path is None else require_path(context, parameter, path)


@click.command(
    "set",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass set todo 'buy milk'
date | kvass set last/backup
kvass set photos/cat.jpg --file cat.jpg
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_key)
@click.argument("value", required=False)
@click.option("--empty", is_flag=True, help="make an empty file of KEY")
@click.option(
    "--file",
    metavar="PATH",
    type=click.Path(readable=False),
    callback=_require_file,
    help="set KEY to what the file holds; - is standard input",
)
@hub.offline_option
@pass_database
def command(database: DatabaseFile, key: str, value: str | None, empty: bool, file: str | None, offline: bool) -> None:
    """Set KEY to VALUE and a newline, or to what standard input or a file holds, byte for byte.

    So an empty VALUE is stored as a newline. An empty input is refused: kvass rm deletes.
    Put -- before a KEY or VALUE that begins with a dash.
    """
    if (value is not None) + empty + (file is not None) > 1:
        raise click.UsageError("a VALUE, --empty and --file exclude each other.")
    with database.open() as store:
        if empty:
            entry = store.set_empty(key)
        elif value is None:
            entry = set_from_input(store, key, STANDARD_INPUT if file is None else file)
        else:
            entry = store.set(key, os.fsencode(value) + b"\n")
        hub.warn_if_ahead(store, entry)
        hub.push_after(store, offline=offline)


def set_from_input(store: Store, key: str, path: str = STANDARD_INPUT) -> Entry:
    """Set ``key`` to what standard input or a file holds; if it is empty, or reading it fails, the old value stays."""
    with explain_interrupt(lambda: f"{key} is as it was"), streams.input_file(path) as stream:
        if not streams.errors_are_terminal() or stream.is_typed():
            return store.set_stream(key, stream)
        from ..progress import FollowedInput, show_progress

        with show_progress() as bar:
            return store.set_stream(key, FollowedInput(stream, bar))
