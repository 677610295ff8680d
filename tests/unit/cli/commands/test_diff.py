"""kvassfs_cli.commands.diff"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.unit.cli.conftest import Kvass


@pytest.fixture
def texts(store: Store) -> Store:
    for value in (b"one\ntwo\n", b"one\n2\n", b"one\n2\nthree"):
        store.set("k", value)
    return store


def body(out: bytes) -> list[str]:
    return out.decode().splitlines()[2:]


@pytest.mark.usefixtures("texts")
def test_diff_shows_what_the_last_version_changed(kvass: Kvass) -> None:
    status, out, err = kvass("diff", "k")
    assert (status, err) == (0, "")
    head, new = out.decode().splitlines()[:2]
    assert re.fullmatch(r"--- k\tversion 2, .*", head)
    assert re.fullmatch(r"\+\+\+ k\tversion 3, .*", new)
    assert body(out) == ["@@ -1,2 +1,3 @@", " one", " 2", "+three", "\\ No newline at end of file"]


@pytest.mark.usefixtures("texts")
def test_diff_compares_any_two_versions(kvass: Kvass) -> None:
    assert body(kvass("diff", "k", "1").out)[-4:] == ["-two", "+2", "+three", "\\ No newline at end of file"]
    assert body(kvass("diff", "k", "1", "2").out) == ["@@ -1,2 +1,2 @@", " one", "-two", "+2"]
    assert body(kvass("diff", "k", "2", "1").out) == ["@@ -1,2 +1,2 @@", " one", "-2", "+two"]
    assert kvass("diff", "k", "2", "2") == (0, b"", "")


def test_of_a_removed_key_the_last_value_went(kvass: Kvass, texts: Store) -> None:
    texts.delete("k")
    assert body(kvass("diff", "k").out) == ["@@ -1,3 +0,0 @@", "-one", "-2", "-three", "\\ No newline at end of file"]


def test_values_that_are_no_text_are_told_by_size_and_hash(kvass: Kvass, store: Store) -> None:
    store.set("k", b"\x00one")
    store.set("k", b"text\n")
    lines = kvass("diff", "k").out.decode().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("-k\tversion 1, ")
    assert ": 4 bytes, SHA-256 " in lines[0]
    assert lines[1].startswith("+k\tversion 2, ")


@pytest.mark.usefixtures("texts")
def test_a_tool_compares_two_files_that_are_gone_afterwards(
    kvass: Kvass, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "tool"
    script.write_text('#!/bin/sh\necho "$1"; cat "$2" "$3"; ls -ld "$2" | cut -c1-10; echo "$2" >"$0.seen"; exit 3\n')
    script.chmod(0o700)
    assert kvass("diff", "k", "1", "2", "--tool", f"{script} 'an argument'").status == 3
    assert capfd.readouterr().out == "an argument\none\ntwo\none\n2\n-rw-------\n"
    seen = (tmp_path / "tool.seen").read_text().strip()
    assert seen.endswith("/1-k")
    assert not Path(seen).exists()


@pytest.mark.usefixtures("texts")
def test_the_environment_names_a_tool(kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVASS_DIFF", "false")
    assert kvass("diff", "k").status == 1
    assert kvass("diff", "k", "--tool", "").status == 0


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("no-such-program-at-all", "cannot run no-such-program-at-all: No such file or directory"),
        ("'", '"\'" is no command: No closing quotation'),
        (" ", "' ' is no command; name a program that compares two files"),
    ],
)
def test_a_tool_that_cannot_be_run_is_said(kvass: Kvass, tool: str, message: str) -> None:
    assert kvass("diff", "k", "--tool", tool) == (1, b"", f"kvass: {message}\n")


def test_there_must_be_something_to_compare(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    assert kvass("diff", "k") == (1, b"", "kvass: k has no earlier version; `kvass log` lists what is kept\n")
    assert kvass("diff", "x") == (1, b"", "kvass: no such key: x\n")
