"""Threads with a resource each: where jobs run, what becomes of their failures, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread

import pytest

from kvassfs.server.workers import Worker, Workers

SECONDS = 20.0


class Source:
    """Makes resources: the name of the thread that opened one."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.opened: list[str] = []
        self.closed: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[str]:
        if self.failures:
            self.failures -= 1
            raise ValueError("not yet")
        name = current_thread().name
        self.opened.append(name)
        try:
            yield name
        finally:
            self.closed.append(current_thread().name)


def test_a_resource_is_opened_used_and_closed_in_its_thread() -> None:
    source = Source()
    worker = Worker(source)

    async def work() -> list[tuple[str, str]]:
        return [await worker.run(lambda resource: (resource, current_thread().name)) for _ in range(3)]

    places = asyncio.run(work())
    worker.end()
    assert worker.join(SECONDS)
    assert len(set(places)) == 1
    assert source.opened == source.closed == [places[0][0]] == [places[0][1]]
    assert places[0][0] != current_thread().name


def test_a_resource_that_nobody_needs_is_not_opened() -> None:
    source = Source()
    worker = Worker(source)
    worker.end()
    assert worker.join(SECONDS)
    assert not source.opened


def test_a_failure_to_open_is_raised_and_the_next_job_tries_again() -> None:
    worker = Worker(Source(failures=1))

    async def work() -> str:
        with pytest.raises(ValueError, match="not yet"):
            await worker.run(str)
        return await worker.run(str)

    assert asyncio.run(work())
    worker.end()


def test_a_job_that_is_given_up_before_it_begins_is_not_done() -> None:
    worker = Worker(Source())
    go = Event()
    done: list[str] = []

    async def work() -> None:
        first = asyncio.create_task(worker.run(lambda _: go.wait(SECONDS)))
        second = asyncio.create_task(worker.run(done.append))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.wait([second])
        go.set()
        await first
        await worker.run(str)

    asyncio.run(work())
    worker.end()
    assert not done


def test_what_a_job_raises_is_raised_where_it_came_from() -> None:
    worker = Worker(Source())

    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda _: 1 // 0)

    asyncio.run(work())
    worker.end()
    assert worker.join(SECONDS)


def test_a_failure_to_close_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @contextmanager
    def broken() -> Iterator[str]:
        yield "resource"
        raise ValueError("cannot close")

    worker = Worker(broken)
    asyncio.run(worker.run(str))
    worker.end()
    assert worker.join(SECONDS)
    assert "ValueError: cannot close" in caplog.text


def test_the_idlest_worker_is_chosen() -> None:
    workers = Workers(3, Source())
    first = workers.choose()
    with first.engage():
        second = workers.choose()
        assert second is not first
        with second.engage():
            assert workers.choose() not in {first, second}
    assert workers.choose() is first
    assert asyncio.run(workers.end(SECONDS))


def test_the_end_does_not_wait_for_ever() -> None:
    workers = Workers(2, Source())
    go = Event()
    workers.choose().submit(lambda _: go.wait(SECONDS))
    assert not asyncio.run(workers.end(0.05))
    go.set()
    assert asyncio.run(workers.end(SECONDS))


def test_the_end_waits_for_the_last_job_of_who_is_engaged() -> None:
    source = Source()
    workers = Workers(1, source)
    done: list[str] = []

    async def stay() -> None:
        with workers.choose().engage():
            await asyncio.sleep(0.1)
            workers.choose().submit(done.append)

    async def work() -> bool:
        staying = asyncio.create_task(stay())
        await asyncio.sleep(0)
        ended = await workers.end(SECONDS)
        await staying
        return ended

    assert asyncio.run(work())
    assert done == source.closed
