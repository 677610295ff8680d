"""A moment of the database that is read from while nothing can be pinned, as another process has the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..errors import ValueReplaced
from .checkup import open_to_read
from .contents import Contents
from .database import Database
from .holds import Holds
from .sizes import Sizes


class View:
    """The database at ``path`` as it is now, by a connection of its own: what is in it stays there until ``close``.

    It keeps the write-ahead log from being emptied. ``still`` says, inside a transaction, whether what is read here may
    be pinned: it is what it was.
    """

    def __init__(self, path: str, sizes: Sizes) -> None:
        self._database = open_to_read(path)
        try:
            self._database.execute("BEGIN")
            self._database.only_row("SELECT 1 FROM replica")  # what is read from now on is of this moment
        except BaseException:
            self._database.close()
            raise
        self.contents = Contents(self._database, sizes)
        self.still: Callable[[], bool] = lambda: False

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Return the first row that a query finds, or ``None``."""
        return self._database.row(sql, parameters)

    def hand_over(self, content: int, database: Database, holds: Holds) -> None:
        """Pin ``content``, which is read from then on as others are, and let go of the moment.

        Raises:
            ValueReplaced: the key has another value by now.
        """

        def pin() -> None:
            if not self.still():
                raise ValueReplaced
            holds.pin(content)

        database.retry_when_full(pin)
        self.close()

    def close(self) -> None:
        """Let go of the moment."""
        self.contents.prefetcher.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
