"""kvassfs.sync.hub"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kvassfs.block import BLOCK_SIZE, HASH_BYTES
from kvassfs.entry import Delivery, Entry
from kvassfs.errors import DiskFull, InvalidMessage, KvassError, MessageError, Undecipherable
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.store import Store, Written
from kvassfs.store.rows import AT_ONCE
from kvassfs.store.settling import SETTLING_TIME
from kvassfs.sync import block_messages, messages
from kvassfs.sync.hub import MAX_WAIT, Hub
from kvassfs.sync.limits import HUB_LIMITS
from kvassfs.sync.seal import CheckedBody, HeldBody, Seal, compute_mark
from tests.support import golden_data
from tests.support.golden_data import CAT, KEY, SEAL
from tests.support.original import OriginalClient, entries_of
from tests.support.stores import (
    REGULAR,
    SECOND,
    Clock,
    audit,
    audit_clean,
    count,
    failing,
    is_scratch,
    read,
    revision_values,
    rows,
    save,
    sqlite_error,
)

NAMES = ("Key", "Value", "UrlToken", "TimestampUnixMicro", "ProcessID", "Counter", "NeedsToBePushed")
"""The fields that the original knows."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path / "hub", clock=clock, random=Random(1).randbytes) as opened:
        opened.settings.set_process_id(9009)
        opened.settings.set_encryption_key(KEY)
        yield opened
        audit(opened)


@pytest.fixture
def hub(store: Store, clock: Clock) -> Hub:
    return Hub(StoreKeeper(store), clock=clock, random=Random(2).randbytes)


def answer(hub: Hub, request: bytes, *, patient: bool = False) -> bytes:
    """Return the sealed answer to a sealed pull."""
    pieces = hub.pull(request).respond(patient=patient)
    assert pieces is not None
    return b"".join(pieces)


def pull(hub: Hub, first: int = 0, process_id: int = 1, **more: Any) -> messages.PullResponse:
    """Pull as a replica of version 2 does."""
    body = SEAL.seal(messages.encode_pull_request(messages.PullRequest(first, process_id, messages.VERSION, **more)))
    answered = messages.decode_pull_response(SEAL.unseal(answer(hub, body)))
    assert answered.digest == messages.compute_digest(body)
    return answered


def push(hub: Hub, *deliveries: Delivery) -> messages.PushResponse:
    """Push as a replica of version 2 does."""
    body = SEAL.seal(messages.encode_push(deliveries))
    answered = messages.decode_push_response(SEAL.unseal(hub.push(body)))
    assert answered.digest == messages.compute_digest(body)
    return answered


class Held(bytes):
    """A long body."""

    def read(self, start: int, size: int) -> bytes:
        return self[start : start + size]


def checked_by(hub: Hub, body: bytes) -> CheckedBody:
    """Return a body once the hub has checked it."""
    check = hub.check(Held(body))
    while (checked := check.advance()) is None:
        pass
    return checked


def push_long(hub: Hub, plaintext: bytes) -> messages.PushResponse:
    """Push as the original does that has much to send."""
    body = SEAL.seal(plaintext)
    answered = messages.decode_push_response(SEAL.unseal(hub.push_long(checked_by(hub, body))))
    assert answered.digest == messages.compute_digest(body)
    return answered


def blocks(
    hub: Hub, get: list[bytes] | None = None, put: list[bytes] | None = None
) -> list[block_messages.Block | None]:
    """Send blocks and ask for some."""
    body = SEAL.seal_joined(block_messages.encode_blocks_request(block_messages.BlocksRequest(get or [], put or [])))
    name, found = block_messages.decode_blocks_response(SEAL.unseal(hub.serve_blocks(body)))
    assert name == compute_mark(HeldBody(body))
    return found


def delivery(key: str, value: bytes, timestamp: int, *, counter: int = 1, process_id: int = 1001) -> Delivery:
    entry = Entry(key, timestamp, counter, process_id, f"{timestamp}-{counter}-{process_id}", len(value))
    return Delivery(entry, counter, value)


def keys(answered: messages.PullResponse) -> list[str]:
    return [found.entry.key for found in answered.deliveries]


# Long pushes


def long_push(*deliveries: Delivery) -> bytes:
    pieces = ((each, [each.value or b""]) for each in deliveries)
    return b"".join(messages.encode_array(pieces, pushed=True))


