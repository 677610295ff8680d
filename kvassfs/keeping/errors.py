"""The errors of a hub's database that is a server, and of the object store beside it.

::

    StoreError
    ├── DatabaseUnreachable   cannot be reached, or was lost on the way
    ├── NewerSchema           was made by a later program
    ├── ObjectsUnreachable    blocks in objects: their store cannot be reached, or was lost on the way
    ├── ObjectsUnknown        blocks in objects, and nobody has said in which store those are
    └── DiskFull
        └── QuotaReached      one store has reached its quota
    KvassError
    └── TooManyRequests       one store makes more than it may
"""

from __future__ import annotations

from ..errors import DiskFull, KvassError, StoreError


class DatabaseUnreachable(StoreError):
    """The database server cannot be reached, refuses what is asked, or was lost before it had answered."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, f"cannot use the database {address}: {reason}")
        self.reason = reason


class NewerSchema(StoreError):
    """The schema was made by a later version of the program; it is left as it was."""

    def __init__(self, address: str, version: int) -> None:
        super().__init__(
            address, f"the database {address} was made by a newer kvassfs (schema {version}); upgrade kvassfs"
        )
        self.version = version


class ObjectsUnreachable(StoreError):
    """The object store cannot be reached, refuses what is asked, or was lost before it had answered."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, f"cannot use the object store {address}: {reason}")
        self.reason = reason


class ObjectsUnknown(StoreError):
    """Blocks are in an object store, and the server was started without one; they stay there."""

    def __init__(self, address: str) -> None:
        super().__init__(
            address,
            f"blocks of the database {address} are in an object store; start `kvass serve` with --blocks, as before",
        )


class QuotaReached(DiskFull):
    """A store has reached its quota at the hub; ``words`` say of what."""

    def __init__(self, address: str, words: str) -> None:
        super().__init__(address)
        self.args = (words,)
        self.words = words


class TooManyRequests(KvassError):
    """A store makes more requests than the ``most`` a second that it may; in ``wait`` seconds it may make another one."""

    def __init__(self, most: int, wait: float) -> None:
        super().__init__(f"this store makes too many requests; the hub takes {most:,} a second of it")
        self.most = most
        self.wait = wait


class StoreExists(KvassError):
    """A store of that name is there and claimed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the hub has a store {name!r} already; name another one, or remove it first")
        self.name = name


class NoSuchStore(KvassError):
    """The hub has no store of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the hub has no store {name!r}; `kvass hub list` shows those that it has")
        self.name = name
