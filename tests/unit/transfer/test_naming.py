"""kvassfs.transfer.naming: names in an export are those of a mount's root, whatever the prefix."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.transfer.directory_source import DirectorySource
from kvassfs.transfer.items import LeftOut
from kvassfs.transfer.naming import KeyFinder, PathFinder
from tests.unit.transfer.conftest import Left, contents, take_from


@pytest.mark.parametrize("prefix", ["", "notes/"])
@pytest.mark.parametrize(
    ("key", "path"),
    [
        (".kvass", "%.kvass"),
        (".kvass/a", "%.kvass/a"),
        ("%.kvass/a", "%%.kvass/a"),
        ("a/.kvass", "a/.kvass"),
        ("a/%.kvass", "a/%.kvass"),
        ("/.kvass", "%/.kvass"),
        (".kvassx", ".kvassx"),
    ],
)
def test_the_name_of_the_dot_directory_is_escaped_in_the_root_alone(prefix: str, key: str, path: str) -> None:
    assert PathFinder(prefix, lambda _prefix, _beginning: []).file(key, is_directory=False) == path
    assert KeyFinder().find(path, is_directory=False) == key


def test_a_directory_of_that_name_in_a_tree_is_taken_in_as_it_is_called() -> None:
    finder = KeyFinder()
    assert finder.find(".kvass", is_directory=True) == ".kvass/"
    assert finder.find(".kvass/history/x", is_directory=False) == ".kvass/history/x"
    assert finder.find("sub/%.kvass", is_directory=False) == "sub/%.kvass"


@pytest.mark.parametrize(("first", "second"), [(".kvass", "%.kvass"), ("%.kvass", ".kvass")])
def test_two_names_of_one_key_do_not_overwrite_each_other(first: str, second: str) -> None:
    finder = KeyFinder()
    assert finder.find(f"{first}/x", is_directory=False) == ".kvass/x"
    refused = finder.find(f"{second}/x", is_directory=False)
    assert isinstance(refused, LeftOut)
    assert str(refused) == f"left out {second}/x: {first} is there too, and has the same key"
    assert refused.reason.is_failure


def test_a_tree_with_both_names_has_one_left_out_as_a_whole(store: Store, left: Left, tmp_path: Path) -> None:
    for name in (".kvass", "%.kvass"):
        (tmp_path / "tree" / name / "below").mkdir(parents=True)
        (tmp_path / "tree" / name / "below" / "x").write_text(name)
    with DirectorySource(str(tmp_path / "tree")) as source:
        done = take_from(store, source, left)
    assert left.texts == ["left out .kvass: %.kvass is there too, and has the same key"]
    assert done.failures == 1
    assert contents(store)[".kvass/below/x"][0] == b"%.kvass"
