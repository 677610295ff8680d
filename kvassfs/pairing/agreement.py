"""Agreeing on a secret by a short code: SPAKE2, keys derived from it, and a confirmation of each side.

contrib/doc/protocol.md has the bytes. Version, roles and mailbox are part of the secret, so what was recorded of one pairing
fits no other. A joiner that has the fragment has the secret already, and only the keys follow from it. ``entropy(n)`` returns n
random bytes; each side is for one use.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B

from ..errors import MessageError
from ..sync.seal import Seal
from . import fragment as fragments
from .errors import WrongCode

if TYPE_CHECKING:
    from .code import Code
    from .fragment import Fragment

VERSION = 1
"""The version of pairing."""

SHARE_BYTES = 33
"""Bytes in a share: the side, and a point of Ed25519."""

CONFIRMATION_BYTES = 32

_DEVICE, _JOINER = "device", "joiner"

Entropy = Callable[[int], bytes]


def _label(what: str, number: int) -> bytes:
    return f"kvass pair {VERSION} {what} {number}".encode()


class _Secret:
    """What follows from the secret that both sides have; ``shares`` are those of both, the device's first.

    ``form`` stands before the purposes of its keys.
    """

    def __init__(self, secret: bytes, number: int, shares: bytes, form: str = "") -> None:
        self._secret = secret
        self._number = number
        self._shares = shares
        self._form = form

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=_label(f"{self._form}{purpose}", self._number)).derive(self._secret)

    def confirmation(self, role: str) -> bytes:
        """Return what only who has the secret can say in this role."""
        return hmac.digest(self._derive(f"{role} confirmation"), self._shares, "sha256")

    def seal(self, role: str, random: Entropy) -> Seal:
        """Return the seal of what is sent in this role."""
        return Seal(self._derive(f"{role} key"), random)


class _Side:
    """One side of an agreement."""

    _role: str
    _other: str
    _spake: type[Any]
    _joining: bool

    def __init__(self, code: Code, entropy: Entropy = os.urandom) -> None:
        identities = (_label(_DEVICE, code.number), _label(_JOINER, code.number))
        self._number = code.number
        self._entropy = entropy
        self._exchange = self._spake(str(code).encode(), *identities, entropy_f=entropy)
        self.share = bytes(self._exchange.start())

    def _agree(self, share: bytes) -> _Secret:
        """Return the secret that follows from the other side's share; a new one each time that the codes differ."""
        shares = share + self.share if self._joining else self.share + share
        try:
            if len(share) != SHARE_BYTES:
                raise ValueError("another length")
            return _Secret(self._exchange.finish(share), self._number, shares)
        except Exception as error:  # the package has a class of its own for each way in which a share is none
            raise WrongCode(joining=self._joining) from error

    def _send(self, secret: _Secret, text: bytes) -> bytes:
        return secret.confirmation(self._role) + secret.seal(self._role, self._entropy).seal(text)

    def _receive(self, secret: _Secret, data: bytes) -> bytes:
        """Check the confirmation of the other side, and then open what it has sealed."""
        confirmation, sealed = data[:CONFIRMATION_BYTES], data[CONFIRMATION_BYTES:]
        if not hmac.compare_digest(confirmation, secret.confirmation(self._other)):
            raise WrongCode(joining=self._joining)
        try:
            return secret.seal(self._other, self._entropy).unseal(sealed)
        except MessageError as error:
            raise WrongCode(joining=self._joining) from error


class DeviceSide(_Side):
    """The device that has the store, for a joiner that has the code or the fragment."""

    _role, _other, _spake, _joining = _DEVICE, _JOINER, SPAKE2_A, False

    def __init__(self, code: Code, fragment: Fragment, entropy: Entropy = os.urandom) -> None:
        super().__init__(code, entropy)
        self._fragment = fragment

    def open(self, message: bytes) -> bytes:
        """Return the introduction in the joiner's message, which shows that it has the code or the fragment.

        Raises:
            WrongCode: it has neither.
        """
        share = message[:SHARE_BYTES]
        has_fragment = share.startswith(fragments.SIDE)
        self._secret = self._derive_from_fragment(share) if has_fragment else self._agree(share)
        return self._receive(self._secret, message[SHARE_BYTES:])

    def _derive_from_fragment(self, share: bytes) -> _Secret:
        return _Secret(self._fragment.key, self._number, self.share + share, "fragment ")

    def answer(self, handover: bytes) -> bytes:
        """Return the answer to a message that ``open`` has opened."""
        return self._send(self._secret, handover)


class JoinerSide(_Side):
    """The device that joins."""

    _role, _other, _spake, _joining = _JOINER, _DEVICE, SPAKE2_B, True

    def reply(self, share: bytes, introduction: bytes) -> bytes:
        """Return the message for the device that has sent ``share``.

        Raises:
            WrongCode: it is no share.
        """
        self._secret = self._agree(share)
        return self.share + self._send(self._secret, introduction)

    def open(self, answer: bytes) -> bytes:
        """Return what the device hands over, which shows that it has the code.

        Raises:
            WrongCode: it does not, or says that we do not.
        """
        return self._receive(self._secret, answer)
