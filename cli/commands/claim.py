"""``kvass claim``: have a store at the hub of a host."""

from __future__ import annotations

import click

from kvassfs.errors import KvassError

from .. import streams
from ..arguments import parse_text
from ..database import DatabaseFile, pass_database
from ..group import Command, invoke_other
from ..notices import print_notice


@click.command(
    "claim", cls=Command, example="kvass claim https://hub.example.com/s/family#hv5s-2nqk-7gte-x6lp-3mwa-4c2y"
)
@click.argument("claim", metavar="ADDRESS#CODE", type=parse_text)
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context, claim: str) -> None:
    """Have a store at a hub that somebody runs for many: they give you ADDRESS#CODE.

    This device is the first one there. It gives the hub its encryption key, once, and exchanges with it; `kvass pair`
    lets other devices join. Whoever runs the hub can read what is in the store, unless it is sealed
    (`kvass config sealed on`): that gives the hub an access key alone.
    """
    claim_store(database, claim)
    try:
        invoke_other(context, "sync")
    except KvassError:
        print_notice("the store is yours, but could not be exchanged with the hub; `kvass sync` goes on with that")
        raise


def claim_store(database: DatabaseFile, text: str) -> None:
    """Claim the store that ``text`` names, and have it as the hub from then on.

    Raises:
        PairingError: it cannot be claimed, and why.
        SyncError: the hub is not to be reached.
    """
    from kvassfs.pairing.claim import Claim, check_claims, claim_store, split_claim
    from kvassfs.pairing.connection import open_hub_at
    from kvassfs.remote.address import show_address

    address, code = split_claim(text)
    with database.open_to_write() as store:
        check_claims(store)
        with open_hub_at(address) as remote:
            claim_store(remote, Claim(code, store.sealed.message_key()))
        store.settings.set_remote(address)
    streams.write([f"this device has its store at {show_address(address)}; `kvass pair` lets others join\n".encode()])