def test_a_long_push_is_merged_as_a_short_one(hub: Hub, store: Store, tmp_path: Path, clock: Clock) -> None:
    large = Random(5).randbytes(7 * BLOCK_SIZE + 3)
    pushed = [delivery(f"key-{number}", bytes(900_000), 10 + number, counter=number) for number in range(1, 5)]
    pushed += [delivery("large", large, 20, counter=5), delivery("key-1", b"", 30, counter=6)]
    with Store.open(tmp_path / "other", clock=clock, random=Random(1).randbytes) as other:
        other.settings.set_process_id(9009)
        other.settings.set_encryption_key(KEY)
        push(Hub(StoreKeeper(other), clock=clock), *pushed)
        answered = push_long(hub, long_push(*pushed))
        assert (answered.missing, answered.process_id) == (b"", 9009)
        assert [answered.clock] == [other.settings.config().clock]
        assert {key: store.get(key).read() for key in store.keys()} == {
            key: other.get(key).read() for key in other.keys()
        }
    assert store.get("large").read() == large
    assert count(store, "received") == 0


def test_a_long_push_that_comes_again_changes_nothing(hub: Hub, store: Store) -> None:
    plaintext = long_push(delivery("large", bytes(8 * BLOCK_SIZE), 20), delivery("key", b"value", 21, counter=2))
    first = push_long(hub, plaintext)
    assert push_long(hub, plaintext).clock == first.clock
    assert store.get("key").read() == b"value"


def test_a_long_push_of_nothing_is_answered(hub: Hub) -> None:
    assert push_long(hub, b"[" + b" " * 1000 + b"]").missing == b""


def test_of_a_long_push_that_cannot_be_read_the_pages_before_are_merged(hub: Hub, store: Store) -> None:
    good = long_push(delivery("key", bytes(900_000), 20))
    with pytest.raises(InvalidMessage):
        push_long(hub, good[:-1] + b',{"Key": 1}]')
    assert list(store.keys()) == ["key"]


def test_a_request_that_was_checked_is_responded_to_as_any_other(hub: Hub, store: Store) -> None:
    body = SEAL.seal(messages.encode_push([delivery("key", b"value", 20)]))
    answered = messages.decode_push_response(SEAL.unseal(hub.push(checked_by(hub, body))))
    assert answered.digest == messages.compute_digest(body)
    assert store.get("key").read() == b"value"
    body = SEAL.seal_joined(block_messages.encode_blocks_request(block_messages.BlocksRequest([], [b"block"])))
    assert block_messages.decode_blocks_response(SEAL.unseal(hub.serve_blocks(checked_by(hub, body)))) == (
        compute_mark(HeldBody(body)),
        [],
    )
    assert blocks(hub, get=[hashlib.sha256(b"block").digest()]) == [b"block"]


def test_nothing_is_read_of_a_request_that_was_checked_with_the_key_before(hub: Hub, store: Store) -> None:
    checked = checked_by(hub, SEAL.seal(messages.encode_push([delivery("key", b"value", 20)])))
    store.settings.set_encryption_key(bytes(32))
    for call in (hub.push, hub.serve_blocks):
        with pytest.raises(Undecipherable):
            call(checked)
    assert list(store.keys()) == []


def test_nothing_is_read_of_a_long_push_that_was_checked_with_the_key_before(hub: Hub, store: Store) -> None:
    check = hub.check(Held(SEAL.seal(long_push(delivery("key", b"value", 20)))))
    checked = check.advance()
    assert checked is not None
    store.settings.set_encryption_key(bytes(32))
    with pytest.raises(Undecipherable):
        hub.push_long(checked)
    assert list(store.keys()) == []


