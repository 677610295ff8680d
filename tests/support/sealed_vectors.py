"""The vectors of sealed stores, in tests/golden/sealed-1.json; `python -m tests.support.sealed_vectors` wrote them there.

They are for a second implementation, too, and never change: what was sealed once must be opened for ever. A test compares
them with what the code makes.

Bytes are base64 with padding, keys, tokens and names as they are used. A value is a list of parts, each with the number of its
bytes: ``{"text": …}``; ``{"zeros": n}``; or ``{"stream": s, "size": n}``, the first n bytes that AES-256-CTR makes of zeros
from a counter block of zeros, under a key of 32 bytes of the number s.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kvassfs.block import BLOCK_SIZE, block_count, pair_runs, split_hashes
from kvassfs.conflict import parse_origin, parse_seen
from kvassfs.entry import Delivery, Entry
from kvassfs.share_link import ShareLink
from kvassfs.veil.block_cipher import hash_block, seal_block
from kvassfs.veil.deliveries import make_blocks, seal_delivery
from kvassfs.veil.keys import Keys, derive_keys, derive_version_key, encode_url, hide_key
from kvassfs.veil.layout import INLINE_LIMIT, lay_out, pad_body, pad_length
from kvassfs.veil.links import derive_link_key, make_link

FILE = Path(__file__).parents[1] / "golden/sealed-1.json"

SECRET = bytes(range(32))

KEYS = derive_keys(SECRET)

TIME = 1795396752478943

Part = dict[str, Any]


def stream(seed: int, size: int) -> bytes:
    """Return the bytes of a part that is no text."""
    cipher = Cipher(algorithms.AES(bytes((seed,)) * 32), modes.CTR(bytes(16)))
    return cipher.encryptor().update(bytes(size))


def make_bytes(part: Part) -> bytes:
    if "text" in part:
        return str(part["text"]).encode()
    return stream(part["stream"], part["size"]) if "stream" in part else bytes(part["zeros"])


def make_entry(key: str, size: int, counter: int, **extras: Any) -> Entry:
    token = encode_url(hash_block(f"token {counter}".encode())[:16])
    return Entry(key, TIME + counter, counter, 2002, token, size, **extras)


def find_size(parts: list[Part]) -> int:
    return sum(part.get("zeros", 0) or part.get("size", 0) or len(str(part.get("text", "")).encode()) for part in parts)


LINKS = [
    make_link(KEYS, hide_key(KEYS, "shared/note.txt"), expires=expires, once=once, random=partial(stream, seed))
    for seed, expires, once in ((201, 0, False), (202, TIME + 86_400_000_000, True))
]

CASES: list[tuple[str, Entry, list[Part], list[ShareLink]]] = []
"""What it is about, the version, its value, and the links that are alive."""


def add(what: str, key: str, parts: list[Part], *links: ShareLink, **extras: Any) -> None:
    CASES.append((what, make_entry(key, find_size(parts), len(CASES) + 1, **extras), parts, list(links)))


FILE_MODE = 0o100644
BIG = BLOCK_SIZE

add("a tombstone", "gone", [])
add("an empty file", "empty", [], mode=FILE_MODE)
add("a directory", "photos/2026/", [], mode=0o040755)
add("a symbolic link", "latest", [{"text": "photos/2026"}], mode=0o120777)
add("a value of a command", "hello", [{"text": "world\n"}])
add("the same value saved again", "hello", [{"text": "world\n"}], seen="", origin=None)
add("the same value under another key", "hello2", [{"text": "world\n"}])
add(
    "a file with all that it can have",
    '猫咪 key/with "slash"\u0001',
    [{"text": "喵 👋"}],
    mode=0o100755,
    mod_time=-(2**63),
    seen="1001:5 3003:9007194959773696",
    origin="1001:5",
)
add(
    "a time of the file in this century", "t", [{"text": "x"}], mode=FILE_MODE, mod_time=1795396752000000001, seen="7:1"
)
add("with two links", "shared/note.txt", [{"text": "to be shared"}], *LINKS, mode=FILE_MODE)
add("as long as fits into a body of 256 bytes or not", "k", [{"stream": 1, "size": 256}])
add("the longest that stands in a head", "notes.txt", [{"stream": 2, "size": INLINE_LIMIT}])
add("one byte longer", "notes.txt", [{"stream": 2, "size": INLINE_LIMIT + 1}])
add("one block", "picture.jpg", [{"stream": 3, "size": BIG}], mode=FILE_MODE)
add("one block and a byte", "picture.jpg", [{"stream": 3, "size": BIG}, {"text": "!"}], mode=FILE_MODE)
add(
    "several blocks with links",
    "shared/note.txt",
    [{"stream": 4, "size": BIG}, {"stream": 5, "size": BIG}, {"stream": 4, "size": BIG}, {"stream": 6, "size": 1000}],
    *LINKS,
    mode=FILE_MODE,
)
add("a hole of a TiB", "disk.img", [{"zeros": 2**40}], mode=FILE_MODE)
add(
    "a hole between blocks",
    "disk.img",
    [{"stream": 7, "size": BIG}, {"zeros": 10_000 * BIG}, {"stream": 8, "size": BIG}, {"text": "end"}],
    mode=FILE_MODE,
)


class Store:
    """The blocks of the values here, and a cache as a store has it."""

    def __init__(self, parts: list[Part]) -> None:
        self._blocks: dict[bytes, bytes] = {}
        self._sealed: dict[bytes, bytes] = {}
        runs = [run for part in parts for run in self._split(part)]
        self.hashes, self.counts = b"".join(hash_ for hash_, _ in runs), tuple(times for _, times in runs)

    def _split(self, part: Part) -> Iterator[tuple[bytes, int]]:
        """Yield the blocks of a part; only the last one of a value may end within one."""
        times, left = divmod(part.get("zeros", 0), BIG)
        data = bytes(left or BIG) if "zeros" in part else make_bytes(part)
        assert not (times and left), "a hole is of whole blocks"
        self._blocks[hash_block(data)] = data
        yield hash_block(data), max(times, 1)

    def read(self, hash_: bytes) -> bytes:
        return self._blocks[hash_]

    def find_sealed(self, hash_: bytes) -> bytes:
        if hash_ not in self._sealed:
            self._sealed[hash_] = hash_block(seal_block(KEYS, self._blocks[hash_], hash_))
        return self._sealed[hash_]


def make_delivery(entry: Entry, parts: list[Part], store: Store) -> Delivery:
    """Return an entry as a store hands it out, in blocks wherever it can be."""
    if entry.size <= INLINE_LIMIT:
        return Delivery(entry, 0, b"".join(map(make_bytes, parts)))
    return Delivery(entry, 0, None, store.hashes, store.counts)


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Return a version as the protocol names its fields."""
    fields: dict[str, Any] = {
        "Key": entry.key,
        "UrlToken": entry.url_token,
        "TimestampUnixMicro": entry.timestamp,
        "ProcessID": entry.process_id,
        "Counter": entry.counter,
        "Size": entry.size,
    }
    extras: dict[str, Any] = {
        "Mode": entry.mode,
        "ModTime": None if entry.mod_time is None else str(entry.mod_time),
        "Seen": None if entry.seen is None else [list(pair) for pair in parse_seen(entry.seen)],
        "Of": None if entry.origin is None else list(parse_origin(entry.origin)),
    }
    return fields | {name: value for name, value in extras.items() if value is not None}


