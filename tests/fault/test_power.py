"""The power is cut at any moment: what was acknowledged before is there, and what is there is whole.

What processes did to their files is written down, and every state that a cut may leave of it is opened (`power.py` says
which those are). KVASS_TESTS=long tries all moments, more of the states, and other ones each time.
"""

from __future__ import annotations

import os
import random as randomness
import shutil
import sqlite3
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import KeyMissing, StoreUnavailable
from kvassfs.store import Store
from kvassfs.store.backup import check_backup
from kvassfs.store.database import Database
from kvassfs.store.opening import is_store
from kvassfs.store.sizes import SIZES
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.fault.power_scenarios import CODE, LARGE, delivery, expand
from tests.support.disk_calls import DiskCalls, Operation, Record, run_preloaded
from tests.support.golden_data import GOLDEN
from tests.support.hub_process import Server, serving
from tests.support.mounts import mount_command, mounted_by
from tests.support.power import Cut, Disk, Kept, power_cuts, without_directories_of_sqlite
from tests.support.processes import KVASS
from tests.support.searches import LONG, tell
from tests.support.stores import SMALL, audit, keep_room, revision_values

Check = Callable[[Store, Sequence[str]], None]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing wait for the disk while states are looked at."""
    monkeypatch.setattr(Database, "_wait_for_disk", lambda self, _: self.execute("PRAGMA synchronous=OFF"))


@pytest.fixture(params=[False, True], ids=["SQLite secures names", "SQLite does not"])
def secured_here(request: pytest.FixtureRequest) -> bool:
    """Whether SQLite is one that was built to leave directories alone, as Fedora's is."""
    found: bool = request.param
    return found


