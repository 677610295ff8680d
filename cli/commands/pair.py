"""``kvass pair``: let another device join."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

import click

from kvassfs.pairing.errors import NobodyServes

from .. import streams
from ..database import DatabaseFile, pass_database
from ..drawing import draw, fits, shows_colours
from ..group import Command
from ..notices import escape_controls, print_notice

if TYPE_CHECKING:
    from kvassfs.pairing.addresses import Reachable
    from kvassfs.pairing.calls import Remote
    from kvassfs.pairing.device import Invitation
    from kvassfs.store import Store


class Page(NamedTuple):
    """The page of the hub: its URL, the fragment behind that, whether it works there, and for this machine alone."""

    url: str
    fragment: str
    secure: bool
    local: bool

    @property
    def address(self) -> str:
        """What a phone scans."""
        return f"{self.url}#{self.fragment}"


@click.command(
    "pair",
    cls=Command,
    example="""
kvass pair
kvass pair --phone
""",
)
@click.option("--phone", is_flag=True, help="draw a QR code that a phone scans: the page of the hub there joins")
@pass_database
def command(database: DatabaseFile, phone: bool) -> None:
    """Let another device join: print what to type there, and wait for it, up to ten minutes.

    It gets the encryption key, the hub and the settings through the hub, which learns nothing of them. The code is
    for one device and one try; an interrupt ends it. On the machine of the hub, `kvass serve` has to run.
    """
    if not os.path.exists(database.path):
        raise NobodyServes
    with database.open_to_write(create=False) as store:
        name = pair(store, phone=phone)
    streams.write([f"{escape_controls(name) or 'the other device'} has joined\n".encode()])


def pair(store: Store, *, phone: bool) -> str:
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
                page = find_page(store, remote, reachable, invitation)
                if phone:
                    show_page(page, str(invitation.code))
                else:
                    show(reachable, str(invitation.code), page)
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


def find_page(store: Store, remote: Remote, reachable: Reachable, invitation: Invitation) -> Page:
    """Return the page of the hub; where that is another machine, at the address under which this one has reached it."""
    from kvassfs.pairing.addresses import choose_page_url, is_local
    from kvassfs.remote.address import is_trusted_by_browsers

    addresses = (remote.address,) if store.settings.config().remote else reachable.addresses
    url = choose_page_url(addresses, store.settings.public_url())
    return Page(f"{url}/app/", str(invitation.fragment), is_trusted_by_browsers(url), is_local(url))


def show(reachable: Reachable, code: str, page: Page) -> None:
    """Print the line to type on the other device, and what a phone does; draw that where a person sees it all."""
    from kvassfs.sharing.qr import Code

    line = format_line(reachable.addresses[0], code)
    picture = Code(page.address)
    invitation = format_invitation(reachable, line)
    seen = line + invitation.partition(line)[2] + format_for_phone(page, drawn=True)
    drawn = page.secure and not page.local and fits(picture, above=seen)
    streams.write([invitation.encode(), format_for_phone(page, drawn=drawn).encode()])
    if drawn:
        draw(picture, colour=shows_colours(), invert=False)


def show_page(page: Page, code: str) -> None:
    """Print what a phone opens, and draw it, also where it goes to another terminal, as by ``ssh``."""
    from kvassfs.sharing.qr import Code

    picture = Code(page.address)
    drawn = fits(picture) or not streams.output_is_terminal()
    streams.write([format_page(page, code, drawn=drawn).encode()])
    if drawn:
        draw(picture, colour=shows_colours(), invert=False)


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


def format_for_phone(page: Page, *, drawn: bool) -> str:
    """Return what is said of phones to who pairs two devices; ``drawn``: the picture comes next."""
    if not page.secure:
        return _describe_need(page)
    if page.local:
        return f"A browser here takes the code at {page.url}\n"
    if drawn:
        return f"On a phone, scan this, or type the code at {page.url}\n"
    return f"On a phone, type the code at {page.url} (`kvass pair --phone` draws it).\n"


def format_page(page: Page, code: str, *, drawn: bool) -> str:
    """Return what is said to who pairs a phone; ``drawn``: the picture comes next."""
    how = "scan this with the phone, or open there" if drawn else "open on the phone"
    text = f"Within ten minutes, {how}:\n\n    {page.address}\n\n"
    if not page.secure:
        text += _describe_need(page)
    if page.local:
        text += "This address is for this machine alone: `kvass config url` sets the one that a phone reaches.\n"
    return f"{text}Its page takes the code {code} as well.\n"


def _describe_need(page: Page) -> str:
    return f"A phone needs https at the hub, and {page.url.removesuffix('/app/')} has none: see contrib/doc/phone.md\n"
