"""Claiming a store at a hub for many: the person's first device makes the key, and gives it to the hub once."""

from __future__ import annotations

import os
from binascii import a2b_base64
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import HubFailed, InvalidMessage, NotAHub, Undecipherable
from ..remote.address import parse_base_url, show_address
from ..store import Store
from ..sync.message_fields import decode_json, encode_bytes, encode_json, require_object
from ..sync.messages import compute_digest
from ..sync.seal import Seal
from .calls import Remote
from .errors import AtAnotherHub, CannotClaim, ClaimRefused
from .messages import KEY_BYTES

MAX_CLAIM = 1024
"""Bytes of a request or response about a claim."""

GONE_STATUS = 410
"""The HTTP status where the code claims no store."""

MAX_CODE = 128
"""Characters of a code."""


class Claim(NamedTuple):
    """What the first device sends: the code, and the key that it has made."""

    code: str
    key: bytes


def split_claim(text: str) -> tuple[str, str]:
    """Return the address of the store and the code of what a host hands out, ``https://HUB/s/NAME#CODE``.

    Raises:
        CannotClaim: it is something else, or the key would travel in the clear.
        InvalidConfiguration: no hub can be at the address.
    """
    address, _, code = text.strip().partition("#")
    if not code or len(code) > MAX_CODE:
        raise CannotClaim("a claim is an address with a code behind #, as `kvass hub add` prints it")
    url = urlsplit(parse_base_url(address))
    if url.scheme != "https" and not _is_loopback(url.hostname or ""):
        raise CannotClaim("the hub is given a key, so its address begins with https://")
    return address, code


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_claims(store: Store) -> None:
    """Return if a store can be given to another hub.

    Raises:
        AtAnotherHub: it has one; and was not sealed just now, with a key that this one has not got.
    """
    if (remote := store.settings.config().remote) and not store.sealed.is_anew():
        raise AtAnotherHub(show_address(remote))


def claim_store(remote: Remote, claim: Claim) -> None:
    """Give the hub a key; on return it has it. Again with the same key is no error.

    Raises:
        ClaimRefused: the code claims no store, or no longer.
        SyncError: the hub is not to be reached, or is none.
    """
    body = encode_claim(claim)
    try:
        response = remote.post("claim", body)
    except HubFailed as error:
        if error.status == GONE_STATUS:
            raise ClaimRefused from error
        raise
    try:
        digest = decode_proof(Seal(claim.key).unseal(bytes(response)))
    except (InvalidMessage, Undecipherable):
        digest = ""
    if digest != compute_digest(body):
        raise NotAHub(remote.address, "its response is not that of a hub")


def encode_claim(claim: Claim) -> bytes:
    """Return the message that claims a store."""
    return encode_json({"Type": "claim", "Code": claim.code, "Key": encode_bytes(claim.key)})


def decode_claim(body: bytes) -> Claim:
    """Return what a device sends.

    Raises:
        InvalidMessage
    """
    message = require_object(decode_json(body))
    try:
        claim = Claim(message["Code"], a2b_base64(message["Key"], strict_mode=True))
        claim.code.encode()  # what is no text is no code
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidMessage("it is of another kind") from error
    if message.get("Type") != "claim" or len(claim.code) > MAX_CODE or len(claim.key) != KEY_BYTES:
        raise InvalidMessage("it is of another kind")
    return claim


def encode_claim_response(body: bytes, key: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return the response to the request ``body``, sealed with the key that it gave: so nobody else has made it."""
    return Seal(key, random).seal(encode_proof(compute_digest(body)))


def encode_proof(digest: str) -> bytes:
    """Return what a hub says that has taken the claim with a digest."""
    return encode_json({"Type": "claim response", "Request": digest})


def decode_proof(plaintext: bytes | bytearray) -> str:
    """Return the digest of the claim that a hub has taken.

    Raises:
        InvalidMessage
    """
    message = require_object(decode_json(plaintext))
    if message.get("Type") != "claim response":
        raise InvalidMessage("it is of another kind")
    return str(message.get("Request"))
