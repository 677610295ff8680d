"""``kvass ls``: list keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import click

from kvassfs.entry import Entry, directory_of
from kvassfs.errors import KeyMissing
from kvassfs.store import Store

from .. import hub, streams
from ..arguments import complete_prefix, parse_text
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time
from ..group import Command
from ..notices import escape_controls


@click.command(
    "ls",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass ls notes/
kvass ls --null notes/ | xargs -0 -n 1 kvass get
""",
)
@click.argument("prefix", default="", type=parse_text, shell_complete=complete_prefix)
@click.option("-l", "--long", is_flag=True, help="show sizes in bytes and times as well")
@click.option("-0", "--null", is_flag=True, help="end lines with NUL, for keys that hold newlines (xargs -0)")
@click.option("--tree", is_flag=True, help="draw the keys as files and directories, those without keys as well")
@hub.offline_option
@pass_database
def command(database: DatabaseFile, prefix: str, long: bool, null: bool, tree: bool, offline: bool) -> None:
    """List the keys, sorted; with PREFIX those that begin with it."""
    if tree and (long or null):
        raise click.UsageError("--tree goes with neither --long nor --null")
    end = "\0" if null else "\n"
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        if tree:
            lines = draw_tree(store, prefix, UNICODE if streams.output_is_unicode() else ASCII)
        else:
            lines = format_entries(store, prefix) if long else store.keys(prefix)
        if not null and streams.output_is_terminal():
            lines = map(escape_controls, lines)
        streams.write(f"{line}{end}".encode() for line in lines)


class Branches(NamedTuple):
    """What leads to a name in a tree that is the last one in its directory, or not; and what to what is below it."""

    last: tuple[str, str]
    other: tuple[str, str]


UNICODE = Branches(("└── ", "    "), ("├── ", "│   "))
ASCII = Branches(("`-- ", "    "), ("|-- ", "|   "))

NAMELESS = '""'
"""How an empty name is shown, as that of ``a/`` in the directory ``a``."""


def draw_tree(store: Store, prefix: str, branches: Branches, indent: str | None = None) -> Iterator[str]:
    """Yield lines with the names below ``prefix``, each beneath the directory that it is in."""
    names = store.level(prefix, directories=True)
    start = len(directory_of(prefix))
    name = next(names, None)
    while name is not None:
        following = next(names, None)
        branch, further = branches.last if following is None else branches.other
        lead = "" if indent is None else indent + branch
        yield lead + (name[start:] or NAMELESS)
        if name.endswith("/") and name != prefix:
            yield from draw_tree(store, name, branches, "" if indent is None else indent + further)
        name = following


def format_entries(store: Store, prefix: str) -> Iterator[str]:
    """Yield size, time and name of the keys that begin with ``prefix``."""
    for key in store.keys(prefix):
        try:
            yield format_entry(store.entry(key))
        except KeyMissing:  # removed in the meantime
            continue


def format_entry(entry: Entry) -> str:
    """Return size in bytes, time to the second where we are, and key."""
    return f"{entry.size:>12} {format_local_time(entry.timestamp):<19} {entry.key}"
