"""Pulling: what the hub has is merged here, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain

from ..block import BLOCK_SIZE
from ..echo import Echo, Proof
from ..entry import MAX_NUMBER, Delivery
from ..errors import NotAHub, OutOfRange, StoreError
from ..replica import NOBODY, HubState
from ..store import Merged, Outgoing, Store
from ..tuples import NamedTuple
from .ahead import Ahead
from .block_messages import Block
from .errors import PullRefused
from .hub_client import TRIES, HubClient, Timed
from .limits import MessageLimits
from .messages import VERSION, PullRequest, PullResponse
from .passage import Passage, Taken

ECHO_INTERVAL = 60 * 1_000_000
"""Microseconds for which a hub of version 1 is believed that there is nothing new."""


class _ReadAhead:
    """Asks for the next page while the one before is merged."""

    def __init__(self, client: HubClient) -> None:
        self._client = client
        self._ahead: Ahead[Timed[PullResponse]] = Ahead(apart=True)
        self._begun: tuple[PullRequest, HubState] | None = None

    def begin(self, request: PullRequest, hub: HubState) -> None:
        """Ask in a thread. ``hub`` is what is known of the hub by now."""
        self._begun = (request, hub)
        self._ahead.begin(partial(self._client.pull, request))

    def pull(self, request: PullRequest, hub: HubState) -> tuple[Timed[PullResponse], HubState]:
        """Return the response to a request, which may have been made ahead, and what was known of the hub by then."""
        begun, self._begun = self._begun, None
        timed = self._ahead.finish()  # also where it is of no use: one call at a time
        if begun is not None and timed is not None and begun[0] == request:
            return timed, begun[1]
        return self._client.pull(request), hub


class _Asked(NamedTuple):
    """The echo that was sent, what was pulled then, and what that proves."""

    echo: Echo
    timed: Timed[PullResponse]
    proof: Proof

    @property
    def is_answered(self) -> bool:
        """Whether there is no need to ask once more."""
        return self.timed.response.digest is not None or self.proof is Proof.GIVEN


class Puller:
    """Pulls into ``store`` through ``client``; the ``passage`` says how. The parameters are those of ``Synchroniser``."""

    def __init__(
        self, store: Store, client: HubClient, passage: Passage, *, ahead: bool, limits: MessageLimits
    ) -> None:
        self._store = store
        self._client = client
        self._passage = passage
        self._ahead = ahead
        self._limits = limits
        self._names: dict[int, str] = {}

    def pull(self, wait: float = 0.0, *, arrived: Sequence[Outgoing] = (), often: bool = False) -> int:
        """Merge what the hub has; return how many keys changed.

        It may ``wait`` seconds until it has something. What ``arrived`` at a hub of version 1 is acknowledged where that
        very version comes back. ``often``: it is asked again and again, and need not prove each time that there is nothing.
        """
        changed = incomplete = 0
        is_idle = wait > 0
        ahead = _ReadAhead(self._client)
        self._names = self._store.settings.names()
        while self._client.is_current:
            hub = self._store.peers.hub()
            is_original = hub.version == 1
            if is_original and often and self._has_no_news(hub):
                break
            response = self._pull_from_original(hub, arrived) if is_original else self._pull_page(hub, ahead, wait)
            wait = 0.0
            if response is None:
                continue
            arrived = ()
            self._store.peers.note_names(response.names)
            merged = self._take(hub, response, ahead, last=incomplete == TRIES - 1)
            changed += merged.changed
            if not merged.missing and not response.more:
                self._passage.conclude()
                self._store.peers.note_exchange(epoch=self._client.epoch, idle=is_idle and not changed)
                break
            incomplete = incomplete + 1 if merged.missing else 0
            if incomplete == TRIES:
                raise self._client.make_failure("parts of its entries are missing")
        return changed

    def _pull_page(self, hub: HubState, ahead: _ReadAhead, wait: float) -> PullResponse | None:
        """Pull a page; ``None`` if it is of no use, as the exchange begins anew."""
        timed, known = ahead.pull(self._make_request(hub, hub.cursor, wait), hub)
        if timed.response.digest is None and known.version != VERSION:
            return self._pull_from_original(known, ())
        return timed.response if self._client.accept(known, timed) else None

    def _has_no_news(self, hub: HubState) -> bool:
        """Return whether a hub of version 1 says that there is nothing new, which it need not prove each time.

        An echo is a write there, and this is asked every few seconds. What is believed for a while moves nothing.
        """
        if not self._store.peers.was_reached(ECHO_INTERVAL):
            return False
        response = self._client.pull(self._make_request(hub, hub.cursor)).response
        return response.digest is None and not response.deliveries

    def _pull_from_original(self, hub: HubState, arrived: Sequence[Outgoing]) -> PullResponse | None:
        """Pull from a hub of version 1, which has to prove itself by an echo; ``None`` if it is another hub by now.

        What ``arrived`` there is acknowledged where that very version comes back.
        """
        asked = self._send_echo_and_ask(hub)
        for _ in range(TRIES - 1):
            if asked is None or asked.is_answered:
                break
            hub = self._store.peers.hub()  # another process of this device may have sent an echo meanwhile
            asked = self._send_echo_and_ask(hub)
        if asked is None:
            return None
        echo, timed, proof = asked
        response = timed.response
        if response.digest is None and proof is Proof.NONE:
            raise NotAHub(self._client.address, "its answers are none to what was asked")
        if not self._client.accept(hub, timed, proof):
            return None
        if response.digest is None:
            self._store.peers.note_echo(echo.find_in(response.echoes), epoch=self._client.epoch)
            self._acknowledge(arrived, response.deliveries)
        return response

    def _send_echo_and_ask(self, hub: HubState) -> _Asked | None:
        """Push an echo to a hub of version 1, and pull; ``None`` if it is of version 2 by now."""
        echo, sent = self._client.send_echo(hub.echo)
        if sent.response is not None:
            self._client.accept(hub, sent)
            return None
        timed = self._client.pull(self._make_echoed_request(hub, echo))
        return _Asked(echo, timed, echo.judge(hub.echo, timed.response.echoes))

    def _make_echoed_request(self, hub: HubState, echo: Echo) -> PullRequest:
        """Return the request that a hub of version 1 answers with the shown echo, the last one, and all that is new."""
        request = self._make_request(hub, hub.cursor)
        first = min(request.first, hub.echo.sequence) if hub.echo.sequence else request.first
        return request._replace(first=first, process_id=echo.hidden)

    def _make_request(self, hub: HubState, cursor: int, wait: float = 0.0) -> PullRequest:
        first = min(cursor + 1, MAX_NUMBER) if cursor else 0
        # The first time, what this replica itself wrote is asked for as well: it may have been set back to a backup.
        # A hub of version 1 may hold an older version than what was written here, brought by another device.
        writer = self._client.process_id if hub.reached and hub.version == VERSION else NOBODY
        return PullRequest(first, writer, VERSION, wait, self._limits.page_bytes, self._client.process_id, self._names)

    def _acknowledge(self, arrived: Iterable[Outgoing], deliveries: Iterable[Delivery]) -> None:
        # Not where only the key is: something older may have come to the hub in its place.
        there = {delivery.entry.write for delivery in deliveries}
        self._client.acknowledge([out for out in arrived if self._passage.name_write(out) in there])

    def _take(self, hub: HubState, response: PullResponse, ahead: _ReadAhead, *, last: bool) -> Merged:
        """Merge a page and the blocks that it needs; return which of these are missing still."""
        taken = self._passage.open(response, last=last)
        wanted = self._store.inbox.find_missing(taken.deliveries)
        changed = self._merge_small(taken.deliveries) if wanted else 0
        if wanted:
            self._fetch(wanted)
            taken = self._passage.settle(taken, last=last)
        if taken.complete and response.more and self._ahead:
            ahead.begin(self._make_request(hub, response.cursor), hub)
        self._passage.note_refused()  # before the cursor passes it: this process may die in between
        merged = self._merge(hub, response, taken)
        self._passage.finish()
        return Merged(changed + merged.changed, merged.missing or ([] if taken.complete else wanted or [b""]))

    def _merge_small(self, deliveries: list[Delivery]) -> int:
        """Merge what need not wait for the blocks of large values; they may take long, or find no room."""
        small = [delivery for delivery in deliveries if delivery.value is not None]
        return self._store.inbox.merge_pulled(small, cursor=None, epoch=self._client.epoch).changed

    def _fetch(self, wanted: list[bytes]) -> None:
        """Fetch the blocks that are missing here."""
        self._store.blocks.check_room(len(wanted))
        self._client.expect(left=len(wanted) * BLOCK_SIZE)
        with Ahead[list[Block]](apart=self._ahead and len(wanted) > self._limits.page_blocks) as ahead:
            for call in chain(self._passage.plan(wanted), (None,)):
                blocks = ahead.finish()
                if call is not None:
                    ahead.begin(call)
                if blocks:
                    self._store.blocks.put(blocks)

    def _merge(self, hub: HubState, response: PullResponse, taken: Taken) -> Merged:
        """Merge a page; where it is not complete, what is left out is asked for again."""
        if response.digest is not None and response.cursor > max(hub.cursor, response.clock):
            raise PullRefused(self._client.address, "it has entries only up to a lower number than it says")
        cursor = max(hub.cursor, response.cursor) if taken.complete else hub.cursor
        if not taken.deliveries and cursor == hub.cursor:
            return Merged(0, [])
        try:
            merged = self._store.inbox.merge_pulled(taken.deliveries, cursor=cursor, epoch=self._client.epoch)
        except OutOfRange as error:
            raise PullRefused(self._client.address, error.reason) from error
        with suppress(StoreError):  # the entries are merged, whatever becomes of this
            self._store.upkeep.tidy_briefly()
        self._client.expect(to_pull=max(0, response.clock - cursor))
        # A hub of version 1 hands out what was pushed to it, too.
        pulled = merged.changed if response.digest is None else len(taken.deliveries)
        self._client.count(pulled=pulled if taken.complete else 0)
        return merged
