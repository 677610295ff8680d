"""Pairing on the device that has the store: open a mailbox, wait for the joiner, hand over."""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from ..errors import HubUnreachable, InvalidMessage, KvassError, NotAHub
from ..sync.messages import compute_digest
from ..sync.seal import Seal
from . import messages
from .agreement import DeviceSide
from .calls import Remote, post
from .code import Choose, Code, make_code
from .errors import InvalidIntroduction, OtherSideGone, PairingExpired, WrongCode
from .fragment import Fragment, make_fragment
from .messages import Handover, PairRequest, PairResponse
from .post_office import LIFETIME

WAIT = 20.0
"""Seconds of one request for the joiner's message."""

PAUSE = 2.0
"""Seconds until the hub is tried again, where it went out of reach."""

END_TRIES = 3
END_PAUSE = 0.3
"""How often the hub is told that the code has ended, and seconds between."""

FETCH_WAIT = 10.0
"""Seconds in which the joiner has to fetch its answer."""


class Invitation:
    """An open mailbox, and its ``code`` and ``fragment``, for who comes first. ``with`` it, and it has ended afterwards.

    ``key`` is that of the store, ``random(n)`` returns n random bytes, ``choose`` one of several words, ``clock`` seconds of a
    clock that nobody sets, and ``notice`` is told when the hub is out of reach.

    Raises:
        PairingError: the hub opens none.
        SyncError: it is not to be reached, or has another key.
    """

    def __init__(
        self,
        remote: Remote,
        key: bytes,
        *,
        random: Callable[[int], bytes] = os.urandom,
        choose: Choose = secrets.choice,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._remote = remote
        self._seal = Seal(key, random)
        self._clock = clock
        self._sleep = sleep
        self._notice = notice
        self.has_ended = False
        self._ticket = base64.urlsafe_b64encode(random(16)).rstrip(b"=").decode()
        self._deadline = clock() + LIFETIME
        opened = self._ask(PairRequest(self._ticket))
        if not opened.mailbox:
            raise PairingExpired
        self.code: Code = make_code(opened.mailbox, choose)
        self.fragment: Fragment = make_fragment(opened.mailbox, random)
        self._side = DeviceSide(self.code, self.fragment, random)
        # Before the code is shown: else a quick typist finds a mailbox without a share.
        self._ask(PairRequest(self._ticket, self._side.share))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the code at the hub, which is asked more than once: an interrupt may have come in the middle of a request."""
        for _try in range(END_TRIES):
            with suppress(KvassError):
                self._ask(PairRequest(self._ticket, end=True))
                self.has_ended = True
                return
            self._sleep(END_PAUSE)

    def wait(self) -> str:
        """Wait for the joiner, and return what it calls itself.

        Raises:
            WrongCode: it has another code; it has been told.
            PairingExpired: nobody came.
        """
        message = self._wait_for_message()
        try:
            return messages.decode_introduction(self._side.open(message))
        except WrongCode:
            with suppress(KvassError):
                self._ask(PairRequest(self._ticket, self._side.share, b"", wait=FETCH_WAIT))
            raise
        except InvalidMessage as error:
            raise InvalidIntroduction(error.reason) from error

    def _wait_for_message(self) -> bytes:
        told = False
        while (left := self._deadline - self._clock()) > 0:
            try:
                response = self._ask(PairRequest(self._ticket, self._side.share, wait=min(left, WAIT)))
            except HubUnreachable as error:
                if not told:
                    self._notice(f"{error.summary}; trying again until the code ends")
                told = True
                self._sleep(min(left, PAUSE))
                continue
            if response.message is not None:
                return response.message
            if not response.mailbox:
                break
        raise PairingExpired

    def hand_over(self, handover: Handover) -> None:
        """Hand it to the joiner that ``wait`` has found.

        Raises:
            OtherSideGone: it did not fetch it.
        """
        answer = self._side.answer(messages.encode_handover(handover))
        if not self._ask(PairRequest(self._ticket, self._side.share, answer, wait=FETCH_WAIT)).fetched:
            raise OtherSideGone(joining=False)

    def _ask(self, request: PairRequest) -> PairResponse:
        body = self._seal.seal(messages.encode_pair_request(request))
        sealed = post(self._remote, "pair", body, wait=request.wait)
        try:
            response = messages.decode_pair_response(self._seal.unseal(sealed))
        except KvassError as error:
            raise NotAHub(self._remote.address, "its answer cannot be opened") from error
        if response.digest != compute_digest(body):
            raise NotAHub(self._remote.address, "it answers another request than the one that was made")
        return response
