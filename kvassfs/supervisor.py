"""What a service manager is told of this process: that it is ready, alive or ending. The protocol is sd_notify(3)."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

SEND_SECONDS: Final = 1.0
"""Seconds for which a manager that does not read is waited for; what it should have heard is lost then."""


class Supervisor:
    """Tells the manager at ``address``, a path or with ``@`` in front an abstract name; without one it tells nobody.

    ``watchdog`` are the seconds after which the manager restarts a process that has not said that it is alive;
    ``None``: it does not. Any thread may tell, and nothing is raised where nobody hears it.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.interval = watchdog and watchdog / 2
        """Seconds between two times at which it has to be said that this process is alive; ``None`` if never."""

    def tell_ready(self, status: str) -> None:
        """Tell that this process does what it was started for, and in a line what that is."""
        self._send("READY=1", f"STATUS={_join_lines(status)}")

    def tell_status(self, status: str) -> None:
        """Tell in a line how things are."""
        self._send(f"STATUS={_join_lines(status)}")

    def tell_alive(self) -> None:
        """Tell that all is well; at least each ``interval``."""
        self._send("WATCHDOG=1")

    def tell_stopping(self) -> None:
        """Tell that this process is about to end by itself or because it was told to."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.settimeout(SEND_SECONDS)
            sending.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _join_lines(text: str) -> str:
    return " ".join(text.split("\n"))


NOBODY: Final = Supervisor()
"""For a process that nobody supervises."""
