"""What is announced to watchers: each event that can be seen, in a possible order, and not too many."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount.announcing import (
    BURST,
    FEW,
    FILE_MODE,
    PAUSE,
    RATE,
    WAITING,
    Announcement,
    Announcer,
    list_announcements,
)
from kvassfs.store import Event, Position, Store
from tests.support.stores import is_scratch, save

CREATED, CHANGED, REMOVED = Event


class Rig:
    """An announcer and what it has announced."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[str] = []
        self.watched = True
        self.checks = 0
        self.announcer = Announcer(self._announce, self._is_watched, clock=lambda: self.now)

    def _is_watched(self) -> bool:
        self.checks += 1
        return self.watched

    def _announce(self, path: str, event: Event, _mode: int, /) -> None:
        self.told.append(f"{event.value} {path}")
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))  # which does not matter

    def add(self, *announcements: tuple[str, Event]) -> None:
        self.announcer.add(Announcement(path, event, FILE_MODE) for path, event in announcements)

    def taken(self) -> list[str]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_they_come_in_their_order(rig: Rig) -> None:
    rig.add(("/a", CREATED), ("/a/b", CREATED), ("/c", CHANGED))
    assert rig.announcer.announce() is None
    assert rig.taken() == ["created /a", "created /a/b", "changed /c"]
    assert rig.announcer.announce() is None
    assert rig.taken() == []


def test_no_more_than_200_come_within_a_second(rig: Rig) -> None:
    rig.add(*((f"/{number}", CHANGED) for number in range(1000)))
    told = []
    for _ in range(60):
        rig.announcer.announce()
        told.append(len(rig.taken()))
        rig.now += PAUSE
    second = round(1 / PAUSE)
    assert max(sum(told[start : start + second]) for start in range(60 - second)) <= 200
    assert told[0] == BURST
    assert sum(told) == pytest.approx(BURST + RATE * 59 * PAUSE, abs=2)


def test_the_newest_come_first(rig: Rig) -> None:
    rig.add(*((f"/old{number}", CHANGED) for number in range(BURST + 10)))
    assert rig.announcer.announce() == PAUSE
    rig.taken()
    rig.add(("/new", CREATED))
    rig.now += 1 / RATE
    assert rig.announcer.announce() == PAUSE
    assert rig.taken() == ["created /new"]


def test_of_too_many_the_oldest_are_dropped(rig: Rig) -> None:
    rig.add(("/oldest", CHANGED))
    rig.add(*((f"/{number}", CHANGED) for number in range(WAITING)))
    rig.now = WAITING
    while rig.announcer.announce() is not None:
        rig.now += 1
    told = rig.taken()
    assert len(told) == WAITING
    assert "changed /oldest" not in told


def test_much_is_told_only_where_somebody_watches(rig: Rig) -> None:
    rig.watched = False
    rig.add(*((f"/{number}", CHANGED) for number in range(FEW + 1)))
    assert rig.announcer.announce() is None
    assert (rig.taken(), rig.checks) == ([], 1)
    rig.add(*((f"/{number}", CHANGED) for number in range(FEW)))
    rig.announcer.announce()
    assert (len(rig.taken()), rig.checks) == (FEW, 1)
    rig.watched = True
    for _ in range(3):
        rig.add(*((f"/{number}", CHANGED) for number in range(FEW + 1)))
        rig.announcer.announce()
    assert (len(rig.taken()), rig.checks) == (3 * (FEW + 1), 2)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (CREATED, CHANGED, ["created /a"]),
        (CREATED, REMOVED, []),
        (CHANGED, CHANGED, ["changed /a"]),
        (CHANGED, REMOVED, ["removed /a"]),
        (REMOVED, CREATED, ["changed /a"]),
    ],
)
def test_events_of_one_path_that_wait_are_one(rig: Rig, first: Event, second: Event, told: list[str]) -> None:
    rig.add(("/a", first))
    rig.add(("/a", second))
    rig.announcer.announce()
    assert rig.taken() == told


# What is announced of changes


