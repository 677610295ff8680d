"""Mounts that die in the middle of large saves, again and again: what they leave goes in small steps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvassfs.store import MOUNT, Store
from kvassfs.store.upkeep import SLICE_TIME, STEP
from tests.support.forks import fork_unmeasured
from tests.support.searches import examples
from tests.support.stores import audit_clean, count

CRASHES = examples(3, long=400)

PARTS = 70
"""Blocks of 256 KiB that each of them has written when it dies: more than it keeps in memory."""


def crash(path: Path) -> None:
    """Have a process die while it writes, as ``kill -9`` of a mount does."""
    pid = fork_unmeasured()
    if pid == 0:
        store = Store.open(path, profile=MOUNT)
        draft = store.tree.draft()
        for number in range(PARTS):
            draft.write(draft.size, os.urandom(256 * 1024))
            assert number < PARTS
        os._exit(9)
    os.waitpid(pid, 0)


def test_no_command_does_much_of_the_clean_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kvass.sqlite"
    with Store.open(path) as store:
        for number in range(7):
            store.set(f"key {number}", b"value")
    for _ in range(CRASHES):
        crash(path)
    with Store.open(path) as store:
        left = count(store, "blocks")
        assert left >= 32 * CRASHES
        now = [0.0]

        def tick() -> float:
            now[0] += SLICE_TIME
            return now[0]

        monkeypatch.setattr(store.upkeep, "_timer", tick)
        while left:  # each set does a step, and no more
            store.set("key 0", os.urandom(2))
            before, left = left, count(store, "blocks")
            assert before - left <= STEP
            assert left < before or count(store, "dropped_blocks") > 0 or count(store, "staged") > 0
        store.upkeep.give_all_back()
        store.upkeep.checkpoint()
        audit_clean(store)
    assert path.stat().st_size < 1024 * 1024
