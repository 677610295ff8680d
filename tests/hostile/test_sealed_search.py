"""What a hub has of a sealed store: its files, its log, its memory and all messages are searched for what it must not know.

The same session with a hub that can read is searched likewise, and there it is found: so the search does find.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from kvassfs.block import BLOCK_SIZE
from kvassfs.kind import Kind
from kvassfs.remote.http import HttpRemote, TimeLimits
from kvassfs.sharing.fetching import fetch
from kvassfs.sharing.links import create_link
from kvassfs.sharing.terms import Terms
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from kvassfs.sync.limits import LARGEST_ANSWER
from kvassfs.sync.seal import Seal
from kvassfs.veil.addresses import address_link, address_version
from kvassfs.veil.keys import derive_keys
from tests.support.hub_process import Server, serving
from tests.support.stores import SECOND, is_scratch, rows, save
from tests.support.traces import find_traces, read_memory

SEED = 15

SECRET = Random(SEED).randbytes(32)

MARK = "qXmArK" + Random(SEED + 1).randbytes(5).hex()
"""In every name and value, 16 characters: what finds it finds any of them."""


class LaterClock:
    """The clock of this machine, and ``ahead`` (ns): what is held back for a moment goes when the clock is set ahead."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() + self.ahead


CLOCK = LaterClock()


class Session(NamedTuple):
    """What two devices and a hub did: secrets by their names, all bodies, and what the hub has on disk and in memory."""

    secrets: dict[str, bytes]
    bodies: list[bytes]
    kept: list[tuple[str, bytes]]
    memory: list[bytes]


class Listener:
    """The way to a hub over HTTP, on which somebody writes down what passes, and opens it with the key of the messages."""

    def __init__(self, url: str, key: bytes, bodies: list[bytes]) -> None:
        self._remote = HttpRemote(url, TimeLimits(20.0, 20.0))
        self._seal = Seal(key)
        self._bodies = bodies
        self.address = self._remote.address

    def post(
        self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = LARGEST_ANSWER
    ) -> bytes:
        whole = body if isinstance(body, bytes) else b"".join(body)
        answer = bytes(self._remote.post(call, whole, wait=wait, largest=largest))
        for each in (whole, answer):
            self._bodies += [each, bytes(self._seal.unseal(each))]
        return answer

    def download(self, token: str) -> bytes:
        self._bodies.append(answer := bytes(self._remote.download(token)))
        return answer

    def close(self) -> None:
        self._remote.close()


def mark(number: int) -> str:
    return f"{MARK} {number}"


def large(number: int) -> bytes:
    """Return a value of several blocks, all with the mark."""
    text = Random(f"{SEED} {number}").randbytes(BLOCK_SIZE)
    return (mark(number).encode() + text) * 5


@contextmanager
def open_session(folder: Path, kind: str) -> Iterator[tuple[Server, list[Store], list[Listener], list[bytes]]]:
    """``with`` a hub in a process of its own, and two devices."""
    keys = derive_keys(SECRET)
    key = keys.access if kind == Kind.DEVICE else SECRET
    (folder / "hub").mkdir()
    with Store.open(folder / "hub" / "db.sqlite") as store:
        store.settings.set_encryption_key(key, Kind.HUB if kind == Kind.DEVICE else Kind.PLAIN)
    bodies: list[bytes] = []
    with ExitStack() as stack:
        server = stack.enter_context(serving(folder / "hub"))
        stores = [stack.enter_context(Store.open(folder / f"device{number}", clock=CLOCK)) for number in range(2)]
        ways = []
        for store in stores:
            store.settings.set_encryption_key(SECRET, kind)
            store.settings.set_remote(server.url)
            ways.append(Listener(server.url, key, bodies))
            stack.callback(ways[-1].close)
        yield server, stores, ways, bodies


def run_session(folder: Path, kind: str) -> Session:
    """Have two devices do all that there is with names and values that are marked."""
    secrets: dict[str, bytes] = {"mark": MARK.encode(), "K": SECRET}
    if kind == Kind.DEVICE:
        secrets |= {name: key for name, key in derive_keys(SECRET)._asdict().items() if name != "access"}
    with open_session(folder, kind) as (server, stores, ways, bodies):
        one, two = stores

        def exchange() -> None:
            CLOCK.ahead += 20 * SECOND
            for store, way in zip((one, two, one), (*ways, ways[0]), strict=True):
                note_hashes(store, secrets)
                Synchroniser(store, way, ahead=True).exchange()

        write_all(one, two, exchange)
        share_all(one, ways[0], kind, secrets, exchange)
        assert {key: two.entry(key) for key in two.keys()} == {key: one.entry(key) for key in one.keys()}
        memory = list(read_memory(server.process.pid))
        kept = [(path.name, path.read_bytes()) for path in sorted((folder / "hub").iterdir()) if path.is_file()]
    return Session(secrets, bodies, kept, memory)


