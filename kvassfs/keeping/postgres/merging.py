"""What becomes of a push, decided from what is known: pure. ``kvassfs/store/merging.py`` does it for a store with history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from ...block import pair_runs, split_hashes
from ...conflict import follows
from ...entry import Delivery, Entry, have_same_value
from ...errors import InvalidMessage, OutOfRange
from ...store import MAX_LEAP, Sizes
from ...verdict import Verdict, judge


class Version(NamedTuple):
    """The current version of a key, as a store has it: with its value, or the id of the list of its blocks."""

    entry: Entry
    sequence: int
    data: bytes | None
    content: int | None


class Run(NamedTuple):
    """Blocks of a value from ``position`` on that are all equal."""

    position: int
    hash: bytes
    times: int


class Known(NamedTuple):
    """What a store has of the keys of a push.

    ``versions`` by key, their ``data`` aside; ``lengths`` of the blocks that the push names, by hash; ``counters``, the
    greatest of each writer that was pushed; and its clock.
    """

    versions: dict[str, Version]
    lengths: Mapping[bytes, int]
    counters: Mapping[int, int]
    clock: int


class Plan(NamedTuple):
    """What a push changes.

    Attributes:
        known: keys that the store has a version of.
        clock: of the store, afterwards.
        written: versions that are new, by key.
        handed_out: sequences with which versions that stay are handed out anew, by key.
        runs: the blocks of values, by their lists' ids.
        blocks: blocks that came whole, by hash.
        dropped: lists of blocks that no version has any more.
        ended: versions whose addresses lead nowhere any more.
        missing: hashes of blocks that are not there.
        entries, size: by how much the number of entries, and the bytes of short values, grow.
    """

    known: Collection[str]
    clock: int
    written: dict[str, Version]
    handed_out: dict[str, int]
    runs: dict[int, list[Run]]
    blocks: dict[bytes, bytes]
    dropped: list[int]
    ended: list[Entry]
    missing: list[bytes]
    entries: int
    size: int


def list_wanted(deliveries: Sequence[Delivery]) -> list[bytes]:
    """Return the hashes of the blocks that deliveries name, each once."""
    return list(dict.fromkeys(hash_ for delivery in deliveries for hash_ in split_hashes(delivery.blocks)))


def plan_merge(deliveries: Sequence[Delivery], known: Known, sizes: Sizes) -> Plan:
    """Decide what becomes of what a device has pushed.

    Raises:
        OutOfRange: a counter is so far ahead of the clock that nobody can have counted so far.
        InvalidMessage: a value's size does not fit its blocks.
    """
    furthest = known.clock + MAX_LEAP
    for delivery in deliveries:
        if max(delivery.sequence, delivery.entry.counter) > furthest:
            raise OutOfRange(delivery.entry.key, "counter", max(delivery.sequence, delivery.entry.counter))
    planner = _Planner(known, sizes)
    for delivery in deliveries:
        planner.add(delivery)
    return planner.plan()


class _Planner:
    """Decides for one delivery after the other; one key may come several times."""

    def __init__(self, known: Known, sizes: Sizes) -> None:
        self._known = known
        self._sizes = sizes
        self._versions = dict(known.versions)
        self._clock = known.clock
        self._written: dict[str, Version] = {}
        self._handed_out: dict[str, int] = {}
        self._runs: dict[int, list[Run]] = {}
        self._blocks: dict[bytes, bytes] = {}
        self._dropped: list[int] = []
        self._ended: list[Entry] = []
        self._missing: list[bytes] = []
        self._size = 0

    def plan(self) -> Plan:
        added = len(self._versions) - len(self._known.versions)
        return Plan(
            self._known.versions.keys(),
            self._clock,
            self._written,
            self._handed_out,
            self._runs,
            self._blocks,
            self._dropped,
            self._ended,
            self._missing,
            added,
            self._size,
        )

    def add(self, delivery: Delivery) -> None:
        entry = delivery.entry
        self._clock = max(self._clock, delivery.sequence, entry.counter)
        current = self._versions.get(entry.key)
        verdict = judge(None if current is None else current.entry, entry, pushed=True)
        if verdict is Verdict.ACCEPT:
            self._accept(delivery, current)
        elif verdict is Verdict.REJECT and current is not None and self._is_news(delivery, current):
            self._hand_out(current)

    def _is_news(self, delivery: Delivery, current: Version) -> bool:
        """Return True if the sender is to learn of the version that wins; it has not been sent that after this one.

        What was written after seeing the sequence of the current one has a counter beyond it, as clocks go.
        """
        entry = delivery.entry
        was_here = (
            have_same_value(current.entry, entry)
            or follows(current.entry, entry)
            or entry.counter <= self._known.counters.get(entry.process_id, -1)
        )
        return not was_here or delivery.sequence > current.sequence

    def _hand_out(self, current: Version) -> None:
        self._clock += 1
        key = current.entry.key
        self._versions[key] = current._replace(sequence=self._clock)
        if key in self._written:
            self._written[key] = self._versions[key]
        else:
            self._handed_out[key] = self._clock

    def _accept(self, delivery: Delivery, current: Version | None) -> None:
        entry = delivery.entry
        keeps_value = current is not None and have_same_value(current.entry, entry)
        if not keeps_value and delivery.value is None and (missing := self._find_missing(delivery)):
            self._missing += missing
            return
        self._clock += 1
        if current is not None and keeps_value:
            version = Version(entry, self._clock, current.data, current.content)
        else:
            version = Version(entry, self._clock, *self._take_value(delivery))
            if current is not None:
                self._drop(current)
            self._size += len(version.data or b"")
        self._versions[entry.key] = self._written[entry.key] = version
        self._handed_out.pop(entry.key, None)

    def _drop(self, current: Version) -> None:
        self._ended.append(current.entry)
        if current.content is None:
            self._size -= current.entry.size
        elif self._runs.pop(current.content, None) is None:  # else it came with this very push
            self._dropped.append(current.content)

    def _find_missing(self, delivery: Delivery) -> list[bytes]:
        return [
            hash_
            for hash_ in dict.fromkeys(split_hashes(delivery.blocks))
            if hash_ not in self._known.lengths and hash_ not in self._blocks
        ]

    def _take_value(self, delivery: Delivery) -> tuple[bytes | None, int | None]:
        """Return a short value; or ``None``, and the id of the list of blocks of a large one."""
        size, value = delivery.entry.size, delivery.value
        if value is not None and len(value) <= self._sizes.inline:
            return value, None
        if value is None:
            runs = list_runs(delivery, self._sizes)
            self._check_lengths(size, runs)
        else:
            runs = self._split(value)
        self._runs[self._clock] = runs
        return None, self._clock

    def _split(self, value: bytes) -> list[Run]:
        runs, length = [], self._sizes.block
        for position in range(self._sizes.count(len(value))):
            block = value[position * length : (position + 1) * length]
            hash_ = sha256(block).digest()
            self._blocks[hash_] = block
            runs.append(Run(position, hash_, 1))
        return runs

    def _check_lengths(self, size: int, runs: Sequence[Run]) -> None:
        for position, hash_, times in runs:
            length = len(self._blocks[hash_]) if hash_ in self._blocks else self._known.lengths[hash_]
            if {length} != {self._sizes.length(size, at) for at in (position, position + times - 1)}:
                raise InvalidMessage("a block of a value is shorter or longer than it must be")


def list_runs(delivery: Delivery, sizes: Sizes) -> list[Run]:
    """Return the blocks of a value that travels in blocks.

    Raises:
        InvalidMessage: they are more or fewer than its size has.
    """
    runs, position = [], 0
    for hash_, times in pair_runs(delivery.blocks, delivery.counts):
        runs.append(Run(position, hash_, times))
        position += times
    if position != sizes.count(delivery.entry.size):
        raise InvalidMessage("the size of a value does not fit the number of its blocks")
    return runs
