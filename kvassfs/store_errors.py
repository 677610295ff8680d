"""The errors of a database that can only be read, as far as they are not those of any: see ``errors``."""

from __future__ import annotations

import errno

from .errors import StoreBusy, StoreError


class ReadOnlyStore(StoreError):
    """The database can be read, and not be written; nothing was changed."""

    errno = errno.EROFS

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        remedy = remedy or "make a copy elsewhere with `kvass backup FILE`, and use that with --db"
        super().__init__(path, f"the database {path} can only be read: {reason}; {remedy}")
        self.reason = reason


class StoreChanged(StoreBusy):
    """Another process changed the database, which cannot be locked here, while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.args = (f"the database {path} was changed by another process while it was read; try again",)
