"""What device and hub refuse of each other, although each has the key, or cannot keep."""

from __future__ import annotations

from ..errors import SyncError


class PushRefused(SyncError):
    """The hub takes nothing of a push, as something in it cannot be used."""

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(
            remote,
            f"the hub {remote} refuses what is pushed: {reason}; `kvass doctor` names the keys that are at fault here, and"
            " `kvass doctor --repair` mends them",
        )
        self.reason = reason


class PullRefused(SyncError):
    """What the hub has is not taken, as no replica could replace it."""

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(
            remote,
            f"what the hub {remote} has is not taken: {reason}; type `kvass doctor --repair` on the machine where it"
            " runs, and if it is of the original kvass, have `kvass serve` of this program take its database over",
        )
        self.reason = reason


class TooLargeForHub(SyncError):
    """The hub is of the original program, which cannot keep the value of ``key``, of more than ``largest`` bytes."""

    def __init__(self, remote: str, key: str, largest: int) -> None:
        super().__init__(
            remote,
            f"{key} stays on this device: the hub {remote} is of the original kvass and keeps no value of more than"
            f" {largest:,} bytes; have `kvass serve` of this program there, or remove the key",
        )
        self.key = key
        self.largest = largest


class HubIsSealed(SyncError):
    """The hub has entries of a sealed store, and this store is none."""

    def __init__(self, remote: str) -> None:
        super().__init__(
            remote,
            f"what the hub {remote} has is sealed, and this store is not: nothing is pushed there; join it by `kvass pair` on a"
            " device that has the sealed store, or give this one the hub of another store by `kvass config remote`",
        )


class HubNotEmpty(SyncError):
    """A store was sealed, and the hub that it is to be pushed to has something else, under ``name``."""

    def __init__(self, remote: str, name: str) -> None:
        super().__init__(
            remote,
            f"the hub {remote} has entries that are not of this sealed store ({name}), and nothing is pushed there: a sealed store"
            " wants one that is empty; there, give the access key to a new one (`kvass --db FILE config key`)",
        )
        self.name = name


class TooLargeToSeal(SyncError):
    """The value of ``key`` is larger than what can be sealed."""

    def __init__(self, remote: str, key: str) -> None:
        super().__init__(remote, f"{key} stays on this device: it is too large to be sealed; keep it in several keys")
        self.key = key
