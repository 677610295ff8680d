"""Other programs that commands run."""

from __future__ import annotations

from collections.abc import Sequence

from kvassfs.errors import KvassError


class CannotRun(KvassError):
    """A command that the user named cannot be run; the exit status is that of shells and of env(1)."""

    exit_code = 126

    def __init__(self, command: Sequence[str], error: OSError) -> None:
        super().__init__(f"cannot run {command[0]}: {error.strerror}")
        self.command = command


class CommandMissing(CannotRun):
    """There is no such command."""

    exit_code = 127


def cannot_run(command: Sequence[str], error: OSError) -> CannotRun:
    """Return the error for a command that the system refused to run."""
    return (CommandMissing if isinstance(error, FileNotFoundError) else CannotRun)(command, error)


def exit_status(status: int) -> int:
    """Return the exit status with which a shell tells how a command ended, whose ``status`` is negative for a signal."""
    return status if status >= 0 else 128 - status


def describe_status(status: int) -> str:
    """Return in words how a command ended."""
    return f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
