"""kvassfs.store.inserting"""

from __future__ import annotations

import pytest

from kvassfs.store import Store
from kvassfs.store.inserting import insert_all
from tests.support.stores import rows


@pytest.mark.parametrize(
    "values",
    [
        [],
        [("a", None)],
        [("a", None), ("b", None)],
        [("a", None), ("b", 2)],
        [("a", 1), ("b", 2)],
    ],
)
def test_rows_are_what_is_given_whichever_columns_are_null(store: Store, values: list[tuple[str, int | None]]) -> None:
    with store.transaction:
        store._database.execute("CREATE TABLE pairs (name TEXT, number INTEGER)")
        insert_all(store._database, "INSERT INTO pairs (name, number)", values)
        assert rows(store, "SELECT * FROM pairs ORDER BY name") == values
        store._database.execute("DROP TABLE pairs")
