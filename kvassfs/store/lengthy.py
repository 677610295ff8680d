"""What takes long: who is told how far it is, and statements that are looked after and ended by an interrupt."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import StoreError
from .database import Database

STEPS = 100_000
"""Instructions of SQLite's machine between two looks: some ms."""


Report = Callable[[int, int], None]
"""Is told how much is done, and of how much: the latter is 0 as long as nobody knows how long it takes."""


def ignore(_done: int, _total: int) -> None:
    """Have nobody told."""


@contextmanager
def looked_after(database: Database, look: Callable[[], bool | None]) -> Iterator[None]:
    """``with`` statements while which ``look`` is called now and then; once it returns True they end in a StoreError.

    Raises:
        KeyboardInterrupt: the user sent one; without this it would have to wait for the end of the statement.
    """
    is_ended = False

    def look_again() -> bool:
        nonlocal is_ended
        is_ended = bool(look())
        return is_ended

    database.connection.set_progress_handler(look_again, STEPS)
    try:
        yield
    except StoreError as error:
        # What is raised in the handler is dropped, and ends the statement.
        if getattr(error.__cause__, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT and not is_ended:
            raise KeyboardInterrupt from error
        raise
    finally:
        database.connection.set_progress_handler(None, 0)
