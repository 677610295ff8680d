"""Calls to a hub over real connections, mostly to servers that misbehave."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kvassfs import __version__
from kvassfs.errors import HubFailed, HubTlsFailed, HubUnreachable, InvalidConfiguration, NotAHub, SyncError, WrongKey
from kvassfs.remote import HttpRemote, Limits

SHORT = Limits(0.3, 0.3)
LONG = Limits(5, 5)
MINUTE = 60.0
"""Longer than any of these tests lasts."""

Script = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


class Server:
    """Runs a script on every connection, each in a thread: the first script on the first, the last on all further."""

    def __init__(self, *scripts: Script, host: str = "127.0.0.1", receive_buffer: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port = self.listener.getsockname()[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.connections = 0
        self.stopping = threading.Event()
        self._scripts = scripts
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.stopping.is_set():
                connection.close()
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._run, args=(script, connection))
            self._threads.append(thread)
            thread.start()

    def _run(self, script: Script, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            script(connection)

    def close(self) -> None:
        self.stopping.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self.listener.close()


@contextmanager
def serving(*scripts: Script, **options: Any) -> Iterator[Server]:
    with closing(Server(*scripts, **options)) as server:
        yield server


def head_of(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read a request up to its body, and return that head and what of the body came along."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def request_of(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read a request, its body as it is on the wire."""
    head, body = head_of(connection)
    if b"transfer-encoding: chunked" in head.lower():
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
        return head, body
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError
        body += piece
    return head, body


def answer(status: str = "200 OK", body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(*replies: bytes) -> Script:
    """Answer requests with these, one after the other, and then close."""

    def script(connection: socket.socket) -> None:
        for reply in replies:
            request_of(connection)
            connection.sendall(reply)

    return script


def echo(connection: socket.socket) -> None:
    while True:
        _, body = request_of(connection)
        connection.sendall(answer("200 OK", body))


def silence(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def post(address: str, body: bytes = b"sealed", limits: Limits = LONG, **options: Any) -> bytes:
    with closing(HttpRemote(address, limits, **options)) as remote:
        return remote.post("pull", body)


def failure(reply: bytes, address: str = "{}") -> SyncError:
    """Return the error that an answer leads to."""
    with serving(answers(reply)) as server, pytest.raises(SyncError) as raised:
        post(address.format(server.address))
    return raised.value


# What is sent


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


def test_an_endless_complaint_is_not_read_to_its_end() -> None:
    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with serving(script) as server, pytest.raises(HubFailed, match="500 Oh"):
        post(server.address)


def test_an_answer_may_not_be_larger_than_the_limit() -> None:
    with serving(answers(answer("200 OK", bytes(1001)))) as server, pytest.raises(HubFailed, match="more than 1000"):
        post(server.address, largest=1000)
    with serving(answers(answer("200 OK", bytes(1000)))) as server:
        assert post(server.address, largest=1000) == bytes(1000)


# Nobody answers


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
            unusable = (-1, socket.SOCK_STREAM, 6, "")
            refused = ("127.0.0.1", 1)
            return [(*unusable, dead), (*stream, dead), (*stream, refused), (*stream, ("127.0.0.1", server.port))]

        assert post("hub.invalid", limits=Limits(2, 2), resolve=resolve) == b"sealed"


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
    with serving(silence) as server, closing(HttpRemote(server.address, SHORT)) as remote:
        with pytest.raises(HubUnreachable) as raised:
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


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


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
        pytest.raises(HubUnreachable, match="connection reset by peer|closed before the end of"),
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


def end_during(remote: HttpRemote, begun: threading.Event) -> str:
    """Close ``remote`` from another thread once a call has ``begun``, and return why the call fails."""

    def close() -> None:
        begun.wait(MINUTE)
        remote.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(HubUnreachable) as raised:
        remote.post("pull", bytes(1024), wait=MINUTE)
    thread.join()
    return raised.value.reason


def patient(address: str, **options: Any) -> HttpRemote:
    return HttpRemote(address, Limits(MINUTE, MINUTE), **options)


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
        thread = threading.Thread(target=lambda: begun.wait(MINUTE) and remote.close())
        thread.start()
        with pytest.raises(HubUnreachable, match="the exchange was ended"):
            remote.post("push", bytes(32 * 1024 * 1024))
        thread.join()


def test_closing_ends_a_handshake() -> None:
    begun = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1)
        begun.set()
        silence(connection)

    with serving(script) as server:
        assert end_during(patient(f"https://{server.address}"), begun) == "the exchange was ended"


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

        remote = Releasing("hub.invalid", Limits(MINUTE, MINUTE), resolve=resolve)
        assert end_during(remote, begun) == "the exchange was ended"


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


# TLS


class Authority:
    """Certificates that are made for a test, signed by themselves, and the server's side of TLS with one."""

    def __init__(self, directory: Path, *, days: int = 1, name: str = "127.0.0.1") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kvassfs test")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.file = directory / "certificate.pem"
        self.file.write_bytes(
            certificate.public_bytes(pem)
            + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.file)

    def over_tls(self, script: Script) -> Script:
        """Return the script, run over TLS."""

        def run(connection: socket.socket) -> None:
            with self._context.wrap_socket(connection, server_side=True) as wrapped:
                script(wrapped)

        return run


def tls_failure(script: Script, host: str = "{}") -> str:
    with serving(script) as server, pytest.raises(HubTlsFailed) as raised:
        post("https://" + host.format(server.address))
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
    authority = Authority(tmp_path, name="127.0.0.2")
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


def test_tls_goes_through_the_tunnel_of_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(head_of(connection)[0])
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        authority.over_tls(echo)(connection)

    with serving(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        assert post("https://127.0.0.1:1") == b"sealed"
    assert seen[0].startswith(b"CONNECT 127.0.0.1:1 ")


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
