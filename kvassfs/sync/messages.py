"""The messages between replicas: entries and requests as the bytes that are sealed, and back.

Those of the original program are JSON; what is added to them it ignores. Messages about blocks, which it does
not have, are a line of JSON and then the bytes of the blocks one after another.
"""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from binascii import a2b_base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from ..block import HASH_BYTES, hashes
from ..entry import DEFAULT_MODE, Delivery, Entry, check_key
from ..errors import InvalidKey, InvalidMessage
from ..replica import MAX_PROCESS_ID, NOBODY, Incarnation

VERSION = 2
"""The version of the protocol; that of the original program is 1 and names none."""

PAGE_BYTES = 8 * 1024 * 1024
"""Greatest size of a page, except that an entry larger than that is a page of its own."""

PAGE_BLOCKS = 4
"""Blocks that go in one message: what a cut connection may lose is at most this."""

WHOLE_LIMIT = 1024 * 1024
"""Bytes up to which a value travels in its entry; a larger one travels in blocks between replicas of version 2."""

_LARGEST = 2**62
"""Greatest counter and timestamp: well below what SQLite holds, which the clocks go on from."""

_ENTRY_BYTES = 200
"""Bytes of an entry's message beside its key and value, about."""

_FILE_TYPES = (stat.S_IFREG, stat.S_IFLNK)


class PushAnswer(NamedTuple):
    """What a hub of version 2 answers to a push.

    ``missing`` are the hashes of blocks without which it could not merge the entries that have them. The last of its
    ``incarnations`` is the one that answers.
    """

    digest: str
    clock: int
    process_id: int
    time: int
    missing: bytes = b""
    incarnations: Sequence[Incarnation] = ()


class PullRequest(NamedTuple):
    """What a replica asks its hub for: entries from the sequence ``first`` on that ``process_id`` did not write.

    ``device`` is its own process id. ``wait`` is for how many seconds the hub may wait until there is something, ``max_bytes`` limits the page.
    """

    first: int
    process_id: int
    version: int = 1
    wait: float = 0.0
    max_bytes: int = PAGE_BYTES
    device: int = NOBODY


class PullAnswer(NamedTuple):
    """What a hub answers to a pull; ``digest`` is ``None`` from one of version 1.

    The request is answered up to the sequence ``cursor``; ``more``: there are further entries. ``written`` is the
    greatest counter of an entry that the asking device has written.
    """

    deliveries: list[Delivery]
    cursor: int
    digest: str | None = None
    more: bool = False
    clock: int = 0
    process_id: int = 0
    time: int = 0
    incarnations: Sequence[Incarnation] = ()
    written: int = 0


class BlocksRequest(NamedTuple):
    """Blocks that are sent (``put``) or asked for by their hashes (``get``)."""

    get: list[bytes]
    put: list[bytes]


def digest_of(body: bytes) -> str:
    """Return what names a request in the answer to it."""
    return hashlib.sha256(body).hexdigest()


def size_of(delivery: Delivery) -> int:
    """Return about how many bytes an entry takes in a message."""
    value = delivery.blocks if delivery.value is None else delivery.value
    return _ENTRY_BYTES + len(delivery.entry.key) + len(value) * 4 // 3


# Entries

# Every entry of an array names the kind of the message; the original ignores that. An array can name no request that
# it answers, so nothing else would tell one for a device of the original from an answer to this program.
_PUSH = {"Type": "push"}
_PULL_ANSWER = {"Type": "pull answer"}


