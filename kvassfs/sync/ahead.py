"""Calls to the hub that a thread makes while the thread of the store works on: so the hub and the device work at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_Result = TypeVar("_Result")


class Ahead(Generic[_Result]):
    """Makes calls in a thread, one at a time; where it is not ``apart``, in that of its caller.

    ``with`` one, no call goes on behind the end, as a hub is called by one thread at a time; only who interrupts the program
    does not wait for it.
    """

    def __init__(self, *, apart: bool) -> None:
        self._apart = apart
        self._begun: Future[_Result] | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the call that is under way, which is of no use any more."""
        if error is None or isinstance(error, Exception):
            with suppress(Exception):
                self.finish()

    @property
    def is_busy(self) -> bool:
        """Whether a call was begun and not finished."""
        return self._begun is not None

    def begin(self, call: Callable[[], _Result], *, last: bool = False) -> None:
        """Begin a call; the one before was finished. ``last``: there is nothing to be done meanwhile, nor a need of a thread."""
        from concurrent.futures import Future  # noqa: PLC0415  it takes long to load, and mostly there is one page

        future: Future[_Result] = Future()
        self._begun = future
        if self._apart and not last:
            threading.Thread(target=_make, args=(call, future), name="kvassfs-ahead", daemon=True).start()
        else:
            _make(call, future)

    def finish(self) -> _Result | None:
        """Return what the call returned that was begun, or raise what it raised; ``None`` if there is none."""
        begun, self._begun = self._begun, None
        return None if begun is None else begun.result()


def _make(call: Callable[[], _Result], future: Future[_Result]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001  it is raised by finish()
        future.set_exception(error)
