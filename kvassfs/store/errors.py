"""Errors of the system that hosts a database."""

from __future__ import annotations

import errno
import os
from typing import ClassVar

from ..errors import StoreError


class SystemRefused(StoreError):
    """The system refuses what the database needs, with the errno ``number``; nothing was changed."""

    REMEDIES: ClassVar = {
        errno.ENOMEM: "end some programs and try again",
        errno.EMFILE: "close some files, or raise `ulimit -n`",
        errno.ENFILE: "end some programs and try again",
        errno.EROFS: "have its disk mounted for writing",
    }
    """What to do about it; others are no ``number``."""

    def __init__(self, path: str, number: int) -> None:
        reason = os.strerror(number).lower()
        super().__init__(path, f"the database {path} cannot be used: {reason}; {self.REMEDIES[number]}")
        self.errno = number
