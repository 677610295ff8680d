"""``kvass config rekey``: a new encryption key, after a device was lost."""

from __future__ import annotations

import os

import click

from kvassfs.errors import InvalidConfiguration
from kvassfs.kind import Kind

from ... import config_values, streams
from ...database import DatabaseFile, pass_database
from ...group import Command


@click.command("rekey", cls=Command, short_help="make a new key after a device was lost", example="kvass config rekey")
@click.option("--yes", is_flag=True, help="do not ask")
@pass_database
def command(database: DatabaseFile, yes: bool) -> None:
    """Make a new encryption key, so that a device that was lost gets and sends nothing any more.

    All other devices lose touch as well, until they are given the new key: what to do there is printed. What was
    changed on them meanwhile is kept, and pushed then. Best done on the machine of the hub.
    """
    with database.open_existing() as store:
        if store.settings.kind() != Kind.PLAIN:
            raise InvalidConfiguration(
                "this store is sealed; `kvass config sealed on`, on a device, makes a new key, which no hub gets"
            )
        remote = store.settings.config().remote
        if not yes and streams.input_is_terminal():
            click.confirm("All other devices lose touch until they are given the new key. Go on?", abort=True, err=True)
        store.settings.set_encryption_key(os.urandom(32))
    streams.write([format_steps(config_values.show_remote(remote)).encode()])


def format_steps(hub: str) -> str:
    """Return what is to be done on the other devices; ``hub`` is ``""`` where the new key was made at the hub itself."""
    at_hub = f"""\
On the machine of the hub, {hub}, set the key that `kvass config show` prints here; `kvass serve` may go on:

    kvass config key

Then `kvass sync` here.

"""
    return f"""\
This store has a new encryption key.

{at_hub if hub else ""}\
For each other device that you still have, run `kvass pair` here, and type there the line that it prints, with --merge: what
is on that device stays, and what it has changed meanwhile is pushed.

    kvass join --merge ADDRESS CODE

The lost device keeps what it had. Whoever has an address of a shared value still gets that: `kvass links` lists the links,
`kvass unlink` ends them.
"""
