"""The hub: whether it can be reached, takes the key, and has the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..clocks import describe_difference
from ..errors import InvalidConfiguration, KvassError, SyncError, WrongKey
from ..kind import Kind
from ..remote.address import show_address
from ..store import RefusedEntry, Store
from .finding import OK, WARNING, Finding, find_error

PATIENCE = 5.0
"""Seconds for which the hub is waited for, unless the settings say less."""


class Hub(NamedTuple):
    """What is known of the hub.

    Attributes:
        address: as it is shown; ``""`` if none is set.
        error: why no exchange is possible; ``None`` also if it was not asked.
        version: of the protocol that it speaks; 0 if it was not asked.
        difference: µs by which its clock is ahead; ``None`` if that is not known.
    """

    address: str
    error: KvassError | None = None
    version: int = 0
    difference: int | None = None


def collect_hub(store: Store, *, offline: bool, patience: float = PATIENCE) -> Hub:
    """Return what is known of the hub of ``store`` after a request, which moves nothing; ``offline`` sends none."""
    address = show_address(store.settings.config().remote)
    known = Hub(address, difference=store.hub_time.difference() if address else None)
    if not address or offline:
        return known
    from ..sync.connection import open_synchroniser  # noqa: PLC0415  requests takes long to load

    try:
        with open_synchroniser(store, longest=patience) as synchroniser:
            probe = synchroniser.probe()
            known = known._replace(address=synchroniser.address, version=probe.version)
    except (SyncError, InvalidConfiguration) as error:
        return known._replace(error=error)
    return known if probe.difference is None else known._replace(difference=probe.difference)


def judge_hub(found: Hub) -> Iterator[Finding]:
    """Yield whether the hub answers, whether it takes the key, and how the clocks differ."""
    if not found.address:
        yield Finding("hub", OK, "none is set; this store stands alone, or is the hub")
        return
    yield _judge_response(found)
    if isinstance(found.error, WrongKey):
        yield find_error("key", found.error)
    elif found.version:
        yield Finding("key", OK, "the hub accepts it")
    if found.difference is not None:
        yield _judge_clock(found.difference)


def judge_sealed(kind: str, refused: Sequence[RefusedEntry]) -> Iterator[Finding]:
    """Yield whether the hub can read the store, where it cannot, and what it has that was not taken."""
    if kind == Kind.DEVICE:
        yield Finding("sealed", OK, "the hub cannot read this store")
    elif kind == Kind.HUB:
        yield Finding("sealed", OK, "this is the hub of a sealed store, and cannot read it")
    if refused:
        latest = refused[0]
        text = f"{len(refused)} of the hub's entries were not taken, {latest.name} the last one"
        yield Finding("sealed", WARNING, text, latest.reason)


def _judge_response(found: Hub) -> Finding:
    if found.error is None:
        if not found.version:
            return Finding("hub", OK, f"{found.address} was not asked")
        return Finding("hub", OK, f"{found.address} answers, protocol version {found.version}")
    if isinstance(found.error, WrongKey):
        return Finding("hub", OK, f"{found.address} answers")
    return find_error("hub", found.error)


def _judge_clock(difference: int) -> Finding:
    warning = describe_difference(difference)
    if warning is None:
        return Finding("clock", OK, f"within {max(round(abs(difference) / 1_000_000), 1)} s of the hub's")
    text, _, remedy = warning.partition("; ")
    return Finding("clock", WARNING, text, f"{remedy}, with: timedatectl set-ntp true")
