"""Pairing on the device that joins: from a code to what the other device hands over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..errors import InvalidMessage
from . import messages
from .agreement import JoinerSide
from .calls import Remote, post
from .code import Code
from .errors import CannotPair, InvalidIntroduction, OtherSideGone
from .messages import Handover, JoinRequest, JoinResponse
from .post_office import JOIN_WAIT

PATIENCE = 15.0
"""Seconds in which the other device has to answer."""


def receive_handover(
    remote: Remote,
    code: Code,
    name: str,
    *,
    random: Callable[[int], bytes] = os.urandom,
    clock: Callable[[], float] = time.monotonic,
) -> Handover:
    """Return what the device that shows ``code`` hands over to this one, which is called ``name``.

    ``random(n)`` returns n random bytes, ``clock`` seconds of a clock that nobody sets.

    Raises:
        WrongCode: the other one has another code, or somebody in between is at work.
        PairingError: nobody waits with it, or no more.
        SyncError: the hub is not to be reached.
    """
    side = JoinerSide(code, random)
    share = _ask(remote, JoinRequest(code.number)).share
    message = side.reply(share, messages.encode_introduction(name))
    answer = _wait_for_answer(remote, JoinRequest(code.number, message), clock)
    try:
        return messages.decode_handover(side.open(answer))
    except InvalidMessage as error:
        raise InvalidIntroduction(error.reason) from error


def _wait_for_answer(remote: Remote, request: JoinRequest, clock: Callable[[], float]) -> bytes:
    deadline = clock() + PATIENCE
    while clock() < deadline:
        answer = _ask(remote, request, wait=JOIN_WAIT).answer
        if answer is not None:
            return answer
    raise OtherSideGone(joining=True)


def _ask(remote: Remote, request: JoinRequest, wait: float = 0.0) -> JoinResponse:
    body = post(remote, "join", messages.encode_join_request(request), wait=wait)
    try:
        return messages.decode_join_response(body)
    except InvalidMessage as error:
        raise CannotPair(remote.address, f"its answer cannot be read ({error.reason})") from error
