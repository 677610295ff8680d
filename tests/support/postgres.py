"""A PostgreSQL server of the distribution's package for tests, which start and end it themselves."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

from kvassfs.keeping.postgres.database import prepare_schema
from tests.support.processes import children, is_running
from tests.support.waiting import PATIENCE, find_within

FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
"""Settings of a server that need not outlive a power cut."""

TEMPLATE = "kvass_template"


def find_program(name: str) -> str:
    """Return the path of a program of PostgreSQL; Debian puts them where no PATH leads."""
    found = shutil.which(name)
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        found = found or shutil.which(name, path=str(folder))
    assert found is not None, f"{name} is missing: the system's package postgresql has it"
    return found


class Server:
    """A running server below ``place``, reached on loopback; not as root, which it refuses to run as."""

    def __init__(self, place: Path, *settings: str) -> None:
        self.data = place / "data"
        self.port = find_port()
        self._log = place / "log"
        self._settings = settings
        self._numbers = count()

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run a program of PostgreSQL as the user that the server runs as."""
        command = [find_program(program), *map(str, arguments)]
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **user)  # type: ignore[call-overload]
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def make(self) -> None:
        """Make the folder of a new server."""
        self._make_place()
        self.run("initdb", "--auth=trust", "--username=kvass", "--encoding=UTF8", "--no-sync", "-D", self.data)

    def copy(self, place: Path) -> Server:
        """Make a replica below ``place``, which follows this server once it is started."""
        made = Server(place, *self._settings)
        made._make_place()
        source = f"postgresql://kvass@127.0.0.1:{self.port}/"
        made.run("pg_basebackup", "-d", source, "-D", made.data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        return made

    def _make_place(self) -> None:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.data.parent, user.pw_uid, user.pw_gid)

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *self._settings]
        text = " ".join(f"-c {option}" for option in options)
        self.run("pg_ctl", "start", "--wait", "-D", self.data, "-l", self._log, "-o", text)

    def stop(self, mode: str = "immediate") -> None:
        """End it."""
        self.run("pg_ctl", "stop", "-D", self.data, "-m", mode)

    def end(self) -> None:
        """End it if it runs."""
        if (self.data / "postmaster.pid").exists():
            self.stop()

    def kill(self) -> None:
        """Kill all of its processes."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        for each in (pid, *children(pid)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        find_within(PATIENCE, lambda: not is_running(pid), what="it has ended")
        (self.data / "postmaster.pid").unlink()

    def promote(self) -> None:
        """Have a replica take over."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://kvass@127.0.0.1:{self.port}/{database}"

    def create_template(self) -> None:
        """Make the database that others are made from."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        with psycopg.connect(self.url(TEMPLATE), autocommit=True) as connection:
            prepare_schema(connection, "the template")

    def create_database(self) -> str:
        """Make a database with the schema, and return its URL."""
        name = f"kvass_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        return self.url(name)


def find_port() -> int:
    """Return a port that is free just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def own_folder() -> Iterator[Path]:
    """``with`` a folder that the user of servers reaches; pytest closes its own to others whenever it starts somewhere."""
    with tempfile.TemporaryDirectory(prefix="kvass-postgres-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def running_server(*settings: str) -> Iterator[Server]:
    """``with`` a new server that has the template."""
    with own_folder() as folder:
        server = Server(folder / "server", *settings)
        server.make()
        server.start()
        try:
            server.create_template()
            yield server
        finally:
            server.end()
