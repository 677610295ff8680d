"""One statement fails, or the process dies at it; afterwards the store is the old or the new one, whole."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.errors import DiskFull, KeyMissing, KvassError
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.store import MOUNT, Bearer, Draft, Limit, Node, Store, Written
from kvassfs.store.database import Database
from kvassfs.sync import messages
from kvassfs.sync.entry_messages import estimate_size
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import Seal
from tests.support.disks import MIB, filled, small_disk
from tests.support.forks import fork_unmeasured
from tests.support.stores import (
    DAY,
    REGULAR,
    SMALL,
    Clock,
    Fault,
    audit,
    audit_clean,
    clean_up,
    count,
    failing,
    is_scratch,
    read,
    save,
    start,
    state,
)

T = TypeVar("T")

Action = Callable[[Store], object]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing wait for the disk: what dies here is the process, and not the system."""
    monkeypatch.setattr(Database, "_wait_for_disk", lambda self, _: self.execute("PRAGMA synchronous=OFF"))


FEW = SMALL._replace(clean=16)


def value_of(size: int, seed: int = 0) -> bytes:
    return random.Random(size * 1000 + seed).randbytes(size)


def file(store: Store, key: str) -> Node:
    node = store.tree.file(key)
    if node is None:  # it was renamed already, where only what comes after that failed
        raise KeyMissing(key)
    return node


def draft_save(store: Store) -> None:
    """Save a file whose draft had to store blocks before, and that goes on."""
    draft = store.tree.open(file(store, "long").key)[1]
    for offset in (5, 200, 330, 420, 64, 5):
        draft.write(offset, value_of(70, offset))
    draft.truncate(450)
    store.tree.save("long", draft, Written(mode=REGULAR), scratch=False, now=10**15, amends=None)
    draft.close()


def delivery(key: str, value: bytes, *, counter: int, time: int = 5 * 10**15, mode: int | None = None) -> Delivery:
    """Return an entry of another replica; by default it wins."""
    return Delivery(Entry(key, time, counter, 99, f"{key}-{counter}", len(value), mode), counter, value)


def large_delivery(value: bytes, *, counter: int) -> Delivery:
    blocks = b"".join(hashlib.sha256(block).digest() for block in blocks_of(value))
    return delivery("long", value, counter=counter)._replace(value=None, blocks=blocks)


def blocks_of(value: bytes) -> list[bytes]:
    return [value[at : at + 64] for at in range(0, len(value), 64)]


def deliveries() -> list[Delivery]:
    """Return entries that win, lose, delete and change a mode, with short values and long ones."""
    return [
        delivery("new/key", b"short", counter=1, mode=REGULAR),
        delivery("new/long", value_of(300, 2), counter=2),
        large_delivery(value_of(400) + b"and more", counter=3),
        delivery("short", b"", counter=4),
        delivery("d/a", b"loser", counter=5, time=1),
        delivery("often", b"a longer value that loses", counter=6, time=1),
        delivery("d/s~", b"no scratch file", counter=7),
    ]


def merge_a_push(store: Store) -> None:
    store.blocks.put(blocks_of(value_of(400) + b"and more"))
    store.inbox.merge_pushed(deliveries())


def merge_a_pull(store: Store) -> None:
    store.blocks.put(blocks_of(value_of(400) + b"and more"))
    store.inbox.merge_pulled(deliveries(), cursor=70, epoch=1)


def answer_a_push(store: Store) -> None:
    """Answer as the hub, which also tells the device how far it has come."""
    store.blocks.put(blocks_of(value_of(400) + b"and more"))
    body = Seal(store.settings.config().encryption_key, bytes).seal(messages.encode_push(deliveries()))
    Hub(StoreKeeper(store), clock=Clock(), random=bytes).push(body)


def acknowledge(store: Store) -> None:
    page = store.outbox.read_dirty(Limit(10**6, 100, estimate_size))
    assert len(page) > 5
    store.outbox.acknowledge([out.delivery.entry for out in page], epoch=1)


