"""kvassfs.supervisor: what is said at the socket, and that nobody waits for who does not hear it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs import supervisor
from kvassfs.supervisor import NOBODY, Supervisor


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@kvassfs-test-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(address.replace("@", "\0"))
        bound.settimeout(10)
        yield bound


def test_each_state_is_a_datagram(manager: socket.socket, address: str) -> None:
    told = Supervisor(address, 60)
    told.tell_ready("mounted at /a\nb")
    told.tell_status("é")
    told.tell_alive()
    told.tell_stopping()
    assert [manager.recv(1024) for _ in range(4)] == [
        b"READY=1\nSTATUS=mounted at /a b",
        "STATUS=é".encode(),
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


def test_names_that_are_not_utf_8_are_told_all_the_same(manager: socket.socket, address: str) -> None:
    Supervisor(address).tell_status("/\udcff")
    assert manager.recv(1024) == b"STATUS=/?"


@pytest.mark.parametrize(
    "elsewhere", ["/no/such/socket", "@no such socket", "relative", "vsock:2:1", "/" + "x" * 200, "\udcff"]
)
def test_where_nobody_hears_it_nothing_is_raised(elsewhere: str) -> None:
    Supervisor(elsewhere).tell_ready("ready")


def test_a_manager_that_does_not_read_is_not_waited_for_long(
    manager: socket.socket, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SEND_SECONDS", 0.01)
    told, begun = Supervisor(address), time.monotonic()
    for _ in range(600):  # more than the system lets wait (net.unix.max_dgram_qlen)
        told.tell_alive()
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(("watchdog", "interval"), [(60.0, 30.0), (0.5, 0.25), (None, None)])
def test_alive_is_to_be_told_twice_in_the_time(watchdog: float | None, interval: float | None) -> None:
    assert Supervisor("", watchdog).interval == interval


def test_nobody_is_told_nothing() -> None:
    NOBODY.tell_ready("ready")
    assert NOBODY.interval is None
