"""How fast bodies must come, and in which order they are taken."""

from __future__ import annotations

import asyncio

import pytest

from kvassfs.server.pace import Pace, Turns


@pytest.mark.parametrize(
    ("arrivals", "deadline"),
    [
        ([], 60.0),
        ([(10.0, 1000)], 61.0),  # a byte buys a thousandth of a second
        ([(10.0, 50_000)], 70.0),  # but nobody is waited for longer than the timeout
        ([(20.0 * number, 1) for number in range(1, 4)], 60.003),  # one byte every twenty seconds is too little
        ([(40.0, 1_000_000), (90.0, 1_000_000), (140.0, 1_000_000)], 150.0),  # nor for the whole longer than the total
    ],
)
def test_each_byte_buys_time_up_to_a_limit(arrivals: list[tuple[float, int]], deadline: float) -> None:
    pace = Pace(0.0, timeout=60.0, least_rate=1000.0, total=150.0)
    for now, size in arrivals:
        assert now < pace.deadline
        pace.note(size, now)
    assert pace.deadline == pytest.approx(deadline)


def test_time_in_which_nothing_was_taken_is_not_the_senders() -> None:
    pace = Pace(0.0, timeout=60.0, least_rate=1000.0, total=100.0)
    pace.excuse(30.0)
    assert pace.deadline == 90.0
    pace.note(1_000_000, 80.0)
    assert pace.deadline == 130.0


def test_who_has_sent_the_least_goes_first() -> None:
    turns = Turns(rate=1e9, burst=0)
    taken: list[int] = []

    async def take(received: int) -> None:
        await turns.wait(received, 1)
        taken.append(received)

    async def talk() -> None:
        await asyncio.gather(*(take(received) for received in (300, 100, 200)))

    asyncio.run(talk())
    assert taken == [100, 300, 200]  # every other turn is that of who waits for longest


def test_who_has_sent_much_goes_on_beside_any_number_of_others_that_begin() -> None:
    turns = Turns(rate=1e9, burst=0)

    async def begin_again_and_again() -> None:
        while True:
            await turns.wait(1, 1)

    async def talk() -> None:
        others = [asyncio.create_task(begin_again_and_again()) for _ in range(20)]
        for received in range(1000, 1010):
            await asyncio.wait_for(turns.wait(received, 1), 50.0)
        assert len(turns._waiting) < 200
        for task in others:
            task.cancel()

    asyncio.run(talk())


def test_many_are_taken_no_faster_than_at_the_rate_and_one_alone_at_once() -> None:
    async def seconds(*sizes: int) -> float:
        turns = Turns(rate=1000.0, burst=0)
        turns.bodies = len(sizes)
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(turns.wait(1, size) for size in sizes))
        return asyncio.get_running_loop().time() - begun

    assert asyncio.run(seconds(100, 100, 100)) >= 0.2
    assert asyncio.run(seconds(100_000)) < 50.0


def test_what_one_alone_has_sent_is_no_debt_for_others() -> None:
    async def talk() -> None:
        turns = Turns(rate=1000.0, burst=0)
        turns.bodies = 1
        await turns.wait(1, 1_000_000)
        turns.bodies = 2
        await asyncio.wait_for(turns.wait(1, 1), 50.0)
        await asyncio.wait_for(turns.wait(1, 1), 50.0)

    asyncio.run(talk())


def test_who_gives_up_waiting_keeps_nobody_from_going_on() -> None:
    async def talk() -> None:
        turns = Turns(rate=1e9, burst=0)
        waiting = [asyncio.create_task(turns.wait(number, 1)) for number in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(*waiting[1:])

    asyncio.run(talk())
