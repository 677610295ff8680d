"""Mailboxes of pairings at the hub: few, short and gone after minutes, so all of them are one row of the settings.

What they mean is decided in ``kvassfs.pairing``; they are here because several processes may serve one store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .database import Database
from .setting_rows import read_json, write_json

_ROW = "mailboxes"


class Mailbox(NamedTuple):
    """A mailbox. ``expires`` is in µs; texts are base64, ``None`` where there is none yet.

    ``ended``: it is kept only so that its ticket makes no other one.
    """

    number: int
    ticket: str
    expires: int
    share: str = ""
    message: str | None = None
    answer: str | None = None
    fetched: bool = False
    ended: bool = False


class Mailboxes:
    """Reads and writes the mailboxes; a change is a ``read`` and a ``write`` in one transaction of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> list[Mailbox]:
        """Return all of them, also those whose time is over."""
        return [Mailbox._make(fields) for fields in read_json(self._database, _ROW) or []]

    def write(self, mailboxes: Sequence[Mailbox]) -> None:
        """Have these mailboxes and no others."""
        write_json(self._database, _ROW, list(mailboxes) or None)
