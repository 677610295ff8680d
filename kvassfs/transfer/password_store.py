"""What pass keeps (https://www.passwordstore.org): a tree of files, each encrypted with gpg."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Self

from ..transfer_errors import ProgramFailed
from .directory_source import DirectorySource
from .items import LINK_MODE, Entry, Item, LeftOut, Reason, Siblings, whole
from .programs import Run, run

ENDING = ".gpg"
MODE = stat.S_IFREG | 0o600

_OWN = {".extensions", ".git", ".gitattributes", ".gitignore", ".gpg-id", ".gpg-id.sig", ".public-keys"}


class PasswordStoreSource:
    """The passwords below ``directory``, decrypted one at a time; directories are those of their names alone."""

    has_file_names = False

    def __init__(self, directory: str, program: Run = run) -> None:
        self._directory = directory
        self._run = program
        self._files = DirectorySource(directory)

    def __enter__(self) -> Self:
        self._files.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._files.__exit__()

    def resolve_with(self, siblings: Siblings) -> None:
        """Do nothing: no name is shortened."""

    def position(self) -> tuple[int, int]:
        """Return the bytes that were read, and of how many, about."""
        return self._files.position()

    def items(self) -> Iterator[Entry]:
        """Yield a password at a time; what belongs to pass or git is left out without a word."""
        for entry in self._files.items():
            if isinstance(entry, LeftOut):
                yield entry
            elif not entry.is_directory and not _is_own(entry.key):
                yield self._take(entry)

    def _take(self, item: Item) -> Entry:
        if item.mode == LINK_MODE:
            return self._take_alias(item)
        if not item.key.endswith(ENDING):
            return LeftOut(item.key, Reason.FOREIGN)
        try:
            value = self._decrypt(item)
        except ProgramFailed as error:
            return LeftOut(item.key, Reason.REFUSED, str(error))
        return Item(item.key.removesuffix(ENDING), MODE, item.mtime, len(value), whole(value))

    @staticmethod
    def _take_alias(item: Item) -> Entry:
        """Return a symbolic link between passwords or their directories as one between keys."""
        (target,) = item.read()
        assert isinstance(target, bytes)
        alias = target.removesuffix(ENDING.encode())
        return Item(item.key.removesuffix(ENDING), LINK_MODE, item.mtime, len(alias), whole(alias))

    def _decrypt(self, item: Item) -> bytes:
        encrypted = b"".join(piece if isinstance(piece, bytes) else bytes(piece) for piece in item.read())
        return self._run(["gpg", "--decrypt", "--quiet", "--yes"], encrypted)


def _is_own(key: str) -> bool:
    """Return whether a file is pass's or git's own."""
    return not _OWN.isdisjoint(key.split("/"))
