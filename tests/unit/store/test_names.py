"""Names of files that must be on the disk before what is in them counts; tests/fault/test_power.py cuts the power."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import DiskFull, StoreError
from kvassfs.store import Store, names
from kvassfs.store_errors import ReadOnlyStore
from tests.support.stores import error_line


@pytest.fixture
def synchronised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that are synchronised, with an SQLite that leaves that to others."""
    found: list[str] = []
    monkeypatch.setattr(names, "sqlite_secures_names", lambda _: False)
    monkeypatch.setattr(os, "fsync", lambda file: found.append(os.readlink(f"/proc/self/fd/{file}")))
    return found


def fail(number: int) -> Callable[[int], None]:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    return fsync


def test_each_connection_secures_the_names_once(tmp_path: Path, synchronised: list[str]) -> None:
    with Store.open(tmp_path / "db") as store:
        store.set("a", b"1")
        store.set("a", b"2")
        assert synchronised == [str(tmp_path)]
    with Store.open(tmp_path / "db") as store:
        assert store.get("a").read() == b"2"
    with Store.open(tmp_path / "db") as store:
        store.set("a", b"3")
    assert synchronised == [str(tmp_path)] * 2


def test_sqlite_is_asked_whether_it_does_so_itself() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        options = {name for (name,) in connection.execute("PRAGMA compile_options")}
        assert names.sqlite_secures_names(connection) is ("DISABLE_DIRSYNC" not in options)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EIO, StoreError), (errno.ENOSPC, DiskFull), (errno.EROFS, ReadOnlyStore)]
)
def test_what_cannot_be_secured_is_not_committed(
    tmp_path: Path, synchronised: list[str], monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreError]
) -> None:
    Store.open(tmp_path / "db").close()
    assert synchronised
    with Store.open(tmp_path / "db") as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail(number))
            with pytest.raises(StoreError) as failed:
                store.set("a", b"1")
        assert type(failed.value) is kind
        assert str(tmp_path) in error_line(failed.value)
        assert list(store.keys()) == []
        store.set("a", b"1")


def test_a_directory_that_cannot_be_synchronised_is_none_to_wait_for(
    tmp_path: Path, synchronised: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fail(errno.EINVAL))
    with Store.open(tmp_path / "db") as store:
        store.set("a", b"1")
    assert synchronised == []
