"""kvassfs.store.access: whether a database can be written, and the way to read one that cannot"""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs.store.access import ALONE, AT_REST, SHARED, Way, choose_ways, find_obstacle, list_ways, sign


@pytest.mark.parametrize(
    ("log", "index", "journal", "ways"),
    [
        (False, False, False, (AT_REST,)),
        (False, True, False, (AT_REST,)),  # an index alone tells nothing
        (True, False, False, (ALONE,)),
        (True, True, False, (SHARED, ALONE)),
        (False, False, True, (SHARED,)),
        (True, True, True, (SHARED,)),
    ],
)
def test_the_log_is_never_left_out(log: bool, index: bool, journal: bool, ways: tuple[Way, ...]) -> None:
    assert choose_ways(has_log=log, has_index=index, has_journal=journal) == ways


def test_what_locks_nothing_is_watched() -> None:
    assert [way.locks for way in (SHARED, ALONE, AT_REST)] == [True, False, False]


def test_the_files_beside_a_database_are_found_behind_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"")
    (tmp_path / "db-wal").write_bytes(b"")
    (tmp_path / "link").symlink_to("db")
    assert list_ways(str(tmp_path / "link")) == (ALONE,)


def test_a_change_of_the_database_or_its_log_is_told(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"1")
    signatures = {sign(str(path))}
    (tmp_path / "db-wal").write_bytes(b"")
    signatures.add(sign(str(path)))
    (tmp_path / "db-wal").write_bytes(b"22")
    signatures.add(sign(str(path)))
    path.write_bytes(b"333")
    signatures.add(sign(str(path)))
    assert len(signatures) == 4


def test_what_can_be_written_has_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"")
    assert find_obstacle(str(tmp_path / "db")) == ""
