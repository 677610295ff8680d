"""Connecting within a limit: names, several addresses, and nobody there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from kvassfs.errors import HubUnreachable
from kvassfs.remote.dialer import Dialer
from kvassfs.remote.http import HttpRemote, TimeLimits
from tests.support.servers import MINUTE, SHORT, echo, end_during, post, serving, silence


def test_a_refused_connection_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(HubUnreachable) as raised:
        post(f"127.0.0.1:{port}")
    assert raised.value.reason == "connection refused"
    assert raised.value.remote == f"127.0.0.1:{port}"


def test_a_name_that_is_not_known_is_told() -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(HubUnreachable) as raised:
        post("hub.invalid", resolve=resolve)
    assert raised.value.reason == "its name is not known (name or service not known)"


def test_a_name_that_no_host_can_have_is_told() -> None:
    with pytest.raises(HubUnreachable):
        post("a..b")
    with pytest.raises(HubUnreachable):
        post("a" * 64 + ".example")


def test_a_look_up_that_hangs_is_given_up() -> None:
    released = threading.Event()

    def resolve(*_: Any, **__: Any) -> Any:
        released.wait(MINUTE)
        return []

    with pytest.raises(HubUnreachable) as raised:
        post("hub.invalid", limits=SHORT, resolve=resolve)
    released.set()
    assert raised.value.reason == "its name was not found within 0.3 s"


def test_a_look_up_that_finds_nothing_is_told() -> None:
    with pytest.raises(HubUnreachable, match="it has no address"):
        post("hub.invalid", resolve=lambda *_, **__: [])


@contextmanager
def black_hole() -> Iterator[tuple[str, int]]:
    """Listen, but let the kernel drop every attempt to connect: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


def test_a_connection_that_does_not_come_about_is_given_up() -> None:
    with black_hole() as (host, port), pytest.raises(HubUnreachable) as raised:
        post(f"{host}:{port}", limits=SHORT)
    assert raised.value.reason == "no connection within 0.3 s"


def test_another_address_of_the_name_is_tried_beside_a_dead_one() -> None:
    with black_hole() as dead, serving(echo) as server:

        def resolve(*_: Any, **__: Any) -> Any:
            stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            unusable = (12345, socket.SOCK_STREAM, 6, "")
            refused = ("127.0.0.1", 1)
            broadcast = ("255.255.255.255", 1)
            good = ("127.0.0.1", server.port)
            return [(*unusable, dead), *((*stream, each) for each in (broadcast, dead, refused, good))]

        assert post("hub.invalid", limits=TimeLimits(2, 2), resolve=resolve) == b"sealed"


def test_closing_while_a_name_is_looked_up_ends_the_call() -> None:
    begun = threading.Event()
    released = threading.Event()

    with serving(silence) as server:

        def resolve(*_: Any, **__: Any) -> Any:
            begun.set()
            released.wait(MINUTE)
            return socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)

        class Releasing(HttpRemote):
            def close(self) -> None:
                super().close()
                released.set()

        remote = Releasing("hub.invalid", TimeLimits(MINUTE, MINUTE), resolve=resolve)
        assert end_during(remote, begun) == "the exchange was ended"


def test_a_connection_asks_the_kernel_to_notice_a_dead_link() -> None:
    dialer = Dialer(5, 5)
    with serving(silence) as server, closing(dialer.dial("127.0.0.1", server.port)) as connected:
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 2
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 1
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 2
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        dialer.hang_up()
