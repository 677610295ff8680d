"""How fast a sealed store makes what its hub keeps, and opens it: nothing but that, on one processor. See README.md here.

Processor time, as the figures are to be compared on machines that others use. ``wanted``: as fast as a network.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import deque
from collections.abc import Callable
from itertools import cycle, islice

import checkout  # noqa: F401

from kvassfs.block import BLOCK_SIZE
from kvassfs.entry import Delivery, Entry
from kvassfs.veil.block_cipher import hash_block, open_block, refer, seal_block
from kvassfs.veil.deliveries import open_delivery, seal_delivery
from kvassfs.veil.head import open_head
from kvassfs.veil.keys import derive_keys, hide_version
from kvassfs.veil.values import read_head, read_value, seal_stream

KEYS = derive_keys(bytes(range(32)))

WANTED = 300
"""MB a second."""


def measure(work: Callable[[], object], rounds: int) -> float:
    """Return the seconds of the processor that the fastest of some rounds took."""
    found = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)


def report_rate(name: str, size: int, seconds: float, wanted: int = WANTED) -> None:
    """Print a rate, and whether it is what is wanted."""
    rate = size / seconds / 1e6
    print(f"{name:44} {rate:8,.0f} MB/s   {'met' if rate >= wanted else 'NOT MET'}: ≥ {wanted}")


def report_each(name: str, count: int, seconds: float) -> None:
    """Print what one of many takes."""
    print(f"{name:44} {seconds / count * 1e6:8.1f} µs each")


def measure_blocks(megabytes: int, rounds: int) -> None:
    """Measure blocks one after another, each a different one."""
    blocks = [os.urandom(BLOCK_SIZE) for _ in range(max(1, megabytes * 10**6 // BLOCK_SIZE))]
    size = len(blocks) * BLOCK_SIZE
    hashes = [hash_block(block) for block in blocks]
    references = [refer(KEYS, hash_) for hash_ in hashes]
    sealed = [seal_block(KEYS, block) for block in blocks]

    def make() -> None:
        for block, hash_ in zip(blocks, hashes, strict=True):
            hash_block(seal_block(KEYS, block, hash_))

    def open_all() -> None:
        for reference, data in zip(references, sealed, strict=True):
            open_block(reference, data, BLOCK_SIZE)

    report_rate("seal blocks, and hash what comes of them", size, measure(make, rounds))
    report_rate("open blocks, and check them", size, measure(open_all, rounds))
    report_rate("for comparison: SHA-256 of them", size, measure(lambda: list(map(hash_block, blocks)), rounds))


def measure_stream(megabytes: int, rounds: int) -> None:
    """Measure a large value as a whole, with lists and head."""
    blocks = [os.urandom(BLOCK_SIZE) for _ in range(16)]
    count = max(1, megabytes * 10**6 // BLOCK_SIZE)
    entry = Entry("a/large/file", 1, 1, 1, "token", count * BLOCK_SIZE)
    outside = hide_version(KEYS, entry)

    def make() -> deque[bytes]:
        return deque(seal_stream(KEYS, outside, entry, islice(cycle(blocks), count)), maxlen=1)

    (rest,) = make()
    sealed, size = [seal_block(KEYS, block) for block in blocks], count * BLOCK_SIZE + len(rest)

    def read(start: int, length: int) -> bytes:
        number = start // BLOCK_SIZE
        return sealed[number % 16] if number < count else rest[start - count * BLOCK_SIZE :][:length]

    def open_all() -> None:
        head = open_head(KEYS, outside, read_head(read, size))
        assert sum(map(len, read_value(head, read))) == entry.size

    report_rate("seal a large value as a stream", entry.size, measure(make, rounds))
    report_rate("open it as a stream", entry.size, measure(open_all, rounds))


def measure_entries(count: int, size: int, rounds: int) -> None:
    """Measure entries with values of ``size`` bytes, as they are pushed and pulled."""
    value = os.urandom(size)
    deliveries = [
        Delivery(Entry(f"documents/{number}/file.txt", 10**15, number, 7, f"{number:022}", size, 0o100644), 0, value)
        for number in range(1, count + 1)
    ]
    sealed = [made for delivery in deliveries if (made := seal_delivery(KEYS, delivery)) is not None]

    def make() -> None:
        for delivery in deliveries:
            seal_delivery(KEYS, delivery)

    def open_all() -> None:
        for delivery in sealed:
            open_delivery(KEYS, delivery, lambda _: b"")

    report_each(f"seal entries of {size:,} bytes", count, measure(make, rounds))
    report_each(f"open entries of {size:,} bytes", count, measure(open_all, rounds))


def main() -> None:
    """Measure all, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=200, help="of large values")
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small amounts, one round")
    options = parser.parse_args()
    if options.quick:
        options.megabytes, options.entries, options.rounds = 20, 1000, 1
    measure_blocks(options.megabytes, options.rounds)
    measure_stream(options.megabytes, options.rounds)
    for size in (40, 1000, 60_000):
        measure_entries(max(1, options.entries * 100 // max(100, size)), size, options.rounds)


if __name__ == "__main__":
    main()
