"""Both keepers of a hub come to the same, whatever is pushed in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.keeper import Keeper
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.keeping.store_names import name_store
from kvassfs.store import HUB, Limit, Store
from tests.support.postgres import FAST, running_server
from tests.support.postgres_peers import audit_store
from tests.support.searches import examples
from tests.support.stores import REGULAR, SMALL, YEAR_2024, Clock

KEY = bytes(32)

EVERYTHING = Limit(10**9, 10**9, lambda _: 1)

BLOCKS = [bytes([number]) * SMALL.block for number in range(3)]

VALUES = (b"", b"short", b"more than sixteen bytes", BLOCKS[0] + BLOCKS[1], BLOCKS[0] * 3 + b"end", BLOCKS[2] + b"end")
"""Values that are inline, and in blocks. The last one has a block that never comes.

Those of the others are there from the beginning: where one came whole with a version that lost, only a store that keeps
history has it.
"""

NUMBERS = count()


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with running_server(*FAST) as server:
        opened = Database(server.create_database(), connections=1, patience=2)
        opened.open()
        yield opened
        opened.close()


def split(value: bytes) -> bytes:
    pieces = [value[at : at + SMALL.block] for at in range(0, len(value), SMALL.block)]
    return b"".join(sha256(piece).digest() for piece in pieces)


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Draw a version of one of few keys; what has the same writer and counter is the same version."""
    key, writer, counter = draw(st.sampled_from("ab")), draw(st.sampled_from((7, 8))), draw(st.integers(1, 6))
    # One in three keeps the value of the version before, and changes its mode.
    changes = counter % 3 == 0
    number = counter - 1 if changes else counter
    value = VALUES[(number * 5 + writer + ord(key)) % len(VALUES)]
    entry = Entry(
        key,
        YEAR_2024 // 1000 + counter * 7 % 5 + writer % 2,
        counter,
        writer,
        f"{key}{writer}.{number}",
        len(value),
        REGULAR | 0o044 if changes and value else None,
        origin=f"{writer}:{number}" if changes else None,
    )
    sequence = counter + draw(st.sampled_from((0, 0, 0, 20)))
    if len(value) > SMALL.inline and (value is VALUES[-1] or draw(st.booleans())):
        return Delivery(entry, sequence, None, split(value))
    return Delivery(entry, sequence, value)


def state(keeper: Keeper) -> dict[str, tuple[Entry, bytes]]:
    """Return the versions that a device gets that has nothing, with their values."""
    return {
        out.delivery.entry.key: (out.delivery.entry, b"".join(keeper.read_pieces(out)))
        for out in keeper.mark_as_sent(keeper.read_page(0, 99, EVERYTHING).outgoing)
    }


@settings(max_examples=examples(60, long=2_000))
@given(pushes=st.lists(st.lists(deliveries(), max_size=4), min_size=1, max_size=6))
def test_both_keepers_decide_alike(database: Database, tmp_path_factory: Any, pushes: list[list[Delivery]]) -> None:
    name, session, clock = f"store{next(NUMBERS)}", Session(database), Clock(step=0)
    stores = Stores(session)
    stores.add(name, "code")
    assert stores.claim(name_store(name), "code", KEY)
    path: Path = tmp_path_factory.mktemp("keepers") / "db.sqlite"
    with Store.open(path, clock=clock, profile=HUB, sizes=SMALL) as store:
        keepers = [StoreKeeper(store), PostgresKeeper(session, name_store(name), clock=clock, sizes=SMALL)]
        for keeper in keepers:
            keeper.put_blocks([*BLOCKS[:2], b"end"])
        for pushed in pushes:
            outcomes = [keeper.merge(pushed) for keeper in keepers]
            assert outcomes[0].missing == outcomes[1].missing
            assert state(keepers[0]) == state(keepers[1])
            assert keepers[0].describe(0, 7).counter == keepers[1].describe(0, 7).counter
    with session.connection() as connection:
        audit_store(connection, name)
