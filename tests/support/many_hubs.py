"""Processes of a hub for many, what stands before them, and devices of its stores: all real but the devices' processes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from kvassfs.remote.http import HttpRemote
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from tests.proxied.proxies import free_ports, nginx_before
from tests.support.certificates import Certificate
from tests.support.processes import HERE, KVASS, SECONDS, end_process, start_logged, start_server
from tests.support.stores import rows
from tests.support.waiting import within

KEY = bytes(range(32))
"""That of all stores here."""


class HubProcess:
    """`kvass serve --database` on a database, started and killed at will, always at the same port; a context manager."""

    def __init__(self, url: str, log: Path) -> None:
        self.port = 0
        self._url = url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            end_process(self._process)

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"http://{HERE}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [*KVASS, "serve", "--bind", f"{HERE}:{self.port}", "--database", self._url, "--per-address", "0"]
        self._process, self.port = start_server(command, self._log)

    def kill(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()


def add_store(database: Database, name: str) -> None:
    """Add a store, and claim it with ``KEY``."""
    stores = Stores(Session(database))
    stores.add(name, "code")
    assert stores.claim(name_store(name), "code", KEY)


@contextmanager
def in_front_of(hubs: Sequence[HubProcess], folder: Path, certificate: Certificate) -> Iterator[str]:
    """``with`` nginx before several processes, as `contrib/proxy` configures it; yield the address for devices."""
    folder.mkdir()
    ports = free_ports()
    # Else nginx takes a process for gone for 10 seconds after it was away for a moment, and then the other one as well.
    servers = "\n    ".join(f"server {HERE}:{hub.port} max_fails=0;" for hub in hubs)
    command = nginx_before(servers, folder, ports, certificate)
    process = start_logged(command, folder / "log")
    try:
        url = f"https://localhost:{ports.https}/kvass"
        within(SECONDS, partial(is_reached, f"{url}/s/none"), what="nginx answers")
        yield url
    finally:
        end_process(process)


def is_reached(address: str) -> bool:
    """Tell whether a hub answers, if only that it has no such store."""
    with closing(HttpRemote(address)) as remote:
        try:
            remote.post("pull", b"nobody's request")
        except Exception as error:  # noqa: BLE001  asked again
            return "key" in str(error)
    return False


class Device:
    """A device of a store, for one thread; it says in words what it was told that failed. Close it."""

    def __init__(self, path: Path, address: str) -> None:
        self.path = path
        self.store = Store.open(path)
        if not self.store.settings.config().remote:
            self.store.settings.set_encryption_key(KEY)
            self.store.settings.set_remote(address)
        self.remote = HttpRemote(address)
        self.synchroniser = Synchroniser(self.store, self.remote)

    def keys(self, beyond: int = 0) -> list[tuple[str, int]]:
        """Return the keys that came or were written after a sequence, each with its own."""
        return rows(self.store, "SELECT key, sequence FROM entries WHERE sequence > ? ORDER BY sequence", beyond)

    def values(self) -> dict[str, bytes]:
        """Return what there is under each key that has a value."""
        return {key: self.store.get(key).read() for key in rows(self.store, "SELECT key FROM entries WHERE size")}

    def close(self) -> None:
        self.remote.close()
        self.store.close()
