"""What devices and a hub say to each other, read along at a proxy between them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from devices import key_of  # which makes tests.support.proxy known

from kvassfs.sync import block_messages, messages
from kvassfs.sync.seal import Seal
from tests.support.proxy import Direction

_REQUEST = re.compile(rb"POST /(\w+) ")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Stream:
    """Messages over HTTP in one direction of a connection, put together from pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take a piece; give head and body of each message that is complete with it."""
        self._buffer += data
        while len(self._buffer) >= self._needed:
            end = self._buffer.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            head = bytes(self._buffer[:end])
            length = _LENGTH.search(head)
            self._needed = end + (int(length[1]) if length else 0)
            if len(self._buffer) >= self._needed:
                yield head, bytes(self._buffer[end : self._needed])
                del self._buffer[: self._needed]
                self._needed = 0


class Listener:
    """A tap for a proxy that counts what arrives complete: entries by their keys and versions, blocks by their hashes.

    ``pushed`` counts entries in pushes, ``sent`` blocks on their way to the hub, ``fetched`` blocks on their way to
    the device, and ``requests`` the calls.
    """

    def __init__(self, key: bytes) -> None:
        self.pushed: Counter[tuple[str, int, int]] = Counter()
        self.sent: Counter[bytes] = Counter()
        self.fetched: Counter[bytes] = Counter()
        self.requests: Counter[str] = Counter()
        self._seal = Seal(key)
        self._streams: defaultdict[tuple[int, Direction], Stream] = defaultdict(Stream)
        self._asked: defaultdict[int, list[str]] = defaultdict(list)

    def __call__(self, connection: int, direction: Direction, data: bytes) -> None:
        """Take bytes that were forwarded."""
        for head, body in self._streams[connection, direction].feed(data):
            if direction is Direction.TO_HUB:
                self._note_request(connection, head, body)
            elif self._asked[connection].pop(0) == "blocks" and b" 200 " in head[:16]:
                found = block_messages.decode_blocks_response(self._seal.unseal(body))[1]
                self.fetched.update(hashlib.sha256(block).digest() for block in found if block is not None)

    def _note_request(self, connection: int, head: bytes, body: bytes) -> None:
        found = _REQUEST.match(head)
        call = found[1].decode() if found else ""
        self._asked[connection].append(call)
        self.requests[call] += 1
        if call == "push":
            entries = (delivery.entry for delivery in messages.decode_push(self._seal.unseal(body)))
            self.pushed.update((entry.key, entry.timestamp, entry.counter) for entry in entries)
        elif call == "blocks":
            blocks = block_messages.decode_blocks_request(self._seal.unseal(body)).put
            self.sent.update(hashlib.sha256(block).digest() for block in blocks)


def repeated(counted: Counter[bytes] | Counter[tuple[str, int, int]]) -> int:
    """Return how many came again after the first time."""
    return sum(counted.values()) - len(counted)


__all__ = ["Listener", "key_of", "repeated"]
