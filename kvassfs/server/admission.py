"""Which connections a hub keeps: what each may send and how long it may take, and which is given up for another. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final, NamedTuple

HEAD: Final = 64 * 1024
"""Bytes of a request beside its body, at most: request line and header fields, and again what frames and ends the body."""

URL: Final = 8 * 1024
"""Bytes of an address, at most: it is decoded by the event loop, before anything else is known."""

PIECES: Final = 512
"""Pieces of a body, at most, beside one for each ``PIECE`` bytes of it: each costs the event loop as much as many bytes."""

PIECE: Final = 128

FIELDS: Final = 256
"""Header fields of a request, its trailers included; each takes more memory than its bytes."""

PIPELINED: Final = 8
"""Requests that may wait on their connection for the responses to those before them."""

PER_ADDRESS: Final = 64
"""Connections of one client address, unless it is of this machine, where a proxy may be."""

MOST: Final = 2048
"""Connections of all clients."""

FEWEST: Final = 16
"""Connections that are taken however few descriptors there are."""

OWN_DESCRIPTORS: Final = 64
"""Descriptors for what is no connection: the database, its log, standard streams, sockets that listen."""


class Phase(Enum):
    """What a connection does."""

    HANDSHAKE = auto()
    """TLS is not spoken yet."""
    HEAD = auto()
    """The head of a request is not complete; in a new connection it need not have begun."""
    BODY = auto()
    """The body of a request is not complete, and nothing yet has shown that a device sends it."""
    SENDING = auto()
    """The same, on the connection of a device."""
    SERVING = auto()
    """A request is worked on, or the response is sent."""
    PAUSED = auto()
    """A refusal waits, as there were too many before it."""
    IDLE = auto()
    """It is kept for another request."""
    KEPT = auto()
    """The same, and a device has made requests on it that were sealed."""
    LEAVING = auto()
    """There will be no other request: what is written has yet to leave, or what is left of a request to come."""
    REFUSED = auto()
    """The refusal is written; what the client still sends is thrown away for a moment, lest it lose that."""


GIVEN_UP: Final = (
    Phase.REFUSED,
    Phase.LEAVING,
    Phase.PAUSED,
    Phase.HANDSHAKE,
    Phase.HEAD,
    Phase.IDLE,
    Phase.BODY,
    Phase.KEPT,
    Phase.SENDING,
)
"""What is given up for a new connection: the first of these first, in each what has been in it for longest."""


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there may be, and how many seconds each may take.

    Attributes:
        capacity: connections of all clients.
        per_address: connections of one client address, 0 for any number; ``None``: ``PER_ADDRESS``, and any number for
            this machine.
        handshake: for TLS.
        head: until the head of a request is complete; of a new connection, since it was made.
        idle: until the next request begins.
        leave: until the rest of a request has come, after its response.
        refused: for what is sent after a refusal.
        write: in which something of a response must be received, at least ``written`` bytes or the rest.
        written: see there.
    """

    capacity: int = MOST
    per_address: int | None = None
    handshake: float = 10.0
    head: float = 10.0
    idle: float = 75.0
    leave: float = 10.0
    refused: float = 2.0
    write: float = 30.0
    written: int = 16 * 1024

    def find_timeout(self, phase: Phase) -> float | None:
        """Return the seconds that a connection may be in a phase; ``None``: what works on the request decides."""
        return {
            Phase.HANDSHAKE: self.handshake,
            Phase.HEAD: self.head,
            Phase.IDLE: self.idle,
            Phase.KEPT: self.idle,
            Phase.LEAVING: self.leave,
            Phase.REFUSED: self.refused,
        }.get(phase)

    def find_share(self, place: str) -> int | None:
        """Return how many connections a place may have, ``None`` for any number."""
        if self.per_address is None:
            return None if is_here(place) else PER_ADDRESS
        return self.per_address or None


DEFAULT_LIMITS: Final = ConnectionLimits()


def decide_capacity(descriptors: int) -> int:
    """Return how many connections there may be with so many descriptors; as many are for files of requests."""
    return max(min(MOST, (descriptors - OWN_DESCRIPTORS) // 2), FEWEST)


@lru_cache(4096)
def find_place(address: str) -> str:
    """Return the address, or of IPv6 the network of 64 bits, any of which one host may have."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.is_loopback:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))


def is_here(place: str) -> bool:
    """Return True if a place is this machine."""
    try:
        return ipaddress.ip_address(place).is_loopback
    except ValueError:
        return False


class Progress(NamedTuple):
    """How far the conversation on a connection is.

    Attributes:
        refused: the last response was a refusal, and is written.
        closing: the connection is closed once what is written has left.
        busy: there is a request whose response is not complete.
        body_complete: the last request has come as a whole.
        begun: something of a next request has come.
        fresh: there was none so far.
        known: a device has made sealed requests.
        paused: the response is a refusal, which waits, as there were too many before it.
    """

    refused: bool = False
    closing: bool = False
    busy: bool = False
    body_complete: bool = True
    begun: bool = False
    fresh: bool = False
    known: bool = False
    paused: bool = False


def decide_phase(progress: Progress) -> Phase:
    """Return what a connection does that is so far."""
    if progress.refused:
        return Phase.REFUSED
    if progress.closing:
        return Phase.LEAVING
    if progress.busy and progress.paused:
        return Phase.PAUSED
    if progress.busy:
        if progress.body_complete:
            return Phase.SERVING
        return Phase.SENDING if progress.known else Phase.BODY
    if not progress.body_complete:
        return Phase.LEAVING
    if progress.begun or progress.fresh:
        return Phase.HEAD
    return Phase.KEPT if progress.known else Phase.IDLE


def rank(phases: Iterable[tuple[Phase, float]]) -> int | None:
    """Return which is to be given up of connections, of each its phase and since when; ``None``: each is needed."""
    ranked = [
        (GIVEN_UP.index(phase), since, number) for number, (phase, since) in enumerate(phases) if phase in GIVEN_UP
    ]
    return min(ranked)[2] if ranked else None


class Gauge:
    """Counts the bytes and fields of requests beside their bodies; each request may have as many as the last."""

    def __init__(self, limit: int = HEAD, fields: int = FIELDS) -> None:
        self._limit = limit
        self._body = 0
        self._pieces = 0
        self._most_fields = fields
        self._url = 0
        self._size = 0
        self._fields = 0
        self._loose = 0
        self._counted = 0
        self._turned = False

    def begin(self) -> None:
        """Count a request from now on."""
        self._url = self._size = self._fields = self._body = self._pieces = 0

    def turn(self) -> None:
        """Go from the head of a request to its body, or from that to the next."""
        self._turned = True

    def count_url(self, size: int) -> bool:
        """Count some more of the URL; return False if it is too long."""
        self._url += size
        return self._url <= URL

    def count_field(self, size: int) -> bool:
        """Count a field of the header or trailer; return False if that is too much."""
        self._size += size
        self._fields += 1
        return self._url + self._size <= self._limit and self._fields <= self._most_fields

    def count_body(self, size: int) -> bool:
        """Count a piece of a body, whose bytes are to be taken off those that came; return False if the pieces are too small."""
        self._counted += size
        self._turned = True
        self._body += size
        self._pieces += 1
        return self._pieces <= PIECES + self._body // PIECE

    def count_received(self, size: int) -> bool:
        """Count what has come, after what it holds was counted; return False if a head, or its like, does not end."""
        if self._turned:
            self._loose = 0
        else:
            self._loose += size - self._counted
        self._counted = 0
        self._turned = False
        return self._loose <= self._limit
