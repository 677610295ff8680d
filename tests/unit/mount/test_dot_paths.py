"""Paths in the dot directory, and the names of versions."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvassfs.entry import MAX_NUMBER, Entry
from kvassfs.mount.dot_paths import find_extension, is_dotted, name_version, split_dotted
from kvassfs.paths import NAME_MAX, component

MICROSECONDS = st.integers(0, MAX_NUMBER)


def entry(key: str, timestamp: int) -> Entry:
    return Entry(key, timestamp, 1, 1, "token", 1)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/.kvass", []),
        ("/.kvass/status", ["status"]),
        ("/.kvass/history/a/%@/x", ["history", "a", "%@", "x"]),
        ("/.kvass/deleted/.kvass", ["deleted", ".kvass"]),
    ],
)
def test_paths_in_the_dot_directory_are_known(path: str, names: list[str]) -> None:
    assert is_dotted(path)
    assert split_dotted(path) == names


@pytest.mark.parametrize("path", ["/", "/a", "/.kvassdb", "/.kvass-", "/%.kvass", "/a/.kvass", "/.kvas", ""])
def test_others_are_not(path: str) -> None:
    assert not is_dotted(path)


@pytest.mark.parametrize(
    ("key", "extension"),
    [
        ("notes.txt", ".txt"),
        ("a.b/notes.tar.gz", ".gz"),
        ("a/photo.JPG", ".JPG"),
        ("Makefile", ""),
        (".bashrc", ""),
        ("...conf", ""),
        ("a.b/c", ""),
        ("a.txt/", ""),
        ("a.", ""),
        ("a.b c", ""),
        ("a.tx\n", ""),
        ("a.%@", ""),
        ("a.é", ""),
        ("a." + "x" * 16, "." + "x" * 16),
        ("a." + "x" * 17, ""),
    ],
)
def test_the_extension_of_a_key_tells_its_type(key: str, extension: str) -> None:
    assert find_extension(key) == extension


def test_a_version_has_its_time_in_utc_and_its_number() -> None:
    name = name_version(entry("a/notes.txt", 1_795_774_503_012_345), 3)
    assert name == "2026-11-27T10.15.03.012345Z-3.txt"


@given(st.text(), MICROSECONDS, MICROSECONDS, st.integers(1, 10**6), st.integers(1, 10**6))
@example("a.b", 0, MAX_NUMBER, 1, 2)
def test_names_sort_by_time(key: str, one: int, other: int, number: int, other_number: int) -> None:
    names = [name_version(entry(key, one), number), name_version(entry(key, other), other_number)]
    assert (names[0] < names[1]) is (one < other) or one == other
    for name in names:
        assert component(name) == name
        assert len(name.encode()) <= NAME_MAX
