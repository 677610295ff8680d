"""A store that can only be read: on a read-only disk, in a folder without permission, another user's."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from kvassfs.store import Store
from kvassfs.store.commits import CommitWatch
from kvassfs.store.reading import ReadOnlyDatabase
from kvassfs.store_errors import ReadOnlyStore, StoreChanged
from kvassfs_cli import streams
from kvassfs_cli.main import run as run_command
from tests.support.disks import read_only
from tests.support.golden_data import GOLDEN

LARGE = os.urandom(9_000_000)
"""More than a reader has in memory at once."""

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may enter, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        yield Path(place)


@pytest.fixture
def folder(place: Path) -> Path:
    """A folder with a store."""
    folder = place / "folder"
    folder.mkdir()
    with Store.open(folder / "db") as store:
        store.set("a", b"first")
        store.set("d/large", LARGE)
        store.set("a", b"second")
    return folder


@pytest.fixture
def written(folder: Path, place: Path) -> Path:
    """A folder with the same store as a program left it that was killed: the last value is in the log alone."""
    with Store.open(folder / "db") as store:
        store.set("a", b"third")
        copy = place / "written"
        shutil.copytree(folder, copy)
    assert (copy / "db-wal").stat().st_size
    return copy


class Done(NamedTuple):
    """What a command wrote, and its exit status."""

    stdout: bytes
    stderr: bytes
    returncode: int


Run = Callable[..., Done]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    monkeypatch.setenv("KVASS_OFFLINE", "")

    def run(folder: Path, *words: str) -> Done:
        capfdbinary.readouterr()
        status = run_command(["--db", str(folder / "db"), *words])
        streams.drop_unwritten()
        return Done(*capfdbinary.readouterr(), status)

    return run


READING = [
    (["ls"], b"a\nd/large\n"),
    (["get", "a"], b"second"),
    (["get", "d/large"], LARGE),
    (["get", "a", "--rev", "1"], b"first"),
    (["log", "a"], b"replaced"),
    (["log"], b"d/large"),
    (["grep", "seco"], b"a:second\n"),
    (["diff", "a"], b"-first\n"),
    (["export", "-", "--format", "tar"], b"ustar"),
    (["status"], b"can only be read: its disk is read-only"),
    (["status", "--json"], b'"read_only": "its disk is read-only"'),
    (["links"], b""),
    (["config", "show"], b"Encryption Key"),
    (["doctor", "--full"], b"sound, with every block"),
]

WRITING = [
    ["set", "a", "x"],
    ["set", "a", "--empty"],
    ["rm", "a"],
    ["rm", "-r", "d"],
    ["mv", "a", "b"],
    ["cp", "a", "b"],
    ["edit", "a"],
    ["undo"],
    ["restore", "a"],
    ["unlink", "a"],
    ["gc"],
    ["import", "/dev/null", "--format", "tar"],
    ["config", "name", "x"],
    ["config", "rekey"],
    ["sync"],
    ["pair"],
    ["join", "127.0.0.1:1", "7-purple-lamp"],
    ["serve", "--bind", "127.0.0.1:0"],
]


def test_on_a_read_only_disk_commands_read(run: Run, folder: Path) -> None:
    before = sorted(os.listdir(folder))
    with read_only(folder):
        for words, expected in READING:
            done = run(folder, *words)
            assert expected in done.stdout, (words, done)
            assert b"Traceback" not in done.stderr
            assert done.returncode == 0 or words[0] == "doctor", (words, done)
    assert sorted(os.listdir(folder)) == before


def test_a_backup_of_it_can_be_written(run: Run, folder: Path, tmp_path: Path) -> None:
    with read_only(folder):
        assert run(folder, "backup", str(tmp_path / "copy")).returncode == 0
    with Store.open(tmp_path / "copy") as store:
        store.set("b", b"new")
        assert store.get("a").read() == b"second"
        assert store.get("d/large").read() == LARGE


def test_on_a_read_only_disk_commands_that_write_say_why_not(run: Run, folder: Path) -> None:
    with read_only(folder):
        for words in WRITING:
            done = run(folder, *words)
            assert done.returncode == 1, (words, done)
            assert done.stderr.count(b"\n") == 1, (words, done)
            reason = b"can only be read: its disk is read-only; make a copy elsewhere with `kvass backup FILE`"
            assert reason in done.stderr, (words, done)


def test_a_log_that_nobody_copied_is_read(run: Run, written: Path) -> None:
    before = sorted(os.listdir(written))
    with read_only(written):
        assert run(written, "get", "a").stdout == b"third"
        assert b"sound" in run(written, "doctor", "--full").stdout
    (written / "db-shm").unlink()  # as in a copy of the two files that matter
    with read_only(written):
        assert run(written, "get", "a").stdout == b"third"
        assert run(written, "get", "d/large").stdout == LARGE
        assert b"sound" in run(written, "doctor", "--full").stdout
    assert sorted(os.listdir(written)) == sorted({*before} - {"db-shm"})


@needs_root
def test_a_log_that_cannot_be_read_is_named(written: Path) -> None:
    os.chmod(written, 0o755)
    os.chmod(written / "db", 0o644)
    os.chmod(written / "db-wal", 0o600)
    done = _run_as_nobody(written, "Store.open(path)")
    assert f"this user may not read {written}/db-wal, which has its latest changes" in done


def _run_as_nobody(folder: Path, expression: str) -> str:
    """Return what an expression with a store at ``path`` is worth, or its error, in a process of another user."""
    code = (
        # This user may not be let in where Python is, so all is loaded before.
        "import importlib, kvassfs.store, os, pkgutil, sys; from kvassfs.store import Store; path = sys.argv[1]\n"
        "for module in pkgutil.iter_modules(kvassfs.store.__path__, 'kvassfs.store.'): importlib.import_module(module.name)\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        f"try: print({expression})\nexcept Exception as error: print(error)"
    )
    # Not measured: what coverage finds, it would write where this user may not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    line = [sys.executable, "-c", code, str(folder / "db")]
    done = subprocess.run(line, check=False, capture_output=True, text=True, env=environment)
    assert not done.stderr or "ResourceWarning" in done.stderr, done.stderr
    return done.stdout


def _share(folder: Path, mode: int) -> None:
    os.chmod(folder, mode)
    for name in os.listdir(folder):
        os.chmod(folder / name, 0o644)


READ = "[Store.open(path).obstacle, Store.open(path).get('a').read()]"


@needs_root
class TestAnotherUser:
    @pytest.mark.parametrize("mode", [0o755, 0o777])
    def test_reads_and_leaves_no_file_that_the_owner_could_not_use(self, folder: Path, mode: int) -> None:
        before = sorted(os.listdir(folder))
        _share(folder, mode)
        assert _run_as_nobody(folder, READ) == "['this user may not write it', b'second']\n"
        assert sorted(os.listdir(folder)) == before

    @pytest.mark.parametrize("index", [True, False])
    def test_reads_what_is_in_the_log(self, written: Path, index: bool) -> None:
        if not index:
            (written / "db-shm").unlink()
        _share(written, 0o777)
        before = sorted(os.listdir(written))
        assert _run_as_nobody(written, READ) == "['this user may not write it', b'third']\n"
        assert sorted(os.listdir(written)) == before

    def test_sees_what_the_owner_writes_meanwhile(self, folder: Path) -> None:
        with Store.open(folder / "db") as owner:
            owner.set("a", b"third")
            _share(folder, 0o755)
            assert "third" in _run_as_nobody(folder, READ)
            owner.set("a", b"fourth")
            assert "fourth" in _run_as_nobody(folder, READ)

    def test_of_a_folder_where_no_file_can_be_made_reads(self, folder: Path) -> None:
        _share(folder, 0o755)
        os.chmod(folder / "db", 0o666)
        assert _run_as_nobody(folder, READ) == f"['this user may make no files in {folder}', b'second']\n"

    def test_writes_where_log_and_index_are_there_to_be_written(self, folder: Path) -> None:
        with Store.open(folder / "db") as owner:
            owner.set("a", b"third")
            _share(folder, 0o755)
            for name in ("db", "db-wal", "db-shm"):
                os.chmod(folder / name, 0o666)
            assert (
                _run_as_nobody(folder, "[Store.open(path).obstacle, Store.open(path).set('a', b'x').size]")
                == "['', 1]\n"
            )


class TestWhileOthersWrite:
    """A disk that is read-only here, and is written by another way."""

    @pytest.fixture
    def mirrored(self, folder: Path, tmp_path: Path) -> Iterator[Path]:
        view = tmp_path / "view"
        view.mkdir()
        with read_only(folder, view):
            yield view

    def test_what_they_write_is_seen(self, folder: Path, mirrored: Path) -> None:
        with Store.open(mirrored / "db") as reader:
            assert reader.obstacle == "its disk is read-only"
            assert reader.get("a").read() == b"second"
            for value in (b"third", b"fourth"):
                with Store.open(folder / "db") as writer:
                    writer.set("a", value)
                    assert reader.get("a").read() == value
                assert reader.get("a").read() == value

    def test_what_is_read_is_never_half_of_each(self, folder: Path, mirrored: Path) -> None:
        with closing(ReadOnlyDatabase(str(mirrored / "db"), "test")) as reader, reader.snapshot():
            assert reader.row("SELECT count(*) FROM entries") == (2,)
            with Store.open(folder / "db") as writer:
                writer.set("b", b"new")
            with pytest.raises(StoreChanged, match="was changed by another process while it was read; try again"):
                reader.row("SELECT count(*) FROM entries")

    def test_a_list_that_was_begun_ends_with_an_error(self, folder: Path, mirrored: Path) -> None:
        with Store.open(folder / "db") as writer, writer.transaction:
            for number in range(200):
                writer._database.execute("INSERT INTO settings VALUES (?, '')", (f"test {number}",))
        with closing(ReadOnlyDatabase(str(mirrored / "db"), "test")) as reader:
            names = reader.iterate("SELECT name FROM settings")
            next(names)
            with Store.open(folder / "db") as writer:
                writer.set("b", b"new")
            with pytest.raises(StoreChanged):
                list(names)

    def test_a_commit_is_noticed(self, folder: Path, mirrored: Path) -> None:
        with closing(CommitWatch(str(mirrored / "db"))) as watch:
            assert not watch.wait(0.01)
            with Store.open(folder / "db") as writer:
                writer.set("b", b"new")
                assert watch.wait(60)
                while watch.wait(0.3):
                    pass
                writer.set("b", b"newer")
                assert watch.wait(60)


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("store-version-*.sql")))
def test_one_of_an_earlier_version_is_read_by_a_copy_that_is_gone_afterwards(
    run: Run, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "db")) as connection:
        connection.executescript((GOLDEN / f"{name}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode=WAL")
    shutil.copy(folder / "db", tmp_path / "writable")
    with Store.open(tmp_path / "writable") as store:
        expected = {key: store.get(key).read() for key in store.keys() if store.entry(key).size}
    before = (folder / "db").read_bytes()
    with read_only(folder):
        with Store.open(folder / "db") as store:
            assert store.is_copy
            assert {key: store.get(key).read() for key in store.keys() if store.entry(key).size} == expected
            with pytest.raises(ReadOnlyStore):
                store.set("new", b"lost")
        assert run(folder, "mount", "--read-only", str(tmp_path / "m")).stderr.endswith(
            b"it is of an earlier version, so make a copy elsewhere with `kvass backup FILE`, and mount that with --db\n"
        )
        assert run(folder, "backup", str(tmp_path / "copy")).returncode == 0
    assert (folder / "db").read_bytes() == before
    assert os.listdir(folder) == ["db"]
    with Store.open(tmp_path / "copy") as store:
        assert {key: store.get(key).read() for key in store.keys() if store.entry(key).size} == expected


def test_one_of_the_original_is_read_as_if_it_were_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(GOLDEN / "client-1001.sqlite", folder / "db")
    with read_only(folder), Store.open(folder / "db") as store:
        assert list(store.keys())
    assert os.listdir(folder) == ["db"]


def test_where_there_is_none_none_can_be_made(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with read_only(folder):
        done = run(folder, "set", "a", "x")
    assert done.stderr == f"kvass: cannot open the database {folder}/db: read-only file system\n".encode()


def test_the_hub_is_left_alone_and_that_is_said(run: Run, folder: Path) -> None:
    with Store.open(folder / "db") as store:
        store.settings.set_remote("127.0.0.1:1")
    with read_only(folder):
        done = run(folder, "get", "a")
        assert done.stdout == b"second"
        assert (
            done.stderr
            == (
                f"kvass: warning: the hub is not asked, as {folder}/db can only be read: its disk is read-only;"
                " showing what is stored here\n"
            ).encode()
        )
        assert b"not asked" in run(folder, "status").stdout
