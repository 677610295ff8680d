"""A process is killed at random moments of whatever it does: nothing that it had acknowledged is lost, and all is whole.

KVASS_TESTS=long kills a thousand of each kind, at other moments each time; `-s` shows the figures. KVASS_KILLS sets another number.
"""

from __future__ import annotations

import itertools
import os
import random as randomness
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

import pytest

from kvassfs.errors import KeyMissing
from kvassfs.store import FOLLOWER, MOUNT, Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from kvassfs_cli.main import run as run_command_line
from tests.fault.power_scenarios import LARGE, delivery, expand
from tests.support.forks import fork_unmeasured
from tests.support.golden_data import GOLDEN
from tests.support.hub_process import serving
from tests.support.mounts import force_unmount, is_in_table, mount_command, mounting, wait_until_mounted
from tests.support.searches import LONG, tell
from tests.support.stores import audit, clean_up, free_room, keep_room, revision_values, save
from tests.support.waiting import wait_until

KILLS = int(os.environ.get("KVASS_KILLS", "1000" if LONG else "6"))
"""How often a process of each kind is killed."""

SLOW_KILLS = int(os.environ.get("KVASS_KILLS", "1000" if LONG else "2"))
"""The same for those that take long to start."""

KEYS = 8

Say = Callable[[int], object]


def counted(kills: int) -> Iterator[int]:
    """Yield the numbers of the kills, and tell now and then how far they are."""
    for number in range(kills):
        if number % 50 == 0 and number:
            tell(f"{number} kills so far, of {kills}")
        yield number


@pytest.fixture
def random() -> randomness.Random:
    """Moments that are the same in each short run."""
    seed = randomness.randrange(2**32) if LONG else 1
    tell(f"seed {seed}")
    return randomness.Random(seed)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store" / "db.sqlite"


def kill_during(action: Callable[[Say], object], wait: Callable[[BinaryIO], list[int]]) -> tuple[list[int], bool]:
    """Do something in a child process and kill it after ``wait``, which may read what it says, line by line.

    Return all that it said, and whether it came to its end.
    """
    said, saying = os.pipe()
    child = fork_unmeasured()
    if child == 0:
        status = 1
        try:
            os.write(saying, b"ready\n")
            action(lambda number: os.write(saying, b"%d\n" % number))
            status = 0
        finally:
            os._exit(status)
    os.close(saying)
    with open(said, "rb") as lines:
        assert lines.readline() == b"ready\n"
        numbers = wait(lines)
        os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL)
        return numbers + [int(line) for line in lines if line.endswith(b"\n")], status == 0


def kill_after(action: Callable[[Say], object], seconds: float) -> tuple[list[int], bool]:
    """Kill it so many seconds after it has begun."""

    def wait(_: BinaryIO) -> list[int]:
        time.sleep(seconds)
        return []

    return kill_during(action, wait)


def kill_between(action: Callable[[Say], object], random: randomness.Random) -> list[int]:
    """Kill what goes on and on, after some steps and at a random moment of one, whatever the machine's speed."""

    def wait(lines: BinaryIO) -> list[int]:
        begun, steps = time.monotonic(), random.randrange(5)
        numbers = [int(lines.readline()) for _ in range(steps)]
        time.sleep(random.uniform(0, 1.2 * (time.monotonic() - begun) / steps if steps else 0.05))
        return numbers

    return kill_during(action, wait)[0]


def look(store: Store) -> None:
    """Check that a store is whole, for the next process as well."""
    store.upkeep.release_dead_holders()
    audit(store)


def value_of(number: int) -> bytes:
    """Return what the change with this number stores: now and then something large."""
    return expand(f"{number}:{LARGE if number % 5 == 0 else 50}")


def check_numbers(store: Store, acknowledged: int, prefix: str = "") -> int:
    """Check that each of the `KEYS` has the last value that was acknowledged; one more change may have been stored.

    Return the number of the next change.
    """
    following = acknowledged + 1
    for number in range(max(1, following - KEYS), following):
        found = store.get(f"{prefix}{number % KEYS}").read()
        if found != value_of(number):
            assert number == following - KEYS, f"{number} is lost"
            assert found == value_of(following)
    with suppress(KeyMissing):
        if store.get(f"{prefix}{following % KEYS}").read() == value_of(following):
            return following + 1
    return following


def kill_again_and_again(
    db: Path, change: Callable[[int, Say], None], random: randomness.Random, check: Callable[[Store, int], int]
) -> int:
    """Kill what makes changes from a number on, and look at the store each time; return how many were acknowledged.

    ``check`` gets the last number that was, and returns the one to go on with.
    """
    following, total = 1, 0
    for _ in counted(KILLS):
        said = kill_between(partial(change, following), random)
        with Store.open(db) as store:
            look(store)
            following = check(store, said[-1] if said else following - 1)
        total += len(said)
    return total


