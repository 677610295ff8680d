"""``kvass pair``: let another device join."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from kvassfs.pairing.errors import NobodyServes

from .. import streams
from ..database import DatabaseFile, pass_database
from ..drawing import draw, fits, shows_colours
from ..group import Command
from ..notices import escape_controls, print_notice

if TYPE_CHECKING:
    from kvassfs.pairing.addresses import Reachable
    from kvassfs.store import Store


@click.command("pair", cls=Command)
@pass_database
def command(database: DatabaseFile) -> None:
    """Let another device join: print what to type there, and wait for it, up to ten minutes.

    It gets the encryption key, the hub and the settings through the hub, which learns nothing of them. The code is
    for one device and one try; an interrupt ends it. On the machine of the hub, `kvass serve` has to run.

    Example: kvass pair
    """
    if not os.path.exists(database.path):
        raise NobodyServes
    with database.open_existing() as store:
        try:
            name = pair(store)
        except KeyboardInterrupt:
            print_notice("interrupted: no device has joined, and the code has ended")
            raise
    streams.write([f"{escape_controls(name) or 'the other device'} has joined\n".encode()])


def pair(store: Store) -> str:
    """Show a code, wait for a device that has it, hand over, and return what it calls itself.

    Raises:
        PairingError: nobody has joined, and why.
        SyncError: the hub is not to be reached, or has another key.
    """
    from kvassfs.pairing.addresses import find_reachable
    from kvassfs.pairing.connection import open_hub_of
    from kvassfs.pairing.device import Invitation
    from kvassfs.pairing.handover import collect_handover

    reachable, handover = find_reachable(store), collect_handover(store)
    with open_hub_of(store) as remote, Invitation(remote, handover.key, notice=print_notice) as invitation:
        show(reachable, str(invitation.code))
        name = invitation.wait()
        invitation.hand_over(handover)
        return name


def show(reachable: Reachable, code: str) -> None:
    """Print the line to type on the other device, and draw it where a person sees it."""
    from kvassfs.sharing.qr import Code

    line = format_line(reachable.addresses[0], code)
    if streams.output_is_terminal():
        picture = Code(line)
        if fits(picture):
            draw(picture, colour=shows_colours(), invert=False)
    streams.write([format_invitation(reachable, line).encode()])


def format_line(address: str, code: str) -> str:
    """Return what is typed on the other device."""
    return f"kvass join {shlex.quote(address)} {code}"


def format_invitation(reachable: Reachable, line: str) -> str:
    """Return what is said to who pairs two devices."""
    first, *others = reachable.addresses
    text = f"Within ten minutes, type on the other device:\n\n    {line}\n\n"
    if others:
        text += f"If it does not reach {first}, try {' or '.join(others)}.\n"
    if reachable.local:
        text += f"{first} is this machine alone: elsewhere, type the address that the hub has there.\n"
    return text
