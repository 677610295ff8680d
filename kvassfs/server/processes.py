"""Several processes that serve the same sockets, and the one that keeps them running."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from ..errors import KvassError
from ..supervisor import Supervisor

log = logging.getLogger(__name__)

REST: Final = 1.0
"""Seconds that pass at least between two starts of one process, lest one that cannot run take all the time."""

LONG: Final = 3600.0
"""Seconds between two looks where nothing asks for more."""

_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AWAITED: Final = frozenset({signal.SIGCHLD, *_ENDING})


def keep_processes(count: int, work: Callable[[int], None], supervisor: Supervisor) -> None:
    """Have ``count`` processes do ``work``, each with its number, until SIGTERM, SIGINT or SIGHUP; for the main thread.

    One that ends before is started again. At the end they get SIGTERM, and are waited for. Only this thread may run.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        _Keeper(count, work, supervisor, before).run()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Keeper:
    def __init__(
        self, count: int, work: Callable[[int], None], supervisor: Supervisor, mask: set[int | signal.Signals]
    ) -> None:
        self._work = work
        self._supervisor = supervisor
        self._mask = mask
        self._numbers: dict[int, int] = {}
        self._due = dict.fromkeys(range(count), 0.0)

    def run(self) -> None:
        interval = self._supervisor.interval or LONG
        while True:
            self._start_due()
            self._supervisor.tell_alive()
            caught = signal.sigtimedwait(_AWAITED, self._find_pause(interval))
            self._note_ended()
            if caught is not None and caught.si_signo in _ENDING:
                break
        self._supervisor.tell_stopping()
        for pid in self._numbers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for pid in self._numbers:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _find_pause(self, interval: float) -> float:
        now = time.monotonic()
        return min([interval, *(max(due - now, 0.0) for due in self._due.values())])

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            pid = os.fork()
            if not pid:
                self._become(number)
            self._numbers[pid] = number

    def _become(self, number: int) -> NoReturn:
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._work(number)
            status = 0
        except KvassError as error:
            log.error("%s", error)  # noqa: TRY400  expected
        except BaseException:
            log.exception("a process of the hub failed")
        finally:
            os._exit(status)

    def _note_ended(self) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number = self._numbers.pop(pid)
            self._due[number] = time.monotonic() + REST
            code = os.waitstatus_to_exitcode(status)
            log.warning("process %d of the hub ended with %d, and is started again", number + 1, code)
