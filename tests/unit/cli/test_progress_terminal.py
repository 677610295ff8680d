"""What takes long shows on a real pseudo-terminal how far it is, leaves nothing of that there, and explains an interrupt."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.devices import Room
from tests.support.processes import unmeasured
from tests.support.waiting import wait_until
from tests.unit.cli.conftest import Processes

AT_ONCE = (
    sys.executable,
    "-c",
    "import kvassfs_cli.progress as it; it.PATIENCE = it.PAUSE = 0.0; from kvassfs_cli.main import main; main()",
)
"""The command ``kvass`` that shows a bar from the first moment on."""

ERASED = "\r\x1b[K\x1b[?25h"
LARGE = os.urandom(1000) * 5000


class Screen:
    """The end of a pseudo-terminal that a person sees; ``text`` is all that was shown, with its control sequences."""

    def __init__(self) -> None:
        self.controller, self.terminal = pty.openpty()
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self._shown += os.read(self.controller, 65536)
            except OSError:  # the last one who had the other end has closed it
                return

    def end(self) -> str:
        """Return what was shown when nobody writes any more."""
        os.close(self.terminal)
        self._reader.join(20)
        os.close(self.controller)
        return self.text

    @property
    def text(self) -> str:
        return self._shown.decode()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def filled(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    for number in range(3):
        store.set("large", LARGE + b"%d" % number)
    (tmp_path / "file").write_bytes(LARGE)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(LARGE)
    store.back_up(str(tmp_path / "made"))
    monkeypatch.chdir(tmp_path)
    return store


def run(arguments: Sequence[str], screen: Screen, **options: object) -> tuple[int, str]:
    done = subprocess.run(
        [*AT_ONCE, *arguments],
        stdout=subprocess.PIPE,
        stderr=screen.terminal,
        env={**unmeasured(), "COLUMNS": "100", "TERM": "xterm"},
        check=False,
        **options,  # type: ignore[call-overload]
    )
    return done.returncode, screen.end()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["set", "k", "--file", "file"], r"\d+%  \S+ MB of 5\.0 MB, \S+ MB/s"),
        (["get", "large"], r"\d+%  \S+ MB of 5\.0 MB, \S+ MB/s"),
        (["import", "tree"], r"\d+%  0 entries, \S+ MB of 5\.0 MB, \S+ MB/s"),
        (["export", "x.tar"], r"\d+%  \S+ MB of 5\.0 MB, \S+ MB/s"),
        (["backup", "x"], r"\d+%  \S+ MB of \S+ MB, \S+ MB/s"),
        (["backup", "--check", "made"], r"\d+%  \S+ MB of \S+ MB, \S+ MB/s"),
        (["gc", "--all"], r"100%  2 of 2 earlier versions"),
    ],
)
def test_each_command_shows_how_far_it_is(arguments: list[str], shown: str, screen: Screen) -> None:
    status, text = run(arguments, screen)
    assert status == 0
    assert re.search(shown, text)
    assert text.endswith(ERASED)


@pytest.mark.usefixtures("filled")
def test_a_look_at_everything_shows_it_between_what_it_finds(screen: Screen) -> None:
    status, text = run(["doctor", "--full", "--offline"], screen)
    assert status in {0, 1}  # as this system is
    assert re.search(r"\d+%  \S+ MB of \S+ MB, \S+ MB/s", text)
    assert text.endswith(ERASED)


def test_standard_input_that_is_a_file_has_a_total(filled: Store, screen: Screen) -> None:
    with open("file", "rb") as stdin:
        status, text = run(["set", "k"], screen, stdin=stdin)
    assert status == 0
    assert re.search(r"\d+%  \S+ MB of 5\.0 MB", text)
    assert filled.get("k").size == len(LARGE)


def test_an_exchange_with_a_hub_shows_it(tmp_path: Path, screen: Screen) -> None:
    with Room(tmp_path) as room:
        device = room.joined("device", room.hub())
        with device.store() as store:
            store.set("large", os.urandom(20_000_000))
        status, text = run(["--db", str(device.db), "sync"], screen)
    assert status == 0
    assert re.search(r"\d+%  0 of 1 entry, \S+ MB, \S+ MB/s, 0:\d\d left", text)
    assert text.endswith(ERASED)


@contextmanager
def reading(arguments: Sequence[str], screen: Screen) -> Iterator[subprocess.Popen[bytes]]:
    """``with`` a command that reads a pipe whose end does not come."""
    with subprocess.Popen(
        [*AT_ONCE, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=screen.terminal,
        env={**unmeasured(), "COLUMNS": "100", "TERM": "xterm"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def entries(count: int) -> bytes:
    return b"[" + b",".join(b'{"key": "k%d", "text": "%s"}' % (number, b"x" * 2000) for number in range(count))


@pytest.mark.parametrize(
    ("arguments", "head", "shown", "said"),
    [
        (["set", "k"], LARGE, " MB, ", "k is as it was"),
        (
            ["import", "--format", "json", "-"],
            entries(1200),
            "1000 entries",
            "1000 entries are imported and stay; run it again for the rest",
        ),
        (["export", "--format", "tar", "-"], b"", " of 5.0 MB", "the output is not complete"),
    ],
)
def test_an_interrupt_says_what_it_leaves(
    arguments: list[str], head: bytes, shown: str, said: str, screen: Screen, store: Store
) -> None:
    store.set("k", b"before")
    store.set("large", LARGE)
    with reading(arguments, screen) as process:
        assert process.stdin is not None
        process.stdin.write(head)
        process.stdin.flush()
        wait_until(lambda: shown in screen.text, what="how far it is")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
    assert screen.end().endswith(f"{ERASED}kvass: interrupted: {said}\r\n")
    assert store.get("k").read() == b"before"


def test_nothing_is_shown_where_nobody_looks(processes: Processes, filled: Store, tmp_path: Path) -> None:
    processes.command = AT_ONCE
    for arguments in (["set", "k", "--file", "file"], ["get", "large"], ["export", "x.tar"], ["gc", "--all"]):
        assert processes.run(*arguments, env=unmeasured()).err == ""
    assert filled.get("k").size == len(LARGE)
    assert (tmp_path / "x.tar").exists()
