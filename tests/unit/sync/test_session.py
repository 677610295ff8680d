"""kvassfs.sync.session: the way to the hub is opened anew whenever it has to be, whoever hangs up when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from kvassfs.remote.http import TimeLimits
from kvassfs.store import FOLLOWER, Store
from kvassfs.sync.session import Session


class Way:
    """A way to a hub that nothing is sent by."""

    address = "hub.example"

    def __init__(self) -> None:
        self.closed = False

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = 0) -> bytes:
        raise AssertionError(call)

    def close(self) -> None:
        self.closed = True


class Rig:
    """A session, and the ways that it has opened; ``meanwhile`` is called when it opens one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ways: list[Way] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.session = Session(store, self._connect)

    def _connect(self, _address: str, _limits: TimeLimits) -> Way:
        self.ways.append(Way())
        self.meanwhile()
        return self.ways[-1]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Store.open(tmp_path / "db", profile=FOLLOWER) as store:
        store.settings.set_remote("hub.example")
        yield Rig(store)


def test_one_way_serves_as_long_as_nothing_changes(rig: Rig) -> None:
    first = rig.session.synchroniser()
    assert first is not None
    assert rig.session.synchroniser() is first
    assert len(rig.ways) == 1


@pytest.mark.parametrize("change", ["remote", "key", "limits"])
def test_another_configuration_opens_it_anew(rig: Rig, change: str) -> None:
    first = rig.session.synchroniser()
    if change == "remote":
        rig.store.settings.set_remote("other.example")
    elif change == "key":
        rig.store.settings.set_encryption_key(bytes(32))
    else:
        rig.store.settings.set_timeouts(5, 6)
    second = rig.session.synchroniser()
    assert None is not second is not first
    assert [way.closed for way in rig.ways] == [True, False]


def test_without_a_hub_there_is_none(rig: Rig) -> None:
    rig.session.synchroniser()
    rig.store.settings.set_remote("")
    assert rig.session.synchroniser() is None
    assert [way.closed for way in rig.ways] == [True]


def test_who_hangs_up_ends_what_goes_on_and_the_next_exchange_opens_it_anew(rig: Rig) -> None:
    first = rig.session.synchroniser()
    rig.session.hang_up()
    assert rig.session.hung_up
    assert rig.ways[0].closed
    second = rig.session.synchroniser()
    assert None is not second is not first
    assert not rig.session.hung_up


def test_hanging_up_while_it_is_opened_leaves_one_that_works(rig: Rig) -> None:
    """Once, the session took itself to be open, without a way to the hub, for ever."""
    rig.meanwhile = rig.session.hang_up
    assert rig.session.synchroniser() is not None
    assert rig.session.synchroniser() is not None
