"""Telling a database from other files without opening it as one; test_database.py opens them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs.store import Store, is_store

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_database_is_one_whether_or_not_its_header_is_still_in_the_log(tmp_path: Path, checkpointed: bool) -> None:
    path = str(tmp_path / "db")
    with Store.open(path) as store:
        if checkpointed:
            store.upkeep.checkpoint()
        assert is_store(path)


@pytest.mark.parametrize("content", [b"", b"x", b"shopping list\n" * 100])
def test_other_files_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_store(str(path))


def test_a_database_of_the_original_is_none() -> None:
    assert not is_store(str(GOLDEN / "client-1001.sqlite"))


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert not is_store(str(tmp_path / "missing"))
    assert not is_store(str(tmp_path))
