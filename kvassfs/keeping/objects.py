"""Stores of objects, in which a hub for many keeps blocks if it is told to: what it needs of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, NamedTuple, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PARALLEL: Final = 4
"""Objects that one request puts or gets at the same time."""

_ADDRESS: Final = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,62})(?:/([A-Za-z0-9._/-]*))?")


class ObjectStore(Protocol):
    """Keeps objects by their names, for any number of threads. Every method raises ObjectsUnreachable."""

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Keep an object. When this returns it is as safe as the store keeps anything; else it may be there or not."""

    def get(self, name: str) -> bytes | None:
        """Return an object, ``None`` if there is none of that name."""

    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""


class Place(NamedTuple):
    """Where objects are: their names in the bucket begin with ``prefix``, which ends in a slash or is empty."""

    bucket: str
    prefix: str

    @property
    def address(self) -> str:
        """The place, as it is written."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse_place(address: str) -> Place | None:
    """Return the place that ``s3://BUCKET/PREFIX`` names; ``None`` if it is written otherwise."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    prefix = (match[2] or "").strip("/")
    return Place(match[1], f"{prefix}/" if prefix else "")


def run_in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what ``work`` returns for each, by a few threads and this one; once one fails, no other is begun.

    The process may end meanwhile: the threads are daemons.
    """
    waiting: SimpleQueue[tuple[int, Item]] = SimpleQueue()
    for numbered in enumerate(items):
        waiting.put(numbered)
    results: dict[int, Result] = {}
    failures: list[Exception] = []

    def run() -> None:
        with suppress(Empty):
            while not failures:
                number, item = waiting.get_nowait()
                try:
                    results[number] = work(item)
                except Exception as error:  # noqa: BLE001  raised below
                    failures.append(error)

    threads = [Thread(target=run, daemon=True) for _ in range(min(PARALLEL, len(items)) - 1)]
    for thread in threads:
        thread.start()
    run()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]
