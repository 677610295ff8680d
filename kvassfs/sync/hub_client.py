"""One store's link to its hub: sealed calls, and what is remembered of who answers them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from ..errors import HubDowngraded, HubFailed, InvalidMessage, NotAHub, Undecipherable, WrongKey
from ..replica import NOBODY
from ..store import HubState, Store
from . import block_messages, messages
from .seal import Seal

TRIES = 3
"""How often the hub is asked for the same before that counts as failed."""

_Answer = TypeVar("_Answer")


class Remote(Protocol):
    """The way to a hub. ``address`` is how it is shown to the user."""

    address: str

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0) -> bytes:
        """Send a sealed body to ``push``, ``pull`` or ``blocks`` and return that of the answer.

        The hub may take ``wait`` seconds longer than usual. Raises a SyncError.
        """


class Moved(NamedTuple):
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


class PullReply(NamedTuple):
    """The answer to a pull, and the hub's clock minus ours (µs) where that can be told."""

    answer: messages.PullResponse
    difference: int | None


class Link:
    """Calls the hub of ``store`` through ``remote``. The parameters are those of ``Synchroniser``."""

    def __init__(
        self,
        store: Store,
        remote: Remote,
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        watch: Callable[[Moved], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._remote = remote
        self._clock = clock
        self._watch = watch
        store.identity.leave_original()
        config = store.settings.config()
        self._seal = Seal(config.encryption_key, random)
        self.process_id = config.process_id
        self.epoch = store.peers.hub().epoch
        self.moved = Moved()
        self._unrecognised = 0

    @property
    def is_current(self) -> bool:
        """Whether the store still has this hub, and the user has not set another one."""
        return self._store.peers.hub().epoch == self.epoch

    # Calls

    def push(self, message: bytes) -> messages.PushResponse | None:
        """Push to the hub; return the answer of one of version 2, ``None`` from one of version 1."""
        body = self._seal.seal(message)
        answer = self._post("push", body)
        if not answer:
            return None
        opened = self._open(answer, messages.decode_push_response)
        self._check_digest(body, opened.digest)
        return opened

    def push_stream(self, pieces: Iterable[bytes]) -> None:
        """Push a message of any size to a hub of version 1."""
        if self._post("push", self._counted(self._seal.stream(pieces))):
            raise NotAHub(self._remote.address, "its answer to a push is not that of the hub before")

    def pull(self, request: messages.PullRequest) -> PullReply:
        """Ask the hub for entries and return its reply."""
        body = self._seal.seal(messages.encode_pull_request(request))
        sent = self._clock()
        answer = self._open(self._post("pull", body, request.wait), messages.decode_pull_response)
        received = self._clock()
        if answer.digest is None:
            return PullReply(answer, None)
        self._check_digest(body, answer.digest)
        return PullReply(answer, None if request.wait else answer.time - (sent + received) // 2000)

    def blocks(self, request: block_messages.BlocksRequest) -> list[bytes | None]:
        """Send blocks to the hub, or ask for some and return them."""
        body = self._seal.seal(block_messages.encode_blocks_request(request))
        digest, blocks = self._open(self._post("blocks", body), block_messages.decode_blocks_response)
        self._check_digest(body, digest)
        return blocks

    def _post(self, call: str, body: bytes | Iterator[bytes], wait: float = 0.0) -> bytes:
        answer = self._remote.post(call, body, wait=wait)
        self.note(sent=len(body) if isinstance(body, bytes) else 0, received=len(answer))
        return answer

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.note(sent=len(piece))
            yield piece

    def _open(self, body: bytes, parse: Callable[[bytes], _Answer]) -> _Answer:
        try:
            return parse(self._seal.unseal(body))
        except Undecipherable:
            if body[:32].isascii():
                raise NotAHub(self._remote.address, "its answer is plain text") from None
            raise WrongKey(self._remote.address) from None
        except InvalidMessage as error:
            raise NotAHub(self._remote.address, error.reason) from error

    def _check_digest(self, body: bytes, digest: str) -> None:
        """Refuse an answer to another request: one that somebody in between has kept, say."""
        if digest != messages.compute_digest(body):
            raise NotAHub(self._remote.address, "it answers another request than the one that was made")

    def note(self, *, pulled: int = 0, pushed: int = 0, sent: int = 0, received: int = 0) -> None:
        """Count what moved."""
        moved = self.moved
        self.moved = moved._replace(
            pulled=moved.pulled + pulled,
            pushed=moved.pushed + pushed,
            to_push=max(0, moved.to_push - pushed),
            sent=moved.sent + sent,
            received=moved.received + received,
            left=max(0, moved.left - sent - received),
        )
        self._watch(self.moved)

    # Who answers

    def recognise(self, hub: HubState, answer: messages.PullResponse | messages.PushResponse | None) -> bool:
        """Note who answers.

        ``hub`` is what was known of it when it was asked. ``False``: it is another store than the one before, or an
        older state of it, as from a backup, or the first one that proves who it is. Then it may lack anything, and all
        is pulled and pushed anew.
        """
        if answer is None or answer.digest is None:
            if hub.version == messages.VERSION:
                raise HubDowngraded(self._remote.address)
            if hub.version == 0:
                self._note_hub(1, NOBODY)
            return True
        if isinstance(answer, messages.PullResponse) and answer.written > self._store.settings.config().clock:
            self._renew(answer)
            return False
        if _is_later(hub, answer):
            self._unrecognised = 0
            latest = answer.incarnations[-1].mark if answer.incarnations else 0
            if (hub.version, hub.process_id, hub.incarnation, hub.told) != (
                messages.VERSION,
                answer.process_id,
                latest,
                answer.clock,
            ):
                self._note_hub(messages.VERSION, answer.process_id, latest, answer.clock)
            return True
        self._unrecognised += 1
        if self._unrecognised > TRIES:
            raise self.failure("it is another store each time that it answers")
        self._begin_anew(self._store.peers.forget_hub)
        self._note_hub(messages.VERSION, answer.process_id)
        return False

    def _renew(self, answer: messages.PullResponse) -> None:
        """Become another replica: this one was set back to a backup, or has a copy that writes with its id."""
        self._begin_anew(lambda: self._store.identity.renew(answer.written))
        self.process_id = self._store.settings.config().process_id

    def _begin_anew(self, forget: Callable[[], None]) -> None:
        """Go on with the same hub as with a new one, unless the user has set another one meanwhile."""
        with self._store.transaction:
            if self.is_current:
                forget()
                self.epoch = self._store.peers.hub().epoch

    def _note_hub(self, version: int, process_id: int, incarnation: int = 0, told: int = 0) -> None:
        self._store.peers.note_hub(
            version=version, process_id=process_id, incarnation=incarnation, told=told, epoch=self.epoch
        )

    def failure(self, reason: str) -> HubFailed:
        """Return the error that the hub answers, but not as it must."""
        return HubFailed(self._remote.address, 200, reason)


def _is_later(hub: HubState, answer: messages.PullResponse | messages.PushResponse) -> bool:
    """Whether the hub that answers is the one that is known, and has nothing forgotten that it told.

    Where it was set back to a backup, its clock may be ahead again by now. But the incarnation that told the clock
    is none that it knows of then, or told less as far as it knows. An answer of version 1 may have come from
    anywhere: what is known from those is nothing that a hub of version 2 has told. (A cursor of version 0 was taken over
    with the database of the original program, whose numbers a hub that took over goes on with.)
    """
    if hub.version == 1:
        return False
    if hub.process_id not in {NOBODY, answer.process_id}:
        return False
    if hub.incarnation == 0:
        return answer.clock >= max(hub.told, hub.cursor)
    return any(
        incarnation.mark == hub.incarnation and incarnation.told >= hub.told for incarnation in answer.incarnations
    )
