"""What a device of a sealed store keeps of its hub, which cannot read it, and the keys that follow from that of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..kind import Kind
from ..tuples import NamedTuple
from .database import Database
from .setting_rows import SEALED_ANEW, read_setting, write_setting
from .settings import Settings

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from ..veil.keys import Keys

MOST_REFUSED = 1000
"""Entries of the hub that were not taken, of which is known why: a hub could make up any number."""


LONGEST_NAME = 200
"""Characters that are kept of what an entry is called that was not taken; a hub could call it anything."""


class RefusedEntry(NamedTuple):
    """An entry of the hub that was not taken: its ``name`` there, why, and when (µs)."""

    name: str
    reason: str
    time: int


class Sealed:
    """Whether the hub can read this store, and what is kept where it cannot. ``clock`` returns ns since the epoch."""

    def __init__(self, database: Database, settings: Settings, clock: Callable[[], int]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    # Keys

    def keys(self) -> Keys | None:
        """Return the keys of a device of a sealed store; ``None`` where the hub can read it, or this is the hub."""
        if self._settings.kind() != Kind.DEVICE:
            return None
        from ..veil.keys import derive_keys  # noqa: PLC0415  a plain store has no need of it

        return derive_keys(self._settings.config().encryption_key)

    def message_key(self) -> bytes:
        """Return the key of messages between this store and its hub or devices."""
        keys = self.keys()
        return self._settings.config().encryption_key if keys is None else keys.access

    def is_anew(self) -> bool:
        """Return True if the store was sealed here, and its hub was not looked at since."""
        return read_setting(self._database, SEALED_ANEW) is not None

    def note_looked(self) -> None:
        """Note that the hub has nothing but what is of this store."""
        if self.is_anew():
            write_setting(self._database, SEALED_ANEW, None)

    # Blocks

    def find_block(self, hash_: bytes) -> bytes | None:
        """Return the hash of a block as the hub has it, ``None`` if that is not known yet."""
        row = self._database.row(
            "SELECT sealed_blocks.hash FROM blocks JOIN sealed_blocks ON block = id WHERE blocks.hash = ?", (hash_,)
        )
        return None if row is None else bytes(row[0])

    def note_blocks(self, found: Mapping[bytes, bytes]) -> None:
        """Note the hashes of blocks as the hub has them, by those that they have here."""
        with self._database.transaction:
            self._database.execute_many(
                "INSERT OR REPLACE INTO sealed_blocks SELECT id, ? FROM blocks WHERE hash = ?",
                [(sealed, hash_) for hash_, sealed in found.items()],
            )

    # What is wrong at the hub

    def note_pulled(self, opened: Iterable[str], refused: Iterable[tuple[str, str]]) -> None:
        """Note which names were refused and why; what is noted of those that were opened goes."""
        known = {name for (name,) in self._database.rows("SELECT name FROM refused")}
        gone, new = known.intersection(opened), [(_shorten(name), reason) for name, reason in refused]
        if not (gone or new):
            return
        now = self._clock() // 1000
        with self._database.transaction:
            self._database.execute_many("DELETE FROM refused WHERE name = ?", [(name,) for name in gone])
            self._database.execute_many(
                "INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", [(name, reason, now) for name, reason in new]
            )
            self._database.execute(
                "DELETE FROM refused WHERE name IN (SELECT name FROM refused ORDER BY time DESC, name LIMIT -1 OFFSET ?)",
                (MOST_REFUSED,),
            )

    def refused(self) -> list[RefusedEntry]:
        """Return what the hub has that was not taken, the latest first."""
        return self.refused_since(-1)

    def refused_since(self, time: int) -> list[RefusedEntry]:
        """Return what was not taken after a time (µs), the latest first."""
        rows = self._database.rows(
            "SELECT name, reason, time FROM refused WHERE time > ? ORDER BY time DESC, name", (time,)
        )
        return [RefusedEntry._make(row) for row in rows]


def _shorten(name: str) -> str:
    """Return a name as it can be kept and shown."""
    text = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return text.encode(errors="replace").decode()
