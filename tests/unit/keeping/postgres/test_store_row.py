"""The row of a store: incarnations, and what a failover means."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from kvassfs.entry import Delivery
from kvassfs.errors import StoreError
from kvassfs.keeping.postgres.database import Database, Session
from kvassfs.keeping.postgres.keeper import BATCH, PostgresKeeper
from kvassfs.keeping.postgres.stores import Stores
from kvassfs.replica import Incarnation
from kvassfs.store import KEPT_INCARNATIONS
from kvassfs.sync import messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import Seal
from tests.support.postgres_peers import BreakingSession
from tests.support.stores import SMALL, Clock
from tests.unit.keeping.conftest import KEY
from tests.unit.keeping.postgres.conftest import STORE, Select
from tests.unit.keeping.test_keepers import BLOCKS, EVERYTHING, made

ELSEWHERE = "1234/00000007"
"""The timeline of another server."""


def fail_over(select: Select, clock: int | None = None) -> None:
    """Let the server be another one, which has the store as it was at a clock."""
    select("UPDATE stores SET timeline = %s", ELSEWHERE)
    if clock is not None:
        select("UPDATE stores SET clock = %s", clock)


def incarnations(keeper: PostgresKeeper) -> list[Incarnation]:
    return keeper.describe(0, 7).incarnations


def test_a_timeline_is_noted_with_the_store(kept: PostgresKeeper, select: Select) -> None:
    (timeline,) = select("SELECT timeline FROM stores")
    system, _, number = timeline.partition("/")
    assert system.isdecimal()
    assert number == "00000001"


def test_the_mark_stays_as_long_as_the_server_does(kept: PostgresKeeper) -> None:
    first = kept.merge([made("a")])
    second = kept.merge([made("b", counter=2)])
    assert [each.mark for each in first.incarnations] == [each.mark for each in second.incarnations]
    assert second.incarnations[-1].told == second.clock


@pytest.mark.parametrize("what", ["merge", "put_blocks", "read_page", "describe"])
def test_another_timeline_begins_another_incarnation(kept: PostgresKeeper, select: Select, what: str) -> None:
    outcome = kept.merge([made("a"), made("b", counter=2)])
    (before,) = outcome.incarnations
    fail_over(select, clock=outcome.clock - 1)
    select("DELETE FROM entries WHERE key = 'b'")
    select("UPDATE stores SET entries = 1, bytes = 5")
    doings: dict[str, Callable[[], object]] = {
        "merge": lambda: kept.merge([]),
        "put_blocks": lambda: kept.put_blocks(BLOCKS[:1]),
        "read_page": lambda: kept.read_page(0, 9, EVERYTHING),
        "describe": lambda: kept.describe(0, 7),
    }
    doings[what]()
    earlier, present = incarnations(kept)
    assert earlier == Incarnation(before.mark, outcome.clock - 1)  # less than it had told: so it was set back
    assert present.mark != before.mark
    assert incarnations(kept) == [earlier, present]


def test_a_store_that_was_restored_begins_another_incarnation(kept: PostgresKeeper, stores: Stores) -> None:
    (before,) = kept.merge([made("a")]).incarnations
    stores.note_restored()
    earlier, present = incarnations(kept)
    assert earlier == before
    assert present.mark != before.mark


def test_of_many_incarnations_the_last_are_told(kept: PostgresKeeper, select: Select, clock: Clock) -> None:
    marks = []
    for number in range(KEPT_INCARNATIONS + 3):
        fail_over(select)
        marks.append(kept.merge([made("a", time=number, counter=number + 1)]).incarnations[-1].mark)
        clock.advance(10**9)
    told = incarnations(kept)
    assert [each.mark for each in told] == marks[-KEPT_INCARNATIONS:]
    assert [each.told for each in told] == sorted(each.told for each in told)
    assert select("SELECT count(*) FROM incarnations") == [KEPT_INCARNATIONS]


def test_a_page_that_was_read_at_once_is_told_with_its_own_moment(kept: PostgresKeeper, select: Select) -> None:
    outcome = kept.merge([made("a"), made("b", counter=2)])
    page = kept.read_page(0, 9, EVERYTHING)
    fail_over(select, clock=outcome.clock - 1)
    assert kept.describe(page.clock, 9).incarnations == outcome.incarnations  # as if it had been sent before
    select("UPDATE stores SET clock = %s", outcome.clock)


@pytest.mark.parametrize(
    "pushed",
    [[made(f"{number}", counter=number + 1) for number in range(BATCH + 1)], [made("film", b"".join(BLOCKS))]],
    ids=["two batches", "a large value"],
)
def test_a_page_of_one_server_is_not_described_by_another(
    kept: PostgresKeeper, select: Select, pushed: list[Delivery]
) -> None:
    outcome = kept.merge(pushed)
    page = kept.read_page(0, 9, EVERYTHING)
    fail_over(select, clock=outcome.clock - 1)
    with pytest.raises(StoreError, match="set back meanwhile"):
        kept.describe(page.clock, 9)
    select("UPDATE stores SET clock = %s", outcome.clock)


@pytest.mark.parametrize(("beyond", "statements"), [(0, 3), (1, 3)], ids=["something", "nothing"])
def test_a_pull_takes_few_statements(
    kept: PostgresKeeper, database: Database, clock: Clock, beyond: int, statements: int
) -> None:
    first = kept.merge([made("a")]).clock + beyond
    session = BreakingSession(database)
    hub = Hub(PostgresKeeper(session, STORE, clock=clock))
    request = messages.PullRequest(first, 9, messages.VERSION, device=9)
    body = Seal(KEY).seal(messages.encode_pull_request(request))
    hub.pull(body).respond(patient=False)  # the first one of a device notes it
    before = session.left
    assert hub.pull(body).respond(patient=False) is not None
    assert before - session.left == statements


def test_a_pull_that_waits_keeps_little(kept: PostgresKeeper) -> None:
    first = kept.merge([made("a")]).clock + 1
    kept.note_device(9, {9: "laptop"})
    assert not kept.read_page(first, 9, EVERYTHING).outgoing
    assert kept._of_page is None
    assert kept.describe(first - 1, 9).names == {9: "laptop"}


def test_one_connection_is_enough_for_whatever_is_asked(
    kept: PostgresKeeper, database: Database, select: Select, clock: Clock
) -> None:
    kept.merge([made("film", b"".join(BLOCKS))])
    narrow = Database(database._url, connections=1, patience=0.5)
    narrow.open()
    try:
        keepers = [PostgresKeeper(Session(narrow), STORE, clock=clock, sizes=SMALL) for _ in range(2)]
        (out,) = keepers[0].read_page(0, 9, EVERYTHING).outgoing
        assert out.delivery.value == b"".join(BLOCKS)
        fail_over(select)
        keepers[1].describe(0, 9)
        fail_over(select)
        keepers[1].read_page(0, 9, EVERYTHING)
    finally:
        narrow.close()


def test_a_store_that_was_removed_is_told(kept: PostgresKeeper, stores: Stores) -> None:
    stores.remove("family")
    for ask in (
        lambda: kept.merge([made("a")]),
        lambda: kept.put_blocks(BLOCKS),
        lambda: kept.read_page(0, 9, EVERYTHING),
        lambda: kept.describe(0, 9),
    ):
        with pytest.raises(StoreError, match="removed meanwhile"):
            ask()


def test_stores_do_not_share_marks(session: Session, stores: Stores) -> None:
    stores.add("one", "code")
    stores.add("two", "code")
    with session.connection() as connection:
        rows = connection.execute("SELECT store FROM stores").fetchall()
    keepers = [PostgresKeeper(session, UUID(str(store))) for (store,) in rows]
    assert len({incarnations(keeper)[-1].mark for keeper in keepers}) == 2
