"""``kvass config scratch``: which names of the mount stay on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kvassfs.errors import InvalidConfiguration
from kvassfs.scratch import DEFAULT_PATTERNS, check_pattern
from kvassfs.store import Store

from ... import streams
from ...arguments import completing, parse_text
from ...database import DatabaseFile, pass_database
from ...group import Group


@click.group(
    "scratch", cls=Group, help="show or change the names that stay on this machine", example="kvass config scratch"
)
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context) -> None:
    """Show the patterns, one per line."""
    if context.invoked_subcommand is None:
        with database.open_existing() as store:
            patterns = read_patterns(store)
        streams.write(f"{pattern}\n".encode() for pattern in patterns)


def read_patterns(store: Store) -> tuple[str, ...]:
    """Return the patterns in force: the user's, or those of the program."""
    chosen = store.settings.scratch_patterns()
    return DEFAULT_PATTERNS if chosen is None else chosen


complete_pattern = completing(lambda store, *_: read_patterns(store))
"""Offer the patterns in force."""


@command.command(
    "add",
    short_help="add patterns, as the shell's for file names",
    options_metavar="[OPTIONS] [--]",
    example="kvass config scratch add '*.o' '__pycache__'",
)
@click.argument("patterns", metavar="PATTERN...", nargs=-1, required=True, type=parse_text)
@pass_database
def add(database: DatabaseFile, patterns: Sequence[str]) -> None:
    """Keep files with a name that matches a PATTERN on this machine. Quote it against the shell."""
    with database.open() as store:
        store.settings.set_scratch_patterns(add_patterns(read_patterns(store), patterns))


def add_patterns(patterns: Sequence[str], added: Sequence[str]) -> list[str]:
    """Return ``patterns`` with those of ``added`` that are new at the end.

    Raises:
        InvalidConfiguration: one matches no name, or every one.
    """
    for pattern in added:
        check_pattern(pattern)
    return list(dict.fromkeys([*patterns, *added]))


@command.command(
    "remove",
    short_help="remove patterns",
    options_metavar="[OPTIONS] [--]",
    example="kvass config scratch remove '?*~'",
)
@click.argument(
    "patterns", metavar="PATTERN...", nargs=-1, required=True, type=parse_text, shell_complete=complete_pattern
)
@pass_database
def remove(database: DatabaseFile, patterns: Sequence[str]) -> None:
    """Remove each PATTERN: files with such a name become keys. Quote it against the shell."""
    with database.open() as store:
        store.settings.set_scratch_patterns(remove_patterns(read_patterns(store), patterns))


def remove_patterns(patterns: Sequence[str], removed: Sequence[str]) -> list[str]:
    """Return ``patterns`` without ``removed``.

    Raises:
        InvalidConfiguration: one of these is not among them.
    """
    for pattern in removed:
        if pattern not in patterns:
            raise InvalidConfiguration(f"{pattern!r} is none of the patterns; `kvass config scratch` shows them")
    return [pattern for pattern in patterns if pattern not in removed]


@command.command("reset", short_help="return to the patterns of the program", example="kvass config scratch reset")
@pass_database
def reset(database: DatabaseFile) -> None:
    """Return to the patterns that the program brings, those of later versions too."""
    with database.open() as store:
        store.settings.set_scratch_patterns(None)
