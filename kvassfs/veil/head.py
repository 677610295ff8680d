"""The head of a sealed value: what describes a version, or all of a short one, and proves that a device has made it.

``seal_head`` and ``open_head`` are for devices. Who has an address opens a head too, by ``open_by_version_key`` or
``open_by_link_key``, and can make none.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..entry import Entry
from ..replica import NOBODY
from ..share_link import ShareLink
from ..tuples import NamedTuple
from .attributes import decode_attributes, encode_attributes
from .errors import CannotBeOpened, Forged, NewerForm, Spoiled
from .keys import Keys, Outside, derive_version_key, hide_key, prove
from .layout import INLINE_LIMIT, LONGEST_HEAD, Layout, lay_out, pad_body
from .links import MOST_WRAPS, WRAP_BYTES, choose_links, derive_link_key, make_wraps, open_wraps
from .lists import RUN_BYTES, ListRun, unpack_runs

VERSION = 1
"""The version of what is sealed: the first byte of a head."""

NONCE_BYTES = 12
"""Bytes of the nonce; NIST SP 800-38D, section 5.2.1.1, recommends 96 bits."""

PROOF_BYTES = 32
"""Bytes of the proof: all of an HMAC-SHA-256, as only devices look at it and none need type it."""

_PREFIX = struct.Struct(">BQ")
"""The version, and the writer's counter."""

_BEGINNING = struct.Struct(f">BQ{NONCE_BYTES}sI")
"""These, the nonce, and the length of the box."""

_LENGTH_BYTES = 4


class Head(NamedTuple):
    """An opened head. Of ``entry``, who has an address alone knows neither timestamp nor writer: they are 0.

    Attributes:
        entry: the version, as the store has it.
        value: its value, if that is short; ``None`` otherwise.
        lists: the lists of the blocks of a large value.
        length: bytes of the head.
        wraps: keys of the version for links, and the ``nonce`` with which they were wrapped.
    """

    entry: Entry
    value: bytes | None
    lists: list[ListRun]
    length: int
    wraps: list[bytes]
    nonce: bytes

    @property
    def layout(self) -> Layout:
        """The parts of the sealed value."""
        return lay_out(self.entry.size)


class _Parts(NamedTuple):
    """A head, taken apart."""

    counter: int
    prefix: bytes
    nonce: bytes
    box: bytes
    wraps: list[bytes]
    length: int


# Making


def seal_head(keys: Keys, outside: Outside, entry: Entry, content: bytes, links: Iterable[ShareLink] = ()) -> bytes:
    """Return the head of a version, of which the hub sees ``outside``; ``content`` is its value, or the lists of its blocks.

    ``links`` are the live ones of its key.

    Raises:
        ValueError: it is longer than a head can be.
    """
    joined = outside.join()
    body = _pad(encode_attributes(entry), content)
    prefix = _PREFIX.pack(VERSION, entry.counter)
    nonce = prove(keys, b"nonce", joined, body)[:NONCE_BYTES]
    version_key = derive_version_key(keys, outside.token)
    box = AESGCM(version_key).encrypt(nonce, body, prefix)
    wraps = make_wraps(keys, links, version_key, nonce) if links else []
    head = b"".join((prefix, nonce, len(box).to_bytes(_LENGTH_BYTES), box, bytes((len(wraps),)), *wraps))
    if len(head) + PROOF_BYTES > LONGEST_HEAD:
        raise ValueError("the key is too long, or the value too large, to be sealed")
    return head + prove(keys, b"head", joined, head)


def _pad(attributes: bytes, content: bytes) -> bytes:
    length = _LENGTH_BYTES + len(attributes) + len(content)
    padding = bytes(pad_body(length) - length)
    return b"".join((len(attributes).to_bytes(_LENGTH_BYTES), attributes, content, padding))


# Opening