class Trial:
    """A disk with a database, what was done to it, and the states that power cuts leave."""

    def __init__(self, room: Path) -> None:
        self.directory, self.left = room / "disk", room / "left"
        self.directory.mkdir()
        self.left.mkdir()
        self.db = self.directory / "db.sqlite"
        self.calls = DiskCalls(self.directory, room / "control", room / "log")
        self.before: dict[str, bytes] = {}

    def prepare(self) -> None:
        """Have on the disk what is there now."""
        for path in self.directory.iterdir():
            if path.name.endswith("-shm"):
                path.unlink()
        self.before = {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def run(self, scenario: str, *, secured_here: bool = False) -> list[Record]:
        """Run a scenario and return what it did."""
        run_preloaded(self.calls, CODE, scenario, self.db, secured_here)
        records = self.calls.records()
        return without_directories_of_sqlite(records, self.directory) if secured_here else records

    def cuts(self, records: Sequence[Record], *, states: int = 120) -> Iterator[tuple[Cut, Path]]:
        """Yield power cuts, about so many in the short form, with where the database is then; say which one failed."""
        seed = randomness.randrange(2**32) if LONG else 1
        samples = 6 if LONG else 2
        share = 1.0 if LONG else min(1.0, states / (len(records) * (samples + 2)))
        random, tried = randomness.Random(seed), 0
        for cut in power_cuts(self.directory, records, random, share=share, samples=samples, before=self.before):
            cut.write(self.left)
            try:
                yield cut, self.left / "db.sqlite"
            except BaseException:
                tell(f"seed {seed}: the power is cut {cut}; last of {cut.marks[-3:]}")
                raise
            tried += 1
        assert tried > len(records) * share
        tell(f"{tried} states after {len(records)} calls, seed {seed}")

    def check(self, records: Sequence[Record], check: Check) -> None:
        """Look at the stores that are left; none only where nothing was done yet."""
        for cut, db in self.cuts(records):
            try:
                with Store.open(db, create=False) as store:
                    audit(store)
                    check(store, cut.marks)
            except StoreUnavailable:
                assert not any(mark.startswith("done") for mark in cut.marks), f"no database {cut}"
            except BaseException as error:
                error.add_note(f"the power is cut {cut}")
                raise


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def check_values(store: Store, marks: Sequence[str]) -> None:
    """Check that each key has the value that was acknowledged last, or one that was begun since; and its history."""
    began: dict[str, list[str]] = {}
    done: dict[str, list[str]] = {}
    for mark in marks:
        match mark.split():
            case "began", key, value:
                began.setdefault(key, []).append(value)
            case "done", key, value:
                done.setdefault(key, []).append(value)
                began[key] = []
    for key, values in done.items():
        possible = [values[-1], *began.get(key, [])]
        assert value_of(store, key) in [b"" if value == "-" else expand(value) for value in possible], key
        history = [*revision_values(store, key), value_of(store, key)]
        assert all(expand(value) in history for value in values if value != "-"), f"history of {key}"


def check_values_and_links(store: Store, marks: Sequence[str]) -> None:
    """Check that a link that was used once leads nowhere, and the values."""
    check_values(store, marks)
    for mark in marks:
        if mark.startswith("used"):
            token = mark.split()[1]
            assert store.share_links.find(token) is None
            assert store.share_links.has_ended(token)


def value_of(store: Store, key: str) -> bytes:
    try:
        return store.get(key).read()
    except KeyMissing:
        return b""


@pytest.mark.parametrize("scenario", ["commands", "beside a mount", "short mounts", "gives room back", "imports"])
def test_values_are_there(trial: Trial, scenario: str, secured_here: bool) -> None:
    trial.check(trial.run(scenario, secured_here=secured_here), check_values)


def test_what_is_left_of_a_database_that_was_being_made_is_made_anew(trial: Trial, secured_here: bool) -> None:
    """Nothing can have been stored before the log is there; so more of these few states are tried, with a new value."""
    records = trial.run("commands", secured_here=secured_here)
    opened = (record.operation is Operation.OPENED and record.names[0].endswith("-wal") for record in records)
    making = records[: list(opened).index(True)]
    is_torn = False
    for cut in power_cuts(trial.directory, making, randomness.Random(1), samples=100):
        cut.write(trial.left)
        left = cut.files.get("db.sqlite", b"")
        is_torn = is_torn or (len(left) > 0 and cut.files.keys() == {"db.sqlite"} and not any(left))
        with Store.open(trial.left / "db.sqlite") as store:
            store.set("new", b"1")
            audit(store)
            assert store.get("new").read() == b"1"
    assert is_torn or not secured_here, "the first page was never cut so that only zeros are left of it"


def test_a_database_that_is_written_anew_keeps_its_values(trial: Trial, secured_here: bool) -> None:
    with Store.open(trial.db) as store:
        store.set("kept", expand(f"1:{LARGE}"))
    keep_room(trial.db)
    trial.prepare()
    trial.check(trial.run("rewrites", secured_here=secured_here), check_values)


def test_what_a_hub_acknowledged_is_there_and_a_used_link_stays_used(trial: Trial, secured_here: bool) -> None:
    trial.check(trial.run("pushes", secured_here=secured_here), check_values_and_links)


def test_a_cursor_never_passes_what_was_pulled(trial: Trial, secured_here: bool) -> None:
    def check(store: Store, _: Sequence[str]) -> None:
        cursor = store.peers.hub().cursor
        assert store.count_keys() == 4 * cursor
        for number in range(1, cursor + 1):
            assert store.get(f"pulled/{number}/3").read() == expand(f"{number}:2000")

    trial.check(trial.run("pulls", secured_here=secured_here), check)


def test_a_take_over_leaves_the_old_database_or_the_new_one_with_a_backup(trial: Trial, secured_here: bool) -> None:
    shutil.copyfile(GOLDEN / "client-1001.sqlite", trial.db)
    original = trial.db.read_bytes()
    trial.prepare()
    records = trial.run("opens", secured_here=secured_here)
    with Store.open(trial.db) as store:
        expected = {key: store.get(key).read() for key in store.keys()}
        key = store.settings.config().encryption_key
    for cut, db in trial.cuts(records):
        if is_store(str(db)):
            assert cut.files["db.sqlite.kvass-go.bak"] == original
        else:
            assert "opened" not in cut.marks
        with Store.open(db) as store:
            audit(store)
            assert {key: store.get(key).read() for key in store.keys()} == expected
            assert store.settings.config().encryption_key == key
        assert db.with_name("db.sqlite.kvass-go.bak").read_bytes() == original


@pytest.mark.parametrize("version", ["1", "4", "4-blocks", "9", "10-history", "11", "13-blocks"])
def test_an_upgrade_leaves_the_earlier_store_or_the_new_one(trial: Trial, version: str, secured_here: bool) -> None:
    with closing(sqlite3.connect(trial.db)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript((GOLDEN / f"store-version-{version}.sql").read_text(encoding="utf-8"))
    trial.prepare()
    records = trial.run("opens", secured_here=secured_here)
    sizes = SMALL if "blocks" in version else SIZES
    with Store.open(trial.db, sizes=sizes) as store:
        expected = contents(store)
    for _, db in trial.cuts(records, states=40):
        with Store.open(db, sizes=sizes) as store:
            audit(store)
            assert contents(store) == expected


def contents(store: Store) -> dict[str, list[bytes]]:
    """Return keys with their values, newest first."""
    return {key: [store.get(key).read(), *revision_values(store, key)] for key in store.keys()}


def test_a_backup_is_the_one_before_or_the_new_one_and_whole(trial: Trial, secured_here: bool) -> None:
    for cut, db in trial.cuts(trial.run("backups", secured_here=secured_here)):
        backup = db.with_name("db.sqlite.backup")
        copied = [mark for mark in cut.marks if mark.startswith("copied")]
        if copied or backup.exists():
            check_backup(str(backup), lambda _done, _total: None)
            with Store.open(backup) as store:
                audit(store)
                values = [expand(mark.split()[2]) for mark in cut.marks if mark.startswith("done")]
                assert store.get("kept").read() in values[max(len(copied) - 1, 0) :]


MAKE_LINK = """
import sys
from kvassfs.store import Store
with Store.open(sys.argv[1]) as store:
    print(store.share_links.create("pushed", once=True).token, end="")
"""


class TestProcesses:
    """Mounts and hubs as they are run, whose every call is written down; they see to their files beside all that."""

    def test_what_was_saved_in_a_mount_and_synchronised_is_there(self, trial: Trial) -> None:
        path = trial.directory.with_name("mount")
        path.mkdir()
        command = [*KVASS, "--db", str(trial.db), "set", "--", "short"]
        environment = trial.calls.environment()
        with mounted_by(mount_command(trial.db, path), path, environment):
            for number in range(3):
                save_and_wait(trial, path / "file", f"{number}:{LARGE}")
                save_and_wait(trial, path / "dir", f"{number}:100")
                trial.calls.mark(f"began short {number}:200")
                subprocess.run(command, input=expand(f"{number}:200"), env={**os.environ, **environment}, check=True)
                trial.calls.mark(f"done short {number}:200")
                (path / "other").write_bytes(b"not synchronised")
        trial.check(trial.calls.records(), check_values)

    def test_what_a_hub_acknowledged_is_there_and_a_used_link_stays_used(self, trial: Trial) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in trial.calls.environment().items():
                patch.setenv(name, value)
            served = serving(trial.directory)
            hub = served.__enter__()
            try:
                self.push_and_use_a_link(trial, hub)
            finally:
                served.__exit__(None, None, None)
        trial.check(trial.calls.records(), check_values_and_links)

    def push_and_use_a_link(self, trial: Trial, hub: Server) -> None:
        device = hub.device()
        seal = Seal(device.key)
        for number in range(1, 4):
            value = f"{number}:{40_000 * number}"
            trial.calls.mark(f"began pushed {value}")
            body = messages.encode_push([delivery("pushed", expand(value), number)])
            assert device.post("/push", seal.seal(body))[0] == 200
            trial.calls.mark(f"done pushed {value}")
        token = run_preloaded(trial.calls, MAKE_LINK, trial.db)
        with urllib.request.urlopen(f"{hub.url}/get?q={token}", data=b"") as response:
            assert response.read() == expand("3:120000")
        trial.calls.mark(f"used {token}")


def save_and_wait(trial: Trial, path: Path, value: str) -> None:
    """Save a file in a mount, and wait for the disk."""
    trial.calls.mark(f"began {path.name} {value}")
    with path.open("wb", buffering=0) as file:
        file.write(expand(value))
        os.fsync(file.fileno())
    trial.calls.mark(f"done {path.name} {value}")


class TestModel:
    """The power cuts of a small program are those that the model says; what it forgets to synchronise is found."""

    def run(self, trial: Trial, code: str) -> set[tuple[tuple[str, bytes], ...]]:
        trial.prepare()
        run_preloaded(trial.calls, f"import os, sys\nos.chdir('/')\nroot = sys.argv[1]\n{code}", trial.directory)
        disk, random = Disk(trial.directory, trial.before), randomness.Random(1)
        for record in trial.calls.records():
            disk.take(record)
        return {tuple(sorted(disk.cut(kept, random).items())) for kept in Kept for _ in range(40)}

    def test_what_is_not_synchronised_may_be_missing(self, trial: Trial) -> None:
        found = self.run(trial, "os.write(os.open(f'{root}/a', os.O_CREAT | os.O_WRONLY), b'1')")
        assert found == {(), (("a", b""),), (("a", b"1"),)}

    def test_a_synchronised_file_may_lack_its_name(self, trial: Trial) -> None:
        code = "f = os.open(f'{root}/a', os.O_CREAT | os.O_WRONLY); os.write(f, b'1'); os.fsync(f)"
        assert self.run(trial, code) == {(), (("a", b"1"),)}

    def test_with_its_directory_synchronised_it_is_there(self, trial: Trial) -> None:
        code = (
            "f = os.open(f'{root}/a', os.O_CREAT | os.O_WRONLY); os.write(f, b'1'); os.fsync(f);"
            "os.fsync(os.open(root, os.O_RDONLY))"
        )
        assert self.run(trial, code) == {(("a", b"1"),)}

    def test_a_rename_is_all_or_nothing(self, trial: Trial) -> None:
        (trial.directory / "a").write_bytes(b"old")
        code = (
            "f = os.open(f'{root}/b', os.O_CREAT | os.O_WRONLY); os.write(f, b'new'); os.fsync(f);"
            "os.fsync(os.open(root, os.O_RDONLY)); os.replace(f'{root}/b', f'{root}/a')"
        )
        assert self.run(trial, code) == {(("a", b"old"), ("b", b"new")), (("a", b"new"),)}

    def test_sectors_arrive_in_any_order(self, trial: Trial) -> None:
        (trial.directory / "a").write_bytes(b"0" * 1024)
        code = "os.pwrite(os.open(f'{root}/a', os.O_WRONLY), b'1' * 1024, 0)"
        found = {data[0][1] for data in self.run(trial, code)}
        assert found == {one * 512 + other * 512 for one in (b"0", b"1") for other in (b"0", b"1")}
