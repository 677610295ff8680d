"""What tells replicas apart: process ids, the incarnations of a hub, and what a device knows of its hub."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import InvalidConfiguration
from .kind import Kind
from .tuples import NamedTuple

NOBODY = 0
"""The process id that is no replica's."""

MAX_NAME = 64
"""Characters of a device's name."""

MOST_NAMES = 64
"""Devices whose names a message carries at most."""

MAX_PROCESS_ID = 2**32 - 1


class StoreKey(NamedTuple):
    """An encryption key as a person copies it: its text says what it is, so that it does not come to the wrong place."""

    key: bytes
    kind: str = Kind.PLAIN

    def __str__(self) -> str:
        return f"{KEY_PREFIXES[self.kind]}{self.key.hex()}"


KEY_PREFIXES = {Kind.PLAIN: "", Kind.DEVICE: "sealed-", Kind.HUB: "access-"}
"""What the texts of keys begin with."""


class Incarnation(NamedTuple):
    """A process that serves a store as the hub: a random mark, and the greatest Lamport clock that it told."""

    mark: int
    told: int


class KnownEcho(NamedTuple):
    """The last shown echo that came back (see ``kvassfs.echo``): whose turn it was, its token, its sequence at the hub."""

    turn: str = ""
    token: str = ""
    sequence: int = 0


NO_ECHO = KnownEcho()
"""There was none."""


class HubState(NamedTuple):
    """What a device knows of its hub.

    The ``version`` of the protocol that it speaks and its own ``process_id``, 0 where not known yet; when the last
    exchange with it succeeded (µs, 0 = none has); how far it has been pulled. The
    ``epoch`` is another one when the hub has been changed: what an exchange before that found is void then.
    ``told`` is the greatest Lamport clock that it told, in its ``incarnation``; 0 = none. Of a hub of the original program,
    ``echo`` is the last one that came back.
    """

    version: int
    process_id: int
    reached: int
    cursor: int
    epoch: int
    incarnation: int
    told: int
    echo: KnownEcho = NO_ECHO


def describe_device(process_id: int, names: Mapping[int, str]) -> str:
    """Return what a device is called by ``names``, with its process id where another one is called so, or that alone."""
    name = names.get(process_id, "")
    if not name:
        return str(process_id)
    return name if list(names.values()).count(name) == 1 else f"{name} ({process_id})"


def find_new_names(known: Mapping[int, str], told: Mapping[int, str], *, of: int | None) -> dict[int, str]:
    """Return those of the names that were ``told`` which are to be noted, by process ids.

    ``of`` is who tells them, ``None`` for the hub: of others than itself a device may know less than is ``known`` here.
    """
    return {
        process_id: name
        for process_id, name in told.items()
        if known.get(process_id) != name and (of in (None, process_id) or process_id not in known)
    }


def check_name(name: str) -> str:
    """Return ``name`` if a device can be called so; ``""`` stands for none.

    Raises:
        InvalidConfiguration: it cannot be shown in one line, or is too long.
    """
    if len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
        raise InvalidConfiguration(
            f"the name of a device is one line of at most {MAX_NAME} characters, and {name[:MAX_NAME]!r} is not"
        )
    return name