def open_head(keys: Keys, outside: Outside, data: bytes) -> Head:
    """Open the head of an entry of the hub, of which ``outside`` is all else that counts.

    Raises:
        NewerForm: a later program made it.
        Forged: no device of this store did, or not for this entry.
        Spoiled: one did, and it cannot be read.
    """
    parts = _split(data)
    try:
        proof = prove(keys, b"head", outside.join(), data[:-PROOF_BYTES])
    except ValueError:
        raise Forged from None
    if not hmac.compare_digest(proof, data[-PROOF_BYTES:]):
        raise Forged
    try:
        body = AESGCM(derive_version_key(keys, outside.token)).decrypt(parts.nonce, parts.box, parts.prefix)
    except InvalidTag:
        raise Spoiled("its head cannot be decrypted") from None
    head = _read_body(body, parts, outside)
    if hide_key(keys, head.entry.key) != outside.name:
        raise Spoiled("it belongs to another key")
    return head


def find_unwrapped(keys: Keys, head: Head, links: Iterable[ShareLink]) -> list[ShareLink]:
    """Return those of the live links of a key for which its version should have wrapped its key, and has not."""
    return [link for link in choose_links(links) if not _has_wrap(derive_link_key(keys, link.token), head)]


def _has_wrap(link_key: bytes, head: Head) -> bool:
    try:
        open_wraps(link_key, head.wraps, head.nonce)
    except CannotBeOpened:
        return False
    return True


def open_by_version_key(version_key: bytes, data: bytes) -> Head:
    """Open a head by the key of the version, as the address of one has it.

    Raises:
        NewerForm: a later program made it.
        CannotBeOpened: the key is that of something else.
        Spoiled: it cannot be read.
    """
    return _open_box(version_key, _split(data))


def open_by_link_key(link_key: bytes, data: bytes) -> Head:
    """Open a head by the key of a link, as the address of one has it. Raises what ``open_by_version_key`` does."""
    parts = _split(data)
    return _open_box(open_wraps(link_key, parts.wraps, parts.nonce), parts)


def _open_box(version_key: bytes, parts: _Parts) -> Head:
    try:
        body = AESGCM(version_key).decrypt(parts.nonce, parts.box, parts.prefix)
    except InvalidTag:
        raise CannotBeOpened from None
    return _read_body(body, parts, Outside("", "", 0, NOBODY))


def _split(data: bytes) -> _Parts:
    """Take a head apart, of which nothing is known yet."""
    if not data:
        raise Spoiled("it has no head")
    if data[0] != VERSION:
        raise NewerForm(data[0]) if data[0] > VERSION else Spoiled("its head is none")
    if len(data) < _BEGINNING.size + 1 + PROOF_BYTES:
        raise Spoiled("its head is too short")
    _, counter, nonce, length = _BEGINNING.unpack_from(data)
    end = _BEGINNING.size + length
    wraps = data[end : end + 1]
    first = end + 1
    if not wraps or wraps[0] > MOST_WRAPS or first + wraps[0] * WRAP_BYTES + PROOF_BYTES != len(data):
        raise Spoiled("the lengths in its head do not add up")
    found = [data[start : start + WRAP_BYTES] for start in range(first, len(data) - PROOF_BYTES, WRAP_BYTES)]
    return _Parts(counter, data[: _PREFIX.size], nonce, data[_BEGINNING.size : end], found, len(data))


def _read_body(body: bytes, parts: _Parts, outside: Outside) -> Head:
    """Return what a decrypted body says, if there is nothing in it but what belongs there."""
    start = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES])
    content = body[start:]
    try:
        entry = decode_attributes(body[_LENGTH_BYTES:start], content, parts.counter, outside)
    except ValueError as error:
        raise Spoiled(f"what describes it cannot be read: {error}") from error
    is_short = entry.size <= INLINE_LIMIT
    lists = [] if is_short else unpack_runs(content, lay_out(entry.size).all_lists)
    taken = entry.size if is_short else len(lists) * RUN_BYTES
    if len(body) != pad_body(start + taken) or content.count(0, taken) != len(content) - taken:
        raise Spoiled("its head has another length than what is in it")
    return Head(entry, content[:taken] if is_short else None, lists, parts.length, parts.wraps, parts.nonce)
