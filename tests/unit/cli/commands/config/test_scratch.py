"""kvassfs_cli.commands.config.scratch"""

from __future__ import annotations

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs.scratch import DEFAULT_PATTERNS
from kvassfs.store import Store
from kvassfs_cli.commands.config.scratch import add_patterns, read_patterns, remove_patterns
from tests.unit.cli.conftest import Kvass


def lines(patterns: list[str] | tuple[str, ...]) -> bytes:
    return "".join(f"{pattern}\n" for pattern in patterns).encode()


@pytest.mark.usefixtures("store")
def test_the_patterns_of_the_program_are_shown(kvass: Kvass) -> None:
    assert kvass("config", "scratch") == (0, lines(DEFAULT_PATTERNS), "")


def test_patterns_are_added_at_the_end_once(kvass: Kvass) -> None:
    assert kvass("config", "scratch", "add", "*.tmp", "-*-", DEFAULT_PATTERNS[0]).status == 2
    assert kvass("config", "scratch", "add", "--", "*.tmp", "-*-", DEFAULT_PATTERNS[0]) == (0, b"", "")
    assert kvass("config", "scratch").out == lines([*DEFAULT_PATTERNS, "*.tmp", "-*-"])


def test_patterns_are_removed(kvass: Kvass) -> None:
    assert kvass("config", "scratch", "remove", *DEFAULT_PATTERNS[:2]) == (0, b"", "")
    assert kvass("config", "scratch").out == lines(DEFAULT_PATTERNS[2:])


def test_all_patterns_can_be_removed(kvass: Kvass, store: Store) -> None:
    assert kvass("config", "scratch", "remove", "--", *DEFAULT_PATTERNS).status == 0
    assert kvass("config", "scratch").out == b""
    assert read_patterns(store) == ()


def test_reset_returns_to_the_patterns_of_the_program(kvass: Kvass, store: Store) -> None:
    kvass("config", "scratch", "add", "*.tmp")
    assert kvass("config", "scratch", "reset") == (0, b"", "")
    assert kvass("config", "scratch").out == lines(DEFAULT_PATTERNS)
    assert store.settings.scratch_patterns() is None


def test_a_pattern_that_matches_everything_is_refused_and_nothing_added(kvass: Kvass, store: Store) -> None:
    status, out, err = kvass("config", "scratch", "add", "*.tmp", "*")
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: the scratch pattern '*' would match names of every kind")
    assert store.settings.scratch_patterns() is None


def test_a_pattern_that_is_not_there_cannot_be_removed(kvass: Kvass, store: Store) -> None:
    status, out, err = kvass("config", "scratch", "remove", "*.nope")
    assert (status, out) == (1, b"")
    assert err == "kvass: '*.nope' is none of the patterns; `kvass config scratch` shows them\n"


@pytest.mark.parametrize("arguments", [["add"], ["remove"], ["nope"], ["reset", "x"]])
def test_wrong_usage_exits_2(kvass: Kvass, arguments: list[str]) -> None:
    assert kvass("config", "scratch", *arguments).status == 2


def test_with_added_keeps_the_order() -> None:
    assert add_patterns(["b", "a"], ["c", "a", "c"]) == ["b", "a", "c"]


def test_without_keeps_the_order() -> None:
    assert remove_patterns(["b", "a", "c"], ["a"]) == ["b", "c"]
    with pytest.raises(InvalidConfiguration):
        remove_patterns(["b"], ["b", "x"])
