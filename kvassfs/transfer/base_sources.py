"""What sources have in common that are read from one file, or from a program: a ``with`` opens and closes nothing of theirs."""

from __future__ import annotations

from typing import Self

from .items import Siblings
from .naming import KeyFinder


class _Open:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class KeySource(_Open):
    """A source in which keys stand as they are."""

    has_file_names = False

    def resolve_with(self, siblings: Siblings) -> None:
        """Do nothing: keys are no names of files."""


class NamedSource(_Open):
    """A source in which keys stand as names of files, as a mount shows them."""

    has_file_names = True

    def __init__(self) -> None:
        self._keys = KeyFinder()

    def resolve_with(self, siblings: Siblings) -> None:
        """Have shortened names stand for keys of the store."""
        self._keys.siblings = siblings