def _fields(delivery: Delivery, counter: int, value: str) -> dict[str, Any]:
    entry = delivery.entry
    fields: dict[str, Any] = {
        "Key": entry.key,
        "Value": value,
        "UrlToken": entry.url_token,
        "TimestampUnixMicro": entry.timestamp,
        "ProcessID": entry.process_id,
        "Counter": counter,
        "NeedsToBePushed": True,  # the original's hub hands out no others
    }
    if counter != entry.counter:
        fields["WriterCounter"] = entry.counter
    if entry.mode is not None:
        fields["Mode"] = entry.mode
    if delivery.value is None:
        fields["Size"] = entry.size
        fields["Blocks"] = _text(delivery.blocks)
    return fields


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _json(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _pushed(deliveries: Iterable[Delivery]) -> list[dict[str, Any]]:
    return [_fields(delivery, delivery.entry.counter, _text(delivery.value or b"")) | _PUSH for delivery in deliveries]


def _pulled(deliveries: Iterable[Delivery]) -> list[dict[str, Any]]:
    return [_fields(delivery, delivery.sequence, _text(delivery.value or b"")) for delivery in deliveries]


def _deliveries(entries: object) -> list[Delivery]:
    """Return the entries of a message, without those whose keys no replica can hold."""
    if entries is None:  # how the original writes an empty array
        return []
    if not isinstance(entries, list):
        raise InvalidMessage("its entries are no array")
    found = []
    for fields in entries:
        try:
            found.append(_delivery(fields))
        except InvalidKey:
            continue
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidMessage(f"an entry cannot be read: {error!r}") from error
    return found


def _delivery(fields: dict[str, Any]) -> Delivery:
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
    if not (type(timestamp) is type(process_id) is type(counter) is type(writer_counter) is int):
        raise TypeError("a number is none")
    if not (
        0 <= process_id <= MAX_PROCESS_ID
        and 0 <= counter < _LARGEST
        and 0 <= writer_counter < _LARGEST
        and -_LARGEST < timestamp < _LARGEST
    ):
        raise ValueError("a number is out of range")
    check_key(key)
    token.encode()  # what is no text cannot be stored
    value = a2b_base64(fields["Value"] or "", strict_mode=True)
    blocks = fields.get("Blocks")
    mode = fields.get("Mode")
    if mode is not None:
        mode = _mode(mode)
    if blocks is None:
        entry = Entry(key, timestamp, writer_counter, process_id, token, len(value), mode)
        return Delivery(entry, counter, value)
    entry = Entry(key, timestamp, writer_counter, process_id, token, fields["Size"], mode)
    return Delivery(entry, counter, None, _block_list(blocks, entry.size))


def _block_list(text: str, size: int) -> bytes:
    blocks = a2b_base64(text, strict_mode=True)
    if type(size) is not int or not 0 < size < _LARGEST:
        raise ValueError("the size is none")
    if not blocks or len(blocks) % HASH_BYTES:
        raise ValueError("the list of blocks is none")
    return blocks


def _mode(mode: int) -> int:
    """Return the mode of a file or symbolic link; there are no others."""
    return mode & (stat.S_IFMT(mode) | 0o7777) if stat.S_IFMT(mode) in _FILE_TYPES else DEFAULT_MODE


def _opened(plaintext: bytes) -> Any:
    try:
        return json.loads(plaintext)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage("it is no JSON") from error


def _object(message: object) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise InvalidMessage("it is no JSON object")
    return message


def _number(message: dict[str, Any], name: str, default: int | None = None) -> int:
    number = message.get(name, default)
    if type(number) is not int or not -_LARGEST < number < _LARGEST:
        raise InvalidMessage(f"its {name} is no number that it can have")
    return number


def _incarnations(pairs: Any) -> list[Incarnation]:
    try:
        found = [Incarnation(*pair) for pair in pairs]
    except TypeError as error:
        raise InvalidMessage("its incarnations cannot be read") from error
    if not all(type(number) is int and 0 <= number < _LARGEST for pair in found for number in pair):
        raise InvalidMessage("its incarnations cannot be read")
    return found


# Push


def push(deliveries: Iterable[Delivery]) -> bytes:
    """Return the message that pushes entries."""
    return _json(_pushed(deliveries))


def pushed(plaintext: bytes) -> list[Delivery]:
    """Return the entries of a push. Their sequence is the writer's counter."""
    return _deliveries(_opened(plaintext))


def push_answer(answer: PushAnswer) -> bytes:
    """Return the message that answers a push."""
    message: dict[str, Any] = {
        "Request": answer.digest,
        "Counter": answer.clock,
        "ProcessID": answer.process_id,
        "Time": answer.time,
        "Incarnations": answer.incarnations,
    }
    if answer.missing:
        message["Missing"] = _text(answer.missing)
    return _json(message)


def push_answered(plaintext: bytes) -> PushAnswer:
    """Return the answer to a push."""
    message = _object(_opened(plaintext))
    try:
        missing = a2b_base64(message.get("Missing", ""), strict_mode=True)
    except (TypeError, ValueError) as error:
        raise InvalidMessage("its list of missing blocks cannot be read") from error
    return PushAnswer(
        str(message.get("Request")),
        _number(message, "Counter"),
        _number(message, "ProcessID", 0),
        _number(message, "Time", 0),
        missing,
        _incarnations(message.get("Incarnations", [])),
    )


# Pull


def pull(request: PullRequest) -> bytes:
    """Return the message that asks for entries."""
    return _json(
        {
            "Counter": request.first,
            "ProcessID": request.process_id,
            "Version": request.version,
            "Wait": request.wait,
            "MaxBytes": request.max_bytes,
            "Device": request.device,
        }
    )


def pull_asked(plaintext: bytes) -> PullRequest:
    """Return the request of a pull."""
    message = _object(_opened(plaintext))
    wait = message.get("Wait", 0)
    if type(wait) not in {int, float} or not 0 <= wait < _LARGEST:
        raise InvalidMessage("its Wait is no number of seconds")
    return PullRequest(
        _number(message, "Counter"),
        _number(message, "ProcessID"),
        _number(message, "Version", 1),
        float(wait),
        min(max(_number(message, "MaxBytes", PAGE_BYTES), 1), PAGE_BYTES),
        _number(message, "Device", NOBODY),
    )


def pull_answer(answer: PullAnswer) -> bytes:
    """Return the message that answers a pull of version 2."""
    return _json(
        {
            "Request": answer.digest,
            "Entries": _pulled(answer.deliveries),
            "Counter": answer.cursor,
            "More": answer.more,
            "Clock": answer.clock,
            "ProcessID": answer.process_id,
            "Time": answer.time,
            "Incarnations": answer.incarnations,
            "Written": answer.written,
        }
    )


def pull_answered(plaintext: bytes) -> PullAnswer:
    """Return the answer to a pull, of either version.

    An array from this program is none: its hubs answer those of the original program alone with one.
    """
    message = _opened(plaintext)
    if message is None or isinstance(message, list):
        if any(isinstance(fields, dict) and "Type" in fields for fields in message or ()):
            raise InvalidMessage("it is no answer to this program")
        deliveries = _deliveries(message)
        return PullAnswer(deliveries, max((delivery.sequence for delivery in deliveries), default=0))
    message = _object(message)
    return PullAnswer(
        _deliveries(message.get("Entries")),
        _number(message, "Counter"),
        str(message.get("Request")),
        message.get("More") is True,
        _number(message, "Clock", 0),
        _number(message, "ProcessID", 0),
        _number(message, "Time", 0),
        _incarnations(message.get("Incarnations", [])),
        _number(message, "Written", 0),
    )


def array(entries: Iterable[tuple[Delivery, Iterable[bytes]]], *, pushed: bool) -> Iterator[bytes]:
    """Yield the array of entries that the original program takes, in pieces, with whole values.

    Each entry comes with the pieces of its value. ``pushed``: it is a push and not the answer to a pull.
    """
    separator = b"["
    for delivery, pieces in entries:
        counter = delivery.entry.counter if pushed else delivery.sequence
        whole = delivery._replace(value=b"", blocks=b"")
        fields = _fields(whole, counter, "") | (_PUSH if pushed else _PULL_ANSWER)
        before, _, after = _json(fields).partition(b'"Value":"')
        yield separator + before + b'"Value":"'
        yield from _base64(pieces)
        yield after
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the base64 form of a value that comes in pieces."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) - len(data) % 3
        yield base64.b64encode(data[:whole])
        rest = data[whole:]
    yield base64.b64encode(rest)


# Blocks


def blocks(request: BlocksRequest) -> bytes:
    """Return the message that sends blocks, or asks for some."""
    header = {"Version": VERSION, "Get": _text(b"".join(request.get)), "Put": [len(block) for block in request.put]}
    return b"".join([_json(header), b"\n", *request.put])


def blocks_asked(plaintext: bytes) -> BlocksRequest:
    """Return the request about blocks."""
    header, data = _header(plaintext)
    try:
        wanted = a2b_base64(header.get("Get", ""), strict_mode=True)
    except (TypeError, ValueError) as error:
        raise InvalidMessage("its list of blocks cannot be read") from error
    if len(wanted) % HASH_BYTES:
        raise InvalidMessage("its list of blocks cannot be read")
    return BlocksRequest(hashes(wanted), [block for block in _split(header.get("Put", []), data) if block is not None])


def blocks_answer(digest: str, found: Sequence[bytes | None]) -> bytes:
    """Return the message that hands out the blocks that were asked for; ``None`` is one that is not there."""
    header = {"Request": digest, "Sizes": [-1 if block is None else len(block) for block in found]}
    return b"".join([_json(header), b"\n", *(block for block in found if block is not None)])


def blocks_answered(plaintext: bytes) -> tuple[str, list[bytes | None]]:
    """Return digest and blocks of an answer."""
    header, data = _header(plaintext)
    return str(header.get("Request")), _split(header.get("Sizes", []), data)


def _header(plaintext: bytes) -> tuple[dict[str, Any], memoryview]:
    end = plaintext.find(b"\n")
    if end < 0:
        raise InvalidMessage("it has no header")
    return _object(_opened(plaintext[:end])), memoryview(plaintext)[end + 1 :]


def _split(sizes: object, data: memoryview) -> list[bytes | None]:
    """Return the blocks that are joined in ``data``; a size of -1 is one that is not there."""
    if not isinstance(sizes, list) or not all(type(size) is int and size >= -1 for size in sizes):
        raise InvalidMessage("its sizes of blocks cannot be read")
    ends = list(accumulate((max(size, 0) for size in sizes), initial=0))
    if ends[-1] != len(data):
        raise InvalidMessage("its blocks are not as long as it says")
    return [
        None if size < 0 else bytes(data[start:end]) for size, (start, end) in zip(sizes, pairwise(ends), strict=True)
    ]
