"""What a sealed store's hub can compare, and devices and hubs of which one is sealed and the other is not."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.errors import SyncError, Undecipherable, WrongKey
from kvassfs.kind import Kind
from kvassfs.store import Store
from kvassfs.sync.errors import HubIsSealed, HubNotEmpty
from kvassfs.sync.seal import Seal
from kvassfs.veil.keys import hide_key
from tests.support.hostile_hub import name_refused, read_blocks, read_hub
from tests.support.sealed import KEYS, random_bytes
from tests.support.sealed_rig import SECRET, Rig, open_rig
from tests.support.stores import SECOND
from tests.support.traces import find_traces

MARK = Random(16).randbytes(16)

NAME = f"name of {MARK.hex()}"

LARGE = random_bytes(6 * BLOCK_SIZE + 1000)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with open_rig(tmp_path) as rig:
        yield rig


def find_sent(rig: Rig, *keys: bytes) -> dict[str, set[str]]:
    """Return what of name and value is in what was sent, also once that is opened with one of these keys."""
    found = [body for _, body in rig.sent]
    for body in list(found):
        for key in keys:
            try:
                found.append(bytes(Seal(key).unseal(body)))
            except Undecipherable:
                continue
    assert found
    return find_traces(
        {"value": MARK, "name": NAME.encode(), "hex": MARK.hex().encode()}, [("sent", each) for each in found]
    )


# What is the same at the hub


def test_equal_values_look_different_but_for_the_blocks_of_large_ones(rig: Rig) -> None:
    one, _ = rig.devices
    seen: dict[str, set[str]] = {"small": set(), "tokens": set(), "names": set(), "heads": set()}
    blocks = []
    for _ in range(2):
        for key in ("a", "b"):
            one.set(key, b"the same value")
            one.set(f"large {key}", LARGE)
        rig.clock.advance(SECOND)
        rig.exchange(one)
        for fields in read_hub(rig):
            seen["names"].add(fields["Key"])
            seen["tokens"].add(fields["UrlToken"])
            if fields["Key"] in {hide_key(KEYS, key) for key in "ab"}:
                seen["small"].add(fields["Value"])
            else:
                *full, rest = read_blocks(rig, fields)
                blocks.append(full)
                seen["heads"].add(rest.hex())
    assert {what: len(found) for what, found in seen.items()} == {"names": 4, "tokens": 8, "small": 4, "heads": 4}
    for number, one_value in enumerate(map(b64decode, seen["small"])):
        for other in list(map(b64decode, seen["small"]))[:number]:
            # Neither as a whole nor at one place: no more bytes are equal than by chance, but for version and lengths.
            assert sum(a == b for a, b in zip(one_value[21:], other[21:], strict=True)) < 30
    assert len(blocks) == 4
    assert blocks[0] == blocks[1] == blocks[2] == blocks[3]  # equal large blocks meet
    assert len(set(blocks[0])) == 6


def test_values_of_a_length_or_none_and_tombstones_are_as_long(rig: Rig) -> None:
    one, _ = rig.devices
    for length in (1, 5, 40):
        one.set(f"key {length:2}", b"x" * length)
    one.set("removed", b"x")
    rig.exchange(one)
    one.delete("removed")
    rig.clock.advance(60 * SECOND)
    rig.exchange(one)
    assert len({len(b64decode(fields["Value"])) for fields in read_hub(rig)}) == 1


# A device and a hub of different kinds


def add_marked(rig: Rig, path: Path, kind: str, key: bytes, *, anew: bool = False) -> Store:
    store = rig.add(path, 50, kind, key, anew=anew)
    store.set(NAME, MARK)
    store.set(f"large {NAME}", MARK + LARGE)
    rig.devices.append(store)
    rig.sent.clear()
    return store


@pytest.mark.parametrize("key", [SECRET, bytes(32)], ids=["that of the store", "another"])
def test_a_plain_device_sends_nothing_that_a_sealed_hub_opens(rig: Rig, tmp_path: Path, key: bytes) -> None:
    device = add_marked(rig, tmp_path / "plain", Kind.PLAIN, key)
    for call in ("exchange", "push", "pull"):
        with pytest.raises(WrongKey):
            getattr(rig.synchroniser(device), call)()
    assert find_sent(rig, KEYS.access, key) == {}
    assert rig.hub_store.settings.config().clock == 0
    rig.hub_store.settings.set_encryption_key(key, Kind.PLAIN)
    rig.exchange(device)
    assert find_sent(rig, KEYS.access, key)  # so this finds what is sent plain


def test_a_plain_device_with_the_access_key_sends_nothing_to_where_a_sealed_store_is(rig: Rig, tmp_path: Path) -> None:
    rig.devices[0].set("key", b"value")
    rig.exchange()
    device = add_marked(rig, tmp_path / "plain", Kind.PLAIN, KEYS.access)
    for call in ("push", "exchange", "pull", "push"):
        with pytest.raises(HubIsSealed):
            getattr(rig.synchroniser(device), call)()
    assert find_sent(rig, KEYS.access) == {}


def test_a_sealed_device_sends_nothing_plain_to_a_hub_that_can_read(rig: Rig, tmp_path: Path) -> None:
    """Whatever key that hub has: that of the store, the access key as if it were one, or none of it."""
    for number, key in enumerate((SECRET, bytes(32))):
        rig.hub_store.settings.set_encryption_key(key, Kind.PLAIN)
        device = add_marked(rig, tmp_path / f"sealed{number}", Kind.DEVICE, SECRET)
        for call in ("exchange", "push"):
            with pytest.raises(WrongKey):
                getattr(rig.synchroniser(device), call)()
        assert find_sent(rig, KEYS.access, SECRET, key) == {}
    rig.hub_store.settings.set_encryption_key(KEYS.access, Kind.PLAIN)
    rig.hub_store.set("plain", b"in the clear")
    anew = add_marked(rig, tmp_path / "anew", Kind.DEVICE, SECRET, anew=True)
    for call in ("push", "exchange"):
        with pytest.raises(HubNotEmpty):
            getattr(rig.synchroniser(anew), call)()
    assert not [call for call, _ in rig.sent if call == "push"]
    joined = add_marked(rig, tmp_path / "joined", Kind.DEVICE, SECRET)
    rig.exchange(joined)
    assert name_refused(joined) == {"plain"}
    assert [call for call, _ in rig.sent if call == "push"]
    assert find_sent(rig, KEYS.access, SECRET) == {}


def test_nothing_plain_is_sent_whatever_fails_on_the_way(rig: Rig, tmp_path: Path) -> None:
    """A hub that spoils its answers, refuses and goes away in between."""
    device = add_marked(rig, tmp_path / "device", Kind.DEVICE, SECRET)
    random = Random(17)

    def spoil(call: str, answer: bytes) -> bytes:
        if random.random() < 0.3:
            raise WrongKey(call)
        if random.random() < 0.3:
            return random.choice((b"", answer[:-1], b"<html>", bytes(len(answer))))
        return answer

    rig.spoil = spoil
    for _ in range(30):
        try:
            rig.exchange(device)
        except SyncError:
            continue
    rig.spoil = lambda _, answer: answer
    rig.exchange(device)
    assert device.outbox.count_dirty() == (0, 0)
    assert find_sent(rig, KEYS.access, SECRET) == {}
