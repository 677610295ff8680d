"""The status of a store: its size, its hub, what waits to be pushed, and who is in touch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .conflict import Conflict
from .errors import HubDowngraded, HubFailed, InvalidConfiguration, SyncError, WrongKey
from .kind import Kind
from .remote.address import show_address
from .store import Device, Follower, RefusedEntry, Space, Store, Upload, User, list_users

_RESPONSES = (WrongKey, HubFailed, HubDowngraded)
"""Errors that a hub, and nothing else, responds with."""


class HubStatus(NamedTuple):
    """What is known of the hub.

    Attributes:
        address: as it is shown, without a password; where it responds, if it does.
        responds: whether it responds to a request, be it with an error; ``None`` if none was sent.
        error: why no exchange is possible, or ``""``.
        version: of the protocol that it speaks; 0 if unknown.
        difference: µs by which its clock is ahead; ``None`` if unknown.
        exchanged: when the last exchange succeeded, µs since the epoch; 0 for never.
        waiting: entries that it has not acknowledged.
        waiting_size: bytes of their values.
        upload: how far a process is that sends them, if it has done so for long.
        push_failure: why the last push of them failed, or ``""``.
    """

    address: str
    responds: bool | None
    error: str
    version: int
    difference: int | None
    exchanged: int
    waiting: int
    waiting_size: int
    upload: Upload | None = None
    push_failure: str = ""


class Status(NamedTuple):
    """What is reported at ``now``, µs since the epoch.

    ``obstacle`` says why the store can only be read, or is ``""``; its hub is left alone then.
    ``names`` are those of devices, by process id. ``size`` is that of the database in bytes, ``gives_back``: what is free of it
    goes back to the disk by itself, ``in_touch``: a follower keeps the store current. ``strays`` are processes that still have
    a file open that was the database once. ``kind`` is that of the key, ``refused`` what the hub of a sealed store has that was not
    taken.
    """

    path: str
    obstacle: str
    size: int
    entries: int
    space: Space
    gives_back: bool
    hub: HubStatus | None
    in_touch: bool
    followers: Sequence[Follower]
    devices: Sequence[Device]
    conflicts: Sequence[Conflict]
    names: Mapping[int, str]
    now: int
    strays: Sequence[User] = ()
    kind: str = Kind.PLAIN
    refused: Sequence[RefusedEntry] = ()


def inspect(store: Store, *, offline: bool, clock: Callable[[], int] = time.time_ns) -> Status:
    """Return the status of ``store``; unless ``offline``, or the store can only be read, send its hub a request.

    ``clock`` returns ns since the epoch.
    """
    return Status(
        path=store.path,
        obstacle=store.obstacle,
        hub=_inspect_hub(store, offline or bool(store.obstacle)) if store.settings.config().remote else None,
        size=os.stat(store.path).st_size + store.upkeep.log_size(),
        entries=store.count_keys(),
        space=store.upkeep.space(),
        gives_back=store.upkeep.gives_back(),
        in_touch=store.processes.is_in_touch(),
        followers=store.processes.followers(),
        devices=store.peers.devices(),
        conflicts=list(store.conflicts.open()),
        names=store.settings.names(),
        now=clock() // 1000,
        kind=store.settings.kind(),
        refused=store.sealed.refused(),
        strays=[user for user in list_users(store.path) if user.is_stray],
    )


def _inspect_hub(store: Store, offline: bool) -> HubStatus:
    known = store.peers.hub()
    waiting, waiting_size = store.outbox.count_dirty()
    hub = HubStatus(
        address=show_address(store.settings.config().remote),
        responds=None,
        error="",
        version=known.version,
        difference=store.hub_time.difference(),
        exchanged=known.reached,
        waiting=waiting,
        waiting_size=waiting_size,
        upload=store.processes.upload(),
        push_failure=(store.processes.push_failure() or "") if waiting else "",
    )
    return hub if offline else _probe_hub(store, hub)


def _probe_hub(store: Store, hub: HubStatus) -> HubStatus:
    """Return what is known of the hub after a request, which moves nothing."""
    from .sync.connection import open_synchroniser  # noqa: PLC0415  without --offline alone

    try:
        with open_synchroniser(store) as synchroniser:
            probe = synchroniser.probe()
            hub = hub._replace(address=synchroniser.address)
    except (SyncError, InvalidConfiguration) as error:
        return hub._replace(responds=isinstance(error, _RESPONSES), error=str(error))
    difference = hub.difference if probe.difference is None else probe.difference
    return hub._replace(responds=True, version=probe.version, difference=difference)
