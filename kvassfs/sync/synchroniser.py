"""Exchanges with the hub: pull, then push."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..entry import MAX_NUMBER
from ..store import Store
from ..tuples import NamedTuple
from .hub_client import HubClient, Progress, Remote, measure_clock
from .limits import DEVICE_LIMITS, MessageLimits
from .messages import VERSION, PullRequest
from .passage import Passage, PlainPassage
from .puller import Puller
from .pusher import Pusher

_BEYOND = MAX_NUMBER
"""A sequence that no hub reaches."""


class Probe(NamedTuple):
    """What a hub says of itself: the version of its protocol, and its clock minus ours (µs) if it tells."""

    version: int
    difference: int | None


class Synchroniser:
    """Exchanges entries between ``store`` and the hub behind ``remote``. For the thread that has the store.

    ``random(n)`` returns n random bytes, ``sleep`` waits for seconds, ``report`` is
    told what has moved after every message. ``ahead``: where there is much, a thread calls the hub while messages are
    made and merged, so ``remote`` and ``report`` are called from there too. Every method raises a SyncError where
    the hub fails and a StoreError where the store does; what was moved before stays moved.
    """

    def __init__(
        self,
        store: Store,
        remote: Remote,
        *,
        random: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], None] = time.sleep,
        report: Callable[[Progress], None] = lambda _: None,
        ahead: bool = False,
        limits: MessageLimits = DEVICE_LIMITS,
    ) -> None:
        self._store = store
        self._remote = remote
        self._client = HubClient(store, remote, random=random, report=report)
        passage = open_passage(store, self._client, limits)
        self._puller = Puller(store, self._client, passage, ahead=ahead, limits=limits)
        self._pusher = Pusher(store, self._client, self._puller, passage, sleep=sleep, ahead=ahead, limits=limits)

    @property
    def address(self) -> str:
        """Where the hub was reached last, as it is shown."""
        return self._remote.address

    def exchange(self) -> Progress:
        """Pull, then push; return what moved."""
        self._client.progress = Progress()
        with self._store.bulk():
            self._puller.pull()
        self.push()
        return self._client.progress

    def probe(self) -> Probe:
        """Ask the hub what it is, without moving anything."""
        response, took = self._client.pull(PullRequest(_BEYOND, self._client.process_id, VERSION))
        if response.digest is None or took is None:
            return Probe(1, None)
        offset = measure_clock(response.time, *took)
        return Probe(VERSION, None if offset is None else self._store.hub_time.compare(offset))

    def pull(self, *, wait: float = 0.0) -> int:
        """Merge what the hub has; return how many keys changed. It may ``wait`` seconds until it has something."""
        # What comes from the hub can be had again, and what it has need not be remembered: no waiting for the disk.
        with self._store.bulk():
            return self._puller.pull(wait, often=True)

    def push(self) -> int:
        """Push what the hub has not acknowledged; return how many entries it has now.

        If another process is doing so, wait for that, or leave it to it if it takes long.
        """
        if not self._store.outbox.has_ready():
            return 0
        with self._store.bulk():
            return self._pusher.push()


def open_passage(store: Store, client: HubClient, limits: MessageLimits) -> Passage:
    """Return how entries look on their way between a store and its hub."""
    if client.keys is None:
        return PlainPassage(store, client, at_once=limits.page_blocks)
    from .sealed_passage import SealedPassage  # noqa: PLC0415  a plain store has no need of the veil

    return SealedPassage(store, client, client.keys, at_once=limits.page_blocks)