def hand_out(store: Store) -> None:
    page = store.outbox.read_since(0, 0, Limit(10**6, 100, estimate_size))
    for out in store.outbox.mark_as_sent(page.outgoing):
        assert len(b"".join(store.outbox.pieces(out))) == out.delivery.entry.size


def become_acquainted(store: Store) -> None:
    store.peers.note_hub(version=2, process_id=5, incarnation=1, told=70, epoch=1)


ACTIONS: dict[str, Action] = {
    "set a new key": lambda store: store.set("new/key", b"short"),
    "set an existing key": lambda store: store.set("short", b"new"),
    "set a long value": lambda store: store.set("long", value_of(500, 1)),
    "set an eleventh time": lambda store: store.set("often", b"new"),
    "delete by an empty value": lambda store: store.set("short", b""),
    "stream a long value": lambda store: store.set_stream("long", io.BytesIO(value_of(500, 1))),
    "delete": lambda store: store.delete("short"),
    "delete a long value": lambda store: store.delete("long"),
    "unlink": lambda store: store.tree.unlink(file(store, "short"), is_scratch=is_scratch),
    "unlink a scratch file": lambda store: store.tree.unlink(file(store, "d/s~"), is_scratch=is_scratch),
    "rename": lambda store: store.tree.rename(file(store, "short"), "long", is_scratch=is_scratch),
    "rename a long value": lambda store: store.tree.rename(file(store, "long"), "new", is_scratch=is_scratch),
    "rename to a scratch name": lambda store: store.tree.rename(file(store, "long"), "long~", is_scratch=is_scratch),
    "rename a scratch file onto a key": lambda store: store.tree.rename(
        file(store, "d/s~"), "short", is_scratch=is_scratch
    ),
    "exchange": lambda store: store.tree.swap(file(store, "short"), file(store, "long"), is_scratch=is_scratch),
    "rename a directory": lambda store: store.tree.rename_directory("d/", "n/", is_scratch=is_scratch),
    "make a directory": lambda store: store.tree.directories.make("x/y/", 0o40700, is_scratch=is_scratch),
    "save through a draft": draft_save,
    "change the mode": lambda store: store.tree.set_mode(file(store, "short"), REGULAR | 0o100),
    "change the configuration": lambda store: store.settings.set_remote("http://hub"),
    "change the scratch patterns": lambda store: store.settings.set_scratch_patterns(["*.bak"]),
    "change the key": lambda store: store.settings.set_encryption_key(bytes(range(32))),
    "merge a push": merge_a_push,
    "merge a pull": merge_a_pull,
    "answer a push": answer_a_push,
    "take in blocks": lambda store: store.blocks.put(blocks_of(value_of(600, 3))),
    "acknowledge": acknowledge,
    "hand out": hand_out,
    "note the hub": become_acquainted,
    "clean": clean_up,
}


DEADLY = (
    "set an existing key",
    "stream a long value",
    "rename a directory",
    "save through a draft",
    "merge a push",
    "merge a pull",
    "acknowledge",
    "clean",
)
"""Those that are tried in every way."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with values of all kinds, one version of many, and blocks to be cleaned."""
    path = tmp_path_factory.mktemp("prepared") / "db"
    with Store.open(path, clock=Clock(), random=steady_random(), sizes=SMALL) as store:
        for key, size in (("short", 10), ("long", 400), ("d/a", 12), ("d/e/long", 300), ("d", 8)):
            save(store, key, value_of(size))
        for number in range(11):
            save(store, "often", b"%d" % number)
        save(store, "d/s~", value_of(200), scratch=True)
        store.tree.directories.make("d/", 0o40700, is_scratch=is_scratch)
        for bearer in (Bearer("short"), Bearer("long"), Bearer("d/s~"), Bearer("d/a"), Bearer("d/", is_directory=True)):
            store.xattrs.put(bearer, b"user.name", bearer.key.encode())
        for number in range(2):
            store.tree.unlink(save(store, "gone~", value_of(200, number), scratch=True), is_scratch=is_scratch)
    return path


