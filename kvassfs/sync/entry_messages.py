"""Entries as they stand in messages, and back."""

from __future__ import annotations

from binascii import a2b_base64
from itertools import groupby
from typing import Any

from ..block import HASH_BYTES, LARGEST_SIZE, pair_runs
from ..entry import Delivery, Entry, check_key
from ..entry_fields import check_numbers, decode_extras, encode_extras
from ..errors import InvalidKey, InvalidMessage, OutOfRange
from ..share_link import parse_record
from .message_fields import encode_bytes

_ENTRY_BYTES = 200
"""Bytes of an entry's message beside its key and value, about."""

ENTRY_FIELDS = frozenset(
    {
        *("Key", "Value", "UrlToken", "TimestampUnixMicro", "ProcessID", "Counter", "NeedsToBePushed"),
        *("WriterCounter", "Mode", "ModTime", "Seen", "Of", "Size", "Blocks"),
    }
)
"""What an entry can have beside the kind of its message."""

LISTED_BLOCKS = 4096
"""Blocks that are listed one by one (of 1 GiB), also where many are equal: programs of before runs know no other form."""


def estimate_size(delivery: Delivery) -> int:
    """Return about how many bytes an entry takes in a message."""
    if delivery.value is not None:
        size = len(delivery.value)
    else:
        size = len(delivery.blocks) if _has_runs(delivery) else HASH_BYTES * _count_blocks(delivery)
    return estimate_parts(len(delivery.entry.key), size)


def estimate_parts(key_length: int, size: int) -> int:
    """Return about how many bytes an entry takes in a message that has ``size`` bytes for its value, or hashes of blocks."""
    return _ENTRY_BYTES + key_length + size * 4 // 3


def encode_entry(delivery: Delivery, counter: int) -> dict[str, Any]:
    """Return the fields of an entry. ``counter`` is its sequence, or in a push its writer's counter."""
    entry = delivery.entry
    fields: dict[str, Any] = {
        "Key": entry.key,
        "Value": encode_bytes(delivery.value or b""),
        "UrlToken": entry.url_token,
        "TimestampUnixMicro": entry.timestamp,
        "ProcessID": entry.process_id,
        "Counter": counter,
        "NeedsToBePushed": True,  # the original's hub hands out no others
    }
    if counter != entry.counter:
        fields["WriterCounter"] = entry.counter
    fields |= encode_extras(entry)
    if delivery.value is None:
        fields["Size"] = entry.size
        fields["Blocks"] = _encode_blocks(delivery)
    return fields


def _count_blocks(delivery: Delivery) -> int:
    return sum(delivery.counts) or len(delivery.blocks) // HASH_BYTES


def _has_runs(delivery: Delivery) -> bool:
    """Return True if the blocks are written as runs: there are many, and it makes the list much shorter."""
    return _count_blocks(delivery) > max(LISTED_BLOCKS, 2 * len(delivery.counts)) if delivery.counts else False


def _encode_blocks(delivery: Delivery) -> str | list[str | tuple[str, int]]:
    """Return the hashes of blocks, joined; or with runs a list of joined hashes, and of pairs of a hash and a count."""
    runs = pair_runs(delivery.blocks, delivery.counts)
    if not _has_runs(delivery):
        return encode_bytes(b"".join(hash_ * times for hash_, times in runs))
    parts: list[str | tuple[str, int]] = []
    for is_run, group in groupby(runs, key=lambda run: run[1] > 1):
        if is_run:
            parts += [(encode_bytes(hash_), times) for hash_, times in group]
        else:
            parts.append(encode_bytes(b"".join(hash_ for hash_, _ in group)))
    return parts


NAMELESS = "(no key)"
"""What an entry is called whose key is none."""


def decode_entries(entries: object, unreadable: list[str] | None = None) -> list[Delivery]:
    """Return the entries of a message, without those whose keys no replica can hold.

    ``unreadable`` gets the keys of these and of entries that cannot be read, for somebody who takes the others.

    Raises:
        InvalidMessage: one of the others cannot be read, and ``unreadable`` is ``None``.
    """
    if entries is None:  # how the original writes an empty array
        return []
    if not isinstance(entries, list):
        raise InvalidMessage("its entries are no array")
    found = []
    for fields in entries:
        try:
            found.append(_decode_entry(fields))
        except (InvalidKey, OutOfRange, KeyError, TypeError, ValueError, OverflowError) as error:
            if unreadable is not None:
                unreadable.append(_name_entry(fields))
            elif isinstance(error, OutOfRange):
                raise
            elif not isinstance(error, InvalidKey):
                raise InvalidMessage(f"an entry cannot be read: {error!r}") from error
    return found


def _name_entry(fields: object) -> str:
    key = fields.get("Key") if isinstance(fields, dict) else None
    return key if isinstance(key, str) and key else NAMELESS


def _decode_entry(fields: dict[str, Any]) -> Delivery:
    key, token, timestamp, process_id, counter = (
        fields["Key"],
        fields["UrlToken"],
        fields["TimestampUnixMicro"],
        fields["ProcessID"],
        fields["Counter"],
    )
    writer_counter = fields.get("WriterCounter", counter)
    if not (type(key) is type(token) is str):
        raise TypeError("a key or token is no text")
    check_key(key)
    check_numbers(key, timestamp, process_id, counter, writer_counter)
    token.encode()  # what is no text cannot be stored
    value = a2b_base64(fields["Value"] or "", strict_mode=True)
    blocks = fields.get("Blocks")
    whole, size = (value, len(value)) if blocks is None else (None, fields["Size"])
    is_link = parse_record(key) is not None  # it is no file, even where its key ends in "/"
    extras = (None,) * 4 if is_link else decode_extras(key, fields, whole, size)
    entry = Entry(key, timestamp, writer_counter, process_id, token, size, *extras)
    if whole is not None:
        return Delivery(entry, counter, whole)
    return Delivery(entry, counter, None, *_decode_blocks(blocks, size))


def _decode_blocks(blocks: Any, size: int) -> tuple[bytes, tuple[int, ...]]:
    if type(size) is not int or not 0 < size <= LARGEST_SIZE:
        raise ValueError("the size is none")
    if not isinstance(blocks, list):
        return _decode_hashes(blocks), ()
    hashes, counts = [], []
    for part in blocks:
        text, times = part if isinstance(part, list) else (part, 1)
        found = _decode_hashes(text)
        if type(times) is not int or not 0 < times <= size or (times > 1 and len(found) > HASH_BYTES):
            raise ValueError("a run of blocks is none")
        hashes.append(found)
        counts += [times] * (len(found) // HASH_BYTES)
    if not hashes:
        raise ValueError("the list of blocks is none")
    return b"".join(hashes), tuple(counts)


def _decode_hashes(text: str) -> bytes:
    blocks = a2b_base64(text, strict_mode=True)
    if not blocks or len(blocks) % HASH_BYTES:
        raise ValueError("the list of blocks is none")
    return blocks
