"""Exporting: what the store has below a prefix is given to a sink, item by item."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..entry import directory_of
from ..errors import KeyMissing
from ..store import DIRECTORY_MODE, Draft, Node, Store, Totals
from .items import BLOCK, LINK_MODE, Item, LeftOut, Piece, Sink, keep_permissions, whole
from .naming import LEAST_LONG, LIST_NAME, PathFinder, encode_list, make_siblings

LIST_MODE = stat.S_IFREG | 0o600


class Exported(NamedTuple):
    """How far an export is, or what came of it.

    Attributes:
        entries: values and directories that are as they should be.
        size: bytes of the values.
        unchanged: entries of these that were there already.
        failures: what could not be written.
        scratch: values with names that an import takes for scratch files.
    """

    entries: int = 0
    size: int = 0
    unchanged: int = 0
    failures: int = 0
    scratch: int = 0


class Exporter:
    """Exports what lies below ``prefix``, which is empty or ends in ``/``.

    ``leave`` is told what is left out, ``report`` after every piece how far it is; ``is_scratch`` tells the keys that have
    the names of scratch files.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        *,
        is_scratch: Callable[[str], bool],
        leave: Callable[[LeftOut], None],
        report: Callable[[Exported], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._is_scratch = is_scratch
        self._leave = leave
        self._report = report
        self._paths = PathFinder(prefix, make_siblings(store.tree.siblings, prefix))
        self._written: set[str] = set()
        self.done = Exported()

    def count(self) -> Totals:
        """Return how many values there are, and their size."""
        return self._store.survey.totals(self._prefix)

    def export(self, sink: Sink) -> Exported:
        """Write everything to ``sink``; return what came of it.

        Raises:
            TargetUnwritable
        """
        self._write_list(sink)
        for node in self._store.survey.rows(self._prefix):
            key = node.key[len(self._prefix) :]
            if stat.S_ISDIR(node.mode):
                self._write_directories(sink, key)
            else:
                self._write_file(sink, key)
                self.done = self.done._replace(scratch=self.done.scratch + self._is_scratch(node.key))
        sink.finish()
        return self.done

    def _write_list(self, sink: Sink) -> None:
        long = self._store.survey.long_keys(self._prefix, LEAST_LONG)
        shortened = self._paths.list_shortened(key[len(self._prefix) :] for key in long)
        if shortened:
            content = encode_list(shortened)
            sink.add(Item("", LIST_MODE, None, len(content), whole(content)), LIST_NAME)

    def _write_directories(self, sink: Sink, prefix: str) -> None:
        """Write a directory and those above it that were not written yet."""
        missing = []
        while prefix and prefix not in self._written:
            missing.append(prefix)
            prefix = prefix[: prefix.rfind("/", 0, -1) + 1]
        for each in reversed(missing):
            self._written.add(each)
            record = self._store.tree.directory(self._prefix + each)
            mode = keep_permissions(DIRECTORY_MODE if record is None else record.mode)
            item = Item(each, mode, None if record is None else record.mtime, 0, whole(b""))
            self._give(sink, item, self._paths.directory(each))

    def _write_file(self, sink: Sink, key: str) -> None:
        try:
            node, value = self._store.tree.open(self._prefix + key)
        except KeyMissing:  # removed in the meantime
            return
        try:
            is_directory = self._store.tree.directory(f"{self._prefix}{key}/") is not None
            self._write_directories(sink, f"{key}/" if is_directory else directory_of(key))
            self._give(sink, self._make_item(key, node, value), self._paths.file(key, is_directory=is_directory))
        finally:
            value.close()

    def _make_item(self, key: str, node: Node, value: Draft) -> Item:
        mode = LINK_MODE if stat.S_ISLNK(node.mode) else keep_permissions(node.mode)
        return Item(key, mode, node.mtime, value.size, lambda: self._read(value))

    def _read(self, value: Draft) -> Iterator[Piece]:
        for piece in read_value(value):
            self._count(size=piece if isinstance(piece, int) else len(piece))
            yield piece

    def _give(self, sink: Sink, item: Item, path: str) -> None:
        before = self.done.size
        result = sink.add(item, path)
        if isinstance(result, LeftOut):
            self._leave(result)
            self.done = self.done._replace(failures=self.done.failures + 1)
        elif path != LIST_NAME:
            read = self.done.size - before  # what is there already may not have been read
            self._count(entries=1, size=item.size - read, unchanged=not result)

    def _count(self, *, entries: int = 0, size: int = 0, unchanged: bool = False) -> None:
        self.done = self.done._replace(
            entries=self.done.entries + entries, size=self.done.size + size, unchanged=self.done.unchanged + unchanged
        )
        self._report(self.done)


def read_value(value: Draft) -> Iterator[Piece]:
    """Yield a value in pieces, its holes as their lengths."""
    offset = 0
    while offset < value.size:
        start = value.find_data(offset)
        start = value.size if start is None else start
        if start > offset:
            yield start - offset
        stop = min(value.find_hole(start), value.size) if start < value.size else start
        for at in range(start, stop, BLOCK):
            yield value.read(at, min(BLOCK, stop - at))
        offset = stop
