"""Messages that somebody without the key has recorded are sent to the hub again, in any order and as often as he likes.

A replay that loses costs the hub no sequence, and so no device a transfer; it takes the place of no revision, and brings
none back that was let go. A device that truly has what loses still learns of what won.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.support.original import OriginalClient
from tests.support.replicas import KEY, Replica, posted, versions
from tests.support.searches import examples
from tests.support.stores import DAY, SECOND, audit, revision_values, rows, save
from tests.support.sync_rig import Rig, pool, value

KEPT = 10


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    made.home.store.settings.set_history(KEPT, 30.0)
    yield made
    for replica in made.replicas:
        audit(replica.store)
    pool().close()


def write(rig: Rig, replica: Replica, key: str, text: str) -> None:
    """Write on a device and push it, without pulling first."""
    replica.clock.advance(SECOND)
    save(replica.store, key, text.encode())
    replica.clock.advance(10 * SECOND)
    rig.on(replica).push()


def replay(rig: Rig, *, times: int = 3, random: Random | None = None) -> int:
    """Push what was pushed before again; return how many sequences that took."""
    before = rig.home.store.settings.config().clock
    recorded = [message for message in rig.line.messages if message.call == "push"]
    for _ in range(times):
        if random is not None:
            random.shuffle(recorded)
        for message in recorded:
            posted(rig.line.hub, message.call, message.body)
    return rig.home.store.settings.config().clock - before


def moves(rig: Rig, *replicas: Replica) -> int:
    """Exchange, and return how many entries moved."""
    return sum(sum(rig.on(replica).exchange()[:2]) for replica in replicas)


def clean(replica: Replica) -> None:
    while replica.store.upkeep.clean():
        pass


def test_old_pushes_replace_no_revision_and_cost_no_sequence(rig: Rig) -> None:
    rig.exchange(rig.a, rig.b)
    for number in range(25):
        write(rig, rig.a, "doc", f"value {number}")
    kept = revision_values(rig.home.store, "doc")
    assert kept == [b"value %d" % number for number in range(23, 13, -1)]
    moves(rig, rig.a, rig.b)
    assert replay(rig) == 0
    assert revision_values(rig.home.store, "doc") == kept
    assert moves(rig, rig.a, rig.b) == 0
    assert value(rig.b, "doc") == b"value 24"


def test_neither_do_those_of_versions_that_lost(rig: Rig) -> None:
    rig.exchange(rig.a, rig.b)
    for number in range(15):
        write(rig, rig.a, "doc", f"a {number}")
        write(rig, rig.b, "doc", f"b {number}")
    moves(rig, rig.a, rig.b, rig.a)
    kept = rows(rig.home.store, "SELECT id, number, became, met FROM revisions ORDER BY id")
    assert len(kept) == KEPT
    assert replay(rig) == 0
    assert rows(rig.home.store, "SELECT id, number, became, met FROM revisions ORDER BY id") == kept
    assert moves(rig, rig.a, rig.b) == 0


def test_an_old_version_that_arrives_late_is_let_go_first(rig: Rig) -> None:
    rig.exchange(rig.a, rig.b)
    rig.b.clock.advance(-DAY)
    save(rig.b.store, "doc", b"of yesterday")
    for number in range(KEPT):
        write(rig, rig.a, "doc", f"value {number}")
    rig.b.clock.advance(10 * SECOND)
    rig.on(rig.b).push()
    assert revision_values(rig.home.store, "doc") == [
        *(b"value %d" % number for number in range(KEPT - 2, -1, -1)),
        b"of yesterday",
    ]
    write(rig, rig.a, "doc", "the last")
    assert revision_values(rig.home.store, "doc") == [b"value %d" % number for number in range(KEPT - 1, -1, -1)]
    moves(rig, rig.b)
    assert value(rig.b, "doc") == b"the last"
    assert b"of yesterday" in revision_values(rig.b.store, "doc")


@pytest.mark.parametrize("forget", ["trim", "expire"])
def test_what_was_let_go_does_not_come_back(rig: Rig, forget: str) -> None:
    rig.exchange(rig.a)
    for number in range(5):
        write(rig, rig.a, "doc", f"value {number}")
    if forget == "trim":
        rig.home.store.upkeep.trim(1, 0)
    else:
        rig.home.clock.advance(31 * DAY)
        clean(rig.home)
    kept = revision_values(rig.home.store, "doc")
    assert len(kept) == (1 if forget == "trim" else 0)
    assert replay(rig) == 0
    assert revision_values(rig.home.store, "doc") == kept


def test_neither_does_a_version_that_lost_unseen(rig: Rig) -> None:
    """What won does not tell of it, so the counters that were pushed do, once it is older than what is kept."""
    rig.exchange(rig.a, rig.b)
    write(rig, rig.a, "doc", "lost")
    write(rig, rig.b, "doc", "won")
    rig.home.clock.advance(31 * DAY)
    clean(rig.home)
    assert replay(rig) == 0
    assert revision_values(rig.home.store, "doc") == []
    assert rig.home.store.conflicts.count() == 0


def test_removals_come_no_more_often(rig: Rig) -> None:
    rig.exchange(rig.a, rig.b)
    for number in range(4):
        write(rig, rig.a, "doc", f"value {number}")
        rig.a.store.delete("doc")
        rig.on(rig.a).push()
    moves(rig, rig.a, rig.b)
    assert replay(rig) == 0
    assert moves(rig, rig.a, rig.b) == 0
    assert "doc" not in list(rig.b.store.keys())


# Who has a version that loses learns of what won


def test_a_device_that_pushes_what_loses_learns_of_what_won(rig: Rig) -> None:
    rig.exchange(rig.a, rig.b)
    write(rig, rig.a, "doc", "lost")
    write(rig, rig.b, "doc", "won")
    moves(rig, rig.a)
    assert value(rig.a, "doc") == b"won"
    assert revision_values(rig.a.store, "doc") == [b"lost"]


def test_a_device_of_the_original_with_a_slow_clock_learns_of_it_each_time(rig: Rig) -> None:
    """It writes after having seen what wins over that: only a new sequence tells it."""
    client = rig.original_client()
    rig.exchange(rig.a)
    for number in range(3):
        write(rig, rig.a, "doc", f"won {number}")
        client.pull()
        rig.c.clock.now = SECOND * (number + 1)
        client.set("doc", b"lost %d" % number)
        before = rig.home.store.settings.config().clock
        client.push()
        assert rig.home.store.settings.config().clock > before
        assert replay(rig) == 0
        client.pull()
        assert client.values() == {"doc": b"won %d" % number}


def test_a_device_that_was_set_back_learns_of_what_won(rig: Rig) -> None:
    rig.exchange(rig.a, rig.b)
    rig.a.clock.advance(SECOND)
    save(rig.a.store, "doc", b"old")
    rig.a.clock.advance(10 * SECOND)
    image = rig.a.image()
    rig.on(rig.a).exchange()
    for number in range(12):
        write(rig, rig.a, "doc", f"later {number}")
    rig.exchange(rig.b)
    write(rig, rig.b, "doc", "won")
    rig.a.set_back(image)
    rig.on(rig.a).push()  # the same version once more, which was let go here long ago
    rig.exchange(rig.a, rig.a)
    assert value(rig.a, "doc") == b"won"
    assert revision_values(rig.a.store, "doc") == [b"old"]


def test_so_does_one_of_the_original(rig: Rig) -> None:
    client = rig.original_client()
    client.set("doc", b"old")
    image = client.entries.copy(), client.counter, client.remote_counter
    client.push()
    for number in range(12):
        rig.c.clock.advance(SECOND)
        client.set("doc", b"later %d" % number)
        client.push()
    rig.exchange(rig.a)
    write(rig, rig.a, "doc", "won")
    client.entries, client.counter, client.remote_counter = image
    client.push()
    client.pull()
    assert client.values() == {"doc": b"won"}


def test_whatever_is_sent_again_in_whatever_order_changes_nothing(rig: Rig) -> None:
    """Devices of both kinds, keys with and without conflicts, removals, modes: all that was ever pushed, shuffled."""
    for seed in range(examples(3, long=300)):
        rig.line.messages.clear()
        random = Random(seed)
        client = OriginalClient(8000 + seed, KEY, random.randbytes, rig.c.clock, rig.line.post)
        rig.exchange(rig.a, rig.b)
        for step in range(40):
            act(rig, client, random, f"{seed}:{step}")
        for _ in range(3):
            moves(rig, rig.a, rig.b)
            client.push()
            client.pull()
        current = versions(rig.home.store)
        kept = rows(rig.home.store, "SELECT * FROM revisions ORDER BY id")
        assert replay(rig, random=random) == 0
        assert versions(rig.home.store) == current
        assert rows(rig.home.store, "SELECT * FROM revisions ORDER BY id") == kept
        assert moves(rig, rig.a, rig.b) == 0


def act(rig: Rig, client: OriginalClient, random: Random, text: str) -> None:
    """Have somebody do something."""
    replica, key = random.choice((rig.a, rig.b)), random.choice(("doc", "list", "other"))
    what = random.choice(("write", "write", "remove", "mode", "exchange", "original", "pull"))
    rig.c.clock.now = max(rig.c.clock.now, replica.clock.now) + SECOND
    if what == "write":
        write(rig, replica, key, text)
    elif what == "exchange":
        rig.exchange(replica)
    elif what == "original":
        client.set(key, text.encode())
        client.push()
    elif what == "pull":
        client.pull()
    elif (row := replica.store._entries.current(key)) is not None and row.live:
        replica.clock.advance(SECOND)
        with replica.store.transaction:
            if what == "remove":
                replica.store.delete(key)
            else:
                replica.store._entries.set_mode(row, 0o100600 | random.choice((0o40, 0o4)))
        rig.on(replica).push()
