"""A process that is stopped while it has the write lock: reading goes on, a save fails soon, and works afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.errors import StoreBusy, ValueReplaced
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.store import HUB, MOUNT, Store, StoredValue
from kvassfs.sync import messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import Seal
from tests.support.stopped import go_on, write_lock_held
from tests.support.stores import audit_clean, count, save

LARGE = os.urandom(6 * 1024 * 1024)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "kvass.sqlite") as store:
        store.set("small", b"value")
        store.set("large", LARGE)
        store.set("large", LARGE[::-1])
    return tmp_path / "kvass.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path, profile=MOUNT) as store:
        yield store


def test_a_save_says_who_is_in_its_way_and_a_second_one_works(path: Path, store: Store) -> None:
    draft = store.tree.draft()
    draft.write(0, b"saved")
    with write_lock_held(path) as holder:
        for _ in range(2):
            with pytest.raises(StoreBusy, match=f"locked by process {holder.pid}, which is stopped"):
                save(store, "small", b"other")
        with pytest.raises(StoreBusy):
            draft.commit(lambda content: content)
        go_on(holder)
    assert draft.read(0, 10) == b"saved"
    save(store, "small", draft.read(0, 10))
    assert store.get("small").read() == b"saved"


def test_all_is_read(path: Path, store: Store) -> None:
    with write_lock_held(path):
        assert list(store.keys()) == ["large", "small"]
        assert store.get("large").read() == LARGE[::-1]
        assert store.history.get("large", 1).read() == LARGE
        for key, draft in (("large", store.tree.open("large")[1]), ("old", store.history.open("large", 1))):
            assert draft.read(0, len(LARGE)) == (LARGE if key == "old" else LARGE[::-1])
            draft.close()
        node = store.tree.file("large")
        assert node is not None
        with store.values.held(StoredValue(node.size, node.content, None)) as reader:
            assert b"".join(reader.pieces()) == LARGE[::-1]
        with Store.open(path) as other:
            assert other.get("small").read() == b"value"
    audit_clean(store)


def test_what_is_held_is_let_go_of_later(path: Path, store: Store) -> None:
    _, draft = store.tree.open("large")
    with write_lock_held(path) as holder:
        draft.close()
        assert count(store, "pins") == 1
        go_on(holder)
    store.tree.open("large")[1].close()
    assert count(store, "pins") == 0


def test_a_file_that_was_opened_meanwhile_can_be_written_afterwards(path: Path, store: Store) -> None:
    with write_lock_held(path) as holder:
        _, draft = store.tree.open("large")
        with pytest.raises(StoreBusy):
            draft.write(0, b"x")
        assert draft.read(0, 4) == LARGE[::-1][:4]
        go_on(holder)
    draft.write(0, b"xyz")
    assert draft.read(0, 4) == b"xyz" + LARGE[::-1][3:4]
    draft.close()
    audit_clean(store)


def test_one_that_was_replaced_since_is_not_written_over(path: Path, store: Store) -> None:
    with write_lock_held(path) as holder:
        _, draft = store.tree.open("large")
        go_on(holder)
    save(store, "large", b"new")
    assert draft.read(0, len(LARGE)) == LARGE[::-1]
    with pytest.raises(ValueReplaced):
        draft.write(0, b"x")
    draft.close()


@pytest.mark.parametrize("first", [1, 1000])
def test_a_pull_of_what_was_sent_before_needs_no_lock(path: Path, first: int) -> None:
    with Store.open(path, profile=HUB) as store:
        hub = Hub(StoreKeeper(store))
        seal = Seal(store.settings.config().encryption_key)

        def pull(device: int) -> messages.PullResponse:
            request = messages.PullRequest(first, device, messages.VERSION, 0.0)
            pieces = hub.pull(seal.seal(messages.encode_pull_request(request))).respond(patient=False)
            assert pieces is not None
            return messages.decode_pull_response(seal.unseal(b"".join(pieces)))

        before = pull(7)
        with write_lock_held(path):
            for device in (7, 8):
                assert len(pull(device).deliveries) == len(before.deliveries) == (2 if first == 1 else 0)


def test_a_pull_of_what_is_new_waits_where_the_device_does(path: Path) -> None:
    with Store.open(path, profile=HUB) as store:
        seal = Seal(store.settings.config().encryption_key)
        request = messages.PullRequest(1, 7, messages.VERSION, 5.0)
        pull = Hub(StoreKeeper(store)).pull(seal.seal(messages.encode_pull_request(request)))
        with write_lock_held(path) as holder:
            assert pull.respond(patient=True) is None
            with pytest.raises(StoreBusy):
                pull.respond(patient=False)
            go_on(holder)
        assert pull.respond(patient=True) is not None


def test_an_idle_pull_writes_nothing(path: Path) -> None:
    with Store.open(path, profile=HUB) as store, Store.open(path) as other:
        hub = Hub(StoreKeeper(store))
        seal = Seal(store.settings.config().encryption_key)
        request = seal.seal(messages.encode_pull_request(messages.PullRequest(1000, 7, messages.VERSION, 0.0)))
        assert hub.pull(request).respond(patient=False) is not None
        before = other._database.data_version()
        for _ in range(3):
            assert hub.pull(request).respond(patient=False) is not None
        assert other._database.data_version() == before
