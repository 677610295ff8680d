#!/usr/bin/env python3
"""Record what the README shows: two machines that share a store, from the first command on.

    .venv-test/bin/python contrib/recording/record.py [--short] [FILE]

Two homes without anything, each with a shell in a terminal of its own (tmux), on this machine. What is typed is real, and
so is what comes; only the time that the programs take is not: each screen is shown for as long as it takes to read. With
``--short`` it ends when the second machine has what the first one saved.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from drawing import Frame, Window, draw  # noqa: E402
from screens import Screen, parse_screen  # noqa: E402

from tests.support.terminal import PATIENCE, Terminal  # noqa: E402  the rig of the tests, of this checkout

FILE = ROOT / "contrib/doc/recording.svg"
COLUMNS, ROWS = 58, 28
PORT = 8000

KEYSTROKES, KEYSTROKE = 3, 0.14
"""Characters that are typed at a time, and seconds for which that is shown."""

GLANCE, READING, END = 0.7, 1.8, 5.0
"""Seconds for which is shown what comes: a line, something to read, the last screen."""

SETTLED = 0.4
"""Seconds (real ones) without a change after which a program has said what it has to say."""

DESCRIPTION = (
    "Two terminals: on one machine a store is mounted and paired with another by a short code; what is saved with an editor"
    " appears there, a removal is undone, and a value is shared as a QR code."
)


class Machine:
    """A home directory of its own, and a shell in a terminal; what that showed when."""

    def __init__(self, name: str, home: Path, ending: ExitStack) -> None:
        self.name, self.home = name, home
        (home / "bin").mkdir(parents=True)
        program = home / "bin/kvass"
        path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
        program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(path)} exec {sys.executable} -m kvassfs_cli "$@"\n')
        program.chmod(0o755)
        shell = ["bash", "--norc", "--noprofile"]
        self.terminal = ending.enter_context(
            Terminal(shell, environment=self._environment(), directory=home, columns=COLUMNS, rows=ROWS)
        )
        self.frames: list[Frame] = []

    def _environment(self) -> dict[str, str]:
        ours = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return {
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:{ours.pop('PATH')}",
            "PS1": "$ ",
            "LC_ALL": "C.UTF-8",
            "EDITOR": "vim",
            "HISTFILE": "/dev/null",
            "XDG_RUNTIME_DIR": "",
            **ours,
        }

    def send(self, *arguments: str) -> None:
        """Press keys, as `tmux send-keys` names them."""
        self.terminal._tmux("send-keys", *arguments)

    def look(self) -> Screen:
        """Return what is on the screen, without the places where this machine keeps it."""
        text = self.terminal.coloured_screen().replace(f"{self.home}", "~")
        place = self.terminal._tmux("display-message", "-p", "-t", "program", "#{cursor_flag} #{cursor_y} #{cursor_x}")
        shown, row, column = map(int, place.split())
        return parse_screen(text, (row, column) if shown else None)

    def note(self, now: float) -> None:
        """Keep what is on the screen, if that is new."""
        screen = self.look()
        if not self.frames or self.frames[-1].screen != screen:
            self.frames.append(Frame(now, screen))


class Stage:
    """The machines, and the time that has passed for who looks on."""

    def __init__(self, *machines: Machine) -> None:
        self.machines = machines
        self.now = 0.0

    def show(self, seconds: float) -> None:
        """Keep what the screens show, for so long."""
        for machine in self.machines:
            machine.note(self.now)
        self.now += seconds

    def type(self, machine: Machine, text: str) -> None:
        """Type a text, without Enter."""
        for start in range(0, len(text), KEYSTROKES):
            machine.send("-l", "--", text[start : start + KEYSTROKES])
            time.sleep(0.03)
            self.show(KEYSTROKE)

    def press(
        self, machine: Machine, *keys: str, until: str, at: Machine | None = None, seconds: float = GLANCE
    ) -> str:
        """Press keys, wait until a screen shows ``until``, a pattern, and then for the end of it; return what it found."""
        machine.send("--", *keys)
        seen = at or machine
        seen.terminal.wait_until(lambda screen: re.search(until, screen) is not None, until)
        self._settle()
        found = re.search(until, seen.terminal.screen())
        assert found is not None, f"{until} did not stay"
        self.show(seconds)
        return found[0]

    def _settle(self) -> None:
        before, since, deadline = None, time.monotonic(), time.monotonic() + PATIENCE
        while time.monotonic() - since < SETTLED and time.monotonic() < deadline:
            screens = [machine.terminal.screen() for machine in self.machines]
            if screens != before:
                before, since = screens, time.monotonic()
            time.sleep(0.05)

    def run(self, machine: Machine, line: str, *, until: str = r"\$ *\n*\Z", seconds: float = GLANCE) -> str:
        """Type a line and Enter."""
        self.type(machine, line)
        return self.press(machine, "Enter", until=until, seconds=seconds)


def find_port() -> int:
    """Return the usual port, or another one where it is taken."""
    for port in (PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise OSError("there is no free port")


def meet(stage: Stage, laptop: Machine, desktop: Machine) -> None:
    """Serve and mount on one machine, and pair the other one."""
    stage.run(laptop, "kvass config name laptop")
    stage.run(laptop, f"kvass serve --bind 127.0.0.1:{find_port()} &>log &")
    stage.run(laptop, "kvass mount ~/kvass")
    stage.run(laptop, "clear")
    line = stage.run(laptop, "kvass pair", until=r"kvass join \S+ \d+-\w+-\w+", seconds=READING)
    stage.type(desktop, f"{line} --name desktop")
    stage.press(desktop, "Enter", until=r"\[Y/n\]", seconds=READING)
    stage.press(desktop, "Enter", until=r"\$ *\n*\Z")
    stage.press(laptop, "", until="has joined", seconds=READING)


def edit(stage: Stage, laptop: Machine, desktop: Machine) -> None:
    """Save a file with an editor on one machine, and read it on the other."""
    stage.run(laptop, "clear")
    stage.run(desktop, "clear")
    stage.run(laptop, "mkdir kvass/notes")
    stage.run(laptop, "vim kvass/notes/trip", until=r"~\n")
    stage.type(laptop, "iTrain at 9:14, platform 3")
    stage.press(laptop, "Escape", until="Train")
    stage.type(laptop, ":wq")
    stage.press(laptop, "Enter", until=r"trip\n\$ *\n*\Z")
    stage.run(desktop, "cat kvass/notes/trip", until=r"Train at 9:14, platform 3\n", seconds=READING)


def destroy(stage: Stage, laptop: Machine, desktop: Machine) -> None:
    """Remove a directory on one machine, and take that back."""
    stage.run(laptop, "rm -r kvass/notes")
    time.sleep(2)  # the other one waits a moment for editors that put things back
    stage.run(desktop, "ls kvass/notes", until="No such file", seconds=READING)
    stage.run(laptop, "kvass undo", seconds=READING, until=r"\$ *\n*\Z|\[y/N\]")
    if "[y/N]" in laptop.terminal.screen():
        stage.type(laptop, "y")
        stage.press(laptop, "Enter", until=r"\$ *\n*\Z", seconds=READING)
    stage.run(desktop, "cat kvass/notes/trip", until=r"platform 3\n\$ *\n*\Z", seconds=READING)


def share(stage: Stage, desktop: Machine) -> None:
    """Show a value to a phone."""
    stage.run(desktop, "clear")
    stage.run(desktop, "kvass qr notes/trip", until="▀|▄|█", seconds=END)


@contextmanager
def machines() -> Iterator[tuple[Machine, Machine]]:
    """``with`` two machines; what they run and mount ends with them."""
    with tempfile.TemporaryDirectory(prefix="kvass-", ignore_cleanup_errors=True) as room, ExitStack() as ending:
        laptop, desktop = (Machine(name, Path(room, name), ending) for name in ("laptop", "desktop"))
        try:
            yield laptop, desktop
        finally:
            for machine in (desktop, laptop):  # the shells, and the hub that one of them runs, end with their terminals
                unmount = ["fusermount3", "-u", "-z", str(machine.home / "kvass")]
                subprocess.run(unmount, check=False, capture_output=True)


def record(*, short: bool) -> str:
    """Play it, and return the picture."""
    with machines() as (laptop, desktop):
        stage = Stage(laptop, desktop)
        for machine in stage.machines:
            machine.terminal.wait_for("$")
        stage.show(GLANCE)
        meet(stage, laptop, desktop)
        edit(stage, laptop, desktop)
        if not short:
            destroy(stage, laptop, desktop)
            share(stage, desktop)
        windows = [Window(machine.name, COLUMNS, ROWS, machine.frames) for machine in stage.machines]
        picture = draw(windows, stage.now, DESCRIPTION)
        assert str(laptop.home.parent) not in picture, "it shows where it was recorded"
        return picture


def main() -> None:
    """Record, and write the picture."""
    parser = argparse.ArgumentParser(description="Record what the README shows.")
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--short", action="store_true", help="only as far as the second machine has a file")
    arguments = parser.parse_args()
    picture = record(short=arguments.short)
    arguments.file.write_text(picture, encoding="utf-8")
    print(f"{arguments.file}: {len(picture.encode()):,} bytes")


if __name__ == "__main__":
    main()
