"""``kvass join``: become one of the devices that share a store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from kvassfs.errors import KvassError
from kvassfs.replica import check_name

from .. import config_values, streams
from ..arguments import parse_text
from ..database import DatabaseFile, pass_database
from ..group import Command, invoke_other
from ..locations import expand_home
from ..notices import print_notice

if TYPE_CHECKING:
    from kvassfs.pairing.code import Code
    from kvassfs.pairing.messages import Handover
    from kvassfs.store import Store

MOUNT = "~/kvass"

_LINE = 256  # bytes read at most of a line that should hold a code


@click.command(
    "join",
    cls=Command,
    example="""
kvass join hub:8000 7-purple-lamp
kvass join --merge --name laptop hub:8000 7-purple-lamp
""",
)
@click.argument("address", metavar="ADDRESS", type=parse_text)
@click.argument("code", metavar="[CODE|-]", nargs=-1, type=parse_text)
@click.option("--name", default="", type=parse_text, help="what to call this device (default: the name of the host)")
@click.option("--merge", is_flag=True, help="join with a store that is in use: what is in it stays, and is shared")
@click.pass_context
@pass_database
def command(
    database: DatabaseFile, context: click.Context, address: str, code: Sequence[str], name: str, merge: bool
) -> None:
    """Share the store of another device, which shows ADDRESS and CODE after `kvass pair`.

    This device gets the encryption key, the hub and the settings, and exchanges with the hub. Without CODE it is
    asked for, and with - it is read from standard input.
    """
    try:
        busy = join(database, address, code, check_name(name), merge=merge)
    except (KeyboardInterrupt, click.Abort):
        print_notice("interrupted: this device has not joined; if the code has ended, `kvass pair` shows another one")
        raise
    _exchange(context)
    if not busy:
        offer_mount(context)


def join(database: DatabaseFile, address: str, code: Sequence[str], name: str, *, merge: bool) -> bool:
    """Take over what the other device hands over; return whether something follows the hub already, as a mount does.

    Raises:
        PairingError: it hands over nothing, and why, or the store is in use.
        SyncError: the hub is not to be reached.
    """
    from kvassfs.pairing.handover import check_joins

    if not config_values.check_remote(address):
        raise click.UsageError("ADDRESS is empty.")
    parsed = _parse(code)
    with database.open_to_write() as store:  # before the only try with the code
        if not merge:
            check_joins(store)
        handover = _receive(store, address, parsed, name)
        streams.write([format_joined(handover, store.settings.name()).encode()])
        return bool(store.processes.followers())


def _receive(store: Store, address: str, code: Code, name: str) -> Handover:
    from kvassfs.pairing.connection import open_hub_at
    from kvassfs.pairing.handover import choose_remote, take_over
    from kvassfs.pairing.joiner import receive_handover
    from kvassfs.scratch import check_pattern

    with open_hub_at(address) as remote:
        handover = receive_handover(remote, code, name or store.settings.name())
        reached = remote.address
    for pattern in handover.scratch or ():
        check_pattern(pattern)
    take_over(store, handover, choose_remote(address, reached, handover.remote), name)
    return handover


def _parse(parts: Sequence[str]) -> Code:
    from kvassfs.pairing.code import parse_code

    return parse_code(" ".join(parts) if parts not in {(), ("-",)} else _ask(asked=not parts))


def _ask(*, asked: bool) -> str:
    if asked and streams.input_is_terminal():
        typed: str = click.prompt("Code", err=True)
        return typed
    with streams.standard_input() as stream:
        return stream.readline(_LINE).decode("utf-8", "replace")


def format_joined(handover: Handover, name: str) -> str:
    """Return what is said of a device that has joined."""
    return f"joined {handover.name or 'the other device'}; this device is called {name} (`kvass config name` changes that)\n"


def _exchange(context: click.Context) -> None:
    """Do what `kvass sync` does."""
    try:
        invoke_other(context, "sync")
    except KvassError:
        print_notice("this device has joined, but could not exchange with the hub; `kvass sync` goes on with that")
        raise


def offer_mount(context: click.Context) -> None:
    """Mount the store, if a person is there who wants that; else say how."""
    if not (streams.input_is_terminal() and streams.output_is_terminal()):
        streams.write([f"`kvass mount {MOUNT}` shows the keys as files\n".encode()])
        return
    if click.confirm(f"Show the keys as files in {MOUNT}?", default=True, err=True):
        invoke_other(context, "mount", directory=os.path.abspath(expand_home(MOUNT)))
        if has_services():
            streams.write([f"`kvass service install mount {MOUNT}` does so after each login\n".encode()])


def has_services() -> bool:
    """Return whether this program can start by itself."""
    return find_spec(f"{__package__}.service") is not None
