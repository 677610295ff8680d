"""kvassfs.doctor.examination"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kvassfs.doctor import mounts
from kvassfs.doctor.examination import Examination, examine, find_worst
from kvassfs.doctor.finding import Finding, Level
from kvassfs.doctor.shell import Folders
from kvassfs.errors import StoreBusy
from kvassfs.store import Store
from tests.support.golden_data import GOLDEN


@pytest.fixture(autouse=True)
def nothing_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests mount meanwhile, and kill, is not seen."""
    monkeypatch.setattr(mounts, "collect_mounts", list)


def look(path: Path, **options: Any) -> dict[str, Finding]:
    """Return what is found, by the name of the check."""
    folders = Folders("/nowhere", "/nowhere", "/nowhere")
    chosen = {"full": False, "offline": False, "shell": "", "folders": folders, "search_path": "", **options}
    return {finding.check: finding for finding in examine(Examination(str(path), **chosen))}


ALWAYS = {"kvassfs", "Python", "SQLite", "device", "fusermount", "libfuse", "mounts", "database", "disk"}
WITH_FILE = ALWAYS | {"permissions", "log", "integrity", "completion", "manual"}


def test_without_a_database_the_rest_is_looked_at(tmp_path: Path) -> None:
    found = look(tmp_path / "db")
    assert found.keys() == ALWAYS | {"completion", "manual"}
    assert found["database"].level == "warning"
    assert list(tmp_path.iterdir()) == []


def test_with_one_its_content_is_looked_at_too(tmp_path: Path) -> None:
    Store.open(tmp_path / "db").close()
    found = look(tmp_path / "db", full=True)
    assert found.keys() == WITH_FILE | {"numbers", "hub", "dates", "room"}
    assert {each.level for each in found.values()} == {"ok"}


def test_what_is_no_database_is_said_and_nobody_is_told_to_change_it(tmp_path: Path) -> None:
    content = b"somebody's file" * 1000
    (tmp_path / "db").write_bytes(content)
    (tmp_path / "db").chmod(0o644)
    found = look(tmp_path / "db")
    assert found.keys() == WITH_FILE - {"permissions"}
    assert found["integrity"].text == f"{tmp_path}/db is not a kvass database"
    assert (tmp_path / "db").read_bytes() == content


def test_one_byte_is_an_empty_database_to_sqlite_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"x")
    assert look(tmp_path / "db")["format"].text == "empty"
    assert (tmp_path / "db").read_bytes() == b"x"


def test_an_original_database_is_said_to_be_one_and_left_alone(tmp_path: Path) -> None:
    content = GOLDEN.joinpath("client-1001.sqlite").read_bytes()
    (tmp_path / "db").write_bytes(content)
    found = look(tmp_path / "db")
    assert found["format"].text.startswith("of the original kvass")
    assert "hub" not in found
    assert (tmp_path / "db").read_bytes() == content


def test_what_fails_in_a_sound_database_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(tmp_path / "db").close()

    def fail(*_: object, **__: object) -> None:
        raise StoreBusy("/db")

    monkeypatch.setattr(Store, "open", fail)
    found = look(tmp_path / "db")
    assert found["database"] == Finding(
        "database", "wrong", "the database /db is locked by another process", "try again when it is done"
    )
    assert "completion" in found


@pytest.mark.parametrize(
    ("levels", "worst"),
    [([], "ok"), (["ok", "warning"], "warning"), (["wrong", "ok", "warning"], "wrong"), (["ok"], "ok")],
)
def test_the_worst_level_counts(levels: list[Level], worst: str) -> None:
    assert find_worst([Finding("check", level, "") for level in levels]) == worst