def test_on_a_full_disk_a_long_push_removes_first_and_then_has_room(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(hub, delivery("old", b"value", 20))
    put = store.blocks.put

    def fail_until_removed(blocks: Any) -> None:
        if "old" in store.keys():
            raise DiskFull(store.path)
        put(blocks)

    monkeypatch.setattr(store.blocks, "put", fail_until_removed)
    push_long(
        hub, long_push(delivery("large", bytes(9 * BLOCK_SIZE), 21, counter=2), delivery("old", b"", 22, counter=3))
    )
    assert list(store.keys()) == ["large"]


# What the original program has sent


def replay(hub: Hub, name: str) -> bytes:
    """Send a recorded request byte for byte; return the body of the answer."""
    body = golden_data.body(f"{name}.request")
    return hub.push(body) if name.endswith("push") else answer(hub, body)


def test_recorded_requests_get_the_answers_that_the_original_gave(hub: Hub, store: Store) -> None:
    for name in ("00-push", "01-push", "02-push", "03-pull", "04-push", "05-push", "06-pull", "07-push"):
        body = replay(hub, name)
        if name.endswith("pull"):
            fields = json.loads(SEAL.unseal(body))
            recorded = json.loads(golden_data.plaintext(f"{name}.response"))
            assert [{name: entry[name] for name in NAMES} for entry in fields] == recorded
    assert {key: store.get(key).read() for key in store.keys()} == {"hello": b"from b\n", CAT: "喵 👋\n".encode()}


def test_an_original_client_takes_the_answers_and_goes_on_from_there(hub: Hub) -> None:
    client = OriginalClient(
        2002,
        KEY,
        Random(3).randbytes,
        Clock(now=1_795_396_752_400_000_000),
        lambda call, body: hub.push(body) if call == "push" else answer(hub, body),
    )
    for name in ("00-push", "01-push", "02-push"):
        replay(hub, name)
    client.pull()
    assert sorted(client.values()) == ["binary", "hello", CAT]
    assert [entry.counter for entry in client.entries.values()] == [3, 4, 5]
    assert (client.counter, client.remote_counter) == (5, 4)
    client.set("hello", b"from b\n")
    client.push()
    assert entries_of(SEAL.unseal(replay(hub, "06-pull")))[-1].counter == 7


def test_the_answer_to_an_original_client_holds_large_values_whole(hub: Hub, store: Store) -> None:
    value = Random(4).randbytes(3 * BLOCK_SIZE + 5)
    store.set("large", value)
    (entry,) = entries_of(SEAL.unseal(replay(hub, "03-pull")))
    assert entry.value == value
    assert entry.needs_push
    assert count(store, "pins") == 0


def test_the_answer_to_an_original_client_leaves_out_what_it_cannot_keep(hub: Hub, store: Store) -> None:
    draft = store.tree.draft()
    draft.truncate(1 << 50)
    store.tree.save("hole", draft, Written(mode=REGULAR), scratch=False, now=1, amends=None)
    draft.close()
    store.set("a", b"1")
    assert [entry.key for entry in entries_of(SEAL.unseal(replay(hub, "03-pull")))] == ["a"]
    assert count(store, "pins") == 0


def test_the_answer_to_an_original_client_holds_everything_though_it_takes_many_pages(
    store: Store, clock: Clock
) -> None:
    hub = Hub(StoreKeeper(store), clock=clock, limits=HUB_LIMITS._replace(page_bytes=1000))
    for number in range(20):
        store.set(str(number), bytes(100))
    assert len(entries_of(SEAL.unseal(replay(hub, "03-pull")))) == 20


def test_an_original_client_is_told_nothing_again_that_it_wrote(hub: Hub) -> None:
    replay(hub, "00-push")
    assert entries_of(SEAL.unseal(replay(hub, "06-pull"))) == []


# Pushing and pulling


def test_what_is_pushed_is_handed_out_to_others(hub: Hub) -> None:
    assert push(hub, delivery("a", b"1", 10, counter=5)).clock == 6
    answered = pull(hub)
    (found,) = answered.deliveries
    assert (found.entry.key, found.entry.counter, found.value, found.sequence) == ("a", 5, b"1", 6)
    assert (answered.cursor, answered.clock, answered.process_id) == (6, 6, 9009)
    assert keys(pull(hub, process_id=1001)) == keys(pull(hub, 7)) == []


def test_what_wins_replaces_and_what_loses_is_a_revision(hub: Hub, store: Store) -> None:
    push(hub, delivery("a", b"first", 10))
    push(hub, delivery("a", b"newest", 30, counter=2))
    push(hub, delivery("a", b"late", 20, process_id=1002))
    assert store.get("a").read() == b"newest"
    assert revision_values(store, "a") == [b"late", b"first"]


def test_the_sender_of_what_loses_is_told_the_winner(hub: Hub) -> None:
    push(hub, delivery("a", b"winner", 20))
    cursor = pull(hub, process_id=1002).cursor
    assert keys(pull(hub, cursor + 1, 1002)) == []
    push(hub, delivery("a", b"loser", 10, process_id=1002))
    (found,) = pull(hub, cursor + 1, 1002).deliveries
    assert found.value == b"winner"


def test_a_repeated_push_changes_nothing(hub: Hub, store: Store) -> None:
    sent = [delivery("a", b"1", 10), delivery("b", b"", 11, counter=2)]
    clock = push(hub, *sent).clock
    assert push(hub, *sent).clock == clock
    assert revision_values(store, "a") == []
    assert pull(hub, clock + 1).deliveries == []


def test_a_losing_push_that_is_repeated_leaves_one_revision(hub: Hub, store: Store) -> None:
    push(hub, delivery("a", b"winner", 20))
    for _ in range(3):
        push(hub, delivery("a", b"loser", 10, process_id=1002))
    assert revision_values(store, "a") == [b"loser"]


def test_at_equal_times_the_greater_counter_wins_and_then_the_lower_process_id(hub: Hub, store: Store) -> None:
    push(hub, delivery("a", b"1", 10, counter=1, process_id=1001))
    push(hub, delivery("a", b"2", 10, counter=2, process_id=1003))
    push(hub, delivery("a", b"3", 10, counter=2, process_id=1002))
    push(hub, delivery("a", b"4", 10, counter=2, process_id=1004))
    assert store.get("a").read() == b"3"


def test_a_key_that_others_know_leaves_a_tombstone_though_their_version_lost(hub: Hub, store: Store) -> None:
    save(store, "a", b"from the mount of the hub")
    push(hub, delivery("a", b"older", 10))
    store.tree.unlink(present(store, "a"), is_scratch=is_scratch)
    assert rows(store, "SELECT size FROM entries") == [0]


def present(store: Store, key: str) -> Any:
    node = store.tree.file(key)
    assert node is not None
    return node


def test_pages_follow_one_another(hub: Hub, store: Store) -> None:
    for number in range(10):
        store.set(f"{number}", bytes(100))
    found: list[str] = []
    first, more = 0, True
    while more:
        page = pull(hub, first, max_bytes=800)
        assert 1 <= len(page.deliveries) <= 3
        found += keys(page)
        first, more = page.cursor + 1, page.more
    assert found == [f"{number}" for number in range(10)]


def test_an_entry_larger_than_a_page_is_one_of_its_own(hub: Hub, store: Store) -> None:
    store.set("small", b"x")
    store.set("large", bytes(50_000))
    assert keys(pull(hub, max_bytes=1000)) == ["small"]
    assert keys(pull(hub, pull(hub, max_bytes=1000).cursor + 1, max_bytes=1000)) == ["large"]


def test_a_removal_in_the_mount_of_the_hub_is_kept_back_a_moment_and_all_that_comes_after(
    hub: Hub, store: Store, clock: Clock
) -> None:
    save(store, "a", b"1")
    clock.advance(10 * SECOND)
    cursor = pull(hub).cursor
    store.tree.unlink(present(store, "a"), is_scratch=is_scratch)
    store.set("b", b"2")
    page = pull(hub, cursor + 1)
    assert (keys(page), page.cursor, page.more) == ([], cursor, False)
    clock.advance(SETTLING_TIME)
    assert keys(pull(hub, cursor + 1)) == ["a", "b"]


def test_a_patient_pull_waits_for_news(hub: Hub, store: Store) -> None:
    store.set("a", b"1")
    request = messages.PullRequest(pull(hub).cursor + 1, 1, messages.VERSION, wait=30)
    waiting = hub.pull(SEAL.seal(messages.encode_pull_request(request)))
    assert waiting.wait == 30
    assert waiting.respond(patient=True) is None
    store.set("b", b"2")
    pieces = waiting.respond(patient=True)
    assert pieces is not None
    assert keys(messages.decode_pull_response(SEAL.unseal(b"".join(pieces)))) == ["b"]


def test_a_pull_waits_for_a_minute_at_most_and_one_of_the_original_not_at_all(hub: Hub) -> None:
    assert (
        hub.pull(SEAL.seal(messages.encode_pull_request(messages.PullRequest(0, 1, messages.VERSION, wait=1e9)))).wait
        == MAX_WAIT
    )
    assert hub.pull(SEAL.seal(b'{"Counter":0,"ProcessID":1,"Wait":5}')).wait == 0


def test_a_device_that_knows_more_than_the_hub_is_not_kept_waiting(hub: Hub) -> None:
    request = messages.PullRequest(100, 1, messages.VERSION, wait=30)
    assert hub.pull(SEAL.seal(messages.encode_pull_request(request))).respond(patient=True) is not None


def test_devices_that_ask_are_noted(hub: Hub, store: Store) -> None:
    pull(hub, process_id=1001)
    pull(hub, process_id=1002)
    assert {device.process_id for device in store.peers.devices()} == {1001, 1002}


# Incarnations


def test_each_process_that_serves_a_store_is_an_incarnation_that_tells_its_clock(hub: Hub, store: Store) -> None:
    store.set("a", b"1")
    (one,) = pull(hub).incarnations
    assert one.told == 1
    assert push(hub, delivery("b", b"1", 10, counter=9)).incarnations == [one._replace(told=10)]
    store._database.execute("UPDATE incarnations SET started = 'before'")
    store.peers._writer += 1
    later = pull(hub).incarnations
    assert later[0] == one._replace(told=10)
    assert len(later) == 2
    assert later[1].mark != one.mark


def test_only_the_latest_incarnations_are_kept(hub: Hub, store: Store) -> None:
    for _ in range(40):
        store._database.execute("UPDATE incarnations SET started = 'before'")
        store.peers._writer += 1
        pull(hub)
    last = pull(hub).incarnations
    assert len(last) == 32
    assert last[-1].mark == store.peers._writer


# Blocks

LARGE = 5 * BLOCK_SIZE + 7


def large(seed: int = 5) -> tuple[bytes, list[bytes], list[bytes]]:
    """Return a large value, its blocks and their hashes."""
    value = Random(seed).randbytes(LARGE)
    parts = [value[at : at + BLOCK_SIZE] for at in range(0, LARGE, BLOCK_SIZE)]
    return value, parts, [digest(part) for part in parts]


def digest(part: bytes) -> bytes:
    return bytes.fromhex(messages.compute_digest(part))


def named(key: str, hashes: list[bytes], timestamp: int, process_id: int = 1001) -> Delivery:
    """Return a large value by the hashes of its blocks."""
    entry = Entry(key, timestamp, 1, process_id, f"large-{timestamp}-{process_id}", LARGE)
    return Delivery(entry, 1, None, b"".join(hashes))


def test_a_large_value_is_merged_once_all_its_blocks_are_there(hub: Hub, store: Store) -> None:
    value, parts, hashes = large()
    sent = named("a", hashes, 10)
    assert push(hub, sent).missing == b"".join(hashes)
    blocks(hub, put=parts[:4])
    assert push(hub, sent).missing == b"".join(hashes[4:])
    assert keys(pull(hub)) == []
    blocks(hub, put=parts[4:])
    assert push(hub, sent).missing == b""
    assert store.get("a").read() == value
    assert count(store, "received") == 0


def test_a_large_value_is_handed_out_by_the_hashes_of_its_blocks(hub: Hub, store: Store) -> None:
    value, parts, hashes = large()
    store.set("a", value)
    (found,) = pull(hub).deliveries
    assert (found.value, found.blocks, found.entry.size) == (None, b"".join(hashes), LARGE)
    assert blocks(hub, get=[hashes[5], bytes(HASH_BYTES), hashes[0]]) == [parts[5], None, parts[0]]


def test_a_request_for_many_blocks_gets_the_first_ones(hub: Hub, store: Store) -> None:
    value, parts, hashes = large()
    store.set("a", value)
    assert blocks(hub, get=hashes) == parts[: HUB_LIMITS.page_blocks]


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (b"", messages.compute_digest),
        (b'"Version":2,', messages.compute_digest),
        (b'"Version":3,', lambda body: compute_mark(HeldBody(body))),
        (b'"Version":4,', lambda body: compute_mark(HeldBody(body))),
    ],
)
def test_a_request_about_blocks_is_named_as_the_device_knows_it(
    hub: Hub, version: bytes, name: Callable[[bytes], str]
) -> None:
    body = SEAL.seal(b'{%b"Get":"","Put":[5],"Type":"blocks"}\nblock' % version)
    for sent in (body, checked_by(hub, body)):
        assert block_messages.decode_blocks_response(SEAL.unseal(hub.serve_blocks(sent))) == (name(body), [])


