"""Other programs that commands run."""

from __future__ import annotations

from collections.abc import Sequence

from kvassfs.errors import KvassError

CANNOT_RUN, NOT_FOUND = 126, 127
"""The exit statuses of shells and of env(1) where a command cannot be run, or is missing."""


class CannotRun(KvassError):
    """A command that the user named cannot be run."""

    def __init__(self, command: Sequence[str], error: OSError) -> None:
        super().__init__(f"cannot run {command[0]}: {error.strerror}")
        self.command = command
        self.exit_code = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN


def describe_status(status: int) -> str:
    """Return in words how a command ended."""
    return f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
