"""A hub that means harm to a sealed store: it has the access key, reads and alters every message, and seals it again."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any

from kvassfs.block import HASH_BYTES
from kvassfs.store import Store
from kvassfs.sync import block_messages, messages
from kvassfs.sync.block_messages import Block
from kvassfs.sync.seal import Seal
from kvassfs.veil.block_cipher import hash_block
from tests.support.replicas import posted
from tests.support.sealed import KEYS
from tests.support.sealed_rig import Rig, Spoil
from tests.support.stores import rows, state

Fields = dict[str, Any]
"""An entry as it stands in a message."""

SEAL = Seal(KEYS.access)

LIMIT = 10**9


def seal(message: object) -> bytes:
    return SEAL.seal(json.dumps(message).encode())


def unseal(body: bytes) -> Any:
    return json.loads(SEAL.unseal(body))


def read_hub(rig: Rig) -> list[Fields]:
    """Return all that a hub hands out, as it stands in messages."""
    request = messages.PullRequest(0, 0, messages.VERSION, max_bytes=LIMIT)
    return list(unseal(posted(rig.hub, "pull", SEAL.seal(messages.encode_pull_request(request))))["Entries"])


def read_blocks(rig: Rig, fields: Fields) -> list[bytes]:
    """Return the blocks that an entry has at the hub."""
    joined = b64decode(fields["Blocks"])
    hashes = [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]
    return [_read_block(rig, hash_) for hash_ in hashes]


def _read_block(rig: Rig, hash_: bytes) -> bytes:
    request = block_messages.encode_blocks_request(block_messages.BlocksRequest([hash_], []))
    body = SEAL.unseal(posted(rig.hub, "blocks", SEAL.seal(b"".join(request))))
    (block,) = block_messages.decode_blocks_response(bytes(body))[1]
    assert block is not None
    return bytes(block)


def list_blocks(blocks: Sequence[bytes]) -> str:
    """Return the field that lists blocks."""
    return b64encode(b"".join(map(hash_block, blocks))).decode()


def alter_pulls(change: Callable[[Fields], object]) -> Spoil:
    """Return what changes each response to a pull."""

    def spoil(call: str, answer: bytes) -> bytes:
        if call != "pull":
            return answer
        message = unseal(answer)
        change(message)
        return seal(message)

    return spoil


def add_entries(added: Sequence[Fields]) -> Spoil:
    """Return what adds entries before and after those of each page that has some."""

    def change(message: Fields) -> None:
        if message["Entries"]:
            message["Entries"] = [*added, *message["Entries"], *added]

    return alter_pulls(change)


def hand_out(entries: Sequence[Fields]) -> Spoil:
    """Return what hands out these entries in place of those that there are."""

    def change(message: Fields) -> None:
        message["Entries"] = list(entries)

    return alter_pulls(change)


def alter_blocks(change: Callable[[list[Block | None]], list[Block | None]]) -> Spoil:
    """Return what changes the blocks of each response that has some."""

    def spoil(call: str, answer: bytes) -> bytes:
        if call != "blocks":
            return answer
        name, found = block_messages.decode_blocks_response(bytes(SEAL.unseal(answer)))
        return SEAL.seal(b"".join(block_messages.encode_blocks_response(name, change(list(found)))))

    return spoil


def put_blocks(rig: Rig, blocks: Sequence[bytes]) -> None:
    """Have the hub keep blocks that it made."""
    for start in range(0, len(blocks), 64):
        request = block_messages.encode_blocks_request(
            block_messages.BlocksRequest([], list(blocks[start : start + 64]))
        )
        posted(rig.hub, "blocks", SEAL.seal(b"".join(request)))


def snapshot(store: Store, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Return all that a hub must not change: entries, revisions, what people see, and who this device is.

    Of the keys ``without`` nothing.
    """
    found: dict[str, Any] = dict(state(store))
    for table in ("entries", "revisions"):
        found[table] = [row for row in found[table] if row[0] not in without]
    if without:
        found["directories"] = [row for row in found["directories"] if row[0]]
    del found["hub"], found["replica"]
    found["who"] = rows(store, "SELECT process_id, encryption_key, remote FROM replica")
    found["links"] = store.share_links.list_all()
    found["conflicts"] = store.conflicts.count()
    return found


def name_refused(store: Store) -> set[str]:
    return {refused.name for refused in store.sealed.refused()}
