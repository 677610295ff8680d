"""Echoes: by them a device knows that an original hub has what it sent, and responds to the request that it made.

Such a hub says neither who it is nor which request it answers; its responses name nothing that somebody in between could
not have kept, or asked for with the request of another device. So before a device pulls from one, it pushes two entries
that no replica shows, tombstones under keys of its own:

- the *shown* echo, with a random token, and after it
- the *hidden* echo, as if written by a random process id.

It then asks for everything that this process id did *not* write. A response that has the shown echo and not the hidden one
was made after the push, from the store that took the push, and to that very request, whose process id nobody else knows. Two
keys of shown echoes take turns: the response has the last one too, unless it is another store, or the same one as it was
before that.

The original keeps the entries of a push in their order, and takes what arrives last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from .entry import Delivery, Entry, new_token
from .replica import MAX_PROCESS_ID, KnownEcho
from .tuples import NamedTuple

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import Self

ECHOES = "\x01echo/"
"""What the keys of echoes begin with; nobody types that by accident."""

_KEY = ECHOES + r"[0-9]{1,10}/[01h]"

_TURNS = ("0", "1")


def is_echo(key: str) -> bool:
    """Return True if an echo travels under ``key``."""
    return key.startswith(ECHOES) and re.fullmatch(_KEY, key) is not None


class Proof(Enum):
    """What a response says to a device that has sent an echo."""

    NONE = "it proves nothing: it is older, or to another request"
    GIVEN = "it is to the request that was made, from the hub that is known"
    OTHER = "it is to the request that was made, from a store that lacks what the known one had"


class Echo(NamedTuple):
    """The echo that the device ``process_id`` sends; ``hidden`` is the process id that it asks not to hear of."""

    process_id: int
    turn: str
    token: str
    hidden: int

    @classmethod
    def make(cls, process_id: int, last: KnownEcho, random: Callable[[int], bytes]) -> Self:
        """Make the echo after the ``last`` one. ``random(n)`` returns n random bytes."""
        hidden = process_id
        while hidden in {0, process_id}:
            hidden = int.from_bytes(random(4)) & MAX_PROCESS_ID
        turn = _TURNS[last.turn == _TURNS[0]]
        return cls(process_id, turn, new_token(random), hidden)

    def deliveries(self, random: Callable[[int], bytes]) -> list[Delivery]:
        """Return the two entries in the order in which they are pushed. They have no date: such a hub asks for none."""
        shown = Entry(self._key(self.turn), 0, 0, self.process_id, self.token, 0)
        hidden = Entry(self._key("h"), 0, 0, self.hidden, new_token(random), 0)
        return [Delivery(entry, 0, b"") for entry in (shown, hidden)]

    def judge(self, last: KnownEcho, echoes: Mapping[str, KnownEcho]) -> Proof:
        """Decide what a response proves that has ``echoes``, by their keys; see ``find_echo``."""
        shown = echoes.get(self._key(self.turn))
        if shown is None or shown.token != self.token or self._key("h") in echoes:
            return Proof.NONE
        if not last.token:
            return Proof.GIVEN
        before = echoes.get(self._key(last.turn))
        return Proof.GIVEN if before is not None and before.token == last.token else Proof.OTHER

    def find_in(self, echoes: Mapping[str, KnownEcho]) -> KnownEcho:
        """Return the shown echo as it came back, for the next time."""
        return echoes[self._key(self.turn)]

    def _key(self, which: str) -> str:
        return f"{ECHOES}{self.process_id}/{which}"


def without_echoes(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Return the entries that are to be merged."""
    return [delivery for delivery in deliveries if not is_echo(delivery.entry.key)]


def find_echoes(deliveries: Sequence[Delivery]) -> dict[str, KnownEcho]:
    """Return the echoes among the entries of a response, by their keys."""
    return {
        entry.key: KnownEcho(entry.key[-1], entry.url_token, sequence)
        for entry, sequence, *_ in deliveries
        if is_echo(entry.key)
    }
