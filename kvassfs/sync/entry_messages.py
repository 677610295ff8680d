"""Entries as they stand in messages, and back."""

from __future__ import annotations

import re
import stat
from binascii import a2b_base64
from itertools import groupby
from typing import Any

from ..block import HASH_BYTES, LARGEST_SIZE, pair_runs
from ..clocks import MAX_TIME
from ..conflict import MOST_SEEN, Origin, format_seen, parse_origin, parse_seen
from ..entry import DEFAULT_MODE, MAX_RECEIVED, MAX_TARGET, Delivery, Entry, check_key, is_target
from ..errors import InvalidKey, InvalidMessage, OutOfRange
from ..replica import MAX_PROCESS_ID, NOBODY
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

_MOD_TIME = re.compile("-?[0-9]{1,19}")

_FILE_TYPES = (stat.S_IFREG, stat.S_IFLNK)

_OWN_BITS = stat.S_ISUID | stat.S_ISGID
"""Permissions that stay on the machine where they were given: elsewhere another user runs the file."""


def estimate_size(delivery: Delivery) -> int:
    """Return about how many bytes an entry takes in a message."""
    if delivery.value is not None:
        size = len(delivery.value)
    else:
        size = len(delivery.blocks) if _has_runs(delivery) else HASH_BYTES * _count_blocks(delivery)
    return _ENTRY_BYTES + len(delivery.entry.key) + size * 4 // 3


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
    if entry.mode is not None:
        fields["Mode"] = entry.mode & ~_OWN_BITS
    if entry.mod_time is not None:
        fields["ModTime"] = str(entry.mod_time)  # JavaScript reads no such numbers exactly
    if entry.seen is not None:
        fields["Seen"] = parse_seen(entry.seen)
    if entry.origin is not None:
        fields["Of"] = parse_origin(entry.origin)
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


def decode_entries(entries: object) -> list[Delivery]:
    """Return the entries of a message, without those whose keys no replica can hold.

    Raises:
        InvalidMessage: one of the others cannot be read.
    """
    if entries is None:  # how the original writes an empty array
        return []
    if not isinstance(entries, list):
        raise InvalidMessage("its entries are no array")
    found = []
    for fields in entries:
        try:
            found.append(_decode_entry(fields))
        except InvalidKey:
            continue
        except OutOfRange:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidMessage(f"an entry cannot be read: {error!r}") from error
    return found


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
    _check_numbers(key, timestamp, process_id, counter, writer_counter)
    token.encode()  # what is no text cannot be stored
    value = a2b_base64(fields["Value"] or "", strict_mode=True)
    blocks = fields.get("Blocks")
    mode, mod_time, seen, origin = fields.get("Mode"), fields.get("ModTime"), fields.get("Seen"), fields.get("Of")
    if parse_record(key) is not None:  # a link is no file, even where its key ends in "/"
        mode = mod_time = seen = origin = None
    if mode is not None:
        whole = value if blocks is None else None
        can_lead = is_target(value) if blocks is None else fields["Size"] <= MAX_TARGET
        mode = _decode_mode(mode, is_directory=key.endswith("/") and whole == b"", can_lead=can_lead)
    if mod_time is not None:
        mod_time = _decode_mod_time(key, mod_time)
    if seen is not None:
        seen = _decode_seen(key, seen)
    if origin is not None:
        origin = str(_decode_origin(key, origin))
    if blocks is None:
        entry = Entry(key, timestamp, writer_counter, process_id, token, len(value), mode, mod_time, seen, origin)
        return Delivery(entry, counter, value)
    entry = Entry(key, timestamp, writer_counter, process_id, token, fields["Size"], mode, mod_time, seen, origin)
    return Delivery(entry, counter, None, *_decode_blocks(blocks, entry.size))


def _check_numbers(key: str, timestamp: Any, process_id: Any, counter: Any, writer_counter: Any) -> None:
    if (
        type(timestamp) is type(process_id) is type(counter) is type(writer_counter) is int
        and NOBODY < process_id <= MAX_PROCESS_ID
        and min(timestamp, counter, writer_counter) >= 0
        and max(timestamp, counter, writer_counter) <= MAX_RECEIVED
    ):
        return  # at once, as they are in nearly all entries; otherwise it is to be said what is wrong
    _check_range(key, "timestamp", timestamp, 0, MAX_RECEIVED)
    _check_range(key, "process id", process_id, NOBODY + 1, MAX_PROCESS_ID)
    _check_range(key, "counter", counter, 0, MAX_RECEIVED)
    _check_range(key, "counter", writer_counter, 0, MAX_RECEIVED)


def _check_range(key: str, name: str, number: Any, least: int, greatest: int) -> None:
    """Raise an error if ``number`` is no integer in a range: ``True`` and ``1.0`` are none either."""
    if type(number) is not int:
        raise TypeError(f"the {name} of {key!r} is no integer")
    if not least <= number <= greatest:
        raise OutOfRange(key, name, number)


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


def _decode_mod_time(key: str, text: Any) -> int:
    if type(text) is not str or not _MOD_TIME.fullmatch(text):
        raise ValueError("the time of the file is none")
    _check_range(key, "mtime", int(text), -MAX_TIME - 1, MAX_TIME)
    return int(text)


def _decode_seen(key: str, seen: Any) -> str:
    if not isinstance(seen, list):
        raise TypeError("what was seen is no array")
    if not seen:
        return ""
    return format_seen([_decode_origin(key, pair) for pair in seen[:MOST_SEEN]])


def _decode_origin(key: str, pair: Any) -> Origin:
    process_id, counter = pair
    _check_range(key, "process id of a version before", process_id, NOBODY + 1, MAX_PROCESS_ID)
    _check_range(key, "counter of a version before", counter, 0, MAX_RECEIVED)
    return Origin(process_id, counter)


def _decode_mode(mode: int, *, is_directory: bool, can_lead: bool) -> int:
    """Return the mode of a file or symlink; or, where it can be one, of a directory. ``can_lead``: a symlink can, there.

    A symlink that can lead nowhere becomes a file, which keeps its value and holds nothing up: were the entry refused, so
    would be all that the device has to push. Every replica decides so of the same entry, so they agree on it.
    """
    type_ = stat.S_IFMT(mode)
    known = type_ in _FILE_TYPES or (type_ == stat.S_IFDIR and is_directory)
    if type_ == stat.S_IFLNK and not can_lead:
        known = False
    return mode & (type_ | 0o7777) & ~_OWN_BITS if known else DEFAULT_MODE
