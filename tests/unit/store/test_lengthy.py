"""kvassfs.store.lengthy: statements that take long are looked after, and an interrupt ends them."""

from __future__ import annotations

import pytest

from kvassfs.errors import StoreError
from kvassfs.store import Store
from kvassfs.store.lengthy import looked_after

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n"


def test_it_is_looked_at_again_and_again(store: Store) -> None:
    looks: list[int] = []
    with looked_after(store._database, lambda: looks.append(1)):
        assert store._database.row(LONG) == (1_000_000,)
    looked = len(looks)
    assert looked > 10
    store._database.row(LONG)
    assert len(looks) == looked


def test_what_looks_can_end_it(store: Store) -> None:
    with pytest.raises(StoreError), looked_after(store._database, lambda: True):
        store._database.row(LONG)


def test_an_interrupt_ends_it_and_leaves_the_store_usable(store: Store) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    store.set("k", b"x")
    with pytest.raises(KeyboardInterrupt), looked_after(store._database, interrupt):
        store._database.row(LONG)
    with pytest.raises(KeyboardInterrupt), looked_after(store._database, interrupt):
        store._database.execute(f"CREATE TABLE t AS {LONG}")
    assert store.get("k").read() == b"x"


def test_other_failures_are_what_they_were(store: Store) -> None:
    with pytest.raises(StoreError, match="missing"), looked_after(store._database, lambda: None):
        store._database.row("SELECT 1 FROM missing")
