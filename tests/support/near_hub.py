"""A hub in the process of the test, which what is tested reaches in place of one over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.errors import HubUnreachable, WrongKey
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.remote import http as remote
from kvassfs.sharing.offers import Offers
from kvassfs.store import Store
from kvassfs.sync.hub import Hub


class NearHub:
    """A hub in this process, and the remote to it; ``failure`` makes that one fail."""

    address = "hub.example:8000"

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[str] = []
        self.opened: list[tuple[str, remote.TimeLimits]] = []
        self.closed = 0
        self.failure: BaseException | None = None
        self.files: dict[str, bytes] = {}
        """What it serves to browsers, by path."""
        self.ahead = 0
        """By how many ns its clock is ahead."""

    def connect(self, address: str, limits: remote.TimeLimits) -> NearHub:
        self.opened.append((address, limits))
        return self

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = 0) -> bytes:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure
        request = body if isinstance(body, bytes) else b"".join(body)
        with Store.open(self.store.path) as store:  # any thread may call
            hub = Hub(StoreKeeper(store), clock=lambda: time.time_ns() + self.ahead)
            if call == "pull":
                answer = hub.pull(request).respond(patient=False)
                assert answer is not None
                return b"".join(answer)
            return hub.push(request) if call == "push" else hub.serve_blocks(request)

    def read_file(self, path: str, largest: int) -> bytes | None:
        if self.failure is not None:
            raise self.failure
        return self.files.get(path)

    def download(self, token: str) -> bytes:
        with Store.open(self.store.path) as store:
            offers = Offers(StoreKeeper(store))
            offer = offers.find_offer(token)
            if offer.link is not None and offer.link.once:
                return b"".join(offers.consume_link(token)[1])
            return b"".join(offers.hold_pieces(token, offer))

    def close(self) -> None:
        self.closed += 1

    def be_down(self) -> None:
        self.failure = HubUnreachable(self.address, "connection refused")

    def refuse_the_key(self) -> None:
        self.failure = WrongKey(self.address)


@contextmanager
def near_hub(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NearHub]:
    """``with`` a hub of ``store``, whose own store is at ``path``."""
    with Store.open(path) as of_hub:
        of_hub.settings.set_encryption_key(store.settings.config().encryption_key)
        near = NearHub(of_hub)
        store.settings.set_remote(near.address)
        monkeypatch.setattr(remote, "HttpRemote", near.connect)
        yield near
