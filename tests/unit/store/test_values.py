"""kvassfs.store.values: values that are held are read to their end, whatever becomes of their keys."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from kvassfs.errors import ValueReplaced
from kvassfs.store import Limit, Outgoing, Shared, Store, StoredValue
from tests.support.stores import Clock, count, save

LARGE = bytes(range(256)) * 2048
DAY = 24 * 3600 * 1_000_000_000


def value_of(store: Store, key: str) -> StoredValue:
    found = store.share_links.find(store.entry(key).url_token)
    assert isinstance(found, Shared)
    return found.value


def outgoing(store: Store) -> Outgoing:
    (out,) = store.outbox.read_dirty(Limit(10**9, 1000, lambda _: 1))
    return out


def forget_everything_old(store: Store, clock: Clock) -> None:
    clock.advance(31 * DAY)
    while store.upkeep.clean():
        pass


@pytest.mark.parametrize(("value", "is_large"), [(b"short", False), (LARGE, True)])
def test_a_value_says_whether_it_is_to_be_read_in_pieces(store: Store, value: bytes, is_large: bool) -> None:
    store.set("key", value)
    found = value_of(store, "key")
    assert (found.size, found.is_large) == (len(value), is_large)
    assert store.values.head(found, 100) == value[:100]


def test_an_empty_file_has_an_empty_value(store: Store) -> None:
    save(store, "key", b"")
    row = store.tree.entry("key")
    assert row is not None
    found = store.share_links.find(row.url_token)
    assert isinstance(found, Shared)
    assert found.value == StoredValue(0, None, b"")
    with store.values.held(found.value) as reader:
        assert list(reader.pieces()) == []


@pytest.mark.parametrize("value", [b"short", LARGE])
@pytest.mark.parametrize(("start", "stop"), [(0, None), (2, None), (1, 4), (3, 3)])
def test_any_part_of_a_held_value_is_read(store: Store, value: bytes, start: int, stop: int | None) -> None:
    store.set("key", value)
    with store.values.held(value_of(store, "key")) as reader:
        assert b"".join(reader.pieces(start, stop)) == value[start:stop]


def test_it_is_kept_until_the_end_of_the_block(store: Store, clock: Clock) -> None:
    store.set("key", LARGE)
    with store.values.held(value_of(store, "key")) as reader:
        assert count(store, "pins") == 1
        store.delete("key")
        forget_everything_old(store, clock)
        assert b"".join(reader.pieces()) == LARGE
    assert count(store, "pins") == 0
    forget_everything_old(store, clock)
    assert count(store, "blocks") == 0


def test_a_short_value_costs_no_transaction(store: Store) -> None:
    store.set("key", b"short")
    value = value_of(store, "key")
    number = store.transaction.number
    with store.values.held(value) as reader:
        assert list(reader.pieces()) == [b"short"]
    assert store.transaction.number == number


def test_what_is_found_to_be_another_value_is_not_held(store: Store) -> None:
    store.set("key", LARGE)
    with pytest.raises(ValueReplaced), store.values.held(value_of(store, "key"), lambda: False):
        pass
    assert count(store, "pins") == 0


def test_one_held_inside_a_transaction_that_fails_was_never_held(store: Store) -> None:
    store.set("key", LARGE)
    value = value_of(store, "key")
    with suppress(ZeroDivisionError), ExitStack() as holding, store.transaction:
        holding.enter_context(store.values.held(value))
        1 / 0  # noqa: B018
    assert count(store, "pins") == 0


def test_what_waits_to_be_sent_is_read_of_the_version_that_was_found(store: Store, path: Path) -> None:
    store.set("key", LARGE)
    pieces = store.outbox.pieces(outgoing(store))
    begun = next(pieces)
    with Store.open(path) as other:
        other.set("key", b"new")
    assert begun + b"".join(pieces) == LARGE


def test_what_was_replaced_before_it_was_read_is_not_sent_as_another_version(store: Store) -> None:
    store.set("key", LARGE)
    out = outgoing(store)
    store.set("key", LARGE[1:])
    with pytest.raises(ValueReplaced):
        next(store.outbox.pieces(out))
