"""kvassfs.store.merging: what is merged at once is the same as one after the other."""

from __future__ import annotations

import stat
from pathlib import Path
from random import Random

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import StoreError
from kvassfs.store import Store
from kvassfs.store.rows import AT_ONCE
from tests.support.stores import SECOND, SMALL, YEAR_2024, Clock, audit, failing, rows, sqlite_error, state

NOW = YEAR_2024 // 1000

COLUMNS = (
    "key, timestamp, counter, process_id, url_token, size, mode, mod_time, seen, origin, sequence, dirty, born, changed,"
    " mtime, atime, floor, inode, appeared, shown"
)


def make_page(random: Random, size: int) -> list[Delivery]:
    """Make a page of all that can come: new keys and known ones, several versions of one, values of all sizes, directories."""
    page = []
    for number in range(size):
        key = random.choice(("{}", "d/{}", "d/e/{}", "{}/")).format(random.randrange(size))
        value = random.randbytes(random.choice((0, 0, 1, 20, 20, 20, 300)))
        mode = random.choice((None, None, stat.S_IFREG | 0o644))
        if key.endswith("/") and not value:
            mode = random.choice((None, stat.S_IFDIR | 0o755))
        counter = random.randrange(5)
        writer = random.randrange(1, 4)
        entry = Entry(key, NOW + random.randrange(9), counter, writer, f"{number}", len(value), mode, seen="")
        page.append(Delivery(entry, number + 1, value))
    return page


def merge(store: Store, page: list[Delivery], *, pushed: bool) -> int:
    if pushed:
        return store.inbox.merge_pushed(page).changed
    return store.inbox.merge_pulled(page, cursor=None, epoch=store.peers.hub().epoch).changed


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_page_is_merged_as_its_entries_are_one_by_one(tmp_path: Path, seed: int, pushed: bool) -> None:
    random = Random(seed)
    pages = [make_page(random, size) for size in (1, 30, AT_ONCE, 2 * AT_ONCE + 7)]
    clock = Clock()
    clock.step = 0
    with (
        Store.open(tmp_path / "at once", clock=clock, sizes=SMALL) as one,
        Store.open(tmp_path / "one by one", clock=clock, sizes=SMALL) as other,
    ):
        for page in pages:
            changed = merge(one, page, pushed=pushed)
            assert changed == sum(merge(other, [delivery], pushed=pushed) for delivery in page)
            clock.advance(SECOND)
        for store in (one, other):
            audit(store)
        assert rows(one, f"SELECT {COLUMNS} FROM entries") == rows(other, f"SELECT {COLUMNS} FROM entries")
        found, expected = state(one), state(other)
        for name in ("entries", "revisions"):
            assert found[name] == expected[name]
        # But for the number of the last change, as a page changes a directory once.
        assert [row[:5] for row in found["directories"]] == [row[:5] for row in expected["directories"]]


def test_nothing_of_a_page_is_left_where_a_part_of_it_cannot_be_stored(store: Store) -> None:
    page = [
        Delivery(Entry(f"{number:03d}", NOW, number, 1, f"{number}", 1), number, b"v") for number in range(AT_ONCE + 1)
    ]

    def fail(sql: str) -> None:
        if sql.startswith("INSERT INTO contents") and rows(store, "SELECT 1 FROM entries"):
            raise sqlite_error(13)

    with failing(store._database, fail), pytest.raises(StoreError):
        merge(store, page, pushed=True)
    assert rows(store, "SELECT 1 FROM entries") == rows(store, "SELECT 1 FROM contents") == []
    assert merge(store, page, pushed=True) == AT_ONCE + 1