def test_a_request_about_blocks_of_no_version_is_refused(hub: Hub) -> None:
    with pytest.raises(InvalidMessage):
        hub.serve_blocks(SEAL.seal(b'{"Version":"3","Get":"","Put":[],"Type":"blocks"}\n'))


def test_blocks_whose_entry_never_comes_are_given_up_after_a_day(hub: Hub, store: Store, clock: Clock) -> None:
    blocks(hub, put=large()[1])
    assert count(store, "blocks") == 6
    clock.advance(25 * 3600 * SECOND)
    audit_clean(store)
    assert count(store, "blocks") == count(store, "received") == 0


def test_a_large_value_that_loses_need_not_be_sent(hub: Hub, store: Store) -> None:
    push(hub, delivery("a", b"winner", 20))
    assert push(hub, named("a", large()[2], 10, process_id=1002)).missing == b""
    assert store.get("a").read() == b"winner"


def test_a_value_in_blocks_that_is_a_short_one_is_kept_as_such(hub: Hub, store: Store) -> None:
    value = b"short"
    blocks(hub, put=[value])
    push(hub, Delivery(Entry("a", 10, 1, 1001, "token", len(value)), 1, None, digest(value)))
    assert store.get("a").read() == value
    assert read(store, present(store, "a")) == value


