"""One large value over one connection: MB per second, beside the same bytes in a file, and the memory of the hub."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from measured import MB, met, say
from report import aligned
from share_peers import Peer
from share_rate import spread

from kvassfs.store import Store
from tests.support.devices import Hub
from tests.support.processes import cpu_seconds, end_process, peak_memory
from tests.support.waiting import wait_until

WANTED = 300
"""MB of 1,000,000 bytes per second."""

CHUNK = 1024 * 1024

NGINX = """
daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/nginx.err;
events {{ }}
http {{
  access_log off; sendfile on; types {{ }} default_type application/octet-stream;
  client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
  uwsgi_temp_path {work}; scgi_temp_path {work};
  server {{ listen 127.0.0.1:{port}; location = /get {{ alias {file}; }} }}
}}
"""


@dataclass(frozen=True)
class Source:
    """Where the bytes are to be had."""

    name: str
    host: str
    path: str
    pid: int


@dataclass(frozen=True)
class Fetched:
    """MB per second, and seconds of the server's processor."""

    rate: float
    cpu: float


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--size", type=int, default=100, help="MB of 1,000,000 bytes (default: 100)")
    parser.add_argument("--rounds", type=int, default=15, help="how often (default: 15)")


def main(options: argparse.Namespace) -> str:
    """Measure, and return the table."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="share-", dir=options.directory)))
        sources, data = started(stack, work, options.size * 1_000_000)
        for source in sources:
            if digest(source) != hashlib.sha256(data).digest():
                raise ValueError(f"{source.name} sent other bytes")
        rounds = []
        for number in range(options.rounds):
            first = number % len(sources)
            found = {source.name: fetched(source, len(data)) for source in sources[first:] + sources[:first]}
            say(f"round {number + 1}: " + ", ".join(f"{name} {each.rate:,.0f}" for name, each in found.items()))
            rounds.append(found)
        memory = peak_memory(sources[0].pid) / MB
    return f"{table(rounds, [source.name for source in sources])}\n\nhub: {memory:.0f} MB at its highest"


def started(stack: ExitStack, work: Path, size: int) -> tuple[list[Source], bytes]:
    """Start the hub and its peers; return them and what they serve."""
    data = Random(size).randbytes(size)  # noqa: S311 (no secret)
    file = work / "large.bin"
    file.write_bytes(data)
    database = work / "large.sqlite"
    with Store.open(database) as store:
        token = store.set("large.bin", data).url_token
        store.upkeep.checkpoint()
    hub = stack.enter_context(Hub(database))
    plain = stack.enter_context(Peer(work, "file", str(file)))
    sources = [
        Source("hub", hub.address, f"/get?q={token}", hub.pid),
        Source("starlette FileResponse", plain.address, "/get", plain.process.pid),
    ]
    if shutil.which("nginx") is None:
        say("nginx is missing: apt install nginx-light")
    else:
        sources.append(stack.enter_context(nginx(work, file)))
    return sources, data


@contextmanager
def nginx(work: Path, file: Path) -> Iterator[Source]:
    """``with`` nginx serving a file."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    work.chmod(0o711)
    file.chmod(0o644)
    configuration = work / "nginx.conf"
    configuration.write_text(NGINX.format(work=work, port=port, file=file))
    process = subprocess.Popen(["nginx", "-e", str(work / "nginx.err"), "-c", str(configuration)])
    try:
        wait_until(lambda: is_listening(port), "nginx listens")
        yield Source("nginx", f"127.0.0.1:{port}", "/get", process.pid)
    finally:
        end_process(process)


def is_listening(port: int) -> bool:
    """Tell whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True


def asked(source: Source) -> tuple[socket.socket, HTTPResponse]:
    """Send the request, and read the head of the answer."""
    host, _, port = source.host.partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"GET {source.path} HTTP/1.1\r\nHost: {source.host}\r\nConnection: close\r\n\r\n".encode())
    answer = HTTPResponse(connection)
    answer.begin()
    if answer.status != 200:
        raise ValueError(f"{source.name} answered {answer.status}")
    return connection, answer


def digest(source: Source) -> bytes:
    """Return the SHA-256 of what is served."""
    found = hashlib.sha256()
    connection, answer = asked(source)
    with connection, answer:
        while piece := answer.read(CHUNK):
            found.update(piece)
    return found.digest()


def fetched(source: Source, size: int) -> Fetched:
    """Read it all, and let it go."""
    before = cpu_seconds(source.pid)
    buffer = bytearray(CHUNK)
    got = 0
    begun = time.perf_counter()
    connection, answer = asked(source)
    with connection, answer:
        while read := answer.readinto(buffer):
            got += read
    seconds = time.perf_counter() - begun
    if got != size:
        raise ValueError(f"{source.name} sent {got} of {size} bytes")
    return Fetched(size / seconds / 1e6, cpu_seconds(source.pid) - before)


def table(rounds: list[dict[str, Fetched]], names: list[str]) -> str:
    """Return medians, the least and the greatest, and ratios within rounds."""
    rows = [["", "MB/s", "hub / this", "server CPU s", "wanted"]]
    for name in names:
        rates = [each[name].rate for each in rounds]
        ratios = [each[names[0]].rate / each[name].rate for each in rounds]
        wanted = f">= {WANTED}: {met(median(rates) >= WANTED)}" if name == names[0] else ""
        rows.append([name, spread(rates, 0), spread(ratios, 2), spread([each[name].cpu for each in rounds], 2), wanted])
    return aligned(rows)
