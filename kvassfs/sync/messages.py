"""The messages between replicas: pushes, pulls and their responses as the bytes that are sealed, and back.

They are those of the original program, which ignores what is added to them. All are JSON.
"""

from __future__ import annotations

import base64
import hashlib
from binascii import a2b_base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..echo import find_echoes, without_echoes
from ..entry import MAX_NUMBER, Delivery
from ..errors import InvalidMessage
from ..replica import NOBODY, Incarnation, KnownEcho
from ..tuples import NamedTuple
from .entry_messages import ENTRY_FIELDS, decode_entries, encode_entry
from .limits import HUB_LIMITS
from .message_fields import (
    decode_json,
    encode_bytes,
    encode_json,
    encode_names,
    read_names,
    read_number,
    require_kind,
)

VERSION = 2
"""The version of the protocol; that of the original program is 1 and names none."""

# Every message names its kind, an array in each of its entries; the original ignores that. What was sent in one direction is
# never taken for a message in the other, nor one call for another.
_PUSH = {"Type": "push"}
_PUSH_RESPONSE = {"Type": "push answer"}
_PULL = {"Type": "pull"}
_PULL_RESPONSE = {"Type": "pull answer"}

# The fields of messages of programs that name no kind.
_PUSH_RESPONSE_FIELDS = frozenset({"Request", "Counter", "ProcessID", "Time", "Incarnations", "Missing"})
_PULL_FIELDS = frozenset({"Counter", "ProcessID", "Version", "Wait", "MaxBytes", "Device", "Names"})
_PULL_RESPONSE_FIELDS = frozenset(
    {"Request", "Entries", "Counter", "More", "Clock", "ProcessID", "Time", "Incarnations", "Written", "Names"}
)


class PushResponse(NamedTuple):
    """What a hub of version 2 says to a push.

    ``missing`` are the hashes of blocks without which it could not merge the entries that have them. The last of its
    ``incarnations`` is the one that responds.
    """

    digest: str
    clock: int
    process_id: int
    time: int
    missing: bytes = b""
    incarnations: Sequence[Incarnation] = ()


class PullRequest(NamedTuple):
    """What a replica asks its hub for: entries from the sequence ``first`` on that ``process_id`` did not write.

    ``device`` is its own process id. ``wait`` is for how many seconds the hub may wait until there is something,
    ``max_bytes`` limits the page. ``names`` are those of devices by their process ids, its own among them.
    """

    first: int
    process_id: int
    version: int = 1
    wait: float = 0.0
    max_bytes: int = HUB_LIMITS.page_bytes
    device: int = NOBODY
    names: Mapping[int, str] = {}


class PullResponse(NamedTuple):
    """What a hub says to a pull; ``digest`` is ``None`` from one of version 1.

    It holds what there is up to the sequence ``cursor``; ``more``: there are further entries. ``written`` is the
    greatest counter of an entry that the asking device has written. ``names`` are as in a request. ``echoes`` came from a
    hub of version 1, by their keys. ``unreadable`` are the keys of entries that cannot be read.
    """

    deliveries: list[Delivery]
    cursor: int
    digest: str | None = None
    more: bool = False
    clock: int = 0
    process_id: int = 0
    time: int = 0
    incarnations: Sequence[Incarnation] = ()
    written: int = 0
    names: Mapping[int, str] = {}
    echoes: Mapping[str, KnownEcho] = {}
    unreadable: Sequence[str] = ()


def compute_digest(body: bytes) -> str:
    """Return what names a request in the response to it: the SHA-256 of its sealed body in hex."""
    return compute_long_digest([body])


def compute_long_digest(pieces: Iterable[bytes]) -> str:
    """Return the same for a body in pieces."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


# Push


def encode_push(deliveries: Iterable[Delivery]) -> bytes:
    """Return the message that pushes entries."""
    return encode_json([encode_entry(delivery, delivery.entry.counter) | _PUSH for delivery in deliveries])


def decode_push(plaintext: bytes | bytearray) -> list[Delivery]:
    """Return the entries of a push. Their sequence is the writer's counter."""
    message = decode_json(plaintext)
    for fields in message if isinstance(message, list) else ():
        if isinstance(fields, dict):
            require_kind(fields, _PUSH["Type"], ENTRY_FIELDS)
    return without_echoes(decode_entries(message))


def encode_push_response(response: PushResponse) -> bytes:
    """Return the message that responds to a push."""
    message: dict[str, Any] = {
        "Request": response.digest,
        "Counter": response.clock,
        "ProcessID": response.process_id,
        "Time": response.time,
        "Incarnations": response.incarnations,
    }
    if response.missing:
        message["Missing"] = encode_bytes(response.missing)
    return encode_json(message | _PUSH_RESPONSE)


