"""A server as a process of its own, and devices that talk to it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.support.processes import ROOT

SECONDS = 30.0
"""How long a server may take to answer, and to end."""

RUN = """
import json, logging, sys
from kvassfs.server.admission import ConnectionLimits
from kvassfs.server.run import ServeOptions, serve
logging.basicConfig(level="DEBUG", format="%(levelname)s %(message)s")
options, limits = map(json.loads, sys.argv[1:])
serve(ServeOptions(**options), listening=lambda url: print(url, flush=True), limits=ConnectionLimits(**limits))
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

    def sealed_pull(self, first: int = 1, wait: float = 0.0, process_id: int = 7) -> bytes:
        """Return the sealed request of a pull as a device of version 2 makes it."""
        request = messages.PullRequest(first, process_id, messages.VERSION, wait)
        return Seal(self.key).seal(messages.encode_pull_request(request))

    def pull(self, first: int = 1, wait: float = 0.0, process_id: int = 7) -> messages.PullResponse:
        """Pull as a device of version 2."""
        status, body = self.post("/pull", self.sealed_pull(first, wait, process_id))
        assert status == 200, body
        return messages.decode_pull_response(Seal(self.key).unseal(body))

    def sealed_push(self, key: str, value: bytes, *, process_id: int = 7) -> bytes:
        """Return the sealed request of a push of one entry that is newer than all before."""
        now = time.time_ns() // 1000
        entry = Entry(key, now, now % 2**40, process_id, f"{now:022}", len(value))
        return Seal(self.key).seal(messages.encode_push([Delivery(entry, now % 2**40, value)]))

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
    publish: Callable[[Store], None] = lambda _: None
    """Has the server have what the store has, if it has that in another place."""

    def device(self, context: ssl.SSLContext | None = None) -> Device:
        with Store.open(self.database) as store:
            return Device(self.url, store.settings.config().encryption_key, context)

    def log(self) -> str:
        return self.log_file.read_text()

    def wait(self) -> int:
        """Return its exit status."""
        return self.process.wait(SECONDS)


@contextmanager
def serving(
    folder: Path, *, prefix: Sequence[str] = (), limits: Mapping[str, float] = {}, **options: Any
) -> Iterator[Server]:
    """Start a server at a free port, wait until it answers, and end it whatever happened.

    ``limits`` are those of its connections.
    """
    database, log = folder / "db.sqlite", folder / "log"
    chosen = {"database": str(database), "bind": "127.0.0.1:0", **options}
    command = [*prefix, sys.executable, "-c", RUN, json.dumps(chosen), json.dumps(dict(limits))]
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
