"""A joiner that has the fragment, written from contrib/doc/protocol.md with what the standard library and `cryptography` have."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kvassfs.pairing import messages
from kvassfs.pairing.calls import Remote
from kvassfs.pairing.messages import Handover, JoinRequest

RANDOM_BYTES = 32
NONCE_BYTES = 12


def split_fragment(text: str) -> tuple[int, bytes]:
    """Return the number of the mailbox, and the key."""
    data = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    return data[0], data[1:]


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 without salt, for one block."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\1", "sha256")


class Phone:
    """One pairing of a page that has scanned ``fragment``."""

    def __init__(self, fragment: str, random: Callable[[int], bytes] = os.urandom) -> None:
        self.number, self._key = split_fragment(fragment)
        self._random = random
        self.share = b"F" + random(RANDOM_BYTES)
        self._shares = b""

    def derive(self, purpose: str) -> bytes:
        return hkdf(self._key, f"kvass pair 1 fragment {purpose} {self.number}".encode())

    def confirm(self, role: str) -> bytes:
        return hmac.digest(self.derive(f"{role} confirmation"), self._shares, "sha256")

    def reply(self, share: bytes, introduction: bytes) -> bytes:
        self._shares = share + self.share
        nonce = self._random(NONCE_BYTES)
        sealed = nonce + AESGCM(self.derive("joiner key")).encrypt(nonce, introduction, None)
        return self.share + self.confirm("joiner") + sealed

    def open(self, answer: bytes) -> bytes:
        assert hmac.compare_digest(answer[:32], self.confirm("device"))
        return AESGCM(self.derive("device key")).decrypt(answer[32:44], answer[44:], None)

    def send(self, remote: Remote, name: str) -> bytes:
        """Leave a message in the mailbox, and return the answer; ``b""`` says that the fragment is a wrong one."""
        share = messages.decode_join_response(self._join(remote, None)).share
        message = self.reply(share, messages.encode_introduction(name))
        answer = messages.decode_join_response(self._join(remote, message)).answer
        assert answer is not None
        return answer

    def _join(self, remote: Remote, message: bytes | None) -> bytes:
        return bytes(remote.post("join", messages.encode_join_request(JoinRequest(self.number, message))))

    def receive(self, remote: Remote, name: str) -> Handover:
        """Return what the device hands over."""
        return messages.decode_handover(self.open(self.send(remote, name)))
