"""``kvass restore``: bring a version back."""

from __future__ import annotations

import click

from kvassfs.store import Version

from .. import hub, streams
from ..arguments import parse_key
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time
from ..group import Command
from ..notices import escape_controls
from ..offline import offline_option
from ..revisions import complete_changed_key, revision_option


@click.command(
    "restore",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass restore notes/trip.md
kvass restore --rev 1 notes/trip.md
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_changed_key)
@revision_option("the version to bring back (default: the one before the present one, or before KEY was removed)")
@offline_option
@pass_database
def command(database: DatabaseFile, key: str, revision: int | None, offline: bool) -> None:
    """Bring an earlier version of KEY back, also of one that was removed. `kvass log KEY` lists them."""
    with database.open_existing() as store:

        def restore() -> Version:
            return store.history.restore(key, revision)

        version = hub.pull_and_push(store, restore, offline=offline, otherwise=hub.KEPT)
    streams.write([f"{escape_controls(describe(version))}\n".encode()])


def describe(version: Version) -> str:
    """Return what was done, in a line."""
    which = f"version {version.number} of {format_local_time(version.entry.timestamp)}"
    if version.became is None:
        return f"{version.entry.key} is {which} already"
    return f"{version.entry.key} is {which} again"
