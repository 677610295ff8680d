"""Sealing of message bodies with AES-256-GCM.

A body is ``nonce(12) || ciphertext || tag(16)`` without associated data, as in the original program.

A long body is read twice: ``TagCheck`` looks whether its tag is valid and keeps nothing of what it decrypts, and only then
``Seal.unseal_checked`` hands out the plaintext. So nobody without the key has much of theirs held, or anything read.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import Undecipherable
from ..tuples import NamedTuple

NONCE_BYTES = 12
"""Bytes of the random nonce; NIST SP 800-38D, section 5.2.1.1, recommends 96 bits."""

TAG_BYTES = 16

Body = bytes | mmap.mmap
"""A sealed body; one that is in a file need not be in memory as well."""

LARGE = 2 * 1024 * 1024
"""Bytes of a body beyond which its tag is checked before any of its plaintext is held: pages of devices are shorter, and
messages of blocks, which it would take twice the time."""

CHECKED_PIECE = 64 * 1024
"""Bytes that are checked in one call, some 30 µs: `cryptography` keeps all other threads from running meanwhile."""

CHECKED_TURN = 8 * CHECKED_PIECE
"""Bytes that are checked before others have their turn."""

UNSEALED_PIECE = 256 * 1024
"""Bytes in a piece of plaintext."""


class LongBody(Protocol):
    """A sealed body that need not be in memory, for any thread."""

    def __len__(self) -> int:
        """Return its length in bytes."""

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes of it from ``start`` on; fewer if it is there no more."""


def read_pieces(body: LongBody) -> Iterator[bytes]:
    """Yield a body in pieces, as it was sent."""
    return (body.read(start, CHECKED_PIECE) for start in range(0, len(body), CHECKED_PIECE))


def read_mark(body: LongBody) -> bytes:
    """Return what tells a sealed body from all others: its nonce and its tag."""
    return body.read(0, NONCE_BYTES) + body.read(max(len(body) - TAG_BYTES, 0), TAG_BYTES)


def compute_mark(body: LongBody) -> str:
    """Return what names a request in the response to it at no cost, where both sides know that: its mark in hex."""
    return read_mark(body).hex()


