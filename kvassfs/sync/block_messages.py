"""The messages about blocks of large values: a line of JSON, and then the bytes of the blocks one after another.

The original program has none of these.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from ..block import HASH_BYTES, split_hashes
from ..errors import InvalidMessage
from ..tuples import NamedTuple
from .message_fields import decode_json, encode_bytes, encode_json, read_number, require_kind, require_object

VERSION = 3
"""The version of these messages. A hub of version 2 names a request by its digest, which takes long; one of version 3 by its
mark, if the device says that it is of version 3."""

_BLOCKS = {"Type": "blocks"}
_BLOCKS_RESPONSE = {"Type": "blocks answer"}
_BLOCKS_FIELDS = frozenset({"Version", "Get", "Put"})
_BLOCKS_RESPONSE_FIELDS = frozenset({"Request", "Sizes"})


Block = bytes | memoryview
"""The bytes of a block; a view of the message that it came in keeps that in memory."""


class BlocksRequest(NamedTuple):
    """Blocks that are sent (``put``) or asked for by their hashes (``get``), and the ``version`` of the device."""

    get: list[bytes]
    put: Sequence[Block]
    version: int = VERSION


def encode_blocks_request(request: BlocksRequest) -> list[Block]:
    """Return the message that sends blocks, or asks for some, in pieces: to join them takes long."""
    header = {
        "Version": request.version,
        "Get": encode_bytes(b"".join(request.get)),
        "Put": [len(block) for block in request.put],
    }
    return [encode_json(header | _BLOCKS) + b"\n", *request.put]


def decode_blocks_request(plaintext: bytes | bytearray) -> BlocksRequest:
    """Return the request about blocks."""
    header, data = _split_header(plaintext)
    require_kind(header, _BLOCKS["Type"], _BLOCKS_FIELDS)
    try:
        wanted = a2b_base64(header.get("Get", ""), strict_mode=True)
    except (TypeError, ValueError) as error:
        raise InvalidMessage("its list of blocks cannot be read") from error
    if len(wanted) % HASH_BYTES:
        raise InvalidMessage("its list of blocks cannot be read")
    blocks = _split_blocks(header.get("Put", []), data)
    version = read_number(header, "Version", 2)
    return BlocksRequest(split_hashes(wanted), [block for block in blocks if block is not None], version)


def encode_blocks_response(name: str, found: Sequence[Block | None]) -> list[Block]:
    """Return the message that hands out the blocks that were asked for, in pieces; ``None`` is one that is not there."""
    header = {"Request": name, "Sizes": [-1 if block is None else len(block) for block in found]}
    return [encode_json(header | _BLOCKS_RESPONSE) + b"\n", *(block for block in found if block is not None)]


def decode_blocks_response(plaintext: bytes) -> tuple[str, list[Block | None]]:
    """Return mark or digest of the request, and the blocks of the response to it."""
    header, data = _split_header(plaintext)
    require_kind(header, _BLOCKS_RESPONSE["Type"], _BLOCKS_RESPONSE_FIELDS)
    return str(header.get("Request")), _split_blocks(header.get("Sizes", []), data)


def _split_header(plaintext: bytes | bytearray) -> tuple[dict[str, Any], memoryview]:
    end = plaintext.find(b"\n")
    if end < 0:
        raise InvalidMessage("it has no header")
    return require_object(decode_json(plaintext[:end])), memoryview(plaintext)[end + 1 :]


def _split_blocks(sizes: object, data: memoryview) -> list[Block | None]:
    """Return the blocks that are joined in ``data``; a size of -1 is one that is not there."""
    if not isinstance(sizes, list) or not all(type(size) is int and size >= -1 for size in sizes):
        raise InvalidMessage("its sizes of blocks cannot be read")
    ends = list(accumulate((max(size, 0) for size in sizes), initial=0))
    if ends[-1] != len(data):
        raise InvalidMessage("its blocks are not as long as it says")
    return [None if size < 0 else data[start:end] for size, (start, end) in zip(sizes, pairwise(ends), strict=True)]
