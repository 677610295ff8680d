"""kvassfs.keeping.postgres.moving: a hub outgrows its file and comes back, and no device notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.entry import Delivery
from kvassfs.errors import Undecipherable
from kvassfs.keeping.errors import NoSuchStore, ObjectsUnknown, StoreExists
from kvassfs.keeping.keeper import EntryKeeper
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import PostgresKeeper
from kvassfs.keeping.postgres.moving import export_store, import_store
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.keeping.store_names import name_store
from kvassfs.store import HUB, Limit, Store
from kvassfs.sync import messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import Seal
from tests.support.object_stores import MemoryObjects
from tests.support.stores import Clock
from tests.unit.keeping.test_keepers import in_blocks, made

BLOCKS = [bytes([number]) * 256 * 1024 for number in range(3)]


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path / "hub.sqlite", clock=clock, profile=HUB) as opened:
        yield opened


@pytest.fixture
def filled(store: Store) -> Store:
    """A hub with what a hub can have: short and large values, removed keys, modes, links, gaps, devices."""
    keeper = StoreKeeper(store)
    keeper.merge([made(f"key {number}", b"%d" % number, counter=number) for number in range(1, 60)])
    keeper.put_blocks([*BLOCKS, b"end"])
    keeper.merge([in_blocks("film", *BLOCKS, b"end", counter=900, writer=8, mode=0o100755)])
    keeper.merge([in_blocks("sparse", BLOCKS[0], b"end", counts=(5000, 1), counter=901)])
    keeper.merge([made("key 3", b"", time=50, counter=902), made("empty", b"", mode=0o100644, counter=903)])
    store.set("of the hub itself", b"value")
    store.share_links.create("key 5", once=True)
    keeper.note_device(7, {7: "laptop"})
    keeper.describe(5, 7)
    return store


def deliveries_of(keeper: EntryKeeper) -> list[Delivery]:
    page = keeper.read_page(0, 0, Limit(10**9, 0, lambda _: 1))
    assert not page.more
    return [out.delivery for out in keeper.mark_as_sent(page.outgoing)]


def test_a_store_with_blocks_in_objects_comes_back_with_its_object_store(
    database: Database, filled: Store, tmp_path: Path
) -> None:
    session, objects = Session(database), MemoryObjects()
    import_store(filled, session, "family")
    keeper = PostgresKeeper(session, name_store("family"), objects=objects)
    keeper.put_blocks([b"of an object" * 10_000])
    keeper.merge([in_blocks("later", b"of an object" * 10_000, counter=10_000)])
    assert len(objects.objects) == 1
    with Store.open(tmp_path / "none.sqlite", profile=HUB) as back, pytest.raises(ObjectsUnknown):
        export_store(back, session, "family")
    with Store.open(tmp_path / "back.sqlite", profile=HUB) as back:
        export_store(back, session, "family", objects=objects)
        assert back.get("later").read() == b"of an object" * 10_000
        assert back.get("film").read() == b"".join([*BLOCKS, b"end"])


def kept(session: Session) -> PostgresKeeper:
    return PostgresKeeper(session, name_store("family"))


def test_a_hub_moves_and_comes_back_as_it_was(filled: Store, database: Database, tmp_path: Path, clock: Clock) -> None:
    session = Session(database)
    before = deliveries_of(StoreKeeper(filled))
    told = StoreKeeper(filled).describe(5, 7)
    assert import_store(filled, session, "family") == len(before)
    moved = kept(session)
    assert deliveries_of(moved) == before
    assert moved.read_key() == filled.settings.config().encryption_key
    now = moved.describe(5, 7)
    assert (now.process_id, now.counter, now.names[7]) == (told.process_id, told.counter, "laptop")
    assert {each.mark for each in told.incarnations} <= {each.mark for each in now.incarnations}
    moved.merge([made("later", b"on", counter=5000)])
    after = deliveries_of(moved)
    with Store.open(tmp_path / "back.sqlite", clock=clock, profile=HUB) as back:
        assert export_store(back, session, "family") == len(after)
        assert deliveries_of(StoreKeeper(back)) == after
        assert b"".join(back.get("film").chunks()) == b"".join([*BLOCKS, b"end"])
        again = StoreKeeper(back).describe(5, 7)
        assert {each.mark for each in now.incarnations} <= {each.mark for each in again.incarnations}
        assert again.process_id == told.process_id


def test_a_device_goes_on_where_it_was(filled: Store, database: Database) -> None:
    session = Session(database)
    seal = Seal(filled.settings.config().encryption_key)

    def pull(hub: Hub, first: int) -> messages.PullResponse:
        body = seal.seal(messages.encode_pull_request(messages.PullRequest(first, 7, messages.VERSION)))
        pieces = hub.pull(body).respond(patient=False)
        assert pieces is not None
        return messages.decode_pull_response(seal.unseal(b"".join(pieces)))

    cursor = pull(Hub(StoreKeeper(filled)), 0).cursor
    import_store(filled, session, "family")
    there = pull(Hub(kept(session)), cursor + 1)
    assert (there.deliveries, there.cursor) == ([], cursor)


def test_what_was_exported_answers_no_more(filled: Store, database: Database, tmp_path: Path, clock: Clock) -> None:
    session = Session(database)
    import_store(filled, session, "family")
    seal = Seal(filled.settings.config().encryption_key)
    with Store.open(tmp_path / "back.sqlite", clock=clock, profile=HUB) as back:
        export_store(back, session, "family")
    with pytest.raises(Undecipherable):
        Hub(kept(session)).push(seal.seal(messages.encode_push([])))
    with Store.open(tmp_path / "again.sqlite", clock=clock, profile=HUB) as again, pytest.raises(NoSuchStore):
        export_store(again, session, "family")


def test_nothing_is_moved_onto_another_store(filled: Store, database: Database, stores: Stores) -> None:
    stores.add("family", "code")
    with pytest.raises(StoreExists):
        import_store(filled, Session(database), "family")
    assert deliveries_of(kept(Session(database))) == []


def test_a_store_that_nobody_has_claimed_is_not_exported(store: Store, database: Database, stores: Stores) -> None:
    stores.add("family", "code")
    with pytest.raises(NoSuchStore):
        export_store(store, Session(database), "family")
