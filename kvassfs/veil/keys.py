"""The keys of a sealed store, the names of its keys, and what only its devices can compute."""

from __future__ import annotations

import struct
from binascii import b2a_base64
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..entry import SEALED_NAME_LENGTH, TOKEN_BYTES, Entry
from ..tuples import NamedTuple

KEY_BYTES = 32
"""Bytes of every key here: of AES-256, and of HMAC-SHA-256, whose security RFC 2104, section 3, ties to the length of the hash."""

_INFO = "kvass sealed 1 "
"""What HKDF's ``info`` begins with: RFC 5869, section 3.2, has it bind a key to its application."""

_NUMBER, _TWO_NUMBERS, _THREE_NUMBERS = struct.Struct(">I"), struct.Struct(">QQ"), struct.Struct(">QQQ")

OUTER_TOKEN_LENGTH = 22
"""Characters of the token of a version at the hub."""

_JOINED_LENGTH = SEALED_NAME_LENGTH + OUTER_TOKEN_LENGTH

_TO_URL = bytes.maketrans(b"+/", b"-_")


class Keys(NamedTuple):
    """The keys that follow from that of the store.

    ``access`` is the only one that a hub has: messages are sealed with it. ``names`` hides keys, ``blocks`` makes the
    keys of blocks and lists, ``versions`` those of versions and links, ``proofs`` what shows that a device made something.
    """

    access: bytes
    names: bytes
    blocks: bytes
    versions: bytes
    proofs: bytes


class Outside(NamedTuple):
    """What of a version stands outside of its sealed value, and is proven by that: at the hub everybody sees it."""

    name: str
    token: str
    timestamp: int
    process_id: int

    def join(self) -> bytes:
        """Return the same as bytes. Name and token have one length each, so that no others make the same.

        Raises:
            ValueError: name or token are none of a version.
        """
        name, token, timestamp, process_id = self
        text = f"{name}{token}".encode()
        if (
            not len(text) == len(name) + len(token) == _JOINED_LENGTH
            or len(name) != SEALED_NAME_LENGTH
            or name[0] != "~"
        ):
            raise ValueError("what stands outside is of no version")
        return text + _TWO_NUMBERS.pack(timestamp, process_id)


def derive_keys(secret: bytes) -> Keys:
    """Return the keys that follow from the 32 random bytes of a store (HKDF-SHA-256, RFC 5869).

    No salt: the secret is random as it is (section 3.1). One key has one purpose, so that what one of them is used for
    says nothing about the others.

    Raises:
        ValueError: the secret has another length.
    """
    if len(secret) != KEY_BYTES:
        raise ValueError(f"the secret of a store has {KEY_BYTES} bytes, not {len(secret)}")
    return Keys(*(_derive(secret, purpose) for purpose in Keys._fields))


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"{_INFO}{purpose}".encode()).derive(secret)


def compute_mac(key: bytes, text: bytes) -> bytes:
    """Return the HMAC-SHA-256 of a text: the function that keys are derived by, as WebCrypto has no HKDF of a derived key."""
    mac = _begin_mac(key).copy()
    mac.update(text)
    return mac.finalize()


@lru_cache(maxsize=16)
def _begin_mac(key: bytes) -> HMAC:
    """Return the HMAC under a key, of nothing yet. A store has four; to begin anew takes longer than a short text does."""
    return HMAC(key, SHA256())


def join_parts(*parts: bytes) -> bytes:
    """Return parts joined so that no others make the same bytes: each with its length before it."""
    pack = _NUMBER.pack
    joined = b""
    for part in parts:
        joined += pack(len(part)) + part
    return joined


def prove(keys: Keys, what: bytes, *parts: bytes) -> bytes:
    """Return what shows that a device has made something of these parts; ``what`` keeps kinds of things apart."""
    return compute_mac(keys.proofs, join_parts(what, *parts))


def encode_url(data: bytes) -> str:
    """Return base64url without padding (RFC 4648, section 5)."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def clear_highest_bit(data: bytes) -> bytes:
    """Return bytes whose base64url does not begin with ``-``: a command would take that for an option."""
    return bytes((data[0] & 0x7F,)) + data[1:]


def hide_key(keys: Keys, key: str) -> str:
    """Return the name that a key has at the hub. It is the same each time, and without the key N nobody can try keys."""
    return f"~{encode_url(compute_mac(keys.names, key.encode()))}"


def is_name(text: str) -> bool:
    """Return True if a key looks like the name of one; whether a device has made it, the proof beside it says."""
    return len(text) == SEALED_NAME_LENGTH and text[0] == "~" and text.isascii()


def is_outer_token(text: str) -> bool:
    """Return True if a text looks like the token of a version at the hub: those of links are longer."""
    return len(text) == OUTER_TOKEN_LENGTH and text.isascii()


def hide_version(keys: Keys, entry: Entry) -> Outside:
    """Return what stands of a version outside of its sealed value.

    Its token there follows from what names the version among all: another version has another one, even where it has the
    same value, and who seals the same version has the same one. Mode and the like are left out: where two devices hold
    a version of which one has lost its mode (a hub of version 1 drops it), the hub must take both for the same. It would
    decide between them by their tokens, and the devices by what they open, so neither would ever have the last word.
    """
    name = hide_key(keys, entry.key)
    numbers = _THREE_NUMBERS.pack(entry.timestamp, entry.counter, entry.process_id)
    digest = prove(keys, b"token", name.encode(), entry.url_token.encode(), numbers)
    token = encode_url(clear_highest_bit(digest[:TOKEN_BYTES]))
    return Outside(name, token, entry.timestamp, entry.process_id)


def derive_version_key(keys: Keys, outer_token: str) -> bytes:
    """Return the key of a version, C, which its address carries. Each has another one, as its token is another."""
    return compute_mac(keys.versions, outer_token.encode())
