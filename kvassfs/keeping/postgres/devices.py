"""The devices of one store, and what they are told: read with the row of the store, by one statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from ...replica import MOST_NAMES, Incarnation, find_new_names
from ...store import KEPT_INCARNATIONS, SEEN_INTERVAL
from ..keeper import Description
from .store_row import STATE, State

_TOLD: Final = f"""
SELECT {STATE},
    (SELECT json_agg(json_build_array(process_id, seen, counter, name) ORDER BY seen DESC, process_id)
        FROM devices WHERE store = %(store)s),
    (SELECT json_agg(json_build_array(mark, told) ORDER BY ended) FROM (
        SELECT mark, told, ended FROM incarnations WHERE store = %(store)s AND mark <> stores.mark
        ORDER BY ended DESC LIMIT %(most)s) AS past)
FROM stores WHERE store = %(store)s
"""

_WRITE: Final = """
INSERT INTO devices AS old VALUES (%(store)s, %(process_id)s, coalesce(%(seen)s, 0), 0, coalesce(%(name)s, ''))
ON CONFLICT (store, process_id) DO UPDATE SET seen = coalesce(%(seen)s, old.seen), name = coalesce(%(name)s, old.name)
"""


class Device(NamedTuple):
    """A device: when it last asked (µs), the greatest of its counters that was pushed, and its name or ``""``."""

    process_id: int
    seen: int
    counter: int
    name: str


class Told(NamedTuple):
    """The row of a store, its devices, those that asked last first, and its past incarnations: all of one moment."""

    state: State
    devices: list[Device]
    past: list[Incarnation]

    def describe(self, clock: int, device: int) -> Description:
        """Return what a device is told with a clock."""
        present = Incarnation(self.state.mark, max(clock, self.state.clock))
        return Description(
            self.state.process_id,
            [*self.past, present],
            next((each.counter for each in self.devices if each.process_id == device), 0),
            dict([(each.process_id, each.name) for each in self.devices if each.name][:MOST_NAMES]),
        )


class Devices:
    """Notes devices of one store, and reads what they are told. ``now`` returns µs since the epoch."""

    def __init__(self, store: UUID, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._asking: list[tuple[int, Mapping[int, str]]] = []

    def note(self, process_id: int, names: Mapping[int, str]) -> None:
        """Note that a device asks, and what it says that replicas are called; it is written at the next ``read``."""
        self._asking.append((process_id, names))

    def read(self, connection: Connection[Any]) -> Told | None:
        """Return what there is to tell, and write what was noted; ``None`` where there is no such store."""
        row = connection.execute(_TOLD, {"store": self._store, "most": KEPT_INCARNATIONS - 1}).fetchone()
        if row is None:
            return None
        devices = {each[0]: Device(*each) for each in row[-2] or ()}
        asking, self._asking = self._asking, []
        for process_id, names in asking:
            self._write(connection, devices, process_id, names)
        return Told(State._make(row[:-2]), [*devices.values()], [Incarnation(*each) for each in row[-1] or ()])

    def _write(
        self, connection: Connection[Any], devices: dict[int, Device], process_id: int, names: Mapping[int, str]
    ) -> None:
        nobody, now = Device(0, 0, 0, ""), self._now()
        known = {each.process_id: each.name for each in devices.values() if each.name}
        changed = {
            named: devices.get(named, nobody)._replace(process_id=named, name=name)
            for named, name in find_new_names(known, names, of=process_id).items()
        }
        asks = changed.get(process_id) or devices.get(process_id, nobody)._replace(process_id=process_id)
        if process_id and abs(now - asks.seen) > SEEN_INTERVAL:
            changed[process_id] = asks._replace(seen=now)
        for device in changed.values():
            # What another request wrote meanwhile stays: only what is new here is set.
            before = devices.get(device.process_id, nobody)
            seen = device.seen if device.seen != before.seen else None
            name = device.name if device.name != before.name else None
            connection.execute(
                _WRITE, {"store": self._store, "process_id": device.process_id, "seen": seen, "name": name}
            )
        devices |= changed
