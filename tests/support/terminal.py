"""Drive an interactive program in a real terminal: tmux, on a server of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PATIENCE = 60.0
"""Seconds until a screen that does not come is a failure: far more than any program needs on a busy machine."""

POLL = 0.03


@dataclass(frozen=True)
class See:
    """Wait until the screen shows `text`."""

    text: str


@dataclass(frozen=True)
class Type:
    """Type `text` as it is."""

    text: str


@dataclass(frozen=True)
class Press:
    """Press keys by tmux's names for them: `Enter`, `C-x`."""

    keys: tuple[str, ...]


Step = See | Type | Press


def press(*keys: str) -> Press:
    """Make a step of the keys."""
    return Press(keys)


class Terminal:
    """One program on one screen; a context manager that leaves no server behind.

    The server has a socket in a directory of its own and reads no configuration, so nobody's tmux is touched.
    """

    def __init__(
        self,
        command: Iterable[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        columns: int = 100,
        rows: int = 30,
    ) -> None:
        """Start `command` in `directory` with exactly `environment` (and tmux's own variables)."""
        self._home = tempfile.mkdtemp(prefix="terminal-")  # short: a socket's path has at most 107 bytes
        self._status = Path(self._home, "status")
        self._environment = {**environment, "TMUX_TMPDIR": self._home}
        options = "start-server ; set -g remain-on-exit on ; set -g status off ; set -g default-terminal screen ;"
        size = ("-x", str(columns), "-y", str(rows))
        session = ("new-session", "-d", "-s", "program", *size, "-c", str(directory), "--")
        # tmux 3.3 sometimes misses the end of a program that nobody watches; the shell never does.
        shell = ("sh", "-c", '"$@"; echo $? >"$0"', str(self._status))
        self._tmux(*options.split(), *session, *shell, *command)

    def __enter__(self) -> Self:
        """Give the terminal itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the program if it still runs, and with its only session the server."""
        self._tmux("kill-session", "-t", "program")
        shutil.rmtree(self._home)

    def play(self, steps: Iterable[Step]) -> None:
        """Do the steps one after the other."""
        for step in steps:
            match step:
                case See(text):
                    self.wait_for(text)
                case Type(text):
                    self._tmux("send-keys", "-l", "--", text)
                case Press(keys):
                    self._tmux("send-keys", "--", *keys)

    def wait_for(self, text: str) -> None:
        """Return when the screen shows `text`; an AssertionError shows the screen that came instead."""
        self.wait_until(lambda screen: text in screen, repr(text))

    def wait_until(self, shown: Callable[[str], bool], what: str = "what it should show") -> None:
        """Return when the screen is as `shown` says; an AssertionError names `what` it is."""
        deadline = time.monotonic() + PATIENCE
        while not shown(screen := self.screen()):
            ended = self.status() is not None
            assert not ended, f"the program ended without showing {what}:\n{screen}"
            assert time.monotonic() < deadline, f"{what} did not appear:\n{screen}"
            time.sleep(POLL)

    def wait_for_end(self) -> int:
        """Return the program's exit status when it ends."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.status()) is None:
            assert time.monotonic() < deadline, f"the program did not end:\n{self.screen()}"
            time.sleep(POLL)
        return status

    def screen(self) -> str:
        """Show what the screen shows now."""
        return self._tmux("capture-pane", "-p", "-t", "program")

    def coloured_screen(self) -> str:
        """Show what the screen shows now, with its colours as escape sequences and the blanks at the ends of lines."""
        return self._tmux("capture-pane", "-p", "-e", "-N", "-t", "program")

    def status(self) -> int | None:
        """Return the program's exit status, None while it runs."""
        text = self._status.read_text() if self._status.exists() else ""
        return int(text) if text.endswith("\n") else None

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", "kvassfs-test", "-f", "/dev/null", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"tmux {arguments[0]}: {done.stderr.strip()}"
        return done.stdout
