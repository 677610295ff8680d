"""kvassfs.tools.variables"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.tools.variables import LONGEST, NoVariable, name_variable, read_variables
from tests.support.stores import is_scratch

NAMES = "a name has letters from A to Z, digits and _ alone, and begins with no digit"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db.sqlite") as opened:
        yield opened


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("app/token", "TOKEN"),
        ("app/db/url", "DB_URL"),
        ("app/db-url.old", "DB_URL_OLD"),
        ("app/Mixed_2", "MIXED_2"),
        ("app/-x", "_X"),
        ("app/a//b", "A__B"),
    ],
)
def test_the_key_below_the_prefix_is_the_name(key: str, name: str) -> None:
    assert name_variable(key, "app/") == name


@pytest.mark.parametrize("key", ["app/", "app/2fa", "app/a b", "app/straße", "app/ſ", "app/a=b", "app/a\n", "app/é"])
def test_a_name_that_can_be_none_names_the_key(key: str) -> None:
    with pytest.raises(NoVariable) as refused:
        name_variable(key, "app/")
    assert str(refused.value) == f"{key} makes no variable: {NAMES}"


@pytest.mark.parametrize("prefix", ["app", "app/"])
def test_values_lose_one_newline_at_the_end(store: Store, prefix: str) -> None:
    values = {"app/a": b"x\n", "app/b": b"x\n\n", "app/c": b"x", "app/d": b"\xff\nx", "app": b"no", "apple": b"no"}
    for key, value in values.items():
        store.set(key, value)
    store.set_empty("app/e")
    store.tree.directories.make("app/dir/", 0o40700, is_scratch=is_scratch)
    expected = {"A": b"x", "B": b"x\n", "C": b"x", "D": b"\xff\nx", "E": b""}
    assert read_variables(store, prefix) == expected


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("app/a", b"x\0y", "app/a makes no variable: its value holds a NUL"),
        ("app/1", b"x", f"app/1 makes no variable: {NAMES}"),
        ("app/db_url", b"x", "app/db_url makes no variable: DB_URL is what app/db-url is called already"),
        (
            "app/long",
            b"x" * (LONGEST - len("LONG=")),
            "app/long makes no variable: its value has 131067 bytes, and the system takes 131072 at most",
        ),
    ],
)
def test_what_makes_no_variable_is_named(store: Store, key: str, value: bytes, said: str) -> None:
    store.set("app/db-url", b"x")
    store.set(key, value)
    with pytest.raises(NoVariable) as refused:
        read_variables(store, "app")
    assert str(refused.value) == said


def test_a_prefix_without_keys_is_an_error(store: Store) -> None:
    store.set("apple", b"x")
    with pytest.raises(NoVariable, match=r"^app/ makes no variable: there are no keys below it$"):
        read_variables(store, "app")


def test_a_value_as_long_as_can_be_is_taken(store: Store) -> None:
    store.set("app/long", b"x" * (LONGEST - len("LONG=") - 1))
    assert len(read_variables(store, "app")["LONG"]) == LONGEST - 6