def decode_push_response(plaintext: bytes) -> PushResponse:
    """Return the response to a push."""
    message = require_kind(decode_json(plaintext), _PUSH_RESPONSE["Type"], _PUSH_RESPONSE_FIELDS)
    try:
        missing = a2b_base64(message.get("Missing", ""), strict_mode=True)
    except (TypeError, ValueError) as error:
        raise InvalidMessage("its list of missing blocks cannot be read") from error
    return PushResponse(
        str(message.get("Request")),
        read_number(message, "Counter"),
        read_number(message, "ProcessID", 0),
        read_number(message, "Time", 0),
        missing,
        _decode_incarnations(message.get("Incarnations", [])),
    )


def _decode_incarnations(pairs: Any) -> list[Incarnation]:
    try:
        found = [Incarnation(*pair) for pair in pairs]
    except TypeError as error:
        raise InvalidMessage("its incarnations cannot be read") from error
    if not all(type(number) is int and 0 <= number <= MAX_NUMBER for pair in found for number in pair):
        raise InvalidMessage("its incarnations cannot be read")
    return found


# Pull


def encode_pull_request(request: PullRequest) -> bytes:
    """Return the message that asks for entries."""
    return encode_json(
        {
            "Counter": request.first,
            "ProcessID": request.process_id,
            "Version": request.version,
            "Wait": request.wait,
            "MaxBytes": request.max_bytes,
            "Device": request.device,
        }
        | _PULL
        | encode_names(request.names)
    )


def decode_pull_request(plaintext: bytes, max_bytes: int = HUB_LIMITS.page_bytes) -> PullRequest:
    """Return the request of a pull; the page that it asks for is no larger than ``max_bytes``."""
    message = require_kind(decode_json(plaintext), _PULL["Type"], _PULL_FIELDS)
    wait = message.get("Wait", 0)
    if type(wait) not in {int, float} or not 0 <= wait <= MAX_NUMBER:
        raise InvalidMessage("its Wait is no number of seconds")
    return PullRequest(
        read_number(message, "Counter"),
        read_number(message, "ProcessID"),
        read_number(message, "Version", 1),
        float(wait),
        min(max(read_number(message, "MaxBytes", max_bytes), 1), max_bytes),
        read_number(message, "Device", NOBODY),
        read_names(message),
    )


def encode_pull_response(response: PullResponse) -> bytes:
    """Return the message that responds to a pull of version 2."""
    return encode_json(
        {
            "Request": response.digest,
            "Entries": [encode_entry(delivery, delivery.sequence) for delivery in response.deliveries],
            "Counter": response.cursor,
            "More": response.more,
            "Clock": response.clock,
            "ProcessID": response.process_id,
            "Time": response.time,
            "Incarnations": response.incarnations,
            "Written": response.written,
        }
        | _PULL_RESPONSE
        | encode_names(response.names)
    )


def decode_pull_response(plaintext: bytes, *, leave_out: bool = False) -> PullResponse:
    """Return the response to a pull, of either version.

    An array from this program is none: its hubs send one to devices of the original program alone. ``leave_out``: entries that
    cannot be read are left out; otherwise the response is refused.
    """
    message = decode_json(plaintext)
    unreadable: list[str] = []
    left_out = unreadable if leave_out else None
    if message is None or isinstance(message, list):
        if any(isinstance(fields, dict) and "Type" in fields for fields in message or ()):
            raise InvalidMessage("it is no answer to this program")
        deliveries = decode_entries(message, left_out)
        cursor = max((delivery.sequence for delivery in deliveries), default=0)
        return PullResponse(
            without_echoes(deliveries), cursor, echoes=find_echoes(deliveries), unreadable=tuple(unreadable)
        )
    message = require_kind(message, _PULL_RESPONSE["Type"], _PULL_RESPONSE_FIELDS)
    if "Entries" not in message:
        raise InvalidMessage("it has no entries")
    return PullResponse(
        without_echoes(decode_entries(message.get("Entries"), left_out)),
        read_number(message, "Counter"),
        str(message.get("Request")),
        message.get("More") is True,
        read_number(message, "Clock", 0),
        read_number(message, "ProcessID", 0),
        read_number(message, "Time", 0),
        _decode_incarnations(message.get("Incarnations", [])),
        read_number(message, "Written", 0),
        read_names(message),
        unreadable=tuple(unreadable),
    )


# For the original program


def encode_array(entries: Iterable[tuple[Delivery, Iterable[bytes]]], *, pushed: bool) -> Iterator[bytes]:
    """Yield the array of entries that the original program takes, in pieces, with whole values.

    Each entry comes with the pieces of its value. ``pushed``: it is a push and not the response to a pull.
    """
    separator = b"["
    for delivery, pieces in entries:
        counter = delivery.entry.counter if pushed else delivery.sequence
        fields = encode_entry(delivery._replace(value=b"", blocks=b""), counter)
        before, _, after = encode_json(fields | (_PUSH if pushed else _PULL_RESPONSE)).partition(b'"Value":"')
        yield separator + before + b'"Value":"'
        yield from _encode_pieces(pieces)
        yield after
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def _encode_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the base64 form of a value that comes in pieces."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) - len(data) % 3
        yield base64.b64encode(data[:whole])
        rest = data[whole:]
    yield base64.b64encode(rest)
