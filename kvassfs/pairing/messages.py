"""The messages of pairing as the bytes that are sent, and back; contrib/doc/protocol.md explains every field."""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Any, NamedTuple

from ..entry import MAX_NUMBER
from ..errors import InvalidMessage
from ..replica import MAX_NAME
from ..sync.message_fields import decode_json, encode_bytes, encode_json, read_number, require_object
from .agreement import CONFIRMATION_BYTES, SHARE_BYTES, VERSION
from .code import LARGEST_NUMBER

MAX_JOIN = 4096
"""Bytes of a request or a response of ``/join``."""

MAX_PAIR = 4 * MAX_JOIN
"""Bytes of a response of ``/pair``, which may hold what a request of ``/join`` did."""

MAX_SECRET = 2900
"""Bytes of a message or an answer, which are in base64 there."""

KEY_BYTES = 32


class PairRequest(NamedTuple):
    """What the device that has the store asks of its mailbox."""

    ticket: str
    share: bytes = b""
    answer: bytes | None = None
    end: bool = False
    wait: float = 0.0


class PairResponse(NamedTuple):
    """What the hub says of it."""

    digest: str
    mailbox: int
    seconds: int = 0
    message: bytes | None = None
    fetched: bool = False


class JoinRequest(NamedTuple):
    """What the joiner asks of a mailbox."""

    mailbox: int
    message: bytes | None = None


class JoinResponse(NamedTuple):
    """What the hub says to it."""

    share: bytes
    answer: bytes | None = None


class Handover(NamedTuple):
    """What a device hands over; ``scratch`` is ``None`` where it says nothing of scratch patterns.

    ``sealed``: the hub of the store cannot read it.
    """

    name: str
    key: bytes
    remote: str
    public_url: str
    scratch: tuple[str, ...] | None = None
    sealed: bool = False


# The device and the hub


def encode_pair_request(request: PairRequest) -> bytes:
    """Return the message about a mailbox."""
    return encode_json(
        {
            "Type": "pair",
            "Version": VERSION,
            "Ticket": request.ticket,
            "Share": encode_bytes(request.share),
            "Answer": _encode_optional(request.answer),
            "End": request.end,
            "Wait": request.wait,
        }
    )


def decode_pair_request(plaintext: bytes) -> PairRequest:
    """Return the request about a mailbox."""
    message = _require_type(plaintext, "pair")
    _require_version(message)
    wait = message.get("Wait", 0)
    if type(wait) not in {int, float} or not 0 <= wait <= MAX_NUMBER:
        raise InvalidMessage("its Wait is no number of seconds")
    ticket = _read_text(message, "Ticket", 22)
    if not re.fullmatch(r"[A-Za-z0-9_-]{22}", ticket):
        raise InvalidMessage("its Ticket is none")
    share = _read_bytes(message, "Share", SHARE_BYTES) or b""
    if share and len(share) != SHARE_BYTES:
        raise InvalidMessage("its Share is none")
    answer = _read_bytes(message, "Answer", MAX_SECRET)
    return PairRequest(ticket, share, answer, message.get("End") is True, float(wait))


def encode_pair_response(response: PairResponse) -> bytes:
    """Return the message that responds to the device."""
    return encode_json(
        {
            "Type": "pair answer",
            "Request": response.digest,
            "Mailbox": response.mailbox,
            "Seconds": response.seconds,
            "Message": _encode_optional(response.message),
            "Fetched": response.fetched,
        }
    )


def decode_pair_response(plaintext: bytes) -> PairResponse:
    """Return the response to the device."""
    message = _require_type(plaintext, "pair answer")
    mailbox = read_number(message, "Mailbox")
    if not 0 <= mailbox <= LARGEST_NUMBER:
        raise InvalidMessage("its Mailbox is none")
    return PairResponse(
        str(message.get("Request")),
        mailbox,
        read_number(message, "Seconds", 0),
        _read_bytes(message, "Message", MAX_SECRET),
        message.get("Fetched") is True,
    )


# The joiner and the hub


