"""What the service manager that started this process wants to be told, and what it hands over."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvassfs.supervisor import Supervisor

_SECOND = 1_000_000


def take_supervisor(environ: MutableMapping[str, str] = os.environ) -> Supervisor:
    """Return who is to be told how this process does, and take it out of the environment: it concerns no other."""
    from kvassfs.supervisor import Supervisor

    address = environ.pop("NOTIFY_SOCKET", "")
    limit, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    wanted = limit.isascii() and limit.isdigit() and int(limit) > 0 and pid in {"", str(os.getpid())}
    return Supervisor(address, int(limit) / _SECOND if wanted else None)


def take_sockets(environ: MutableMapping[str, str] = os.environ) -> int:
    """Return how many sockets were handed over, and take that out of the environment; see sd_listen_fds(3)."""
    number, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    return int(number) if number.isascii() and number.isdigit() and pid == str(os.getpid()) else 0
