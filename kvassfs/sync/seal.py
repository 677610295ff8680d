"""Sealing of message bodies with AES-256-GCM.

A body is ``nonce(12) || ciphertext || tag(16)`` without associated data, as in the original program.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import Undecipherable

NONCE_BYTES = 12
"""Bytes of the random nonce; NIST SP 800-38D, section 5.2.1.1, recommends 96 bits."""

TAG_BYTES = 16

Body = bytes | mmap.mmap
"""A sealed body; one that is in a file need not be in memory as well."""

_LARGE = 1024 * 1024
"""Bytes of a body beyond which its tag is checked before any of its plaintext is held."""

_PIECE = 256 * 1024


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

    def seal_stream(self, plaintext: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a sealed body piece by piece, so that memory does not grow with it."""
        nonce = self._random(NONCE_BYTES)
        encryptor = Cipher(algorithms.AES(self._key), modes.GCM(nonce)).encryptor()
        yield nonce
        for piece in plaintext:
            yield encryptor.update(piece)
        yield encryptor.finalize() + encryptor.tag

    def unseal(self, body: Body) -> bytes:
        """Return the plaintext of a sealed body. Of one that is not sealed with the key, none is held in memory.

        Raises:
            Undecipherable: it was sealed with another key, or is damaged.
        """
        if len(body) < NONCE_BYTES + TAG_BYTES:
            raise Undecipherable
        view = memoryview(body)
        try:
            if len(view) > _LARGE:
                self._check_tag(view)
            return self._cipher.decrypt(view[:NONCE_BYTES], view[NONCE_BYTES:], None)
        except InvalidTag:
            raise Undecipherable from None

    def _check_tag(self, body: memoryview) -> None:
        """Raise ``InvalidTag`` if a body is not sealed with the key."""
        mode = modes.GCM(bytes(body[:NONCE_BYTES]), bytes(body[-TAG_BYTES:]))
        decryptor = Cipher(algorithms.AES(self._key), mode).decryptor()
        plaintext = bytearray(_PIECE + TAG_BYTES)
        for start in range(NONCE_BYTES, len(body) - TAG_BYTES, _PIECE):
            decryptor.update_into(body[start : min(start + _PIECE, len(body) - TAG_BYTES)], plaintext)
        decryptor.finalize()