def steady_random() -> Callable[[int], bytes]:
    """Random bytes that are the same in every run."""
    return random.Random(1).randbytes


def opened(path: Path) -> Store:
    # A day later, so that nothing is transient.
    return Store.open(path, clock=Clock().advance(DAY), random=steady_random(), sizes=FEW)


def failure_of(action: Callable[[T], object], target: T) -> KvassError | None:
    """Do something; return the expected error that it raised."""
    try:
        action(target)
    except KvassError as error:
        return error
    return None


class Trial:
    """One action on copies of a prepared store."""

    def __init__(self, prepared: Path, directory: Path, action: Action) -> None:
        self.prepared = prepared
        self.path = directory / "db"
        self.action = action
        with self.fresh() as store:
            self.before = state(store)
            action(store)
            self.after = state(store)

    def fresh(self) -> Store:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.prepared, self.path)
        return opened(self.path)

    def check(self, note: str) -> None:
        """Look at the store as the next process finds it."""
        with opened(self.path) as store:
            audit(store)
            assert state(store) in (self.before, self.after), note
            store.upkeep.release_dead_holders()
            assert count(store, "holders") == 0
            audit_clean(store)
            # It goes on: the same action is possible still, or done.
            if state(store) == self.before:
                self.action(store)


@pytest.mark.parametrize(
    ("name", "code"),
    [(name, sqlite3.SQLITE_FULL) for name in ACTIONS] + [(name, sqlite3.SQLITE_IOERR_WRITE) for name in DEADLY],
)
def test_a_statement_that_fails_leaves_the_old_or_the_new_state(
    prepared: Path, tmp_path: Path, name: str, code: int
) -> None:
    trial = Trial(prepared, tmp_path, ACTIONS[name])
    for number in itertools.count(1):
        store = trial.fresh()
        fault = Fault(number, code)
        with failing(store._database, fault):
            error = failure_of(trial.action, store)
        assert error is None or isinstance(error, DiskFull) == (code == sqlite3.SQLITE_FULL)
        # What follows in the same process finds it whole as well.
        audit(store)
        assert state(store) in (trial.before, trial.after), fault.statement
        store.close()
        trial.check(fault.statement)
        if not fault.struck:
            break
    assert number > 2


@pytest.mark.parametrize(
    "name",
    [
        "set a new key",
        "set a long value",
        "delete",
        "set an existing key",
        "merge a push",
        "merge a pull",
        "answer a push",
        "acknowledge",
    ],
)
def test_what_is_said_to_have_failed_did_not_happen(prepared: Path, tmp_path: Path, name: str) -> None:
    """``DiskFull`` says that nothing was changed; a clean-up that fails afterwards is nobody's business."""
    trial = Trial(prepared, tmp_path, ACTIONS[name])
    for number in itertools.count(1):
        store = trial.fresh()
        fault = Fault(number)
        with failing(store._database, fault):
            failed = failure_of(trial.action, store) is not None
        assert state(store) == (trial.before if failed else trial.after), fault.statement
        store.close()
        if not fault.struck:
            break


@pytest.mark.parametrize("name", DEADLY)
def test_a_process_that_dies_leaves_the_old_or_the_new_state(prepared: Path, tmp_path: Path, name: str) -> None:
    trial = Trial(prepared, tmp_path, ACTIONS[name])
    for number in itertools.count(1):
        trial.fresh().close()
        child = fork_unmeasured()
        if child == 0:
            die_at(trial, number)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
        trial.check(f"statement {number}")
        if os.waitstatus_to_exitcode(status) == 0:
            break
    assert number > 2


