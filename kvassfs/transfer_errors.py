"""The errors of import, export and backup, each one line that says what to do.

::

    TransferError
    ├── UnknownForm           a name that does not say in which form
    ├── SourceUnreadable      cannot be read
    ├── SourceDamaged         is cut off, or no archive
    ├── ImportStopped         failed after something was imported
    ├── TargetUnwritable      cannot be written
    ├── TargetExists          would be overwritten
    ├── ProgramFailed         another program that is needed
    └── BackupDamaged         a backup that could not be restored whole
"""

from __future__ import annotations

from .errors import KvassError


class TransferError(KvassError):
    """A failure to import, export or back up; ``name`` is that of the file, directory or program."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class UnknownForm(TransferError):
    """Nothing says in which form ``name`` is."""

    def __init__(self, name: str) -> None:
        remedy = (
            "say with --format what goes through it"
            if name == "-"
            else "end its name in .tar, .tar.gz, .tar.zst, .zip or .json, end that of a directory in /, or use --format"
        )
        super().__init__(name, f"{name} says not what it is: {remedy}")


class SourceUnreadable(TransferError):
    """What is to be imported, or checked, cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, f"cannot read {name}: {reason}")
        self.reason = reason


class SourceDamaged(TransferError):
    """What is to be imported is not what its form says, or ends in the middle."""

    def __init__(self, name: str, form: str, reason: str) -> None:
        super().__init__(name, f"{name} is damaged, cut off or no {form}: {reason}")
        self.form = form
        self.reason = reason


class ImportStopped(TransferError):
    """An import failed for a ``reason``; ``kept`` says what is imported and stays."""

    def __init__(self, reason: str, kept: str) -> None:
        super().__init__("", f"{reason} ({kept}; run it again for the rest)")
        self.reason = reason
        self.kept = kept


class TargetUnwritable(TransferError):
    """The export or the backup cannot be written."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, f"cannot write {name}: {reason}")
        self.reason = reason


class TargetExists(TransferError):
    """There is a file where one is to be written."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"{name} is there already; name another file, or replace it with --force")


class ProgramFailed(TransferError):
    """A program whose data are imported failed, or is missing."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, f"{name} failed: {reason}")
        self.reason = reason


class BackupDamaged(TransferError):
    """A backup lacks something, or has it damaged."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, f"the backup {name} is damaged: {reason}; keep an earlier one, and make a new one")
        self.reason = reason
