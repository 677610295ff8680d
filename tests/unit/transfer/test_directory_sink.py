"""kvassfs.transfer.directory_sink, .target and .forms"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.transfer.directory_sink import DirectorySink
from kvassfs.transfer.exporting import Exported
from kvassfs.transfer.forms import Form, find_form, make_sink, open_sink
from kvassfs.transfer.target import identify_database, new_file
from kvassfs.transfer_errors import SourceUnreadable, TargetExists, TargetUnwritable, UnknownForm
from tests.support.stores import error_line
from tests.unit.transfer.conftest import DIRECTORY, FILE, LINK, TIME, Left, give, put


def export(store: Store, directory: Path, left: Left, *, force: bool = False) -> Exported:
    with DirectorySink(str(directory), force=force, never_open=identify_database(store.path)) as sink:
        return give(store, sink, left)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def filled(store: Store) -> Store:
    put(store, "d/a", b"value")
    put(store, "link", b"d/a", LINK)
    store.imports.put_directory("d/", DIRECTORY, TIME)
    return store


def test_it_is_for_its_owner_alone(filled: Store, target: Path, left: Left) -> None:
    export(filled, target, left)
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "d/a").stat().st_mode) == 0o640


def test_once_more_it_changes_nothing(filled: Store, target: Path, left: Left) -> None:
    assert export(filled, target, left) == Exported(3, 8, 0)
    before = [(path.lstat().st_ino, path.lstat().st_ctime_ns) for path in sorted(target.rglob("[al]*"))]
    assert export(filled, target, left) == Exported(3, 8, 3)
    assert [(path.lstat().st_ino, path.lstat().st_ctime_ns) for path in sorted(target.rglob("[al]*"))] == before


def test_an_export_that_was_ended_goes_on(filled: Store, target: Path, left: Left) -> None:
    export(filled, target, left)
    (target / "d/a").unlink()
    (target / "d").chmod(0o500)
    os.utime(target / "link", follow_symlinks=False)
    assert export(filled, target, left).unchanged == 1
    assert (target / "d/a").read_bytes() == b"value"
    assert stat.S_IMODE((target / "d").stat().st_mode) == 0o750
    assert (target / "link").lstat().st_mtime_ns == TIME


def test_another_mode_or_time_is_set(filled: Store, target: Path, left: Left) -> None:
    export(filled, target, left)
    (target / "d/a").chmod(0o600)
    export(filled, target, left)
    assert stat.S_IMODE((target / "d/a").stat().st_mode) == 0o640
    os.utime(target / "d/a")
    export(filled, target, left)
    assert (target / "d/a").stat().st_mtime_ns == TIME
    assert left.texts == []


@pytest.mark.parametrize("content", [b"other", b"longer"])
def test_another_file_is_replaced_by_force_alone(filled: Store, target: Path, left: Left, content: bytes) -> None:
    export(filled, target, left)
    (target / "d/a").write_bytes(content)
    (target / "link").unlink()
    (target / "link").symlink_to("e/a")
    assert export(filled, target, left).failures == 2
    assert left.texts == [f"left out {name}: another file is there (--force replaces it)" for name in ("d/a", "link")]
    assert (target / "d/a").read_bytes() == content
    assert export(filled, target, left, force=True).failures == 0
    assert (target / "d/a").read_bytes() == b"value"
    assert os.readlink(target / "link") == "d/a"


def test_what_else_is_there_stays(filled: Store, target: Path, left: Left) -> None:
    (target / "d").mkdir(parents=True)
    (target / "d/mine").write_text("mine")
    export(filled, target, left, force=True)
    assert (target / "d/mine").read_text() == "mine"


def test_nothing_is_written_through_links(filled: Store, target: Path, left: Left, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target.mkdir()
    (target / "d").symlink_to(outside)
    assert export(filled, target, left, force=True).failures == 2
    assert left.texts == ["left out d/: not a directory", "left out d/a: not a directory"]
    assert list(outside.iterdir()) == []


def test_a_directory_where_a_file_belongs_is_said(filled: Store, target: Path, left: Left) -> None:
    (target / "link").mkdir(parents=True)
    export(filled, target, left, force=True)
    assert left.texts == ["left out link: a directory is there"]


def test_the_database_is_not_overwritten(store: Store, left: Left) -> None:
    put(store, "store.sqlite", b"evil")
    export(store, Path(store.path).parent, left, force=True)
    assert left.texts == ["left out store.sqlite: the database itself is there"]
    assert store.get("store.sqlite").read() == b"evil"


def test_holes_take_no_room(store: Store, target: Path, left: Left) -> None:
    draft = store.tree.draft()
    draft.truncate(1 << 40)
    store.imports.put("hole", draft, FILE, TIME)
    draft.close()
    export(store, target, left)
    status = (target / "hole").stat()
    assert (status.st_size, status.st_blocks) == (1 << 40, 0)


def test_a_full_disk_ends_it_and_leaves_no_part(
    filled: Store, target: Path, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(TargetUnwritable) as caught:
        export(filled, target, left)
    assert error_line(caught.value) == f"cannot write {target}/d/a: no space left on device"
    assert list((target / "d").iterdir()) == []


def test_a_target_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing/target", tmp_path / "file"):
        with pytest.raises(TargetUnwritable), DirectorySink(str(path)):
            pass


# Files


def test_a_file_is_there_when_it_is_complete_and_for_its_owner_alone(tmp_path: Path) -> None:
    with new_file(str(tmp_path / "x"), force=False) as path:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert not (tmp_path / "x").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TargetUnwritable("x", "full")])
def test_a_file_that_fails_leaves_the_one_before(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "x").write_text("before")
    with pytest.raises(type(error)), new_file(str(tmp_path / "x"), force=True):
        raise error
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("x", "before")]


def test_a_file_is_replaced_by_force_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("before")
    with pytest.raises(TargetExists), new_file(str(tmp_path / "x"), force=False):
        pass
    with pytest.raises(TargetExists), new_file(str(tmp_path / "y"), force=False):
        (tmp_path / "y").write_text("somebody was quicker")
    with new_file(str(tmp_path / "x"), force=True) as path:
        Path(path).write_text("after")
    assert (tmp_path / "x").read_text() == "after"
    assert (tmp_path / "y").read_text() == "somebody was quicker"


def test_behind_a_link_the_file_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x")
    with new_file(str(tmp_path / "link"), force=False):
        pass
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "x").is_file()


def test_without_hard_links_a_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with new_file(str(tmp_path / "x"), force=False):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/dev/null", "it is no regular file"),
        ("missing/x", "no such file or directory"),
        ("file/x", "not a directory"),
    ],
)
def test_what_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TargetUnwritable) as caught, new_file(name, force=True):
        pass
    assert error_line(caught.value) == f"cannot write {name}: {reason}"


def test_the_database_is_never_replaced(store: Store) -> None:
    for name in (store.path, f"{store.path}-wal"):
        with (
            pytest.raises(TargetUnwritable, match="database itself"),
            new_file(name, force=True, never_replace=identify_database(store.path)),
        ):
            pass


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.DIRECTORY])
def test_a_full_disk_is_said_of_a_file_and_nothing_stays(filled: Store, left: Left, form: Form, tmp_path: Path) -> None:
    with (
        pytest.raises(TargetUnwritable) as caught,
        open("/dev/full", "wb", buffering=0) as full,
        make_sink(form, full, "x") as sink,
    ):
        give(filled, sink, left)
    assert error_line(caught.value) == "cannot write x: no space left on device"
    with (
        pytest.raises(ZeroDivisionError),
        open_sink(form, str(tmp_path / "x"), io.BytesIO(), force=False, never_replace=()),
    ):
        raise ZeroDivisionError
    assert not (tmp_path / "x").exists()


# Forms


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("x.tar", Form.TAR), ("X.TAR.GZ", Form.TAR_GZ), ("x.tgz", Form.TAR_GZ), ("x.tar.zst", Form.TAR_ZST),
        ("x.tzst", Form.TAR_ZST), ("x.zip", Form.ZIP), ("a.b/x.json", Form.JSON), ("x.zip/", Form.DIRECTORY),
        ("x", Form.DIRECTORY), ("a.b/x", Form.DIRECTORY), ("/", Form.DIRECTORY), (".", Form.DIRECTORY),
    ],
)  # fmt: skip
def test_the_end_of_a_name_says_the_form(name: str, form: Form) -> None:
    assert find_form(name, is_source=False) is form


def test_other_names_say_none(tmp_path: Path) -> None:
    for name in ("-", "x.txt"):
        with pytest.raises(UnknownForm):
            find_form(name, is_source=False)
    (tmp_path / "file").touch()
    with pytest.raises(UnknownForm):
        find_form(str(tmp_path / "file"), is_source=True)
    with pytest.raises(SourceUnreadable, match="no such file"):
        find_form(str(tmp_path / "missing"), is_source=True)