def describe_case(what: str, entry: Entry, parts: list[Part], links: list[ShareLink]) -> dict[str, Any]:
    store = Store(parts)
    delivery = make_delivery(entry, parts, store)
    sealed = seal_delivery(KEYS, delivery, links, store)
    assert sealed is not None
    outer = sealed.entry
    fields: dict[str, Any] = {
        "what": what,
        "entry": describe_entry(entry),
        "value": parts,
        "links": [link.token for link in links],
        "name": outer.key,
        "outer token": outer.url_token,
        "version key": encode_url(derive_version_key(KEYS, outer.url_token)),
        "sealed size": outer.size,
    }
    if sealed.value is not None:
        return fields | {"sealed": encode(sealed.value)}
    layout = lay_out(entry.size)
    blocks = pair_runs(sealed.blocks, sealed.counts)
    rest = rest_of(delivery, links, store, sealed)
    lists = {name: value for name, value in layout._asdict().items() if name != "size"}
    return fields | {
        "layout": lists,
        "blocks": [[encode(hash_), times] for hash_, times in blocks],
        "head": encode(rest[layout.head - layout.rest : -4]),
        "rest": encode(hash_block(rest)),
    }


def rest_of(delivery: Delivery, links: list[ShareLink], store: Store, sealed: Delivery) -> bytes:
    """Return what follows the full blocks and lists of a sealed value."""
    size = sealed.entry.size - lay_out(delivery.entry.size).rest
    hashes = split_hashes(sealed.blocks)[-block_count(size) :]
    made = {hash_block(block): block for block in make_blocks(KEYS, delivery, links, store, set(hashes))}
    return b"".join(made[hash_] for hash_ in hashes)


def describe_link(link: ShareLink) -> dict[str, Any]:
    return {
        "key": "shared/note.txt",
        "expires": link.expires,
        "once": link.once,
        "token": link.token,
        "record": link.record,
        "link key": encode_url(derive_link_key(KEYS, link.token)),
    }


def make_vectors() -> dict[str, Any]:
    lengths = [
        0,
        1,
        2,
        7,
        8,
        9,
        100,
        255,
        257,
        1000,
        65_536,
        65_537,
        300_000,
        2**20 + 1,
        2**23 + 1,
        2**24 + 1,
        10**9,
        2**40 + 1,
    ]
    names = ["a", "a/b", "a/b/", "猫咪 key/with slash", "ä", "a\u0308", "x" * 1000]
    return {
        "K": encode(SECRET),
        "keys": {name: encode(key) for name, key in zip(Keys._fields, KEYS, strict=True)},
        "padme": [[length, pad_length(length)] for length in lengths],
        "bodies": [[length, pad_body(length)] for length in lengths],
        "names": [[key, hide_key(KEYS, key)] for key in names],
        "streams": [[seed, encode(hashlib.sha256(stream(seed, BIG)).digest())] for seed in range(1, 9)],
        "links": [describe_link(link) for link in LINKS],
        "values": [describe_case(*case) for case in CASES],
    }


def format_vectors() -> str:
    """Return the vectors as JSON, each in a line of its own."""
    texts = []
    for name, vectors in make_vectors().items():
        if isinstance(vectors, list):
            lines = ",\n".join(f"  {json.dumps(vector)}" for vector in vectors)
            texts.append(f"{json.dumps(name)}: [\n{lines}\n]")
        else:
            texts.append(f"{json.dumps(name)}: {json.dumps(vectors)}")
    return "{\n" + ",\n".join(texts) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(format_vectors(), encoding="utf-8")