def die_at(trial: Trial, number: int) -> None:
    """Run the action in a child process, which ends at a statement, or after the last one."""
    status = 1

    def die(_sql: str) -> None:
        nonlocal number
        number -= 1
        if number == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        store = opened(trial.path)
        with failing(store._database, die):
            trial.action(store)
        status = 0
    finally:
        os._exit(status)


class TestDraft:
    """A draft whose store fails goes on as if it had not been asked, and succeeds when the disk has space again."""

    @pytest.fixture
    def store(self, prepared: Path, tmp_path: Path) -> Iterator[Store]:
        shutil.copyfile(prepared, tmp_path / "db")
        with opened(tmp_path / "db") as store:
            yield store
            audit_clean(store)

    def started(self, store: Store) -> tuple[Draft, bytearray]:
        """A draft of a long value with changes in memory and in the store; and what it holds."""
        draft = store.tree.open(file(store, "long").key)[1]
        model = bytearray(value_of(400))
        for offset in (10, 130, 200, 260, 330, 360):
            draft.write(offset, value_of(40, offset))
            model[offset : offset + 40] = value_of(40, offset)
        assert draft.read(0, 1000) == model
        assert count(store, "staged") > 0
        return draft, model

    def steps(self, store: Store, action: Callable[[Draft], object]) -> Iterator[tuple[Draft, bytearray, bool]]:
        """Yield a draft in which the action failed at its first, second, … statement; last, one in which it did not."""
        for number in itertools.count(1):
            draft, model = self.started(store)
            fault = Fault(number)
            with failing(store._database, fault):
                failed = failure_of(action, draft) is not None
            yield draft, model, failed
            draft.close()
            store.set("long", value_of(400))
            clean_up(store)
            audit(store)
            if not fault.struck:
                return

    def finish(self, store: Store, draft: Draft, expected: bytes) -> None:
        """Save the draft now that the store works; other values come and go meanwhile."""
        assert draft.size == len(expected)
        assert draft.read(0, 10_000) == expected
        store.tree.unlink(save(store, "x~", value_of(3000, 7), scratch=True), is_scratch=is_scratch)
        clean_up(store)
        save(store, "y~", value_of(3000, 8), scratch=True)
        assert draft.read(0, 10_000) == expected
        node = store.tree.save("long", draft, Written(mode=REGULAR), scratch=False, now=10**15, amends=None).node
        assert draft.read(0, 10_000) == expected
        assert read(store, node) == store.get("long").read() == expected

    def test_writing_changes_only_what_was_to_be_written(self, store: Store) -> None:
        written = value_of(300, 5)
        for draft, model, failed in self.steps(store, lambda draft: draft.write(300, written)):
            now = bytearray(draft.read(0, 10_000))
            if not failed:
                assert now[300:600] == written
            assert now[:300] == model[:300]
            assert now[600:] == model[600:]
            self.finish(store, draft, bytes(now))

    def test_writing_again_after_a_failure_succeeds(self, store: Store) -> None:
        written = value_of(300, 5)
        for draft, model, _ in self.steps(store, lambda draft: draft.write(300, written)):
            draft.write(300, written)
            model[300:600] = written
            draft.write(0, b"x" * 300)
            model[:300] = b"x" * 300
            self.finish(store, draft, bytes(model))

    @pytest.mark.parametrize("size", [0, 10, 64, 100, 256, 390, 500])
    def test_truncating_does_it_or_does_not(self, store: Store, size: int) -> None:
        for draft, model, failed in self.steps(store, lambda draft: draft.truncate(size)):
            assert draft.size in ({size, len(model)} if failed else {size})
            expected = bytes(model[: draft.size]).ljust(draft.size, b"\0")
            if draft.size > 0:
                self.finish(store, draft, expected)

    def test_saving_keeps_all_that_was_written(self, store: Store) -> None:
        def save_it(draft: Draft) -> None:
            store.tree.save("long", draft, Written(mode=REGULAR), scratch=False, now=10**15, amends=None)

        for draft, model, _ in self.steps(store, save_it):
            self.finish(store, draft, bytes(model))

    def test_saving_what_has_become_short_keeps_all_that_was_written(self, store: Store) -> None:
        def save_short(draft: Draft) -> None:
            draft.truncate(12)
            store.tree.save("long", draft, Written(mode=REGULAR), scratch=False, now=10**15, amends=None)

        for draft, model, _ in self.steps(store, save_short):
            self.finish(store, draft, bytes(model[: draft.size]))

    def test_closing_that_fails_is_made_up_for_by_the_end_of_the_process(self, store: Store, tmp_path: Path) -> None:
        with opened(tmp_path / "db") as other:
            draft, _ = self.started(other)
            with failing(other._database, Fault(2)), pytest.raises(DiskFull):
                draft.close()
        assert count(store, "pins") == count(store, "staged") == 0


