"""What is wrong with an answer of a hub, beside what ``kvassfs.errors`` has."""

from __future__ import annotations

import errno

from ..errors import HubFailed, SyncError


class AnswerDamaged(SyncError):
    """An answer cannot be decrypted, though the hub must have decrypted the request: with another key it says so."""

    def __init__(self, remote: str) -> None:
        super().__init__(
            remote,
            f"the answer of the hub {remote} cannot be decrypted: it was damaged or cut short on its way, or it is another"
            " one's; nothing of it was used; try again, and look what is in between if that goes on",
        )


class NoRoomForAnswer(SyncError):
    """A large answer does not fit where temporary files go."""

    errno = errno.ENOSPC

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(
            remote,
            f"no temporary file can hold the large answer of the hub {remote}: {reason}; make room for it, or have TMPDIR"
            " name another directory",
        )
        self.reason = reason


class HubBusy(HubFailed):
    """The hub takes nothing of this store for a moment: it wants to be left alone for ``retry_after`` seconds."""

    def __init__(self, remote: str, reason: str, retry_after: float) -> None:
        super().__init__(remote, 429, reason)
        self.args = (f"the hub {remote} takes no more for a moment: {reason}",)
        self.retry_after = retry_after
