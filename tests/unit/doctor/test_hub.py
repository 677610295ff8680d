"""kvassfs.doctor.hub"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.doctor.finding import Finding
from kvassfs.doctor.hub import Hub, collect_hub, judge_hub
from kvassfs.errors import HubUnreachable, WrongKey
from kvassfs.store import Store
from tests.support.near_hub import NearHub, near_hub

HUB = Hub("hub:8000", version=2, difference=200_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db") as opened:
        yield opened


@pytest.fixture
def near(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NearHub]:
    with near_hub(store, tmp_path / "hub", monkeypatch) as hub:
        yield hub


@pytest.mark.parametrize(
    ("hub", "findings"),
    [
        (Hub(""), [Finding("hub", "ok", "none is set; this store stands alone, or is the hub")]),
        (
            HUB,
            [
                Finding("hub", "ok", "hub:8000 answers, protocol version 2"),
                Finding("key", "ok", "the hub accepts it"),
                Finding("clock", "ok", "within 1 s of the hub's"),
            ],
        ),
        (HUB._replace(version=0, difference=None), [Finding("hub", "ok", "hub:8000 was not asked")]),
        (
            Hub("hub:8000", WrongKey("hub:8000")),
            [
                Finding("hub", "ok", "hub:8000 answers"),
                Finding(
                    "key",
                    "wrong",
                    "the hub hub:8000 has another encryption key",
                    "type `kvass pair` on a device that it accepts, and the line that appears, with --merge, on this one"
                    " (or set the key with `kvass config key`): nothing here is lost",
                ),
            ],
        ),
        (
            Hub("hub:8000", HubUnreachable("hub:8000", "connection refused"), difference=-3_600_000_000),
            [
                Finding(
                    "hub",
                    "wrong",
                    "cannot reach the hub hub:8000: connection refused",
                    "check that it runs there and that the network is up",
                ),
                Finding(
                    "clock",
                    "warning",
                    "the clock of this machine is 1:00:00 ahead of that of the hub, which dates what is written",
                    "set it right, with: timedatectl set-ntp true",
                ),
            ],
        ),
    ],
)
def test_what_is_known_of_the_hub_in_words(hub: Hub, findings: list[Finding]) -> None:
    assert list(judge_hub(hub)) == findings


def test_a_hub_that_answers(store: Store, near: NearHub) -> None:
    found = collect_hub(store, offline=False)
    assert (found.address, found.error, found.version) == (near.address, None, 2)
    assert found.difference is not None
    assert abs(found.difference) < 1_000_000
    ((_, limits),) = near.opened
    assert tuple(limits) == (1.0, 5.0, 16.0)


def test_a_hub_that_does_not(store: Store, near: NearHub) -> None:
    near.be_down()
    assert isinstance(collect_hub(store, offline=False).error, HubUnreachable)
    near.refuse_the_key()
    assert isinstance(collect_hub(store, offline=False).error, WrongKey)


def test_a_hub_is_left_alone_offline(store: Store, near: NearHub) -> None:
    assert collect_hub(store, offline=True) == Hub(near.address)
    assert near.calls == []


def test_without_a_hub_nobody_is_asked(store: Store) -> None:
    assert collect_hub(store, offline=False) == Hub("")


def test_one_that_is_silent_is_not_waited_for_long(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store.settings.set_remote(f"127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        found = collect_hub(store, offline=False, patience=0.2)
    assert isinstance(found.error, HubUnreachable)
    assert time.monotonic() - begun < 5