def test_sets(db: Path, random: randomness.Random) -> None:
    def change(first: int, say: Say) -> None:
        for number in range(first, first + 100_000):
            with Store.open(db) as store:
                store.set(str(number % KEYS), value_of(number))
            say(number)

    total = kill_again_and_again(db, change, random, check_numbers)
    tell(f"{KILLS} kills of sets, {total} of them acknowledged, none lost")


def test_drafts_of_a_mount(db: Path, random: randomness.Random) -> None:
    def change(first: int, say: Say) -> None:
        store = Store.open(db, profile=MOUNT)
        for number in range(first, first + 100_000):
            save(store, str(number % KEYS), value_of(number))
            say(number)

    total = kill_again_and_again(db, change, random, check_numbers)
    tell(f"{KILLS} kills of saves, {total} of them acknowledged, none lost")


def test_merges(db: Path, random: randomness.Random) -> None:
    def change(first: int, say: Say) -> None:
        store = Store.open(db, profile=FOLLOWER)
        for number in range(first, first + 100_000):
            page = [delivery(f"{each}/{number % KEYS}", value_of(number), number) for each in range(5)]
            store.inbox.merge_pulled(page, cursor=number, epoch=store.peers.hub().epoch)
            say(number)

    def check(store: Store, acknowledged: int) -> int:
        cursor = store.peers.hub().cursor
        assert cursor in (acknowledged, acknowledged + 1)
        for each in range(5) if cursor else ():
            assert check_numbers(store, cursor, f"{each}/") == cursor + 1
        return cursor + 1

    total = kill_again_and_again(db, change, random, check)
    tell(f"{KILLS} kills of merges, {total} of them done, none lost")


def fresh(db: Path, source: Path) -> None:
    """Put a copy of a database in place of all that is there."""
    for path in db.parent.iterdir():
        path.unlink()
    shutil.copyfile(source, db)


def contents(store: Store) -> dict[str, list[bytes]]:
    """Return keys with their values, newest first."""
    return {key: [store.get(key).read(), *revision_values(store, key)] for key in store.keys()}


def kill_openings(
    db: Path, sources: list[Path], random: randomness.Random
) -> Iterator[tuple[Path, dict[str, list[bytes]]]]:
    """Kill what opens databases of earlier programs; yield each that was opened, and what must be in it."""
    expected: dict[Path, dict[str, list[bytes]]] = {}
    span = 0.0
    for source in sources:
        fresh(db, source)
        begun = time.monotonic()
        with Store.open(db) as store:
            span = max(span, time.monotonic() - begun)
            expected[source] = contents(store)
    ended = 0
    for number in counted(KILLS):
        source = sources[number % len(sources)]
        fresh(db, source)
        _, done = kill_after(lambda _: Store.open(db).close(), random.uniform(0, 1.2 * span))
        ended += done
        with Store.open(db) as store:
            look(store)
            assert contents(store) == expected[source]
        yield source, expected[source]
    tell(f"{KILLS} kills, {ended} of them too late")
    assert ended < KILLS


def test_take_overs(db: Path, tmp_path: Path, random: randomness.Random) -> None:
    original = tmp_path / "original"
    shutil.copyfile(GOLDEN / "client-1001.sqlite", original)
    with closing(sqlite3.connect(original)) as connection, connection:
        for number in range(100):
            row = (f"many/{number}", value_of(number), 10**15 + number, 1001, 1000 + number, f"token {number}", True)
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    for _ in kill_openings(db, [original], random):
        assert db.with_name("db.sqlite.kvass-go.bak").read_bytes() == original.read_bytes()


def test_upgrades(db: Path, tmp_path: Path, random: randomness.Random) -> None:
    sources = []
    for version in ("1", "4", "9", "10-history", "11"):
        sources.append(tmp_path / version)
        with closing(sqlite3.connect(sources[-1])) as connection:
            connection.executescript((GOLDEN / f"store-version-{version}.sql").read_text(encoding="utf-8"))
    for source, values in kill_openings(db, sources, random):
        assert values, source


def test_imports(db: Path, tmp_path: Path, random: randomness.Random) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / str(number)).write_bytes(value_of(number + 1))
    command = ["--db", str(db), "import", str(source)]

    def take_in(say: Say) -> None:
        assert run_command_line(command) == 0
        say(1)

    begun = time.monotonic()
    take_in(lambda _: None)
    span, ended = time.monotonic() - begun, 0
    for _ in counted(KILLS):
        for path in db.parent.iterdir():
            path.unlink()
        said, _ = kill_after(take_in, random.uniform(0, 1.2 * span))
        ended += len(said)
        with Store.open(db) as store:
            look(store)
            found = {key: store.get(key).read() for key in store.keys()}
        assert all(value == value_of(int(key) + 1) for key, value in found.items())
        assert len(found) == 40 or not said
    assert ended < KILLS
    take_in(lambda _: None)
    with Store.open(db) as store:
        assert store.count_keys() == 40
    tell(f"{KILLS} kills of imports, {ended} of them too late, none half a value")


