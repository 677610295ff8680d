"""A service manager as far as it matters: it starts a process, hears what it says of itself, and starts it anew."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.processes import SECONDS, children

AS_LISTENER = 'LISTEN_PID=$$ LISTEN_FDS=$LISTENERS; export LISTEN_PID LISTEN_FDS; unset LISTENERS; exec "$@"'


class Manager:
    """Runs one service at a time; ``told`` is what it was told since the last start.

    ``watchdog`` are seconds as in WatchdogSec=, ``sockets`` are handed over to the service.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        address: str,
        *,
        watchdog: float | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self.told: list[str] = []
        self.log = log
        self._command = command
        self._sockets = sockets
        self._environment = {"NOTIFY_SOCKET": address}
        if watchdog is not None:
            self._environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        self._hearing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._hearing.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start the service, as the first time or anew."""
        self.told.clear()
        environment = {**os.environ, **self._environment}
        command = list(self._command)
        if self._sockets:
            environment["LISTENERS"] = str(len(self._sockets))
            command = ["/bin/bash", "-c", f"{AS_LISTENER} {self._redirect()}", "bash", *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[each.fileno() for each in self._sockets],
                start_new_session=True,
            )

    def _redirect(self) -> str:
        """Return how a shell gives the sockets the descriptors from 3 on."""
        return " ".join(f"{3 + number}<&{each.fileno()}" for number, each in enumerate(self._sockets))

    def hear(self, word: str, seconds: float = SECONDS) -> None:
        """Wait until the service says something that begins with ``word``."""
        self._hearing.settimeout(seconds)
        while not any(line.startswith(word) for line in self.told):
            try:
                self.told += self._hearing.recv(4096).decode().split("\n")
            except TimeoutError:
                raise AssertionError(f"not told {word!r} but {self.told}: {self.log.read_text()}") from None

    def hears(self, word: str, seconds: float) -> bool:
        """Return whether the service says ``word`` within so many seconds from now."""
        self.told.clear()
        try:
            self.hear(word, seconds)
        except AssertionError:
            return False
        return True

    def kill(self) -> None:
        """Kill the service and all that it started, as a manager or an accident does."""
        os.kill(self.pid, signal.SIGSTOP)  # what would mend what its children leave
        for pid in (*self._descendants(self.pid), self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait(SECONDS)

    def _descendants(self, pid: int) -> Iterator[int]:
        for child in children(pid):
            yield from self._descendants(child)
            yield child

    def stop(self) -> int:
        """Stop the service as a manager does; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._hearing.close()


@contextmanager
def managing(command: Sequence[str], folder: Path, *, address: str = "", **options: object) -> Iterator[Manager]:
    """``with`` a manager of a service that was started; whatever happens, it ends."""
    manager = Manager(command, folder / "service.log", address or str(folder / "notify"), **options)  # type: ignore[arg-type]
    try:
        manager.start()
        yield manager
    finally:
        manager.close()
