"""kvassfs.tools.grep"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.tools.grep import COUNTS, KEYS, Found, search
from kvassfs.tools.patterns import compile_pattern
from tests.support.stores import SMALL, count


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db.sqlite", sizes=SMALL) as opened:
        opened.set("a", b"one\ntwo\none two\n")
        opened.set("b/binary", b"one\0two\none\n")
        opened.set("b/large", b"filler\n" * 500 + b"two\n")
        opened.set("c", b"three\n")
        opened.set_empty("d")
        yield opened


def test_lines_are_found_in_the_order_of_the_keys(store: Store) -> None:
    assert list(search(store, "", compile_pattern("two"))) == [
        Found("a", 2, b"two"),
        Found("a", 3, b"one two"),
        Found("b/binary", 2, None),
        Found("b/large", 501, b"two"),
    ]


def test_a_prefix_and_other_forms(store: Store) -> None:
    two = compile_pattern("two")
    assert [found.key for found in search(store, "b/", two)] == ["b/binary", "b/large"]
    assert [found.key for found in search(store, "", two, form=KEYS)] == ["a", "b/binary", "b/large"]
    assert [found[:2] for found in search(store, "", two, form=COUNTS)] == [
        ("a", 2),
        ("b/binary", 1),
        ("b/large", 1),
        ("c", 0),
        ("d", 0),
    ]
    assert [found.key for found in search(store, "", two, invert=True, form=KEYS)] == ["a", "b/binary", "b/large", "c"]


def test_binary_is_said_once(store: Store) -> None:
    assert list(search(store, "b/binary", compile_pattern("one"))) == [Found("b/binary", 1, None)]


def test_a_key_that_goes_meanwhile_is_left_out(store: Store) -> None:
    found = search(store, "", compile_pattern("two"))
    assert next(found).key == "a"
    with Store.open(store.path) as other:
        other.delete_all("b/")
    assert [each.key for each in found] == ["a"]


def test_what_was_held_is_let_go_when_enough_is_found(store: Store) -> None:
    list(search(store, "b/large", compile_pattern("filler"), form=KEYS))
    stopped = search(store, "b/large", compile_pattern("filler"))
    assert next(stopped).number == 1
    assert count(store, "pins") == 1
    stopped.close()  # type: ignore[attr-defined]
    assert count(store, "pins") == 0
