"""kvassfs.transfer.importing: batches, what is left out, dry runs, and imports that end early."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import pytest

from kvassfs.errors import DiskFull
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store
from kvassfs.transfer import importing
from kvassfs.transfer.importing import Imported, Importer
from kvassfs.transfer.items import Entry, Item, LeftOut, Piece, Reason, whole
from tests.unit.transfer.conftest import DIRECTORY, FILE, TIME, Left, contents, no_scratch, put, take


def item(key: str, value: bytes = b"x", mode: int | None = FILE, mtime: int | None = TIME) -> Item:
    return Item(key, mode, mtime, len(value), whole(value))


def test_it_counts_what_it_did(store: Store, left: Left) -> None:
    put(store, "same", b"x")
    entries: list[Entry] = [
        item("a", b"abc"),
        item("same"),
        item("d/", b"", DIRECTORY),
        LeftOut("p", Reason.SPECIAL),
        item(""),
    ]
    assert take(store, entries, left) == Imported(2, 3, 1, 1, 1)
    assert take(store, entries, left) == Imported(0, 0, 3, 1, 1)


def test_short_values_share_a_transaction(store: Store, left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    before = store.transaction.number
    take(store, [item(f"k{number}") for number in range(35)], left)
    assert store.transaction.number - before <= 4 + 2  # and what has it reach the disk


def test_a_batch_holds_few_bytes(store: Store, left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH_SIZE", 100)
    stored = []

    def entries() -> Iterator[Entry]:
        for number in range(6):
            stored.append(store.count_keys())
            yield item(f"k{number}", b"x" * 60)

    take(store, entries(), left)
    assert stored == [0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DiskFull("db"), OSError(5, "gone")])
def test_what_was_imported_before_an_end_stays_and_is_known(
    store: Store, left: Left, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)

    def entries() -> Iterator[Entry]:
        yield from (item(f"k{number}") for number in range(5))
        raise error

    importer = Importer(store, is_scratch=no_scratch, leave=left)
    with pytest.raises(type(error)):
        importer.run(entries())
    assert importer.done == Imported(4, 4)
    assert list(store.keys()) == ["k0", "k1", "k2", "k3"]


def test_a_batch_that_fails_is_not_there_at_all(store: Store, left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    put_really = store.imports.put

    def fail(key: str, *arguments: object) -> bool:
        if key == "k3":
            raise DiskFull("db")
        return put_really(key, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.imports, "put", fail)
    importer = Importer(store, is_scratch=no_scratch, leave=left)
    with pytest.raises(DiskFull):
        importer.run([item(f"k{number}") for number in range(5)])
    assert importer.done == Imported()
    assert list(store.keys()) == []


def test_a_large_value_whose_source_fails_leaves_nothing(store: Store, left: Left) -> None:
    def pieces() -> Iterator[Piece]:
        yield bytes(100_000)
        yield os.urandom(100_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(store, [item("k")._replace(read=pieces, size=200_000)], left)
    assert list(store.keys()) == []


def test_a_value_that_is_too_large_is_left_out_and_the_others_go(store: Store, left: Left) -> None:
    huge = item("huge")._replace(read=lambda: iter([b"x", 1 << 60, b"x"]), size=1 << 60)
    take(store, [item("a"), huge, item("b")], left)
    assert list(store.keys()) == ["a", "b"]
    assert left.texts[0].startswith("left out huge: too large: a value has at most")


def test_modes_and_times_are_those_of_the_items(store: Store, left: Left) -> None:
    take(store, [item("a", b"x", 0o106755, TIME), item("b", b"", None, None), item("d/", b"", 0o041777, TIME)], left)
    found = contents(store)
    assert found["a"] == (b"x", 0o100755, TIME)
    assert found["b"][:2] == (b"", 0o100600)
    assert found["d/"] == (b"", 0o041777, TIME)


def test_directories_have_their_times_whatever_came_into_them(store: Store, left: Left) -> None:
    take(
        store,
        [item("d/", b"", DIRECTORY, TIME), item("d/e/", b"", DIRECTORY, TIME + 1), item("d/e/k"), item("d/k")],
        left,
    )
    for prefix, time in (("d/", TIME), ("d/e/", TIME + 1)):
        record = store.tree.directory(prefix)
        assert record is not None
        assert (record.mode, record.mtime) == (DIRECTORY, time)


# Scratch files


def test_scratch_files_are_named_once_and_left_out(store: Store, left: Left) -> None:
    entries = [item(key) for key in (".a.swp", "d/b~", ".Trash-1/x", ".Trash-1/y/z", "good")]
    done = take(store, [*entries, item(".Trash-1/", b"", DIRECTORY)], left, scratch=False)
    assert list(store.keys()) == ["good"]
    assert [left_out.name for left_out in left.told] == [".a.swp", "d/b~", ".Trash-1/"]
    assert (done.left_out, done.failures) == (3, 0)


def test_a_key_with_the_name_of_a_scratch_file_is_one_still(store: Store, left: Left) -> None:
    put(store, "p/b~", b"old")
    take(store, [item("b~", b"new")], left, "p/", scratch=False)
    assert store.get("p/b~").read() == b"new"
    assert left.texts == []


def test_names_of_scratch_files_above_do_not_count(store: Store, left: Left) -> None:
    take(store, [item("k")], left, "a~/", scratch=False)
    assert left.texts == ["left out a~/: it is a scratch file, which stays where it is (--scratch takes it in)"]
    assert ScratchNames().matches("a~/k")


# Dry runs


def test_a_dry_run_changes_nothing_and_tells_what_would_be(store: Store, left: Left) -> None:
    put(store, "same", b"x")
    put(store, "large same", bytes(range(256)) * 1000)
    put(store, "large other", bytes(range(256)) * 1000)
    clock = store.settings.config().clock
    told: list[str] = []
    entries = [
        item("new"),
        item("same"),
        item("d/", b"", DIRECTORY),
        item("large new", bytes(100_000)),
        item("large same", bytes(range(256)) * 1000),
        item("large other", bytes(range(255, -1, -1)) * 1000),
        item("link")._replace(same_as="new"),
    ]
    importer = Importer(store, is_scratch=no_scratch, leave=left, tell=told.append, dry_run=True)
    done = importer.run(entries)
    assert told == ["new", "large new", "large other", "link", "d/"]
    assert (done.entries, done.unchanged) == (5, 2)
    assert store.settings.config().clock == clock
    assert stat.S_ISDIR(DIRECTORY)
