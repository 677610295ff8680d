"""Sealed values and entries, and a hub that keeps their blocks in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from kvassfs.block import BLOCK_SIZE, pair_runs
from kvassfs.entry import Delivery, Entry
from kvassfs.share_link import ShareLink
from kvassfs.veil.block_cipher import Data, hash_block, seal_block
from kvassfs.veil.deliveries import Opened, find_sources, make_blocks, open_delivery, open_source, seal_delivery
from kvassfs.veil.head import Head, open_head
from kvassfs.veil.keys import Keys, Outside, derive_keys, encode_url, hide_key, hide_version
from kvassfs.veil.links import make_link
from kvassfs.veil.values import Read, check_length, read_head, read_value, seal_value

KEYS = derive_keys(bytes(range(32)))

OTHER_KEYS = derive_keys(bytes(32))

FILE = 0o100644


def make_entry(key: str = "a/b", size: int = 0, mode: int | None = FILE, **others: Any) -> Entry:
    """Return a version of a key, with the token of a number that may be given as ``counter``."""
    counter = others.get("counter", 5)
    token = encode_url(hash_block(f"{counter}".encode())[:16])
    return Entry(key, 1_000_000, 5, 1001, token, size, mode)._replace(**others)


def random_bytes(size: int, seed: int = 0) -> bytes:
    return Random(seed).randbytes(size)


def make_links(count: int, key: str = "a/b") -> list[ShareLink]:
    random = Random(count).randbytes
    return [make_link(KEYS, hide_key(KEYS, key), expires=0, once=False, random=random) for _ in range(count)]


def read_from(data: bytes) -> Read:
    return lambda start, size: data[start : start + size]


def seal(entry: Entry, value: bytes, links: Iterable[ShareLink] = (), keys: Keys = KEYS) -> bytes:
    return seal_value(keys, hide_version(keys, entry), entry, value, list(links))


def open_value(outside: Outside, sealed: bytes, keys: Keys = KEYS) -> tuple[Head, bytes]:
    """Return the head and the value of what the hub has of an entry, as a device opens it."""
    read = read_from(sealed)
    head = open_head(keys, outside, read_head(read, len(sealed)))
    check_length(head, len(sealed))
    return head, b"".join(read_value(head, read))


class Blocks:
    """The blocks of a device, by their hashes."""

    def __init__(self, *values: bytes) -> None:
        self.found: dict[bytes, bytes] = {}
        for value in values:
            self.add(value)

    def add(self, value: bytes) -> bytes:
        """Take the blocks of a value, and return their hashes, joined."""
        blocks = [value[start : start + BLOCK_SIZE] for start in range(0, len(value), BLOCK_SIZE)]
        self.found |= {hash_block(block): block for block in blocks}
        return b"".join(map(hash_block, blocks))

    def read(self, hash_: bytes) -> bytes:
        return self.found[hash_]

    def find_sealed(self, hash_: bytes) -> bytes:
        return hash_block(seal_block(KEYS, self.found[hash_]))


class SealedHub:
    """What a hub has of values in blocks, and how a device gets them there and back."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.fetched: list[bytes] = []

    def push(self, delivery: Delivery, blocks: Blocks, links: Iterable[ShareLink] = ()) -> tuple[Delivery, int]:
        """Take an entry and the blocks that are missing; return it, and the bytes of these."""
        sealed = seal_delivery(KEYS, delivery, list(links), blocks)
        assert sealed is not None
        missing = {hash_ for hash_, _ in pair_runs(sealed.blocks, sealed.counts)} - self.blocks.keys()
        size = 0
        for block in make_blocks(KEYS, delivery, list(links), blocks, missing):
            self.blocks[hash_block(block)] = block
            size += len(block)
        assert missing <= self.blocks.keys()
        return sealed, size

    def fetch(self, hash_: bytes) -> Data:
        self.fetched.append(hash_)
        return self.blocks.get(hash_, b"")

    def pull(self, sealed: Delivery) -> tuple[Delivery, bytes]:
        """Open an entry; return it, and the value that its blocks make."""
        opened = open_delivery(KEYS, sealed, self.fetch)
        if opened.value is not None:
            return opened, opened.value
        runs = pair_runs(opened.blocks, opened.counts)
        blocks = dict(self._open_blocks(Opened(sealed, opened), {hash_ for hash_, _ in runs}))
        return opened, b"".join(blocks[hash_] * times for hash_, times in runs)

    def _open_blocks(self, opened: Opened, wanted: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for source in find_sources(opened, wanted):
            yield source.hash, open_source(KEYS, source, self.fetch(source.sealed))
