"""``kvass ls``: list keys."""

from __future__ import annotations

from collections.abc import Iterator

import click

from kvassfs.entry import Entry
from kvassfs.errors import KeyMissing
from kvassfs.store import Store

from .. import hub, streams
from ..arguments import complete, text
from ..database import DatabaseFile, pass_database
from ..formats import local_time
from ..group import Command
from ..notices import one_line


@click.command("ls", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("prefix", default="", type=text, shell_complete=complete)
@click.option("-l", "--long", is_flag=True, help="show sizes in bytes and times as well")
@click.option("-0", "--null", is_flag=True, help="end lines with NUL, for keys that hold newlines (xargs -0)")
@hub.offline_option
@pass_database
def command(database: DatabaseFile, prefix: str, long: bool, null: bool, offline: bool) -> None:
    """List the keys, sorted; with PREFIX those that begin with it."""
    end = "\0" if null else "\n"
    with database.open() as store:
        hub.pull_first(store, offline=offline)
        lines = long_lines(store, prefix) if long else keys(store, prefix)
        if not null and streams.output_is_terminal():
            lines = map(one_line, lines)
        streams.write(f"{line}{end}".encode() for line in lines)


def keys(store: Store, prefix: str) -> Iterator[str]:
    """Yield the keys that begin with ``prefix``, sorted."""
    return (key for key in store.keys() if key.startswith(prefix))


def long_lines(store: Store, prefix: str) -> Iterator[str]:
    """Yield size, time and name of the keys that begin with ``prefix``."""
    for key in keys(store, prefix):
        try:
            yield long_line(store.entry(key))
        except KeyMissing:  # removed in the meantime
            continue


def long_line(entry: Entry) -> str:
    """Return size in bytes, time to the second where we are, and key."""
    return f"{entry.size:>12} {local_time(entry.timestamp):<19} {entry.key}"
