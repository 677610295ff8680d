"""What a hub gives to whoever has a token: offers, pieces, and links that are used up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.errors import DamagedStore, DiskFull, NothingShared, ShareEnded, ValueReplaced
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.share_link import ShareLink
from kvassfs.sharing.offers import HEAD_BYTES, HeldPieces, Offers
from kvassfs.store import SHARING, Store
from kvassfs.store.contents import Contents
from kvassfs.store.database import Database
from kvassfs.store.share_links import ShareLinks
from tests.support.stores import DAY, SECOND, Clock, audit, count, is_scratch, rows, save

LARGE = b"".join(bytes([number]) * 1000 for number in range(1, 201)) * 5  # a million bytes, four blocks


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path / "db", clock=clock) as opened:
        yield opened
        audit(opened)


@pytest.fixture
def offers(store: Store, clock: Clock) -> Offers:
    return Offers(StoreKeeper(store), clock=clock)


def whole(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)


def remove_in_mount(store: Store, key: str) -> None:
    node = store.tree.file(key)
    assert node is not None
    store.tree.unlink(node, is_scratch=is_scratch)


# Offers


def test_a_version_is_offered(store: Store, offers: Offers) -> None:
    entry = store.set("key", b"value")
    offer = offers.find_offer(entry.url_token)
    assert (offer.entry, offer.value.data, offer.link) == (entry, b"value", None)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 100_000, "'", "\0", "é", "-", "\ud800", "a b"])
def test_what_is_no_token_leads_to_nothing(store: Store, offers: Offers, token: str) -> None:
    store.set("key", b"value")
    with pytest.raises(NothingShared):
        offers.find_offer(token)


def test_the_key_of_a_link_cannot_be_guessed_by_its_token(store: Store, offers: Offers) -> None:
    store.set("dir/secret", b"value")
    link = store.share_links.create("dir/secret", once=True)
    for guess in (f"{link.token}/-/once/dir", f"{link.token}/-/once/dir/secret", f"{link.token}/", link.record):
        with pytest.raises(NothingShared):
            offers.find_offer(guess)


def test_an_entry_without_a_token_is_not_shared(store: Store, offers: Offers) -> None:
    store.set("key", b"value")
    store._database.execute("UPDATE entries SET url_token = ''")
    with pytest.raises(NothingShared):
        offers.find_offer("")


def test_what_was_removed_or_replaced_has_ended(store: Store, offers: Offers) -> None:
    first = store.set("key", b"one").url_token
    second = store.set("key", b"two").url_token
    store.delete("key")
    for token in (first, second):
        with pytest.raises(ShareEnded, match="removed, replaced or used up"):
            offers.find_offer(token)


def test_a_link_is_followed_until_it_expires(store: Store, offers: Offers, clock: Clock) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", expires=(clock.now + SECOND) // 1000)
    assert offers.find_offer(link.token).value.data == b"value"
    clock.advance(SECOND)
    with pytest.raises(ShareEnded, match="expired"):
        offers.find_offer(link.token)


def test_a_link_to_a_removed_key_says_so(store: Store, offers: Offers) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key")
    remove_in_mount(store, "key")
    with pytest.raises(ShareEnded, match="has been removed"):
        offers.find_offer(link.token)


def test_the_tag_is_that_of_the_version_and_does_not_tell_its_token(store: Store, offers: Offers) -> None:
    entry = store.set("key", b"value")
    link = store.share_links.create("key")
    tag = offers.find_offer(link.token).tag
    assert tag == offers.find_offer(entry.url_token).tag
    assert entry.url_token not in tag
    assert link.token not in tag
    assert offers.find_offer(store.set("key", b"value").url_token).tag != tag


@pytest.mark.parametrize("size", [1, 1000, HEAD_BYTES + 1, BLOCK_SIZE + 1])
def test_the_head_is_the_beginning_of_the_value(store: Store, offers: Offers, size: int) -> None:
    offer = offers.find_offer(store.set("key", LARGE[:size]).url_token)
    assert offers.read_head(offer) == LARGE[: min(size, HEAD_BYTES)]


def test_an_empty_file_has_an_empty_head(store: Store, offers: Offers) -> None:
    save(store, "key", b"")
    row = store._entries.current("key")
    assert row is not None
    offer = offers.find_offer(row.url_token)
    assert (offers.read_head(offer), whole(offers.hold_pieces(row.url_token, offer, 0, 0))) == (b"", b"")


# Reading


@pytest.mark.parametrize("size", [1, 60_000, 70_000, BLOCK_SIZE, BLOCK_SIZE + 1, len(LARGE)])
def test_any_part_of_a_value_is_read(store: Store, offers: Offers, size: int) -> None:
    token = store.set("key", LARGE[:size]).url_token
    offer = offers.find_offer(token)
    cuts = sorted({0, 1, size // 2, size - 1, size, *(cut for cut in (BLOCK_SIZE, 2 * BLOCK_SIZE) if cut <= size)})
    for start in cuts:
        for stop in cuts:
            if start < stop:
                assert whole(offers.hold_pieces(token, offer, start, stop)) == LARGE[start:stop]
    assert count(store, "pins") == 0


def test_a_reader_gets_the_version_that_it_began_with(store: Store, offers: Offers, clock: Clock) -> None:
    token = store.set("key", LARGE).url_token
    pieces = offers.hold_pieces(token, offers.find_offer(token), 0, len(LARGE))
    begun = next(pieces)
    store.delete("key")
    clock.advance(31 * DAY)
    while store.upkeep.clean():
        pass
    assert begun + b"".join(pieces) == LARGE
    while store.upkeep.clean():
        pass
    assert count(store, "blocks") == 0


def test_a_reader_that_goes_away_leaves_nothing_behind(store: Store, offers: Offers) -> None:
    token = store.set("key", LARGE).url_token
    pieces = offers.hold_pieces(token, offers.find_offer(token), 0, len(LARGE))
    next(pieces)
    assert count(store, "pins") == 1
    pieces.close()
    pieces.close()
    assert count(store, "pins") == 0


def test_what_was_never_read_is_let_go_of_too(store: Store, offers: Offers) -> None:
    token = store.set("key", LARGE).url_token
    pieces = offers.hold_pieces(token, offers.find_offer(token))
    assert count(store, "pins") == 1
    pieces.close()
    assert count(store, "pins") == 0


def test_a_reader_that_fails_leaves_nothing_behind(
    store: Store, offers: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: Contents, content: int, position: int) -> bytes:
        raise DamagedStore(store.path, f"block {position} of value {content} is missing")

    token = store.set("key", LARGE).url_token
    pieces = offers.hold_pieces(token, offers.find_offer(token))
    monkeypatch.setattr(Contents, "read_run", damaged)
    with pytest.raises(DamagedStore):
        whole(pieces)
    assert count(store, "pins") == 0


def test_what_changed_since_it_was_offered_is_not_read(store: Store, offers: Offers) -> None:
    store.set("key", LARGE)
    link = store.share_links.create("key")
    offer = offers.find_offer(link.token)
    store.set("key", LARGE[1:])
    with pytest.raises(ValueReplaced):
        offers.hold_pieces(link.token, offer, 0, 10)


# ShareLinks that work once


@pytest.mark.parametrize("value", [b"value", LARGE])
def test_of_those_who_take_one_gets_it(store: Store, offers: Offers, value: bytes) -> None:
    store.set("key", value)
    link = store.share_links.create("key", once=True)
    offer, pieces = offers.consume_link(link.token)
    assert (offer.link, whole(pieces)) == (link, value)
    with pytest.raises(ShareEnded):
        offers.consume_link(link.token)
    with pytest.raises(ShareEnded):
        offers.find_offer(link.token)
    assert count(store, "pins") == 0


def test_an_offer_does_not_use_it_up(store: Store, offers: Offers) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)
    assert offers.find_offer(link.token) == offers.find_offer(link.token)


def test_an_expired_one_is_not_taken(store: Store, offers: Offers, clock: Clock) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", expires=clock.now // 1000, once=True)
    with pytest.raises(ShareEnded, match="expired"):
        offers.consume_link(link.token)


def test_one_whose_key_is_gone_is_not_used_up(store: Store, offers: Offers) -> None:
    store.set("key", b"one")
    link = store.share_links.create("key", once=True)
    remove_in_mount(store, "key")
    with pytest.raises(ShareEnded, match="removed"):
        offers.consume_link(link.token)
    store.set("key", b"two")
    assert whole(offers.consume_link(link.token)[1]) == b"two"


def test_a_version_is_not_taken(store: Store, offers: Offers) -> None:
    with pytest.raises(NothingShared):
        offers.consume_link(store.set("key", b"value").url_token)


def is_durable(store: Store) -> bool:
    return bool(rows(store, "PRAGMA synchronous") == [2])


def test_it_has_reached_the_disk_and_reading_waits_for_no_disk(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("key", LARGE)
    link = store.share_links.create("key", once=True)
    durable: list[bool] = []
    end = ShareLinks.end

    def noted(links: ShareLinks, link: ShareLink) -> bool:
        durable.append(is_durable(shared))
        return end(links, link)

    monkeypatch.setattr(ShareLinks, "end", noted)
    with Store.open(tmp_path / "db", profile=SHARING) as shared:
        whole(Offers(StoreKeeper(shared)).consume_link(link.token)[1])
        assert (durable, is_durable(shared)) == ([True], False)


def test_one_that_cannot_be_used_up_is_not_given(store: Store, offers: Offers, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("key", b"value")
    link = store.share_links.create("key", once=True)
    execute = Database.execute

    def full(database: Database, sql: str, parameters: tuple[object, ...] = ()) -> object:
        if sql == "COMMIT":
            raise DiskFull(database.path)
        return execute(database, sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "execute", full)
        with pytest.raises(DiskFull):
            offers.consume_link(link.token)
    assert offers.find_offer(link.token).link == link


def test_one_that_cannot_be_used_up_keeps_what_others_read(
    store: Store, offers: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = store.set("key", LARGE).url_token
    link = store.share_links.create("key", once=True)
    reading = offers.hold_pieces(token, offers.find_offer(token))
    ended: list[ShareLink] = []
    end, execute = ShareLinks.end, Database.execute

    def noted(links: ShareLinks, link: ShareLink) -> bool:
        ended.append(link)
        return end(links, link)

    def full_once(database: Database, sql: str, parameters: tuple[object, ...] = ()) -> object:
        if sql == "COMMIT" and ended:
            ended.clear()
            raise DiskFull(database.path)
        return execute(database, sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(ShareLinks, "end", noted)
        patch.setattr(Database, "execute", full_once)
        with pytest.raises(DiskFull):
            offers.consume_link(link.token)
    assert rows(store, "SELECT count FROM pins") == [1]
    assert whole(reading) == LARGE


@pytest.mark.parametrize("value", [b"value", LARGE])
def test_one_that_leads_elsewhere_meanwhile_is_not_used_up(
    store: Store, offers: Offers, monkeypatch: pytest.MonkeyPatch, value: bytes
) -> None:
    store.set("key", value)
    link = store.share_links.create("key", once=True)
    hold = Offers.hold_pieces

    def replaced(offers: Offers, *arguments: Any) -> HeldPieces:
        pieces = hold(offers, *arguments)
        store.set("key", b"other")
        return pieces

    with monkeypatch.context() as patch:
        patch.setattr(Offers, "hold_pieces", replaced)
        with pytest.raises(ValueReplaced):
            offers.consume_link(link.token)
    assert count(store, "pins") == 0
    assert whole(offers.consume_link(link.token)[1]) == b"other"


def test_a_value_that_was_used_up_and_never_read_is_let_go_of(store: Store, offers: Offers) -> None:
    store.set("key", LARGE)
    _, pieces = offers.consume_link(store.share_links.create("key", once=True).token)
    assert count(store, "pins") == 1
    pieces.close()
    assert count(store, "pins") == 0


def test_a_thousand_races_have_one_winner_each(store: Store, tmp_path: Path) -> None:
    store.set("key", b"value")
    tokens = [store.share_links.create("key", once=True).token for _ in range(1000)]
    start = threading.Barrier(2)
    won: list[list[str]] = [[], []]

    def race(number: int) -> None:
        with Store.open(tmp_path / "db") as own:
            offers = Offers(StoreKeeper(own))
            for token in tokens:
                start.wait(60)
                try:
                    offers.consume_link(token)
                except ShareEnded:
                    continue
                won[number].append(token)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won[0] + won[1]) == sorted(tokens)
