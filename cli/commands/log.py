"""``kvass log``: which versions there were, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import click

from kvassfs.errors import KeyMissing
from kvassfs.store import Became, Store, Version

from .. import hub, pager, streams
from ..arguments import complete_key, parse_text
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time, format_size, format_utc
from ..group import Command
from ..notices import escape_controls

_WORDS = {Became.REPLACED: "replaced", Became.REMOVED: "removed", Became.LOST: "lost"}


@click.command("log", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", metavar="[KEY|PREFIX]", default="", type=parse_text, shell_complete=complete_key)
@click.option("-n", "--lines", metavar="COUNT", type=click.IntRange(min=0), help="show at most COUNT versions")
@click.option("--json", "as_json", is_flag=True, help="print a JSON array, for programs")
@hub.offline_option
@pass_database
def command(database: DatabaseFile, key: str, lines: int | None, as_json: bool, offline: bool) -> None:
    """Show the versions of KEY, the newest first: number, time, device, size, and what became of it.

    Without KEY, what changed in the store, the latest first; with a PREFIX that is no key, among the keys that begin
    with it. `kvass get KEY --rev NUMBER` shows a version, `kvass restore KEY --rev NUMBER` brings it back.
    """
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        versions, is_key = find_versions(store, key)
        name = make_namer(store)
        shown = islice(versions, lines)
        if as_json:
            streams.write(piece.encode("utf-8", "surrogateescape") for piece in format_json(shown, name))
        else:
            pager.write(f"{line}\n" for line in format_lines(shown, name, with_key=not is_key))


def find_versions(store: Store, key: str) -> tuple[Iterable[Version], bool]:
    """Return the versions of a key and True, or those of the keys that begin with it and False.

    Raises:
        KeyMissing: it is neither.
    """
    if not key:
        return store.history.lately(), False
    try:
        return store.history.versions(key), True
    except KeyMissing:
        found = list(store.history.lately(key))
        if not found:
            raise
        return found, False


def make_namer(store: Store) -> Callable[[int], str]:
    """Return what names a device by its process id."""
    own = store.settings.config().process_id
    return lambda process_id: "this device" if process_id == own else str(process_id)


def describe(version: Version) -> str:
    """Return in a word what became of a version."""
    if version.became is not None:
        return _WORDS[version.became]
    return "removal" if version.entry.deleted else "current"


def format_lines(versions: Iterable[Version], name: Callable[[int], str], *, with_key: bool) -> Iterator[str]:
    """Yield a line for each version."""
    for version in versions:
        entry = version.entry
        number = str(version.number) if version.number else "-"
        size = "-" if entry.deleted else format_size(entry.size)
        device = escape_controls(name(entry.process_id))
        line = f"{number:>4}  {format_local_time(entry.timestamp)}  {device:<12} {size:>9}  {describe(version):<8}"
        yield f"{line}  {escape_controls(entry.key)}" if with_key else line.rstrip()


def format_json(versions: Iterable[Version], name: Callable[[int], str]) -> Iterator[str]:
    """Yield the pieces of a JSON array with an object for each version."""
    lead = "["
    for version in versions:
        yield f"{lead}\n  {json.dumps(build_object(version, name))}"
        lead = ","
    yield "[]\n" if lead == "[" else "\n]\n"


def build_object(version: Version, name: Callable[[int], str]) -> dict[str, Any]:
    """Return a version as JSON has it; times are in UTC, ``timestamp`` in µs since the epoch."""
    entry = version.entry
    return {
        "key": entry.key,
        "number": version.number or None,
        "time": format_utc(entry.timestamp),
        "timestamp": entry.timestamp,
        "device": name(entry.process_id),
        "process_id": entry.process_id,
        "size": entry.size,
        "state": describe(version),
        "replaced": None if version.replaced is None else format_utc(version.replaced),
    }
