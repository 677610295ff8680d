"""``kvass diff``: show what changed between two versions of a key."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing

import click

from kvassfs.errors import InvalidConfiguration, KeyMissing
from kvassfs.store import Store, Version
from kvassfs.tools import comparison

from .. import hub, pager, streams
from ..arguments import parse_key
from ..database import DatabaseFile, pass_database
from ..editor import private_file
from ..formats import format_local_time
from ..group import Command
from ..notices import escape_controls
from ..offline import offline_option
from ..process import core_dumps
from ..revisions import NUMBER, complete_changed_key, complete_revision
from ..running import cannot_run, exit_status

VARIABLE = "KVASS_DIFF"


@click.command(
    "diff",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass diff notes/trip.md
kvass diff notes/trip.md 1 2
kvass diff --tool meld notes/trip.md
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_changed_key)
@click.argument("old", metavar="[N]", type=NUMBER, required=False, shell_complete=complete_revision)
@click.argument("new", metavar="[M]", type=NUMBER, required=False, shell_complete=complete_revision)
@click.option("--tool", metavar="COMMAND", help=f"a program that compares two files (default: ${VARIABLE}, if set)")
@offline_option
@click.pass_context
@pass_database
def command(
    database: DatabaseFile,
    context: click.Context,
    key: str,
    old: int | None,
    new: int | None,
    tool: str | None,
    offline: bool,
) -> None:
    """Show what changed in KEY since the version before, or since version N, or from N to M.

    Of text it is a unified diff, of other values sizes and hashes. `kvass log KEY` lists the versions.
    """
    tool = os.environ.get(VARIABLE, "") if tool is None else tool
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        sides = choose(store, key, old, new)
        if tool:
            context.exit(run_tool(tool, store, sides))
        lines = list(comparison.compare(*(summarise(store, side) for side in sides)))
    show(lines)


def show(lines: Iterable[bytes]) -> None:
    """Write the lines of a diff, with what a terminal would act on made visible there."""
    if not streams.output_is_terminal():
        streams.write(lines)
        return
    texts = (line.decode("utf-8", "backslashreplace").removesuffix("\n") for line in lines)
    pager.write(f"{show_controls(text)}\n" for text in texts)


def show_controls(text: str) -> str:
    """Return a line with its control characters escaped, but for tabs."""
    return "\t".join(escape_controls(part) for part in text.split("\t"))


def choose(store: Store, key: str, old: int | None, new: int | None) -> tuple[Version, Version]:
    """Return the versions to compare: by their numbers, or the one before the current one, and that.

    Raises:
        KeyMissing, RevisionMissing
    """
    versions = store.history.versions(key)
    first = store.history.find(key, old)
    if new is not None:
        return first, store.history.find(key, new)
    current = next((version for version in versions if version.became is None), None)
    if current is None:
        raise KeyMissing(key)
    return first, current


def pieces_of(store: Store, version: Version) -> Iterator[bytes]:
    """Yield the bytes of a version; a removed key has none."""
    if not version.entry.deleted:
        with closing(store.history.get(version.entry.key, version.number).chunks()) as chunks:
            yield from chunks


def name_version(version: Version) -> str:
    """Return what a version is called in a diff."""
    which = "removed" if version.entry.deleted else f"version {version.number}"
    return f"{escape_controls(version.entry.key)}\t{which}, {format_local_time(version.entry.timestamp)}"


def summarise(store: Store, version: Version) -> comparison.Side:
    """Return a version as one side of a comparison."""
    return comparison.summarise(name_version(version), version.entry.size, pieces_of(store, version))


def run_tool(tool: str, store: Store, sides: tuple[Version, Version]) -> int:
    """Run a program on two files with the values, which are gone afterwards; return its exit status.

    Raises:
        InvalidConfiguration: it is no command.
        CannotRun
    """
    try:
        command = shlex.split(tool)
    except ValueError as error:
        raise InvalidConfiguration(f"{tool!r} is no command: {error}") from None
    if not command:
        raise InvalidConfiguration(f"{tool!r} is no command; name a program that compares two files")
    with ExitStack() as files:
        paths = [_write_file(files, store, version) for version in sides]
        try:
            with core_dumps():
                return exit_status(subprocess.call([*command, *paths]))  # noqa: S603  the user's own choice
        except OSError as error:
            raise cannot_run(command, error) from error


def _write_file(files: ExitStack, store: Store, version: Version) -> str:
    """Write a version to a file of its own, named as the key; return where it is."""
    name = os.path.basename(version.entry.key.rstrip("/")) or "value"
    file = files.enter_context(private_file(f"{version.number or 'removed'}-{name[-100:]}"))
    file.write(pieces_of(store, version))
    return file.path
