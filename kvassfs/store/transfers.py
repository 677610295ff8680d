"""Moving and copying keys, and all below a prefix, by their names alone: what commands do without a mount."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TypeVar

from ..entry import DEFAULT_MODE, check_key, directory_of
from ..errors import KeyIsDirectory, KeyMissing, TransferRefused
from ..share_link import check_new_key
from .contents import Contents
from .database import Database
from .entries import Entries
from .local import ScratchRow
from .local_parts import LocalParts
from .moving import Mover
from .nodes import node_of_row
from .rows import Row, Written

T = TypeVar("T")

BY_PREFIX = "write it with its / to mean all in it"


class Transfers:
    """Moves and copies, each time in one transaction. What is replaced is a revision from then on.

    A name that ends in ``/`` stands for all keys that begin with it, and not for its name without it. ``clean_up``
    removes what nothing needs any more.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        entries: Entries,
        local: LocalParts,
        mover: Mover,
        clean_up: Callable[[], None],
    ) -> None:
        self._database = database
        self._contents = contents
        self._entries = entries
        self._directories, self._scratch = local.directories, local.scratch
        self._mover = mover
        self._clean_up = clean_up

    def move(self, source: str, target: str, *, replace: bool = True) -> list[str]:
        """Move a key, or all below a prefix, to where ``name_target`` says; return the keys that were in the way.

        These stay, and with them what would have replaced them. Without ``replace`` there may be one.

        Raises:
            InvalidKey, KeyMissing, KeyIsDirectory, DiskFull
            TransferRefused: they are the same, it would go into itself, or there are keys below the new prefix.
        """
        return self._do(lambda: self._move(source, name_target(source, target), replace=replace))

    def copy(self, source: str, target: str, *, replace: bool = True) -> list[str]:
        """Copy likewise, with the modes; below a prefix where there are keys these are added to them.

        The time of what is copied is now. Without ``replace`` any number of keys may have been in the way.

        Raises:
            InvalidKey, KeyMissing, KeyIsDirectory, DiskFull
            TransferRefused: they are the same, or it would go into itself.
        """
        return self._do(lambda: self._copy(source, name_target(source, target), replace=replace))

    def _do(self, work: Callable[[], T]) -> T:
        done = self._database.retry_when_full(work)
        self._clean_up()
        return done

    def _move(self, source: str, target: str, *, replace: bool) -> list[str]:
        if source.endswith("/"):
            self._move_prefix(source, target)
            return []
        row = self._present(source)
        if not replace and self._is_taken(check_new_key(target)):
            return [target]
        self._mover.move_key(node_of_row(row), check_new_key(target))
        return []

    def _move_prefix(self, source: str, target: str) -> None:
        keys = self._entries.keys_below(check_key(source))
        if not keys:
            raise KeyMissing(source)
        for key in keys:
            check_new_key(target + key[len(source) :])
        below: list[Row | ScratchRow] = [*self._entries.below(target), *self._scratch.below(target)]
        if any(row.key != target or not row.is_directory for row in below):
            raise TransferRefused(
                f"{target} is not empty; `kvass cp` adds to what is there, and `kvass rm -r` removes it"
            )
        self._mover.move_prefix(source, target)

    def _copy(self, source: str, target: str, *, replace: bool) -> list[str]:
        self._database.transaction.stores_value = True
        is_prefix = source.endswith("/")
        rows = self._below(source) if is_prefix else [self._present(source)]
        kept = []
        for row in rows:
            key = check_new_key(target + row.key[len(source) :])
            if row.is_directory:
                self._copy_directory(row, key)
            elif replace or not self._is_taken(key):
                self._copy_file(row, key)
            else:
                kept.append(key)
        return kept

    def _copy_file(self, row: Row, key: str) -> None:
        old = self._entries.current(key)
        content = None if row.content is None else self._contents.copy(row.content)
        written = Written(row.size, content, find_copied_mode(row, old))
        self._entries.write(key, written, old=old, listing=directory_of(key))

    def _copy_directory(self, row: Row, prefix: str) -> None:
        """Make a directory, unless there is one, or a value in the place of its entry."""
        old = self._entries.current(prefix)
        if old is None or not old.live:
            self._entries.write(prefix, Written(mode=row.mode), old=old, listing=directory_of(prefix[:-1]))

    def _present(self, key: str) -> Row:
        row = self._entries.current(check_key(key))
        if row is not None and row.is_file:
            return row
        raise KeyIsDirectory(f"{key}/", BY_PREFIX) if self._directories.has_entries(f"{key}/") else KeyMissing(key)

    def _below(self, prefix: str) -> list[Row]:
        rows = self._entries.below(check_key(prefix))
        if not rows:
            raise KeyMissing(prefix)
        return rows

    def _is_taken(self, key: str) -> bool:
        row = self._entries.current(key)
        return row is not None and row.is_file


def name_target(source: str, target: str) -> str:
    """Return the key that ``source`` becomes where it is put at ``target``, or what a prefix becomes.

    A key that is put at a name that ends in ``/`` keeps its last part. A prefix is replaced by another.

    Raises:
        TransferRefused: they are the same, or it would go into itself.
    """
    if source.endswith("/"):
        target = target if target.endswith("/") else f"{target}/"
    elif target.endswith("/"):
        target += source[len(directory_of(source)) :]
    if target == source:
        raise TransferRefused(f"{source} is what is there already: give it another name")
    if source.endswith("/") and target.startswith(source):
        raise TransferRefused(f"{source} cannot go to {target}, which is a part of it")
    return target


def find_copied_mode(source: Row, old: Row | None) -> int | None:
    """Return the mode that a copy of ``source`` is written with, in place of ``old``.

    What is there keeps its permissions, as with cp(1), unless one is a symbolic link and the other is not.
    """
    if old is None or not old.is_file:
        return source.mode
    mode, kept = (DEFAULT_MODE if each is None else each for each in (source.mode, old.mode))
    if stat.S_IFMT(mode) != stat.S_IFMT(kept):
        return mode
    return kept if old.mode is not None or not source.size else None
