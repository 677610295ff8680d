"""Object stores for tests: one in memory that fails on command, two servers that speak S3, and what stands before them."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from kvassfs.keeping.errors import ObjectsUnreachable
from kvassfs.keeping.objects import ObjectStore
from tests.support.node import find_npm_program
from tests.support.processes import end_process, start_logged
from tests.support.waiting import find_within

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "S3RVER",  # s3rver knows no other, moto takes any
    "AWS_SECRET_ACCESS_KEY": "S3RVER",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What boto3 finds in the environment."""


class MemoryObjects(ObjectStore):
    """Objects in memory. ``before`` and ``after`` are called with the name of each call and may raise."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    def put(self, name: str, data: bytes | memoryview) -> None:
        with self._called("put", name):
            assert name not in self.objects, "a name was given twice"
            self.objects[name] = bytes(data)

    def get(self, name: str) -> bytes | None:
        with self._called("get", name):
            return self.objects.get(name)

    def delete(self, name: str) -> None:
        with self._called("delete", name):
            self.objects.pop(name, None)

    @contextmanager
    def _called(self, call: str, name: str) -> Iterator[None]:
        self.calls.append((call, name))
        self.before(call)
        yield
        self.after(call)


def fail(*calls: str, times: int = 10**9) -> Callable[[str], None]:
    """Return what fails the next calls of these names."""
    left = [times]

    def check(call: str) -> None:
        if call in calls and left[0] > 0:
            left[0] -= 1
            raise ObjectsUnreachable("memory", "on command")

    return check


class ObjectServer(ABC):
    """A server on loopback that keeps its objects below ``place`` while it is not running."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = _find_port()
        self.bucket = ""
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None
        place.mkdir()

    @abstractmethod
    def command(self) -> list[str]:
        """Return what starts it."""

    def restore(self) -> None:  # noqa: B027  most have it by themselves
        """Have it have what it had."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it has what it had."""
        self._process = start_logged(self.command(), self.place / "log", self.environment())
        find_within(20, self._is_reached, what="the object store listens")
        self.restore()

    def environment(self) -> dict[str, str]:
        return {}

    def _is_reached(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def kill(self) -> None:
        """End it in the middle of what it does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            end_process(self._process)

    def client(self) -> Any:
        """Return a client of its own, past what stands before it."""
        configuration = Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return boto3.session.Session().client("s3", endpoint_url=self.url, config=configuration)

    def make_bucket(self) -> None:
        """Make a new bucket, which is that of this server from now on."""
        self.bucket = f"blocks-{next(self._numbers)}"
        self.client().create_bucket(Bucket=self.bucket)

    def list_names(self) -> set[str]:
        """Return the names of all objects."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {item["Key"] for page in pages for item in page.get("Contents", ())}


class Moto(ObjectServer):
    """moto has all in memory: it notes each request, and is told them again."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def environment(self) -> dict[str, str]:
        return {"MOTO_RECORDER_FILEPATH": str(self.place / "requests"), "MOTO_ENABLE_RECORDING": "yes"}

    def restore(self) -> None:
        noted = self.place / "requests"
        if noted.exists():
            lines = noted.read_bytes().splitlines(keepends=True)
            noted.write_bytes(b"".join(line for line in lines if line.endswith(b"\n")))
            request = urllib.request.Request(f"{self.url}/moto-api/recorder/replay-recording", method="POST")
            with urllib.request.urlopen(request, timeout=60):
                pass


class S3rver(ObjectServer):
    """s3rver has each object in a file, and looks at signatures."""

    def command(self) -> list[str]:
        folder = str(self.place / "objects")
        return [find_npm_program("s3rver"), "--no-vhost-buckets", "-a", "127.0.0.1", "-p", str(self.port), "-d", folder]

    def restore(self) -> None:
        """Remove what it had not written to its end, and never acknowledged: it lists nothing where such is left."""
        for content in (self.place / "objects").rglob("*._S3rver_object"):
            whole = str(content).removesuffix("object")
            others = [Path(f"{whole}metadata.json"), Path(f"{whole}object.md5")]
            if not all(other.exists() and other.stat().st_size for other in others):
                for path in (content, *others):
                    path.unlink(missing_ok=True)


class Gate(ThreadingHTTPServer):
    """Stands before an object store. ``fault(method)`` says what becomes of each request.

    ``refuse`` closes the connection, ``500`` answers so, ``slow`` answers after ``delay`` seconds, ``lose`` has the store work
    on the request and closes the connection in place of the answer, ``cut`` ends the answer in its middle.
    """

    daemon_threads = True

    def __init__(self, port: int, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.store_port = port
        self.delay = delay
        self.fault: Callable[[str], str] = lambda _: ""
        self.seen: list[tuple[str, str]] = []
        self.working = 0
        self.lock = threading.Lock()

    def wait(self) -> None:
        """Wait for requests whose clients have gone, and which the store gets yet."""
        find_within(20, lambda: not self.working, what="no request is on its way")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away while they wait."""


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def pass_on(self) -> None:
        with self.server.lock:
            self.server.working += 1
        try:
            self._pass_on()
        finally:
            with self.server.lock:
                self.server.working -= 1

    def _pass_on(self) -> None:
        fault = self.server.fault(self.command)
        self.server.seen.append((self.command, fault))
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if fault == "refuse":
            self.close_connection = True
            return
        if fault == "500":
            self._answer(500, b"<Error><Code>InternalError</Code></Error>", {"Content-Type": "application/xml"})
            return
        if fault == "slow":
            time.sleep(self.server.delay)
        try:
            status, answer, headers = self._ask(body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        if fault == "lose":
            self.close_connection = True
        else:
            self._answer(status, answer, headers, cut=fault == "cut")

    do_GET = do_PUT = do_DELETE = do_HEAD = pass_on  # noqa: N815  their names are those of the requests

    def _ask(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.store_port, timeout=20)
        try:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"expect", "connection"}
            }
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read(), dict(response.getheaders())
        finally:
            connection.close()

    def _answer(self, status: int, answer: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(answer))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(answer[: len(answer) // 2] if cut else answer)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def gate_before(server: ObjectServer, *, delay: float) -> Iterator[Gate]:
    """``with`` a gate before a server."""
    with Gate(server.port, delay) as gate:
        thread = threading.Thread(target=gate.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield gate
        finally:
            gate.shutdown()
            thread.join()


def _find_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
