"""News among processes: told together in a moment, heard, and found without having been told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from kvassfs.keeping.postgres import news
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.news import CHANNEL, Listener, Publisher
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.keeping.store_names import name_store
from tests.support.postgres import Server
from tests.support.waiting import wait_until

STORE = name_store("family")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "RETRY_PAUSE", 0.05)
    monkeypatch.setattr(news, "SLICE", 0.02)


@pytest.fixture
def notifications(database: Database) -> Iterator[Callable[[float], list[str]]]:
    """What is told, as one who listens hears it within some seconds."""
    with database.connect() as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield lambda seconds: [told.payload for told in connection.notifies(timeout=seconds)]


class Hearing:
    """What a listener has woken, and what it is told that others wait for."""

    def __init__(self) -> None:
        self.woken: list[UUID] = []
        self.waited: list[UUID] = []

    @contextmanager
    def listening(self, database: Database) -> Iterator[None]:
        with Listener(database, lambda: list(self.waited), self.woken.append).run(5):
            wait_until(lambda: count_listeners(database) > 0, "somebody listens")
            yield


@pytest.fixture
def hearing() -> Hearing:
    return Hearing()


def count_listeners(database: Database) -> int:
    return len(select(database, "SELECT pid FROM pg_stat_activity WHERE datname = current_database()")) - 1


def select(database: Database, sql: str) -> list[Any]:
    with psycopg.connect(database._url, autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def cut_others(database: Database) -> int:
    """Cut all connections to the database but this one; return how many they were."""
    return len(
        select(
            database,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    )


# Telling


def test_what_changes_in_a_moment_is_told_together_and_once(
    database: Database, notifications: Callable[[float], list[str]]
) -> None:
    stores = [uuid4() for _ in range(5)]
    publisher = Publisher(database)
    for store in stores * 3:
        publisher.tell(store)  # before there is a thread: all of it waits
    with publisher.run(5):
        (payload,) = notifications(0.5)
    assert payload.split() == [str(store) for store in stores]


def test_a_notification_names_no_more_than_it_can_hold(
    database: Database, notifications: Callable[[float], list[str]]
) -> None:
    stores = [uuid4() for _ in range(news.AT_ONCE * 2 + 1)]
    publisher = Publisher(database)
    for store in stores:
        publisher.tell(store)
    with publisher.run(5):
        payloads = notifications(0.5)
    assert [len(payload.split()) for payload in payloads] == [news.AT_ONCE, news.AT_ONCE, 1]
    assert " ".join(payloads).split() == [str(store) for store in stores]


def test_telling_goes_on_after_its_connection_was_cut(
    database: Database, notifications: Callable[[float], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(database)
    with publisher.run(5):
        publisher.tell(STORE)
        assert notifications(0.3) == [str(STORE)]
        own = select(database, "SELECT pid FROM pg_stat_activity WHERE query ~ 'pg_notify' AND pid <> pg_backend_pid()")
        assert select(database, f"SELECT pg_terminate_backend({own[0][0]}, 5000)") == [(True,)]
        publisher.tell(STORE)  # may get lost: it is a hint
        wait_until(lambda: "telling for changes failed" in caplog.text, "it is logged")
        other = uuid4()
        publisher.tell(other)
        assert str(other) in notifications(0.5)


def test_what_is_told_at_the_end_is_still_told(database: Database, notifications: Callable[[float], list[str]]) -> None:
    publisher = Publisher(database)
    with publisher.run(5):
        publisher.tell(STORE)
    assert notifications(0.1) == [str(STORE)]


def test_a_server_that_is_away_keeps_nobody_from_telling_or_ending(server: Server) -> None:
    gone = Database("postgresql://kvass@127.0.0.1:1/kvass", patience=1)
    began = time.monotonic()
    with ExitStack() as stack:
        publisher = Publisher(gone)
        stack.enter_context(publisher.run(0.3))
        stack.enter_context(Listener(gone, list, lambda _: None).run(0.3))
        for _ in range(100):
            publisher.tell(STORE)
    assert time.monotonic() - began < 2


# Hearing


def test_who_waits_is_woken_by_what_another_process_tells(database: Database, hearing: Hearing) -> None:
    other = uuid4()
    publisher = Publisher(database)
    with hearing.listening(database), publisher.run(5):
        began = time.monotonic()
        publisher.tell(STORE)
        publisher.tell(other)
        wait_until(lambda: {STORE, other} <= set(hearing.woken), "both are heard of")
        assert time.monotonic() - began < news.INTERVAL / 2


def test_listening_goes_on_after_its_connection_was_cut(
    database: Database, hearing: Hearing, caplog: pytest.LogCaptureFixture
) -> None:
    hearing.waited = [STORE]
    publisher = Publisher(database)
    with hearing.listening(database):
        wait_until(lambda: STORE in hearing.woken, "it listens")
        hearing.woken.clear()
        assert cut_others(database) >= 1
        # What was told meanwhile is lost, so whoever waits looks at once.
        wait_until(lambda: STORE in hearing.woken, "who waits looks")
        assert "listening for changes failed" in caplog.text
        other = uuid4()
        with publisher.run(5):
            publisher.tell(other)
            wait_until(lambda: other in hearing.woken, "it hears again")


def test_failures_that_are_alike_are_logged_once(
    database: Database, hearing: Hearing, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Database("postgresql://kvass@127.0.0.1:1/kvass")
    with Listener(gone, list, hearing.woken.append).run(5):
        time.sleep(0.5)
    assert caplog.text.count("listening for changes failed") == 1


# Looking


@pytest.fixture
def waited(stores: Stores, hearing: Hearing, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A store that is waited for, of which nobody tells anything."""
    monkeypatch.setattr(news, "INTERVAL", 0.1)
    stores.add("family", "code")
    hearing.waited = [STORE]
    return STORE


def settled(hearing: Hearing) -> None:
    """Let it look until it finds nothing new, and forget what it woke."""
    wait_until(lambda: len(hearing.woken) >= 2, "it has looked")  # at the beginning, and the first time
    time.sleep(0.3)
    hearing.woken.clear()
    time.sleep(0.3)
    assert hearing.woken == []


def test_what_nobody_told_is_found(database: Database, hearing: Hearing, waited: UUID) -> None:
    with hearing.listening(database):
        settled(hearing)
        with Session(database).connection() as connection:
            connection.execute("UPDATE stores SET clock = clock + 1 WHERE store = %s", (waited,))
        wait_until(lambda: hearing.woken == [waited], "it is found")


def test_a_mailbox_of_which_nobody_told_is_found(database: Database, hearing: Hearing, waited: UUID) -> None:
    with hearing.listening(database):
        settled(hearing)
        with Session(database).connection() as connection:
            connection.execute("UPDATE stores SET mailboxes = '[]' WHERE store = %s", (waited,))
        wait_until(lambda: hearing.woken == [waited], "it is found")


def test_stores_that_nobody_waits_for_are_not_looked_at(database: Database, hearing: Hearing, stores: Stores) -> None:
    stores.add("other", "code")
    with hearing.listening(database):
        time.sleep(0.3)
    assert hearing.woken == []


def test_who_begins_to_wait_is_woken_once_to_look(database: Database, hearing: Hearing, waited: UUID) -> None:
    hearing.waited = []
    with hearing.listening(database):
        time.sleep(0.2)
        hearing.waited = [waited]  # what changed between its own look and this one is not missed
        wait_until(lambda: hearing.woken == [waited], "it is woken")
        time.sleep(0.3)
        assert hearing.woken == [waited]
