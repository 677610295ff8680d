"""The errors of a database that is not the file that it was, or that somebody uses.

::

    StoreError
    ├── StoreReplaced         removed, replaced or overwritten while it was open
    ├── ForeignLog            lies beside the log of another one
    └── DatabaseInUse         open in processes that have to end first
"""

from __future__ import annotations

import errno

from .errors import StoreError


class StoreReplaced(StoreError):
    """The database was removed, replaced or overwritten while it was open; what is saved there would be lost."""

    errno = errno.ESTALE

    def __init__(self, path: str, event: str) -> None:
        super().__init__(
            path,
            f"the database {path} {event} while it was in use: nothing is saved any more; end this mount or hub, and bring"
            " a database back by `kvass backup --restore FILE`",
        )
        self.event = event


class ForeignLog(StoreError):
    """A database was put in the place of another one whose write-ahead log is still there, and would be mixed into it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            f"{path} was put in the place of another database, whose log {path}-wal is still there; end what uses that, and"
            " put it in place by `kvass backup --restore FILE`",
        )


class DatabaseInUse(StoreError):
    """Processes have the database open that must not; ``users`` says which."""

    def __init__(self, path: str, users: str) -> None:
        super().__init__(path, f"{path} is in use by {users}; end that (`kvass umount DIR` a mount), and try again")
        self.users = users
