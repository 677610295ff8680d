"""kvassfs_cli.commands.restore, and `get --rev`"""

from __future__ import annotations

import re

import pytest

from kvassfs.store import Store
from tests.unit.cli.conftest import Kvass


@pytest.fixture
def store_with_versions(store: Store) -> Store:
    for value in (b"one", b"two", b"three"):
        store.set("k", value)
    return store


@pytest.mark.usefixtures("store_with_versions")
def test_get_shows_an_earlier_version(kvass: Kvass) -> None:
    assert [kvass("get", "k", "--rev", number).out for number in "123"] == [b"one", b"two", b"three"]
    assert kvass("get", "--rev", "9", "k") == (1, b"", "kvass: k has no version 9; `kvass log` lists what is kept\n")


@pytest.mark.parametrize("number", ["0", "-1", "x"])
@pytest.mark.usefixtures("store_with_versions")
def test_what_is_no_number_is_refused(kvass: Kvass, number: str) -> None:
    status, out, err = kvass("get", "k", "--rev", number)
    assert (status, out) == (2, b"")
    assert err.count("\n") == 1


def test_restore_brings_the_version_before_back(kvass: Kvass, store_with_versions: Store) -> None:
    status, out, err = kvass("restore", "k")
    assert (status, err) == (0, "")
    assert re.fullmatch(rb"k is version 2 of [-0-9]+ [:0-9]+ again\n", out)
    assert store_with_versions.get("k").read() == b"two"


def test_restore_brings_a_removed_key_back(kvass: Kvass, store_with_versions: Store) -> None:
    store_with_versions.delete("k")
    assert kvass("restore", "k").status == 0
    assert store_with_versions.get("k").read() == b"three"


def test_restore_brings_a_version_by_its_number_back(kvass: Kvass, store_with_versions: Store) -> None:
    assert kvass("restore", "--rev", "1", "k").status == 0
    assert store_with_versions.get("k").read() == b"one"


@pytest.mark.usefixtures("store_with_versions")
def test_the_present_version_need_not_come_back(kvass: Kvass) -> None:
    assert re.fullmatch(rb"k is version 3 of .* already\n", kvass("restore", "k", "--rev", "3").out)


def test_what_has_no_earlier_version_is_said(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    assert kvass("restore", "k") == (1, b"", "kvass: k has no earlier version; `kvass log` lists what is kept\n")
    assert kvass("restore", "x") == (1, b"", "kvass: no such key: x\n")
    assert kvass("restore", "") == (1, b"", "kvass: '' cannot be a key: it is empty\n")
