"""kvassfs.mount.listing: which entries of an open directory can be asked for."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from kvassfs.mount.listing import Entry, Listing
from kvassfs.mount.stat import Attributes

ATTRIBUTES = Attributes(stat.S_IFREG | 0o600, 0, 0, 0, 0, 1, 0)


class Entries:
    """Entries 0 to 9, and how many were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __iter__(self) -> Iterator[Entry]:
        for number in range(10):
            self.asked += 1
            yield f"{number}", ATTRIBUTES


def read(listing: Listing, offset: int, count: int) -> list[str]:
    """Read as many entries as there is room for, and one for which there is none."""
    names: list[str] = []
    for name, _ in listing.read(offset):
        if len(names) == count:
            break
        names.append(name)
    return names


def test_parts_follow_each_other_and_no_more_is_made_than_is_asked_for() -> None:
    entries = Entries()
    listing = Listing(entries)
    assert read(listing, 0, 4) == ["0", "1", "2", "3"]
    assert entries.asked == 5
    assert read(listing, 4, 4) == ["4", "5", "6", "7"]
    assert read(listing, 8, 4) == ["8", "9"]
    assert read(listing, 10, 4) == []


def test_those_of_the_last_part_can_be_had_again_and_those_before_it_are_gone() -> None:
    listing = Listing(Entries())
    read(listing, 0, 4)
    assert read(listing, 2, 4) == ["2", "3", "4", "5"]
    assert read(listing, 2, 1) == ["2"]
    assert listing.has(2)
    assert not listing.has(1)


def test_one_can_begin_in_the_middle_or_behind_the_end() -> None:
    assert read(Listing(Entries()), 7, 9) == ["7", "8", "9"]
    assert read(Listing(Entries()), 70, 9) == []
