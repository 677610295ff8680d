"""Servers on the loopback that behave as a script says, and calls to them."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import HubUnreachable, SyncError
from kvassfs.remote.http import HttpRemote, TimeLimits
from tests.support.certificates import make

SHORT = TimeLimits(0.3, 0.3)
LONG = TimeLimits(5, 5)
MINUTE = 60.0
"""Longer than any of the tests lasts."""

Script = Callable[[socket.socket], None]


def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have requests know no proxies, certificates and passwords of the environment."""
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
    """Read a request, its body as it is on the messages."""
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


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Authority:
    """A certificate that is made for a test, and the server's side of TLS with it."""

    def __init__(self, directory: Path, *, days: int = 1, address: str = "127.0.0.1") -> None:
        made = make(directory, days=days, names=(), addresses=(address,))
        self.file = made.certificate
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate, made.key)

    def over_tls(self, script: Script) -> Script:
        """Return the script, run over TLS."""

        def run(connection: socket.socket) -> None:
            with self._context.wrap_socket(connection, server_side=True) as wrapped:
                script(wrapped)

        return run


def post(address: str, body: bytes = b"sealed", limits: TimeLimits = LONG, **options: Any) -> bytes:
    with closing(HttpRemote(address, limits, **options)) as remote:
        return bytes(remote.post("pull", body))


def failure(reply: bytes) -> SyncError:
    """Return the error that an answer leads to."""
    with serving(answers(reply)) as server, pytest.raises(SyncError) as raised:
        post(server.address)
    return raised.value


def end_during(remote: HttpRemote, begun: threading.Event, body: bytes = b"sealed") -> str:
    """Close ``remote`` from another thread once a call has ``begun``, and return why the call fails."""

    def close() -> None:
        begun.wait(MINUTE)
        remote.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(HubUnreachable) as raised:
        remote.post("pull", body, wait=MINUTE)
    thread.join()
    return raised.value.reason


def patient(address: str, **options: Any) -> HttpRemote:
    return HttpRemote(address, TimeLimits(MINUTE, MINUTE), **options)
