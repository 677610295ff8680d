"""Two processes of a hub for many behind nginx, of which one after the other is killed while devices save."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from kvassfs.errors import SyncError
from kvassfs.keeping.postgres.database import Database
from tests.proxied.proxies import trusted
from tests.support.many_hubs import Device, HubProcess, add_store, in_front_of
from tests.support.searches import LONG, examples, tell

STORES = ("one", "two", "three", "four")

DEVICES = 2
"""Devices of each store."""

SAVES = examples(320, long=10_000)
"""Saves of all devices together."""

BETWEEN_SAVES = 0.2 if not LONG else 0.05

BETWEEN_KILLS = 1.5
"""Seconds for which both processes serve."""

AROUND_A_KILL = 0.5
"""Seconds after a process serves again for which a save may still take long."""

WAIT = 10.0
"""Seconds that a pull waits for news."""

MOST_IN_A_ROW = 10
"""Failures in a row after which a call is given up."""

RETRY_PAUSE = 0.5
"""Seconds after which a call that failed is made again; a device waits for 0.2 s at first, and then for longer."""

CATCHING_UP = 30.0
"""Seconds that the last save may take to arrive."""


class Run:
    """What has happened: when keys were saved and seen, when processes were away, and how often calls failed in a row."""

    def __init__(self) -> None:
        self.saved: dict[str, dict[str, float]] = {store: {} for store in STORES}
        self.took: list[tuple[float, float]] = []
        self.kills: list[tuple[float, float]] = []
        self.failures: list[str] = []
        self.calls: list[tuple[float, float, int]] = []
        self.ended = threading.Event()

    def call(self, what: Callable[[], object]) -> None:
        """Call a hub until it answers, and note when it was called and how often that failed."""
        row, begun = 0, time.monotonic()
        while True:
            try:
                what()
            except SyncError as error:
                row += 1
                self.failures.append(str(error))
                if row == MOST_IN_A_ROW:
                    raise
                time.sleep(RETRY_PAUSE)
            else:
                self.calls.append((begun, time.monotonic(), row))
                return

    def count_kills(self, begun: float, ended: float) -> int:
        """Return during how many kills a call went on."""
        return sum(begun < back + AROUND_A_KILL and ended > killed for killed, back in self.kills)

    def list_undisturbed(self) -> list[float]:
        """Return how long saves took to be seen that were made while both processes served, shortest first."""
        return sorted(
            took
            for saved, took in self.took
            if not any(begun - took < saved < ended + AROUND_A_KILL for begun, ended in self.kills)
        )


def save(run: Run, path: Path, address: str, store: str, number: int) -> None:
    """Save keys, each of which is pushed at once."""
    with closing(Device(path, address)) as device:
        for each in range(SAVES // len(STORES) // DEVICES):
            key = f"{number}/{each}"
            run.saved[store][key] = time.monotonic()
            device.store.set(key, key.encode())
            run.call(device.synchroniser.push)
            assert device.store.outbox.count_dirty()[0] == 0
            time.sleep(BETWEEN_SAVES)


def follow(run: Run, path: Path, address: str, store: str, number: int) -> None:
    """Pull what others save as soon as it is there, and note when."""
    with closing(Device(path, address)) as device:
        seen = 0
        while not run.ended.is_set():
            run.call(lambda: device.synchroniser.pull(wait=WAIT))
            now = time.monotonic()
            for key, sequence in device.keys(beyond=seen):
                seen = sequence
                if not key.startswith(f"{number}/"):
                    run.took.append((run.saved[store][key], now - run.saved[store][key]))


@contextmanager
def killing(run: Run, hubs: list[HubProcess]) -> Iterator[None]:
    """Kill one process after the other, and start it again, until the end of the block."""
    stop = threading.Event()

    def kill() -> None:
        number = 0
        while not stop.wait(BETWEEN_KILLS):
            begun = time.monotonic()
            hubs[number % 2].kill()
            hubs[number % 2].start()
            run.kills.append((begun, time.monotonic()))
            number += 1

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.timeout(3600 if LONG else 120)
def test_nothing_acknowledged_is_lost_while_processes_are_killed(database: Database, tmp_path: Path) -> None:
    run = Run()
    for store in STORES:
        add_store(database, store)
    with ExitStack() as ending:
        certificate = ending.enter_context(trusted(tmp_path))
        hubs = [ending.enter_context(HubProcess(database._url, tmp_path / f"{number}.log")) for number in range(2)]
        url = ending.enter_context(in_front_of(hubs, tmp_path / "nginx", certificate))
        pool = ending.enter_context(ThreadPoolExecutor(2 * DEVICES * len(STORES)))
        writing, following = [], []
        for store in STORES:
            for number in range(DEVICES):
                device = (run, tmp_path / f"{store}-{number}.sqlite", f"{url}/s/{store}", store, number)
                Device(*device[1:3]).close()  # two threads would both make it
                following.append(pool.submit(follow, *device))
                writing.append(pool.submit(save, *device))
        try:
            with killing(run, hubs):
                for each in writing:
                    each.result()
            wait_for_all(run)
        finally:
            run.ended.set()
        for each in following:
            each.result()
        for store in STORES:
            with closing(Device(tmp_path / f"{store}-new.sqlite", f"{url}/s/{store}")) as new:
                new.synchroniser.pull()
                assert new.values() == {key: key.encode() for key in run.saved[store]}
    undisturbed = run.list_undisturbed()
    tell(
        f"{SAVES} saves, {len(run.kills)} kills, {len(run.failures)} calls failed,"
        f" at most {max(row for _, _, row in run.calls)} in a row;"
        f" from save to visible outside the kills ({len(undisturbed)} saves): median"
        f" {undisturbed[len(undisturbed) // 2] * 1000:.0f} ms, p95 {undisturbed[len(undisturbed) * 95 // 100] * 1000:.0f} ms"
    )
    assert len(run.kills) >= 2
    # No device sees more than a retry for each process that was killed under its call.
    assert [call for call in run.calls if call[2] > run.count_kills(*call[:2])] == [], run.failures


def wait_for_all(run: Run) -> None:
    """Wait until whoever follows has seen all that others have saved."""
    deadline = time.monotonic() + CATCHING_UP
    while len(run.took) < SAVES * (DEVICES - 1):
        assert time.monotonic() < deadline, f"{len(run.took)} of {SAVES * (DEVICES - 1)} have arrived"
        time.sleep(0.05)
