"""A real server: its connections, its signals, and what it says."""

from __future__ import annotations

import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.support.certificates import make
from tests.support.hub_process import SECONDS, Device, Server, serving
from tests.support.original import entries_of


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as started:
        yield started


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def fill(server: Server, size: int) -> bytes:
    """Set a key that no socket's buffer takes whole."""
    value = os.urandom(size)
    with Store.open(server.database) as store:
        store.set("large", value)
    return value


# Requests


def test_what_another_process_set_is_pulled(server: Server) -> None:
    with Store.open(server.database) as store:
        store.set("key", b"value")
    (delivery,) = server.device().pull().deliveries
    assert (delivery.entry.key, delivery.value) == ("key", b"value")


def test_answers_have_their_status_and_do_not_name_the_server(server: Server) -> None:
    device = server.device()
    assert device.post("/push?q=SECRET", b"not sealed") == (403, b"kvass: cannot decrypt the message\n")
    assert device.post("/pull", Seal(device.key).seal(b"nonsense"))[0] == 400
    assert device.post("/SECRET%0aPATH?SECRET", b"")[0] == 404
    connection = device.connect()
    connection.request("GET", "/push")
    response = connection.getresponse()
    assert (response.status, response.getheader("Server")) == (405, None)
    assert response.read().startswith(b"kvass: ")
    connection.close()


def test_the_log_has_a_line_for_each_request_and_no_query_or_key(server: Server) -> None:
    device = server.device()
    device.post("/push?q=SECRET", b"1234")
    device.post("/elsewhere?SECRET", b"")
    device.pull()
    server.process.terminate()
    assert server.wait() == 0
    lines = [line for line in server.log().splitlines() if line.startswith("INFO 127.0.0.1 ")]
    assert len(lines) == 3
    assert lines[0].startswith("INFO 127.0.0.1 POST /push 403 4 in 34 out ")
    assert "SECRET" not in server.log()
    assert device.key.hex() not in server.log()
    assert "uvicorn" not in server.log().lower()