class TestRealDisk:
    """A disk that really has no more space, and processes that are really killed."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of 4 MiB."""
        with small_disk(tmp_path, 4 * MIB) as disk:
            yield disk

    @pytest.fixture
    def store(self, disk: Path) -> Iterator[Store]:
        with Store.open(disk / "db") as store:
            store.set("a", value_of(300_000))
            yield store
            audit(store)
            assert store.get("a").read() == value_of(300_000)

    def test_a_value_that_does_not_fit_is_refused_and_the_old_one_stays(self, store: Store) -> None:
        for _ in range(3):
            with pytest.raises(DiskFull, match="no space left"):
                store.set("a", value_of(6_000_000))
            with pytest.raises(DiskFull):
                store.set_stream("a", io.BytesIO(value_of(20_000_000)))
            assert store.get("a").read() == value_of(300_000)
        assert list(store.keys()) == ["a"]

    def test_there_is_room_for_something_smaller_afterwards(self, store: Store) -> None:
        with pytest.raises(DiskFull):
            store.set_stream("b", io.BytesIO(value_of(20_000_000)))
        store.set("b", value_of(300_000, 1))
        assert store.get("b").read() == value_of(300_000, 1)

    def test_closing_and_opening_work_on_a_full_disk(self, store: Store, disk: Path) -> None:
        with Store.open(disk / "db") as other, pytest.raises(DiskFull):
            other.set_stream("b", io.BytesIO(value_of(20_000_000)))
        with Store.open(disk / "db") as other:
            assert list(other.keys()) == ["a"]
            other.set("c", b"short")
            other.delete("c")

    def test_no_store_is_made_on_a_full_disk(self, disk: Path) -> None:
        with filled(disk), pytest.raises(DiskFull):
            Store.open(disk / "db")
        Store.open(disk / "db").close()

    def test_what_is_on_a_full_disk_can_be_read_by_one_process(self, disk: Path) -> None:
        with Store.open(disk / "db") as store:
            store.set("a", value_of(300_000))
        (disk / "db-reserve").unlink()
        with filled(disk):
            with pytest.raises(DiskFull, match="no space left"):
                Store.open(disk / "db")
            with Store.open(disk / "db", alone_if_full=True) as store:
                assert store.get("a").read() == value_of(300_000)
                with pytest.raises(DiskFull, match="no space left"):
                    store.delete("a")
                assert list(store.keys()) == ["a"]
        with Store.open(disk / "db") as store, Store.open(disk / "db") as other:
            store.delete("a")
            assert list(other.keys()) == []

    def test_who_reads_what_is_on_a_full_disk_does_not_disturb_others(self, store: Store, disk: Path) -> None:
        with filled(disk), Store.open(disk / "db", alone_if_full=True) as other:
            assert other.get("a").read() == store.get("a").read()

    def test_a_mount_opens_large_files_and_removes_some_on_a_full_disk(self, store: Store, disk: Path) -> None:
        store.set("b", value_of(300_000, 1))
        store._database.apply(MOUNT)
        store.upkeep.checkpoint()
        with filled(disk):
            for _ in range(1000):
                _, draft = store.tree.open("a")
                assert draft.read(0, 300_000) == value_of(300_000)
                draft.close()
            store.delete("b")
        assert list(store.keys()) == ["a"]

    def test_a_checkpoint_leaves_what_a_full_disk_needs(self, store: Store, disk: Path) -> None:
        store.set("b", b"short")
        store.upkeep.checkpoint()
        with filled(disk):
            store.tree.open("a")[1].close()
            store.delete("b")


