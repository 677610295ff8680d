"""Replicas and hubs in one process, quick to make anew, and what must be true of them."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple

from kvassfs.errors import HubFailed, InvalidMessage, NotAHub, StoreError, Undecipherable, WrongKey
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.kind import Kind
from kvassfs.store import Sizes, Store
from kvassfs.store.sizes import SIZES
from kvassfs.sync import Remote, Synchroniser
from kvassfs.sync.hub import Hub
from kvassfs.sync.limits import DEVICE_LIMITS, HUB_LIMITS, MessageLimits
from kvassfs.veil.keys import derive_keys
from tests.support.original import OriginalHub
from tests.support.stores import SMALL, Clock, ClockMachine, rows

KEY = bytes(range(32))

WRONG_KEY = bytes(32)

ADDRESS = "hub.example:8000"

SMALL_LIMITS = MessageLimits(page_bytes=700, whole_bytes=100, page_blocks=2)
"""What goes into a message where values are small: those above 100 bytes travel in blocks, two to a message."""

KEEPING = SMALL._replace(revisions=10_000, kept_time=10**18)
"""The sizes of a store that keeps every revision."""

KEEPING_SEALED = SIZES._replace(revisions=10_000, kept_time=10**18)
"""The same of a sealed one."""


class OneProcess(ClockMachine):
    """A system with one process, which need not be asked about each time, and where nothing is copied elsewhere."""

    def find_start(self, pid: int) -> str:
        return str(pid)

    def identify_place(self, path: str) -> str:
        return "here"


# The hub's end


class KvassHub:
    """A hub of this program, reached without a network. ``store`` returns its store as it is now."""

    def __init__(
        self,
        store: Callable[[], Store],
        random: Callable[[int], bytes] = os.urandom,
        limits: MessageLimits = HUB_LIMITS,
    ) -> None:
        self._store = store
        self._random = random
        self._limits = limits

    def answer(self, call: str, body: bytes, *, patient: bool = False) -> bytes | None:
        """Return the body of the answer; ``None`` if it has none yet and may be ``patient``."""
        hub = self.open()
        if call == "pull":
            pieces = hub.pull(body).respond(patient=patient)
            return None if pieces is None else b"".join(pieces)
        return hub.push(body) if call == "push" else hub.serve_blocks(body)

    def open(self) -> Hub:
        """Return what answers one request."""
        store = self._store()
        return Hub(StoreKeeper(store), clock=store._entries._clock, random=self._random, limits=self._limits)

    def versions(self) -> dict[str, Version]:
        """Return what its store has under each key, tombstones included."""
        return versions(self._store())


def posted(hub: KvassHub | OriginalHub, call: str, body: bytes) -> bytes:
    """Post a body to a hub as a faultless network does; its failures become what HTTP makes of them."""
    try:
        if isinstance(hub, OriginalHub):
            if call == "blocks":
                raise NotAHub(ADDRESS, "it answers 404 Not Found")
            return hub.answer(call, body)
        answer = hub.answer(call, body)
        assert answer is not None
        return answer
    except Undecipherable as error:
        raise WrongKey(ADDRESS) from error
    except InvalidMessage as error:
        raise HubFailed(ADDRESS, 400, str(error)) from error
    except StoreError as error:
        raise HubFailed(ADDRESS, 503, str(error)) from error


class Way:
    """A remote that hands each message to ``carry``, which says what becomes of it."""

    address = ADDRESS

    def __init__(self, carry: Callable[[str, bytes, float], bytes]) -> None:
        self._carry = carry

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = 0) -> bytes:
        return self._carry(call, body if isinstance(body, bytes) else b"".join(body), wait)


def way_to(hub: KvassHub | OriginalHub) -> Way:
    """Return a faultless way to a hub."""
    return Way(lambda call, body, _: posted(hub, call, body))


# The devices' end


class Replica:
    """A store of one device, or of a hub: made from a template, with a clock of its own, and able to crash."""

    def __init__(
        self, path: Path, template: bytes, clock: Clock, random: Callable[[int], bytes], sizes: Sizes = KEEPING
    ) -> None:
        self.path = path
        self.sizes = sizes
        self.clock = clock
        self.machine = OneProcess(clock)
        self.random = random
        self.template = template
        self.set_back(template)

    def set_back(self, image: bytes) -> None:
        """Begin again with the file as it was at another time."""
        if hasattr(self, "store"):
            self.store._database.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self.path.write_bytes(image)
        self.open()

    def image(self) -> bytes:
        """Return the file as it is now."""
        return bytes(self.store._database.connection.serialize())

    def open(self) -> None:
        """Open the store as a new process does: the one before is no more."""
        self.store = Store.open(self.path, clock=self.clock, random=self.random, sizes=self.sizes, machine=self.machine)
        for table in ("pusher", "holders", "incarnations"):
            self.store._database.execute(f"UPDATE {table} SET started = ''")

    def die(self) -> None:
        """End the process at once, whatever it is doing."""
        self.store._database.close()

    def start_again(self) -> None:
        """Begin again after the process died."""
        self.store._database.close()
        self.open()

    def synchroniser(self, remote: Remote, limits: MessageLimits = DEVICE_LIMITS) -> Synchroniser:
        """Return what exchanges with a hub, as a process makes it."""
        return Synchroniser(self.store, remote, random=self.random, sleep=lambda _: None, limits=limits)

    def close(self) -> None:
        self.store.close()


class Version(NamedTuple):
    """What all replicas must agree on of one key."""

    order: tuple[int, int, int]
    url_token: str
    mode: int | None
    mod_time: int | None
    seen: str | None
    origin: str | None
    value: bytes


def versions(store: Store) -> dict[str, Version]:
    """Return what a store has under each key, tombstones included."""
    return {
        row[0]: Version(
            (row[1], row[2], -row[3]),
            row[4],
            row[6],
            row[7],
            row[8],
            row[9],
            b"".join(store._contents.read_all(row[10], row[5])),
        )
        for row in store._database.rows(
            "SELECT key, timestamp, counter, process_id, url_token, size, mode, mod_time, seen, origin, content"
            " FROM entries ORDER BY key"
        )
    }


def kept_values(store: Store) -> dict[str, bytes]:
    """Return all values that a store has, current or as revisions, by their tokens."""
    return {
        token: b"".join(store._contents.read_all(content, size))
        for token, size, content in store._database.rows(
            "SELECT url_token, size, content FROM entries UNION ALL SELECT url_token, size, content FROM revisions"
        )
    }


def kept_versions(store: Store) -> set[tuple[str, str]]:
    """Return keys and tokens of all values that a store has, each under its key."""
    found = rows(store, "SELECT key, url_token FROM entries WHERE size UNION SELECT key, url_token FROM revisions")
    return set(found)


def kept_tokens(store: Store) -> set[str]:
    """Return the tokens of all values that a store has."""
    return {
        token
        # Whatever fault is injected just now.
        for (token,) in store._database.connection.execute(
            "SELECT url_token FROM entries WHERE size UNION ALL SELECT url_token FROM revisions"
        )
    }


def acknowledged(store: Store) -> dict[str, tuple[int, int, int]]:
    """Return keys whose current version the hub is taken to have or to have beaten, and its order."""
    return {
        key: (timestamp, counter, -process_id)
        for key, timestamp, counter, process_id in store._database.rows(
            "SELECT key, timestamp, counter, process_id FROM entries WHERE NOT dirty"
        )
    }


# Many of them, quickly


class Pool:
    """Directory and templates of replicas, made once for many histories; the first one is the hub's.

    ``sealed``: the others are devices of a sealed store, whose blocks are of the one size that these have.
    """

    def __init__(self, size: int, *, sealed: bool = False) -> None:
        self._sealed = sealed
        memory = Path("/dev/shm")
        self.directory = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        self.templates = [self._template(number) for number in range(size)]
        self._open: list[Replica] = []

    def _template(self, number: int) -> bytes:
        path = self.directory / str(number)
        with Store.open(path, clock=(clock := Clock()), machine=OneProcess(clock)) as store:
            store.settings.set_process_id(number + 1)
            if self._sealed and number:
                store.settings.set_encryption_key(KEY, Kind.DEVICE)
            elif self._sealed:
                store.settings.set_encryption_key(derive_keys(KEY).access, Kind.HUB)
            else:
                store.settings.set_encryption_key(KEY)
            if number:
                store.settings.set_remote(ADDRESS)
            return bytes(store._database.connection.serialize())

    def replicas(self, count: int, random: Random) -> list[Replica]:
        """Return fresh replicas; those of the time before are no more."""
        self.close()
        self._open = [
            Replica(
                self.directory / str(number),
                template,
                Clock(step=0),
                random.randbytes,
                KEEPING_SEALED if self._sealed else KEEPING,
            )
            for number, template in enumerate(self.templates[:count])
        ]
        return self._open

    def close(self) -> None:
        for replica in self._open:
            replica.die()
        self._open = []
