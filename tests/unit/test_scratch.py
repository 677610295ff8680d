"""Which names are scratch, program by program."""

from __future__ import annotations

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs.scratch import DEFAULT_PATTERNS, ScratchNames

SCRATCH = [
    # vim
    ".notes.txt.swp",
    ".notes.txt.swo",
    ".notes.txt.swpx",
    "..bashrc.swp",
    ".bashrc.swp",
    ".swp",
    ".swpx",
    "notes.txt~",
    ".notes.txt.un~",
    # emacs
    ".#notes.txt",
    ".#-emacsa1B2c3",
    "#notes.txt#",
    "notes.txt.~1~",
    "notes.txt.~23~",
    # GLib, Kate
    ".goutputstream-A1B2C3",
    ".notes.txt.kate-swp",
    # rsync
    ".~tmp~",
    # git
    "tmp_obj_a1B2c3",
    # LibreOffice
    ".~lock.letter.odt#",
    "lu12345a6b7c.tmp",
    # Microsoft Office
    "~$letter.docx",
    "~WRD0001.tmp",
    # VS Code, JetBrains
    "notes.txt.vsctmp",
    "Main.java___jb_tmp___",
    "Main.java___jb_old___",
    # SQLite
    "cards.sqlite-shm",
    # macOS
    "._notes.txt",
    ".DS_Store",
    ".fseventsd",
    ".Spotlight-V100",
    ".TemporaryItems",
    "notes.txt.sb-1a2b3c4d-AbCdEf",
    # libfuse, NFS
    ".fuse_hidden0000000100000001",
    ".nfs000000000012d68700000001",
    # trash
    ".Trash",
    ".Trash-0",
    ".Trash-1000",
    ".Trashes",
    "$RECYCLE.BIN",
    # any character may be part of one
    ".two\nlines.swp",
    "é~",
    "😀~",
]

KEYS = [
    # programs use these, and so do people
    "4913",
    "5036",
    "sedA1B2c3",
    "XXa1B2c3d4",
    "tmpa1B2c3",
    "tmpa1b2c3d4",
    "notes.txt.oa1B2c3",
    ".notes.txt.A1b2C3",
    "notes.txt.A1b2C3",
    ".config.backup",
    "index.lock",
    "HEAD.lock",
    "Cargo.lock",
    "notes.txt.bak",
    "notes.txt.orig",
    ".git",
    "Trash",
    ".Trash-old",
    "trash-1000",
    "tA1b2C3",
    "tmp_obj_",
    # part of a database, not beside it
    "cards.sqlite-journal",
    "cards.sqlite-wal",
    "travel-journal",
    # close to a pattern
    "~",
    "lunch.tmp",
    "notes.tmp",
    "notes.swp",
    "#1",
    "# title",
    "C#",
    "~notes",
    "DS_Store",
    ".ds_store",
    "NOTES.VSCTMP",
    "notes.txt.sb-1",
    ".notes",
    # ordinary
    "notes.txt",
    ".bashrc",
    ".gitkeep",
    "__init__.py",
    "é",
    "",
    "%",
]


@pytest.mark.parametrize("name", SCRATCH)
def test_a_name_that_only_programs_choose_is_scratch(name: str) -> None:
    scratch = ScratchNames()
    assert scratch.matches(name)
    assert scratch.matches(f"a/b/{name}")


@pytest.mark.parametrize("name", KEYS)
def test_a_name_that_people_choose_is_a_key(name: str) -> None:
    scratch = ScratchNames()
    assert not scratch.matches(name)
    assert not scratch.matches(f"a/b/{name}")


@pytest.mark.parametrize("key", [".~tmp~/notes.txt", ".Trashes/501/notes.txt", "a/.#b/c", ".DS_Store/"])
def test_what_lies_below_a_scratch_name_is_scratch(key: str) -> None:
    assert ScratchNames().matches(key)


@pytest.mark.parametrize("key", ["#a/b#", ".~lock.a/b#", "~/notes", "a/~/.bashrc", "lu1/2.tmp", ".a/b.swp"])
def test_a_pattern_matches_within_one_component(key: str) -> None:
    assert not ScratchNames().matches(key)


@pytest.mark.parametrize("pattern", DEFAULT_PATTERNS)
def test_every_default_pattern_has_an_example_here(pattern: str) -> None:
    only = ScratchNames([pattern])
    assert any(map(only.matches, SCRATCH))
    assert not any(map(only.matches, KEYS))


@pytest.mark.parametrize("trash", [".Trash/1000", ".Trash-1000", ".Trashes/501", "a/.Trash-0", "$RECYCLE.BIN/S-1-5"])
def test_what_is_in_a_trash_is_scratch_and_told_from_the_rest(trash: str) -> None:
    names = ScratchNames()
    for key in (f"{trash}/files/notes.txt", f"{trash}/info/notes.txt.trashinfo", f"{trash}/"):
        assert names.matches(key)
        assert names.in_trash(key)
    assert not any(map(names.in_trash, ["notes.txt~", ".~tmp~/notes.txt", "Trash/notes.txt"]))


def test_without_its_pattern_a_trash_is_none() -> None:
    names = ScratchNames([".Trash", "Bin"])
    assert names.in_trash(".Trash/1000/files/notes.txt")
    assert not names.in_trash(".Trash-1000/files/notes.txt")
    assert not names.in_trash("Bin/notes.txt")


def test_the_patterns_are_the_users_to_change() -> None:
    scratch = ScratchNames(["*.bak", "[*]*", "Cache"])
    assert scratch.patterns == ("*.bak", "[*]*", "Cache")
    assert scratch.matches("notes.bak")
    assert scratch.matches("*notes")
    assert scratch.matches("app/Cache/1")
    assert not scratch.matches("cache")
    assert not scratch.matches("notes.txt~")


def test_without_patterns_every_name_is_a_key() -> None:
    assert not any(map(ScratchNames(()).matches, [*SCRATCH, *KEYS]))


NOTHING = ["", "a/b", "/", "a\0", "\udcff*"]
EVERYTHING = ["*", "**", "?", "?*", "??????", "[a-z]*", "[!.]*", "[!]]*", "[]a]?", "[!x]"]


@pytest.mark.parametrize("pattern", [*NOTHING, *EVERYTHING])
def test_a_pattern_that_matches_nothing_or_everything_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        ScratchNames(["*.bak", pattern])
    assert str(caught.value).isprintable()
    assert "scratch pattern" in str(caught.value)


LITERAL = ["[~]*", "[*]", "[?]", "[]]", "[[]*", "[", "[]", "[!]"]


@pytest.mark.parametrize("pattern", ["~*", "*]", "a", "é*", "\n*", ".?", *LITERAL])
def test_a_pattern_with_a_fixed_character_is_accepted(pattern: str) -> None:
    assert ScratchNames([pattern]).patterns == (pattern,)
