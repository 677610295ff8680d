"""A hub with mailboxes on a table: no threads, no network, and a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.pairing.post_office import JoinerErrand, PostOffice
from kvassfs.store import Store

KEY = bytes(range(32))
BEGIN = 1_800_000_000 * 10**9

Change = Callable[[str, bytes], bytes]
"""What somebody in between does to a body: ``join``, ``join answer``, ``pair`` or ``pair answer``."""


class Desk:
    """The way of both sides to the hub. Where the joiner waits, ``acts`` is done, which is what the device does meanwhile."""

    address = "hub.example:8000"

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.store.settings.set_encryption_key(KEY)
        self.seconds = 0.0
        self.office = PostOffice(StoreKeeper(self.store), clock=lambda: BEGIN + int(self.seconds * 10**9))
        self.acts: Callable[[], object] = lambda: None
        self.change: Change = lambda _, body: body
        self.failures: list[Exception] = []
        self.bodies: list[tuple[str, bytes]] = []
        self._pending: JoinerErrand | None = None
        self._kept: bytes | None = None

    def clock(self) -> float:
        return self.seconds

    def post(self, call: str, body: bytes, *, wait: float = 0.0) -> bytes:
        """Who waits does so for a while, and looks again."""
        if self.failures:
            raise self.failures.pop(0)
        self.bodies.append((call, body))
        changed = self.change(call, body)
        answer = self._join(changed) if call == "join" else self._pair(changed, wait)
        self.bodies.append((f"{call} answer", answer))
        return self.change(f"{call} answer", answer)

    def _join(self, body: bytes) -> bytes:
        errand = self.office.receive(body)
        answer = errand.respond(patient=errand.wait > 0)
        if answer is None:
            self._pending = errand
            self.acts()
            answer = self._kept or errand.respond(patient=False)
            self.seconds += errand.wait
        assert answer is not None
        return answer

    def _pair(self, body: bytes, wait: float) -> bytes:
        errand = self.office.serve(body)
        if self._pending is not None and self._kept is None:
            self._kept = self._pending.respond(patient=True)
        answer = errand.respond(patient=True)
        if answer is None:
            self.seconds += min(wait, errand.wait)
            answer = errand.respond(patient=False)
        assert answer is not None
        return answer
