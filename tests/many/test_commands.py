"""A hub for many as its host and a person use it: each command of the manual, on real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from kvassfs.keeping.postgres.database import Database
from tests.support.postgres import Server
from tests.support.processes import HERE, KVASS, children, end_process, start_logged, start_server
from tests.support.waiting import find_within, wait_until

SECONDS = 30.0

Device = Callable[..., str]


class Host:
    """A machine that runs the hub; its commands find the database by the environment."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.environment = {**os.environ, "KVASS_HUB_DATABASE": url, "HOME": str(folder)}
        self.port = 0
        self.process: subprocess.Popen[bytes]

    def kvass(self, *arguments: str, status: int = 0, database: str = "unused") -> str:
        """Run a command; return what it says on both outputs."""
        environment = {**self.environment, "KVASS_DB": str(self.folder / database)}
        done = subprocess.run(
            [*KVASS, *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Path]:
        """``with`` a hub; the value is its log."""
        log = self.folder / "hub.log"
        command = [*KVASS, "serve", "--database", self.url, "--bind", f"{HERE}:0", *arguments]
        self.process, self.port = start_server(command, log)
        try:
            yield log
        finally:
            end_process(self.process)

    def add(self, name: str) -> str:
        """Add a store; return what claims it."""
        said = self.kvass("hub", "add", name, "--url", f"http://{HERE}:{self.port}")
        found = re.search(r"kvass claim (\S+)", said)
        assert found, said
        return found[1]

    def look(self, path: str) -> tuple[int, bytes]:
        """Get a page of the hub."""
        with urllib.request.urlopen(f"http://{HERE}:{self.port}{path}", timeout=SECONDS) as response:
            return response.status, response.read()


@pytest.fixture
def host(server: Server, database: Database, tmp_path: Path) -> Host:
    return Host(database._url, tmp_path)


def test_a_store_is_added_claimed_used_shared_and_removed(host: Host) -> None:
    with host.serving() as log:
        claim = host.add("family")
        assert "family  waits to be claimed, 0 keys" in host.kvass("hub", "list")
        host.kvass("set", "note", "hello", database="one")
        assert "`kvass pair` lets others join" in host.kvass("claim", claim, database="one")
        assert "family  claimed, 1 key," in host.kvass("hub", "list")
        join(host, "one", "two")
        assert host.kvass("get", "note", database="two") == "hello\n"
        address = host.kvass("url", "note", database="two").strip()
        assert host.look(address.partition(str(host.port))[2]) == (200, b"hello\n")
        assert "has the hub" in host.kvass("claim", claim, status=1, database="two")
        host.kvass("hub", "remove", "family", "--yes")
        assert host.kvass("hub", "list") == ""
        assert "key" in host.kvass("sync", status=1, database="one")
        assert "has no store 'family'" in host.kvass("hub", "remove", "family", "--yes", status=1)
    text = log.read_text()
    assert "family" not in text.partition("\n")[2]
    assert address.rpartition("=")[2] not in text


def join(host: Host, first: str, second: str) -> None:
    """Have a second device join, by the code that the first one shows."""
    log = host.folder / "pair.log"
    pairing = start_logged([*KVASS, "pair"], log, {**host.environment, "KVASS_DB": str(host.folder / first)})
    try:
        line = find_within(SECONDS, lambda: re.search(r"kvass join (\S+) (\S+)", log.read_text()), what="a code")
        host.kvass("join", line[1], line[2], database=second)
        pairing.wait(SECONDS)
    finally:
        end_process(pairing)


MARK, NAME = b"8f1cMARKa71e", "8f1cNAMEa71e"


def test_a_sealed_store_is_claimed_and_nothing_in_the_database_can_be_read(host: Host) -> None:
    with host.serving():
        host.kvass("set", NAME, MARK.decode(), database="one")
        (host.folder / "files").mkdir()
        (host.folder / "files" / NAME).with_suffix(".bin").write_bytes(MARK + os.urandom(600_000))
        host.kvass("claim", host.add("before"), database="one")
        assert NAME in read_all(host)  # so it would be found
        host.kvass("hub", "remove", "before", "--yes")
        host.kvass("config", "sealed", "on", "--yes", database="one")
        host.kvass("claim", host.add("family"), database="one")  # although it had another hub
        host.kvass("import", f"{host.folder}/files/", database="one")
        host.kvass("sync", database="one")
        join(host, "one", "two")
        assert host.kvass("get", NAME, database="two") == f"{MARK.decode()}\n"
        assert host.kvass("config", "sealed", database="two").startswith("on: the hub cannot read")
        address = host.kvass("url", "--once", NAME, database="two").strip()
        assert re.fullmatch(rf"http://{HERE}:{host.port}/s/family/open#\S+\.\S+", address)
        assert host.kvass("fetch", address, database="none") == f"{MARK.decode()}\n"
        assert "used up" in host.kvass("fetch", address, status=1, database="none")
        text = read_all(host)
    assert "family" in text
    for mark in (MARK.decode(), MARK.hex(), NAME):
        assert mark not in text


def read_all(host: Host) -> str:
    """Return all rows of the database, as text."""
    with psycopg.connect(host.url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        rows = [
            connection.execute(SQL("SELECT t::text FROM {} t").format(Identifier(name))).fetchall()
            for (name,) in tables
        ]
    return "\n".join(text for found in rows for (text,) in found)


def test_a_code_claims_once_and_wrong_ones_never(host: Host) -> None:
    with host.serving():
        claim = host.add("family")
        host.kvass("set", "a", "1", database="one")
        said = host.kvass("claim", f"{claim[:-4]}aaaa", status=4, database="one")
        assert "claims no store" in said
        host.kvass("claim", claim, database="one")
        assert "claims no store" in host.kvass("claim", claim, status=4, database="two")
        assert "already" in host.kvass("hub", "add", "family", "--url", "https://hub.example", status=1)
        assert "begins with https://" in host.kvass("claim", "http://hub.example/s/a#b", status=1, database="two")


def test_a_store_at_its_share_says_so_and_removes_all_the_same(host: Host) -> None:
    with host.serving():
        claim = host.add("family")
        host.kvass("set", "a", "1", database="one")
        host.kvass("claim", claim, database="one")
        host.kvass("hub", "quota", "family", "--keys", "1", "--mb", "5")
        assert "1 of 1 key," in host.kvass("hub", "list")
        assert "takes no more: of this store it keeps 1 keys at most" in host.kvass("set", "b", "2", database="one")
        host.kvass("rm", "a", database="one")
        join_after(host, claim)
        host.kvass("hub", "quota", "family", "--requests", "1000")
        assert "1,000 requests/s at most" in host.kvass("hub", "list")
        host.kvass("hub", "quota", "family")
        assert "takes no more" not in host.kvass("sync", database="one")


def join_after(host: Host, claim: str) -> None:
    """See that the removal has arrived: another device that asks gets no key."""
    join(host, "one", "two")
    assert host.kvass("ls", database="two") == ""


def test_several_processes_serve_and_one_that_is_killed_comes_back(host: Host) -> None:
    with host.serving("--processes", "2", "--metrics", f"{HERE}:0") as log:
        claim = host.add("family")
        host.kvass("set", "a", "1", database="one")
        host.kvass("claim", claim, database="one")
        wait_until(lambda: len(children(host.process.pid)) == 2, what="two processes")
        killed = children(host.process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        for number in range(4):
            host.kvass("set", "b", str(number), database="one")
        wait_until(lambda: killed not in children(host.process.pid), what="it has gone")
        wait_until(lambda: len(children(host.process.pid)) == 2, what="another is there")
        assert host.look("/health") == host.look("/ready") == (200, b"ok\n")
        assert "ended with -9, and is started again" in log.read_text()


def test_the_hub_of_one_person_moves_in_and_out(host: Host) -> None:
    host.kvass("set", "a", "1", database="old.sqlite")
    assert host.kvass("hub", "import", str(host.folder / "old.sqlite"), "family").endswith("moved 1 entry to family\n")
    assert "family  claimed, 1 key," in host.kvass("hub", "list")
    new = host.folder / "new.sqlite"
    assert "moved 1 entry" in host.kvass("hub", "export", "family", str(new))
    assert host.kvass("get", "a", database="new.sqlite") == "1\n"
    assert "there already" in host.kvass("hub", "export", "family", str(new), status=2)
    assert "has no store" in host.kvass("hub", "export", "family", str(host.folder / "again"), status=1)
    assert not (host.folder / "again").exists()
    host.kvass("hub", "restored")


def test_what_is_wrong_with_the_database_is_one_line(host: Host, tmp_path: Path) -> None:
    nowhere = "postgresql://kvass:secret@127.0.0.1:1/kvass"
    for arguments in (["hub", "list", "--database", nowhere], ["serve", "--bind", f"{HERE}:0", "--database", nowhere]):
        said = host.kvass(*arguments, status=1)
        assert said.startswith("kvass: cannot use the database postgresql://127.0.0.1:1/kvass: ")
        assert "secret" not in said
        assert said.count("\n") == 1
    assert "begins with postgresql://" in host.kvass("hub", "list", "--database", "mysql://x", status=2)
    assert "need --database" in host.kvass("serve", "--processes", "2", status=2)
