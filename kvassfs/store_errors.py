"""The errors of a database that is not the file that it was, that somebody uses, or to which the system gives too little.

::

    StoreError
    ├── StoreReplaced         removed, replaced or overwritten while it was open
    ├── ForeignLog            lies beside the log of another one
    ├── DatabaseInUse         open in processes that have to end first
    ├── SystemRefused         the system gives no memory or descriptor, or lets nobody write
    ├── ReadOnlyStore         can be read, and not be written
    ├── SealedHub             is that of a hub which cannot read it
    └── StoreChanged          was changed while it was read, where it cannot be locked
"""

from __future__ import annotations

import errno
import os

from .errors import StoreBusy, StoreError

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from typing import ClassVar


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


class SystemRefused(StoreError):
    """The system refuses what the database needs, with the errno ``number``; nothing was changed."""

    REMEDIES: ClassVar = {
        errno.ENOMEM: "end some programs and try again",
        errno.EMFILE: "close some files, or raise `ulimit -n`",
        errno.ENFILE: "end some programs and try again",
    }
    """What to do about it; others are no ``number``."""

    def __init__(self, path: str, number: int) -> None:
        reason = os.strerror(number).lower()
        super().__init__(path, f"the database {path} cannot be used: {reason}; {self.REMEDIES[number]}")
        self.errno = number


class ReadOnlyStore(StoreError):
    """The database can be read, and not be written; nothing was changed."""

    errno = errno.EROFS

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        remedy = remedy or "make a copy elsewhere with `kvass backup FILE`, and use that with --db"
        super().__init__(path, f"the database {path} can only be read: {reason}; {remedy}")
        self.reason = reason


class SealedHub(StoreError):
    """The store is the hub of a sealed one: it has not got the key, so nothing in it is made or changed but by devices."""

    errno = errno.EROFS

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            f"{path} is what the hub of a sealed store keeps, and cannot be read or changed here: use it on a device, which"
            " joins by `kvass pair` on another one",
        )


class StoreChanged(StoreBusy):
    """Another process changed the database, which cannot be locked here, while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.args = (f"the database {path} was changed by another process while it was read; try again",)
