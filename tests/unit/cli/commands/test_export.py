"""kvassfs_cli.commands.export"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli.formats import format_size
from tests.support.near_hub import NearHub
from tests.support.trees import make_tree, read_tree
from tests.unit.cli.conftest import Kvass, Processes

ARCHIVES = ["x.tar", "x.tar.gz", "x.tar.zst", "x.zip", "x.json"]


@pytest.fixture
def filled(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    store.set("a", b"one")
    store.set("d/b", b"two")
    monkeypatch.chdir(tmp_path)
    return store


@pytest.mark.parametrize("target", [*ARCHIVES, "x", "x/"])
def test_what_was_exported_is_imported_below_another_prefix(kvass: Kvass, filled: Store, target: str) -> None:
    assert kvass("export", target) == (0, b"exported 3 entries (6 B)\n", "")
    assert kvass("import", target, "--prefix", "p") == (0, b"imported 3 entries (6 B)\n", "")
    assert list(filled.keys()) == ["a", "d/b", "p/a", "p/d/b"]
    assert os.stat(target).st_mode & 0o077 == 0


@pytest.mark.parametrize("target", ["x", *ARCHIVES])
def test_a_tree_comes_back_identical(kvass: Kvass, filled: Store, tmp_path: Path, target: str) -> None:
    size = make_tree(tmp_path / "tree", 1000, most=400)
    (tmp_path / "tree" / "link").symlink_to("d00/e0/f0")
    before = read_tree(tmp_path / "tree")
    amount = f"{len(before)} entries ({format_size(size + len('d00/e0/f0'))})"
    assert kvass("import", "tree", "--prefix", "t") == (0, f"imported {amount}\n".encode(), "")
    assert kvass("export", target, "--prefix", "t") == (0, f"exported {amount}\n".encode(), "")
    if target != "x":
        assert kvass("--db", "other.sqlite", "import", target).status == 0
        assert kvass("--db", "other.sqlite", "export", "x").status == 0
    assert read_tree(tmp_path / "x") == before


@pytest.mark.parametrize("target", ARCHIVES)
def test_a_file_is_replaced_by_force_alone(kvass: Kvass, filled: Store, target: str) -> None:
    Path(target).write_text("mine")
    said = f"kvass: {target} is there already; name another file, or replace it with --force\n"
    assert kvass("export", target) == (1, b"", said)
    assert Path(target).read_text() == "mine"
    assert kvass("export", "--force", target).status == 0


def test_a_directory_takes_what_it_lacks_and_names_what_differs(kvass: Kvass, filled: Store) -> None:
    kvass("export", "x")
    assert kvass("export", "x").out == b"exported 3 entries (6 B), 3 of them unchanged\n"
    Path("x/a").write_text("mine")
    said = "kvass: left out a: another file is there (--force replaces it)\n"
    assert kvass("export", "x") == (1, b"exported 2 entries (3 B), 2 of them unchanged, 1 failed\n", said)
    assert kvass("export", "--force", "x").status == 0
    assert Path("x/a").read_text() == "one"


def test_a_prefix_is_a_part(kvass: Kvass, filled: Store) -> None:
    assert kvass("export", "--prefix", "d", "--format", "json", "-").status == 0
    (entry,) = json.loads(kvass("export", "--prefix", "d/", "--format", "json", "-").out)
    assert (entry["key"], entry["text"]) == ("b", "two")


def test_standard_output_is_for_other_programs(kvass: Kvass, filled: Store, tmp_path: Path) -> None:
    status, out, err = kvass("export", "--format", "tar", "-")
    assert (status, err) == (0, "")
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-x", "-C", tmp_path / "out"], input=out, check=True)
    assert (tmp_path / "out/d/b").read_bytes() == b"two"


def test_keys_with_names_of_scratch_files_are_counted(kvass: Kvass, filled: Store) -> None:
    filled.set("x~", b"x")
    said = "kvass: 1 entry with names of scratch files: import with --scratch\n"
    assert kvass("export", "x.tar") == (0, b"exported 4 entries (7 B)\n", said)
    assert kvass("export", "x.json").err == ""


def test_a_dry_run_writes_nothing(kvass: Kvass, filled: Store) -> None:
    assert kvass("export", "-n", "x.tar") == (0, b"", "kvass: would export 2 entries (6 B)\n")
    assert not Path("x.tar").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["x.txt"], 1, "x.txt says not what it is: end its name in .tar, .tar.gz, .tar.zst, .zip or .json, end that of a directory in /, or use --format"),
        (["-"], 1, "- says not what it is: say with --format what goes through it"),
        (["missing/x.tar"], 1, "cannot write missing/x.tar: no such file or directory"),
        (["--force", "db.sqlite", "--format", "tar"], 1, "cannot write db.sqlite: it is the database itself"),
        (["-", "--format", "directory"], 2, "a directory cannot be written to standard output (see `kvass export --help`)"),
        ([""], 2, "invalid value for 'TARGET': it is empty (see `kvass export --help`)"),
    ],
)  # fmt: skip
def test_what_fails_is_said_in_one_line(
    kvass: Kvass, filled: Store, arguments: list[str], status: int, said: str
) -> None:
    assert kvass("export", *arguments) == (status, b"", f"kvass: {said}\n")


def test_an_archive_is_not_for_terminals(kvass: Kvass, filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs_cli.streams.output_is_terminal", lambda: True)
    said = "kvass: an archive is not for terminals: send it into a pipe or a file\n"
    assert kvass("export", "--format", "zip", "-") == (1, b"", said)
    assert kvass("export", "--format", "json", "-").status == 0


def test_nothing_is_made_where_there_is_no_database(kvass: Kvass, database: Path) -> None:
    assert kvass("export", "x.tar").status == 1
    assert not database.exists()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("x.tar", "x.tar was not written"),
        ("x/", "0 entries in x/ and complete; run it again for the rest"),
        ("-", "the output is not complete"),
    ],
)
def test_an_interrupt_says_what_it_leaves(
    kvass: Kvass, filled: Store, monkeypatch: pytest.MonkeyPatch, target: str, said: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kvassfs.transfer.exporting.Exporter._write_file", interrupt)
    form = ["--format", "tar"] if target == "-" else []
    status, _, err = kvass("export", *form, target)
    assert (status, err) == (130, f"kvass: interrupted: {said}\n")
    assert not Path("x.tar").exists()


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.zst", "zip", "json"])
def test_a_reader_that_goes_and_a_full_disk_are_met_as_ever(processes: Processes, store: Store, form: str) -> None:
    store.set("k", os.urandom(1_000_000))
    assert processes.shell(f"kvass export --format {form} - | head -c 1 >/dev/null").err == ""
    done = processes.shell(f"kvass export --format {form} - >/dev/full")
    assert (done.status, done.err) == (1, "kvass: cannot write to standard output: No space left on device\n")
    done = processes.shell(f"kvass export --format {form} - >&-")
    assert (done.status, done.err) == (1, "kvass: cannot write to standard output: it is closed\n")


def test_what_the_hub_has_comes_first(kvass: Kvass, filled: Store, hub: NearHub) -> None:
    hub.store.set("new", b"x")
    assert kvass("export", "x.json").out == b"exported 4 entries (7 B)\n"
