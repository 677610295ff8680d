"""The replicas that this store exchanges entries with: its hub, and the devices whose hub it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from ..errors import StoreBusy
from ..replica import MOST_NAMES, HubState, Incarnation, KnownEcho, find_new_names
from ..tuples import NamedTuple
from .database import Database
from .machine import Machine
from .setting_rows import PUSH_FAILURE, write_setting

SEEN_INTERVAL = 5 * 60 * 1_000_000
"""Microseconds between two notes that a device has been seen: pulls of one that is idle write nothing meanwhile."""

IDLE_INTERVAL = 60 * 1_000_000
"""Microseconds between two notes of exchanges with the hub in which nothing moved, and for which nobody waited."""

KEPT_INCARNATIONS = 32
"""Processes that are remembered to have served this store: a device that was away for longer exchanges everything."""


class Device(NamedTuple):
    """A replica that has this one as its hub, when it last asked (µs), and what it is called, ``""`` if it has not told."""

    process_id: int
    seen: int
    name: str = ""


class Peers:
    """Reads and writes what is known of other replicas. ``writer`` tells this open store from others."""

    def __init__(self, database: Database, clock: Callable[[], int], writer: int, machine: Machine) -> None:
        self._database = database
        self._clock = clock
        self._writer = writer
        self._machine = machine

    # The hub

    def hub(self) -> HubState:
        """Return what is known of the hub."""
        *state, turn, token, sequence = self._database.only_row(
            "SELECT version, hub.process_id, reached, cursor, epoch, incarnation, told, echo_turn, echo, echo_sequence"
            " FROM hub, replica"
        )
        return HubState._make([*state, KnownEcho(turn, token, sequence)])

    def note_hub(self, *, version: int, process_id: int, incarnation: int, told: int, epoch: int) -> None:
        """Note who the hub is; the responses to two processes may come in any order."""
        with self._database.transaction:
            self._database.execute(
                "UPDATE hub SET version = ?, process_id = ?, incarnation = iif(told <= ?, ?, incarnation),"
                " told = max(told, ?) WHERE epoch = ?",
                (version, process_id, told, incarnation, told, epoch),
            )

    def doubt_hub(self, *, epoch: int) -> None:
        """Note that the hub is to be asked before anything is pushed to it, as if it were not known yet."""
        with self._database.transaction:
            self._database.execute("UPDATE hub SET version = 0 WHERE epoch = ?", (epoch,))

    def note_echo(self, echo: KnownEcho, *, epoch: int) -> None:
        """Note the last echo that came back from a hub of the original program, unless that of another process is later."""
        with self._database.transaction:
            self._database.execute(
                "UPDATE hub SET echo_turn = ?, echo = ?, echo_sequence = ? WHERE epoch = ? AND echo_sequence < ?",
                (*echo, epoch, echo.sequence),
            )

    def note_exchange(self, *, epoch: int, idle: bool = False) -> None:
        """Note that an exchange with the hub has just succeeded; not while another process has the lock.

        ``idle``: nothing moved, as happens all the time, so that is noted now and then.
        """
        if idle and self.was_reached(IDLE_INTERVAL):
            return
        with self._without_waiting(), self._database.transaction:
            self._database.execute("UPDATE hub SET reached = ? WHERE epoch = ?", (self._clock() // 1000, epoch))

    def was_reached(self, interval: int) -> bool:
        """Return whether the last exchange with the hub that succeeded is no longer ago than so many µs."""
        return abs(self._clock() // 1000 - self.hub().reached) < interval

    @contextmanager
    def _without_waiting(self) -> Iterator[None]:
        """``with`` what is only noted where that can be done at once: nobody who reads waits for it."""
        with suppress(StoreBusy), self._database.waiting(0):
            yield

    def forget_hub(self) -> None:
        """Take the hub for one that is new: it has nothing of this store, and everything of it is to be pulled."""
        with self._database.transaction:
            self._database.execute(
                "UPDATE hub SET version = 0, process_id = 0, reached = 0, epoch = epoch + 1,"
                " incarnation = 0, told = 0, clock_offset = NULL, boot = '',"
                " echo_turn = '', echo = '', echo_sequence = 0"
            )
            self._database.execute("UPDATE replica SET cursor = 0")
            self._database.execute("UPDATE followers SET reached = 0")
            self._database.execute("UPDATE entries SET dirty = 1 WHERE NOT dirty")
            write_setting(self._database, PUSH_FAILURE, None)

    # Serving as the hub

    def announce_clock(self, clock: int) -> list[Incarnation]:
        """Note that this process, as the hub, tells a device the Lamport clock; comes before it does.

        Return the processes that lately served this store, this one at the end.
        """
        incarnations, told = self._incarnations()
        if told is None or told < clock:
            with self._database.transaction:
                self._note_told(clock)
            incarnations, _ = self._incarnations()
        return incarnations

    def _incarnations(self) -> tuple[list[Incarnation], int | None]:
        """Return the incarnations, this process at the end, and what it told if it is among them."""
        own = (os.getpid(), self._machine.find_own_start())
        rows = self._database.rows("SELECT mark, told, pid, started FROM incarnations ORDER BY id")
        rows.sort(key=lambda row: row[2:] == own)
        told = rows[-1][1] if rows and rows[-1][2:] == own else None
        return [Incarnation(*row[:2]) for row in rows], told

    def _note_told(self, clock: int) -> None:
        own = (os.getpid(), self._machine.find_own_start())
        updated = self._database.execute(
            "UPDATE incarnations SET told = max(told, ?) WHERE pid = ? AND started = ?", (clock, *own)
        )
        if updated.rowcount == 0:
            self._database.execute(
                "INSERT INTO incarnations (mark, told, pid, started) VALUES (?, ?, ?, ?)", (self._writer, clock, *own)
            )
            self._database.execute(
                "DELETE FROM incarnations WHERE id <= (SELECT max(id) FROM incarnations) - ?", (KEPT_INCARNATIONS,)
            )

    # Devices

    def note_device(self, process_id: int) -> None:
        """Note that a device asks this store as its hub; not while another process has the lock."""
        now = self._clock() // 1000
        row = self._database.row("SELECT seen FROM devices WHERE process_id = ?", (process_id,))
        if process_id and (row is None or abs(now - row[0]) > SEEN_INTERVAL):
            with self._without_waiting(), self._database.transaction:
                self._database.execute(
                    "INSERT INTO devices (process_id, seen, counter) VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET seen = excluded.seen",
                    (process_id, now),
                )

    def note_counters(self, counters: Mapping[int, int]) -> None:
        """Note the greatest counters of entries that were pushed here, by their writers' process ids."""
        self._database.execute_many(
            "INSERT INTO devices (process_id, seen, counter) VALUES (?, 0, ?)"
            " ON CONFLICT DO UPDATE SET counter = excluded.counter WHERE counter < excluded.counter",
            list(counters.items()),
        )

    def counter_of(self, process_id: int) -> int:
        """Return the greatest counter of a device's entries that were pushed here."""
        row = self._database.row("SELECT counter FROM devices WHERE process_id = ?", (process_id,))
        return 0 if row is None else int(row[0])

    def devices(self) -> list[Device]:
        """Return the devices that have asked this store as their hub, the latest first."""
        return [
            Device._make(row)
            for row in self._database.rows(
                "SELECT process_id, seen, name FROM devices WHERE seen ORDER BY seen DESC, process_id"
            )
        ]

    # Names

    def names(self) -> dict[int, str]:
        """Return what other replicas are called, by their process ids: of those that are known, the latest ones."""
        return dict(
            self._database.rows(
                "SELECT process_id, name FROM devices WHERE name <> '' ORDER BY seen DESC, process_id LIMIT ?",
                (MOST_NAMES,),
            )
        )

    def note_names(self, names: Mapping[int, str], *, of: int | None = None) -> None:
        """Note what other replicas are called, as the hub says.

        With ``of``, as that device says: of others it may know less than this store. Not while another process has the
        lock: they come again.
        """
        new = find_new_names(self.names(), names, of=of)
        if not new:
            return
        with self._without_waiting(), self._database.transaction:
            self._database.execute_many(
                "INSERT INTO devices (process_id, seen, counter, name) VALUES (?, 0, 0, ?)"
                " ON CONFLICT DO UPDATE SET name = excluded.name",
                list(new.items()),
            )