def test_blocks_of_another_length_than_they_must_have_are_refused(hub: Hub, store: Store) -> None:
    one, other = bytes(1000), bytes(2000)
    blocks(hub, put=[one, other])
    for size in (BLOCK_SIZE + 2000, 1001, 999):
        hashes = digest(one) + digest(other) if size > BLOCK_SIZE else digest(one)
        with pytest.raises(InvalidMessage):
            push(hub, Delivery(Entry("a", 10, 1, 1001, "token", size), 1, None, hashes))
    assert list(store.keys()) == []


# What is refused


def test_a_request_under_another_key_is_not_deciphered(hub: Hub) -> None:
    body = Seal(bytes(32)).seal(messages.encode_pull_request(messages.PullRequest(0, 1)))
    for call in (hub.push, hub.pull, hub.serve_blocks):
        with pytest.raises(Undecipherable):
            call(body)


def test_the_key_is_read_at_every_request(hub: Hub, store: Store) -> None:
    pull(hub)
    store.settings.set_encryption_key(bytes(32))
    with pytest.raises(Undecipherable):
        pull(hub)


@given(st.sampled_from(["push", "pull", "serve_blocks"]), st.binary(max_size=60))
@example("push", b"")
@example("push", b"<!DOCTYPE html>")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_body_that_was_not_sealed_is_not_deciphered(hub: Hub, call: str, body: bytes) -> None:
    with pytest.raises(Undecipherable):
        getattr(hub, call)(body)