class Writer:
    """A process that stores one thing after another and says after each that it is stored, until it is killed."""

    def __init__(self, code: str, path: Path, *arguments: object) -> None:
        # Into a file: what is said is neither lost with the process nor held up by a reader.
        self._said = path.with_name(f"said{next(self._numbers)}")
        with self._said.open("wb") as out:
            self._process = start(code, path, *arguments, stdout=out)

    _numbers = itertools.count()

    @property
    def said(self) -> list[str]:
        return self._said.read_text().splitlines()

    def kill_after(self, lines: int) -> list[str]:
        """Kill it when it has said so much; return all that it said."""
        while len(self.said) < lines:
            assert self._process.poll() is None
            time.sleep(0.001)
        self._process.kill()
        self._process.communicate()
        return self.said


SETS = """
    import os
    store = Store.open(sys.argv[1])
    for number in range(int(sys.argv[3]), 10**6):
        store.set(str(number), b"%d " % number * int(sys.argv[2]))
        os.write(1, b"%d\\n" % number)
"""

SAVES = """
    import os
    from tests.support.stores import save
    from kvassfs.store import MOUNT
    store = Store.open(sys.argv[1], profile=MOUNT)
    for number in range(10**6):
        save(store, f"d/{number % 50}", b"%d" % number)
        os.write(1, b"%d\\n" % number)
"""


class TestKill:
    """Processes that are killed in the middle of whatever they do; those have blocks of the usual size."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "db"

    @pytest.mark.parametrize("size", [1, 60_000])
    def test_what_was_acknowledged_is_there(self, path: Path, size: int) -> None:
        acknowledged = 0
        for lines in (1, 8, 3, 20):
            acknowledged += len(Writer(SETS, path, size, acknowledged).kill_after(lines))
            with Store.open(path) as store:
                # One more may have been stored and not said.
                assert len(list(store.keys())) in (acknowledged, acknowledged + 1)
                for number in range(acknowledged):
                    assert store.get(str(number)).read() == b"%d " % number * size
                store.upkeep.release_dead_holders()
                audit(store)

    def test_what_a_file_was_saved_as_is_there(self, path: Path) -> None:
        """A mount commits without waiting for the disk; its death costs nothing all the same."""
        acknowledged = len(Writer(SAVES, path).kill_after(500))
        with Store.open(path) as store:
            for number in range(acknowledged - 50, acknowledged):
                assert int(store.get(f"d/{number % 50}").read()) in (number, number + 50)
            audit(store)

    def test_nothing_of_many_at_once_is_lost(self, path: Path) -> None:
        Store.open(path).close()
        writers = [Writer(SETS, path, 1, number * 10_000) for number in range(4)]
        said = {line for writer in writers for line in writer.kill_after(3)}
        with Store.open(path) as store:
            assert said <= set(store.keys())
            audit(store)


def test_faults_strike_where_they_are_told_to(prepared: Path, tmp_path: Path) -> None:
    shutil.copyfile(prepared, tmp_path / "db")
    with opened(tmp_path / "db") as store:
        fault = Fault(1)
        with failing(store._database, fault), pytest.raises(DiskFull):
            store.get("short")
        assert fault.struck
        assert fault.statement.startswith("SELECT")
        store.get("short")
