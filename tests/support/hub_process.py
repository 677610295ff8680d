"""A server as a process of its own, and devices that talk to it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kvassfs.store import Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.support.processes import ROOT

SECONDS = 30.0
"""How long a server may take to answer, and to end."""

RUN = """
import json, logging, sys
from kvassfs.server.run import ServeOptions, serve
logging.basicConfig(level="DEBUG", format="%(levelname)s %(message)s")
serve(ServeOptions(**json.loads(sys.argv[1])), listening=lambda url: print(url, flush=True))
"""


@dataclass
class Device:
    """Something that has the hub's key, or what else ``key`` is; it makes its requests over new connections."""

    url: str
    key: bytes
    context: ssl.SSLContext | None = None

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=SECONDS, context=self.context)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)

    def post(self, call: str, body: bytes) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request("POST", call, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def pull(self, first: int = 1, wait: float = 0.0) -> messages.PullResponse:
        """Pull as a device of version 2."""
        request = messages.PullRequest(first, 7, messages.VERSION, wait)
        status, body = self.post("/pull", Seal(self.key).seal(messages.encode_pull_request(request)))
        assert status == 200, body
        return messages.decode_pull_response(Seal(self.key).unseal(body))

    def old_pull(self) -> bytes:
        """Return the sealed request of a pull as the original program makes it."""
        return Seal(self.key).seal(b'{"Counter": 0, "ProcessID": 7}')


@dataclass
class Server:
    """A server that answers, the store that it serves, and its log."""

    process: subprocess.Popen[bytes]
    url: str
    database: Path
    log_file: Path

    def device(self, context: ssl.SSLContext | None = None) -> Device:
        with Store.open(self.database) as store:
            return Device(self.url, store.settings.config().encryption_key, context)

    def log(self) -> str:
        return self.log_file.read_text()

    def wait(self) -> int:
        """Return its exit status."""
        return self.process.wait(SECONDS)


@contextmanager
def serving(folder: Path, *, prefix: Sequence[str] = (), **options: Any) -> Iterator[Server]:
    """Start a server at a free port, wait until it answers, and end it whatever happened."""
    database, log = folder / "db.sqlite", folder / "log"
    chosen = {"database": str(database), "bind": "127.0.0.1:0", **options}
    command = [*prefix, sys.executable, "-c", RUN, json.dumps(chosen)]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "PYTHONPATH": str(ROOT)}
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip()
            assert url, log.read_text()
            yield Server(process, url, database, log)
        finally:
            process.kill()
