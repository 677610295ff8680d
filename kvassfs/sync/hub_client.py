"""Calls to the hub: sealed requests, responses that are checked, and what moved with them."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Generic, NamedTuple, Protocol, TypeVar

from ..block import BLOCK_SIZE
from ..echo import Echo, Proof
from ..errors import HubDowngraded, HubFailed, InvalidMessage, NotAHub, OutOfRange, Undecipherable
from ..remote.errors import AnswerDamaged
from ..replica import HubState, KnownEcho
from ..store import MAX_HUB_LEAP, Outgoing, Store
from .block_messages import Block, BlocksRequest, decode_blocks_response, encode_blocks_request
from .errors import PullRefused, PushRefused
from .limits import LARGEST_ANSWER, LARGEST_PAGE, SMALL_ANSWER
from .messages import (
    VERSION,
    PullRequest,
    PullResponse,
    PushResponse,
    compute_digest,
    decode_pull_response,
    decode_push_response,
    encode_pull_request,
    encode_push,
)
from .recognition import DeviceSetBack, Downgraded, Learned, Meaning, Stranger, Unproven, recognise
from .seal import NONCE_BYTES, Body, HeldBody, Seal, compute_mark

KEPT_NONCES = 1000
"""Nonces of messages that are remembered: a response that has one of them is no response."""

TRIES = 3
"""How often the hub is asked for the same before that counts as failed."""

BAD_REQUEST = 400
"""The status of HTTP with which a hub refuses a message that it could unseal."""

LONGEST_MEASUREMENT = 2_000_000
"""Microseconds that an exchange may take to tell the hub's clock: it is not known when it was read."""

_Response = TypeVar("_Response")


class Remote(Protocol):
    """The way to a hub. ``address`` is how it is shown to the user."""

    address: str

    def post(
        self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = LARGEST_ANSWER
    ) -> Body:
        """Send a sealed body to ``push``, ``pull`` or ``blocks`` and return that of the response, of ``largest`` bytes at most.

        The hub may take ``wait`` seconds longer than usual. Raises a SyncError.
        """


class Progress(NamedTuple):
    """What moved so far, and is left to move as far as is known: entries, and bytes of messages.

    ``left`` is the bytes that are left of values that are large.
    """

    pulled: int = 0
    pushed: int = 0
    to_pull: int = 0
    to_push: int = 0
    received: int = 0
    sent: int = 0
    left: int = 0


class Timed(NamedTuple, Generic[_Response]):
    """A response, and between which uptimes of this system (µs) it came about; ``None`` if the hub was let wait."""

    response: _Response
    took: tuple[int, int] | None


def measure_clock(time: int, sent: int, received: int) -> int | None:
    """Return the hub's clock minus the uptime of this system, ``None`` if it took too long to be told. All in µs."""
    return time - (sent + received) // 2 if received - sent <= LONGEST_MEASUREMENT else None