ENTRY = json.loads(messages.encode_push([delivery("a", b"1", 10)]))[0]

VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**32, 2**53 - 2**32, 2**53, 2**63, 2**64, 10**400, -1])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["AAAA", "\ud800", "\0"])
    | st.lists(st.integers(), max_size=2)
)


@given(st.sampled_from([*NAMES, "WriterCounter", "Mode", "Blocks", "Size"]), VALUES)
@example("UrlToken", "\ud800")
@example("Mode", -1)
@example("TimestampUnixMicro", 2**62 - 1)
@example("Counter", 2**61)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_push_with_any_field_spoilt_is_refused_or_merged(hub: Hub, store: Store, name: str, value: object) -> None:
    body = SEAL.seal(json.dumps([{**ENTRY, name: value}]).encode())
    with suppress(MessageError):
        hub.push(body)
    audit(store)


@given(st.sampled_from(["Counter", "ProcessID", "Version", "Wait", "MaxBytes"]), VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_pull_with_any_field_spoilt_is_refused_or_answered(hub: Hub, name: str, value: object) -> None:
    message = {"Counter": 0, "ProcessID": 1, "Version": 2, name: value}
    with suppress(MessageError):
        answer(hub, SEAL.seal(json.dumps(message).encode()))


def test_a_push_that_is_invalid_in_part_is_refused_as_a_whole(hub: Hub, store: Store) -> None:
    body = SEAL.seal(json.dumps([ENTRY, {**ENTRY, "Counter": "x"}]).encode())
    with pytest.raises(InvalidMessage):
        hub.push(body)
    assert list(store.keys()) == []


def test_a_push_that_cannot_be_stored_is_not_acknowledged_and_leaves_nothing(hub: Hub, store: Store) -> None:
    keys = [f"key {number:03d}" for number in range(AT_ONCE + 1)]  # of which the last one is installed apart
    body = SEAL.seal(messages.encode_push([delivery(key, b"1", 10 + at) for at, key in enumerate(keys)]))

    def fail(sql: str) -> None:
        if sql.startswith("INSERT OR REPLACE INTO entries") and rows(store, "SELECT 1 FROM entries"):
            raise sqlite_error(13)

    with failing(store._database, fail), pytest.raises(KvassError):
        hub.push(body)
    assert list(store.keys()) == []
    hub.push(body)
    assert list(store.keys()) == keys
