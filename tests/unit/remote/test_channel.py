"""Connections that are slow, break, are kept, and are cut by another thread."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from contextlib import closing, suppress
from typing import Any

import pytest

from kvassfs.errors import HubFailed, HubUnreachable, WrongKey
from kvassfs.remote.allowance import TooLate
from kvassfs.remote.channel import Channel, Twin
from kvassfs.remote.http import HttpRemote
from tests.support.servers import (
    LONG,
    MINUTE,
    SHORT,
    Script,
    answer,
    answers,
    echo,
    end_during,
    failure,
    head_of,
    patient,
    post,
    request_of,
    reset,
    serving,
    silence,
)


def test_a_hub_that_never_answers_is_given_up() -> None:
    with serving(silence) as server, pytest.raises(HubUnreachable) as raised:
        post(server.address, limits=SHORT)
    assert raised.value.reason == "no answer within 0.3 s"
    assert str(raised.value).startswith(f"cannot reach the hub {server.address}: no answer within 0.3 s; ")


def test_a_hub_that_takes_nothing_in_is_given_up() -> None:
    with serving(lambda _: time.sleep(0.8)) as server, pytest.raises(HubUnreachable) as raised:
        post(server.address, bytes(32 * 1024 * 1024), SHORT)
    assert raised.value.reason == "no answer within 0.3 s"


def test_a_long_poll_may_take_as_long_as_it_says() -> None:
    def script(connection: socket.socket) -> None:
        request_of(connection)
        time.sleep(0.6)
        connection.sendall(answer("200 OK", b"late"))

    with serving(script) as server, closing(HttpRemote(server.address, SHORT)) as remote:
        assert remote.post("pull", b"", wait=0.6) == b"late"


def test_a_long_poll_is_given_up_in_the_end() -> None:
    with (
        serving(silence) as server,
        closing(HttpRemote(server.address, SHORT)) as remote,
        pytest.raises(HubUnreachable) as raised,
    ):
        remote.post("pull", b"", wait=0.2)
    assert raised.value.reason == "no answer within 0.5 s"


# Cut off


def test_a_connection_closed_without_an_answer_is_told() -> None:
    error = failure(b"")
    assert isinstance(error, HubUnreachable)
    assert error.reason == "the connection was closed before the end of the answer"


@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123456789",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1234",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\nxyz\r\n",
    ],
)
def test_an_answer_that_ends_too_early_is_none(part: bytes) -> None:
    error = failure(part)
    assert isinstance(error, HubUnreachable)
    assert "the answer" in error.reason


def test_a_whole_answer_in_chunks_is_one() -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n2\r\n56\r\n0\r\n\r\n"
    with serving(answers(reply)) as server:
        assert post(server.address) == b"123456"


def test_an_answer_that_ends_with_the_connection_is_one() -> None:
    with serving(answers(b"HTTP/1.1 200 OK\r\n\r\n123")) as server:
        assert post(server.address) == b"123"


def test_a_connection_reset_in_the_middle_of_the_answer_is_told() -> None:
    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")
        time.sleep(0.1)
        reset(connection)

    with serving(script) as server, pytest.raises(HubUnreachable, match="in the middle of the answer"):
        post(server.address)


def test_a_connection_cut_in_the_middle_of_the_request_is_told() -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        reset(connection)

    with (
        serving(script) as server,
        pytest.raises(HubUnreachable, match=r"connection reset by peer|closed before the end of"),
    ):
        post(server.address, bytes(32 * 1024 * 1024))


def test_an_answer_before_the_end_of_the_request_is_heard() -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(answer("403 Forbidden", b"kvass: cannot decrypt", "Connection: close"))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(MINUTE)
        silence(connection)

    with serving(script) as server, pytest.raises(WrongKey):
        post(server.address, bytes(8 * 1024 * 1024))


class Broken(socket.socket):
    """A socket that fails in a way of its own."""

    failure: OSError

    def recv_into(self, *_: Any, **__: Any) -> int:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (TimeoutError(errno.ETIMEDOUT, "by the probes of the kernel"), TimeoutError),
        (ssl.SSLEOFError(8, "no goodbye"), ConnectionResetError),
        (ssl.SSLZeroReturnError(6, "goodbye"), ConnectionResetError),
    ],
)
def test_a_link_found_dead_is_a_broken_connection(failure: OSError, told: type[OSError]) -> None:
    near, far = socket.socketpair()
    with far, Broken(fileno=near.detach()) as broken:
        broken.failure = failure
        channel = Channel(broken, Twin(broken), MINUTE, time.monotonic)
        with pytest.raises(told) as raised:
            channel.receive_into(bytearray(1))
        assert not isinstance(raised.value, TooLate)
        channel.close()


# Slow, and too slow


def test_an_answer_that_only_drips_is_given_up() -> None:
    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)

    with serving(script) as server, pytest.raises(HubUnreachable) as raised:
        post(server.address, limits=SHORT)
    assert raised.value.reason == "the answer stalled"


def test_a_head_that_only_drips_is_given_up() -> None:
    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1000):
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)

    with serving(script) as server, pytest.raises(HubUnreachable, match="the answer stalled"):
        post(server.address, limits=SHORT)


def test_a_slow_answer_that_moves_is_waited_for() -> None:
    body = bytes(20 * 1024)

    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer("200 OK", body)[: -len(body)])
        for _ in range(10):
            time.sleep(0.08)
            connection.sendall(bytes(2 * 1024))

    with serving(script) as server:
        assert post(server.address, limits=SHORT) == body


def test_a_slow_upload_that_moves_is_waited_for() -> None:
    size = 2 * 1024 * 1024

    def script(connection: socket.socket) -> None:
        _, body = head_of(connection)
        taken = len(body)
        while taken < size:
            time.sleep(0.01)
            taken += len(connection.recv(16 * 1024))
        connection.sendall(answer("200 OK", str(taken).encode()))

    with serving(script, receive_buffer=16 * 1024) as server:
        assert post(server.address, bytes(size), SHORT) == str(size).encode()


# Connections that are kept


def test_a_connection_serves_many_calls() -> None:
    with serving(echo) as server, closing(HttpRemote(server.address, LONG)) as remote:
        for number in range(5):
            assert remote.post("pull", b"%d" % number) == b"%d" % number
        assert server.connections == 1


def test_a_failure_that_was_answered_keeps_the_connection() -> None:
    with (
        serving(answers(answer("503 Busy", b"kvass: busy"), answer("200 OK", b"now"))) as server,
        closing(HttpRemote(server.address, LONG)) as remote,
    ):
        with pytest.raises(HubFailed):
            remote.post("pull", b"")
        assert remote.post("pull", b"") == b"now"
        assert server.connections == 1


def test_a_kept_connection_that_the_hub_has_closed_is_made_anew() -> None:
    with serving(answers(answer("200 OK", b"1")), echo) as server, closing(HttpRemote(server.address, LONG)) as remote:
        assert remote.post("pull", b"") == b"1"
        time.sleep(0.05)
        assert remote.post("pull", b"2") == b"2"


@pytest.mark.parametrize("how", [reset, socket.socket.close])
def test_a_kept_connection_that_breaks_during_a_call_is_made_anew(how: Script) -> None:
    def script(connection: socket.socket) -> None:
        answers(answer("200 OK", b"1"))(connection)
        request_of(connection)
        how(connection)

    with serving(script, echo) as server, closing(HttpRemote(server.address, LONG)) as remote:
        assert remote.post("pull", b"") == b"1"
        assert remote.post("pull", b"2") == b"2"
        assert server.connections == 2


def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    with serving(answers(b"")) as server:
        with pytest.raises(HubUnreachable):
            post(server.address)
        assert server.connections == 1


def test_a_kept_connection_that_breaks_within_an_answer_is_not_tried_again() -> None:
    with (
        serving(answers(answer("200 OK", b"1"), b"HTTP/1.1 200")) as server,
        closing(HttpRemote(server.address, LONG)) as remote,
    ):
        remote.post("pull", b"")
        with pytest.raises(HubUnreachable):
            remote.post("pull", b"")
        assert server.connections == 1


def test_a_kept_connection_that_is_silent_is_not_tried_again() -> None:
    def script(connection: socket.socket) -> None:
        answers(answer("200 OK", b"1"))(connection)
        silence(connection)

    with serving(script) as server, closing(HttpRemote(server.address, SHORT)) as remote:
        remote.post("pull", b"")
        with pytest.raises(HubUnreachable, match="no answer within"):
            remote.post("pull", b"")
        assert server.connections == 1


def test_a_body_that_comes_only_once_goes_over_a_new_connection() -> None:
    with serving(echo) as server, closing(HttpRemote(server.address, LONG)) as remote:
        remote.post("push", b"")
        remote.post("push", iter([b"once"]))
        assert server.connections == 2


def test_the_hub_is_reached_again_after_a_failure() -> None:
    with serving(answers(b""), echo) as server, closing(HttpRemote(server.address, LONG)) as remote:
        with pytest.raises(HubUnreachable):
            remote.post("pull", b"1")
        assert remote.post("pull", b"2") == b"2"


# The end


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123"])
@pytest.mark.parametrize("header", ["X: y", "Connection: close"])
def test_closing_ends_a_call_of_another_thread(part: bytes, header: str) -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(part.replace(b"OK", f"OK\r\n{header}".encode()))
        time.sleep(0.1)
        begun.set()
        silence(connection)

    with serving(script) as server:
        assert end_during(patient(server.address), begun) == "the exchange was ended"
        assert server.connections == 1


def test_closing_ends_a_call_over_a_kept_connection() -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        answers(answer(), b"")(connection)
        begun.set()
        silence(connection)

    with serving(script) as server:
        remote = patient(server.address)
        remote.post("pull", b"")
        assert end_during(remote, begun) == "the exchange was ended"
        assert server.connections == 1


def test_closing_ends_a_call_that_sends() -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        head_of(connection)
        begun.set()
        time.sleep(0.5)

    with serving(script) as server:
        remote = patient(server.address)
        assert end_during(remote, begun, bytes(32 * 1024 * 1024)) == "the exchange was ended"


def test_after_closing_nothing_is_connected_to() -> None:
    with serving(echo) as server:
        remote = patient(server.address)
        remote.post("pull", b"")
        remote.close()
        remote.close()
        with pytest.raises(HubUnreachable, match="the exchange was ended"):
            remote.post("pull", b"")
        assert server.connections == 1


def test_closing_leaves_no_connection_to_the_hub() -> None:
    gone = threading.Event()

    def script(connection: socket.socket) -> None:
        with suppress(EOFError):
            echo(connection)
        gone.set()

    with serving(script) as server:
        remote = patient(server.address)
        remote.post("pull", b"")
        remote.close()
        assert gone.wait(MINUTE)