def encode_join_request(request: JoinRequest) -> bytes:
    """Return the request of a joiner."""
    return encode_json({"Version": VERSION, "Mailbox": request.mailbox, "Message": _encode_optional(request.message)})


def decode_join_request(body: bytes) -> JoinRequest:
    """Return the request of a joiner, who may be anybody."""
    message = require_object(decode_json(body))
    _require_version(message)
    data = _read_bytes(message, "Message", MAX_SECRET)
    if data is not None and len(data) < SHARE_BYTES + CONFIRMATION_BYTES:
        raise InvalidMessage("its Message is none")
    return JoinRequest(read_number(message, "Mailbox"), data)


def encode_join_response(response: JoinResponse) -> bytes:
    """Return the response to a joiner."""
    return encode_json({"Share": encode_bytes(response.share), "Answer": _encode_optional(response.answer)})


def decode_join_response(body: bytes) -> JoinResponse:
    """Return the response to a joiner, which anybody may have sent."""
    message = require_object(decode_json(body))
    return JoinResponse(_read_bytes(message, "Share", SHARE_BYTES) or b"", _read_bytes(message, "Answer", MAX_SECRET))


# The two devices


def encode_introduction(name: str) -> bytes:
    """Return what the joiner says of itself."""
    return encode_json({"Type": "introduction", "Name": name})


def decode_introduction(plaintext: bytes) -> str:
    """Return the name of the joiner."""
    return _read_name(_require_type(plaintext, "introduction"))


def encode_handover(handover: Handover) -> bytes:
    """Return what a device hands over."""
    return encode_json(
        {
            "Type": "handover",
            "Name": handover.name,
            "Key": encode_bytes(handover.key),
            "Remote": handover.remote,
            "PublicUrl": handover.public_url,
            "Scratch": handover.scratch,
            "Sealed": handover.sealed,
        }
    )


def decode_handover(plaintext: bytes) -> Handover:
    """Return what a device hands over."""
    message = _require_type(plaintext, "handover")
    key = _read_bytes(message, "Key", KEY_BYTES)
    if key is None or len(key) != KEY_BYTES:
        raise InvalidMessage("its Key is none")
    return Handover(
        _read_name(message),
        key,
        _read_text(message, "Remote", MAX_SECRET),
        _read_text(message, "PublicUrl", MAX_SECRET),
        _read_patterns(message.get("Scratch")),
        message.get("Sealed") is True,
    )


# Fields


def _require_type(plaintext: bytes, kind: str) -> dict[str, Any]:
    message = require_object(decode_json(plaintext))
    if message.get("Type") != kind:
        raise InvalidMessage(f"its Type is not {kind!r}")
    return message


def _require_version(message: dict[str, Any]) -> None:
    if read_number(message, "Version") != VERSION:
        raise InvalidMessage(f"its Version is not {VERSION}")


def _read_text(message: dict[str, Any], name: str, largest: int) -> str:
    text = message.get(name, "")
    if not isinstance(text, str) or len(text) > largest or re.search("[\ud800-\udfff]", text):
        raise InvalidMessage(f"its {name} is no text that it can have")
    return text


def _read_name(message: dict[str, Any]) -> str:
    """Return a name as it can be shown: without control characters."""
    return "".join(filter(str.isprintable, _read_text(message, "Name", MAX_NAME)))


def _read_patterns(patterns: Any) -> tuple[str, ...] | None:
    if patterns is None:
        return None
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise InvalidMessage("its Scratch is no list of patterns")
    return tuple(patterns)


def _encode_optional(data: bytes | None) -> str | None:
    return None if data is None else encode_bytes(data)


def _read_bytes(message: dict[str, Any], name: str, largest: int) -> bytes | None:
    text = message.get(name)
    if text is None:
        return None
    try:
        data = a2b_base64(text, strict_mode=True)
    except (TypeError, ValueError) as error:
        raise InvalidMessage(f"its {name} cannot be read") from error
    if len(data) > largest:
        raise InvalidMessage(f"its {name} is too long")
    return data
