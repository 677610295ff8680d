"""kvassfs.doctor.database"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

import pytest

from kvassfs.doctor.database import (
    MAX_KEYS,
    Ahead,
    File,
    Place,
    collect_ahead,
    collect_checkup,
    collect_place,
    describe_mended,
    judge_ahead,
    judge_checkup,
    judge_oddities,
    judge_permissions,
    judge_place,
    judge_room,
)
from kvassfs.doctor.finding import Finding
from kvassfs.errors import DamagedStore, NotAStore
from kvassfs.store import Mended, Oddity, Store
from kvassfs.store.checkup import Checkup

DAY = 86_400_000_000
PRIVATE = File("/h/db", stat.S_IFREG | 0o600, True)
PLACE = Place("/h/db", (PRIVATE,), free=12_000_000_000, log=4096)


def judge(place: Place) -> list[Finding]:
    """Return all findings of a place."""
    return [*([judge_permissions(place)] if place.files else []), *judge_place(place)]


def found_wrong(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.level != "ok"]


def test_a_database_in_order_is_ok() -> None:
    assert judge(PLACE) == [
        Finding("permissions", "ok", "this user's alone"),
        Finding("database", "ok", "/h/db"),
        Finding("disk", "ok", "12.0 GB free"),
        Finding("log", "ok", "4.1 kB in the write-ahead log"),
    ]


ME = f"{os.geteuid()}:{os.getegid()}"


@pytest.mark.parametrize(
    ("place", "check", "level", "text", "remedy"),
    [
        (
            Place("/h/db", free=10**10),
            "database",
            "warning",
            "there is none at /h/db yet",
            "`kvass set KEY VALUE`, `kvass mount DIR` or `kvass config key` makes one",
        ),
        (
            Place("/h/db", problem="no such file or directory"),
            "database",
            "wrong",
            "/h/db: no such file or directory",
            "name another file with --db, or mend the path",
        ),
        (
            PLACE._replace(usable=False),
            "database",
            "wrong",
            "this user may not read /h/db",
            f"type, as root: chown -- {ME} /h/db",
        ),
        (
            PLACE._replace(extensible=False),
            "permissions",
            "wrong",
            "this user may make no files in /h, beside the database",
            "type: chmod u+rwx /h",
        ),
        (
            PLACE._replace(files=(PRIVATE, File("/h/d b-wal", stat.S_IFREG | 0o644, True))),
            "permissions",
            "warning",
            "others may read or write /h/d b-wal: all values, and the encryption key, are in there",
            "type: chmod go= '/h/d b-wal'",
        ),
        (
            PLACE._replace(files=(PRIVATE, File("/h/db-shm", stat.S_IFREG | 0o644, False))),
            "permissions",
            "warning",
            "/h/db-shm: another user's",
            f"type, as root: chown -- {ME} /h/db-shm",
        ),
        (
            PLACE._replace(free=99_000_000),
            "disk",
            "warning",
            "only 99.0 MB free",
            "make room there: a value needs its size twice for a moment",
        ),
        (
            PLACE._replace(free=4096),
            "disk",
            "wrong",
            "only 4.1 kB free: new values are refused",
            "make room there; `kvass rm` makes some",
        ),
        (
            PLACE._replace(obstacle="its disk is read-only", extensible=False, free=0),
            "database",
            "warning",
            "/h/db can only be read: its disk is read-only",
            "to change it, make a copy elsewhere with `kvass backup FILE`, and use that with --db",
        ),
        (
            PLACE._replace(log=600 * 1024 * 1024),
            "log",
            "warning",
            "629.1 MB in the write-ahead log",
            "end what has been reading the database for long, then type: sqlite3 /h/db 'PRAGMA wal_checkpoint(TRUNCATE)'",
        ),
    ],
)
def test_what_is_not_in_order_is_said_with_what_to_do(
    place: Place, check: str, level: str, text: str, remedy: str
) -> None:
    assert found_wrong(judge(place)) == [Finding(check, level, text, remedy)]  # type: ignore[arg-type]


def test_what_is_there_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with Store.open(path) as store:
        store.set("key", b"value")
        place = collect_place(str(path))
        assert [Path(file.path).name for file in place.files] == ["db", "db-wal", "db-shm", "db-reserve"]
        assert place.log > 0
    assert found_wrong(judge(place)) == []
    path.chmod(0o644)
    (found,) = found_wrong(judge(collect_place(str(path))))
    assert found.remedy == f"type: chmod go= {shlex.quote(str(path))}"


def test_what_is_no_database_is_seen(tmp_path: Path) -> None:
    assert collect_place(str(tmp_path / "none")).files == ()
    assert collect_place(str(tmp_path)).problem == "it is no regular file"
    assert collect_place(str(tmp_path / "no" / "such")).problem == "no such file or directory"
    (tmp_path / "file").touch()
    assert collect_place(str(tmp_path / "file" / "db")).problem == "not a directory"


# What is in it


@pytest.mark.parametrize(
    ("checkup", "full", "lines"),
    [
        (Checkup("kvassfs"), False, [("integrity", "ok", "no fault found")]),
        (Checkup("kvassfs"), True, [("integrity", "ok", "sound, with every block")]),
        (
            Checkup("kvassfs", (), False),
            False,
            [("integrity", "ok", "no fault found in 10 s, in which not all was looked at")],
        ),
        (
            Checkup("kvassfs", ("a fault", "another")),
            True,
            [("integrity", "wrong", "/db: a fault"), ("integrity", "wrong", "/db: another")],
        ),
        (
            Checkup("earlier"),
            False,
            [
                ("integrity", "ok", "no fault found"),
                ("format", "warning", "of an earlier kvassfs; the next command brings it to this version"),
            ],
        ),
        (
            Checkup("original"),
            False,
            [
                ("integrity", "ok", "no fault found"),
                ("format", "warning", "of the original kvass; the next command takes it over"),
            ],
        ),
        (NotAStore("/db"), False, [("integrity", "wrong", "/db is not a kvass database")]),
        (DamagedStore("/db", "torn"), False, [("integrity", "wrong", "the database /db is damaged (torn)")]),
    ],
)
def test_what_a_look_found_in_words(
    checkup: Checkup | DamagedStore, full: bool, lines: list[tuple[str, str, str]]
) -> None:
    found = list(judge_checkup(checkup, "/db", full=full))
    assert [each[:3] for each in found] == lines
    assert all(each.remedy for each in found if each.level == "wrong")


def test_a_look_that_fails_is_an_error_and_none_is_raised(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"no database" * 1000)
    assert isinstance(collect_checkup(str(tmp_path / "db"), full=False), NotAStore)


def test_keys_dated_ahead_are_named_with_what_to_do() -> None:
    first, second = judge_ahead([Ahead("a", 40 * DAY), Ahead("b", DAY + 5)])
    assert first.text == "a is dated 40 days ahead: until then it wins over what others write"
    assert second.text.startswith("b is dated 1 day ahead: ")
    assert {first.level, second.level} == {"warning"}
    assert "under another key" in first.remedy


def test_not_more_keys_are_named_than_a_person_reads() -> None:
    found = list(judge_ahead([Ahead(str(number), 2 * DAY) for number in range(MAX_KEYS + 1)]))
    assert len(found) == MAX_KEYS + 1
    assert found[-1].text == "and more keys are dated ahead"


def test_no_key_dated_ahead_is_ok() -> None:
    assert list(judge_ahead([])) == [Finding("dates", "ok", "no key is dated ahead")]


def test_what_no_device_takes_is_named_with_what_to_do() -> None:
    found = list(judge_oddities([Oddity("", "clock", 2**62), Oddity("doc", "counter", 2**61)]))
    remedy = "type: kvass doctor --repair"
    assert found == [
        Finding("numbers", "wrong", f"the clock of the store is {2**62}: others may refuse it", remedy),
        Finding(
            "numbers",
            "wrong",
            f"doc: the counter of a version, {2**61}, is out of range: others may refuse it",
            remedy,
        ),
    ]
    found = list(judge_oddities([Oddity(str(number), "counter", 2**61) for number in range(MAX_KEYS + 1)]))
    assert len(found) == MAX_KEYS + 1
    assert found[-1].text == "and more keys have such numbers"


@pytest.mark.parametrize(
    ("mended", "said"),
    [
        (Mended(0, 0, counts_anew=False), "there was nothing to mend"),
        (Mended(1, 2, counts_anew=False), "gave 1 key and 2 earlier versions other numbers, and no value went"),
        (
            Mended(0, 1, counts_anew=True),
            (
                "gave 0 keys and 1 earlier version other numbers, and no value went; the store counts anew, and exchanges"
                " everything with its hub and devices once more"
            ),
        ),
    ],
)
def test_what_was_mended_is_said(mended: Mended, said: str) -> None:
    assert describe_mended(mended) == said


def test_a_key_that_a_wrong_clock_dated_is_found(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.set("right", b"value")
    with Store.open(tmp_path / "db", clock=lambda: 10**18 * 4) as store:
        store.set("wrong", b"value")
    with Store.open(tmp_path / "db") as store:
        assert [each.key for each in collect_ahead(store, DAY)] == ["wrong"]


@pytest.mark.parametrize(
    ("gives_back", "finding"),
    [
        (True, Finding("room", "ok", "12.0 MB of the database free; what it will not need soon goes back by itself")),
        (
            False,
            Finding(
                "room",
                "warning",
                "12.0 MB of the database free, which stays with it as it was made by an earlier version",
                "type, when there is a moment's time: kvass gc",
            ),
        ),
    ],
)
def test_whether_what_is_free_goes_back_is_said(gives_back: bool, finding: Finding) -> None:
    assert judge_room(gives_back, 12_000_000) == finding
