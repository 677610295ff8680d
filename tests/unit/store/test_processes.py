"""How the database names processes, so that none is taken for another or for alive."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.store.machine import Machine
from kvassfs.store.processes import MAX_MOUNT_POINTS

SECONDS = 20.0


def test_a_process_has_one_start() -> None:
    assert Machine().find_start(os.getpid()).isdigit()
    assert Machine().find_start(os.getpid()) == Machine().find_start(os.getpid())


def test_a_process_that_is_not_there_has_none() -> None:
    assert Machine().find_start(2**22 + 1) == ""


def test_a_process_that_has_ended_has_none_although_its_parent_has_not_heard() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        deadline = time.monotonic() + SECONDS
        while Machine().find_start(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert Path(f"/proc/{process.pid}").exists()


def test_the_parent_of_a_process() -> None:
    assert Machine().find_parent(os.getpid()) == os.getppid()
    assert Machine().find_parent(2**22 + 1) == 0


def test_what_follows_for_a_mount_is_named_by_the_process_of_the_mount(store: Store) -> None:
    for place, pid in (("/place", os.getppid()), ("", os.getpid())):
        store.processes.follow(place)
        assert [follower.pid for follower in store.processes.followers()] == [pid]


def test_another_hub_is_one_that_nobody_is_in_touch_with(store: Store) -> None:
    store.processes.follow("/place")
    store.processes.note_contact()
    assert store.processes.is_in_touch()
    store.settings.set_remote("other.example")
    assert not store.processes.is_in_touch()
    assert [follower.place for follower in store.processes.followers()] == ["/place"]


@pytest.mark.parametrize("start", ["", "another"])
def test_a_follower_that_has_ended_is_none(store: Store, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store.processes.follow("/place")
    store.processes.note_contact()
    monkeypatch.setattr(Machine, "find_start", lambda *_: start)
    assert store.processes.followers() == []
    assert not store.processes.is_in_touch()


def test_where_a_store_was_mounted_is_known_once_and_not_for_ever(store: Store) -> None:
    assert store.processes.mount_points() == []
    for directory in ("/a", "/b\udce9", "/a"):
        store.processes.note_mount_point(directory)
    assert store.processes.mount_points() == ["/a", "/b\udce9"]
    for number in range(MAX_MOUNT_POINTS):
        store.processes.note_mount_point(f"/{number}")
    assert store.processes.mount_points() == [f"/{number}" for number in range(MAX_MOUNT_POINTS)]
