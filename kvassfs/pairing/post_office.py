"""The mailboxes of a hub: what device and joiner leave there for each other. The hub understands none of it.

Decided purely, on lists of mailboxes; ``PostOffice`` reads and writes them.
"""

from __future__ import annotations

import base64
import hmac
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..keeping.keeper import MailboxKeeper
from ..store import Mailbox
from ..sync.hub import MAX_WAIT
from ..sync.messages import compute_digest
from ..sync.seal import Seal
from . import messages
from .code import LARGEST_NUMBER
from .errors import CodeGone, TooManyMailboxes
from .messages import JoinRequest, JoinResponse, PairRequest, PairResponse

LIFETIME = 600
"""Seconds that a mailbox stays."""

MAX_OPEN = 8
"""Mailboxes that are open at a time."""

MAX_ENDED = 32
"""Mailboxes that are remembered after their end, until their time is over."""

JOIN_WAIT = 10.0
"""Seconds for which a joiner's message is held back at most until there is an answer."""

_SECOND = 1_000_000


def drop_expired(mailboxes: Sequence[Mailbox], now: int) -> list[Mailbox]:
    """Return the mailboxes whose time is not over. A clock that was set back leaves none for longer than it may be."""
    return [each for each in mailboxes if now < each.expires <= now + LIFETIME * _SECOND]


def find_by_ticket(mailboxes: Sequence[Mailbox], ticket: str) -> Mailbox | None:
    """Return the device's mailbox, unless it has ended."""
    return next((each for each in mailboxes if each.ticket == ticket and not each.ended), None)


def find_for_joiner(mailboxes: Sequence[Mailbox], request: JoinRequest) -> Mailbox:
    """Return the mailbox that a joiner may use: one in which nobody has left another message.

    Raises:
        CodeGone: there is none, whatever the reason.
    """
    own = _encode(request.message) or ""
    for each in mailboxes:
        is_there = each.number == request.mailbox and each.share and not each.ended
        if is_there and (each.message is None or hmac.compare_digest(each.message, own)):
            return each
    raise CodeGone


def open_mailbox(mailboxes: Sequence[Mailbox], ticket: str, now: int, number: int) -> list[Mailbox]:
    """Return the mailboxes with a new one, whose number is the next free one from ``number`` on.

    A ticket that was used is good for no second one: a request may be recorded and sent again.

    Raises:
        TooManyMailboxes: as many are open as may be.
    """
    if any(each.ticket == ticket for each in mailboxes):
        return list(mailboxes)
    if sum(not each.ended for each in mailboxes) >= MAX_OPEN:
        raise TooManyMailboxes
    taken = {each.number for each in mailboxes}
    while number in taken:
        number = number % LARGEST_NUMBER + 1
    return [*mailboxes, Mailbox(number, ticket, now + LIFETIME * _SECOND)]


def end_mailbox(mailboxes: Sequence[Mailbox], ticket: str) -> list[Mailbox]:
    """Return the mailboxes with the one of this ticket emptied; the latest that have ended are remembered."""
    kept = [
        Mailbox(each.number, ticket, each.expires, ended=True) if each.ticket == ticket else each for each in mailboxes
    ]
    ended = [each for each in kept if each.ended]
    return [each for each in kept if each not in ended[:-MAX_ENDED]]


def replace(mailboxes: Sequence[Mailbox], changed: Mailbox) -> list[Mailbox]:
    """Return the mailboxes with one of them changed."""
    return [changed if each.ticket == changed.ticket else each for each in mailboxes]


