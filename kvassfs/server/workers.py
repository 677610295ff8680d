"""Threads for the database work of a server: a store is for the thread that opened it."""

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
    """A thread with a resource of its own, which it opens for its first job; it runs one job after the other."""

    def __init__(self, open_resource: Callable[[], AbstractContextManager[Resource]]) -> None:
        self.engagements = 0
        self._open_resource = open_resource
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[Resource], Any]] | None] = SimpleQueue()
        # A daemon: the process may end while it waits for the database.
        self._thread = Thread(target=self._run_jobs, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[Resource], Result]) -> Result:
        """Return what ``job`` returns for the resource, or raise what it raises.

        If the resource could not be opened, the next job tries again.
        """
        with self.engage():
            return await asyncio.wrap_future(self.submit(job))

    def submit(self, job: Callable[[Resource], Result]) -> Future[Result]:
        """Run ``job`` after those that were submitted before, without waiting for it."""
        future: Future[Result] = Future()
        self._jobs.put((future, job))
        return future

    @contextmanager
    def engage(self) -> Iterator[None]:
        """``with`` this worker counted as busy, so that others are chosen. For the event loop's thread."""
        self.engagements += 1
        try:
            yield
        finally:
            self.engagements -= 1

    def end(self) -> None:
        """Close the resource and end after the jobs submitted before; none can be submitted afterwards."""
        self._jobs.put(None)

    def join(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until it has ended; return True if it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run_jobs(self) -> None:
        try:
            with ExitStack() as resources:
                self._run_jobs_until_end(resources)
        except Exception:
            log.exception("a database could not be closed")

    def _run_jobs_until_end(self, resources: ExitStack) -> None:
        opened: list[Resource] = []
        while (submitted := self._jobs.get()) is not None:
            future, job = submitted
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if not opened:
                    opened.append(resources.enter_context(self._open_resource()))
                future.set_result(job(opened[0]))
            except BaseException as error:  # noqa: BLE001  it is raised where the job was submitted
                future.set_exception(error)
            # Otherwise this frame keeps what may be large until the next job comes.
            del submitted, future, job


class Workers(Generic[Resource]):
    """``count`` workers, each with a resource that ``open_resource`` opens."""

    def __init__(self, count: int, open_resource: Callable[[], AbstractContextManager[Resource]]) -> None:
        self._workers = [Worker(open_resource) for _ in range(count)]

    def choose(self) -> Worker[Resource]:
        """Return the worker with the fewest engagements."""
        return min(self._workers, key=lambda worker: worker.engagements)

    async def end(self, timeout: float) -> bool:
        """End them all, waiting at most ``timeout`` seconds; return True if they have ended."""
        deadline = time.monotonic() + timeout
        # A request that is cancelled now may still submit a last job to the worker that it has engaged.
        while any(worker.engagements for worker in self._workers) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for worker in self._workers:
            worker.end()
        return all(worker.join(max(deadline - time.monotonic(), 0.0)) for worker in self._workers)
