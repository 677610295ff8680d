"""What the user configures: the hub, its key, and how this replica behaves."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import InvalidConfiguration
from ..kind import Kind
from ..replica import MAX_NAME, MAX_PROCESS_ID, StoreKey, check_name
from ..tuples import NamedTuple
from .database import Database
from .peers import Peers
from .setting_rows import HISTORY, SEALED, SEALED_ANEW, read_history, read_json, read_setting, write_json, write_setting
from .sizes import DAY, KEPT_REVISIONS, KEPT_TIME

KEY_BYTES = 32
"""Bytes in an encryption key."""

DEFAULT_HISTORY = (KEPT_REVISIONS, KEPT_TIME / DAY)
"""Revisions of each key, and days."""

DEFAULT_TIMEOUTS = (1.0, 10.0)
"""Seconds for connecting to the hub, and for which it may make no progress."""


class Config(NamedTuple):
    """The configuration of a replica. ``remote`` is ``""`` where there is none."""

    encryption_key: bytes
    process_id: int
    remote: str
    clock: int


class Settings:
    """Reads and writes the configuration. Nothing is kept in memory: any process may change it."""

    def __init__(self, database: Database, peers: Peers) -> None:
        self._database = database
        self._peers = peers

    def config(self) -> Config:
        """Return the configuration as it is now."""
        return Config._make(self._database.only_row("SELECT encryption_key, process_id, remote, clock FROM replica"))

    def set_encryption_key(self, key: bytes, kind: str = Kind.PLAIN, *, anew: bool = False) -> None:
        """Set the key that all devices of one person share, 32 bytes, and what it is; all entries are pushed anew.

        ``anew``: the key of a sealed store was made here, so its hub has nothing yet.

        Raises:
            InvalidConfiguration: it has another length.
        """
        if len(key) != KEY_BYTES:
            raise InvalidConfiguration("an encryption key has 32 bytes: 64 hexadecimal digits")
        with self._database.transaction:
            self._change_hub("encryption_key", key)
            write_setting(self._database, SEALED, kind or None)
            write_setting(self._database, SEALED_ANEW, "1" if anew else None)
            self._database.execute("DELETE FROM sealed_blocks")
            self._database.execute("DELETE FROM refused")

    def store_key(self) -> StoreKey:
        """Return the key, and what it is."""
        return StoreKey(self.config().encryption_key, self.kind())

    def kind(self) -> str:
        """Return what the key is."""
        return read_setting(self._database, SEALED) or Kind.PLAIN

    def set_process_id(self, process_id: int) -> None:
        """Set the id of this replica; the lower one wins where two writes are equal otherwise.

        Raises:
            InvalidConfiguration: it is outside 1 … 2**32 - 1.
        """
        if not 1 <= process_id <= MAX_PROCESS_ID:
            raise InvalidConfiguration(f"a process id is a number from 1 to {MAX_PROCESS_ID}")
        with self._database.transaction:
            self._database.execute("UPDATE replica SET process_id = ?", (process_id,))

    def set_remote(self, remote: str) -> None:
        """Set the hub; ``""`` means none. All entries are pushed to it."""
        self._change_hub("remote", remote)

    def _change_hub(self, column: str, value: bytes | str) -> None:
        with self._database.transaction:
            self._database.execute(f"UPDATE replica SET {column} = ?", (value,))
            self._peers.forget_hub()

    def public_url(self) -> str:
        """Return the address under which others reach the hub, ``""`` if that is the remote's."""
        return read_setting(self._database, "url") or ""

    def set_public_url(self, url: str) -> None:
        """Set what ``public_url`` returns."""
        write_setting(self._database, "url", url)

    def name(self) -> str:
        """Return what the user calls this device; the name of the host where none is set."""
        return self.chosen_name() or "".join(filter(str.isprintable, os.uname().nodename))[:MAX_NAME]

    def chosen_name(self) -> str:
        """Return the name that was set, ``""`` if none is."""
        return read_setting(self._database, "name") or ""

    def set_name(self, name: str) -> None:
        """Set what ``name`` returns; ``""`` goes back to the name of the host.

        Raises:
            InvalidConfiguration: no device can be called so.
        """
        write_setting(self._database, "name", check_name(name) or None)

    def names(self) -> dict[int, str]:
        """Return what the devices of this person are called, by their process ids, as far as is known; this one first."""
        own = self.config().process_id
        return {own: self.name()} | {other: name for other, name in self._peers.names().items() if other != own}

    def timeouts(self) -> tuple[float, float]:
        """Return for how many seconds to try to connect to the hub, and to wait for progress after that."""
        connect, progress = read_json(self._database, "timeout") or DEFAULT_TIMEOUTS
        return float(connect), float(progress)

    def set_timeouts(self, connect: float | None, progress: float | None) -> None:
        """Set what ``timeouts`` returns; ``None`` goes back to the default of one."""
        default_connect, default_progress = DEFAULT_TIMEOUTS
        timeouts = [default_connect if connect is None else connect, default_progress if progress is None else progress]
        write_json(self._database, "timeout", timeouts)

    def scratch_patterns(self) -> tuple[str, ...] | None:
        """Return the user's patterns of scratch names; ``None`` means the default ones."""
        patterns = read_json(self._database, "scratch")
        return None if patterns is None else tuple(patterns)

    def set_scratch_patterns(self, patterns: Sequence[str] | None) -> None:
        """Set the patterns of scratch names; ``None`` goes back to the default ones."""
        write_json(self._database, "scratch", None if patterns is None else list(patterns))

    def history(self) -> tuple[int, float]:
        """Return how many revisions are kept of each key, and for how many days."""
        return read_history(self._database) or DEFAULT_HISTORY

    def set_history(self, count: int | None, days: float | None) -> None:
        """Set what ``history`` returns; ``None`` for both goes back to the defaults. What is kept already goes by and by."""
        write_json(self._database, HISTORY, None if count is None and days is None else [count, days])