def write_all(one: Store, two: Store, exchange: object) -> None:
    assert callable(exchange)
    one.tree.directories.make(f"{mark(1)}/", 0o40755, is_scratch=is_scratch)
    for number in range(2, 6):
        save(one, f"{mark(1)}/{mark(number)}", mark(number).encode())
        one.set(f"large {mark(number)}", large(number))
    exchange()
    for version in range(3):  # a history
        two.set(f"often {MARK}", mark(100 + version).encode() * 50)
        two.set(f"large {mark(2)}", large(2) + mark(200 + version).encode())
        exchange()
    one.delete(f"large {mark(3)}")
    for new in (f"{mark(1)}/moved {MARK}",):
        node = one.tree.file(f"{mark(1)}/{mark(2)}")
        assert node is not None
        one.tree.rename(node, new, is_scratch=is_scratch)
    node = two.tree.file(f"{mark(1)}/{mark(3)}")
    assert node is not None
    two.tree.set_mode(node, 0o100600)
    exchange()
    one.set(f"conflict {MARK}", b"one " + MARK.encode())
    two.set(f"conflict {MARK}", b"two " + MARK.encode())
    exchange()


def share_all(store: Store, way: Listener, kind: str, secrets: dict[str, bytes], exchange: object) -> None:
    assert callable(exchange)
    for key in (f"often {MARK}", f"large {mark(4)}"):
        link = create_link(store, key, Terms(lifetime=3600))
        exchange()
        if kind == Kind.DEVICE:
            keys = derive_keys(SECRET)
            for address in (address_link(keys, link), address_version(keys, store.entry(key))):
                secrets[f"key of {address.token}"] = address.key
                fetched = fetch(address, way.download)
                assert fetched.key == key
                assert b"".join(fetched.pieces) == b"".join(store.get(key).chunks())
        else:
            way.download(link.token)


def note_hashes(store: Store, secrets: dict[str, bytes]) -> None:
    """Note the hashes of all blocks and values that a device has."""
    for hash_ in rows(store, "SELECT hash FROM blocks"):
        secrets[f"block {hash_.hex()}"] = hash_
    for key in store.keys():
        data = b"".join(store.get(key).chunks())
        if data:
            secrets[f"value {key} {len(data)}"] = hashlib.sha256(data).digest()


def search(session: Session) -> dict[str, set[str]]:
    places = [("bodies", body) for body in session.bodies]
    places += [("memory", piece) for piece in session.memory]
    places += session.kept
    return find_traces(session.secrets, places)


def test_a_hub_of_a_sealed_store_has_no_trace_of_what_is_in_it(tmp_path: Path) -> None:
    session = run_session(tmp_path, Kind.DEVICE)
    assert len(session.secrets) > 40
    assert sum(map(len, session.bodies)) > 10 * BLOCK_SIZE
    assert sum(map(len, session.memory)) > 10 * 1024 * 1024
    assert {"db.sqlite", "log"} <= {name for name, _ in session.kept}
    # It has what it must have, so this is its memory, and these are its files.
    access = {"A": derive_keys(SECRET).access}
    assert find_traces(access, [("memory", piece) for piece in session.memory]) == {"memory": {"A"}}
    assert "db.sqlite" in find_traces(access, session.kept)
    assert search(session) == {}


def test_the_same_search_finds_all_that_in_a_hub_that_can_read(tmp_path: Path) -> None:
    session = run_session(tmp_path, Kind.PLAIN)
    found = search(session)
    assert {"mark", "K"} <= found["db.sqlite"] | found.get("db.sqlite-wal", set())
    assert {"mark", "K"} <= found["memory"]
    assert "mark" in found["bodies"]
    blocks = {name for name in session.secrets if name.startswith("block ")}
    assert len(blocks) > 5
    assert blocks <= found["bodies"]
    assert blocks <= found["db.sqlite"] | found.get("db.sqlite-wal", set())
    assert blocks & found["memory"]
