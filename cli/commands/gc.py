"""``kvass gc``: let history go, clean up, and give the room back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import click

from kvassfs.errors import DiskFull, NoRoomForCopy
from kvassfs.store import Store

from .. import streams
from ..database import DatabaseFile, pass_database
from ..formats import format_size, parse_span
from ..group import Command
from ..notices import explain_interrupt, print_notice
from ..progress import Bar, describe, show_progress

_ALL = 2**62

KEPT = "versions that went are gone, nothing else is; `kvass gc` goes on with the rest"
"""What an interrupt leaves."""


class Freed(NamedTuple):
    """How many revisions went, and the bytes that the disk has got back."""

    revisions: int
    size: int


def _parse_age(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else parse_span(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no span of time like 7d, 12h or 30m.") from None


@click.command(
    "gc",
    cls=Command,
    example="""
kvass gc --keep 3
kvass gc --older 7d
kvass gc --all
""",
)
@click.option("--keep", metavar="COUNT", type=click.IntRange(min=0), help="keep the newest COUNT versions of each key")
@click.option("--older", metavar="AGE", callback=_parse_age, help="let versions go that were replaced before: 7d, 12h")
@click.option("--all", "everything", is_flag=True, help="let all earlier versions go")
@pass_database
def command(database: DatabaseFile, keep: int | None, older: int | None, everything: bool) -> None:
    """Let earlier versions go, clean up what nothing needs any more, and give the room back to the disk.

    Without options those versions go that `kvass config history` does not keep. What went cannot be brought back.
    """
    if everything and (keep is not None or older is not None):
        raise click.UsageError("--all goes with neither --keep nor --older")
    with database.open_existing() as store:
        limit, kept_time = store.upkeep.limits()
        if everything:
            limit = 0
        elif keep is not None or older is not None:
            limit = _ALL if keep is None else keep
            kept_time = kept_time if older is None else older
        with explain_interrupt(lambda: KEPT), show_progress() as bar:
            freed = collect(store, limit, kept_time, bar)
    streams.write([f"{format_freed(freed)}\n".encode()])


def collect(store: Store, keep: int, age: int, bar: Bar, *, clock: Callable[[], int] = time.time_ns) -> Freed:
    """Let go of revisions but for the newest ``keep`` of each key, and of those older than ``age`` (µs); clean up."""

    def report(done: int, total: int) -> None:
        bar.update(done, total, amount=0, text=f"{done} of {total} earlier versions")

    gone = store.upkeep.trim(keep, clock() // 1000 - age, report)
    store.upkeep.release_dead_holders()
    clean(store, bar)
    try:
        size = store.upkeep.give_all_back(lambda *_: bar.update(0, 0, text="giving the room back"))
    except (DiskFull, NoRoomForCopy) as error:
        print_notice(f"warning: the room stays with the database, which uses it again: {error}")
        size = 0
    return Freed(gone, size)


def clean(store: Store, bar: Bar) -> None:
    """Clean up, and show how much of it is done."""
    bar.begin_part()
    total = store.upkeep.dropped_size()
    while store.upkeep.clean():
        if bar.is_due():
            left = min(store.upkeep.dropped_size(), total)
            bar.update(total - left, total, text=f"cleaning up {describe(total - left, total)}")


def format_freed(freed: Freed) -> str:
    """Return what was done, in a line."""
    versions = "1 earlier version" if freed.revisions == 1 else f"{freed.revisions} earlier versions"
    return f"{versions} gone, {format_size(freed.size)} given back"
