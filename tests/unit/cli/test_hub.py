"""kvassfs_cli.hub: what get, ls, set and rm do with the hub"""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import InvalidConfiguration, StoreBusy
from kvassfs.store import Store
from kvassfs.store.processes import Processes as StoreProcesses
from kvassfs.sync.connection import hub_address
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass, Processes

DOWN = "cannot reach the hub hub.example:8000: connection refused"

READING = ["get k", "ls", "ls -l"]
WRITING = ["set k new", "set --empty k", "rm k"]


@pytest.fixture(autouse=True)
def key(store: Store) -> None:
    """There is a key before there is a hub."""
    store.set("k", b"value")


def test_get_shows_what_the_hub_has(kvass: Kvass, hub: NearHub) -> None:
    hub.store.set("k", b"newer")
    assert kvass("get", "k") == (0, b"newer", "")


def test_ls_lists_what_the_hub_has(kvass: Kvass, hub: NearHub) -> None:
    hub.store.set("there", b"value")
    assert kvass("ls") == (0, b"k\nthere\n", "")


def test_get_of_a_key_that_the_hub_has_not_either_says_so_alone(kvass: Kvass, hub: NearHub) -> None:
    assert kvass("get", "nothing") == (1, b"", "kvass: no such key: nothing\n")


def test_set_pushes(kvass: Kvass, store: Store, hub: NearHub) -> None:
    assert kvass("set", "k", "new") == (0, b"", "")
    assert hub.store.get("k").read() == b"new\n"
    assert store.outbox.count_dirty() == (0, 0)


def test_set_from_standard_input_pushes(kvass: Kvass, hub: NearHub) -> None:
    assert kvass("set", "k", stdin=bytes(5_000_000)) == (0, b"", "")
    assert hub.store.get("k").read() == bytes(5_000_000)


def test_rm_pushes_also_when_a_key_is_missing(kvass: Kvass, hub: NearHub) -> None:
    kvass("set", "k", "new")
    assert kvass("rm", "x", "k") == (1, b"", "kvass: no such key: x\n")
    assert list(hub.store.keys()) == []


@pytest.mark.parametrize("line", READING + WRITING)
def test_without_a_hub_there_is_nothing_to_do(kvass: Kvass, store: Store, hub: NearHub, line: str) -> None:
    store.settings.set_remote("")
    assert kvass(*line.split()).status == 0
    assert hub.opened == []


@pytest.mark.parametrize("line", READING + WRITING)
def test_offline_the_hub_is_not_contacted(kvass: Kvass, hub: NearHub, line: str) -> None:
    assert kvass(*line.split(), "--offline").status == 0
    assert hub.opened == []


@pytest.mark.parametrize(("value", "contacted"), [("1", False), ("true", False), ("0", True), ("", True)])
@pytest.mark.parametrize("line", READING + WRITING)
def test_kvass_offline_does_the_same(
    kvass: Kvass, hub: NearHub, monkeypatch: pytest.MonkeyPatch, line: str, value: str, contacted: bool
) -> None:
    monkeypatch.setenv("KVASS_OFFLINE", value)
    assert kvass(*line.split()).status == 0
    assert bool(hub.opened) is contacted


def test_what_waits_since_it_was_set_offline_is_pushed_with_the_next(kvass: Kvass, hub: NearHub) -> None:
    kvass("set", "--offline", "first", "1")
    kvass("set", "second", "2")
    assert list(hub.store.keys()) == ["first", "k", "second"]


def test_while_another_process_is_in_touch_the_hub_need_not_be_asked(
    kvass: Kvass, hub: NearHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreProcesses, "is_in_touch", lambda _: True)
    assert kvass("get", "k") == (0, b"value", "")
    assert kvass("ls") == (0, b"k\n", "")
    assert hub.opened == []
    kvass("set", "k", "new")
    assert hub.calls[-1] == "push"


@pytest.mark.parametrize(("line", "out"), [("get k", b"value"), ("ls", b"k\n")])
def test_a_hub_that_is_down_costs_readers_one_warning(kvass: Kvass, hub: NearHub, line: str, out: bytes) -> None:
    hub.be_down()
    status, shown, err = kvass(*line.split())
    assert (status, shown) == (0, out)
    assert err == f"kvass: warning: {DOWN}; showing what is stored here\n"


