"""The cipher of blocks and of lists: the same plaintext has the same key, and so the same ciphertext.

AES-256-CTR under a key that is an HMAC of the plaintext's hash: a stream cipher that uses each key for one plaintext. It is
a synthetic IV as in RFC 5297 (SIV), but as a key, for WebCrypto has no SIV. What authenticates is the hash, which stands beside
the key in a list whose own hash and key stand in the head, which a proof covers.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..block import HASH_BYTES
from ..tuples import NamedTuple
from .errors import Spoiled
from .keys import Keys, compute_mac

Data = bytes | memoryview

_START = bytes(16)
"""The counter block that all streams begin with: no key has a second one. A block takes 16,384 of the 2^128."""


class Reference(NamedTuple):
    """What opens a block or list, and tells whether it is the right one: the ``hash`` of the plaintext, and the ``key``."""

    hash: bytes
    key: bytes


def hash_block(data: Data) -> bytes:
    """Return the SHA-256 of a block, by which stores name it."""
    return hashlib.sha256(data).digest()


def refer(keys: Keys, hash_: bytes) -> Reference:
    """Return the reference to the block or list with a hash."""
    return Reference(hash_, compute_mac(keys.blocks, hash_))


def split_reference(data: bytes) -> Reference:
    """Return the reference that stands in a list or head."""
    return Reference(data[:HASH_BYTES], data[HASH_BYTES:])


def apply_stream(key: bytes, data: Data) -> bytes:
    """Encrypt or decrypt a block or list, which is the same."""
    return Cipher(algorithms.AES(key), modes.CTR(_START)).encryptor().update(data)


def seal_block(keys: Keys, block: Data, hash_: bytes | None = None) -> bytes:
    """Return a block as the hub has it; ``hash_`` is its hash where that is known, which takes most of the time."""
    return apply_stream(refer(keys, hash_ or hash_block(block)).key, block)


def seal_last(keys: Keys, block: bytes, hash_: bytes, padded: int) -> bytes:
    """Return the last block of a value as the hub has it, with zeros up to ``padded`` bytes.

    The key is that of the block alone. It encrypts the block and any number of zeros, so nothing but one stream of bytes.
    """
    return apply_stream(refer(keys, hash_).key, block + bytes(padded - len(block)))


def open_block(reference: Reference, sealed: Data, size: int) -> bytes:
    """Return the ``size`` bytes of a block or list that the hub has with its padding.

    Raises:
        Spoiled: it is another one, or damaged.
    """
    data = apply_stream(reference.key, sealed)
    block = data if len(data) == size else data[:size]
    if len(block) != size or hash_block(block) != reference.hash:
        raise Spoiled("a block is missing, or is not the one that it was")
    if not is_zero(memoryview(data)[size:]):
        raise Spoiled("a block is followed by something else than zeros")
    return block


def is_zero(data: Data) -> bool:
    """Return True if there is nothing but zeros."""
    return not bytes(data).strip(b"\0")