class Stores:
    """The store of a mount, and another connection to it."""

    def __init__(self, own: Store, other: Store) -> None:
        self.own = own
        self.other = other
        self.position: Position = own.feed.position()

    def seen(self) -> list[str]:
        """Return what is announced of what the other one changed since the last call."""
        changes = self.own.feed.since(self.position, but_by=self.own.feed.writer)
        found = [f"{event.value} {path}" for path, event, _ in list_announcements(self.own, changes, self.position)]
        self.position = changes.position
        return found


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with Store.open(tmp_path / "db") as own, Store.open(tmp_path / "db") as other:
        yield Stores(own, other)


def test_a_key_comes_changes_and_goes(stores: Stores) -> None:
    stores.other.set("a", b"1")
    assert stores.seen() == ["created /a"]
    stores.other.set("a", b"2")
    assert stores.seen() == ["changed /a"]
    stores.other.delete("a")
    assert stores.seen() == ["removed /a"]
    stores.other.set("a", b"3")
    assert stores.seen() == ["created /a"]


def test_what_comes_and_goes_between_two_looks_is_one_event_or_none(stores: Stores) -> None:
    stores.other.set("a", b"1")
    stores.other.set("a", b"2")
    stores.other.set("b", b"1")
    stores.other.delete("b")
    assert stores.seen() == ["created /a"]


def test_a_new_directory_is_announced_without_what_is_in_it(stores: Stores) -> None:
    stores.other.set("a/b/c", b"1")
    assert stores.seen() == ["created /a"]
    stores.other.set("a/d/e", b"1")
    stores.other.set("a/f", b"1")
    assert stores.seen() == ["created /a/d", "created /a/f"]


def test_directories_go_after_what_is_in_them(stores: Stores) -> None:
    stores.other.set("a/b/c", b"1")
    stores.other.tree.directories.make("a/e/", stat.S_IFDIR | 0o700, is_scratch=is_scratch)
    stores.seen()
    stores.other.delete("a/b/c")
    assert stores.seen() == ["removed /a/b/c", "removed /a/b"]
    stores.other.tree.directories.remove("a/e/", is_scratch=is_scratch)
    assert stores.seen() == ["removed /a/e"]  # a mount keeps the directory
    stores.other.tree.directories.remove("a/", is_scratch=is_scratch)
    assert stores.seen() == ["removed /a"]


def test_a_directory_is_announced_by_the_one_above_that_is_new(stores: Stores) -> None:
    stores.other.tree.directories.make("a/b/c/", stat.S_IFDIR | 0o700, is_scratch=is_scratch)
    assert stores.seen() == ["created /a"]


def test_directories_that_stay_here_are_announced(stores: Stores) -> None:
    stores.other.tree.directories.make("a~/", stat.S_IFDIR | 0o700, is_scratch=is_scratch)
    assert stores.seen() == ["created /a~"]
    stores.other.tree.directories.remove("a~/", is_scratch=is_scratch)
    assert stores.seen() == ["removed /a~"]


def test_a_directory_that_is_given_an_entry_was_there(stores: Stores) -> None:
    stores.other.set("a/b", b"1")
    stores.seen()
    stores.other.tree.directories.set("a/", mode=stat.S_IFDIR | 0o755, is_scratch=is_scratch)
    assert stores.seen() == []


def test_a_directory_of_another_mount_is_created(stores: Stores) -> None:
    stores.other.tree.directories.make("d/", stat.S_IFDIR | 0o700, is_scratch=is_scratch)
    assert stores.seen() == ["created /d"]


def test_the_value_of_a_directory_is_its_file(stores: Stores) -> None:
    stores.other.set("a/b", b"1")
    stores.seen()
    stores.other.set("a", b"1")
    assert stores.seen() == ["created /a/%@"]


def test_what_nobody_can_see_is_not_announced(stores: Stores) -> None:
    stores.other.set("a", b"1")
    stores.seen()
    token = stores.other.entry("a").url_token
    assert stores.other.share_links.renew_token(token)
    assert stores.seen() == []


def test_a_change_of_mode_is_seen(stores: Stores) -> None:
    stores.other.set("a", b"1")
    stores.seen()
    node = stores.other.tree.file("a")
    assert node is not None
    stores.other.tree.set_mode(node, stat.S_IFREG | 0o700)
    assert stores.seen() == ["changed /a"]


def test_the_mounts_own_changes_are_not_announced(stores: Stores) -> None:
    save(stores.own, "mine", b"1")
    assert stores.seen() == []
