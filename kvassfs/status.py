"""What ``kvass status`` finds out about a store and its hub."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .errors import InvalidConfiguration, SyncError
from .remote.address import shown
from .store import Device, Follower, Store


class Hub(NamedTuple):
    """What is known of the hub.

    Attributes:
        address: as it is shown, without a password.
        answers: ``None`` if it was not asked.
        error: why it does not answer, or ``""``.
        version: of the protocol that it speaks; 0 if unknown.
        difference: µs by which its clock is ahead; ``None`` if unknown.
        exchanged: when the last exchange succeeded, µs since the epoch; 0 for never.
        waiting: entries that it has not acknowledged.
        waiting_size: bytes of their values.
    """

    address: str
    answers: bool | None
    error: str
    version: int
    difference: int | None
    exchanged: int
    waiting: int
    waiting_size: int


class Status(NamedTuple):
    """What is reported at ``now``, µs since the epoch.

    ``size`` is that of the database in bytes, ``in_touch``: a follower keeps the store current.
    """

    path: str
    size: int
    entries: int
    hub: Hub | None
    in_touch: bool
    followers: Sequence[Follower]
    devices: Sequence[Device]
    now: int


def inspect(store: Store, *, offline: bool, clock: Callable[[], int] = time.time_ns) -> Status:
    """Return the status of ``store``; unless ``offline``, ask its hub."""
    return Status(
        path=store.path,
        hub=_hub(store, offline) if store.settings.config().remote else None,
        size=os.stat(store.path).st_size + store.upkeep.log_size(),
        entries=sum(1 for _ in store.keys()),
        in_touch=store.processes.is_in_touch(),
        followers=store.processes.followers(),
        devices=store.peers.devices(),
        now=clock() // 1000,
    )


def _hub(store: Store, offline: bool) -> Hub:
    known = store.peers.hub()
    waiting, waiting_size = store.outbox.count_dirty()
    hub = Hub(
        address=shown(store.settings.config().remote),
        answers=None,
        error="",
        version=known.version,
        difference=known.difference,
        exchanged=known.reached,
        waiting=waiting,
        waiting_size=waiting_size,
    )
    return hub if offline else _asked(store, hub)


def _asked(store: Store, hub: Hub) -> Hub:
    """Return what is known of the hub once it was asked."""
    from .sync.connection import open_synchroniser  # noqa: PLC0415  without --offline alone

    try:
        with open_synchroniser(store) as synchroniser:
            probe = synchroniser.probe()
    except (SyncError, InvalidConfiguration) as error:
        return hub._replace(answers=False, error=str(error))
    difference = hub.difference if probe.difference is None else probe.difference
    return hub._replace(answers=True, version=probe.version, difference=difference)