def test_a_message_beyond_the_limit_is_refused_and_the_connection_lives_on(tmp_path: Path) -> None:
    with serving(tmp_path, max_body=100_000) as server:
        connection = server.device().connect()
        for _ in range(2):
            connection.request("POST", "/push", bytes(5_000_000))
            response = connection.getresponse()
            assert (response.status, response.read()[:6]) == (413, b"kvass:")
        connection.request("POST", "/push", iter([bytes(60_000)] * 5), encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()
        assert server.device().post("/push", bytes(100_000))[0] == 403


def test_one_connection_carries_many_requests(server: Server) -> None:
    connection = server.device().connect()
    for _ in range(10):
        connection.request("POST", "/push", b"not sealed")
        response = connection.getresponse()
        response.read()
        assert response.status == 403
        assert not response.will_close
    connection.close()


# Long polls


def test_a_change_by_another_process_wakes_twenty_long_polls(server: Server) -> None:
    device = server.device()
    with Store.open(server.database) as store:
        first = store.settings.config().clock + 1
        with ThreadPoolExecutor(20) as threads:
            polls = [threads.submit(device.pull, first, 60.0, 7 + number) for number in range(20)]
            time.sleep(0.5)
            assert not any(poll.done() for poll in polls)
            store.set("key", b"value")
            answers = [poll.result(SECONDS) for poll in polls]
    assert [[delivery.entry.key for delivery in answer.deliveries] for answer in answers] == [["key"]] * 20


def test_a_push_wakes_a_long_poll(server: Server, tmp_path: Path) -> None:
    device = server.device()
    entry = messages.decode_pull_response(
        b'[{"Key":"k","Value":"dg==","UrlToken":"t","TimestampUnixMicro":5,"ProcessID":9,"Counter":3}]'
    )
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(device.pull, 1, 60.0)
        time.sleep(0.2)
        status, body = device.post("/push", Seal(device.key).seal(messages.encode_push(entry.deliveries)))
        assert status == 200
        assert messages.decode_push_response(Seal(device.key).unseal(body)).missing == b""
        assert [delivery.value for delivery in poll.result(SECONDS).deliveries] == [b"v"]


def test_idle_long_polls_are_not_in_the_log_of_requests(server: Server) -> None:
    assert not server.device().pull(1, 0.3).deliveries
    server.process.terminate()
    server.wait()
    assert "DEBUG 127.0.0.1 POST /pull 200 " in server.log()
    assert "INFO 127.0.0.1" not in server.log()


# Long answers


def test_a_slow_reader_of_a_long_answer_holds_up_nobody(server: Server) -> None:
    value = fill(server, 32 * 1024 * 1024)
    device = server.device()
    slow = [device.connect() for _ in range(6)]
    for connection in slow:
        connection.request("POST", "/pull", device.old_pull())
    for _ in range(10):
        assert device.post("/push", b"not sealed")[0] == 403
    assert device.pull().deliveries[0].entry.size == len(value)
    answers = [connection.getresponse() for connection in slow]
    assert all(answer.status == 200 for answer in answers)
    sealed = answers[0].read()
    for connection in slow:
        connection.close()
    (entry,) = entries_of(Seal(device.key).unseal(sealed))
    assert entry.value == value
    assert device.post("/push", b"not sealed")[0] == 403


# The end


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_answers_long_polls_and_ends_well(server: Server, ending: signal.Signals) -> None:
    device = server.device()
    with ThreadPoolExecutor(20) as threads:
        polls = [threads.submit(device.pull, 1, 60.0) for _ in range(20)]
        time.sleep(0.5)
        server.process.send_signal(ending)
        assert server.wait() == 0
        assert all(not poll.result(SECONDS).deliveries for poll in polls)
    assert "Traceback" not in server.log()


def test_an_idle_connection_does_not_hold_up_the_end(server: Server) -> None:
    connection = server.device().connect()
    connection.connect()
    server.process.terminate()
    assert server.wait() == 0
    connection.close()


def test_a_client_that_does_not_read_does_not_hold_up_the_end_for_ever(server: Server) -> None:
    fill(server, 32 * 1024 * 1024)
    device = server.device()
    connection = device.connect()
    connection.request("POST", "/pull", device.old_pull())
    assert connection.getresponse().status == 200
    server.process.terminate()
    assert server.wait() == 0
    connection.close()
    assert "Traceback" not in server.log()


def test_a_second_interrupt_ends_it_at_once(server: Server) -> None:
    fill(server, 32 * 1024 * 1024)
    device = server.device()
    connection = device.connect()
    connection.request("POST", "/pull", device.old_pull())
    assert connection.getresponse().status == 200
    server.process.send_signal(signal.SIGINT)
    until(lambda: not _listens(device))
    server.process.send_signal(signal.SIGINT)
    assert server.wait() == -signal.SIGINT
    connection.close()


def _listens(device: Device) -> bool:
    connection = device.connect()
    try:
        connection.connect()
    except ConnectionError:
        return False
    connection.close()
    return True


IGNORING = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_started_in_the_background_it_heeds_no_interrupt(tmp_path: Path) -> None:
    ignoring = (sys.executable, "-c", IGNORING)
    with serving(tmp_path, prefix=ignoring) as server:
        device = server.device()
        for ignored in (signal.SIGINT, signal.SIGHUP):
            server.process.send_signal(ignored)
        time.sleep(0.5)
        assert device.post("/push", b"not sealed")[0] == 403
        server.process.terminate()
        server.process.send_signal(signal.SIGINT)
        assert server.wait() == 0


# TLS


def test_with_a_certificate_tls_is_spoken(tmp_path: Path) -> None:
    files = make(tmp_path / "tls")
    with serving(tmp_path, tls_cert=str(files.certificate), tls_key=str(files.key)) as server:
        assert server.url.startswith("https://127.0.0.1:")
        device = server.device(ssl.create_default_context(cafile=files.certificate))
        assert device.pull().deliveries == []
        plain = Device(server.url.replace("https", "http"), device.key)
        with pytest.raises(OSError):  # noqa: PT011  reset or closed, as the moment has it
            plain.post("/push", b"not sealed")
        assert device.post("/push", b"not sealed")[0] == 403
