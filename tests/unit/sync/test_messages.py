"""kvassfs.sync.messages"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvassfs.block import BLOCK_SIZE, HASH_BYTES, LARGEST_SIZE, pair_runs
from kvassfs.entry import DEFAULT_MODE, MAX_NUMBER, MAX_RECEIVED, Delivery, Entry, is_target
from kvassfs.errors import InvalidMessage
from kvassfs.pairing import messages as pairing
from kvassfs.replica import Incarnation
from kvassfs.sync import block_messages, messages
from kvassfs.sync.entry_messages import encode_entry, estimate_size
from kvassfs.sync.limits import HUB_LIMITS
from kvassfs.sync.message_fields import encode_bytes
from tests.support import golden_data
from tests.support.golden_data import CAT, plaintext
from tests.support.original import OriginalEntry, OriginalHub, entries_of, text_of

EXECUTABLE = 0o100755

LINK = 0o120777

# What the original program has sent


def entry_of(delivery: Delivery) -> tuple[str, int, int, int | None]:
    """Return what tells most of an entry."""
    return (delivery.entry.key, delivery.entry.process_id, delivery.entry.counter, delivery.entry.mode)


@pytest.mark.parametrize(
    ("name", "key", "value", "process_id", "counter"),
    [
        ("00-push.request", "hello", b"world\n", 1001, 1),
        ("02-push.request", CAT, "喵 👋\n".encode(), 1001, 3),
        ("04-push.request", "hello", b"from b\n", 2002, 6),
        ("05-push.request", "binary", b"", 2002, 7),
        ("07-push.request", "empty", b"", 1001, 10),
    ],
)
def test_a_push_of_the_original_is_what_was_typed(
    name: str, key: str, value: bytes, process_id: int, counter: int
) -> None:
    (delivery,) = messages.decode_push(plaintext(name))
    assert entry_of(delivery) == (key, process_id, counter, None)
    assert delivery.value == value
    assert delivery.sequence == counter
    assert delivery.entry.size == len(value)
    assert delivery.entry.deleted == (value == b"")
    assert len(base64.urlsafe_b64decode(delivery.entry.url_token + "==")) == 16


def test_a_value_of_the_original_keeps_all_its_bytes() -> None:
    (delivery,) = messages.decode_push(plaintext("01-push.request"))
    assert entry_of(delivery) == ("binary", 1001, 2, None)
    assert delivery.entry.timestamp == 1795396752348229
    assert delivery.value is not None
    assert len(delivery.value) == 300
    assert delivery.value[:4] == bytes.fromhex("a10d42e5")


@pytest.mark.parametrize(("name", "writer"), [("03-pull.request", 2002), ("06-pull.request", 1001)])
def test_a_pull_of_the_original_names_no_version(name: str, writer: int) -> None:
    assert messages.decode_pull_request(plaintext(name)) == messages.PullRequest(0, writer, version=1)


def test_an_answer_of_the_original_numbers_entries_as_its_hub_merged_them() -> None:
    answer = messages.decode_pull_response(plaintext("03-pull.response"))
    assert [(delivery.entry.key, delivery.sequence) for delivery in answer.deliveries] == [
        ("hello", 2),
        ("binary", 3),
        (CAT, 4),
    ]
    assert (answer.digest, answer.cursor, answer.more) == (None, 4, False)
    later = messages.decode_pull_response(plaintext("06-pull.response"))
    assert [(delivery.entry.key, delivery.value, delivery.sequence) for delivery in later.deliveries] == [
        ("hello", b"from b\n", 7),
        ("binary", b"", 8),
    ]
    assert later.cursor == 8


@pytest.mark.parametrize("text", [b"null", b"[]"])
def test_an_answer_of_the_original_may_be_empty(text: bytes) -> None:
    assert messages.decode_pull_response(text) == messages.PullResponse([], 0)


@pytest.mark.parametrize("name", ["03-pull.response", "06-pull.response"])
def test_the_model_of_the_original_answers_as_it_did(name: str) -> None:
    hub = OriginalHub(9009, golden_data.KEY, golden_data.SEAL._random)
    for request in ("00-push", "01-push", "02-push", "03-pull", "04-push", "05-push", "06-pull", "07-push"):
        answer = hub.answer(request[3:], golden_data.body(f"{request}.request"))
        if name.startswith(request):
            assert golden_data.SEAL.unseal(answer) == plaintext(name)


@pytest.mark.parametrize("name", ["00-push", "01-push", "02-push", "04-push", "05-push", "07-push"])
def test_the_model_of_the_original_writes_a_push_as_it_did(name: str) -> None:
    text = plaintext(f"{name}.request")
    assert text_of(entries_of(text)) == text


# What is sent

KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
COUNTERS = st.integers(0, MAX_RECEIVED)
HASHES = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)


@st.composite
def deliveries(draw: st.DrawFn, *, large: bool = True) -> Delivery:
    blocks = draw(st.integers(0, 3)) if large else 0
    value = None if blocks else draw(st.binary(max_size=40))
    size = BLOCK_SIZE * blocks - draw(st.integers(0, 9)) if value is None else len(value)
    entry = Entry(
        draw(KEYS),
        draw(st.integers(0, MAX_RECEIVED)),
        draw(COUNTERS),
        draw(st.integers(1, 2**32 - 1)),
        draw(st.text(st.characters(exclude_categories=["Cs"]))),
        size,
        draw(st.none() | st.sampled_from([DEFAULT_MODE, EXECUTABLE, LINK])),
        draw(st.none() | st.integers(-(2**63) + 1, 2**63 - 1)),
    )
    if entry.mode == LINK and (value is None or not is_target(value)):
        entry = entry._replace(mode=DEFAULT_MODE)  # as it arrives
    hashes = b"".join(draw(st.lists(HASHES, min_size=blocks, max_size=blocks)))
    return Delivery(entry, draw(COUNTERS), value, hashes)


@given(st.lists(deliveries(), max_size=4))
def test_a_push_arrives_as_it_was_sent(sent: list[Delivery]) -> None:
    # On the way to the hub the number of an entry is its writer's counter.
    assert messages.decode_push(messages.encode_push(sent)) == [
        delivery._replace(sequence=delivery.entry.counter) for delivery in sent
    ]


@given(st.lists(deliveries(), max_size=4), st.booleans(), COUNTERS, st.lists(st.tuples(COUNTERS, COUNTERS)))
def test_an_answer_to_a_pull_arrives_as_it_was_sent(
    sent: list[Delivery], more: bool, clock: int, pairs: list[tuple[int, int]]
) -> None:
    incarnations = [Incarnation(*pair) for pair in pairs]
    answer = messages.PullResponse(sent, 7, "digest", more, clock, 9, -5, incarnations)
    assert messages.decode_pull_response(messages.encode_pull_response(answer)) == answer


@given(COUNTERS, st.binary(max_size=64), st.lists(st.tuples(COUNTERS, COUNTERS)))
def test_an_answer_to_a_push_arrives_as_it_was_sent(clock: int, missing: bytes, pairs: list[tuple[int, int]]) -> None:
    answer = messages.PushResponse("digest", clock, 9, -5, missing, [Incarnation(*pair) for pair in pairs])
    assert messages.decode_push_response(messages.encode_push_response(answer)) == answer


@given(st.lists(HASHES), st.lists(st.binary(min_size=1, max_size=9)))
def test_blocks_arrive_as_they_were_sent(get: list[bytes], put: list[bytes]) -> None:
    request = block_messages.BlocksRequest(get, put)
    assert block_messages.decode_blocks_request(b"".join(block_messages.encode_blocks_request(request))) == request


@given(st.lists(st.none() | st.binary(min_size=1, max_size=9)))
def test_an_answer_about_blocks_arrives_as_it_was_sent(found: list[bytes | None]) -> None:
    assert block_messages.decode_blocks_response(b"".join(block_messages.encode_blocks_response("digest", found))) == (
        "digest",
        found,
    )


@given(st.integers(0, MAX_NUMBER), st.integers(0, 2**32 - 1), st.floats(0, 100), st.integers(1, HUB_LIMITS.page_bytes))
def test_a_pull_arrives_as_it_was_sent(first: int, process_id: int, wait: float, size: int) -> None:
    request = messages.PullRequest(first, process_id, messages.VERSION, wait, size)
    assert messages.decode_pull_request(messages.encode_pull_request(request)) == request


def test_a_page_that_is_asked_for_is_bounded() -> None:
    assert (
        messages.decode_pull_request(
            messages.encode_pull_request(messages.PullRequest(0, 1, max_bytes=2**40))
        ).max_bytes
        == HUB_LIMITS.page_bytes
    )
    assert (
        messages.decode_pull_request(messages.encode_pull_request(messages.PullRequest(0, 1, max_bytes=-1))).max_bytes
        == 1
    )


@given(deliveries(large=False))
def test_the_original_reads_a_push_and_ignores_what_it_does_not_know(sent: Delivery) -> None:
    entry = sent.entry
    (read,) = entries_of(messages.encode_push([sent]))
    assert read == OriginalEntry(
        entry.key, sent.value or b"", entry.url_token, entry.timestamp, entry.process_id, entry.counter, needs_push=True
    )


@given(st.lists(st.tuples(deliveries(large=False), st.lists(st.binary(max_size=5))), max_size=3), st.booleans())
def test_an_array_in_pieces_holds_whole_values(sent: list[tuple[Delivery, list[bytes]]], pushed: bool) -> None:
    pieces = messages.encode_array(((delivery, iter(value)) for delivery, value in sent), pushed=pushed)
    assert [(entry.key, entry.value, entry.counter, entry.needs_push) for entry in entries_of(b"".join(pieces))] == [
        (delivery.entry.key, b"".join(value), delivery.entry.counter if pushed else delivery.sequence, True)
        for delivery, value in sent
    ]


# Runs of equal blocks

MANY = 2**44


def with_runs(counts: Sequence[int]) -> Delivery:
    """Return an entry whose blocks come so often, one after another."""
    hashes = Random(1).randbytes(HASH_BYTES * len(counts))
    return Delivery(Entry("a", 1, 2, 3, "token", sum(counts) * 256), 2, None, hashes, tuple(counts))


@pytest.mark.parametrize("counts", [(MANY,), (1, MANY, 1, 1), (1, 1, 5000), (5000, 1, 1, 5000, 5000)])
def test_a_hole_of_any_length_takes_little_room_and_arrives_as_it_was_sent(counts: tuple[int, ...]) -> None:
    sent = with_runs(counts)
    message = messages.encode_push([sent])
    assert messages.decode_push(message) == [sent]
    assert len(message) < estimate_size(sent) + 200 < 1000


@pytest.mark.parametrize("counts", [(2,), (1, 4095), (2048, 2048), (2, *[1] * 5000)])
def test_a_list_that_programs_of_before_know_is_written_as_they_know_it(counts: tuple[int, ...]) -> None:
    """Where it is not long, or no shorter with runs."""
    sent = with_runs(counts)
    (fields,) = json.loads(messages.encode_push([sent]))
    (read,) = messages.decode_push(messages.encode_push([sent]))
    assert isinstance(fields["Blocks"], str)
    assert read.blocks == b"".join(hash_ * times for hash_, times in pair_runs(sent.blocks, sent.counts))
    assert read.counts == ()
    assert abs(estimate_size(sent) - len(messages.encode_push([sent]))) < 200


HASH = "A" * 43 + "="


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [[]],
        [[HASH]],
        [[HASH, 0]],
        [[HASH, -1]],
        [[HASH, 1.0]],
        [[HASH, True]],
        [[HASH, "1"]],
        [[HASH, 2**63]],
        [[HASH, 1, 1]],
        [["AAAA", 1]],
        [["A" * 87 + "=", 2]],
        [[[HASH, 1], 1]],
        ["", HASH],
        [None],
        {HASH: 1},
    ],
    ids=repr,
)
def test_a_list_of_runs_that_is_none_is_refused(blocks: object) -> None:
    with pytest.raises(InvalidMessage):
        messages.decode_push(text([{**LARGE, "Blocks": blocks}]))


@pytest.mark.parametrize("size", [0, -1, LARGEST_SIZE + 1, 2**62, 1.0])
def test_a_size_that_no_value_can_have_is_refused(size: object) -> None:
    with pytest.raises(InvalidMessage):
        messages.decode_push(text([{**LARGE, "Size": size}]))


@pytest.mark.parametrize("pushed", [False, True])
def test_an_array_from_this_program_answers_no_pull_of_it(pushed: bool) -> None:
    delivery = Delivery(Entry("a", 1, 3, 7, "token", 1), 42, b"x")
    array = b"".join(messages.encode_array([(delivery, [b"x"])], pushed=pushed))
    for message in (array, messages.encode_push([delivery])):
        with pytest.raises(InvalidMessage, match="no answer to this program"):
            messages.decode_pull_response(message)


def test_the_writers_counter_travels_where_another_one_takes_its_place() -> None:
    delivery = Delivery(Entry("a", 1, 3, 7, "token", 1), 42, b"x")
    (fields,) = json.loads(messages.encode_pull_response(messages.PullResponse([delivery], 42, "")))["Entries"]
    assert (fields["Counter"], fields["WriterCounter"]) == (42, 3)
    (fields,) = json.loads(messages.encode_push([delivery]))
    assert fields["Counter"] == 3
    assert "WriterCounter" not in fields


# One kind for another

_SENT = Delivery(Entry("a", 1, 3, 7, "token", 1), 42, b"x")

KINDS: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "push": (messages.encode_push([_SENT]), messages.decode_push),
    "push answer": (
        messages.encode_push_response(messages.PushResponse("digest", 1, 2, 3)),
        messages.decode_push_response,
    ),
    "pull": (messages.encode_pull_request(messages.PullRequest(1, 2, 2)), messages.decode_pull_request),
    "pull answer": (
        messages.encode_pull_response(messages.PullResponse([_SENT], 42, "digest")),
        messages.decode_pull_response,
    ),
    "blocks": (
        b"".join(block_messages.encode_blocks_request(block_messages.BlocksRequest([bytes(32)], []))),
        block_messages.decode_blocks_request,
    ),
    "blocks answer": (
        b"".join(block_messages.encode_blocks_response("digest", [None])),
        block_messages.decode_blocks_response,
    ),
    "pair": (pairing.encode_pair_request(pairing.PairRequest("A" * 22)), pairing.decode_pair_request),
    "pair answer": (pairing.encode_pair_response(pairing.PairResponse("digest", 1)), pairing.decode_pair_response),
}
"""A message of each kind, and what takes it."""


def without_type(message: bytes) -> bytes:
    """Return a message as a program sends it that names no kinds."""
    header, newline, rest = message.partition(b"\n")
    found = json.loads(header)
    for fields in found if isinstance(found, list) else [found]:
        del fields["Type"]
    return json.dumps(found).encode() + newline + rest


@pytest.mark.parametrize("as_kind", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_taken_as_none_of_another_kind(kind: str, as_kind: str) -> None:
    message, decode = KINDS[kind][0], KINDS[as_kind][1]
    if kind == as_kind:
        decode(message)
        return
    with pytest.raises(InvalidMessage):
        decode(message)


@pytest.mark.parametrize("as_kind", [kind for kind in KINDS if not kind.startswith("pair")])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("pair")])
def test_nor_is_one_of_a_program_that_names_no_kinds(kind: str, as_kind: str) -> None:
    """But for an array, which may be of the original program: an echo shows what it is worth."""
    message, decode = without_type(KINDS[kind][0]), KINDS[as_kind][1]
    if kind == as_kind or (kind, as_kind) == ("push", "pull answer"):
        decode(message)
        return
    with pytest.raises(InvalidMessage):
        decode(message)


def test_a_later_program_may_send_more_fields() -> None:
    for message, decode in KINDS.values():
        header, newline, rest = message.partition(b"\n")
        found = json.loads(header)
        for fields in found if isinstance(found, list) else [found]:
            fields["Further"] = 1
        decode(json.dumps(found).encode() + newline + rest)


# What is refused

PARSERS: list[Callable[[bytes], Any]] = [
    messages.decode_push,
    messages.decode_push_response,
    messages.decode_pull_request,
    messages.decode_pull_response,
    block_messages.decode_blocks_request,
    block_messages.decode_blocks_response,
]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, -(2**53), 2**63, 2**64, 10**400])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["AAAA", "AAA", "\ud800", "\0", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)

FIELDS = st.sampled_from(
    [
        "Key",
        "Value",
        "UrlToken",
        "TimestampUnixMicro",
        "ProcessID",
        "Counter",
        "WriterCounter",
        "Mode",
        "Size",
        "Blocks",
        "NeedsToBePushed",
        "Entries",
        "More",
        "Clock",
        "Time",
        "Request",
        "Incarnations",
        "Missing",
        "Version",
        "Wait",
        "MaxBytes",
        "Get",
        "Put",
        "Sizes",
    ]
)


def text(message: object) -> bytes:
    """Return the JSON of a message, be it fit to be sent or not."""
    try:
        return json.dumps(message).encode("utf-8", "surrogatepass")
    except ValueError:
        return b"1e99999"


def refuses_or_reads(parse: Callable[[bytes], Any], message: bytes) -> None:
    with suppress(InvalidMessage):
        parse(message)


@given(
    st.sampled_from(PARSERS),
    st.binary(max_size=50) | st.tuples(st.binary(max_size=9), JSON).map(lambda p: p[0] + text(p[1])),
)
@example(messages.decode_push, b"[" * 100_000)
@example(messages.decode_push, b'"\xff"')
@example(messages.decode_push, b"1" + b"0" * 5000)
@example(block_messages.decode_blocks_request, b'{"Put":[1]}\n')
@example(block_messages.decode_blocks_request, b'{"Put":[5,-1]}\nabcde')
@example(messages.decode_pull_request, b'{"Counter":0,"ProcessID":1,"Wait":NaN}')
@example(messages.decode_pull_request, b'{"Counter":0,"ProcessID":1,"Wait":Infinity}')
def test_no_message_fails_otherwise_than_as_an_invalid_one(parse: Callable[[bytes], Any], message: bytes) -> None:
    refuses_or_reads(parse, message)


ENTRY = json.loads(messages.encode_push([Delivery(Entry("a", 1, 2, 3, "token", 1, EXECUTABLE), 2, b"x")]))[0]
LARGE = json.loads(
    messages.encode_push([Delivery(Entry("a", 1, 2, 3, "token", 300_000), 2, None, bytes(2 * HASH_BYTES))])
)[0]


@given(st.sampled_from([ENTRY, LARGE]), FIELDS, JSON, st.booleans())
@example(ENTRY, "Mode", -1, False)
@example(ENTRY, "Mode", 2**70, False)
@example(ENTRY, "UrlToken", "\ud800", False)
@example(ENTRY, "Key", "\ud800", False)
def test_an_entry_with_any_field_spoilt_is_refused_read_or_left_out(
    fields: dict[str, Any], name: str, value: object, absent: bool
) -> None:
    spoilt = {other: old for other, old in fields.items() if other != name} if absent else {**fields, name: value}
    refuses_or_reads(messages.decode_push, text([spoilt]))
    refuses_or_reads(messages.decode_pull_response, text({"Counter": 1, "Request": "", "Entries": [spoilt]}))


@given(st.sampled_from(PARSERS), FIELDS, JSON)
@example(messages.decode_pull_request, "Wait", 10**400)
@example(messages.decode_push_response, "Incarnations", [[1]])
@example(messages.decode_push_response, "Incarnations", [[1, "2"]])
@example(messages.decode_push_response, "Incarnations", 5)
def test_any_other_message_with_any_field_spoilt_is_refused_or_read(
    parse: Callable[[bytes], Any], name: str, value: object
) -> None:
    message = {"Counter": 1, "ProcessID": 2, "Request": "", "Get": "", "Put": [], "Sizes": [], name: value}
    header = b"\n" if parse in {block_messages.decode_blocks_request, block_messages.decode_blocks_response} else b""
    refuses_or_reads(parse, text(message) + header)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"Key": 5},
        {"UrlToken": None},
        {"UrlToken": "\ud800"},
        {"Value": "AAA"},
        {"Value": "é"},
        {"TimestampUnixMicro": 1.5},
        {"TimestampUnixMicro": MAX_RECEIVED + 1},
        {"TimestampUnixMicro": -1},
        {"Counter": MAX_RECEIVED + 1},
        {"ProcessID": 0},
        {"ProcessID": -1},
        {"ProcessID": 2**32},
        {"ProcessID": True},
        {"Counter": -1},
        {"Counter": "1"},
        {"WriterCounter": MAX_RECEIVED + 1},
        {"ModTime": 5},
        {"ModTime": "5.0"},
        {"ModTime": " 5"},
        {"ModTime": "٥"},
        {"ModTime": str(2**63)},
        {"Seen": [[0, 5]]},
        {"Of": [7, MAX_RECEIVED + 1]},
        {"Mode": "0644"},
        {"Mode": -1},
        {"Blocks": "AAAA", "Size": 3},
        {"Blocks": base64.b64encode(bytes(32)).decode(), "Size": "3"},
        {"Blocks": base64.b64encode(bytes(32)).decode(), "Size": 0},
        {"Blocks": "", "Size": 3},
        {"Blocks": 7, "Size": 3},
    ],
    ids=str,
)
def test_an_entry_that_makes_no_sense_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage):
        messages.decode_push(text([{**ENTRY, **spoilt}]))


@pytest.mark.parametrize("name", ["Key", "Value", "UrlToken", "TimestampUnixMicro", "ProcessID", "Counter"])
def test_an_entry_that_lacks_a_field_is_refused(name: str) -> None:
    with pytest.raises(InvalidMessage):
        messages.decode_push(text([{other: value for other, value in ENTRY.items() if other != name}]))


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800"])
def test_an_entry_with_a_key_that_no_replica_can_hold_is_left_out(key: str) -> None:
    assert [delivery.entry.key for delivery in messages.decode_push(text([{**ENTRY, "Key": key}, ENTRY]))] == ["a"]


@pytest.mark.parametrize(
    ("key", "value", "mode", "kept"),
    [
        ("a", "eA==", 0o100755, 0o100755),
        ("a", "eA==", 0o120777, 0o120777),
        ("a", "eA==", 0o120000, 0o120000),
        ("a", "eA==", 0o127777, 0o121777),
        ("a", encode_bytes(b"x" * 4095), 0o120777, 0o120777),
        ("a", encode_bytes(b"x" * 4096), 0o120777, DEFAULT_MODE),
        ("a", encode_bytes(b"x\0y"), 0o120777, DEFAULT_MODE),
        ("a", encode_bytes(b"\xff"), 0o120777, DEFAULT_MODE),
        ("a", "", 0o120777, DEFAULT_MODE),
        ("a/", "", 0o120777, DEFAULT_MODE),
        ("a", "eA==", 0o107755, 0o101755),
        ("a", "eA==", 0o106755, 0o100755),
        ("a", "eA==", 0o040755, DEFAULT_MODE),
        ("a", "", 0o040755, DEFAULT_MODE),
        ("a/", "eA==", 0o040755, DEFAULT_MODE),
        ("a/", "", 0o040755, 0o040755),
        ("a/", "", 0o020666, DEFAULT_MODE),
        ("\x01link/x/-/often/a/", "", 0o040755, None),
        ("\x01link/x/-/often/a", "", 0o100644, None),
    ],
)
def test_an_entry_is_a_file_a_symbolic_link_or_a_directory(key: str, value: str, mode: int, kept: int | None) -> None:
    (delivery,) = messages.decode_push(text([{**ENTRY, "Key": key, "Value": value, "Mode": mode}]))
    assert delivery.entry.mode == kept
    assert delivery.value == base64.b64decode(value)
    ((again, *_),) = messages.decode_push(messages.encode_push([delivery]))
    assert again.mode == kept


def test_a_large_value_is_the_target_of_no_symbolic_link() -> None:
    blocks = {"Size": 5_000_000, "Blocks": encode_bytes(bytes(32)), "Mode": 0o120777}
    (delivery,) = messages.decode_push(text([{**ENTRY, **blocks}]))
    assert (delivery.entry.mode, delivery.entry.size) == (DEFAULT_MODE, 5_000_000)


@pytest.mark.parametrize("bits", [0o4000, 0o2000, 0o6000])
def test_set_user_and_group_id_do_not_travel(bits: int) -> None:
    """Neither out of here nor in from a device that sends them, in the form for either program."""
    (delivery,) = messages.decode_push(text([{**ENTRY, "Mode": 0o100755}]))
    away = delivery._replace(entry=delivery.entry._replace(mode=0o100755 | bits))
    assert encode_entry(away, 1)["Mode"] == 0o100755
    pieces = messages.encode_array([(away, [b"x"])], pushed=True)
    assert json.loads(b"".join(pieces))[0]["Mode"] == 0o100755


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (messages.decode_push, b""),
        (messages.decode_push, b"{}"),
        (messages.decode_push, b"[5]"),
        (messages.decode_push, b"[[]]"),
        (messages.decode_push_response, b"[]"),
        (messages.decode_push_response, b"{}"),
        (messages.decode_push_response, b'{"Counter":1,"Missing":5}'),
        (messages.decode_push_response, b'{"Counter":1,"Missing":"x"}'),
        (messages.decode_push_response, b'{"Counter":1,"Incarnations":{"a":1}}'),
        (messages.decode_push_response, b'{"Counter":1,"Incarnations":[[1,-2]]}'),
        (messages.decode_pull_request, b"[]"),
        (messages.decode_pull_request, b'{"Counter":1}'),
        (messages.decode_pull_request, b'{"Counter":1,"ProcessID":true}'),
        (messages.decode_pull_request, b'{"Counter":1,"ProcessID":2,"Wait":-1}'),
        (messages.decode_pull_request, b'{"Counter":1,"ProcessID":2,"Wait":"1"}'),
        (messages.decode_pull_request, b'{"Counter":1,"ProcessID":2,"Wait":NaN}'),
        (messages.decode_pull_request, b'{"Counter":1,"ProcessID":2,"Wait":1e400}'),
        (messages.decode_pull_response, b"5"),
        (messages.decode_pull_response, b'{"Entries":[]}'),
        (messages.decode_pull_response, b'{"Counter":1,"Entries":5}'),
        (block_messages.decode_blocks_request, b"{}"),
        (block_messages.decode_blocks_request, b"[]\n"),
        (block_messages.decode_blocks_request, b'{"Get":"AAAA"}\n'),
        (block_messages.decode_blocks_request, b'{"Get":5}\n'),
        (block_messages.decode_blocks_request, b'{"Put":5}\n'),
        (block_messages.decode_blocks_request, b'{"Put":[2]}\na'),
        (block_messages.decode_blocks_request, b'{"Put":[-2]}\n'),
        (block_messages.decode_blocks_request, b'{"Put":[true]}\na'),
        (block_messages.decode_blocks_response, b'{"Sizes":[1]}\nab'),
    ],
)
def test_a_message_of_another_form_is_refused(parse: Callable[[bytes], Any], message: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse(message)


def test_set_user_id_and_set_group_id_bits_stay_where_they_are() -> None:
    entry = Entry("a", 1, 1, 1, "token", 1, 0o106755)
    (arrived,) = messages.decode_push(text([encode_entry(Delivery(entry, 1, b"x"), 1)]))
    assert arrived.entry == entry._replace(mode=0o100755)


def test_what_cannot_be_read_of_a_response_is_left_out_where_that_is_asked_for() -> None:
    good = messages.encode_pull_response(messages.PullResponse([_SENT], 42, "digest"))
    message = json.loads(good)
    (fields,) = message["Entries"]
    wrong = [5, {}, fields | {"Key": "a\0b"}, fields | {"Key": "far", "TimestampUnixMicro": 2**60}]
    text = json.dumps(message | {"Entries": [*wrong, fields]}).encode()
    response = messages.decode_pull_response(text, leave_out=True)
    assert response.deliveries == messages.decode_pull_response(good).deliveries
    assert list(response.unreadable) == ["(no key)", "(no key)", "a\0b", "far"]
    with pytest.raises(InvalidMessage):
        messages.decode_pull_response(text)