@pytest.mark.parametrize("line", WRITING)
def test_a_hub_that_is_down_costs_writers_one_warning(kvass: Kvass, store: Store, hub: NearHub, line: str) -> None:
    hub.be_down()
    status, shown, err = kvass(*line.split())
    assert (status, shown) == (0, b"")
    assert err == f"kvass: warning: {DOWN}; kept here and pushed later\n"
    assert store.outbox.count_dirty()[0] == 1
    hub.failure = None
    kvass("set", "other", "value")
    assert store.outbox.count_dirty() == (0, 0)


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said once in a while is not said twice."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("remembered")
class TestOnceInAWhile:
    def test_a_hub_that_is_down_is_said_by_the_first_command_alone(self, kvass: Kvass, hub: NearHub) -> None:
        hub.be_down()
        assert kvass("get", "k").err
        assert kvass("get", "k") == (0, b"value", "")
        assert kvass("set", "k", "new") == (0, b"", "")

    def test_and_again_after_it_has_answered(self, kvass: Kvass, hub: NearHub) -> None:
        hub.be_down()
        kvass("get", "k")
        hub.failure = None
        kvass("get", "k")
        hub.be_down()
        assert kvass("get", "k").err

    def test_what_somebody_must_do_something_about_is_said_each_time(self, kvass: Kvass, hub: NearHub) -> None:
        hub.refuse_the_key()
        assert "has another encryption key" in kvass("get", "k").err
        assert "has another encryption key" in kvass("get", "k").err

    @pytest.mark.parametrize("line", ["url k", "url --once k", "qr k"])
    def test_an_address_that_does_not_work_yet_is_said_each_time(self, kvass: Kvass, hub: NearHub, line: str) -> None:
        hub.be_down()
        for _ in range(2):
            expected = f"kvass: warning: {DOWN}; the address works once the hub has heard of it\n"
            assert kvass(*line.split()).err == expected

    def test_nothing_is_written_to_the_database_for_it(self, kvass: Kvass, store: Store, hub: NearHub) -> None:
        kvass("get", "k")
        hub.be_down()
        before = store.upkeep.log_size()
        assert kvass("get", "k").err
        assert store.upkeep.log_size() == before


