"""What describes a version in its head: all of an entry but what stands outside, as bytes that take little time to read."""

from __future__ import annotations

import struct

from ..conflict import MOST_SEEN, Origin, format_seen, parse_origin, parse_seen
from ..echo import is_echo
from ..entry import MAX_RECEIVED, Entry, check_key
from ..entry_fields import OWN_BITS, check_mode
from ..errors import InvalidKey
from ..replica import NOBODY
from ..share_link import RESERVED, parse_record
from .keys import Outside
from .layout import INLINE_LIMIT, LARGEST_SEALED_SIZE

_MODE, _MOD_TIME, _SEEN, _ORIGIN = 1, 2, 4, 8
"""Flags: which of these a version has."""

_FIXED = struct.Struct(">BQIqIQBII")
"""Flags, size, mode, time of the file, origin (process id and counter), how many versions were seen, lengths of token and key."""

_VERSION = struct.Struct(">IQ")
"""A version that was seen: process id and counter."""

_NONE = Origin(NOBODY, 0)


def encode_attributes(entry: Entry) -> bytes:
    """Return what describes a version."""
    _, _, _, _, token, size, mode, mod_time, seen, origin = entry
    flags = (
        (0 if mode is None else _MODE)
        | (0 if mod_time is None else _MOD_TIME)
        | (0 if seen is None else _SEEN)
        | (0 if origin is None else _ORIGIN)
    )
    versions = parse_seen(seen)
    first = _NONE if origin is None else parse_origin(origin)
    key_bytes, token_bytes = entry.key.encode(), token.encode()
    lengths = (len(versions), len(token_bytes), len(key_bytes))
    fixed = _FIXED.pack(flags, size, (mode or 0) & ~OWN_BITS, mod_time or 0, *first, *lengths)
    return b"".join((fixed, token_bytes, key_bytes, *[_VERSION.pack(*version) for version in versions]))


def decode_attributes(data: bytes, content: bytes, counter: int, outside: Outside) -> Entry:
    """Return the version that is described so; ``content`` begins with its value, if that is short.

    Raises:
        ValueError: it describes none.
    """
    try:
        return _decode(data, content, counter, outside)
    except (InvalidKey, struct.error) as error:
        raise ValueError(str(error)) from error


def _decode(data: bytes, content: bytes, counter: int, outside: Outside) -> Entry:
    flags, size, mode, mod_time, process_id, version, count, token_length, key_length = _FIXED.unpack_from(data)
    token_end = _FIXED.size + token_length
    key_end = token_end + key_length
    seen_end = key_end + count * _VERSION.size
    if seen_end > len(data) or count > MOST_SEEN:
        raise ValueError("its lengths do not add up")
    if size > LARGEST_SEALED_SIZE or counter > MAX_RECEIVED:
        raise ValueError("its size or counter is out of range")
    key = data[token_end:key_end].decode()
    check_key(key)
    if key.startswith(RESERVED) and (parse_record(key) is not None or is_echo(key)):
        raise ValueError("no value has such a key")
    value = content[:size] if size <= INLINE_LIMIT else None
    return Entry(
        key,
        outside.timestamp,
        counter,
        outside.process_id,
        data[_FIXED.size : token_end].decode(),
        size,
        check_mode(key, mode, value, size) if flags & _MODE else None,
        mod_time if flags & _MOD_TIME else None,
        format_seen(map(_check_version, _VERSION.iter_unpack(data[key_end:seen_end]))) if flags & _SEEN else None,
        str(_check_version((process_id, version))) if flags & _ORIGIN else None,
    )


def _check_version(version: tuple[int, int]) -> Origin:
    process_id, counter = version
    if process_id == NOBODY or counter > MAX_RECEIVED:
        raise ValueError("a version before it is none")
    return Origin(process_id, counter)
