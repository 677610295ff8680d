"""What is removed gives its room back to the disk while a mount and a hub have the store open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.hub_process import Server, serving
from tests.support.mounts import Mount, mounted
from tests.support.programs import kvass
from tests.support.stores import audit, keep_room
from tests.support.waiting import within

MB = 1_000_000
RESERVE = 6 * MB
"""What the database has when almost nothing is in it: 4 MiB stay free."""

SECONDS = 60.0
"""For 20 MB it takes about seven: up to five until the clean-up begins, and four steps a second."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def mount(binding: str, tmp_path: Path, server: Server) -> Iterator[Mount]:
    """The hub's own store, mounted beside it."""
    (tmp_path / "mount").mkdir()
    with mounted(tmp_path / "mount", server.database, binding) as found:
        yield found


def size_on_disk(database: Path) -> int:
    """Return the bytes that the database and its log take."""
    files = [database, database.with_name(f"{database.name}-wal")]
    return sum(path.stat().st_blocks * 512 for path in files if path.exists())


def pulled_keys(server: Server) -> list[str]:
    """Return what a device finds that has nothing yet."""
    return [delivery.entry.key for delivery in server.device().pull().deliveries]


def test_by_itself_once_history_is_let_go_of(mount: Mount, server: Server) -> None:
    (mount.path / "small").write_bytes(b"value")
    (mount.path / "large").write_bytes(os.urandom(20 * MB))
    # What another device has seen is not forgotten at once when it is removed.
    within(SECONDS, lambda: "large" in pulled_keys(server), what="the large value at a device")
    (mount.path / "large").unlink()
    with Store.open(mount.db) as store:
        assert store.revisions("large")
        assert size_on_disk(mount.db) > 20 * MB
        store.upkeep.trim(0, 0)
    within(SECONDS, lambda: size_on_disk(mount.db) < RESERVE, what="the room that was given back")
    assert (mount.path / "small").read_bytes() == b"value"
    assert "small" in pulled_keys(server)
    with Store.open(mount.db) as store:
        audit(store)


def test_at_once_by_gc_which_writes_a_store_from_before_anew(binding: str, tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite"
    with Store.open(database) as store:
        store.set("large", os.urandom(40 * MB))  # too much to be written anew without being asked for
        store.set("other", b"value")
    keep_room(database)
    (tmp_path / "mount").mkdir()
    with serving(tmp_path) as server, mounted(tmp_path / "mount", database, binding) as mount:
        assert "large" in pulled_keys(server)
        (mount.path / "large").unlink()
        assert kvass(mount, "gc", "--all") == b"1 earlier version gone, 40.1 MB given back\n"
        assert size_on_disk(database) < MB
        assert (mount.path / "other").read_bytes() == b"value"
        (mount.path / "new").write_bytes(b"value")
        within(SECONDS, lambda: "new" in pulled_keys(server), what="a new file at a device")
        with Store.open(database) as store:
            assert store.upkeep.gives_back()
            audit(store)
