"""The command line on a database of its own, in this process and as real processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from kvassfs.store import Store
from kvassfs_cli.main import run
from tests.support.near_hub import NearHub, near_hub
from tests.support.processes import KVASS, unmeasured

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


@pytest.fixture
def hub(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NearHub]:
    """The hub of ``store``, in this process; command lines that run here reach it."""
    with near_hub(store, tmp_path / "hub.sqlite", monkeypatch) as near:
        yield near


class Processes:
    """Starts `kvass` as real processes; coverage is measured in those that are run to their end only if ``measured``."""

    command = KVASS

    def __init__(self, *, measured: bool = True) -> None:
        self._measured = measured

    def environment(self) -> dict[str, str]:
        return dict(os.environ) if self._measured else unmeasured()

    def start(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([*self.command, *arguments], **{**streams, **options})

    @contextmanager
    def running(self, *arguments: str | bytes, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """``with`` a process, which is killed if it still runs in the end: a test that fails waits for nobody."""
        with self.start(*arguments, **options) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str | bytes, stdin: bytes = b"", **options: Any) -> Outcome:
        with self.start(*arguments, **{"env": self.environment(), **options}) as process:
            out, err = process.communicate(None if "stdin" in options else stdin)
        return Outcome(process.returncode, out or b"", (err or b"").decode())

    def run_command(self, command: list[str], **options: Any) -> Outcome:
        """Run another program to its end."""
        done = subprocess.run(command, capture_output=True, check=False, **options)
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    def shell(self, script: str) -> Outcome:
        """Run a bash script in which `kvass` is the command; the status is that of the last pipe as a whole."""
        function = f'kvass() {{ "{self.command[0]}" -m kvassfs_cli "$@"; }}\nset -o pipefail\n'
        return self.run_command(["bash", "-c", function + script], env=self.environment())


@pytest.fixture
def processes(database: Path) -> Processes:
    """Start command lines as processes, all on the same database."""
    return Processes()
