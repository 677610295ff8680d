"""``kvass log``: which versions there were, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import click

from kvassfs.conflict import find_origin
from kvassfs.errors import ConflictMissing, KeyMissing
from kvassfs.replica import describe_device
from kvassfs.store import Became, Store, Version

from .. import hub, pager, streams
from ..arguments import completing, parse_text
from ..completions import cut_to_level
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time, format_size, format_utc
from ..group import Command
from ..notices import escape_controls
from ..offline import offline_option
from ..revisions import complete_key_ever

complete_conflict = completing(
    lambda store, _, beginning: cut_to_level((conflict.entry.key for conflict in store.conflicts.open()), beginning)
)
"""Offer keys that are in a conflict."""

_WORDS = {Became.REPLACED: "replaced", Became.REMOVED: "removed", Became.LOST: "lost"}


@click.command(
    "log",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass log notes/trip.md
kvass log -n 10 notes/
kvass log --json --offline > log.json
kvass log --conflicts
kvass log --forget notes/plan.txt
""",
)
@click.argument("key", metavar="[KEY|PREFIX]", default="", type=parse_text, shell_complete=complete_key_ever)
@click.option("-n", "--lines", metavar="COUNT", type=click.IntRange(min=0), help="show at most COUNT versions")
@click.option("--json", "as_json", is_flag=True, help="print a JSON array, for programs")
@click.option("--conflicts", is_flag=True, help="show the versions that lost to one whose writer did not know them")
@click.option(
    "--forget",
    metavar="KEY",
    type=parse_text,
    shell_complete=complete_conflict,
    help="settle the conflicts of KEY: its current version stays",
)
@offline_option
@pass_database
def command(
    database: DatabaseFile,
    key: str,
    lines: int | None,
    as_json: bool,
    conflicts: bool,
    forget: str | None,
    offline: bool,
) -> None:
    """Show the versions of KEY, the newest first: number, time, device, size, and what became of it.

    Without KEY, what changed in the store, the latest first; with a PREFIX that is no key, among the keys that begin
    with it. `kvass get KEY --rev NUMBER` shows a version, `kvass restore KEY --rev NUMBER` brings it back.

    A conflict is settled by restoring the version that lost, by saving the key anew, or with `--forget`.
    """
    if forget is not None and (key or conflicts or as_json or lines is not None):
        raise click.UsageError("--forget KEY goes with no other option or key")
    with database.open_existing() as store:
        if forget is not None:
            forget_conflicts(store, forget)
            return
        hub.pull_first(store, offline=offline)
        versions, is_key = (find_conflicts(store, key), False) if conflicts else find_versions(store, key)
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


def find_conflicts(store: Store, prefix: str) -> Iterator[Version]:
    """Yield the versions of the keys that begin so that lost a conflict which nobody has settled."""
    for conflict in store.conflicts.open():
        if conflict.entry.key.startswith(prefix):
            yield store.history.find(conflict.entry.key, conflict.number)


def forget_conflicts(store: Store, key: str) -> None:
    """Settle the conflicts of a key as they are.

    Raises:
        ConflictMissing: there are none.
    """
    if not store.conflicts.forget(key):
        raise ConflictMissing(key)


def make_namer(store: Store) -> Callable[[int], str]:
    """Return what names a device by its process id."""
    names = store.settings.names()
    return lambda process_id: describe_device(process_id, names)


def describe(version: Version, name: Callable[[int], str]) -> str:
    """Return in a few words what became of a version."""
    if version.winner is not None:
        return f"lost to {name(version.winner)}"
    if version.became is not None:
        return _WORDS[version.became]
    return "removal" if version.entry.deleted else "current"


def format_lines(versions: Iterable[Version], name: Callable[[int], str], *, with_key: bool) -> Iterator[str]:
    """Yield a line for each version."""
    for version in versions:
        entry = version.entry
        number = str(version.number) if version.number else "-"
        size = "-" if entry.deleted else format_size(entry.size)
        device = escape_controls(name(find_origin(entry).process_id))
        state = escape_controls(describe(version, name))
        line = f"{number:>4}  {format_local_time(entry.timestamp)}  {device:<12} {size:>9}  {state:<8}"
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
        "device": name(find_origin(entry).process_id),
        "process_id": entry.process_id,
        "size": entry.size,
        "state": "lost" if version.winner is not None else describe(version, name),
        "lost_to": None if version.winner is None else name(version.winner),
        "settled": None if version.winner is None else not version.is_open,
        "replaced": None if version.replaced is None else format_utc(version.replaced),
    }
