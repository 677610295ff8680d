"""Devices of a sealed store and a hub that cannot read it, in one process: real stores, and the synchroniser between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

from kvassfs.kind import Kind
from kvassfs.store import Store
from kvassfs.store.setting_rows import SEALED, write_setting
from kvassfs.sync import Progress, Synchroniser
from kvassfs.sync.limits import DEVICE_LIMITS, MessageLimits
from tests.support.original import OriginalHub
from tests.support.replicas import ADDRESS, KvassHub, Way, posted
from tests.support.sealed import KEYS
from tests.support.stores import SECOND, Clock, audit

SECRET = bytes(range(32))
"""The key of which ``KEYS`` are made."""

Spoil = Callable[[str, bytes], bytes]
"""Gets the call and the answer of the hub, and returns what comes of it."""


class Rig:
    """A hub and devices.

    ``sent`` has all that was ever sent to the hub, sealed, and ``answers`` what came back before ``spoil`` made something else
    of it. ``earlier`` is what it handed out at some time, where a test keeps that.
    """

    def __init__(self, directory: Path, count: int, *, original: bool = False) -> None:
        self._open = ExitStack()
        self.hub_path = directory / "hub"
        self.clock = Clock(step=SECOND)
        self.hub_store = self._open.enter_context(
            Store.open(self.hub_path, clock=self.clock, random=Random(1).randbytes)
        )
        self.hub_store.settings.set_encryption_key(KEYS.access, Kind.HUB)
        self.hub: KvassHub | OriginalHub = KvassHub(lambda: self.hub_store, Random(2).randbytes)
        if original:
            self.hub = OriginalHub(7, KEYS.access, Random(6).randbytes)
        self.sent: list[tuple[str, bytes]] = []
        self.answers: list[tuple[str, bytes]] = []
        self.spoil: Spoil = lambda _, answer: answer
        self.earlier: list[dict[str, Any]] = []
        self.devices = [self.add(directory / f"device{number}", 10 + number) for number in range(count)]

    def add(self, path: Path, seed: int, kind: str = Kind.DEVICE, key: bytes = SECRET, *, anew: bool = False) -> Store:
        """Add a device."""
        store = self._open.enter_context(Store.open(path, clock=self.clock, random=Random(seed).randbytes))
        store.settings.set_encryption_key(key, kind, anew=anew)
        store.settings.set_remote(ADDRESS)
        return store

    def synchroniser(self, store: Store, limits: MessageLimits = DEVICE_LIMITS) -> Synchroniser:
        """Return what exchanges with the hub."""

        def carry(call: str, body: bytes, _wait: float) -> bytes:
            self.sent.append((call, body))
            answer = posted(self.hub, call, body)
            self.answers.append((call, answer))
            return self.spoil(call, answer)

        return Synchroniser(store, Way(carry), random=Random(3).randbytes, sleep=lambda _: None, limits=limits)

    @contextmanager
    def at_the_hub(self) -> Iterator[Store]:
        """``with`` the store of the hub, in which somebody writes as in one that can be read."""
        (kind,) = self.hub_store._database.only_row("SELECT value FROM settings WHERE name = ?", (SEALED,))
        write_setting(self.hub_store._database, SEALED, None)
        yield self.hub_store
        write_setting(self.hub_store._database, SEALED, kind)

    def set_hub_back(self, image: bytes, path: Path) -> None:
        """Have the hub serve what it had at another time, from a file at ``path``."""
        path.write_bytes(image)
        self.hub_store = self._open.enter_context(Store.open(path, clock=self.clock, random=Random(8).randbytes))

    def exchange(self, *stores: Store) -> list[Progress]:
        """Have devices exchange, one after another; all of them, if none is named."""
        return [self.synchroniser(store).exchange() for store in stores or self.devices]

    def count_sent(self) -> int:
        """Return the bytes that were sent since this was asked last."""
        total = sum(len(body) for _, body in self.sent)
        self.sent.clear()
        return total

    def close(self) -> None:
        for store in (self.hub_store, *self.devices):
            audit(store)
        self._open.close()


@contextmanager
def open_rig(directory: Path, count: int = 2, *, original: bool = False) -> Iterator[Rig]:
    """``with`` a hub and so many devices."""
    rig = Rig(directory, count, original=original)
    yield rig
    rig.close()


def entries(store: Store) -> dict[str, object]:
    return {key: store.entry(key) for key in store.keys()}


def value(store: Store, key: str) -> bytes:
    return b"".join(store.get(key).chunks())
