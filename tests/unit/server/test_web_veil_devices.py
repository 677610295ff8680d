"""kvassfs/server/web/veil, as devices use it: it seals to the byte what kvassfs/veil does, and opens and refuses the same."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kvassfs.block import pair_runs, split_hashes
from kvassfs.entry import MAX_NUMBER, MAX_RECEIVED, Delivery, Entry
from kvassfs.entry_fields import OWN_BITS
from kvassfs.server.web_files import join_modules, read_part
from kvassfs.share_link import ShareLink
from kvassfs.veil.deliveries import (
    Opened,
    Source,
    find_missing_wraps,
    find_sources,
    make_blocks,
    open_delivery,
    open_source,
    seal_delivery,
)
from kvassfs.veil.errors import VeilError
from kvassfs.veil.head import seal_head
from kvassfs.veil.keys import Outside, derive_version_key, encode_url, hide_key, prove
from kvassfs.veil.layout import pad_body
from kvassfs.veil.links import is_proven, make_link
from tests.support import sealed_vectors
from tests.support.sealed_vectors import BIG, CASES, KEYS, LINKS, Part, Store, make_delivery, stream
from tests.support.searches import examples
from tests.support.spoiled_values import COUNTERS_TRIED, make_attributes, spoil
from tests.support.web_calls import Json, call_module, pack, pack_delivery, pack_entry

MODULE = Path(__file__).parent / "web/veil.mjs"

VECTORS: dict[str, Any] = json.loads(sealed_vectors.FILE.read_text(encoding="utf-8"))

NUMBERS = range(len(CASES))


def call_all(folder: Path, calls: list[Json]) -> list[Json]:
    """Return what the functions of the page return, or their errors."""
    return call_module(MODULE, folder, calls)


def call_for(folder: Path, calls: list[Json]) -> list[Json]:
    """Return what the functions of the page return, none of which fails."""
    results = call_all(folder, calls)
    assert [each for each in results if "error" in each] == []
    return [each.get("result") for each in results]


def pack_link(link: ShareLink) -> Json:
    return link._asdict()


class Case:
    """A version with the blocks that it has here and at the hub, as ``kvassfs.veil`` makes them."""

    def __init__(self, entry: Entry, parts: list[Part], links: list[ShareLink]) -> None:
        self.store, self.links = Store(parts), links
        self.plain = make_delivery(entry, parts, self.store)
        sealed = seal_delivery(KEYS, self.plain, links, self.store)
        assert sealed is not None
        self.sealed = sealed
        made = [] if sealed.value is not None else self.make(split_hashes(sealed.blocks))
        self.made = {hashlib.sha256(block).digest(): block for block in made}

    def make(self, wanted: Iterable[bytes]) -> list[bytes]:
        return list(make_blocks(KEYS, self.plain, self.links, self.store, set(wanted)))

    @property
    def hashes(self) -> list[str]:
        """The hashes of what it has in blocks at the hub, in their order, each once."""
        return [hash_.hex() for hash_ in self.made]

    def arguments(self) -> list[Json]:
        return [pack_delivery(self.plain), [*map(pack_link, self.links)]]

    def fetch(self, hash_: bytes) -> bytes:
        return self.made.get(hash_, b"")


def keep_blocks(cases: Iterable[Case]) -> Json:
    """Return the call that gives the page the blocks of the store."""
    blocks = {hash_: case.store.read(hash_) for case in cases for hash_ in split_hashes(case.store.hashes)}
    return ["keepPlain", [*map(pack, blocks.values())]]


def seal_and_open(folder: Path, cases: list[Case]) -> None:
    """Seal on the page, compare with what was sealed here, and open that again."""
    calls = [keep_blocks(cases)]
    for case in cases:
        calls += [
            ["seal", *case.arguments()],
            ["make", *case.arguments(), case.hashes],
            ["open", pack_delivery(case.sealed)],
        ]
    found = call_for(folder, calls)[1:]
    for number, case in enumerate(cases):
        sealed, made, opened = found[3 * number : 3 * number + 3]
        assert sealed == pack_delivery(case.sealed)
        assert made == case.hashes
        assert opened == pack_delivery(open_delivery(KEYS, case.sealed, case.fetch))
        mode = case.plain.entry.mode
        sent = case.plain.entry._replace(mode=None if mode is None else mode & ~OWN_BITS)
        assert opened["entry"] == pack_entry(sent)


# The vectors


def make_case(number: int) -> Case:
    _, entry, parts, links = CASES[number]
    return Case(entry, parts, links)


def test_every_vector_is_sealed_to_the_byte_and_opened(tmp_path: Path) -> None:
    seal_and_open(tmp_path, [make_case(number) for number in NUMBERS])


def test_what_is_sealed_is_what_the_vectors_say(tmp_path: Path) -> None:
    cases = [make_case(number) for number in NUMBERS]
    calls = [keep_blocks(cases)]
    for case in cases:
        calls += [["seal", *case.arguments()], ["addresses", *case.arguments()]]
    found = call_for(tmp_path, calls)[1:]
    keys = {link["token"]: link["link key"] for link in VECTORS["links"]}
    for number, vector in enumerate(VECTORS["values"]):
        sealed, addresses = found[2 * number : 2 * number + 2]
        entry = sealed["entry"]
        assert (entry["key"], entry["urlToken"], entry["size"]) == (
            vector["name"],
            vector["outer token"],
            vector["sealed size"],
        )
        assert sealed["value"] == vector.get("sealed")
        if "blocks" in vector:
            blocks = pair_runs(base64.b64decode(sealed["blocks"]), sealed["counts"])
            assert [[pack(hash_), times] for hash_, times in blocks] == vector["blocks"]
        links = [f"{token}.{keys[token]}" for token in vector["links"]]
        assert addresses == [f"{vector['outer token']}.{vector['version key']}", *links]


def test_names_and_links_are_those_of_the_vectors(tmp_path: Path) -> None:
    names = call_for(tmp_path, [["hideKey", key] for key, _ in VECTORS["names"]])
    assert names == [name for _, name in VECTORS["names"]]
    terms = [{"expires": link["expires"], "once": link["once"]} for link in VECTORS["links"]]
    name = hide_key(KEYS, "shared/note.txt")
    made = call_for(
        tmp_path,
        [["makeLink", name, each, pack(stream(seed, 16))] for seed, each in zip((201, 202), terms, strict=True)],
    )
    assert made == [*map(pack_link, LINKS)]
    assert [each["token"] for each in made] == [link["token"] for link in VECTORS["links"]]


def test_nobody_can_read_out_the_keys_that_the_browser_keeps(tmp_path: Path) -> None:
    (found,) = call_for(tmp_path, [["inspect"]])
    assert found == {"canBeRead": [], "names": [hide_key(KEYS, "a")] * 2}


# Versions of all sizes


SMALL_SIZES = [0, 1, 100, 150, 155, 156, 157, 158, 200, 1000, 65_535, 65_536]

LARGE_SIZES = [65_537, 65_600, BIG - 1, BIG, BIG + 1, 2 * BIG, 3 * BIG + 1000, 16 * BIG, 17 * BIG - 5]

KEYS_TRIED = ["a", "a/b", "a/b/", "猫咪 key", "\ufeffx", "\x01y", "x" * 100, "y" * 3000, "\x01link/x"]

ORIGINS = ["1:0", f"{2**32 - 1}:{MAX_RECEIVED}", "7:12"]


def make_entry(random: Random, size: int) -> Entry:
    """Return an entry with all that one can have."""
    return Entry(
        random.choice(KEYS_TRIED),
        random.choice([0, 5, MAX_RECEIVED]),
        random.choice([0, 7, MAX_RECEIVED]),
        random.choice([1, 2**32 - 1]),
        random.choice(["", "y4zshQDtyPjx_s7fxDADng", "喵"]),
        size,
        random.choice([None, 0o100644, 0o106755]),
        random.choice([None, 0, -1, 2**63 - 1, -(2**63)]),
        random.choice([None, "", "7:12", " ".join(random.choices(ORIGINS, k=8))]),
        random.choice([None, *ORIGINS]),
    )


def make_links(random: Random, key: str) -> list[ShareLink]:
    count = random.choice([0, 0, 0, 1, 3, 16, 20])
    return [
        make_link(
            KEYS,
            hide_key(KEYS, key),
            expires=random.choice([0, 1795396752478943]),
            once=random.random() < 0.5,
            random=random.randbytes,
        )
        for _ in range(count)
    ]


def make_parts(random: Random, size: int) -> list[Part]:
    """Return a value of blocks of which some are equal, also one after another."""
    blocks, last = divmod(size, BIG)
    if blocks == 0:
        return [{"stream": random.randrange(256), "size": size}]
    kinds: list[Part] = [{"stream": 3, "size": BIG}, {"stream": 4, "size": BIG}, {"zeros": BIG}]
    parts = [random.choice(kinds) for _ in range(blocks)]
    return [*parts, {"stream": 5, "size": last}] if last else parts


def make_random_case(random: Random, size: int) -> Case:
    entry = make_entry(random, size)
    parts = make_parts(random, size)
    return Case(entry, parts, make_links(random, entry.key))


def test_versions_of_short_values_are_sealed_and_opened(tmp_path: Path) -> None:
    random = Random(1)
    sizes = [random.choice(SMALL_SIZES[:-3]) for _ in range(examples(400, long=5000))] + SMALL_SIZES
    seal_and_open(tmp_path, [make_random_case(random, size) for size in sizes])


def test_versions_of_large_values_are_sealed_and_opened(tmp_path: Path) -> None:
    random = Random(2)
    for _ in range(examples(1, long=20)):
        seal_and_open(tmp_path, [make_random_case(random, size) for size in LARGE_SIZES])


HOLES: list[list[Part]] = [
    [{"stream": 3, "size": BIG}, {"stream": 4, "size": BIG}] * 550,
    [{"stream": 3, "size": BIG}, {"zeros": 1099 * BIG}, {"stream": 5, "size": 7}],
    [{"zeros": 4096 * BIG}],
    [{"zeros": 4097 * BIG}],
    [{"zeros": 3 * BIG}, {"stream": 3, "size": BIG}, {"zeros": 9000 * BIG}, {"stream": 5, "size": 100}],
]


@pytest.mark.parametrize("parts", HOLES, ids=["1,100 blocks", "a hole", "a list", "a list and a block", "lists"])
def test_versions_of_many_blocks_are_sealed_and_opened(tmp_path: Path, parts: list[Part]) -> None:
    entry = make_entry(Random(3), sealed_vectors.find_size(parts))
    seal_and_open(tmp_path, [Case(entry, parts, [])])


def test_a_large_value_that_comes_whole_is_sealed_and_opened_alike(tmp_path: Path) -> None:
    random = Random(4)
    calls, expected = [], []
    for size in LARGE_SIZES[:7]:
        value = random.randbytes(size)
        delivery = Delivery(make_entry(random, size), 3, value)
        sealed = seal_delivery(KEYS, delivery)
        assert sealed is not None
        calls += [["seal", pack_delivery(delivery), []], ["open", pack_delivery(sealed)]]
        expected += [pack_delivery(sealed), pack_delivery(open_delivery(KEYS, sealed, lambda _: b""))]
    assert call_for(tmp_path, calls) == expected


WITH_HOLE: list[Part] = [
    {"stream": 3, "size": BIG},
    {"zeros": 5000 * BIG},
    {"stream": 4, "size": BIG},
    {"stream": 5, "size": 9},
]
"""A value of which most blocks, and one of its lists, are equal."""


def describe_source(source: Source) -> Json:
    return [source.hash.hex(), source.size, source.sealed.hex(), source.padded, source.hash.hex()]


def test_the_blocks_of_a_value_are_found_at_the_hub_and_opened(tmp_path: Path) -> None:
    random = Random(5)
    cases = [make_random_case(random, size) for size in LARGE_SIZES]
    cases.append(Case(make_entry(random, sealed_vectors.find_size(WITH_HOLE)), WITH_HOLE, []))
    calls = [["keepAtHub", [pack(block) for case in cases for block in case.made.values()]]]
    expected = []
    for case in cases:
        hashes = split_hashes(case.plain.blocks)
        wanted = {hash_ for hash_ in hashes if random.random() < 0.7}
        calls.append(["openSources", pack_delivery(case.sealed), [hash_.hex() for hash_ in wanted]])
        expected.append([*map(describe_source, find_sources(Opened(case.sealed, case.plain), wanted))])
    assert call_for(tmp_path, calls)[1:] == expected


def test_of_blocks_those_alone_are_made_that_are_wanted(tmp_path: Path) -> None:
    random = Random(6)
    cases = [make_random_case(random, size) for size in LARGE_SIZES[-4:]]
    calls, expected = [keep_blocks(cases)], []
    for case in cases:
        wanted = [hash_ for hash_ in case.made if random.random() < 0.5]
        calls.append(["make", *case.arguments(), [hash_.hex() for hash_ in wanted]])
        expected.append([hashlib.sha256(block).hexdigest() for block in case.make(wanted)])
    found = call_for(tmp_path, calls)[1:]
    assert found == expected
    assert any(0 < len(made) < len(case.made) for made, case in zip(found, cases, strict=True))


def test_links_whose_wraps_are_missing_are_found(tmp_path: Path) -> None:
    random = Random(7)
    links = [make_link(KEYS, hide_key(KEYS, "a"), expires=0, once=False, random=random.randbytes) for _ in range(20)]
    entry, calls, expected = make_entry(random, 5)._replace(key="a"), [], []
    for wrapped in (links[:0], links[:3], links, links[::2]):
        sealed = seal_delivery(KEYS, Delivery(entry, 0, b"value"), wrapped)
        assert sealed is not None
        for live in (links[:0], links[:5], links):
            calls.append(["findMissingWraps", pack_delivery(sealed), [*map(pack_link, live)]])
            missing = find_missing_wraps(KEYS, sealed, live, lambda _: b"")
            expected.append([link.token for link in missing])
    assert call_for(tmp_path, calls) == expected
    assert {len(each) for each in expected} >= {0, 2, 5, 16}


# What is spoiled


def describe_opened(delivery: Delivery, fetch: Any) -> Json:
    """Return what ``kvassfs.veil`` says of an entry of the hub, as the page says it."""
    try:
        return {"result": pack_delivery(open_delivery(KEYS, delivery, fetch))}
    except VeilError as error:
        return {"error": type(error).__name__}


def assert_same(found: list[Json], expected: list[Json], deliveries: list[Delivery]) -> None:
    for one, other, delivery in zip(found, expected, deliveries, strict=True):
        one.pop("message", None)
        assert one == other, delivery


def change_outside(random: Random, delivery: Delivery) -> Delivery:
    """Return an entry of the hub of which something that stands outside of its value is changed."""
    other: dict[str, list[Any]] = {
        "key": ["a", "", hide_key(KEYS, "other"), f"~{'é' * 43}", f"~{'x' * 42}\n", "\x01x", "\x01echo/7/h"],
        "url_token": ["", "A" * 22, "é" * 22, "A" * 43],
        "timestamp": [0, MAX_RECEIVED, MAX_RECEIVED + 1, -1],
        "process_id": [0, 1, 2**32, 2**32 - 1],
        "counter": [0, 5, MAX_NUMBER],
        "mode": [0o100644],
        "mod_time": [0],
        "seen": [""],
        "origin": ["7:1"],
    }
    name = random.choice(list(other))
    return delivery._replace(entry=delivery.entry._replace(**{name: random.choice(other[name])}))


def test_what_is_spoiled_is_refused_alike(tmp_path: Path) -> None:
    random = Random(8)
    cases = [make_random_case(random, random.choice([0, 5, 100, 150, 3000])) for _ in range(40)]
    cases += [make_random_case(random, size) for size in (65_536,)]
    deliveries = []
    for _ in range(examples(1500, long=20_000)):
        sealed = random.choice(cases).sealed
        if random.random() < 0.4:
            deliveries.append(change_outside(random, sealed))
            continue
        assert sealed.value is not None
        value = spoil(random, sealed.value)
        deliveries.append(sealed._replace(value=value, entry=sealed.entry._replace(size=len(value))))
    found = call_all(tmp_path, [["open", pack_delivery(each)] for each in deliveries])
    assert_same(found, [describe_opened(each, lambda _: b"") for each in deliveries], deliveries)
    errors = {each.get("error") for each in found}
    assert errors == {None, "NotSealed", "Forged", "Spoiled", "NewerForm"}


def change_blocks(random: Random, case: Case, delivery: Delivery, at_hub: dict[bytes, bytes]) -> Delivery:
    """Return an entry of the hub of whose blocks some are other ones, or missing."""
    hashes = split_hashes(delivery.blocks)
    kind, at = random.randrange(5), random.randrange(len(hashes))
    if kind == 0:
        hashes[at] = random.choice([*case.made, bytes(32)])
    elif kind == 1:
        del hashes[at]
    elif kind == 2:
        return delivery._replace(entry=delivery.entry._replace(size=delivery.entry.size + random.choice([-1, 1, BIG])))
    elif kind == 3 and delivery.counts:
        counts = list(delivery.counts)
        counts[at] += random.choice([-1, 1])
        return delivery._replace(counts=tuple(max(each, 1) for each in counts))
    else:
        block = spoil(random, case.made[hashes[at]])[:BIG]
        hashes[at] = hashlib.sha256(block).digest()
        at_hub[hashes[at]] = block
    return delivery._replace(blocks=b"".join(hashes), counts=delivery.counts[: len(hashes)])


def test_of_spoiled_blocks_it_says_the_same(tmp_path: Path) -> None:
    random = Random(9)
    cases = [make_random_case(random, size) for size in (65_537, BIG, BIG + 1, 3 * BIG + 1000)]
    cases.append(Case(make_entry(random, sealed_vectors.find_size(WITH_HOLE)), WITH_HOLE, []))
    at_hub = {hash_: block for case in cases for hash_, block in case.made.items()}
    deliveries = []
    for _ in range(examples(150, long=1500)):
        case = random.choice(cases)
        deliveries.append(change_blocks(random, case, case.sealed, at_hub))
    calls = [["keepAtHub", [*map(pack, at_hub.values())]], *(["open", pack_delivery(each)] for each in deliveries)]
    found = call_all(tmp_path, calls)[1:]
    assert_same(found, [describe_opened(each, lambda hash_: at_hub.get(hash_, b"")) for each in deliveries], deliveries)
    assert {each.get("error") for each in found} >= {None, "Spoiled", "PartMissing", "Forged"}


def test_a_block_that_is_another_one_is_refused(tmp_path: Path) -> None:
    case = make_random_case(Random(10), BIG + 1000)
    calls, expected = [], []
    for source in find_sources(Opened(case.sealed, case.plain), set(split_hashes(case.plain.blocks))):
        block = case.fetch(source.sealed)
        for tried in (block, b"", block[:-1], block[1:], bytes(BIG), block[: source.padded - 1] + b"\xff"):
            fields = [pack(source.hash), source.size, pack(source.sealed), source.padded]
            calls.append(["openSource", fields, pack(tried)])
            try:
                expected.append({"result": pack(open_source(KEYS, source, tried))})
            except VeilError as error:
                expected.append({"error": type(error).__name__})
    found = call_all(tmp_path, calls)
    for one, other in zip(found, expected, strict=True):
        one.pop("message", None)
        assert one == other
    assert {each.get("error") for each in found} == {None, "Spoiled", "PartMissing"}


def seal_as_device(attributes: bytes, content: bytes, counter: int, outside: Outside) -> Delivery:
    """Return an entry whose device made its head as no program does."""
    body = len(attributes).to_bytes(4) + attributes + content
    body += bytes(pad_body(len(body)) - len(body))
    prefix, nonce = bytes((1,)) + counter.to_bytes(8), bytes(12)
    box = AESGCM(derive_version_key(KEYS, outside.token)).encrypt(nonce, body, prefix)
    head = prefix + nonce + len(box).to_bytes(4) + box + bytes(1)
    head += prove(KEYS, b"head", outside.join(), head)
    value = head + len(head).to_bytes(4)
    entry = Entry(outside.name, outside.timestamp, 3, outside.process_id, outside.token, len(value))
    return Delivery(entry, 4, value)


def test_of_heads_that_a_device_has_made_wrong_it_says_the_same(tmp_path: Path) -> None:
    random = Random(11)
    names = [hide_key(KEYS, key) for key in ("a", "ä/喵", "x/", "\ufeffa", "\x01link/T/x/often/a")]
    deliveries = [
        seal_as_device(
            make_attributes(random),
            random.choice([b"value", b"", b"a\0b"]),
            random.choice(COUNTERS_TRIED),
            Outside(random.choice(names), encode_url(random.randbytes(16)), 5, 7),
        )
        for _ in range(examples(3000, long=50_000))
    ]
    found = call_all(tmp_path, [["open", pack_delivery(each)] for each in deliveries])
    assert_same(found, [describe_opened(each, lambda _: b"") for each in deliveries], deliveries)
    opened = [each["result"]["entry"] for each in found if "result" in each]
    assert {each["key"] for each in opened} >= {"a", "x/"}
    assert {each["mode"] for each in opened} >= {None, 0o100644}


def make_record(link: ShareLink, token: str, value: bytes = b"") -> Delivery:
    entry = Entry(link.record, 5, 6, 7, token, len(value))
    return Delivery(entry, 8, value)


def test_records_of_links_pass_only_with_the_proof_of_a_device(tmp_path: Path) -> None:
    random = Random(12)
    name = hide_key(KEYS, "a")
    link = make_link(KEYS, name, expires=1795396752478943, once=True, random=random.randbytes)
    late = make_link(KEYS, name, expires=10**18 - 1, once=False, random=random.randbytes)
    changed = [
        link,
        late,
        late._replace(expires=10**18 - 2),
        link._replace(expires=0),
        link._replace(once=False),
        link._replace(key=hide_key(KEYS, "b")),
        link._replace(key="a"),
        link._replace(token=link.token[:-1]),
        link._replace(token=f"{link.token[:-1]}{chr(ord(link.token[-1]) + 1)}"),
        link._replace(token=f"{'A' * 42}B"),
        link._replace(token=f"{'é' * 43}"),
    ]
    deliveries = [make_record(each, token) for each in changed for token in (each.token, "ended")]
    deliveries += [make_record(link, link.token, b"value"), make_record(link, link.token)._replace(value=None)]
    record = make_record(link, link.token)
    deliveries.append(record._replace(entry=record.entry._replace(key=link.record.replace("/1795", "/01795"))))
    calls = [["open", pack_delivery(each)] for each in deliveries]
    proven = [["isProven", each.record] for each in changed]
    sealed = [["seal", pack_delivery(make_record(each, each.token)), []] for each in changed]
    found = call_all(tmp_path, [*calls, *proven, *sealed])
    assert_same(found[: len(calls)], [describe_opened(each, lambda _: b"") for each in deliveries], deliveries)
    assert {each.get("error") for each in found[: len(calls)]} == {None, "Forged", "NotSealed"}
    decided = [is_proven(KEYS, each) for each in changed]
    assert [each["result"] for each in found[len(calls) : len(calls) + len(proven)]] == decided
    assert [each["result"] is not None for each in found[len(calls) + len(proven) :]] == decided
    assert decided == [True, True] + [False] * (len(changed) - 2)


def test_what_is_wrong_holds_up_nothing_else_of_a_page(tmp_path: Path) -> None:
    random = Random(13)
    cases = [make_random_case(random, random.choice([5, 100, BIG + 5])) for _ in range(150)]
    deliveries = [
        case.sealed if number % 7 else case.sealed._replace(entry=case.sealed.entry._replace(timestamp=1))
        for number, case in enumerate(cases)
    ]
    blocks = {hash_: block for case in cases for hash_, block in case.made.items()}
    calls = [["keepAtHub", [*map(pack, blocks.values())]], ["openPage", [*map(pack_delivery, deliveries)]]]
    page = call_for(tmp_path, calls)[1]
    right = [
        (delivery, case) for number, (delivery, case) in enumerate(zip(deliveries, cases, strict=True)) if number % 7
    ]
    assert page["opened"] == [
        [delivery.entry.key, pack_delivery(open_delivery(KEYS, delivery, case.fetch))] for delivery, case in right
    ]
    assert page["refused"] == [[each.entry.key, "Forged"] for each in deliveries[::7]]


def test_a_head_that_is_too_long_is_not_made(tmp_path: Path) -> None:
    entry = make_entry(Random(14), 0)._replace(key="\U0001f44b" * 2**20, url_token="x" * 2**24)
    outside = Outside(hide_key(KEYS, "a"), "A" * 22, 5, 7)
    with pytest.raises(ValueError, match="too long"):
        seal_head(KEYS, outside, entry, b"")
    (found,) = call_all(tmp_path, [["seal", pack_delivery(Delivery(entry, 0, b"")), []]])
    assert (found["error"], "too long" in found["message"]) == ("KvassError", True)


def test_what_only_devices_need_is_no_part_of_the_page_of_addresses() -> None:
    read = []

    def note(path: str) -> str:
        read.append(path)
        return read_part(path)

    join_modules(note, "open/open.js")
    rooms = ("addresses", "attributes", "block_cipher", "errors", "head", "layout", "lists", "values")
    assert {path for path in read if path.startswith("veil/")} == {f"veil/{name}.js" for name in rooms}


@pytest.mark.parametrize("size", [100, 3 * BIG + 1000])
def test_what_was_opened_keeps_nothing_else_in_memory(tmp_path: Path, size: int) -> None:
    """A database of the browser would keep all of the buffer that the bytes are a part of."""
    case = make_random_case(Random(15), size)
    calls = [["keepAtHub", [*map(pack, case.made.values())]], ["measureOpened", pack_delivery(case.sealed)]]
    lengths = call_for(tmp_path, calls)[1]
    assert lengths
    assert [each["buffer"] for each in lengths] == [each["bytes"] for each in lengths]
