"""Threads for the database work of a server: a store, as its connection, is for the thread that opened it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

Resource = TypeVar("Resource")
Result = TypeVar("Result")


class Worker(Generic[Resource]):
    """A thread with a resource of its own, which it opens for its first job; it does one job after the other."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Resource]]) -> None:
        self.engagements = 0
        self._opened = opened
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[Resource], Any]] | None] = SimpleQueue()
        # The process may end without waiting for one that waits long for the database.
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[Resource], Result]) -> Result:
        """Return what ``job`` returns for the resource, or raise what it raises.

        A resource that could not be opened is tried again for the next job.
        """
        with self.engaged():
            return await asyncio.wrap_future(self.post(job))

    def post(self, job: Callable[[Resource], Result]) -> Future[Result]:
        """Have ``job`` done after all that was given before; nobody need wait for it."""
        future: Future[Result] = Future()
        self._jobs.put((future, job))
        return future

    @contextmanager
    def engaged(self) -> Iterator[None]:
        """Count as busy inside the ``with``, so that others are chosen for what comes. For the event loop's thread."""
        self.engagements += 1
        try:
            yield
        finally:
            self.engagements -= 1

    def end(self) -> None:
        """Close the resource and end after what was given before; nothing can be given any more."""
        self._jobs.put(None)

    def join(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until it has ended; return whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            with ExitStack() as resources:
                self._do_jobs(resources)
        except Exception:
            log.exception("a database could not be closed")

    def _do_jobs(self, resources: ExitStack) -> None:
        opened: list[Resource] = []
        while (given := self._jobs.get()) is not None:
            future, job = given
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if not opened:
                    opened.append(resources.enter_context(self._opened()))
                future.set_result(job(opened[0]))
            except BaseException as error:  # noqa: BLE001  it is raised where the job came from
                future.set_exception(error)
            # Else this frame keeps what may be large until the next job comes.
            del given, future, job


class Workers(Generic[Resource]):
    """``count`` workers, each with what ``opened`` makes."""

    def __init__(self, count: int, opened: Callable[[], AbstractContextManager[Resource]]) -> None:
        self._workers = [Worker(opened) for _ in range(count)]

    def idlest(self) -> Worker[Resource]:
        """Return the worker that has the least to do."""
        return min(self._workers, key=lambda worker: worker.engagements)

    async def end(self, timeout: float) -> bool:
        """End them all, waiting at most ``timeout`` seconds; return whether they have ended."""
        deadline = time.monotonic() + timeout
        # Who was engaged and is cancelled now may still have a last job for them.
        while any(worker.engagements for worker in self._workers) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for worker in self._workers:
            worker.end()
        return all(worker.join(max(deadline - time.monotonic(), 0.0)) for worker in self._workers)
