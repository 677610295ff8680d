"""kvassfs_cli.commands.doctor: --salvage, and what is said of a loss"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kvassfs.doctor.finding import OK, WARNING, WRONG, Finding
from kvassfs.doctor.salvaging import MAX_NAMES, judge_salvage
from kvassfs.store import Store
from kvassfs.store.salvage import Salvage
from tests.unit.cli.conftest import Kvass

LARGE = os.urandom(600_000)


@pytest.fixture
def path(database: Path) -> Path:
    """A database whose large value has lost a page."""
    db = database
    with Store.open(db) as store:
        store.set("small", b"value")
        store.set("large", LARGE)
    data = db.read_bytes()
    at = data.index(LARGE[50_000:50_100]) // 4096 * 4096
    db.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])
    return db


def find(output: bytes | str, check: str) -> list[list[str]]:
    """Return level and text of what was found in a check."""
    return [[each["level"], each["text"]] for each in json.loads(output)["findings"] if each["check"] == check]


def test_full_names_what_is_lost(path: Path, kvass: Kvass) -> None:
    before = path.read_bytes()
    done = kvass("doctor", "--full", "--offline", "--json")
    assert done.status == 1
    assert find(done.out, "lost") == [["wrong", "large"]]
    assert path.read_bytes() == before


def test_salvage_saves_the_rest(path: Path, kvass: Kvass, tmp_path: Path) -> None:
    before = path.read_bytes()
    done = kvass("doctor", "--salvage", str(tmp_path / "saved"), "--offline", "--json")
    assert done.status == 1
    assert find(done.out, "saved") == [["warning", f"1 key and 0 earlier versions are in {tmp_path / 'saved'}"]]
    assert find(done.out, "lost") == [["wrong", "large"]]
    assert path.read_bytes() == before
    assert (tmp_path / "saved").stat().st_mode & 0o777 == 0o600
    with Store.open(tmp_path / "saved") as store:
        assert list(store.keys()) == ["small"]


def test_a_file_that_is_there_is_not_replaced(path: Path, kvass: Kvass, tmp_path: Path) -> None:
    (tmp_path / "saved").write_bytes(b"mine")
    done = kvass("doctor", "--salvage", str(tmp_path / "saved"), "--offline")
    assert done.status == 1
    assert "is there already; name another file" in done.err
    assert (tmp_path / "saved").read_bytes() == b"mine"


def test_an_empty_name_is_refused(kvass: Kvass) -> None:
    assert kvass("doctor", "--salvage", "").status == 2


REMEDY = "end what uses /db, keep that file, and type: mv -- /new /db; then `kvass sync`"


def test_what_was_saved_and_what_was_lost_is_told() -> None:
    saved = Salvage(2, 1, ("a", "b"), 3, ("what was known of the hub",), 5)
    assert list(judge_salvage(saved, "/db", "/new")) == [
        Finding("saved", WARNING, "2 keys and 1 earlier version are in /new", REMEDY),
        Finding("lost", WRONG, "a"),
        Finding("lost", WRONG, "b"),
        Finding("lost", WRONG, "earlier versions: 3"),
        Finding("lost", WRONG, "what was known of the hub"),
    ]


def test_that_nothing_is_lost_is_told() -> None:
    assert list(judge_salvage(Salvage(1, 0, (), 0, (), 0), "/db", "/new")) == [
        Finding("saved", OK, "1 key and 0 earlier versions are in /new", REMEDY),
        Finding("lost", OK, "nothing that was found; a value of up to 64 KiB has no checksum"),
    ]


def test_not_more_than_a_thousand_keys_are_named() -> None:
    saved = Salvage(0, 0, tuple(map(str, range(MAX_NAMES + 7))), 0, (), 1)
    *_, last = judge_salvage(saved, "/db", "/new")
    assert last == Finding("lost", WRONG, "and 7 more keys")
