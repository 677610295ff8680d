"""Conflicts between devices: found, told and settled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvassfs.store import Limit, Store
from kvassfs.sync.conflict_news import ConflictNews
from kvassfs.sync.entry_messages import estimate_size
from tests.support.replicas import Replica
from tests.support.stores import SECOND, save
from tests.support.sync_rig import Rig, large, value

FILE = 0o100600

LIMIT = Limit(10_000, 1_000, estimate_size)


def open_conflicts(replica: Replica) -> list[tuple[str, int, int]]:
    """Return key, loser and winner of the conflicts that nobody has settled."""
    return [(found.entry.key, found.loser, found.winner) for found in replica.store.conflicts.open()]


def lost_value(replica: Replica, key: str) -> bytes:
    (found,) = replica.store.conflicts.open(key)
    return replica.store.history.get(key, found.number).read()


def ids(*replicas: Replica) -> list[int]:
    return [replica.store.settings.config().process_id for replica in replicas]


def write_apart(rig: Rig, *, first: Callable[[Store], object], second: Callable[[Store], object]) -> None:
    """Have device a write, and b after it, neither having seen the other's; b's wins, and all know it."""
    first(rig.a.store)
    rig.b.clock.advance(SECOND)
    second(rig.b.store)
    rig.exchange(rig.a, rig.b, rig.a, rig.c)


def test_two_that_wrote_apart_are_in_conflict(rig: Rig) -> None:
    write_apart(rig, first=lambda store: store.set("key", b"of a"), second=lambda store: store.set("key", b"of b"))
    a, b = ids(rig.a, rig.b)
    assert value(rig.a, "key") == value(rig.home, "key") == b"of b"
    for replica in (rig.a, rig.home, rig.b):  # b pulls before it pushes
        assert open_conflicts(replica) == [("key", a, b)]
        assert lost_value(replica, "key") == b"of a"
    assert open_conflicts(rig.c) == []  # has not seen what lost


def test_who_pulls_the_other_version_before_pushing_is_told(rig: Rig) -> None:
    rig.a.store.set("key", b"of a")
    rig.b.clock.advance(SECOND)
    rig.b.store.set("key", b"of b")
    rig.exchange(rig.b, rig.c, rig.a)
    a, b = ids(rig.a, rig.b)
    assert open_conflicts(rig.a) == [("key", a, b)]  # it pulled before it pushed, so the others saw one version alone
    assert [open_conflicts(replica) for replica in (rig.home, rig.b, rig.c)] == [[]] * 3


def test_who_saw_the_other_is_in_no_conflict(rig: Rig) -> None:
    for replica, text in ((rig.a, b"1"), (rig.b, b"2"), (rig.a, b"3"), (rig.c, b"4"), (rig.b, b"5")):
        rig.exchange(replica)
        replica.store.set("key", text)
        rig.exchange(replica)
    rig.exchange(rig.a, rig.b, rig.c)
    assert [open_conflicts(replica) for replica in (rig.a, rig.b, rig.c, rig.home)] == [[]] * 4


def test_a_late_version_that_the_winner_knew_through_another_is_in_no_conflict(rig: Rig) -> None:
    rig.a.store.set("key", b"1")
    rig.exchange(rig.a, rig.b)
    rig.b.store.set("key", b"2")
    rig.exchange(rig.b)
    late = rig.a.store.get("key").read()
    rig.exchange(rig.c)
    rig.c.store.set("key", b"3")
    rig.exchange(rig.c, rig.a)
    assert late == b"1"
    assert open_conflicts(rig.a) == []


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        (lambda store: store.set("key", b"same"), lambda store: store.set("key", b"same"), False),
        (lambda store: store.set("key", large()), lambda store: store.set("key", large()), False),
        (lambda store: store.set("key", large()), lambda store: store.set("key", large()[:-1] + b"!"), True),
        (lambda store: store.set_empty("key"), lambda store: store.set_empty("key"), False),
        (lambda store: store.set_empty("key"), lambda store: store.set("key", b"value"), True),
        (lambda store: store.set("key", b"value"), lambda store: store.set_empty("key"), True),
        (lambda store: store.set("key", b""), lambda store: store.set("key", b"value"), False),
    ],
)
def test_values_that_are_the_same_are_in_no_conflict(
    rig: Rig, small: None, first: Callable[[Store], object], second: Callable[[Store], object], is_told: bool
) -> None:
    write_apart(rig, first=first, second=second)
    assert bool(open_conflicts(rig.a)) is is_told


def test_an_empty_file_that_lost_comes_back(rig: Rig) -> None:
    write_apart(rig, first=lambda store: store.set_empty("key"), second=lambda store: store.set("key", b"value"))
    assert lost_value(rig.a, "key") == b""
    (found,) = rig.a.store.conflicts.open()
    rig.a.store.history.restore("key", found.number)
    assert value(rig.a, "key") == b""
    assert open_conflicts(rig.a) == []


def test_a_removal_that_wins_over_an_edit_is_told_and_one_that_loses_is_not(rig: Rig) -> None:
    for key in ("edited", "removed"):
        rig.a.store.set(key, b"value")
    rig.exchange(rig.a, rig.b)
    rig.a.store.set("edited", b"edited")
    rig.a.store.delete("removed")
    rig.b.clock.advance(SECOND)
    rig.b.store.delete("edited")
    rig.b.store.set("removed", b"edited")
    rig.exchange(rig.a, rig.b, rig.a)
    a, b = ids(rig.a, rig.b)
    assert open_conflicts(rig.a) == [("edited", a, b)]
    assert value(rig.a, "removed") == b"edited"


def test_a_change_of_mode_alone_makes_no_conflict_and_hides_none(rig: Rig) -> None:
    save(rig.a.store, "key", b"value", mode=FILE)
    rig.a.clock.advance(SECOND)
    rig.exchange(rig.a, rig.b, rig.c)
    node = rig.b.store.tree.file("key")
    assert node is not None
    rig.b.store.tree.set_mode(node, FILE | 0o111)
    rig.a.clock.advance(SECOND)
    rig.a.store.set("key", b"later")
    rig.exchange(rig.b, rig.a, rig.b, rig.c)
    assert [open_conflicts(replica) for replica in (rig.a, rig.b, rig.c, rig.home)] == [[]] * 4
    node = rig.a.store.tree.file("key")
    assert node is not None
    rig.a.store.tree.set_mode(node, FILE | 0o111)
    rig.b.clock.advance(5 * SECOND)
    rig.b.store.set("key", b"seen the first, not the mode")
    rig.exchange(rig.a, rig.b, rig.a)
    assert [open_conflicts(replica) for replica in (rig.a, rig.b)] == [[], []]


# Settling


def conflict(rig: Rig) -> None:
    write_apart(rig, first=lambda store: store.set("key", b"of a"), second=lambda store: store.set("key", b"of b"))
    assert len(open_conflicts(rig.a)) == len(open_conflicts(rig.home)) == 1


def test_saving_anew_settles_a_conflict_everywhere(rig: Rig) -> None:
    conflict(rig)
    rig.a.store.set("key", b"both")
    assert open_conflicts(rig.a) == []
    rig.exchange(rig.a, rig.b, rig.c)
    assert [open_conflicts(replica) for replica in (rig.a, rig.b, rig.c, rig.home)] == [[]] * 4


def test_a_device_that_knows_only_of_the_winner_settles_nothing(rig: Rig) -> None:
    conflict(rig)
    rig.c.store.set("key", b"of c")
    rig.exchange(rig.c, rig.a)
    a, b = ids(rig.a, rig.b)
    assert open_conflicts(rig.a) == open_conflicts(rig.home) == [("key", a, b)]


def test_taking_the_lost_version_up_settles_a_conflict_everywhere(rig: Rig) -> None:
    conflict(rig)
    (found,) = rig.b.store.conflicts.open()
    rig.b.store.history.restore("key", found.number)
    rig.exchange(rig.b, rig.a)
    assert value(rig.a, "key") == b"of a"
    assert [open_conflicts(replica) for replica in (rig.a, rig.b, rig.home)] == [[]] * 3


def test_removing_the_key_settles_a_conflict(rig: Rig) -> None:
    conflict(rig)
    rig.a.store.delete("key")
    assert open_conflicts(rig.a) == []


def test_forgetting_settles_a_conflict_here_alone(rig: Rig) -> None:
    conflict(rig)
    assert rig.a.store.conflicts.forget("key") == 1
    assert rig.a.store.conflicts.forget("key") == 0
    assert open_conflicts(rig.a) == []
    assert len(open_conflicts(rig.home)) == 1
    (version,) = [version for version in rig.a.store.history.versions("key") if version.winner is not None]
    assert not version.is_open


def test_a_change_of_mode_settles_nothing(rig: Rig) -> None:
    conflict(rig)
    node = rig.a.store.tree.file("key")
    assert node is not None
    rig.a.store.tree.set_mode(node, FILE | 0o111)
    assert len(open_conflicts(rig.a)) == 1
    rig.exchange(rig.a, rig.b)
    assert len(open_conflicts(rig.b)) == 1


def test_what_is_pushed_once_more_is_told_once(rig: Rig) -> None:
    rig.b.clock.advance(SECOND)
    rig.b.store.set("key", b"of b")
    rig.exchange(rig.b)
    rig.a.store.set("key", b"of a")
    page = rig.a.store.outbox.read_dirty(LIMIT)
    for _ in range(3):
        rig.home.store.inbox.merge_pushed([out.delivery for out in page])
    assert len(open_conflicts(rig.home)) == 1
    rig.home.store.conflicts.forget("key")
    rig.home.store.inbox.merge_pushed([out.delivery for out in page])
    assert open_conflicts(rig.home) == []


# Telling


def test_a_conflict_is_told_once_and_what_was_there_before_is_not(rig: Rig) -> None:
    conflict(rig)
    said: list[str] = []
    news = ConflictNews(rig.home.store.settings.config().clock, said.append)
    news.tell(rig.home.store)
    assert said == []
    rig.a.store.set("other", b"of a")
    rig.b.clock.advance(SECOND)
    rig.b.store.set("other", b"of b")
    rig.exchange(rig.a, rig.b)
    for _ in range(2):
        news.tell(rig.home.store)
    (line,) = said
    assert line.startswith("'other': the version of ")


# With an original hub


def test_an_original_hub_tells_nothing_and_nothing_is_told(rig: Rig) -> None:
    rig.original_hub()
    write_apart(rig, first=lambda store: store.set("key", b"of a"), second=lambda store: store.set("key", b"of b"))
    assert value(rig.a, "key") == b"of b"
    assert open_conflicts(rig.a) == []


# Names


def test_devices_learn_what_the_others_are_called(rig: Rig) -> None:
    for replica, name in ((rig.home, "hub"), (rig.a, "laptop"), (rig.b, "phone")):
        replica.store.settings.set_name(name)
    rig.a.store.set("key", b"value")
    rig.exchange(rig.a, rig.b, rig.a)
    home, a, b = ids(rig.home, rig.a, rig.b)
    assert rig.a.store.settings.names() == {a: "laptop", home: "hub", b: "phone"}
    assert list(rig.a.store.settings.names()) == [a, *sorted((home, b))]
    assert {device.name for device in rig.home.store.peers.devices()} == {"laptop", "phone"}
    rig.b.store.settings.set_name("tablet")
    rig.exchange(rig.b, rig.a)
    assert rig.a.store.settings.names()[b] == "tablet"
