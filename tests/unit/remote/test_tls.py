"""Calls to a hub over TLS."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import HubTlsFailed, HubUnreachable
from kvassfs.remote.http import HttpRemote
from tests.support.servers import (
    LONG,
    SHORT,
    Authority,
    Script,
    answer,
    answers,
    echo,
    end_during,
    head_of,
    patient,
    post,
    request_of,
    serving,
    silence,
)


def tls_failure(script: Script) -> str:
    with serving(script) as server, pytest.raises(HubTlsFailed) as raised:
        post(f"https://{server.address}")
    return raised.value.reason


def test_a_hub_is_called_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    body = bytes(range(256)) * 8192
    with (
        serving(authority.over_tls(echo)) as server,
        closing(HttpRemote(f"https://{server.address}", LONG)) as remote,
    ):
        assert remote.post("pull", body) == body
        assert remote.post("pull", b"") == b""
        assert server.connections == 1


def test_limits_hold_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with serving(authority.over_tls(silence)) as server, pytest.raises(HubUnreachable) as raised:
        post(f"https://{server.address}", limits=SHORT)
    assert raised.value.reason == "no answer within 0.3 s"
    with serving(authority.over_tls(lambda _: time.sleep(0.8))) as server, pytest.raises(HubUnreachable) as raised:
        post(f"https://{server.address}", bytes(32 * 1024 * 1024), SHORT)
    assert raised.value.reason == "no answer within 0.3 s"


def test_a_slow_upload_over_tls_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    size = 2 * 1024 * 1024

    def script(connection: socket.socket) -> None:
        _, body = head_of(connection)
        taken = len(body)
        while taken < size:
            time.sleep(0.01)
            taken += len(connection.recv(16 * 1024))
        connection.sendall(answer("200 OK", str(taken).encode()))

    with serving(authority.over_tls(script), receive_buffer=16 * 1024) as server:
        assert post(f"https://{server.address}", bytes(size), SHORT) == str(size).encode()


def test_a_kept_connection_over_tls_that_breaks_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))

    def script(connection: socket.socket) -> None:
        answers(answer("200 OK", b"1"))(connection)
        request_of(connection)
        connection.close()

    with (
        serving(authority.over_tls(script), authority.over_tls(echo)) as server,
        closing(HttpRemote(f"https://{server.address}", LONG)) as remote,
    ):
        assert remote.post("pull", b"") == b"1"
        assert remote.post("pull", b"2") == b"2"
        assert server.connections == 2


def test_closing_ends_a_call_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        request_of(connection)
        begun.set()
        silence(connection)

    with serving(authority.over_tls(script)) as server:
        assert end_during(patient(f"https://{server.address}"), begun) == "the exchange was ended"


def test_a_certificate_that_signs_itself_is_refused(tmp_path: Path) -> None:
    reason = tls_failure(Authority(tmp_path).over_tls(echo))
    assert reason == "its certificate is self-signed (REQUESTS_CA_BUNDLE can name a file of those to trust)"


def test_a_certificate_that_has_expired_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, days=-1)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    assert tls_failure(authority.over_tls(echo)) == "its certificate has expired"


def test_a_certificate_of_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, address="127.0.0.2")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    assert tls_failure(authority.over_tls(echo)) == "its certificate is for another name"


def test_a_file_of_certificates_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert "missing.pem" in tls_failure(silence)
    (tmp_path / "empty.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "empty.pem"))
    assert tls_failure(silence)


def test_what_does_not_speak_tls_is_told() -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(answer("400 Bad Request", b"", "Connection: close"))
        silence(connection)

    assert tls_failure(plain) == "the other side does not speak TLS"


def test_what_hangs_up_on_tls_is_told() -> None:
    def close(connection: socket.socket) -> None:
        connection.recv(65536)

    assert tls_failure(close) == "the other side hung up; perhaps it does not speak TLS"


def test_a_handshake_that_is_not_answered_is_given_up() -> None:
    with serving(silence) as server, pytest.raises(HubUnreachable) as raised:
        post(f"https://{server.address}", limits=SHORT)
    assert raised.value.reason == "no answer within 0.3 s"


def test_closing_ends_a_handshake() -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1)
        begun.set()
        silence(connection)

    with serving(script) as server:
        assert end_during(patient(f"https://{server.address}"), begun) == "the exchange was ended"
