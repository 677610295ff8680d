"""kvassfs_cli.commands.import_"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from kvassfs.entry import DEFAULT_MODE
from kvassfs.errors import DiskFull
from kvassfs.remote import http
from kvassfs.store import Store
from kvassfs.transfer import programs
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

FORMS = "end its name in .tar, .tar.gz, .tar.zst, .zip or .json, end that of a directory in /, or use --format"
SCRATCH = "it is a scratch file, which stays where it is (--scratch takes it in)"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    (directory / "d").mkdir(parents=True)
    (directory / "a").write_text("one")
    (directory / "d" / "b").write_text("two")
    return directory


def test_a_directory_is_taken_in_and_once_more_nothing_is(kvass: Kvass, store: Store, source: Path) -> None:
    assert kvass("import", str(source)) == (0, b"imported 3 entries (6 B)\n", "")
    assert list(store.keys()) == ["a", "d/b"]
    assert kvass("import", str(source)) == (0, b"imported 0 entries (0 B), 3 unchanged\n", "")


def test_what_it_overwrites_is_an_earlier_version(kvass: Kvass, store: Store, source: Path) -> None:
    kvass("set", "a", "mine")
    kvass("import", str(source))
    assert kvass("get", "a").out == b"one"
    assert kvass("get", "a", "--rev", "1").out == b"mine\n"
    assert kvass("restore", "a").status == 0
    assert store.get("a").read() == b"mine\n"


def show(store: Store) -> dict[str, tuple[bytes, int]]:
    """Return the values and modes of all keys."""
    return {key: (store.get(key).read(), store.entry(key).mode or DEFAULT_MODE) for key in store.keys()}


def test_it_is_one_change_for_undo_in_however_many_steps_it_was_stored(
    kvass: Kvass, store: Store, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvassfs.transfer.importing.BATCH", 2)
    (source / "a").chmod(0o755)
    (source / "large").write_bytes(bytes(range(256)) * 2000)
    for number in range(7):
        (source / "d" / f"k{number}").write_text("x")
    kvass("set", "a", "mine")
    kvass("set", "d/b", "two")
    before = show(store)
    assert kvass("import", str(source)).out == b"imported 11 entries (512.0 kB)\n"
    assert kvass("undo", "--yes").status == 0
    assert show(store) == before
    assert store.tree.directory("d/") is not None
    assert kvass("undo").out == b"removed d/b\n"


def test_the_key_of_a_link_is_refused(kvass: Kvass, store: Store, source: Path) -> None:
    name = "\x01link/token/-/once/k"
    (source / name).parent.mkdir(parents=True)
    (source / name).write_text("x")
    status, _, err = kvass("import", str(source))
    assert (status, err) == (1, "kvass: left out \\x01link/token/-/once/k: links travel under such keys\n")
    document = source.with_name("x.json")
    document.write_text(json.dumps([{"key": name, "text": "x"}]))
    assert kvass("import", str(document)) == (1, b"imported 0 entries (0 B), 1 failed\n", err)
    assert [key for key in store.keys() if key.startswith("\x01")] == []


@pytest.mark.parametrize("prefix", ["p/q", "p/q/"])
def test_it_goes_below_a_prefix(kvass: Kvass, store: Store, source: Path, prefix: str) -> None:
    kvass("import", str(source), "--prefix", prefix)
    assert list(store.keys()) == ["p/q/a", "p/q/d/b"]


def test_a_store_is_made_where_there_is_none(kvass: Kvass, database: Path, source: Path) -> None:
    assert kvass("import", str(source)).status == 0
    assert kvass("get", "a") == (0, b"one", "")


def test_what_is_left_out_is_named(kvass: Kvass, source: Path) -> None:
    (source / "x~").touch()
    os.mkfifo(source / "pipe")
    status, out, err = kvass("import", str(source))
    assert (status, out) == (0, b"imported 3 entries (6 B), 2 left out\n")
    assert err == f"kvass: left out pipe: it is a device, a pipe or a socket\nkvass: left out x~: {SCRATCH}\n"
    assert kvass("import", "--scratch", str(source)).out == b"imported 1 entry (0 B), 3 unchanged, 1 left out\n"


def test_the_patterns_of_scratch_files_are_those_of_the_store(kvass: Kvass, source: Path) -> None:
    kvass("config", "scratch", "add", "a")
    assert kvass("import", str(source)).err == f"kvass: left out a: {SCRATCH}\n"


def test_a_name_that_cannot_be_a_key_fails_and_the_others_go(kvass: Kvass, store: Store, source: Path) -> None:
    open(os.fsencode(source) + b"/\xff", "w").close()
    status, out, err = kvass("import", str(source))
    assert (status, out) == (1, b"imported 3 entries (6 B), 1 failed\n")
    assert err == "kvass: left out \\udcff: '\\udcff' cannot be a file name: it is not UTF-8\n"
    assert list(store.keys()) == ["a", "d/b"]


def test_a_dry_run_prints_what_would_be_set(kvass: Kvass, store: Store, source: Path) -> None:
    store.set("a", b"one")
    assert kvass("import", "-n", str(source)) == (0, b"a\nd/b\nd/\n", "kvass: would import 3 entries (6 B)\n")
    assert list(store.keys()) == ["a"]


def test_a_dry_run_makes_no_database(kvass: Kvass, database: Path, source: Path) -> None:
    assert kvass("import", "--dry-run", str(source)).status == 0
    assert not database.exists()


def test_without_room_for_temporary_files_what_needs_one_says_so(
    kvass: Kvass, database: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/missing")
    said = "kvass: cannot write a temporary directory: no such file or directory\n"
    assert kvass("import", "-n", str(source)) == (1, b"", said)
    said = "kvass: cannot read standard input: it cannot be kept in a temporary file (no such file or directory)\n"
    assert kvass("import", "--format", "zip", "-", stdin=bytes(9_000_000)) == (1, b"", said)


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.zst"])
def test_standard_input_is_an_archive_of_the_given_form(kvass: Kvass, store: Store, source: Path, form: str) -> None:
    data = subprocess.run(["tar", "-C", source, "-c", "."], check=True, capture_output=True).stdout
    assert kvass("import", "--format", form, "-", stdin=data) == (0, b"imported 3 entries (6 B)\n", "")
    assert store.get("d/b").read() == b"two"


def test_json_from_standard_input(kvass: Kvass, store: Store) -> None:
    text = json.dumps([{"key": "k", "text": "v", "mode": "755", "mtime": "5"}])
    assert kvass("import", "--format", "json", "-", stdin=text.encode()).status == 0
    node = store.tree.file("k")
    assert node is not None
    assert (node.mode, node.mtime) == (0o100755, 5 * 10**9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-"], "- says not what it is: say with --format what goes through it"),
        (["missing"], "cannot read missing: no such file or directory"),
        (["file"], f"file says not what it is: {FORMS}"),
        (["bad.tar"], "bad.tar is damaged, cut off or no tar archive: "),
        (["bad.zip"], "bad.zip is damaged, cut off or no zip archive: "),
        (
            ["bad.json"],
            "bad.json is damaged, cut off or no JSON as of `kvass export`: entry 1: it does not begin with [",
        ),
        (["db.sqlite", "--format", "tar"], "cannot read db.sqlite: it is the database itself"),
        (["--from", "pass", "missing"], "cannot read missing: no such file or directory"),
        (["--from", "skate", "missing"], "cannot read missing: no such file or directory"),
        (["--from", "skate"], "skate failed: it cannot be run (no such file or directory)"),
        (
            ["--from", "kvass", "--remote", "hub", "--key-file", "file"],
            "an encryption key is 64 hex digits, and this one has ",
        ),
        (["--from", "kvass", "--remote", "ftp://hub", "--key-file", "key"], "'ftp://hub' is no address of a hub: "),
        (["file", "--prefix", "a\0"], "'a\\x00/' cannot be a key: it holds a NUL character"),
    ],
)
def test_what_fails_is_said_in_one_line(
    kvass: Kvass, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("file", "bad.tar", "bad.zip", "bad.json"):
        (tmp_path / name).write_text("{neither")
    (tmp_path / "key").write_text("0" * 64 + "\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, err = kvass("import", *arguments)
    assert (status, out) == (1, b"")
    assert err.startswith(f"kvass: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "missing argument 'SOURCE'"),
        (["--from", "skate", "--format", "tar"], "--format goes without --from"),
        (["--from", "kvass"], "--from kvass takes --remote HOST and no SOURCE"),
        (["--from", "kvass", "--remote", "hub", "x"], "--from kvass takes --remote HOST and no SOURCE"),
        (["x.tar", "--remote", "hub"], "--remote and --key-file go with --from kvass"),
        (["--from", "pass", "--key-file", "x"], "--remote and --key-file go with --from kvass"),
    ],
)
def test_options_that_do_not_go_together_are_refused(kvass: Kvass, arguments: list[str], said: str) -> None:
    assert kvass("import", *arguments) == (2, b"", f"kvass: {said} (see `kvass import --help`)\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted: 2 entries are imported and stay; run it again for the rest"),
        (
            DiskFull("/db"),
            1,
            "no space left on the disk that holds /db (2 entries are imported and stay; run it again for the rest)",
        ),
    ],
)
def test_an_import_that_ends_early_says_what_stays(
    kvass: Kvass,
    store: Store,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("kvassfs.transfer.importing.Importer._put_directories", fail)
    assert kvass("import", str(source)) == (status, b"", f"kvass: {said}\n")
    assert list(store.keys()) == ["a", "d/b"]


def test_what_is_imported_is_pushed(kvass: Kvass, store: Store, hub: NearHub, source: Path) -> None:
    assert kvass("import", str(source)).status == 0
    assert list(hub.store.keys()) == ["a", "d/b"]
    assert kvass("import", str(source), "--prefix", "x", "--offline").status == 0
    assert list(hub.store.keys()) == ["a", "d/b"]


# From other programs


def test_from_skate_through_the_program(
    kvass: Kvass, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '#!/bin/sh\ncase $1 in list) echo one; echo two;; get) printf "value of %s\\n" "$3";; esac\n'
    (tmp_path / "skate").write_text(script)
    (tmp_path / "skate").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert kvass("import", "--from", "skate", "@db", "--prefix", "s") == (0, b"imported 2 entries (32 B)\n", "")
    assert store.get("s/two").read() == b"value of two@db\n"


def test_from_what_skate_printed(kvass: Kvass, store: Store, tmp_path: Path) -> None:
    assert kvass("import", "--from", "skate", "-", stdin=b"a\tone\nb\ttwo\n").status == 0
    (tmp_path / "list").write_text("c\tthree\n")
    assert kvass("import", "--from", "skate", str(tmp_path / "list")).status == 0
    assert [store.get(key).read() for key in store.keys()] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("place", ["argument", "variable", "home"])
def test_from_pass_where_its_passwords_are(
    kvass: Kvass, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    directory = tmp_path / (".password-store" if place == "home" else "elsewhere")
    directory.mkdir()
    (directory / "k.gpg").write_bytes(b"secret")
    monkeypatch.setattr("kvassfs.transfer.password_store.run", programs.run)
    (tmp_path / "gpg").write_text("#!/bin/sh\ncat\n")
    (tmp_path / "gpg").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("PASSWORD_STORE_DIR", raising=False)
    if place == "variable":
        monkeypatch.setenv("PASSWORD_STORE_DIR", str(directory))
    arguments = [str(directory)] if place == "argument" else []
    assert kvass("import", "--from", "pass", *arguments) == (0, b"imported 1 entry (6 B)\n", "")
    assert store.get("k").read() == b"secret"


@pytest.mark.parametrize("way", ["file", "input", "standard input"])
def test_from_a_hub_with_a_key_that_is_in_no_argument(
    kvass: Kvass, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with Store.open(tmp_path / "theirs.sqlite") as theirs:
        theirs.set("k", b"value")
        monkeypatch.setattr(http, "HttpRemote", NearHub(theirs).connect)
        key = theirs.settings.config().encryption_key.hex().encode() + b"\n"
        (tmp_path / "key").write_bytes(key)
        option = {"file": ["--key-file", str(tmp_path / "key")], "input": [], "standard input": ["--key-file", "-"]}[
            way
        ]
        stdin = b"" if way == "file" else key
        done = kvass("import", "--from", "kvass", "--remote", "hub.example", *option, stdin=stdin)
        assert done == (0, b"imported 1 entry (5 B)\n", "")
    assert store.get("k").read() == b"value"
    assert store.settings.config().remote == ""


def test_the_help_has_examples(kvass: Kvass) -> None:
    for command in ("import", "export", "backup"):
        assert f"\nExamples:\n  kvass {command} " in kvass(command, "--help").out.decode()
