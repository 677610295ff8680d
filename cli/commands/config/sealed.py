"""``kvass config sealed`` and ``access-key``: have a hub that cannot read what it keeps."""

from __future__ import annotations

import os

import click

from kvassfs.errors import InvalidConfiguration
from kvassfs.kind import Kind
from kvassfs.replica import StoreKey

from ... import config_values, streams
from ...database import DatabaseFile, pass_database
from ...group import Command

STATES = {
    Kind.PLAIN: "off: the hub can read what this store has\n",
    Kind.DEVICE: "on: the hub cannot read what this store has\n",
    Kind.HUB: "on: this is the hub, and cannot read what is here\n",
}


@click.command(
    "sealed",
    cls=Command,
    short_help="show or set whether the hub can read the store",
    example="kvass config sealed on",
)
@click.argument("state", metavar="[on|off]", required=False, type=click.Choice(["on", "off"]))
@click.option("--yes", is_flag=True, help="do not ask")
@pass_database
def sealed(database: DatabaseFile, state: str | None, yes: bool) -> None:
    """Show whether the hub can read this store, or change that.

    `on` makes a new key that no hub gets, and has all be pushed anew, to an empty store at the hub: the hub sees sizes and times
    then, and neither names nor values. In a sealed store it does the same, after a device was lost. What to do at the
    hub and on the other devices is printed.
    """
    if state is None:
        with database.open_existing() as store:
            streams.write([STATES[store.settings.kind()].encode()])
        return
    with database.open() as store:
        if store.settings.kind() == Kind.HUB:
            raise InvalidConfiguration("this is the hub of a sealed store; the key of that is made on a device")
        if state == "off" and store.settings.kind() == Kind.PLAIN:
            streams.write([STATES[Kind.PLAIN].encode()])
            return
        remote = config_values.show_remote(store.settings.config().remote)
        if not yes and streams.input_is_terminal():
            click.confirm("All other devices lose touch until they are given the new key. Go on?", abort=True, err=True)
        kind = Kind.DEVICE if state == "on" else Kind.PLAIN
        store.settings.set_encryption_key(os.urandom(32), kind, anew=kind == Kind.DEVICE)
    streams.write([(format_sealed if state == "on" else format_opened)(remote).encode()])


OTHERS = """\
For each other device that you still have, run `kvass pair` here after that, and type there the line that it prints, with
--merge: what is on that device stays, and what it has changed meanwhile is pushed.

    kvass join --merge ADDRESS CODE

"""


def format_sealed(hub: str) -> str:
    """Return what is to be done at the hub and on the other devices; ``hub`` is ``""`` where there is none."""
    return f"""\
This store is sealed. It has a new key, which no hub ever gets.

The hub wants an empty store, and the access key. On its machine{f", {hub}" if hub else ""}, end `kvass serve`, set the key that
`kvass config access-key` prints here, and serve the new store:

    kvass --db ~/sealed.sqlite config key
    kvass --db ~/sealed.sqlite serve

At a hub for many, claim a new store instead. Then `kvass sync` here: all is pushed there, sealed.

{OTHERS}\
The store that the hub had until now keeps what is in it, and can still be read there; so can links to it. Remove that once
all devices have joined. A lost device keeps what it had.
"""


def format_opened(hub: str) -> str:
    """Return the same where the hub can read the store from now on."""
    return f"""\
This store is not sealed any more. It has a new key, and a hub that has it can read everything.

On the machine of the hub{f", {hub}" if hub else ""}, give a new store the key that `kvass config show` prints here, and serve that. Then `kvass sync`
here.

{OTHERS}"""


@click.command(
    "access-key",
    cls=Command,
    short_help="print the key that the hub of a sealed store gets",
    example="kvass config access-key | ssh you@yourserver.com kvass --db sealed.sqlite config key -",
)
@pass_database
def access_key(database: DatabaseFile) -> None:
    """Print the key that the hub of a sealed store gets: with it, it serves the store, and cannot read it."""
    with database.open_existing() as store:
        if store.settings.kind() == Kind.PLAIN:
            raise InvalidConfiguration(
                "this store is not sealed, so its hub has the same key; `kvass config sealed on` changes that"
            )
        key = StoreKey(store.sealed.message_key(), Kind.HUB)
    streams.write([f"{key}\n".encode()])