@pytest.mark.usefixtures("remembered")
def test_a_hub_that_is_found_at_another_port_is_said_once_in_a_while(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.settings.set_remote("hub.example")
    expected = (
        "kvass: warning: nobody answers at hub.example:80, but a hub does at hub.example:8000;"
        " name that in `kvass config remote`\n"
    )
    assert kvass("get", "k").err == expected
    assert kvass("get", "k").err == ""


def test_sync_says_so_too_and_status_where_the_hub_is(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.settings.set_remote("hub.example")
    assert "but a hub does at hub.example:8000" in kvass("sync").err
    assert re.search(rb"^Hub: +\thub\.example:8000$", kvass("status").out, re.MULTILINE)
    assert re.search(rb"^Hub: +\thub\.example:80$", kvass("status", "--offline").out, re.MULTILINE)


def test_a_warning_says_which_error_it_is(kvass: Kvass, hub: NearHub) -> None:
    hub.refuse_the_key()
    assert "has another encryption key" in kvass("get", "k").err


@pytest.mark.parametrize("line", ["get k", "set k new"])
def test_a_store_that_fails_meanwhile_is_a_warning_too(kvass: Kvass, database: object, hub: NearHub, line: str) -> None:
    hub.failure = StoreBusy(str(database))
    status, _, err = kvass(*line.split())
    assert status == 0
    assert err.startswith("kvass: warning: the database ")


PUSHED_LATER = "kvass: interrupted: what the hub does not have yet is kept here and pushed later\n"


@pytest.mark.parametrize(("line", "said"), [("get k", ""), ("set k new", PUSHED_LATER)])
def test_an_interrupt_while_the_hub_is_slow_ends_the_command_and_loses_nothing(
    kvass: Kvass, store: Store, hub: NearHub, line: str, said: str
) -> None:
    hub.failure = KeyboardInterrupt()
    assert kvass(*line.split()) == (130, b"", said)
    assert hub.closed == 1
    assert store.get("k").read() == (b"new\n" if "set" in line else b"value")


def test_the_remote_has_the_address_and_the_limits_of_the_store(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.settings.set_timeouts(2.5, 20)
    kvass("get", "k")
    assert [(address, tuple(limits)) for address, limits in hub.opened] == [
        ("hub.example:8000", (2.5, 20, 2.5 + 3 * 20))
    ]


@pytest.mark.parametrize("line", ["get k", "set k new"])
def test_the_connection_is_closed(kvass: Kvass, hub: NearHub, line: str) -> None:
    kvass(*line.split())
    assert len(hub.opened) == hub.closed == 1


FULL = 2  # https://sqlite.org/pragma.html#pragma_synchronous


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How SQLite waits for the disk, PRAGMA synchronous, at each commit that changes entries, from now on."""
    noted: list[int] = []

    class Connection(sqlite3.Connection):
        changes_entries = False

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("BEGIN"):
                self.changes_entries = False
            if re.match(r"(INSERT|REPLACE|UPDATE|DELETE)\b.*\bentries\b", sql, re.DOTALL):
                self.changes_entries = True
            if sql == "COMMIT" and self.changes_entries:
                noted.append(super().execute("PRAGMA synchronous").fetchone()[0])
            return super().execute(sql, *parameters)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **options: connect(*a, factory=Connection, **options))
    return noted


@pytest.mark.parametrize("line", ["unlink k", "unlink {token}", "url --once k", "url --expires 1h k", *WRITING])
@pytest.mark.parametrize("reachable", [True, False])
def test_what_a_command_reports_as_done_has_reached_the_disk_also_after_the_hub_was_out_of_reach(
    kvass: Kvass, store: Store, hub: NearHub, commits: list[int], line: str, reachable: bool
) -> None:
    link = store.share_links.create("k")
    if not reachable:
        hub.be_down()
    kvass(*line.format(token=link.token).split(), stdin=b"new")
    assert hub.calls
    assert set(commits[:1]) == {FULL}
    assert reachable or set(commits) == {FULL}


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The address of a hub that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_hub_that_never_answers_is_given_up_after_the_limit(
    processes: Processes, store: Store, black_hole: str
) -> None:
    store.settings.set_remote(black_hole)
    store.settings.set_timeouts(0.5, 0.5)
    assert processes.run("get", "k") == (
        0,
        b"value",
        f"kvass: warning: cannot reach the hub {black_hole}: no answer within 0.5 s; showing what is stored here\n",
    )


def test_a_slow_hub_does_not_hold_an_interrupt_back(processes: Processes, store: Store, black_hole: str) -> None:
    store.settings.set_remote(black_hole)
    store.settings.set_timeouts(60, 60)
    with processes.start("set", "k", "new") as process:
        while store.get("k").read() != b"new\n":
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (-2, PUSHED_LATER.encode())
    assert store.outbox.count_dirty()[0] == 1


def test_an_address_is_not_made_up(store: Store) -> None:
    with pytest.raises(InvalidConfiguration, match="set one with `kvass config remote HOST`"):
        hub_address(store)


class TestClocks:
    """A clock that is off by more than a minute is told by what writes or exchanges."""

    @pytest.mark.parametrize("command", ["set k new", "set --empty k", "rm k", "sync"])
    def test_a_wrong_clock_is_told(self, kvass: Kvass, hub: NearHub, command: str) -> None:
        hub.ahead = 3 * 3600 * 1_000_000_000
        assert kvass(*command.split()).err == (
            "kvass: warning: the clock of this machine is 3:00:00 behind that of the hub, which dates what is written; "
            "set it right\n"
        )

    def test_a_right_one_is_not(self, kvass: Kvass, hub: NearHub) -> None:
        hub.ahead = 30 * 1_000_000_000
        assert kvass("set", "k", "new") == (0, b"", "")

    def test_status_tells_it_beside_the_difference(self, kvass: Kvass, hub: NearHub) -> None:
        hub.ahead = 3 * 3600 * 1_000_000_000
        shown = kvass("status").out.decode()
        assert "hub is 3 hours ahead" in shown
        assert "warning: the clock of this machine is 3:00:00 behind" in shown

    def test_a_version_that_beats_what_others_write_for_days_is_told(self, kvass: Kvass, store: Store) -> None:
        with store.transaction:
            store._database.execute("UPDATE entries SET timestamp = timestamp + 3 * 86400 * 1000000")
        assert "warning: k is dated" in kvass("set", "k", "new").err
        assert kvass("set", "other", "new").err == ""