class PostOffice:
    """Responds to devices and joiners from ``store``, for the one thread that has it.

    ``clock`` returns ns since the epoch, ``random(n)`` n random bytes. Every method raises a MessageError for a request
    that cannot be used, a PairingError and a StoreError.
    """

    def __init__(
        self,
        keeper: MailboxKeeper,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keeper = keeper
        self._clock = clock
        self._random = random

    def serve(self, body: bytes) -> DeviceErrand:
        """Do what a sealed request of the device asks for; what it waits for is in the errand."""
        seal = Seal(self._keeper.read_key(), self._random)
        request = messages.decode_pair_request(seal.unseal(body))
        self._keeper.change_mailboxes(lambda before: self._change(drop_expired(before, self.now()), request))
        return DeviceErrand(self, request, seal, compute_digest(body))

    def _change(self, mailboxes: list[Mailbox], request: PairRequest) -> list[Mailbox]:
        if request.end:
            return end_mailbox(mailboxes, request.ticket)
        if not request.share and request.answer is None:
            return open_mailbox(mailboxes, request.ticket, self.now(), self._random(1)[0] % LARGEST_NUMBER + 1)
        own = find_by_ticket(mailboxes, request.ticket)
        if own is None:
            return mailboxes
        share, answer = own.share or _encode(request.share) or "", own.answer
        if answer is None and own.message is not None:
            answer = _encode(request.answer)
        return replace(mailboxes, own._replace(share=share, answer=answer))

    def receive(self, body: bytes) -> JoinerErrand:
        """Do what a request of a joiner, who may be anybody, asks for."""
        request = messages.decode_join_request(body)
        found = find_for_joiner(self.read(), request)
        if request.message is not None and found.message is None:
            self._change_found(request, message=_encode(request.message))  # another may have been quicker
        return JoinerErrand(self, request)

    def note_fetched(self, request: JoinRequest) -> None:
        """Note that a joiner gets the answer."""
        self._change_found(request, fetched=True)

    def _change_found(self, request: JoinRequest, **fields: Any) -> None:
        """Change the mailbox that a joiner may use."""

        def change(before: list[Mailbox]) -> list[Mailbox]:
            mailboxes = drop_expired(before, self.now())
            return replace(mailboxes, find_for_joiner(mailboxes, request)._replace(**fields))

        self._keeper.change_mailboxes(change)

    def read(self) -> list[Mailbox]:
        """Return the mailboxes whose time is not over."""
        return drop_expired(self._keeper.read_mailboxes(), self.now())

    def now(self) -> int:
        """Return the time in µs since the epoch."""
        return self._clock() // 1000


class DeviceErrand:
    """A request of a device: ``respond`` may be called again until there is a response, for ``wait`` seconds at most."""

    def __init__(self, office: PostOffice, request: PairRequest, seal: Seal, digest: str) -> None:
        self._office = office
        self._request = request
        self._seal = seal
        self._digest = digest
        self.wait = min(request.wait, MAX_WAIT)

    def respond(self, *, patient: bool) -> bytes | None:
        """Return the sealed response; ``None``: what the device waits for is not there, and it is ``patient``."""
        own = find_by_ticket(self._office.read(), self._request.ticket)
        if own is not None and patient and not self._is_there(own):
            return None
        return self._seal.seal(messages.encode_pair_response(self._describe(own)))

    def _is_there(self, own: Mailbox) -> bool:
        if self._request.answer is not None:
            return own.fetched
        return own.message is not None or not self._request.share

    def _describe(self, own: Mailbox | None) -> PairResponse:
        if own is None:
            return PairResponse(self._digest, 0)
        seconds = (own.expires - self._office.now()) // _SECOND
        return PairResponse(self._digest, own.number, seconds, _decode(own.message), own.fetched)


class JoinerErrand:
    """A request of a joiner, as that of a device."""

    def __init__(self, office: PostOffice, request: JoinRequest) -> None:
        self._office = office
        self._request = request
        self.wait = 0.0 if request.message is None else JOIN_WAIT

    def respond(self, *, patient: bool) -> bytes | None:
        """Return the response; ``None``: there is no answer yet, and the joiner is ``patient``.

        Raises:
            CodeGone: the mailbox has ended meanwhile.
        """
        found = find_for_joiner(self._office.read(), self._request)
        answered = self._request.message is not None and found.answer is not None
        if patient and not answered:
            return None
        if answered and not found.fetched:
            self._office.note_fetched(self._request)
        answer = _decode(found.answer) if answered else None
        return messages.encode_join_response(JoinResponse(_decode(found.share) or b"", answer))


def _encode(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _decode(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
