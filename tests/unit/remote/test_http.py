"""Calls to a hub over real connections: what is sent, and what answers mean."""

from __future__ import annotations

import base64
import errno
import mmap
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs import __version__
from kvassfs.errors import HubFailed, HubUnreachable, InvalidConfiguration, NotAHub, WrongKey
from kvassfs.remote.answers import choose_directory
from kvassfs.remote.dialer import Dialer
from kvassfs.remote.errors import HubBusy, NoRoomForAnswer
from kvassfs.remote.http import HttpRemote
from tests.support.servers import (
    LONG,
    SHORT,
    Authority,
    answer,
    answers,
    echo,
    failure,
    head_of,
    post,
    request_of,
    serving,
)


def test_the_body_of_the_answer_comes_back() -> None:
    with serving(echo) as server:
        assert post(server.address, b"sealed") == b"sealed"
        assert post(server.address, b"") == b""


def test_a_call_is_a_post_of_bytes_that_names_the_program() -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(request_of(connection))
        connection.sendall(answer())

    with serving(script) as server:
        post(f"http://{server.address}/pre/fix/", b"sealed")
    head, body = seen[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /pre/fix/pull HTTP/1.1"
    assert "Content-Type: application/octet-stream" in lines
    assert "Content-Length: 6" in lines
    assert f"User-Agent: kvassfs/{__version__}" in lines
    assert "Accept-Encoding: identity" in lines
    assert body == b"sealed"


def test_no_cookies_are_kept() -> None:
    heads: list[bytes] = []

    def script(connection: socket.socket) -> None:
        for _ in range(2):
            heads.append(request_of(connection)[0])
            connection.sendall(answer("200 OK", b"", "Set-Cookie: a=b; Path=/", "Set-Cookie: c=d"))

    with serving(script) as server, closing(HttpRemote(server.address, LONG)) as remote:
        remote.post("pull", b"body")
        remote.post("pull", b"body")
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


def test_a_body_in_pieces_is_sent_in_chunks() -> None:
    with serving(echo) as server, closing(HttpRemote(server.address, LONG)) as remote:
        assert remote.post("push", iter([b"first", b"", b"second"])) == b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
        assert remote.post("push", [b"list"]) == b"4\r\nlist\r\n0\r\n\r\n"


def test_user_and_password_are_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(request_of(connection)[0])
        connection.sendall(answer("404 Not Found"))

    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password one\n")
    with serving(script) as server:
        remote = HttpRemote(f"http://jörg:s%2Fcret@{server.address}", LONG)
        with closing(remote), pytest.raises(NotAHub) as raised:
            remote.post("pull", b"")
    expected = base64.b64encode("jörg:s/cret".encode()).decode()
    assert f"Authorization: Basic {expected}".encode() in seen[0]
    shown = str(raised.value) + remote.address + "".join(traceback.format_exception(raised.value))
    assert remote.address == f"http://{server.address}"
    assert "cret" not in shown


@pytest.mark.parametrize("machine", ["machine 127.0.0.1", "default"])
def test_a_password_of_netrc_is_not_sent(tmp_path: Path, machine: str) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(request_of(connection)[0])
        connection.sendall(answer())

    (tmp_path / "netrc").write_text(f"{machine} login other password one\n")
    (tmp_path / "netrc").chmod(0o600)
    with serving(script) as server:
        post(server.address)
    assert b"authorization" not in seen[0].lower()


def test_the_password_is_not_shown_when_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = f"http://user:pass{port}@127.0.0.1:{port}/prefix"
    with pytest.raises(HubUnreachable) as raised:
        post(address)
    assert "user" not in str(raised.value)
    assert f"pass{port}" not in "".join(traceback.format_exception(raised.value))


def test_an_address_of_ipv6_is_connected_to() -> None:
    with serving(echo, host="::1") as server:
        assert post(server.address) == b"sealed"
        assert post(f"http://{server.address}/") == b"sealed"


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(InvalidConfiguration):
        HttpRemote("ftp://host")


# Addresses without a port


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, int]]:
    """Where connections to ports of this machine go; to nobody unless the test says so."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nobody = silent.getsockname()[1]
        moved: dict[int, int] = {}
        dial = Dialer.dial
        monkeypatch.setattr(Dialer, "dial", lambda self, host, port: dial(self, host, moved.get(port, nobody)))
        yield moved


@pytest.mark.parametrize("address", ["127.0.0.1", "http://127.0.0.1", "http://me:secret@127.0.0.1/"])
@pytest.mark.parametrize("pieces", [True, False])
def test_where_port_80_is_refused_that_of_kvass_serve_is_tried(
    ports: dict[int, int], address: str, pieces: bool
) -> None:
    with serving(echo) as server, closing(HttpRemote(address, LONG)) as remote:
        ports[8000] = server.port
        assert b"sealed" in remote.post("push", iter([b"sealed"]) if pieces else b"sealed")
        assert "127.0.0.1:8000" in remote.address
        assert remote.post("pull", b"again") == b"again"


def test_what_fails_there_is_said_of_that_port(ports: dict[int, int]) -> None:
    with serving(answers(answer("403 Forbidden", b"kvass: cannot decrypt\n"))) as server:
        ports[8000] = server.port
        with pytest.raises(WrongKey, match=r"the hub 127\.0\.0\.1:8000 has another"):
            post("127.0.0.1")


def test_where_nobody_answers_there_either_the_port_that_is_meant_is_said(ports: dict[int, int]) -> None:
    with closing(HttpRemote("127.0.0.1", LONG)) as remote:
        for _ in range(2):
            with pytest.raises(HubUnreachable) as raised:
                remote.post("pull", b"")
            reason = "connection refused, and nobody answers at port 8000"
            assert raised.value.summary == f"cannot reach the hub 127.0.0.1:80: {reason}"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:80", "http://127.0.0.1:80", "http://127.0.0.1/prefix", "https://127.0.0.1"]
)
def test_where_a_port_or_more_is_named_no_other_is_tried(ports: dict[int, int], address: str) -> None:
    with serving(echo) as server:
        ports[8000] = server.port
        with pytest.raises(HubUnreachable) as raised:
            post(address)
        assert server.connections == 0
    assert raised.value.reason == "connection refused"


# Answers that are none of a hub


def test_a_web_page_is_no_hub() -> None:
    error = failure(answer("200 OK", b"<html>", "Content-Type: text/html; charset=utf-8"))
    assert isinstance(error, NotAHub)
    assert error.reason == "it answers with a web page"


def test_a_redirection_is_not_followed_but_named() -> None:
    with serving(echo) as other:
        error = failure(answer("301 Moved Permanently", b"", f"Location: http://{other.address}/kvass/pull?x"))
        assert other.connections == 0
    assert isinstance(error, NotAHub)
    assert f"set that with `kvass config remote http://{other.address}/kvass`" in error.reason


def test_a_redirection_that_makes_no_sense_is_no_hub() -> None:
    assert isinstance(failure(answer("302 Found", b"", "Location: http://[")), NotAHub)
    assert isinstance(failure(answer("304 Not Modified")), NotAHub)


def test_what_does_not_speak_http_is_no_hub() -> None:
    error = failure(b"SSH-2.0-OpenSSH_9.9\r\n")
    assert isinstance(error, NotAHub)
    assert "does not speak HTTP" in error.reason


# Answers of a hub that is not content


def test_a_hub_with_another_key_is_told_from_others() -> None:
    ours = failure(answer("403 Forbidden", b"kvass: cannot decrypt the message\n"))
    originals = failure(answer("500 Internal Server Error", b"cipher: message authentication failed\n"))
    assert isinstance(ours, WrongKey)
    assert isinstance(originals, WrongKey)


def test_what_a_hub_complains_of_is_told() -> None:
    error = failure(answer("507 Insufficient Storage", b"kvass: the disk\x1b[31m is full\nmore"))
    assert isinstance(error, HubFailed)
    assert (error.status, error.reason) == (507, "the disk[31m is full")


@pytest.mark.parametrize(
    ("header", "pause"), [("7", 7.0), ("86400", 60.0), ("Sat, 28 Nov 2026 07:00:00 GMT", 0.0), ("-1", 0.0), ("٣", 0.0)]
)
def test_a_hub_says_how_long_it_wants_to_be_left_alone(header: str, pause: float) -> None:
    error = failure(answer("429 Too Many Requests", b"kvass: slowly\n", f"Retry-After: {header}"))
    assert isinstance(error, HubBusy)
    assert error.retry_after == pause
    assert str(error).endswith("takes no more for a moment: slowly")


def test_an_endless_complaint_is_not_read_to_its_end() -> None:
    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with serving(script) as server, pytest.raises(HubFailed, match="500 Oh"):
        post(server.address)


def test_a_large_answer_is_in_a_file_that_nobody_else_has() -> None:
    body = os.urandom(9 * 1024 * 1024)
    with serving(answers(answer("200 OK", body))) as server, closing(HttpRemote(server.address, LONG)) as remote:
        response = remote.post("pull", b"")
    assert isinstance(response, mmap.mmap)
    assert response[:] == body


def test_without_room_for_a_large_answer_that_is_said_and_a_small_one_needs_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    large, small = answer("200 OK", bytes(9 * 1024 * 1024)), answer("200 OK", b"x")
    with serving(answers(small, large)) as server, closing(HttpRemote(server.address, LONG)) as remote:
        assert remote.post("pull", b"") == b"x"
        with pytest.raises(NoRoomForAnswer) as raised:
            remote.post("pull", b"")
    assert str(raised.value) == (
        f"no temporary file can hold the large answer of the hub {server.address}: no usable temporary directory found;"
        " make room for it, or have TMPDIR name another directory"
    )


@pytest.mark.parametrize(("chosen", "directory"), [("/tmp", "/var/tmp"), ("/home/me/tmp", "/home/me/tmp")])
def test_large_answers_go_to_a_disk_unless_something_else_is_wished(
    monkeypatch: pytest.MonkeyPatch, chosen: str, directory: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", chosen)
    assert choose_directory() == directory


def test_a_call_may_ask_for_less() -> None:
    with (
        serving(answers(answer("200 OK", bytes(1001)))) as server,
        closing(HttpRemote(server.address, LONG)) as remote,
        pytest.raises(HubFailed, match="more than 1000"),
    ):
        remote.post("pull", b"", largest=1000)


def test_an_answer_may_not_be_larger_than_the_limit() -> None:
    with serving(answers(answer("200 OK", bytes(1001)))) as server, pytest.raises(HubFailed, match="more than 1000"):
        post(server.address, largest=1000)
    with serving(answers(answer("200 OK", bytes(1000)))) as server:
        assert post(server.address, largest=1000) == bytes(1000)


# Proxies


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(request_of(connection)[0])
        connection.sendall(answer("200 OK", b"by proxy"))

    with serving(script) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        assert post("http://hub.invalid/prefix") == b"by proxy"
    assert seen[0].startswith(b"POST http://hub.invalid/prefix/pull HTTP/1.1\r\n")


def test_the_password_of_a_proxy_is_sent_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(request_of(connection)[0])
        connection.sendall(answer("200 OK", b"by proxy"))

    with serving(script) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:secret@{proxy.address}")
        assert post("http://hub.invalid") == b"by proxy"
    assert b"Proxy-Authorization: Basic " in seen[0]


@pytest.mark.parametrize("part", [b"X: y\r\n" * 1000, b"X: " + b"y" * 60000 + b"\r\n"])
def test_a_proxy_whose_answer_has_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch, part: bytes) -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 Connected\r\n")
        while True:
            connection.sendall(part)

    with serving(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        with pytest.raises((NotAHub, HubUnreachable)):
            post("https://192.0.2.1:1")


def test_a_proxy_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 Connected\r\n")
        while True:
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)

    with serving(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        with pytest.raises(HubUnreachable, match="the answer stalled"):
            post("https://192.0.2.1:1", limits=SHORT)


def test_tls_goes_through_the_tunnel_of_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, address="192.0.2.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(head_of(connection)[0])
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        authority.over_tls(echo)(connection)

    with serving(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        assert post("https://192.0.2.1:1") == b"sealed"
    assert seen[0].startswith(b"CONNECT 192.0.2.1:1 ")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_hub_on_this_machine_is_not_asked_for_by_a_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It may be a tunnel, at whose name the proxy would find itself."""
    for variable in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(variable, "http://192.0.2.1:1")
    with serving(echo) as server:
        assert post(f"http://{name}:{server.address.rpartition(':')[2]}") == b"sealed"


@pytest.mark.parametrize("address", ["[fe80::1%eth0]:8000", "http://[fe80::1%25eth0]:8000"])
def test_an_address_may_have_a_zone(address: str) -> None:
    asked = []

    def resolve(host: str, port: int, **_: object) -> list[object]:
        asked.append((host, port))
        raise socket.gaierror(socket.EAI_NONAME, "not here")

    with pytest.raises(HubUnreachable):
        post(address, resolve=resolve)
    assert asked == [("fe80::1%eth0", 8000)]


def test_a_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(answer("403 Forbidden"))

    with serving(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://user:secret@{proxy.address}")
        with pytest.raises(HubUnreachable) as raised:
            post("https://hub.invalid")
    assert "the proxy that the environment names is of no use: " in raised.value.reason
    assert "403 Forbidden" in raised.value.reason
    assert "secret" not in str(raised.value)


def test_a_proxy_that_is_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    with pytest.raises(HubUnreachable) as raised:
        post("http://hub.invalid")
    assert raised.value.reason == "the proxy that the environment names is of no use: connection refused"


def test_a_proxy_that_would_need_another_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(HubUnreachable, match="PySocks"):
        post("http://hub.invalid", limits=SHORT)
