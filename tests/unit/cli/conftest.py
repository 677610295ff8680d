"""The command line on a database of its own, in this process and as real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from kvassfs.errors import HubUnreachable, WrongKey
from kvassfs.remote import http as remote
from kvassfs.store import Store
from kvassfs.sync.hub import Hub
from kvassfs_cli.main import run

GOLDEN = Path(__file__).parents[2] / "golden"


class Outcome(NamedTuple):
    status: int
    out: bytes
    err: str


Kvass = Callable[..., Outcome]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the database that KVASS_DB names; there is no file yet."""
    monkeypatch.delenv("KVASS_OFFLINE", raising=False)
    path = tmp_path / "db.sqlite"
    monkeypatch.setenv("KVASS_DB", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return path


@pytest.fixture
def kvass(database: Path) -> Kvass:
    """Run a command line in this process."""

    def run_here(*arguments: str, stdin: bytes = b"") -> Outcome:
        with CliRunner().isolation(input=stdin) as (out, err, *_):
            status = run(arguments)
            return Outcome(status, out.getvalue(), err.getvalue().decode())

    return run_here


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    """The same database, opened beside the command line."""
    with Store.open(database) as opened:
        yield opened


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place 5 hours and 45 minutes ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class NearHub:
    """A hub in this process, and the remote to it; ``failure`` makes that one fail."""

    address = "hub.example:8000"

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[str] = []
        self.opened: list[tuple[str, remote.Limits]] = []
        self.closed = 0
        self.failure: BaseException | None = None

    def connect(self, address: str, limits: remote.Limits) -> NearHub:
        self.opened.append((address, limits))
        return self

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0) -> bytes:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure
        request = body if isinstance(body, bytes) else b"".join(body)
        hub = Hub(self.store)
        if call == "pull":
            answer = hub.pull(request).respond(patient=False)
            assert answer is not None
            return b"".join(answer)
        return hub.push(request) if call == "push" else hub.serve_blocks(request)

    def close(self) -> None:
        self.closed += 1

    def be_down(self) -> None:
        self.failure = HubUnreachable(self.address, "connection refused")

    def refuse_the_key(self) -> None:
        self.failure = WrongKey(self.address)


@pytest.fixture
def hub(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NearHub]:
    """The hub of ``store``, in this process; command lines that run here reach it."""
    with Store.open(tmp_path / "hub.sqlite") as of_hub:
        of_hub.settings.set_encryption_key(store.settings.config().encryption_key)
        near = NearHub(of_hub)
        store.settings.set_remote(near.address)
        monkeypatch.setattr(remote, "HttpRemote", near.connect)
        yield near


class Processes:
    """Starts `kvass` as real processes."""

    command = (sys.executable, "-m", "kvassfs_cli")

    def start(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([*self.command, *arguments], **{**streams, **options})

    def run(self, *arguments: str | bytes, stdin: bytes = b"", **options: Any) -> Outcome:
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(None if "stdin" in options else stdin)
        return Outcome(process.returncode, out or b"", (err or b"").decode())

    def shell(self, script: str) -> Outcome:
        """Run a bash script in which `kvass` is the command; the status is that of the last pipe as a whole."""
        function = f'kvass() {{ "{self.command[0]}" -m kvassfs_cli "$@"; }}\nset -o pipefail\n'
        done = subprocess.run(["bash", "-c", function + script], capture_output=True, check=False)
        return Outcome(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture
def processes(database: Path) -> Processes:
    """Start command lines as processes, all on the same database."""
    return Processes()
