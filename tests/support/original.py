"""The original program's client and hub, as far as its peers can tell; tests/golden has what it really sends.

Facts that make it what it is: it takes whatever arrives, whatever the timestamps. Every entry that arrives gets a
counter of this process in place of its writer's. A hub hands out only what arrived with ``NeedsToBePushed``. A client
asks from the greatest counter that it has seen *including* that one, and leaves out of its push what it wrote before
it saw that.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kvassfs.sync.seal import Seal

Post = Callable[[str, bytes], bytes]
"""Sends a body to ``push`` or ``pull`` of a hub and returns the answer."""


class OriginalEntry(NamedTuple):
    """An entry as the original keeps it: one counter, and no notion of a file."""

    key: str
    value: bytes
    url_token: str
    timestamp: int
    process_id: int
    counter: int
    needs_push: bool


def text_of(entries: Iterable[OriginalEntry], *, indent: int | None = None) -> bytes:
    """Return the JSON of entries as Go's encoder writes it."""
    fields = [
        {
            "Key": entry.key,
            "Value": base64.b64encode(entry.value).decode(),
            "UrlToken": entry.url_token,
            "TimestampUnixMicro": entry.timestamp,
            "ProcessID": entry.process_id,
            "Counter": entry.counter,
            "NeedsToBePushed": entry.needs_push,
        }
        for entry in entries
    ]
    separators = (",", ":") if indent is None else (",", ": ")
    # Go writes an array that was never appended to as null.
    text = json.dumps(fields or None, ensure_ascii=False, indent=indent, separators=separators)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def entries_of(text: bytes) -> list[OriginalEntry]:
    """Return the entries of a message; Go ignores fields that it does not know, and takes a missing one for zero."""
    return [
        OriginalEntry(
            str(fields["Key"]),
            base64.b64decode(fields["Value"] or "", validate=True),
            str(fields["UrlToken"]),
            unsigned(fields["TimestampUnixMicro"], signed=True),
            unsigned(fields["ProcessID"], bits=32),
            unsigned(fields["Counter"]),
            fields["NeedsToBePushed"] is True,
        )
        for fields in json.loads(text) or []
    ]


def unsigned(number: object, *, bits: int = 64, signed: bool = False) -> int:
    """Return a number of JSON that fits Go's type."""
    assert type(number) is int
    assert -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) if signed else 0 <= number < 2**bits
    return number


class OriginalProcess:
    """What its client and its hub have in common: entries, a counter, and how they take in an entry."""

    def __init__(self, process_id: int, key: bytes, random: Callable[[int], bytes]) -> None:
        self.process_id = process_id
        self.seal = Seal(key, random)
        self.counter = 0
        self.remote_counter = 0
        self.entries: dict[str, OriginalEntry] = {}

    def values(self) -> dict[str, bytes]:
        """Return the keys that exist and their values."""
        return {key: entry.value for key, entry in self.entries.items() if entry.value}

    def take(self, entry: OriginalEntry, *, needs_push: bool) -> None:
        """Take an entry that arrives, in place of whatever is there."""
        self.remote_counter = max(self.remote_counter, entry.counter)
        self.counter = max(self.counter, entry.counter) + 1
        self.entries[entry.key] = entry._replace(counter=self.counter, needs_push=needs_push)

    def since(self, counter: int, not_from: int) -> list[OriginalEntry]:
        """Return what waits to be pushed from a counter on, in its order."""
        return sorted(
            (
                entry
                for entry in self.entries.values()
                if entry.needs_push and entry.counter >= counter and entry.process_id != not_from
            ),
            key=lambda entry: entry.counter,
        )


class OriginalClient(OriginalProcess):
    """A client of the original program. ``clock`` returns ns since the epoch, ``post`` reaches the hub."""

    def __init__(
        self, process_id: int, key: bytes, random: Callable[[int], bytes], clock: Callable[[], int], post: Post
    ) -> None:
        super().__init__(process_id, key, random)
        self._random = random
        self._clock = clock
        self._post = post

    def set(self, key: str, value: bytes) -> OriginalEntry:
        """Set a key; an empty value removes it."""
        self.counter += 1
        token = base64.urlsafe_b64encode(self._random(16)).rstrip(b"=").decode()
        entry = OriginalEntry(key, value, token, self._clock() // 1000, self.process_id, self.counter, needs_push=True)
        self.entries[key] = entry
        return entry

    def push(self) -> None:
        """Push what waits, but for what was written before the last pull brought something greater."""
        entries = self.since(self.remote_counter, not_from=0)
        if not entries:
            return
        self._post("push", self.seal.seal(text_of(entries)))
        for entry in entries:
            if self.entries[entry.key] == entry:
                self.entries[entry.key] = entry._replace(needs_push=False)

    def pull(self) -> None:
        """Take what the hub has."""
        request = {"Counter": self.remote_counter, "ProcessID": self.process_id}
        answer = self._post("pull", self.seal.seal(json.dumps(request, separators=(",", ":")).encode()))
        for entry in entries_of(self.seal.unseal(answer)):
            self.take(entry, needs_push=False)


class OriginalHub(OriginalProcess):
    """A hub of the original program."""

    def answer(self, call: str, body: bytes) -> bytes:
        """Return the body of the answer to ``push`` or ``pull``."""
        return self.push(body) if call == "push" else self.pull(body)

    def push(self, body: bytes) -> bytes:
        """Take the entries of a push."""
        for entry in entries_of(self.seal.unseal(body)):
            self.take(entry, needs_push=entry.needs_push)
        return b""

    def pull(self, body: bytes) -> bytes:
        """Hand out entries."""
        request = json.loads(self.seal.unseal(body))
        entries = self.since(unsigned(request["Counter"]), unsigned(request["ProcessID"], bits=32))
        return self.seal.seal(text_of(entries, indent=1))
