"""Pushing: what the hub has not acknowledged is sent to it, by one process of this device at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..errors import HubUnreachable, StoreError, SyncError, ValueReplaced
from ..store import Outgoing, Store
from .errors import TooLargeForHub
from .hub_client import TRIES, HubClient
from .limits import MessageLimits
from .messages import VERSION, encode_array, encode_push
from .page_pusher import PagePusher
from .passage import Packed, Passage
from .puller import Puller

LEASE_INTERVAL = 0.02
"""Seconds between two looks whether another process has finished pushing."""

LEASE_PATIENCE = 3.0
"""Seconds for which to wait for another process that pushes; what is dirty is then left to it."""


class Pusher:
    """Pushes from ``store`` through ``client``. The parameters are those of ``Synchroniser``.

    The ``puller`` finds out who the hub is before anything is pushed to it, and what arrived at one of version 1.
    """

    def __init__(
        self,
        store: Store,
        client: HubClient,
        puller: Puller,
        passage: Passage,
        *,
        sleep: Callable[[float], None],
        ahead: bool,
        limits: MessageLimits,
    ) -> None:
        self._store = store
        self._client = client
        self._puller = puller
        self._passage = passage
        self._sleep = sleep
        self._limits = limits
        self._pages = PagePusher(store, client, passage, ahead=ahead, limits=limits, note_upload=self._note_upload)
        self._sent_before = 0

    def push(self) -> int:
        """Push what is dirty; return how many entries the hub has acknowledged."""
        if self._must_ask_first():
            self._puller.pull()
        if not self._begin_push():
            return 0
        try:
            before = self._client.progress.pushed
            self._sent_before = self._client.progress.sent
            entries, size = self._store.outbox.count_dirty()
            self._client.expect(to_push=entries, left=size)
            self._push_all()
            return self._client.progress.pushed - before
        finally:
            with suppress(StoreError):  # it ends with this process at the latest
                self._store.processes.end_push()

    def _push_all(self) -> None:
        """Push, and note for others why that failed, unless the hub was just out of reach."""
        try:
            if self._store.peers.hub().version == 1:
                self._push_to_original()
            else:
                self._pages.push()
        except HubUnreachable:
            raise
        except SyncError as error:
            self._note_failure(str(error))
            raise
        self._note_failure(None)

    def _note_failure(self, reason: str | None) -> None:
        with suppress(StoreError):
            self._store.processes.note_push_failure(reason)

    def _must_ask_first(self) -> bool:
        """Return whether it is not known who the hub is, or what time its clock shows."""
        version = self._store.peers.hub().version
        return version == 0 or (version == VERSION and not self._store.hub_time.was_asked())

    def _note_upload(self) -> None:
        progress = self._client.progress
        self._store.processes.note_upload(progress.sent - self._sent_before, progress.left)

    def _begin_push(self) -> bool:
        waited = 0.0
        last = self._store.settings.config().clock  # what is written while this waits is for others to push
        while not self._store.processes.begin_push():
            if waited >= LEASE_PATIENCE or not self._store.outbox.has_ready(last):
                return False
            self._sleep(LEASE_INTERVAL)
            waited += LEASE_INTERVAL
        return True

    # To a hub of version 1

    def _push_to_original(self) -> None:
        """Push whole values to a hub which takes what arrives last for the newest: so pull before.

        An empty response can come from anybody; only a pull after it shows that it was the hub. A value that is too
        large for it stays dirty, and once all others are pushed that is an error.
        """
        futile = 0
        too_large: set[str] = set()
        self._puller.pull()
        while self._client.is_current and self._store.peers.hub().version == 1:
            page = self._pages.read(without=too_large)
            if not page and too_large:
                raise TooLargeForHub(self._client.address, min(too_large), self._limits.original_bytes)
            if not page:
                return
            found = {out.delivery.entry.key for out in page if out.value.size > self._limits.original_bytes}
            too_large |= found
            packed = self._pages.prepare([out for out in page if out.delivery.entry.key not in found])
            pushed = self._client.progress.pushed
            sent = self._push_whole(packed)
            self._note_upload()
            if sent is None:
                self._puller.pull()  # it has been upgraded just now
                break
            self._puller.pull(arrived=sent)
            futile = 0 if self._client.progress.pushed > pushed else futile + bool(sent)
            if futile == TRIES:
                raise self._pages.make_failure()
        self._pages.push()

    def _push_whole(self, page: list[Packed]) -> list[Outgoing] | None:
        """Push a page, each large value in a message of its own.

        Return what was sent, ``None`` if the hub is of version 2 by now.
        """
        self._client.acknowledge([out for out, delivery, _ in page if delivery is None])
        small = [packed for packed in page if packed.delivery is not None and packed.out.delivery.value is not None]
        message = encode_push(delivery for _, delivery, _ in small if delivery is not None)
        if small and self._client.push(message).response is not None:
            return None
        large = [out for out, *_ in page if out.delivery.value is None and self._push_large(out)]
        return [out for out, *_ in small] + large

    def _push_large(self, out: Outgoing) -> bool:
        """Push a large value; ``False`` if the key has another version by now, which is pushed in its turn."""
        try:
            self._client.push_stream(encode_array([self._passage.pack_whole(out)], pushed=True))
        except ValueReplaced:
            return False
        return True
