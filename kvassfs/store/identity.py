"""Who this replica is: its process id, and the place that tells its database from a copy."""

from __future__ import annotations

from collections.abc import Callable

from ..replica import MAX_PROCESS_ID
from .database import Database
from .machine import Machine
from .peers import Peers
from .setting_rows import read_setting, write_setting
from .settings import Settings


def new_process_id(random: Callable[[int], bytes]) -> int:
    """Return a random process id, 1 … 2**32 - 1."""
    return int.from_bytes(random(8), "big") % MAX_PROCESS_ID + 1


class Identity:
    """Changes the process id where the database turns out to be a copy, or was set back to a backup.

    ``random(n)`` returns n random bytes, ``machine`` tells whether the file is where it was.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        peers: Peers,
        random: Callable[[int], bytes],
        machine: Machine,
    ) -> None:
        self._database = database
        self._settings = settings
        self._peers = peers
        self._random = random
        self._machine = machine

    def detach_copy(self) -> None:
        """Take a new process id if the file is a copy of another store, and no longer at the place it was made in.

        Otherwise each would take what the other writes for its own. What only the copy has goes on under the new id.
        """
        place = self._machine.identify_place(self._database.path)
        if self._read_place() == place:
            return
        with self._database.transaction:
            known = self._read_place()
            if known == place:  # another process has been quicker
                return
            before = self._settings.config().process_id
            write_setting(self._database, "place", place)
            if known is not None:
                process_id = new_process_id(self._random)
                self._settings.set_process_id(process_id)
                self._database.execute(
                    "UPDATE entries SET process_id = ? WHERE dirty AND process_id = ?", (process_id, before)
                )

    def _read_place(self) -> str | None:
        return read_setting(self._database, "place")

    def renew(self, counter: int) -> None:
        """Take a new process id, and a clock beyond ``counter``; all is pulled and pushed anew.

        For a store that was set back to a backup: what it wrote after that would else be taken for its own.
        """
        with self._database.transaction:
            self._settings.set_process_id(new_process_id(self._random))
            self._database.execute("UPDATE replica SET clock = max(clock, ?)", (counter,))
            self._peers.forget_hub()
