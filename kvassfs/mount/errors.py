"""The errors of mounting and unmounting.

::

    MountError                    exit status 1
    ├── FuseMissing           the system lacks libfuse, its programs or its device
    └── DirectoryError        the directory to mount or unmount
        ├── MountRefused      is not one to mount on
        ├── MountFailed       could not be mounted by libfuse
        ├── NotMounted        shows no store that could be unmounted
        └── MountBusy         has files in use
"""

from __future__ import annotations

from ..errors import KvassError


class MountError(KvassError):
    """A directory cannot be mounted or unmounted."""


class FuseMissing(MountError):
    """The system lacks ``what`` mounting needs; ``remedy`` says how to get it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"cannot mount: {what} is missing; {remedy}")
        self.what = what
        self.remedy = remedy


class DirectoryError(MountError):
    """A failure to mount or unmount ``directory``."""

    def __init__(self, directory: str, message: str) -> None:
        super().__init__(message)
        self.directory = directory


class MountRefused(DirectoryError):
    """The directory is not one to mount on, as it is."""

    def __init__(self, directory: str, reason: str) -> None:
        super().__init__(directory, f"cannot mount {directory}: {reason}")
        self.reason = reason


class MountFailed(DirectoryError):
    """libfuse or the kernel did not mount the directory."""

    def __init__(self, directory: str, reason: str) -> None:
        super().__init__(directory, f"could not mount {directory}: {reason}")
        self.reason = reason


class NotMounted(DirectoryError):
    """No store is mounted on the directory."""

    def __init__(self, directory: str, found: str = "nothing") -> None:
        super().__init__(directory, f"{directory} is not a kvass mount: {found} is mounted there")
        self.found = found


class MountBusy(DirectoryError):
    """Something in the mount is in use, so it stays."""

    def __init__(self, directory: str) -> None:
        super().__init__(
            directory,
            f"{directory} is in use; close its files and leave its directories (fuser -vm {directory} lists who is"
            " there), or unmount with --lazy, which waits for them in the background",
        )
