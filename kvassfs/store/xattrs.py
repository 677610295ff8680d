"""Extended attributes that users gave to files and directories; they stay on this machine.

Every method that writes belongs inside a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..tuples import NamedTuple
from .database import Database
from .emptiness import Emptiness


class Bearer(NamedTuple):
    """What attributes are of: the file with ``key``, or the directory with that prefix. Both may be there."""

    key: str
    is_directory: bool = False


class Xattrs:
    """Extended attributes, by name, of what bears them. They go when it goes, and come along when it is renamed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._emptiness = Emptiness(database, "xattrs")

    def of(self, bearer: Bearer) -> dict[bytes, bytes]:
        """Return the attributes of a file or directory."""
        return dict(self._database.rows("SELECT name, value FROM xattrs WHERE key = ? AND directory = ?", bearer))

    def put(self, bearer: Bearer, name: bytes, value: bytes | None) -> None:
        """Give an attribute to a file or directory that is there; ``None`` removes it."""
        self._emptiness.end()
        if value is None:
            self._database.execute("DELETE FROM xattrs WHERE key = ? AND directory = ? AND name = ?", (*bearer, name))
        else:
            self._database.execute("INSERT OR REPLACE INTO xattrs VALUES (?, ?, ?, ?)", (*bearer, name, value))

    def drop(self, bearer: Bearer) -> None:
        """Remove all attributes of what goes; quick where there are none at all."""
        if not self._emptiness.holds():
            self._database.execute("DELETE FROM xattrs WHERE key = ? AND directory = ?", bearer)

    def take(self, bearer: Bearer) -> dict[bytes, bytes]:
        """Remove all attributes of what goes to another name, and return them."""
        if self._emptiness.holds():
            return {}
        taken = self.of(bearer)
        self.drop(bearer)
        return taken

    def replace(self, bearer: Bearer, attributes: Mapping[bytes, bytes]) -> None:
        """Give a file these attributes, and no others."""
        self.drop(bearer)
        for name, value in attributes.items():
            self.put(bearer, name, value)

    def move_directories(self, old: str, new: str) -> None:
        """Have the attributes of a directory and of those below come along, in place of those of an empty one."""
        self.drop(Bearer(new, is_directory=True))
        self._put_directories(self._take_directories(old), old, new)

    def swap_directories(self, one: str, other: str) -> None:
        """Swap the attributes of two directories, and of those below them."""
        taken, other_taken = self._take_directories(one), self._take_directories(other)
        self._put_directories(taken, one, other)
        self._put_directories(other_taken, other, one)

    def _take_directories(self, prefix: str) -> list[tuple[str, bytes, bytes]]:
        """Remove the attributes of a directory and of those below, and return the rows."""
        if self._emptiness.holds():
            return []
        where = "WHERE directory AND key >= ? AND key < ?"
        ends = (prefix, prefix[:-1] + "0")
        rows = self._database.rows(f"SELECT key, name, value FROM xattrs {where}", ends)
        self._database.execute(f"DELETE FROM xattrs {where}", ends)
        return rows

    def _put_directories(self, rows: list[tuple[str, bytes, bytes]], old: str, new: str) -> None:
        for prefix, name, value in rows:
            self.put(Bearer(new + prefix[len(old) :], is_directory=True), name, value)
