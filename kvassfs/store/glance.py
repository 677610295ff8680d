"""A look at a database as it is, with as little as possible: loading the store takes longer than reading a short value.

Nothing is made, changed, closed to others or waited for. What is out of the ordinary is left to ``Store``, which finds out
and says what it is: then there is no ``Glance``, or it knows no answer.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys

from .machine import MACHINE
from .privacy import is_open_to_others
from .schema import APPLICATION_ID, IN_TOUCH_TIME, LISTED, VERSION

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from ..errors import KvassError

AT_ONCE = 4096
"""Keys that are read at a time."""

GLANCE_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What reading raises; ``explain_glance`` says what it means."""

_HEADER = b"SQLite format 3\0"
_WITH_LOG = b"\x02\x02"

_VALUE = (
    "SELECT entries.size, contents.data FROM entries LEFT JOIN contents ON contents.id = entries.content"
    " WHERE key = ? AND is_file"
)
_LISTED = f"entries INDEXED BY entries_live WHERE live AND key >= ? AND key < ? AND {LISTED} ORDER BY key LIMIT ?"
_KEYS = f"SELECT group_concat(key, '\n'), count(*) FROM (SELECT key FROM {_LISTED})"
_KEYS_AND_LAST = f"SELECT group_concat(key, '\n'), count(*), max(key) FROM (SELECT key FROM {_LISTED})"
"""The same where lines do not tell which key is the last; comparing them all takes a third longer."""


class Glance:
    """A database that can be read at once. To be closed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def is_current(self, now: int) -> bool:
        """Return whether nobody need ask a hub, as there is none or a process is in touch with it; ``now`` in µs."""
        (remote,) = self._connection.execute("SELECT remote FROM replica").fetchone()
        return not remote or any(
            abs(now - reached) < IN_TOUCH_TIME and MACHINE.find_start(pid) == started
            for pid, started, reached in self._connection.execute(
                "SELECT pid, started, reached FROM followers WHERE reached AND error = ''"
            )
        )

    def find_value(self, key: str) -> bytes | None:
        """Return the value of a key; ``None`` if it has none, or a long one."""
        row = self._connection.execute(_VALUE, (key,)).fetchone()
        if row is None:
            return None
        size, data = row
        return data if size else b""

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix`` in the order of their bytes, many at a time, each with a newline."""
        first, count, end = prefix, AT_ONCE, _find_end(prefix)
        while count == AT_ONCE:
            keys, last, count = self._read_keys(first, end)
            if count:
                yield f"{keys}\n"
                first = f"{last}\0"

    def _read_keys(self, first: str, end: str | bytes) -> tuple[str, str, int]:
        """Return the next keys as lines, the last one, and how many there are."""
        keys, count = self.row(_KEYS, (first, end, AT_ONCE))
        if count and keys.count("\n") >= count:  # one of them holds a newline
            keys, count, last = self.row(_KEYS_AND_LAST, (first, end, AT_ONCE))
            return keys, last, count
        return keys, keys[keys.rfind("\n") + 1 :] if count else "", count

    def level(self, prefix: str, *, directories: bool) -> Iterator[str]:
        """Yield how keys that begin with ``prefix`` go on, see ``Keys.level``."""
        from .keys import Keys  # noqa: PLC0415  to read a value takes none

        return Keys(self).level(prefix, directories=directories)

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the first row, or ``None``."""
        return self._connection.execute(sql, parameters).fetchone()

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows."""
        return self._connection.execute(sql, parameters).fetchall()


def _find_end(prefix: str) -> str | bytes:
    """Return what comes behind all texts that begin with ``prefix``: a greater last character, or else a BLOB."""
    prefix = prefix.rstrip(chr(sys.maxunicode))
    last = ord(prefix[-1]) + 1 if prefix else 0
    return prefix[:-1] + chr(0xE000 if last == 0xD800 else last) if last else b""


def take_glance(path: str) -> Glance | None:
    """Return a database that is this version's, this user's alone and can be written; ``None`` if it is another."""
    try:
        return _open(os.path.realpath(path))
    except (OSError, sqlite3.Error, ValueError):
        return None


def _open(file: str) -> Glance | None:
    if not stat.S_ISREG(os.stat(file).st_mode) or is_open_to_others(file):
        return None
    if not (os.access(file, os.W_OK) and os.access(os.path.dirname(file), os.W_OK | os.X_OK)):
        return None
    with open(file, "rb", buffering=0) as opened:  # before SQLite, whose locks would go with it
        header = opened.read(20)
    if header[:16] != _HEADER or header[18:20] != _WITH_LOG:
        return None
    connection = sqlite3.connect(file, timeout=1.0, isolation_level=None)
    try:
        found = connection.execute(
            "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
        ).fetchone()
    except BaseException:
        connection.close()
        raise
    if found == (APPLICATION_ID, VERSION):
        return Glance(connection)
    connection.close()
    return None


def explain_glance(error: Exception, path: str) -> KvassError:
    """Return the error to show for one of ``GLANCE_FAILURES``, of the database at ``path``."""
    from .translation import translate_error  # noqa: PLC0415  mostly there is none

    assert isinstance(error, GLANCE_FAILURES)
    return translate_error(error, path)
