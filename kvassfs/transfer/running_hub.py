"""A running hub as a source, that of the original program too: what it hands out, and nothing is sent to it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Self

from ..kind import Kind
from ..replica import StoreKey
from ..store import Draft, Node, Store
from ..sync import Progress
from ..sync.connection import open_synchroniser
from ..transfer_errors import TargetUnwritable
from .exporting import read_value
from .items import Entry, Item, Siblings, keep_permissions, whole


class HubSource:
    """The keys of the hub at ``remote``, with the ``key`` that its devices have, of a ``kind``.

    They are pulled into a store of their own first, in a directory in ``beside`` that is removed at the end; ``report`` is
    told how far that is.
    """

    has_file_names = False

    def __init__(
        self,
        remote: str,
        key: bytes,
        beside: str,
        report: Callable[[Progress], None] = lambda _: None,
        *,
        kind: str = Kind.PLAIN,
    ) -> None:
        self._remote = remote
        self._key = StoreKey(key, kind)
        self._beside = beside
        self._report = report
        self._stack = ExitStack()
        self._done = 0
        self._total = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            directory = stack.enter_context(self._make_directory())
            self._store = stack.enter_context(Store.open(os.path.join(directory, "hub.sqlite")))
            self._store.settings.set_encryption_key(*self._key)
            self._store.settings.set_remote(self._remote)
            with open_synchroniser(self._store, self._report, patient=True) as synchroniser:
                synchroniser.pull()
            self._total = self._store.survey.totals("").size
            self._stack = stack.pop_all()
        return self

    def _make_directory(self) -> tempfile.TemporaryDirectory[str]:
        try:
            return tempfile.TemporaryDirectory(prefix=".kvass-import-", dir=self._beside)
        except OSError as error:
            raise TargetUnwritable(self._beside, (error.strerror or str(error)).lower()) from error

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def resolve_with(self, siblings: Siblings) -> None:
        """Do nothing: the keys come as they are."""

    def position(self) -> tuple[int, int]:
        """Return the bytes of values that were read, and of how many."""
        return self._done, self._total

    def items(self) -> Iterator[Entry]:
        """Yield keys and directories; what was deleted is not there."""
        for row in self._store.survey.rows(""):
            if stat.S_ISDIR(row.mode):
                yield Item(row.key, keep_permissions(row.mode), row.mtime, 0, whole(b""))
                continue
            node, value = self._store.tree.open(row.key)
            try:
                yield self._make_item(node, value)
            finally:
                value.close()
            self._done += node.size

    @staticmethod
    def _make_item(node: Node, value: Draft) -> Item:
        return Item(node.key, keep_permissions(node.mode), node.mtime, node.size, lambda: read_value(value))
