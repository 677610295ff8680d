"""What makes a store the hub that its devices know: moved with the entries, it makes another keeper the same hub."""

from __future__ import annotations

from collections.abc import Iterable

from ..entry import Delivery
from ..replica import Incarnation
from ..tuples import NamedTuple
from .database import Database
from .inbox import Inbox
from .inodes import born_inode


class KnownDevice(NamedTuple):
    """A replica that the hub knows: when it last asked (µs), its greatest counter that was pushed, and its name."""

    process_id: int
    seen: int
    counter: int
    name: str


class HubRecord(NamedTuple):
    """The key and process id of a hub, its clock, its devices, and its incarnations, the latest at the end."""

    key: bytes
    process_id: int
    clock: int
    devices: list[KnownDevice]
    incarnations: list[Incarnation]


class HubRecords:
    """Reads and takes over what makes a store a hub."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._database = database
        self._inbox = inbox

    def read(self) -> HubRecord:
        """Return it; inside a snapshot or transaction it is that of the entries there."""
        key, process_id, clock = self._database.only_row("SELECT encryption_key, process_id, clock FROM replica")
        devices = self._database.rows("SELECT process_id, seen, counter, name FROM devices")
        incarnations = self._database.rows("SELECT mark, told FROM incarnations ORDER BY id")
        return HubRecord(
            key,
            process_id,
            clock,
            [KnownDevice(*each) for each in devices],
            [Incarnation(*each) for each in incarnations],
        )

    def take_over(self, record: HubRecord, pages: Iterable[list[Delivery]]) -> int:
        """Make this store, which is new, the hub of ``record``, with entries that keep their sequences; return their number.

        All of it is one transaction. The pages come in order of sequence, each after the blocks that it names.
        """
        count = 0
        with self._database.transaction:
            self._database.execute(
                "UPDATE replica SET encryption_key = ?, process_id = ?", (record.key, record.process_id)
            )
            self._database.execute_many(
                "INSERT OR REPLACE INTO devices (process_id, seen, counter, name) VALUES (?, ?, ?, ?)", record.devices
            )
            self._database.execute_many(
                "INSERT INTO incarnations (mark, told, pid, started) VALUES (?, ?, 0, '')", record.incarnations
            )
            for page in pages:
                count += len(page)
                for delivery in page:
                    self._adopt(delivery)
            self._database.execute("UPDATE replica SET clock = ?", (record.clock,))
        return count

    def _adopt(self, delivery: Delivery) -> None:
        """Merge an entry so that it has the sequence which it had."""
        sequence, entry = delivery.sequence, delivery.entry
        self._database.execute("UPDATE replica SET clock = ?", (sequence - 1,))
        self._inbox.merge_pushed([delivery._replace(sequence=0)])
        if entry.counter >= sequence:  # as the hub itself wrote it; merged, it got the next one
            self._database.execute(
                "UPDATE entries SET sequence = ?1, appeared = ?1, shown = ?1, inode = ?2 WHERE key = ?3",
                (sequence, born_inode(sequence), entry.key),
            )
