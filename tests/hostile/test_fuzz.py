"""Inputs that nobody meant to send, by the thousand, or with KVASS_TESTS=long by the million: none fails otherwise than it should.

Each kind starts from inputs as they are and spoils them: bits, bytes, parts of JSON. A test says its seed when it fails; the long
form has another one each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kvassfs import paths
from kvassfs.entry import Delivery, Entry
from kvassfs.errors import InvalidMessage, KvassError, MessageError, Undecipherable
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.pairing import messages as pairing
from kvassfs.replica import Incarnation
from kvassfs.store import Store
from kvassfs.sync import block_messages, messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import CheckedBody, HeldBody, Seal, TagCheck
from tests.hostile.spoiling import SEED, inputs, spoil_bytes
from tests.support.replicas import KEY
from tests.support.searches import examples
from tests.support.stores import audit

COUNT = examples(6_000, long=300_000)
"""Inputs of each kind but those to a whole hub."""

HUB_COUNT = examples(1_000, long=60_000)

ENTRY = Entry("a/b", 1_700_000_000_000_000, 5, 7, "y4zshQDtyPjx_s7fxDADng", 5, 0o100644, 1, "7:4 8:1", "7:4")

DELIVERIES = [
    Delivery(ENTRY, 9, b"value"),
    Delivery(ENTRY._replace(key="gone", size=0, mode=None), 10, b""),
    Delivery(ENTRY._replace(key="large", size=262_144 * 3), 11, None, bytes(96), (1, 1, 1)),
]

MESSAGES: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "push": (messages.encode_push(DELIVERIES), messages.decode_push),
    "push answer": (
        messages.encode_push_response(messages.PushResponse("d" * 64, 9, 7, 1, bytes(32), [Incarnation(1, 2)])),
        messages.decode_push_response,
    ),
    "pull": (
        messages.encode_pull_request(messages.PullRequest(4, 7, 2, 1.5, 1000, 7, {7: "laptop"})),
        messages.decode_pull_request,
    ),
    "pull answer": (
        messages.encode_pull_response(messages.PullResponse(DELIVERIES, 11, "d" * 64, names={7: "laptop"})),
        messages.decode_pull_response,
    ),
    "array": (
        b"".join(messages.encode_array([(DELIVERIES[0], [b"value"])], pushed=False)).replace(
            b',"Type":"pull answer"', b""
        ),
        messages.decode_pull_response,
    ),
    "blocks": (
        b"".join(
            block_messages.encode_blocks_request(block_messages.BlocksRequest([bytes(32)], [b"block", b"another"]))
        ),
        block_messages.decode_blocks_request,
    ),
    "blocks of version 2": (
        b'{"Version":2,"Get":"","Put":[5],"Type":"blocks"}\nblock',
        block_messages.decode_blocks_request,
    ),
    "blocks answer": (
        b"".join(block_messages.encode_blocks_response("d" * 64, [b"block", None])),
        block_messages.decode_blocks_response,
    ),
    "pair": (
        pairing.encode_pair_request(pairing.PairRequest("A" * 22, bytes(33), b"answer", wait=1.0)),
        pairing.decode_pair_request,
    ),
    "pair answer": (
        pairing.encode_pair_response(pairing.PairResponse("d" * 64, 1, 600, b"message")),
        pairing.decode_pair_response,
    ),
    "join": (pairing.encode_join_request(pairing.JoinRequest(7, bytes(80))), pairing.decode_join_request),
    "join answer": (
        pairing.encode_join_response(pairing.JoinResponse(bytes(33), b"answer")),
        pairing.decode_join_response,
    ),
    "handover": (
        pairing.encode_handover(pairing.Handover("laptop", bytes(32), "hub", "https://hub", ("*.swp",))),
        pairing.decode_handover,
    ),
}
"""A message of each kind, and what takes it."""

ODD: tuple[Any, ...] = (
    *(None, True, False, [], {}, "", "\0", "\ud800", "é", "AAAA", "AAA", "a" * 300, [[]], {"a": 1}, [1, 2, 3]),
    *(0, -1, 1, 2**31, 2**32, 2**53 - 2**32, 2**53, -(2**53), 2**62 - 1, 2**63, 2**64, 10**30, 10**400),
    *(0.5, -0.0, 1e300, float("inf"), float("nan")),
)


FIELDS = (
    *(
        "Type",
        "Version",
        "Key",
        "Value",
        "Blocks",
        "Size",
        "Counter",
        "ProcessID",
        "Wait",
        "Names",
        "Entries",
        "Sizes",
        "Seen",
        "Of",
    ),
)


def spoil_json(random: Random, text: bytes) -> bytes:
    """Put something odd in the place of a part, or remove or repeat one; what follows the first line stays."""
    header, newline, rest = text.partition(b"\n")
    found = json.loads(header)
    for _ in range(random.choice((1, 1, 2, 4))):
        found = _spoil_part(random, found)
    return json.dumps(found).encode() + newline + rest


def _spoil_part(random: Random, part: Any) -> Any:
    if not isinstance(part, list | dict) or not part or random.random() < 0.1:
        return random.choice(ODD)
    chosen = random.choice(list(part) if isinstance(part, dict) else range(len(part)))
    what = random.randrange(10)
    if what == 0:
        return [each for each in part if each is not part[chosen]] if isinstance(part, list) else _without(part, chosen)
    if what == 1 and isinstance(part, list):
        return [*part, part[chosen]]
    if what == 1 and isinstance(part, dict):
        return {**part, random.choice(FIELDS): random.choice(ODD)}
    spoiled = _spoil_part(random, part[chosen])
    return part | {chosen: spoiled} if isinstance(part, dict) else [*part[:chosen], spoiled, *part[chosen + 1 :]]


def _without(part: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != name}


def spoiled(random: Random, message: bytes) -> bytes:
    return (spoil_json if random.random() < 0.7 else spoil_bytes)(random, message)


def checked(body: bytes) -> CheckedBody:
    """Return a body as a hub has it that checks it in turns."""
    check = TagCheck(KEY, HeldBody(body))
    while (found := check.advance()) is None:
        pass
    return found


def test_no_body_is_opened_that_was_not_sealed_so() -> None:
    seal = Seal(KEY)
    bodies = [seal.seal(message) for message, _ in MESSAGES.values()]
    for random in inputs("envelope", COUNT):
        body = random.choice(bodies)
        sent = spoil_bytes(random, body)
        if sent != body:
            with pytest.raises(Undecipherable):
                seal.unseal(sent)
            with pytest.raises(Undecipherable):
                checked(sent)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_is_read_or_refused(kind: str) -> None:
    message, decode = MESSAGES[kind]
    for random in inputs(kind, COUNT // 4):
        sent = spoiled(random, message)
        try:
            decode(sent)
        except InvalidMessage:
            continue
        except Exception as error:
            raise AssertionError(f"{kind}: {sent!r}, seed {SEED}") from error


def test_a_hub_with_the_key_takes_or_refuses_what_comes_and_stays_whole(tmp_path: Path) -> None:
    seal = Seal(KEY)
    with Store.open(tmp_path / "hub") as store:
        store.settings.set_encryption_key(KEY)
        hub = Hub(StoreKeeper(store))
        calls: dict[str, Callable[[bytes], Any]] = {
            "push": hub.push,
            "pull": lambda body: list(hub.pull(body).respond(patient=False) or ()),
            "blocks": hub.serve_blocks,
            "blocks of version 2": lambda body: hub.serve_blocks(checked(body)),
        }
        for random in inputs("hub", HUB_COUNT):
            kind = random.choice(("push", "push", "push", "pull", "blocks", "blocks of version 2"))
            sent = spoiled(random, MESSAGES[kind][0])
            try:
                calls[kind](seal.seal(sent))
            except MessageError:
                continue
            except Exception as error:
                raise AssertionError(f"{kind}: {sent!r}, seed {SEED}") from error
        audit(store)
        for key in ["a/b", *list(store.keys())[:100]]:
            store.set(key, b"written here")
            store.delete(key)
        audit(store)


NAMES = ("%", "%@", "%~", "%.", "..", ".kvass", "a", "é", "\0", "/", "\n", "\udc80", "x" * 230, "0123456789abcdef")


def test_names_and_keys_become_each_other_or_are_refused() -> None:
    for random in inputs("names", COUNT):
        name = "".join(random.choice(NAMES) for _ in range(random.randrange(6)))
        in_root = random.random() < 0.5
        try:
            component = paths.component(name, in_root=in_root)
        except paths.InvalidName:
            continue
        except Exception as error:
            raise AssertionError(f"{name!r}, seed {SEED}") from error
        siblings = [component, *("".join(random.choice(NAMES[:6]) for _ in range(2)) for _ in range(2))]
        shown = paths.listed_name(component, siblings, in_root=in_root)
        assert paths.resolve(shown, siblings, in_root=in_root) == component, f"{name!r}, seed {SEED}"


def test_paths_of_keys_lead_back_to_them() -> None:
    for random in inputs("keys", COUNT):
        key = (
            "".join(random.choice(NAMES) for _ in range(1 + random.randrange(6)))
            .replace("\0", "")
            .replace("\udc80", "")
        )
        if not key or len(key) > 200:
            continue
        try:
            assert paths.key_of(paths.path_of(key)) == key, f"{key!r}, seed {SEED}"
        except KvassError as error:
            raise AssertionError(f"{key!r}, seed {SEED}") from error
