"""What devices and a hub say to each other, read along at a proxy between them."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from kvassfs.entry import Delivery
from kvassfs.errors import Undecipherable
from kvassfs.sync import block_messages, messages
from kvassfs.sync.seal import Seal
from tests.support.proxy import Direction

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class HttpStream:
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


class Request(NamedTuple):
    """A request that reached the hub; `entries` are those of a push."""

    call: str
    entries: list[Delivery]


class Recorder:
    """Writes down what arrives complete through a `Proxy` that has it as its tap.

    `requests` are those of devices; `sent` counts the blocks on their way to the hub by their hashes, `fetched` those
    on their way to a device. What is sealed with another key than `key` holds nothing.
    """

    def __init__(self, key: bytes) -> None:
        self.requests: list[Request] = []
        self.sent: Counter[bytes] = Counter()
        self.fetched: Counter[bytes] = Counter()
        self._seal = Seal(key)
        self._lock = threading.Lock()
        self._streams: defaultdict[tuple[int, Direction], HttpStream] = defaultdict(HttpStream)
        self._calls: defaultdict[int, list[str]] = defaultdict(list)

    def __call__(self, connection: int, direction: Direction, data: bytes) -> None:
        """Take bytes that were forwarded."""
        for head, body in self._streams[connection, direction].feed(data):
            if direction is Direction.TO_HUB:
                self._note_request(connection, head, body)
            elif (calls := self._calls[connection]) and calls.pop(0) == "blocks" and b" 200 " in head[:16]:
                self._note_fetched(body)

    def _note_request(self, connection: int, head: bytes, body: bytes) -> None:
        call = head.split()[1].decode().strip("/")
        self._calls[connection].append(call)
        entries: list[Delivery] = []
        with suppress(Undecipherable):
            if call == "push":
                entries = messages.decode_push(self._seal.unseal(body))
            elif call == "blocks":
                blocks = block_messages.decode_blocks_request(self._seal.unseal(body)).put
                self.sent.update(hashlib.sha256(block).digest() for block in blocks)
        with self._lock:
            self.requests.append(Request(call, entries))

    def _note_fetched(self, body: bytes) -> None:
        with suppress(Undecipherable):
            blocks = block_messages.decode_blocks_response(self._seal.unseal(body))[1]
            self.fetched.update(hashlib.sha256(block).digest() for block in blocks if block is not None)

    def count(self) -> int:
        """Return how many requests there were so far."""
        return len(self.requests)

    def pushed(self, since: int = 0) -> list[Delivery]:
        """Return the entries that the hub was handed, in order, from the request number `since` on."""
        return [delivery for request in self.requests[since:] for delivery in request.entries]

    def pushed_versions(self) -> Counter[tuple[str, int, int]]:
        """Return how often each version, a key with its timestamp and counter, was handed to the hub."""
        entries = (delivery.entry for delivery in self.pushed())
        return Counter((entry.key, entry.timestamp, entry.counter) for entry in entries)


def repeated(counted: Counter[bytes] | Counter[tuple[str, int, int]]) -> int:
    """Return how many came again after the first time."""
    return sum(counted.values()) - len(counted)
