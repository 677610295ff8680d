"""The fields of an entry that the original program does not know, as JSON has them, and what they can be.

In a sealed store they stand in the head of a value, in another form and with the same ranges.
"""

from __future__ import annotations

import re
import stat
from typing import Any

from .clocks import MAX_TIME
from .conflict import MOST_SEEN, Origin, format_seen, parse_origin, parse_seen
from .entry import DEFAULT_MODE, MAX_RECEIVED, MAX_TARGET, Entry, is_target
from .errors import OutOfRange
from .replica import MAX_PROCESS_ID, NOBODY

_MOD_TIME = re.compile("-?[0-9]{1,19}")

_FILE_TYPES = (stat.S_IFREG, stat.S_IFLNK)

OWN_BITS = stat.S_ISUID | stat.S_ISGID
"""Permissions that stay on the machine where they were given: elsewhere another user runs the file."""


def encode_extras(entry: Entry) -> dict[str, Any]:
    """Return the fields for mode, time, and what was seen, as far as an entry has them."""
    fields: dict[str, Any] = {}
    if entry.mode is not None:
        fields["Mode"] = entry.mode & ~OWN_BITS
    if entry.mod_time is not None:
        fields["ModTime"] = str(entry.mod_time)  # JavaScript reads no such numbers exactly
    if entry.seen is not None:
        fields["Seen"] = parse_seen(entry.seen)
    if entry.origin is not None:
        fields["Of"] = parse_origin(entry.origin)
    return fields


def decode_extras(
    key: str, fields: dict[str, Any], value: bytes | None, size: int
) -> tuple[int | None, int | None, str | None, str | None]:
    """Return mode, time, what was seen and the origin; ``value`` is ``None`` where it is long, of ``size`` bytes.

    Raises:
        OutOfRange: a number is none that it can be.
        TypeError, ValueError: a field is something else.
    """
    mode, mod_time, seen, origin = fields.get("Mode"), fields.get("ModTime"), fields.get("Seen"), fields.get("Of")
    if mode is not None:
        mode = check_mode(key, mode, value, size)
    if mod_time is not None:
        mod_time = _decode_mod_time(key, mod_time)
    if seen is not None:
        seen = _decode_seen(key, seen)
    if origin is not None:
        origin = str(_decode_origin(key, origin))
    return mode, mod_time, seen, origin


def check_numbers(key: str, timestamp: Any, process_id: Any, counter: Any, writer_counter: Any) -> None:
    """Raise an error if a number of an entry is none, or out of range.

    Raises:
        OutOfRange: it is too small or too large.
        TypeError: it is no integer.
    """
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


def check_mode(key: str, mode: int, value: bytes | None, size: int) -> int:
    """Return the mode of a file or symlink; or, where it can be one, of a directory. ``value`` is ``None`` where it is long.

    A symlink that can lead nowhere becomes a file, which keeps its value and holds nothing up: were the entry refused, so
    would be all that the device has to push. Every replica decides so of the same entry, so they agree on it.
    """
    type_ = stat.S_IFMT(mode)
    known = type_ in _FILE_TYPES or (type_ == stat.S_IFDIR and key.endswith("/") and value == b"")
    if type_ == stat.S_IFLNK and not (size <= MAX_TARGET if value is None else is_target(value)):
        known = False
    return mode & (type_ | 0o7777) & ~OWN_BITS if known else DEFAULT_MODE