def test_clean_ups(db: Path, tmp_path: Path, random: randomness.Random) -> None:
    """Clean up, give room back, write anew: what is current and kept stays."""
    source = tmp_path / "source"
    with Store.open(source) as store:
        for number in range(1, 30):
            store.set(str(number % KEYS), value_of(number))
        free_room(store, 2_000_000, below=LARGE)
        expected = {key: store.get(key).read() for key in store.keys()}
        store.delete("0")
        del expected["0"]
    keep_room(source)

    def clean(say: Say) -> None:
        store = Store.open(db)
        store.upkeep.trim(1, 0)
        clean_up(store)
        store.upkeep.give_all_back()
        say(1)

    fresh(db, source)
    begun = time.monotonic()
    clean(lambda _: None)
    span, ended = time.monotonic() - begun, 0
    for _ in counted(KILLS):
        fresh(db, source)
        said, _ = kill_after(clean, random.uniform(0, 1.2 * span))
        ended += len(said)
        with Store.open(db) as store:
            look(store)
            assert {key: store.get(key).read() for key in store.keys()} == expected
    assert ended < KILLS
    tell(f"{KILLS} kills of clean-ups, {ended} of them too late, nothing lost")


def test_saves_in_a_mount(db: Path, tmp_path: Path, random: randomness.Random) -> None:
    """The process of the mount is killed while files are saved; each `close` that succeeded counts."""
    path = tmp_path / "mount"
    path.mkdir()
    following, total = 1, 0
    for _ in counted(SLOW_KILLS):
        saved = save_until_killed(db, path, following, random)
        with Store.open(db) as store:
            look(store)
            total += saved - following + 1
            following = check_numbers(store, saved)
    tell(f"{SLOW_KILLS} kills of mounts, {total} saves acknowledged, none lost")


def save_until_killed(db: Path, path: Path, first: int, random: randomness.Random) -> int:
    """Save files in a mount that is killed meanwhile; return the number of the last that was saved."""

    def save_one(number: int) -> None:
        descriptor = os.open(path / str(number % KEYS), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(descriptor, value_of(number))
        finally:
            os.close(descriptor)

    with mounting(mount_command(db, path), path) as process:
        try:
            wait_until_mounted(path, process)
            return repeat_until_killed(save_one, first, process.pid, random)
        finally:
            process.kill()
            process.wait()
            unmount_dead(path)


def repeat_until_killed(step: Callable[[int], object], first: int, pid: int, random: randomness.Random) -> int:
    """Do step after step until the process that does them, killed at some moment, does not; return the last number."""
    begun, steps, killer = time.monotonic(), random.randrange(1, 8), 0
    for number in itertools.count(first):
        if number == first + steps:
            delay = random.uniform(0, 1.5 * (time.monotonic() - begun) / steps)
            killer = fork_unmeasured()
            if killer == 0:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                os._exit(0)
        try:
            step(number)
        except (OSError, HTTPException):
            assert killer, "it was not killed yet"
            break
    os.waitpid(killer, 0)
    return number - 1


def unmount_dead(path: Path) -> None:
    """Take away the mount of a process that was killed, which whoever started it may do at the same time."""

    def is_gone() -> bool:
        with suppress(subprocess.CalledProcessError):
            force_unmount(path)
        return not is_in_table(path)

    wait_until(is_gone, f"{path} is no mount point")


def test_pushes_at_a_hub(db: Path, random: randomness.Random) -> None:
    """The hub is killed while a device pushes; each push that it acknowledged counts."""
    following, total = 1, 0
    for _ in counted(SLOW_KILLS):
        pushed = push_until_killed(db, following, random)
        with Store.open(db) as store:
            look(store)
            total += pushed - following + 1
            following = check_numbers(store, pushed)
    tell(f"{SLOW_KILLS} kills of hubs, {total} pushes acknowledged, none lost")


def push_until_killed(db: Path, first: int, random: randomness.Random) -> int:
    """Push to a hub that is killed meanwhile; return the number of the last push that it acknowledged."""
    with serving(db.parent) as hub:
        device = hub.device()
        seal = Seal(device.key)

        def push(number: int) -> None:
            body = messages.encode_push([delivery(str(number % KEYS), value_of(number), number)])
            assert device.post("/push", seal.seal(body))[0] == 200

        return repeat_until_killed(push, first, hub.process.pid, random)
