"""Entries, their order and what they can be: pure functions on immutable values."""

from __future__ import annotations

import binascii
import stat
from collections.abc import Callable

from .errors import InvalidKey
from .tuples import NamedTuple

TOKEN_BYTES = 16
"""Random bytes in a URL token, as in the original program."""

MAX_NUMBER = 2**53 - 1
"""Greatest timestamp and counter: every program that reads JSON reads numbers up to here exactly."""

MAX_RECEIVED = MAX_NUMBER + 1 - 2**32
"""Greatest timestamp and counter that is taken from others, and greatest timestamp that is given here."""

MAX_COUNTED = 2**40
"""Counters beyond this were not counted: a thousand changes a second make as many in thirty years."""

CLOCK_TOLERANCE = 1_000_000
"""Microseconds by which clocks may differ and still be taken to agree; what is measured is not more exact."""

MAX_TARGET = 4095
"""Bytes of the longest target of a symbolic link: Linux takes paths of PATH_MAX, with the NUL at their end."""

SEALED_NAME_LENGTH = 44
"""Characters of what a key of a sealed store is called at its hub, see ``kvassfs.veil.keys``; entries of others rarely look so."""

DEFAULT_MODE = stat.S_IFREG | 0o600
"""The type and permissions of an entry that carries no mode."""


class Entry(NamedTuple):
    """The state of one key, without the bytes of its value.

    ``timestamp`` is in microseconds since the Unix epoch, ``size`` in bytes. ``counter`` is the
    writer's Lamport clock and never changes afterwards. ``mode`` is the ``st_mode`` given by the
    mount that wrote the entry, or ``None``. ``mod_time`` is the ``st_mtime`` (ns) that somebody gave the file, or ``None``
    where it is the time of the save. ``seen`` is what the writer had seen of the key (see ``kvassfs.conflict``), or ``None``
    where that is not known; ``origin`` the version that wrote the value, if this one keeps it and changes something else.
    """

    key: str
    timestamp: int
    counter: int
    process_id: int
    url_token: str
    size: int
    mode: int | None = None
    mod_time: int | None = None
    seen: str | None = None
    origin: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether this is a tombstone: an empty value that no mount wrote as an empty file."""
        return self.size == 0 and self.mode is None

    @property
    def is_directory(self) -> bool:
        """Whether this is the entry of a directory, whose key ends in ``/``; it has no value."""
        return is_directory_mode(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether the key has a value, of no bytes maybe."""
        return not self.deleted and not self.is_directory

    @property
    def write(self) -> tuple[str, int, int, str]:
        """What names this version also where a hub of version 1 has changed its counter or lost its mode and time."""
        return (self.key, self.timestamp, self.process_id, self.url_token)

    @property
    def order(self) -> tuple[int, int, int]:
        """What decides between two versions of one key: the greater wins."""
        return (self.timestamp, self.counter, -self.process_id)

    @property
    def rank(self) -> tuple[bool, bool, bool, str, int, int, str, str]:
        """What decides where the order is equal.

        A hub of version 1 drops mode and time of a version, and what its writer had seen. And a hub that was set back to
        a backup may give out a counter once more.
        """
        return (
            self.mode is not None,
            self.mod_time is not None,
            self.seen is not None,
            self.url_token,
            self.mode or 0,
            self.mod_time or 0,
            self.seen or "",
            self.origin or "",
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is known to have come through no hub of version 1, which drops all this."""
        return self.mode is not None or self.mod_time is not None or self.seen is not None


class Delivery(NamedTuple):
    """An entry on its way from one replica to another.

    ``sequence`` is the clock of the replica that hands it out, when that merged it. ``value`` is ``None`` where
    the value travels in blocks; then ``blocks`` has their hashes, ``HASH_BYTES`` each, in order. ``counts`` says how
    often each block comes one after another; empty, where all come once.
    """

    entry: Entry
    sequence: int
    value: bytes | None
    blocks: bytes = b""
    counts: tuple[int, ...] = ()


def is_directory_mode(mode: int | None) -> bool:
    """Return True for the mode that the entry of a directory carries."""
    return mode is not None and stat.S_ISDIR(mode)


def have_same_value(one: Entry, other: Entry) -> bool:
    """Return True if two versions of a key are known to have the same value: they differ in mode, time or counter alone."""
    return one.url_token == other.url_token and one.size == other.size


def next_timestamp(now: int, replaced: int | None) -> int:
    """Return the timestamp of a new entry: the time ``now``, or a later one where ``replaced`` asks for that.

    A write made after seeing another beats it, however wrong the clocks are; ``replaced`` is the timestamp of that
    version of the same key. No other key has a say, or one moment with a wrong clock would date all that is written
    after it. Timestamps need not be unique: where they are equal the counters decide, and then the process ids. So
    what replaces the greatest one that others take can have it as well. All in microseconds.
    """
    return min(max(now, 0 if replaced is None else replaced + 1), MAX_RECEIVED)


def stamp_anew(timestamp: int, *, difference: int, now: int, floor: int | None) -> int:
    """Return the timestamp that a version of our own gets which no other device knows yet, before it is sent.

    What is ahead of the hub's clock, which says ``now``, was written with a wrong clock: it is moved by the present
    ``difference`` of the clocks, to ``now`` at most, and stays above ``floor``, the newest timestamp of the key
    that others know. Everything else keeps its own, also what is ahead by less than can be measured. All in microseconds.
    """
    if timestamp <= now + CLOCK_TOLERANCE:
        return timestamp
    return next_timestamp(min(timestamp + difference, now), floor)


def new_token(random: Callable[[int], bytes]) -> str:
    """Return a fresh URL token: 16 random bytes in base64url without padding.

    None begins with ``-``: a command would take that for an option.
    """
    # Without the module base64, which takes longer to load than a key to set.
    text = binascii.b2a_base64(random(TOKEN_BYTES), newline=False).rstrip(b"=").decode("ascii")
    token = text.replace("+", "-").replace("/", "_")
    return f"A{token[1:]}" if token.startswith("-") else token


LONGEST_KEY = 1024 * 1024
"""Characters of a key, at most: more than any program can name, as Linux takes an argument of 128 KiB and a path of 4 KiB."""


def check_key(key: str) -> str:
    """Return ``key`` if an entry can have it.

    Raises:
        InvalidKey: it is empty, too long, holds a NUL, or is not encodable as UTF-8.
    """
    if not key:
        raise InvalidKey(key, "it is empty")
    if len(key) > LONGEST_KEY:
        raise InvalidKey(f"{key[:40]}…", f"it has more than {LONGEST_KEY:,} characters")
    if "\0" in key:
        raise InvalidKey(key, "it holds a NUL character")
    if not is_text(key):
        raise InvalidKey(key, "it is not valid UTF-8")
    return key


def parent(prefix: str) -> str:
    """Return the prefix of the directory that holds a directory: ``"a/"`` of ``a/b/``."""
    return prefix[: prefix.rfind("/", 0, -1) + 1]


def directory_of(key: str) -> str:
    """Return the prefix of the directory that lists a key: ``"a/"`` of ``a/b`` and of ``a/``, ``""`` of ``a``."""
    return key[: key.rfind("/") + 1]


def is_target(value: bytes) -> bool:
    """Return whether a symbolic link can lead to ``value``: other targets, no system takes and no mount shows."""
    if not 0 < len(value) <= MAX_TARGET or b"\0" in value:
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_text(text: str) -> bool:
    """Return whether ``text`` is encodable as UTF-8: it holds no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
