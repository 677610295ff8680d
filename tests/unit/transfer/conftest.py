"""Stores to import into and to export from, and keys of every kind."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from kvassfs.scratch import ScratchNames
from kvassfs.store import Store
from kvassfs.transfer.exporting import Exported, Exporter
from kvassfs.transfer.importing import Imported, Importer
from kvassfs.transfer.items import Entry, LeftOut, Sink, Source
from kvassfs.transfer.naming import make_siblings
from tests.support.stores import audit

TIME = 1_600_000_000_123_456_789
FILE = stat.S_IFREG | 0o640
LINK = stat.S_IFLNK | 0o777
DIRECTORY = stat.S_IFDIR | 0o750
LONG = "é" * 200
SHORTENED_LITERALLY = "x" * 230 + "%~" + "0" * 16

ODD = [
    "a", "a/b", "a/", "a//b", "/", "/x", "100%", "%", "%%", "%@", "a/%@", ".", "..", "../..", "./x", "-dash", "--", " ",
    "new\nline", "tab\t", "\x7f\x01", "ünïcode/é/e\u0301", "back\\slash", 'quote"\'', "c:/x", "*?[x]", "~", "a\u2028b",
    LONG, f"{LONG}/below/{LONG}", "x" * 300, SHORTENED_LITERALLY, "/".join("deep" * 30), "notes~", ".x.swp", "trash/.Trash-1/x",
    ".kvass", ".kvass/history/x", "%.kvass", "%%.kvass/x", "a/.kvass", "a/%.kvass", "%" * 250 + ".kvass",
]  # fmt: skip
"""Keys whose paths are others than themselves, that shells or archives have a meaning for, or that look like scratch."""


def no_scratch(_key: str) -> bool:
    return False


class Left:
    """Remembers what was left out, as it is told."""

    def __init__(self) -> None:
        self.told: list[LeftOut] = []

    def __call__(self, left_out: LeftOut) -> None:
        self.told.append(left_out)

    @property
    def texts(self) -> list[str]:
        return list(map(str, self.told))


@pytest.fixture
def left() -> Left:
    return Left()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.sqlite") as opened:
        yield opened
        audit(opened)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "other.sqlite") as opened:
        yield opened
        audit(opened)


def take(
    store: Store, entries: Iterable[Entry], left: Left, prefix: str = "", *, scratch: bool = True, dry_run: bool = False
) -> Imported:
    is_scratch = no_scratch if scratch else ScratchNames().matches
    return Importer(store, prefix, is_scratch=is_scratch, leave=left, dry_run=dry_run).run(entries)


def take_from(store: Store, source: Source, left: Left, prefix: str = "") -> Imported:
    source.resolve_with(make_siblings(store.tree.siblings, prefix))
    return take(store, source.items(), left, prefix)


def give(store: Store, sink: Sink, left: Left, prefix: str = "") -> Exported:
    return Exporter(store, prefix, is_scratch=ScratchNames().matches, leave=left).export(sink)


def put(store: Store, key: str, value: bytes, mode: int = FILE, mtime: int = TIME) -> None:
    draft = store.tree.draft()
    draft.write(0, value)
    store.imports.put(key, draft, mode, mtime)
    draft.close()


def contents(store: Store, prefix: str = "") -> dict[str, tuple[bytes, int, int]]:
    """Return value, mode and time of all keys and directories, as the mount shows them."""
    found = {}
    for row in store.survey.rows(prefix):
        value = b"" if stat.S_ISDIR(row.mode) else store.get(row.key).read()
        record = store.tree.directory(row.key) if stat.S_ISDIR(row.mode) else None
        found[row.key[len(prefix) :]] = (value, row.mode, row.mtime if record is None else record.mtime)
    return found


def fill(store: Store) -> None:
    """Fill a store with keys of every kind."""
    for number, key in enumerate(ODD):
        put(
            store,
            key,
            f"value {number}".encode(),
            stat.S_IFREG | (0o600, 0o755, 0o444, 0o000)[number % 4],
            TIME + number,
        )
    put(store, "kinds/empty", b"")
    put(store, "kinds/link", b"../a", LINK)
    put(store, "kinds/binary", bytes(range(256)))
    put(store, "kinds/large", bytes(range(256)) * 1500)
    put(store, "kinds/holes", bytes(600_000) + b"data" + bytes(600_000))
    put(store, "kinds/old", b"x", FILE, -(10**18) - 1)
    put(store, "kinds/late", b"x", FILE, 5 * 10**18 + 123)
    store.imports.put_directory("directories/empty/", DIRECTORY, TIME + 5)
    store.imports.put_directory("directories/", stat.S_IFDIR | 0o500, TIME + 7)


Fill = Callable[[Store], None]
