"""What a hub gives to whoever has a token: offers, pieces, and links that are used up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.errors import DiskFull, NothingShared, ShareEnded, ValueReplaced
from kvassfs.share_link import ShareLink
from kvassfs.sharing.offers import HEAD_BYTES, Sharing
from kvassfs.store import Store
from kvassfs.store.database import Database
from kvassfs.store.links import Links
from tests.support.stores import DAY, SECOND, Clock, audit, count, rows, save

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
def sharing(store: Store, clock: Clock) -> Sharing:
    return Sharing(store, clock=clock)


def whole(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)


def remove_in_mount(store: Store, key: str) -> None:
    node = store.tree.file(key)
    assert node is not None
    store.tree.unlink(node)


# Offers


def test_a_version_is_offered(store: Store, sharing: Sharing) -> None:
    entry = store.set("key", b"value")
    offer = sharing.offer(entry.url_token)
    assert (offer.entry, offer.value.data, offer.link) == (entry, b"value", None)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 100_000, "'", "\0", "é", "-", "\ud800", "a b"])
def test_what_is_no_token_leads_to_nothing(store: Store, sharing: Sharing, token: str) -> None:
    store.set("key", b"value")
    with pytest.raises(NothingShared):
        sharing.offer(token)


def test_the_key_of_a_link_cannot_be_guessed_by_its_token(store: Store, sharing: Sharing) -> None:
    store.set("dir/secret", b"value")
    link = store.links.make("dir/secret", once=True)
    for guess in (f"{link.token}/-/once/dir", f"{link.token}/-/once/dir/secret", f"{link.token}/", link.record):
        with pytest.raises(NothingShared):
            sharing.offer(guess)


def test_an_entry_without_a_token_is_not_shared(store: Store, sharing: Sharing) -> None:
    store.set("key", b"value")
    store._database.execute("UPDATE entries SET url_token = ''")
    with pytest.raises(NothingShared):
        sharing.offer("")


def test_what_was_removed_or_replaced_has_ended(store: Store, sharing: Sharing) -> None:
    first = store.set("key", b"one").url_token
    second = store.set("key", b"two").url_token
    store.delete("key")
    for token in (first, second):
        with pytest.raises(ShareEnded, match="removed, replaced or used up"):
            sharing.offer(token)


def test_a_link_is_followed_until_it_expires(store: Store, sharing: Sharing, clock: Clock) -> None:
    store.set("key", b"value")
    link = store.links.make("key", expires=(clock.now + SECOND) // 1000)
    assert sharing.offer(link.token).value.data == b"value"
    clock.advance(SECOND)
    with pytest.raises(ShareEnded, match="expired"):
        sharing.offer(link.token)


def test_a_link_to_a_removed_key_says_so(store: Store, sharing: Sharing) -> None:
    store.set("key", b"value")
    link = store.links.make("key")
    remove_in_mount(store, "key")
    with pytest.raises(ShareEnded, match="has been removed"):
        sharing.offer(link.token)


def test_the_tag_is_that_of_the_version_and_does_not_tell_its_token(store: Store, sharing: Sharing) -> None:
    entry = store.set("key", b"value")
    link = store.links.make("key")
    tag = sharing.offer(link.token).tag
    assert tag == sharing.offer(entry.url_token).tag
    assert entry.url_token not in tag
    assert link.token not in tag
    assert sharing.offer(store.set("key", b"value").url_token).tag != tag


@pytest.mark.parametrize("size", [1, 1000, HEAD_BYTES + 1, BLOCK_SIZE + 1])
def test_the_head_is_the_beginning_of_the_value(store: Store, sharing: Sharing, size: int) -> None:
    offer = sharing.offer(store.set("key", LARGE[:size]).url_token)
    assert sharing.head(offer) == LARGE[: min(size, HEAD_BYTES)]


def test_an_empty_file_has_an_empty_head(store: Store, sharing: Sharing) -> None:
    save(store, "key", b"")
    row = store._entries.current("key")
    assert row is not None
    offer = sharing.offer(row.url_token)
    assert (sharing.head(offer), whole(sharing.read(row.url_token, offer, 0, 0))) == (b"", b"")


# Reading


@pytest.mark.parametrize("size", [1, 60_000, 70_000, BLOCK_SIZE, BLOCK_SIZE + 1, len(LARGE)])
def test_any_part_of_a_value_is_read(store: Store, sharing: Sharing, size: int) -> None:
    token = store.set("key", LARGE[:size]).url_token
    offer = sharing.offer(token)
    cuts = sorted({0, 1, size // 2, size - 1, size, *(cut for cut in (BLOCK_SIZE, 2 * BLOCK_SIZE) if cut <= size)})
    for start in cuts:
        for stop in cuts:
            if start < stop:
                assert whole(sharing.read(token, offer, start, stop)) == LARGE[start:stop]
    assert count(store, "pins") == 0


def test_a_reader_gets_the_version_that_it_began_with(store: Store, sharing: Sharing, clock: Clock) -> None:
    token = store.set("key", LARGE).url_token
    pieces = sharing.read(token, sharing.offer(token), 0, len(LARGE))
    begun = next(pieces)
    store.delete("key")
    clock.advance(31 * DAY)
    while store.upkeep.clean():
        pass
    assert begun + b"".join(pieces) == LARGE
    while store.upkeep.clean():
        pass
    assert count(store, "blocks") == 0


def test_a_reader_that_goes_away_leaves_nothing_behind(store: Store, sharing: Sharing) -> None:
    token = store.set("key", LARGE).url_token
    pieces = sharing.read(token, sharing.offer(token), 0, len(LARGE))
    next(pieces)
    assert count(store, "pins") == 1
    pieces.close()  # type: ignore[attr-defined]
    assert count(store, "pins") == 0


def test_what_changed_since_it_was_offered_is_not_read(store: Store, sharing: Sharing) -> None:
    store.set("key", LARGE)
    link = store.links.make("key")
    offer = sharing.offer(link.token)
    store.set("key", LARGE[1:])
    with pytest.raises(ValueReplaced):
        next(sharing.read(link.token, offer, 0, 10))


# Links that work once


@pytest.mark.parametrize("value", [b"value", LARGE])
def test_of_those_who_take_one_gets_it(store: Store, sharing: Sharing, value: bytes) -> None:
    store.set("key", value)
    link = store.links.make("key", once=True)
    offer, pieces = sharing.consume_link(link.token)
    assert (offer.link, whole(pieces)) == (link, value)
    with pytest.raises(ShareEnded):
        sharing.consume_link(link.token)
    with pytest.raises(ShareEnded):
        sharing.offer(link.token)
    assert count(store, "pins") == 0


def test_an_offer_does_not_use_it_up(store: Store, sharing: Sharing) -> None:
    store.set("key", b"value")
    link = store.links.make("key", once=True)
    assert sharing.offer(link.token) == sharing.offer(link.token)


def test_an_expired_one_is_not_taken(store: Store, sharing: Sharing, clock: Clock) -> None:
    store.set("key", b"value")
    link = store.links.make("key", expires=clock.now // 1000, once=True)
    with pytest.raises(ShareEnded, match="expired"):
        sharing.consume_link(link.token)


def test_one_whose_key_is_gone_is_not_used_up(store: Store, sharing: Sharing) -> None:
    store.set("key", b"one")
    link = store.links.make("key", once=True)
    remove_in_mount(store, "key")
    with pytest.raises(ShareEnded, match="removed"):
        sharing.consume_link(link.token)
    store.set("key", b"two")
    assert whole(sharing.consume_link(link.token)[1]) == b"two"


def test_a_version_is_not_taken(store: Store, sharing: Sharing) -> None:
    with pytest.raises(NothingShared):
        sharing.consume_link(store.set("key", b"value").url_token)


def is_durable(store: Store) -> bool:
    return bool(rows(store, "PRAGMA synchronous") == [2])


def test_it_has_reached_the_disk_and_reading_waits_for_no_disk(
    store: Store, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("key", LARGE)
    link = store.links.make("key", once=True)
    durable: list[bool] = []
    end = Links.end

    def noted(links: Links, link: ShareLink) -> bool:
        durable.append(is_durable(store))
        return end(links, link)

    monkeypatch.setattr(Links, "end", noted)
    whole(sharing.consume_link(link.token)[1])
    assert (durable, is_durable(store)) == ([True], False)


def test_one_that_cannot_be_used_up_is_not_given(
    store: Store, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("key", b"value")
    link = store.links.make("key", once=True)
    execute = Database.execute

    def full(database: Database, sql: str, parameters: tuple[object, ...] = ()) -> object:
        if sql == "COMMIT":
            raise DiskFull(database.path)
        return execute(database, sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "execute", full)
        with pytest.raises(DiskFull):
            sharing.consume_link(link.token)
    assert sharing.offer(link.token).link == link


def test_a_thousand_races_have_one_winner_each(store: Store, tmp_path: Path) -> None:
    store.set("key", b"value")
    tokens = [store.links.make("key", once=True).token for _ in range(1000)]
    start = threading.Barrier(2)
    won: list[list[str]] = [[], []]

    def race(number: int) -> None:
        with Store.open(tmp_path / "db") as own:
            sharing = Sharing(own)
            for token in tokens:
                start.wait(60)
                try:
                    sharing.consume_link(token)
                except ShareEnded:
                    continue
                won[number].append(token)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won[0] + won[1]) == sorted(tokens)
