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


@click.command("pair", cls=Command, example="kvass pair")
@pass_database
def command(database: DatabaseFile) -> None:
    """Let another device join: print what to type there, and wait for it, up to ten minutes.

    It gets the encryption key, the hub and the settings through the hub, which learns nothing of them. The code is
    for one device and one try; an interrupt ends it. On the machine of the hub, `kvass serve` has to run.
    """
    if not os.path.exists(database.path):
        raise NobodyServes
    with database.open_to_write(create=False) as store:
        name = pair(store)
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
    with open_hub_of(store) as remote:
        invitation = Invitation(remote, store.sealed.message_key(), notice=print_notice)
        try:
            with invitation:
                show(reachable, str(invitation.code))
                name = invitation.wait()
                invitation.hand_over(handover)
                return name
        except KeyboardInterrupt:
            if invitation.has_ended:
                print_notice("interrupted: no device has joined, and the code has ended")
            else:
                print_notice(
                    "interrupted: no device has joined; the hub was not reached, and the code ends in ten minutes"
                )
            raise


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