class HeldBody:
    """A body that can be seen at once."""

    def __init__(self, body: Body) -> None:
        self._view = memoryview(body)

    def __len__(self) -> int:
        """Return its length in bytes."""
        return len(self._view)

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes of it from ``start`` on; fewer at the end."""
        return bytes(self._view[start : start + size])


class CheckedBody(NamedTuple):
    """A body whose tag is valid under ``key``; one that is not ``LARGE`` has its plaintext with it."""

    body: LongBody
    key: bytes
    plaintext: bytearray | None = None


class TagCheck:
    """Looks in short turns whether a body was sealed with ``key``. For one thread at a time.

    Raises:
        Undecipherable: it is too short for that.
    """

    def __init__(self, key: bytes, body: LongBody) -> None:
        size = len(body) - NONCE_BYTES - TAG_BYTES
        self._checked = CheckedBody(body, key, bytearray(size) if 0 <= size <= LARGE else None)
        self._done = 0
        self._pieces = _decrypt(key, body, CHECKED_PIECE)

    def advance(self) -> CheckedBody | None:
        """Go on for one turn; return the body once the tag was found to be valid.

        Raises:
            Undecipherable: it was sealed with another key, or is damaged.
        """
        kept = self._checked.plaintext
        for _ in range(CHECKED_TURN // CHECKED_PIECE):
            piece = next(self._pieces, None)
            if piece is None:
                return self._checked
            if kept is not None:
                kept[self._done : self._done + len(piece)] = piece
                self._done += len(piece)
        return None


def _decrypt(key: bytes, body: LongBody, size: int) -> Iterator[memoryview]:
    """Yield what a body decrypts to, in pieces that are good until the next one; at the end look at its tag."""
    end = len(body) - TAG_BYTES
    if end < NONCE_BYTES:
        raise Undecipherable
    decryptor = Cipher(algorithms.AES(key), modes.GCM(body.read(0, NONCE_BYTES))).decryptor()
    plaintext = bytearray(size + _BLOCK)
    for start in range(NONCE_BYTES, end, size):
        piece = body.read(start, min(size, end - start))
        yield memoryview(plaintext)[: decryptor.update_into(piece, plaintext)]
    try:
        decryptor.finalize_with_tag(body.read(end, TAG_BYTES))
    except InvalidTag:
        raise Undecipherable from None


_BLOCK = 16
"""Bytes by which `update_into` wants its buffer to be longer."""


class Seal:
    """Seals and opens bodies under the 32-byte ``key``. ``random(n)`` returns n random bytes."""

    def __init__(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, plaintext: bytes) -> bytes:
        """Return the sealed body of ``plaintext``."""
        nonce = self._random(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, None)

    def seal_joined(self, pieces: Sequence[bytes | memoryview]) -> bytes:
        """Return the sealed body of a plaintext that is large and comes in pieces.

        To join them, encrypt that and join once more takes six times as long, as memory that is new is what costs most.
        So it is encrypted into what becomes the body: a file in memory is the one thing that can be written and is
        handed out as bytes without a copy.
        """
        end = NONCE_BYTES + sum(map(len, pieces))
        nonce = self._random(NONCE_BYTES)
        file = io.BytesIO()
        file.write(nonce)
        file.seek(end)
        file.write(bytes(TAG_BYTES))
        encryptor = Cipher(algorithms.AES(self._key), modes.GCM(nonce)).encryptor()
        with file.getbuffer() as body:
            at = NONCE_BYTES
            for piece in pieces:
                at += encryptor.update_into(piece, body[at:])
            encryptor.finalize()
            body[end:] = encryptor.tag
        return file.getvalue()

    def seal_stream(self, plaintext: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a sealed body piece by piece, so that memory does not grow with it."""
        nonce = self._random(NONCE_BYTES)
        encryptor = Cipher(algorithms.AES(self._key), modes.GCM(nonce)).encryptor()
        yield nonce
        for piece in plaintext:
            yield encryptor.update(piece)
        yield encryptor.finalize() + encryptor.tag

    def unseal(self, body: Body) -> bytes:
        """Return the plaintext of a sealed body. Of a large one that is not sealed with the key, none is held in memory.

        Raises:
            Undecipherable: it was sealed with another key, or is damaged.
        """
        if len(body) < NONCE_BYTES + TAG_BYTES:
            raise Undecipherable
        view = memoryview(body)
        try:
            if len(view) > LARGE:
                for _ in _decrypt(self._key, HeldBody(body), UNSEALED_PIECE):
                    pass
            return self._cipher.decrypt(view[:NONCE_BYTES], view[NONCE_BYTES:], None)
        except InvalidTag:
            raise Undecipherable from None

    def check(self, body: LongBody) -> TagCheck:
        """Return the check whether a long body was sealed with this key."""
        return TagCheck(self._key, body)

    def unseal_checked(self, checked: CheckedBody) -> Iterator[bytes]:
        """Yield the plaintext of a body that was checked.

        Raises:
            Undecipherable: it was checked with another key.
        """
        if checked.key != self._key:
            raise Undecipherable
        yield from map(bytes, _decrypt(self._key, checked.body, UNSEALED_PIECE))

    def open(self, body: bytes | CheckedBody) -> tuple[bytes | bytearray, LongBody]:
        """Return the plaintext of a body, and the body itself; where it was checked, it is not large.

        Raises:
            Undecipherable: it was sealed with another key, or checked with one, or is damaged.
        """
        if isinstance(body, bytes):
            return self.unseal(body), HeldBody(body)
        if body.key != self._key or body.plaintext is None:
            raise Undecipherable
        return body.plaintext, body.body
