"""kvassfs.service.words: odd paths and texts in units."""

from __future__ import annotations

import pytest

from kvassfs.errors import ServiceError
from kvassfs.service.words import write_command, write_path, write_text, write_word


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/home/me/.kvassdb.sqlite", "/home/me/.kvassdb.sqlite"),
        ("/a b", '"/a b"'),
        ("", '""'),
        ('/"', r'"/\""'),
        ("/'", '"/\'"'),
        ("/\\", r'"/\\"'),
        ("/100%", '"/100%%"'),
        ("/%h", '"/%%h"'),
        ("/$HOME", '"/$HOME"'),
        (";", '";"'),
        ("/a\nb\t\x7f", r'"/a\x0ab\x09\x7f"'),
        ("/é猫", '"/é猫"'),
        ("/\udcff", r'"/\xff"'),
        ("/\x85", r'"/\xc2\x85"'),
        ("~/#x", '"~/#x"'),
    ],
)
def test_a_word_is_written_so_that_systemd_reads_it_back(word: str, written: str) -> None:
    assert write_word(word) == written


def test_a_command_has_its_dollars_as_they_are() -> None:
    assert write_command(["/opt/$x y/python", "-m", "kvassfs_cli"]) == '":/opt/$x y/python" -m kvassfs_cli'


@pytest.mark.parametrize("program", ["/a'b", '/a"b', "/a\\b", "/a\nb"])
def test_a_program_that_no_unit_can_name_is_refused(program: str) -> None:
    with pytest.raises(ServiceError, match=r"^a unit of systemd cannot name the program "):
        write_command([program])


@pytest.mark.parametrize(
    ("text", "written"), [("on /a b", "on /a b"), ("100%", "100%%"), ("a\nb\\", "a?b?"), ("\udcff", "?")]
)
def test_a_text_is_one_line(text: str, written: str) -> None:
    assert write_text(text) == written


def test_a_path_without_quotes_is_plain() -> None:
    assert write_path("/a b/100%.pem") == "/a b/100%%.pem"


@pytest.mark.parametrize("path", ["/a\nb", "/a\\", " /a", "/a ", "/\udcff"])
def test_or_refused(path: str) -> None:
    with pytest.raises(ServiceError, match="give it a plainer name"):
        write_path(path)
