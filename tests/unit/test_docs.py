"""What the documents say: the examples of the protocol, its limits, and the files that are named."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kvassfs import block
from kvassfs.errors import InvalidMessage
from kvassfs.pairing import claim, post_office
from kvassfs.pairing import messages as pairing
from kvassfs.remote import http
from kvassfs.server import hub_requests
from kvassfs.store import peers, schema
from kvassfs.sync import block_messages, entry_messages, hub, hub_client, messages
from kvassfs.sync.limits import DEVICE_LIMITS, HUB_LIMITS, LARGEST_PAGE
from kvassfs.sync.seal import HeldBody, compute_mark
from tests.support import golden_data
from tests.support.programs import need

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "contrib/doc"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "contrib/man").iterdir())
DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def array_of(text: bytes) -> bytes:
    """Decode an array as a client of the original does, which ignores ``Type``, and encode it as a hub does."""
    entries = entry_messages.decode_entries(json.loads(text))
    return b"".join(messages.encode_array([(each, [each.value or b""]) for each in entries], pushed=False))


def with_blocks(header: bytes) -> bytes:
    """Return a message about blocks whose header is the example."""
    fields = json.loads(header)
    return header + b"\n" + bytes(sum(size for size in fields.get("Put", fields.get("Sizes")) if size > 0))


def header_of(message: list[block_messages.Block]) -> bytes:
    return bytes(message[0]).removesuffix(b"\n")


KINDS: dict[str, Callable[[bytes], Any]] = {
    "push": lambda text: messages.encode_push(messages.decode_push(text)),
    "push-response": lambda text: messages.encode_push_response(messages.decode_push_response(text)),
    "echo": lambda text: messages.encode_push(entry_messages.decode_entries(json.loads(text))),
    "pull": lambda text: messages.encode_pull_request(messages.decode_pull_request(text)),
    "pull-response": lambda text: messages.encode_pull_response(messages.decode_pull_response(text)),
    "pull-response-1": array_of,
    "blocks": lambda text: header_of(
        block_messages.encode_blocks_request(block_messages.decode_blocks_request(with_blocks(text)))
    ),
    "blocks-response": lambda text: header_of(
        block_messages.encode_blocks_response(*block_messages.decode_blocks_response(with_blocks(text)))
    ),
    "pair": lambda text: pairing.encode_pair_request(pairing.decode_pair_request(text)),
    "pair-response": lambda text: pairing.encode_pair_response(pairing.decode_pair_response(text)),
    "join": lambda text: pairing.encode_join_request(pairing.decode_join_request(text)),
    "join-response": lambda text: pairing.encode_join_response(pairing.decode_join_response(text)),
    "claim": lambda text: claim.encode_claim(claim.decode_claim(text)),
    "claim-response": lambda text: claim.encode_proof(claim.decode_proof(text)),
    "introduction": lambda text: pairing.encode_introduction(pairing.decode_introduction(text)),
    "handover": lambda text: pairing.encode_handover(pairing.decode_handover(text)),
}
"""What decodes and encodes an example of this program, by the word behind ``json``."""

GOLDEN: dict[str, Callable[[bytes], object]] = {
    "push.request": messages.decode_push,
    "pull.request": messages.decode_pull_request,
    "pull.response": messages.decode_pull_response,
}

LIMITS = {
    "blocks in a message": HUB_LIMITS.page_blocks,
    "bytes of a block": block.BLOCK_SIZE,
    "bytes of a value that travels in its entry": HUB_LIMITS.whole_bytes,
    "bytes of a page that a hub hands out": HUB_LIMITS.page_bytes,
    "bytes of a page that a device sends and asks for": DEVICE_LIMITS.page_bytes,
    "bytes of a request that a hub takes": hub_requests.MAX_BODY,
    "bytes of a response that a device takes": http.MAX_RESPONSE,
    "the same of a hub of version 2": LARGEST_PAGE,
    "bytes of the largest value": block.LARGEST_SIZE,
    "bytes of a value that is sent to the original": HUB_LIMITS.original_bytes,
    "blocks that are listed one by one": entry_messages.LISTED_BLOCKS,
    "seconds that a pull waits": int(hub.MAX_WAIT),
    "incarnations that are remembered": peers.KEPT_INCARNATIONS,
    "bytes of a request or response of `/join`": pairing.MAX_JOIN,
    "seconds that a mailbox stays": post_office.LIFETIME,
    "mailboxes that are open at a time": post_office.MAX_OPEN,
    "tries of the same before an exchange fails": hub_client.TRIES,
}


def examples(language: str, word: str | None = None) -> list[tuple[str, str]]:
    """Return name and text of the examples; behind ``json`` or ``text`` stands a name, or a ``word`` and then a name."""
    heading = rf"{language} {word + ' ' if word else ''}(\S+)"
    return re.findall(rf"^```{heading}\n(.*?)^```$", PROTOCOL, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("kind", "text"), examples("json"))
def test_an_example_is_what_this_program_sends(kind: str, text: str) -> None:
    # With a line break of its own, the header of a message about blocks would end too soon.
    compact = json.dumps(json.loads(text)).encode()
    assert json.loads(KINDS[kind](compact)) == json.loads(text)


def test_every_kind_of_message_has_an_example() -> None:
    assert {kind for kind, _ in examples("json")} == set(KINDS)


@pytest.mark.parametrize(("name", "text"), examples("json", "golden"))
def test_an_example_of_the_original_is_what_was_recorded(name: str, text: str) -> None:
    assert json.loads(text) == json.loads(golden_data.plaintext(name))
    assert GOLDEN[name.partition("-")[2]](golden_data.plaintext(name))


@pytest.mark.parametrize(("name", "text"), examples("text", "sealed"))
def test_the_sealed_example_is_what_was_recorded(name: str, text: str) -> None:
    assert bytes.fromhex(text) == golden_data.body(name)


@pytest.mark.parametrize(("name", "text"), examples("text", "mark"))
def test_the_mark_is_that_of_the_sealed_example(name: str, text: str) -> None:
    assert text.strip() == compute_mark(HeldBody(golden_data.body(name)))


def test_the_key_is_that_of_the_recordings() -> None:
    assert [bytes.fromhex(text) for _, text in examples("text")] == [golden_data.KEY]


def test_an_array_of_this_program_is_no_response_to_it() -> None:
    (text,) = [text for kind, text in examples("json") if kind == "pull-response-1"]
    with pytest.raises(InvalidMessage):
        messages.decode_pull_response(text.encode())


def test_every_field_of_an_example_is_explained() -> None:
    fields = set(re.findall(r'"([A-Z]\w+)":', "".join(text for _, text in examples("json"))))
    assert [field for field in sorted(fields) if f"`{field}`" not in PROTOCOL] == []


def test_the_limits_are_those_of_the_code() -> None:
    table = PROTOCOL.partition("## Limits")[2].partition("\n## ")[0]
    assert {what: int(limit) for what, limit in re.findall(r"^\| (.+?) \| (\d+) \|$", table, re.MULTILINE)} == LIMITS


def test_every_version_of_the_schema_is_in_the_table() -> None:
    text = (DOCS / "schema.md").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == [
        *range(1, schema.VERSION + 1)
    ]
    assert sorted(schema.MIGRATIONS) == [*range(1, schema.VERSION)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`\.?/?((?:kvassfs|cli|tests|contrib)/[\w./-]+)", text)
    linked = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in target]
    missing = [name for name in named if not (ROOT / name).exists() and not re.search("NAME|ROOM|MODULE", name)]
    missing += [name for name in linked if not (document.parent / name).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_of_the_manual_is_sound(page: Path) -> None:
    need("mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_of_the_manual_names_pages_that_there_are(page: Path) -> None:
    ours = {f"{path.stem} {path.suffix[1:]}" for path in PAGES}
    named = {name for name in re.findall(r"^\.Xr (\S+ \d)", page.read_text(), re.MULTILINE) if name.startswith("kvass")}
    assert named <= ours
    assert named == ours - {f"{page.stem} {page.suffix[1:]}"}
