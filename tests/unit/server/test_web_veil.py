"""kvassfs/server/web/veil: it opens the vectors, and decides about what is spoiled as kvassfs/veil does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kvassfs.block import pair_runs
from kvassfs.echo import is_echo
from kvassfs.share_link import parse_record
from kvassfs.veil.addresses import open_address, parse_fragment
from kvassfs.veil.deliveries import make_blocks, seal_delivery
from kvassfs.veil.errors import VeilError
from kvassfs.veil.layout import pad_body
from kvassfs.veil.values import read_value
from tests.support import sealed_vectors
from tests.support.node import run_module
from tests.support.sealed_vectors import BIG, CASES, KEYS, Store, make_delivery
from tests.support.searches import examples
from tests.support.spoiled_values import COUNTERS_TRIED, make_attributes, spoil

MODULE = Path(__file__).parent / "web/open_values.mjs"

VECTORS: dict[str, Any] = json.loads(sealed_vectors.FILE.read_text(encoding="utf-8"))

MOST = 4 * BIG
"""Bytes that are read of a value: some are of a TiB."""

Runs = list[tuple[bytes, int]]
"""Pieces of a sealed value, each with how often it comes."""


class Case(NamedTuple):
    """The fragment of an address, and what that leads to."""

    fragment: str
    runs: Runs


def open_all(folder: Path, cases: Iterable[Case], lengths: Iterable[int] = ()) -> dict[str, Any]:
    """Return what the modules of the page say of cases."""
    places: dict[bytes, int] = {}
    described = []
    with (folder / "pieces").open("wb") as file:
        for case in cases:
            for piece, _ in case.runs:
                if piece not in places:
                    places[piece] = file.tell()
                    file.write(piece)
            runs = [[places[piece], len(piece), times] for piece, times in case.runs]
            described.append({"fragment": case.fragment, "runs": runs, "most": MOST})
    (folder / "cases").write_text(
        json.dumps({"pieces": str(folder / "pieces"), "lengths": list(lengths), "cases": described})
    )
    found: dict[str, Any] = run_module(MODULE, folder / "cases")
    return found


def seal_case(number: int) -> Runs:
    """Return the sealed value of a vector."""
    _, entry, parts, links = CASES[number]
    store = Store(parts)
    delivery = make_delivery(entry, parts, store)
    sealed = seal_delivery(KEYS, delivery, links, store)
    assert sealed is not None
    if sealed.value is not None:
        return [(sealed.value, 1)]
    runs = pair_runs(sealed.blocks, sealed.counts)
    made = make_blocks(KEYS, delivery, links, store, {hash_ for hash_, _ in runs})
    blocks = {hashlib.sha256(block).digest(): block for block in made}
    return [(blocks[hash_], times) for hash_, times in runs]


def list_fragments(vector: dict[str, Any]) -> list[str]:
    """Return the fragments of all addresses of a vector: of the version, and of its links."""
    keys = {link["token"]: link["link key"] for link in VECTORS["links"]}
    links = [f"{token}.{keys[token]}" for token in vector["links"]]
    return [f"{vector['outer token']}.{vector['version key']}", *links]


def begin_value(parts: list[sealed_vectors.Part]) -> bytes:
    """Return the beginning of a value, of whole blocks."""
    made = b""
    for part in parts:
        made += make_part(part)
    return made[:MOST]


def make_part(part: sealed_vectors.Part) -> bytes:
    return bytes(min(part["zeros"], MOST)) if "zeros" in part else sealed_vectors.make_bytes(part)


def test_every_vector_is_opened_by_every_address(tmp_path: Path) -> None:
    cases, expected = [], []
    for number, vector in enumerate(VECTORS["values"]):
        runs = seal_case(number)
        assert sum(len(piece) * times for piece, times in runs) == vector["sealed size"]
        entry, value = vector["entry"], begin_value(vector["value"])
        for fragment in list_fragments(vector):
            cases.append(Case(fragment, runs))
            expected.append((entry["Key"], entry["Size"], entry.get("Mode"), hashlib.sha256(value).hexdigest()))
    found = open_all(tmp_path, cases)["results"]
    assert [(each["key"], each["size"], each["mode"], each["hash"]) for each in found] == expected


@pytest.mark.parametrize(("name", "result"), [("padme", "padded"), ("bodies", "bodies")])
def test_lengths_are_padded_as_the_vectors_say(tmp_path: Path, name: str, result: str) -> None:
    lengths, padded = zip(*VECTORS[name], strict=True)
    assert open_all(tmp_path, [], lengths)[result] == list(padded)


def describe_opened(case: Case) -> dict[str, Any]:
    """Return what ``kvassfs.veil`` says of a case."""
    address = parse_fragment(case.fragment)
    if address is None:
        return {"error": "no address"}
    data = b"".join(piece * times for piece, times in case.runs)
    try:
        head = open_address(address, lambda start, size: data[start : start + size], len(data))
        value = b"".join(read_value(head, lambda start, size: data[start : start + size]))
    except VeilError as error:
        return {"error": type(error).__name__}
    return {"key": head.entry.key, "size": head.entry.size, "hash": hashlib.sha256(value).hexdigest()}


def assert_same(case: Case, found: dict[str, Any]) -> None:
    expected = describe_opened(case)
    assert {name: found.get(name) for name in expected} == expected, found


def test_of_what_is_spoiled_it_says_the_same(tmp_path: Path) -> None:
    random = Random(1)
    numbers = [number for number, vector in enumerate(VECTORS["values"]) if vector["sealed size"] < 2_000_000]
    cases = []
    for _ in range(examples(300, long=5000)):
        number = random.choice(numbers)
        data = b"".join(piece * times for piece, times in seal_case(number))
        fragment = random.choice(list_fragments(VECTORS["values"][number]))
        if random.random() < 0.1:
            fragment = f"{fragment.partition('.')[0]}.{'A' * 43}"
        cases.append(Case(fragment, [(spoil(random, data), 1)]))
    found = open_all(tmp_path, cases)["results"]
    for case, each in zip(cases, found, strict=True):
        assert_same(case, each)
    errors = [each.get("error") for each in found]
    assert {"Spoiled", "CannotBeOpened", None} <= set(errors)


def seal_body(attributes: bytes, content: bytes, counter: int) -> Case:
    """Return what describes a version as somebody likes who has its key."""
    body = len(attributes).to_bytes(4) + attributes + content
    body += bytes(pad_body(len(body)) - len(body))
    prefix, nonce = bytes((1,)) + counter.to_bytes(8), bytes(12)
    box = AESGCM(bytes(32)).encrypt(nonce, body, prefix)
    head = prefix + nonce + len(box).to_bytes(4) + box + bytes(1) + bytes(32)
    return Case(f"{'A' * 22}.{'A' * 43}", [(head + len(head).to_bytes(4), 1)])


def test_of_attributes_that_somebody_has_made_it_says_the_same(tmp_path: Path) -> None:
    """Who has the key of a version can seal anything under it, and serve that."""
    random = Random(2)
    cases = [
        seal_body(make_attributes(random), random.choice([b"value", b""]), random.choice(COUNTERS_TRIED))
        for _ in range(examples(2000, long=50_000))
    ]
    found = open_all(tmp_path, cases)["results"]
    for case, each in zip(cases, found, strict=True):
        assert_same(case, each)
    keys = {each["key"] for each in found if "key" in each}
    assert {"a", "ä/喵", "x/", "\ufeffa"} <= keys
    assert not any(parse_record(key) or is_echo(key) for key in keys)