class HubClient:
    """Calls the hub of ``store`` through ``remote``. The parameters are those of ``Synchroniser``.

    The calls may be made from any thread; the rest is for the one that has the store. They raise a SyncError.
    """

    def __init__(
        self,
        store: Store,
        remote: Remote,
        *,
        random: Callable[[int], bytes] = os.urandom,
        report: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._remote = remote
        self._uptime = store.hub_time.uptime
        self.address = remote.address
        self._report = report
        hub = store.peers.hub()
        # Before the key: where that is another one meanwhile, this hub is the current one no more.
        self.epoch = hub.epoch
        config = store.settings.config()
        self.keys = store.sealed.keys()
        self._seal = Seal(config.encryption_key if self.keys is None else self.keys.access, random)
        self._random = random
        self._nonces: deque[bytes] = deque(maxlen=KEPT_NONCES)
        self.process_id = config.process_id
        self._version = hub.version
        self.progress = Progress()
        self._counting = threading.Lock()
        self._strangers = 0

    # Calls

    def push(self, message: bytes) -> Timed[PushResponse | None]:
        """Push to the hub; return the response of one of version 2, ``None`` from one of version 1."""
        body = self._seal.seal(message)
        sent = self._uptime()
        sealed = self._post("push", body, largest=len(body) + SMALL_ANSWER)
        took = (sent, self._uptime())
        if not sealed:
            return Timed(None, took)
        response = self._open(sealed, decode_push_response)
        self._check_digest(body, response.digest)
        return Timed(response, took)

    def send_echo(self, last: KnownEcho) -> tuple[Echo, Timed[PushResponse | None]]:
        """Push the echo that follows the ``last`` one; return it, and the response."""
        echo = Echo.make(self.process_id, last, self._random)
        return echo, self.push(encode_push(echo.deliveries(self._random)))

    def push_stream(self, pieces: Iterable[bytes]) -> None:
        """Push a message of any size to a hub of version 1."""
        if self._post("push", self._count_sent(self._seal.seal_stream(pieces)), largest=SMALL_ANSWER):
            raise NotAHub(self._remote.address, "its answer to a push is not that of the hub before")

    def pull(self, request: PullRequest) -> Timed[PullResponse]:
        """Ask the hub for entries and return its response."""
        body = self._seal.seal(encode_pull_request(request))
        sent = self._uptime()
        largest = LARGEST_PAGE if self._version == VERSION else LARGEST_ANSWER
        sealed = self._post("pull", body, request.wait, largest=largest)
        took = None if request.wait else (sent, self._uptime())
        # Of a sealed store, what cannot be read holds up nothing else: whoever has the access key may have sent it.
        response = self._open(sealed, partial(decode_pull_response, leave_out=self.keys is not None))
        if response.digest is not None:
            self._check_digest(body, response.digest)
        return Timed(response, took)

    def get_blocks(self, hashes: list[bytes]) -> list[Block]:
        """Ask the hub for blocks and return those that it has."""
        return [block for _, block in self.find_blocks(hashes) if block is not None]

    def find_blocks(self, hashes: list[bytes]) -> list[tuple[bytes, Block | None]]:
        """Ask the hub for blocks and return each with what it was asked for by; ``None`` if the hub has not got it."""
        body = self._seal.seal_joined(encode_blocks_request(BlocksRequest(hashes, [])))
        found = self._exchange_blocks(body, len(hashes) * BLOCK_SIZE + SMALL_ANSWER)
        return list(zip_longest(hashes, found[: len(hashes)]))

    def prepare_blocks(self, blocks: Sequence[Block]) -> Callable[[], None]:
        """Seal blocks; what is returned sends them to the hub."""
        body = self._seal.seal_joined(encode_blocks_request(BlocksRequest([], blocks)))

        def send() -> None:
            self._exchange_blocks(body, SMALL_ANSWER)

        return send

    def _exchange_blocks(self, body: bytes, largest: int) -> list[Block | None]:
        name, blocks = self._open(self._post("blocks", body, largest=largest), decode_blocks_response)
        if name != compute_mark(HeldBody(body)):  # it is of version 2
            self._check_digest(body, name)
        return blocks

    def _post(self, call: str, body: bytes | Iterator[bytes], wait: float = 0.0, *, largest: int) -> Body:
        if isinstance(body, bytes):
            self._nonces.append(body[:NONCE_BYTES])
        try:
            sealed = self._remote.post(call, body, wait=wait, largest=largest)
        except HubFailed as error:
            if call == "push" and error.status == BAD_REQUEST:
                raise PushRefused(self._remote.address, error.reason) from error
            raise
        self.count(sent=len(body) if isinstance(body, bytes) else 0, received=len(sealed))
        if sealed[:NONCE_BYTES] in self._nonces:
            raise NotAHub(self._remote.address, "it sends back what was sent to it")
        return sealed

    def _count_sent(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.count(sent=len(piece))
            yield piece

    def _open(self, body: Body, decode: Callable[[bytes], _Response]) -> _Response:
        try:
            return decode(self._seal.unseal(body))
        except Undecipherable:
            # Not another key: a hub that has one could not decrypt the request, and says that with a status of its own.
            if not body:
                raise NotAHub(self._remote.address, "its answer is empty") from None
            if body[:32].isascii():
                raise NotAHub(self._remote.address, "its answer is plain text") from None
            raise AnswerDamaged(self._remote.address) from None
        except OutOfRange as error:
            raise PullRefused(self._remote.address, error.reason) from error
        except InvalidMessage as error:
            raise NotAHub(self._remote.address, error.reason) from error

    def _check_digest(self, body: bytes, digest: str) -> None:
        """Refuse a response to another request: one that somebody in between has kept, say."""
        if digest != compute_digest(body):
            raise NotAHub(self._remote.address, "it answers another request than the one that was made")

    def make_failure(self, reason: str) -> HubFailed:
        """Return the error that the hub responds, but not as it must."""
        return HubFailed(self._remote.address, 200, reason)

    # What moved

    def count(self, *, pulled: int = 0, pushed: int = 0, sent: int = 0, received: int = 0) -> None:
        """Count what moved, and report it."""
        with self._counting:
            progress = self.progress
            self.progress = progress._replace(
                pulled=progress.pulled + pulled,
                pushed=progress.pushed + pushed,
                to_push=max(0, progress.to_push - pushed),
                sent=progress.sent + sent,
                received=progress.received + received,
                left=max(0, progress.left - sent - received),
            )
            self._report(self.progress)

    def expect(self, *, to_pull: int | None = None, to_push: int | None = None, left: int | None = None) -> None:
        """Note what is left to move."""
        found = {"to_pull": to_pull, "to_push": to_push, "left": left}
        with self._counting:
            self.progress = self.progress._replace(**{name: it for name, it in found.items() if it is not None})

    # Who responds

    @property
    def is_current(self) -> bool:
        """Whether the store still has this hub, and the user has not set another one."""
        return self._store.peers.hub().epoch == self.epoch

    def accept(
        self,
        known: HubState,
        timed: Timed[PullResponse] | Timed[PushResponse | None],
        proof: Proof = Proof.NONE,
    ) -> bool:
        """Return True if it is the known hub that responds; note what that tells of it, and of its clock.

        ``known`` is what was known of it when it was asked, ``proof`` what a response of version 1 proves. Where the
        response cannot be used, the exchange begins anew.
        """
        response, took = timed
        can_be_used = self.apply(recognise(known, self._store.settings.config().clock, response, proof))
        if can_be_used and took is not None and response is not None and response.time:
            self._store.hub_time.note(measure_clock(response.time, *took), epoch=self.epoch)
        return can_be_used

    def apply(self, meaning: Meaning) -> bool:
        """Act on what a response means; return whether what it holds can be used."""
        if isinstance(meaning, Downgraded):
            raise HubDowngraded(self._remote.address)
        if isinstance(meaning, DeviceSetBack):
            self._become_another(meaning.counter)
            return False
        if isinstance(meaning, Stranger):
            self._turn_to(meaning)
            return False
        if isinstance(meaning, Unproven):
            return False
        self._strangers = 0
        if isinstance(meaning, Learned):
            self._note_hub(meaning)
        return True

    def _become_another(self, counter: int) -> None:
        if counter > self._store.settings.config().clock + MAX_HUB_LEAP:
            raise PullRefused(self._remote.address, "the counters that it has of this device are out of range")
        self._count_stranger()
        # A hub that cannot read a store has no say in its clock. What was written here comes back with its counters.
        self._begin_anew(lambda: self._store.identity.renew(0 if self.keys is not None else counter))
        self.process_id = self._store.settings.config().process_id

    def _turn_to(self, stranger: Stranger) -> None:
        self._count_stranger()
        self._begin_anew(self._store.peers.forget_hub)
        self._note_hub(Learned(stranger.version, stranger.process_id, 0, 0))

    def _count_stranger(self) -> None:
        self._strangers += 1
        if self._strangers > TRIES:
            raise self.make_failure("it is another store each time that it answers")

    def _begin_anew(self, forget: Callable[[], None]) -> None:
        """Go on with the same hub as with a new one, unless the user has set another one meanwhile."""
        with self._store.transaction:
            if self.is_current:
                forget()
                self.epoch = self._store.peers.hub().epoch

    def _note_hub(self, learned: Learned) -> None:
        self._version = learned.version
        self._store.peers.note_hub(
            version=learned.version,
            process_id=learned.process_id,
            incarnation=learned.incarnation,
            told=learned.told,
            epoch=self.epoch,
        )

    def acknowledge(self, page: Sequence[Outgoing]) -> None:
        """Note that the hub has these versions."""
        self._store.outbox.acknowledge((out.delivery.entry for out in page), epoch=self.epoch)
        self.count(pushed=len(page))
