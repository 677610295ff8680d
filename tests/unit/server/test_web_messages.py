"""kvassfs/server/web/messages: it makes and reads the messages that kvassfs/sync does, and decides alike about what is hostile."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kvassfs.server
from kvassfs.block import HASH_BYTES
from kvassfs.entry import MAX_NUMBER, MAX_RECEIVED, Delivery, Entry
from kvassfs.errors import MessageError
from kvassfs.replica import Incarnation
from kvassfs.server.web_files import join_modules, read_part
from kvassfs.sync.block_messages import decode_blocks_request, decode_blocks_response, encode_blocks_response
from kvassfs.sync.entry_messages import LISTED_BLOCKS, decode_entries, encode_entry, estimate_size
from kvassfs.sync.messages import (
    PullRequest,
    PullResponse,
    PushResponse,
    decode_pull_request,
    decode_pull_response,
    decode_push,
    decode_push_response,
    encode_pull_response,
    encode_push,
    encode_push_response,
)
from kvassfs.sync.seal import HeldBody, Seal, compute_mark
from tests.support.searches import examples
from tests.support.web_calls import Json, call_module, pack, pack_deliveries, pack_delivery

MODULE = Path(__file__).parent / "web/messages.mjs"

WEB = Path(kvassfs.server.__file__).parent / "web"

GOLDEN = Path(__file__).parents[2] / "golden"

KEY = bytes.fromhex("cd9994e3a0c5ca40c2652ff21ab401d6d3a1a5c5fd5482ae62c03ce32d340b49")

NAMES = {1: "laptop", 2**32 - 1: "Büro 🖥"}


def call_all(folder: Path, calls: list[Json]) -> list[Json]:
    return call_module(MODULE, folder, calls)


def call_for(folder: Path, calls: list[Json]) -> list[Json]:
    """Return what the functions of the page return, none of which fails."""
    results = call_all(folder, calls)
    assert [each for each in results if "error" in each] == []
    return [each["result"] for each in results]


KEYS = [
    "a",
    "a/b",
    "a/b/",
    "猫咪 key/with slash",
    'quoted "\\" \b\f\n\r\t\x01\x1f\x7f\u2028',
    "👋👋",
    "\ufeffx",
    "x" * 5000,
]

NUMBERS = [0, 1, 7, 2**31, 2**32, 2**48 + 1, MAX_RECEIVED - 1, MAX_RECEIVED]

ORIGINS = ["1:0", f"{2**32 - 1}:{MAX_RECEIVED}", "7:12"]

MOD_TIMES = [None, 0, -1, 2**63 - 1, -(2**63), 1795396752000000001]


def make_entry(random: Random, key: str, size: int) -> Entry:
    """Return an entry with all that one can have."""
    seen = None if random.random() < 0.3 else " ".join(random.choices(ORIGINS, k=random.choice([0, 1, 2, 8])))
    return Entry(
        key,
        random.choice(NUMBERS),
        random.choice(NUMBERS),
        random.choice([1, 7, 2**31, 2**32 - 1]),
        random.choice(["", "y4zshQDtyPjx_s7fxDADng", "喵"]),
        size,
        random.choice([None, 0o100644, 0o100000, 0o107777 & ~0o6000]),
        random.choice(MOD_TIMES),
        seen,
        random.choice([None, *ORIGINS]),
    )


def make_delivery(random: Random) -> Delivery:
    """Return a delivery of a value, short or in blocks, with or without runs."""
    key, sequence = random.choice(KEYS), random.choice(NUMBERS)
    if random.random() < 0.7:
        value = random.randbytes(random.choice([0, 0, 1, 2, 3, 100, 1000]))
        return Delivery(make_entry(random, key, len(value)), sequence, value)
    count = random.choice([1, 2, 5])
    counts: tuple[int, ...] = ()
    if random.random() < 0.7:
        counts = tuple(random.choice([1, 1, 2, 3, LISTED_BLOCKS, 2**22]) for _ in range(count))
    entry = make_entry(random, key, random.choice([1, 2**20, MAX_NUMBER]) if not counts else MAX_NUMBER)
    return Delivery(entry, sequence, None, random.randbytes(HASH_BYTES * count), counts)


def make_deliveries(number: int, short: int) -> list[Delivery]:
    random = Random(number)
    return [make_delivery(random) for _ in range(examples(short, long=20 * short))]


# What the original program sent


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.bin")), ids=lambda file: str(file.name))
def test_what_the_original_sealed_is_opened_and_sealed_alike(tmp_path: Path, file: Path) -> None:
    body = file.read_bytes()
    plaintext = Seal(KEY).unseal(body)
    opened, sealed = call_for(
        tmp_path, [["unseal", pack(KEY), pack(body)], ["seal", pack(KEY), pack(body[:12]), pack(plaintext)]]
    )
    assert opened == pack(plaintext)
    mark, digest = compute_mark(HeldBody(body)), hashlib.sha256(body).hexdigest()
    assert sealed == {"body": pack(body), "mark": mark, "digest": digest}


def test_entries_of_the_original_are_read_alike(tmp_path: Path) -> None:
    files = [*GOLDEN.glob("*push.request.bin"), *GOLDEN.glob("*pull.response.bin")]
    arrays = [Seal(KEY).unseal(file.read_bytes()) for file in files]
    found = call_for(tmp_path, [["decodeEntries", pack(array)] for array in arrays])
    assert found == [[pack_delivery(each) for each in decode_entries(json.loads(array))] for array in arrays]
    assert sum(map(len, found)) > len(files)


@pytest.mark.parametrize("array", [b"null", b"[]", None])
def test_a_hub_of_the_original_is_none_for_the_page(tmp_path: Path, array: bytes | None) -> None:
    if array is None:
        array = Seal(KEY).unseal((GOLDEN / "06-pull.response.bin").read_bytes())
    (found,) = call_all(tmp_path, [["decodePullResponse", pack(array), True]])
    assert found["error"] == "InvalidMessage"
    assert "a hub of the original program" in found["message"]


def test_a_body_that_was_changed_or_is_too_short_is_refused(tmp_path: Path) -> None:
    body = (GOLDEN / "06-pull.response.bin").read_bytes()
    bodies = [body[:-1], body[1:], body[:40] + bytes((body[40] ^ 1,)) + body[41:], b"", bytes(27), bytes(28)]
    found = call_all(tmp_path, [["unseal", pack(KEY), pack(each)] for each in bodies])
    assert {each.get("error") for each in found} == {"Undecipherable"}


# What both make, and read


def test_what_the_page_encodes_is_the_same_to_the_byte(tmp_path: Path) -> None:
    deliveries = make_deliveries(1, 3000)
    pushed, fields, sizes = call_for(
        tmp_path,
        [[name, pack_deliveries(deliveries)] for name in ("encodePush", "encodeEntries", "estimateSizes")],
    )
    assert base64.b64decode(pushed) == encode_push(deliveries)
    assert fields == [json.loads(json.dumps(encode_entry(each, each.sequence))) for each in deliveries]
    for size, delivery in zip(sizes, deliveries, strict=True):
        assert 0 <= size - estimate_size(delivery) <= len(delivery.entry.key)  # of some characters there it counts two


def test_what_the_page_pushes_the_hub_reads(tmp_path: Path) -> None:
    deliveries = make_deliveries(2, 2000)
    (pushed,) = call_for(tmp_path, [["encodePush", pack_deliveries(deliveries)]])
    decoded = decode_push(base64.b64decode(pushed))
    assert [each.entry for each in decoded] == [each.entry for each in deliveries]
    assert [each.value for each in decoded] == [each.value for each in deliveries]


def test_what_the_hub_answers_the_page_reads(tmp_path: Path) -> None:
    random = Random(3)
    deliveries = make_deliveries(3, 3000)
    responses = [
        PullResponse(
            deliveries[start : start + 10],
            random.choice(NUMBERS),
            "digest",
            random.random() < 0.5,
            random.choice(NUMBERS),
            *(random.choice(NUMBERS), random.choice(NUMBERS)),
            [Incarnation(random.choice(NUMBERS), random.choice(NUMBERS)) for _ in range(random.randrange(3))],
            random.choice(NUMBERS),
            random.choice([{}, NAMES]),
        )
        for start in range(0, len(deliveries), 10)
    ]
    texts = [encode_pull_response(each) for each in responses]
    found = call_for(tmp_path, [["decodePullResponse", pack(each), False] for each in texts])
    assert found == [describe_pull(decode_pull_response(each)) for each in texts]


def describe_pull(response: PullResponse) -> Json:
    return {
        "deliveries": [*map(pack_delivery, response.deliveries)],
        "cursor": response.cursor,
        "digest": response.digest,
        "more": response.more,
        "clock": response.clock,
        "processId": response.process_id,
        "time": response.time,
        "incarnations": [each._asdict() for each in response.incarnations],
        "written": response.written,
        "names": [list(pair) for pair in sorted(response.names.items())],
        "unreadable": list(response.unreadable),
    }


def describe_push(response: PushResponse) -> Json:
    incarnations = [each._asdict() for each in response.incarnations]
    return {
        "digest": response.digest,
        "clock": response.clock,
        "processId": response.process_id,
        "time": response.time,
        "missing": pack(response.missing),
        "incarnations": incarnations,
    }


def test_a_response_to_a_push_is_read(tmp_path: Path) -> None:
    responses = [
        PushResponse("digest", 8, 9009, 1795396752500000, bytes(range(64)), [Incarnation(MAX_NUMBER, 4)]),
        PushResponse("digest", 0, 0, 0),
    ]
    texts = [encode_push_response(each) for each in responses]
    found = call_for(tmp_path, [["decodePushResponse", pack(each)] for each in texts])
    assert found == [describe_push(each) for each in responses]


@pytest.mark.parametrize("names", [{}, NAMES, {n: f"device {n}" for n in range(1, 100)}, {3: ""}])
def test_a_request_of_the_page_is_read(tmp_path: Path, names: dict[int, str]) -> None:
    request = {"first": 7, "processId": 0, "wait": 20.5, "maxBytes": 2**20, "device": 2**32 - 1}
    (text,) = call_for(tmp_path, [["encodePullRequest", request | {"names": list(names.items())}]])
    expected = PullRequest(
        7, 0, 2, 20.5, 2**20, 2**32 - 1, {n: name for n, name in names.items() if name and (n <= 64 or n > 100)}
    )
    assert decode_pull_request(base64.b64decode(text)) == expected


def test_blocks_go_there_and_come_back(tmp_path: Path) -> None:
    blocks = [b"a" * 262_144, b"\n\n{", b"", bytes(range(256))]
    hashes = [hashlib.sha256(block).digest() for block in blocks]
    (text,) = call_for(tmp_path, [["encodeBlocksRequest", [*map(pack, hashes)], [*map(pack, blocks)]]])
    request = decode_blocks_request(base64.b64decode(text))
    assert (request.get, [bytes(block) for block in request.put], request.version) == (hashes, blocks, 3)
    held = [blocks[0], None, *blocks[1:], None]
    (found,) = call_for(tmp_path, [["decodeBlocksResponse", pack(b"".join(encode_blocks_response("mark", held)))]])
    assert found == {"name": "mark", "blocks": [*map(pack, held)], "areParts": True}


# What somebody makes who has the key


ENTRY = {
    "Key": "a",
    "Value": "eA==",
    "UrlToken": "t",
    "TimestampUnixMicro": 5,
    "ProcessID": 7,
    "Counter": 3,
    "NeedsToBePushed": True,
    "WriterCounter": 2,
    "Mode": 0o100644,
    "ModTime": "5",
    "Seen": [[7, 1]],
    "Of": [7, 1],
}

LARGE = {**ENTRY, "Value": "", "Size": 2**20, "Blocks": base64.b64encode(bytes(64)).decode()}

HASH = base64.b64encode(bytes(32)).decode()

ANYTHING: list[Json] = [
    *[
        None,
        True,
        "",
        "a",
        "eA==",
        "eA",
        "eB==",
        "e A==",
        "eA==\n",
        "====",
        "e===",
        "eA==eA==",
        "_-8=",
        "ä",
        "\ud800",
        "a\0b",
        "A" * 44,
    ],
    *[
        0,
        1,
        -1,
        5.5,
        2**31,
        2**32 - 1,
        2**32,
        MAX_RECEIVED,
        MAX_RECEIVED + 1,
        MAX_NUMBER,
        MAX_NUMBER + 1,
        2**64,
        10**300,
    ],
    *[
        [1],
        [[]],
        [[7, 1]],
        [[7, 1]] * 9,
        [[7, 1]] * 8 + ["no"],
        [[0, 1]],
        [[7, -1]],
        [[7, True]],
        [7, 1],
        [7, 1, 1],
        [7, None],
    ],
    *[
        "5",
        "-5",
        "-0",
        "007",
        "+5",
        "5.0",
        " 5",
        "5\n",
        "٥",
        str(2**63 - 1),
        str(2**63),
        str(-(2**63)),
        str(-(2**63) - 1),
        "1" * 20,
    ],
    *[
        HASH,
        f"{HASH}{HASH}",
        [HASH],
        [[HASH, 3]],
        [[HASH, 0]],
        [[HASH, 2**20 + 1]],
        [HASH, [HASH, 2]],
        [[HASH]],
        [[HASH, 1, 1]],
    ],
    *[
        [[base64.b64encode(bytes(64)).decode(), 2]],
        [[base64.b64encode(bytes(64)).decode(), 1]],
        [[HASH, "2"]],
        [""],
        "ä" * 44,
    ],
    *[
        0o120777,
        0o40755,
        0o104755,
        0o140644,
        0o100644 + 2**16,
        {"a": 1},
        "a/",
        "\x01link/T/-/once/a",
        "\x01link/T/5/often/a/",
    ],
    *["\x01echo/7/h", "\x01link/T/x/once/a", "pull answer", "push"],
]


def change(random: Random, fields: dict[str, Json]) -> dict[str, Json]:
    """Return fields of which some are missing or something else."""
    changed = dict(fields)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        name = random.choice(list(fields))
        if random.random() < 0.1:
            changed.pop(name, None)
        else:
            changed[name] = random.choice(ANYTHING)
    return changed


def is_quirk(fields: dict[str, Json]) -> bool:
    return fields.get("Mode") is True


def decide(describe: Callable[[Any], Json], decode: Callable[..., Any], *given: object, **named: object) -> Json:
    """Return what a decoder of Python says, as the page says it."""
    try:
        return {"result": describe(decode(*given, **named))}
    except MessageError as error:
        return {"error": type(error).__name__}


def assert_alike(found: Json, expected: Json, what: object) -> None:
    found.pop("message", None)
    assert found == expected, what


def test_of_an_entry_that_somebody_has_made_it_says_the_same(tmp_path: Path) -> None:
    random = Random(4)
    tried = [change(random, random.choice([ENTRY, LARGE])) for _ in range(examples(6000, long=200_000))]
    tried = [each for each in tried if not is_quirk(each)]
    texts = [json.dumps([each]).encode() for each in tried]
    found = call_all(tmp_path, [["decodeEntries", pack(text)] for text in texts])
    for text, each in zip(texts, found, strict=True):
        expected = decide(pack_deliveries, decode_entries, json.loads(text))
        assert_alike(each, expected, text)
    assert {each.get("error") for each in found} == {None, "InvalidMessage", "OutOfRange"}
    assert {len(each["result"]) for each in found if "result" in each} == {0, 1}


RESPONSE = {
    "Request": "digest",
    "Entries": [ENTRY],
    "Counter": 8,
    "More": False,
    "Clock": 8,
    "ProcessID": 9,
    "Time": 5,
    "Incarnations": [[5, 6]],
    "Written": 3,
    "Names": {"9": "hub"},
    "Type": "pull answer",
}

PUSH_RESPONSE = {
    "Request": "digest",
    "Counter": 8,
    "ProcessID": 9,
    "Time": 5,
    "Incarnations": [[5, 6]],
    "Missing": HASH,
    "Type": "push answer",
}

NAMES_TRIED: list[Json] = [
    *[{"9": "a\nb"}, {"9": " a"}, {"9": "a\u00a0b"}, {"9": "\u200b"}, {"9": "\ufeff"}, {"9": ""}, {"9": 5}, {"x": "a"}],
    *[
        {"0": "a"},
        {"4294967296": "a"},
        {"99999999999": "a"},
        {"-1": "a"},
        {"9": "x" * 64},
        {"9": "x" * 65},
        {"9": "👋" * 64},
    ],
    *[{str(n): "a" for n in range(1, 100)}, {"9": "\ud800"}, {"9": "\ue000"}, {"9": "é"}, {"": "a"}, {"09": "a"}],
    *[{"9": None}, [], [["9", "a"]], {"__proto__": "a"}, {"constructor": "a"}],
]

ENTRIES_TRIED: list[Json] = [
    *[None, [], [None], [[]], ["a"], [ENTRY, ENTRY], [ENTRY, {**ENTRY, "Counter": -1}], [{**ENTRY, "Key": ""}, ENTRY]],
    *[
        [{**ENTRY, "Key": "\x01echo/7/h"}],
        [{**ENTRY, "Key": 5}],
        [{**ENTRY, "Value": "%"}, {"Key": "b"}, ENTRY],
        {},
        "x",
    ],
]


def change_response(random: Random, fields: dict[str, Json]) -> dict[str, Json]:
    changed = change(random, fields)
    if random.random() < 0.3:
        changed["Names"] = random.choice(NAMES_TRIED)
    if random.random() < 0.3:
        changed["Entries"] = random.choice(ENTRIES_TRIED)
    if random.random() < 0.2:
        changed.pop("Type", None)
    if random.random() < 0.1:
        changed["Other"] = 5
    if changed.get("Incarnations") == "":
        del changed["Incarnations"]  # to Python it is an array of none
    changed["Request"] = "digest"
    return changed


def test_of_a_response_that_somebody_has_made_it_says_the_same(tmp_path: Path) -> None:
    random = Random(5)
    count = examples(3000, long=100_000)
    pulls = [json.dumps(change_response(random, RESPONSE)).encode() for _ in range(count)]
    pushes = [json.dumps(change_response(random, PUSH_RESPONSE)).encode() for _ in range(count)]
    found = call_all(
        tmp_path,
        [
            *(["decodePullResponse", pack(text), leave_out] for text in pulls for leave_out in (False, True)),
            *(["decodePushResponse", pack(text)] for text in pushes),
        ],
    )
    expected = [
        *(
            decide(describe_pull, decode_pull_response, text, leave_out=each)
            for text in pulls
            for each in (False, True)
        ),
        *(decide(describe_push, decode_push_response, text) for text in pushes),
    ]
    texts = [text for text in pulls for _ in range(2)] + pushes
    for one, other, text in zip(found, expected, texts, strict=True):
        assert_alike(one, other, text)
    assert {each.get("error") for each in found} == {None, "InvalidMessage", "OutOfRange"}
    assert any(each["result"].get("unreadable") for each in found if "result" in each)


def pack_blocks(decoded: tuple[str, list[Any]]) -> Json:
    return [None if block is None else pack(bytes(block)) for block in decoded[1]]


BLOCKS_TRIED = [
    *[
        b"",
        b"\n",
        b"{}",
        b"{}\n",
        b"{}\nx",
        b"[]\n",
        b"null\n",
        b'{"Sizes":[1,-1]}\nx',
        b'{"Sizes":[2]}\nx',
        b'{"Sizes":[0]}\n',
    ],
    *[
        b'{"Sizes":[-2]}\n',
        b'{"Sizes":["1"]}\nx',
        b'{"Sizes":[true]}\nx',
        b'{"Sizes":null}\n',
        b'{"Sizes":[1],"Type":"blocks"}\nx',
    ],
    *[
        b'{"Sizes":[1],"Type":"blocks answer","Other":1}\nx',
        b'{"Sizes":[1],"Other":1}\nx',
        b'\xff{"Sizes":[]}\n',
        b"{\n}\n",
    ],
    *[b'{"Sizes":[9007199254740991,9007199254740991,1]}\nx', b'{"Sizes":[1.5]}\nx', b'{"Sizes":{}}\n'],
]


def test_of_a_response_with_blocks_that_somebody_has_made_it_says_the_same(tmp_path: Path) -> None:
    found = call_all(tmp_path, [["decodeBlocksResponse", pack(text)] for text in BLOCKS_TRIED])
    for text, each in zip(BLOCKS_TRIED, found, strict=True):
        expected = decide(pack_blocks, decode_blocks_response, text)
        if "result" in each:
            each["result"] = each["result"]["blocks"]
        assert_alike(each, expected, text)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    texts = [b"", b"{", b"\xff\xfe", b'{"Counter":1}x', b"{'a':1}"]
    found = call_all(
        tmp_path, [[name, pack(text), True] for text in texts for name in ("decodePullResponse", "decodePushResponse")]
    )
    assert {each.get("error") for each in found} == {"InvalidMessage"}


def test_what_no_program_sends_is_refused_or_read_as_a_number(tmp_path: Path) -> None:
    """Python takes the first four: the page does not. It takes ``1.0`` for 1, as its JSON does."""
    refused = [{**ENTRY, "Mode": True}, {**ENTRY, "Value": []}, {**ENTRY, "Value": {}}]
    found = call_all(
        tmp_path,
        [
            *(["decodeEntries", pack(json.dumps([each]).encode())] for each in refused),
            ["decodePullResponse", pack(json.dumps({**RESPONSE, "Incarnations": {}}).encode()), False],
            ["decodeEntries", pack(json.dumps([{**ENTRY, "Counter": 3.0}]).encode())],
        ],
    )
    assert [each.get("error") for each in found] == ["InvalidMessage"] * 4 + [None]


@pytest.mark.parametrize("name", sorted(path.name for path in WEB.glob("messages/*.js")))
def test_its_modules_can_be_joined_to_a_script(tmp_path: Path, name: str) -> None:
    script = tmp_path / "script.mjs"
    script.write_text(join_modules(read_part, f"messages/{name}"))
    subprocess.run(["node", "--check", script], check=True)
