"""kvassfs_cli.suggestions: what is said of a name that is none"""

from __future__ import annotations

import pytest

from kvassfs_cli import suggestions


@pytest.mark.parametrize(
    ("name", "names", "similar"),
    [
        ("staus", ["ls", "status", "set"], ["status"]),
        ("un", ["undo", "unlink", "umount"], ["undo", "unlink"]),
        ("xyzzy", ["ls", "status"], []),
        ("", ["ls"], []),
        ("--lnog", ["-l", "--long", "--null"], ["--long"]),
    ],
)
def test_what_is_similar(name: str, names: list[str], similar: list[str]) -> None:
    assert suggestions.find_similar(name, names) == similar


@pytest.mark.parametrize(
    ("likely", "question"),
    [
        ([], ""),
        (["a"], "; did you mean a?"),
        (["a", "b"], "; did you mean a or b?"),
        (["a", "b", "c"], "; did you mean a, b or c?"),
    ],
)
def test_the_question(likely: list[str], question: str) -> None:
    assert suggestions.ask(likely) == question


def test_what_others_call_a_command_is_known_where_it_is_one() -> None:
    assert suggestions.no_such_command("Delete", ["rm", "ls"]) == "no such command 'Delete'; did you mean rm?"
    assert suggestions.no_such_command("delete", ["ls"]) == "no such command 'delete'"
