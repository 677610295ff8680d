"""kvassfs_cli.progress"""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from io import RawIOBase
from pathlib import Path
from typing import cast

import pytest

from kvassfs.errors import HubUnreachable
from kvassfs.store import Store
from kvassfs.sync import Progress
from kvassfs_cli.formats import format_left
from kvassfs_cli.progress import Bar, describe, follow_pieces, show_progress, update_exchange
from kvassfs_cli.streams import Input
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

ERASED = "\r\x1b[K\x1b[?25h"


class Terminal(io.StringIO):
    """A terminal as wide as COLUMNS says."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        """What stands there now, without the sequences that hide and show the cursor."""
        return self.getvalue().removesuffix("\r").rpartition("\r")[2].replace("\x1b[?25l", "").replace("\x1b[K", "")


class Seconds:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def test_it_shows_after_a_second_and_leaves_nothing_behind(terminal: Terminal) -> None:
    clock = Seconds()
    with show_progress(terminal=terminal, clock=clock) as bar:
        clock.now = 0.99
        bar.update(10_000_000, 40_000_000)
        assert terminal.getvalue() == ""
        clock.now = 2.0
        bar.update(10_000_000, 40_000_000)
        assert terminal.shown.strip().startswith("[###")
        assert terminal.shown.strip().endswith("25%  10.0 MB of 40.0 MB, 5.0 MB/s, 0:06 left")
    assert terminal.getvalue().endswith(ERASED)


def test_it_is_drawn_ten_times_a_second_at_most(terminal: Terminal) -> None:
    clock = Seconds()
    bar = Bar(terminal, clock)
    drawn = []
    for clock.now in (1.0, 1.05, 1.09, 1.11):
        assert bar.is_due() is (clock.now in {1.0, 1.11})
        bar.update(1 + int(clock.now * 100), 200)
        drawn.append(terminal.getvalue().count("%"))
    assert drawn == [1, 1, 1, 2]


def test_without_a_total_it_shows_how_much_and_how_fast(terminal: Terminal) -> None:
    clock = Seconds()
    with show_progress(terminal=terminal, clock=clock) as bar:
        clock.now = 2.0
        bar.update(3_000_000, 0)
        assert terminal.shown.endswith("3.0 MB, 1.5 MB/s")
        assert "%" not in terminal.shown


def test_what_is_said_meanwhile_takes_the_bar_away_first(terminal: Terminal) -> None:
    clock = Seconds()
    with show_progress(terminal=terminal, clock=clock) as bar:
        clock.now = 2.0
        bar.update(1, 2)
        bar.clear()
        assert terminal.getvalue().endswith(ERASED)
        clock.now = 3.0
        bar.update(1, 2)
        assert "50%" in terminal.shown


def test_what_is_quick_shows_nothing(terminal: Terminal) -> None:
    with show_progress(terminal=terminal, clock=Seconds()) as bar:
        bar.update(1, 2)
    assert terminal.getvalue() == ""


def test_it_is_taken_away_before_an_error_is_said(terminal: Terminal) -> None:
    clock = Seconds()

    def fail() -> None:
        with show_progress(terminal=terminal, clock=clock) as bar:
            clock.now = 2.0
            bar.update(1, 2)
            raise HubUnreachable("hub", "gone")

    with pytest.raises(HubUnreachable):
        fail()
    assert terminal.getvalue().endswith(ERASED)


def test_it_fits_a_narrow_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    clock = Seconds()
    with show_progress(terminal=terminal, clock=clock) as bar:
        clock.now = 2.0
        bar.update(1_000_000, 2_000_000)
        assert len(terminal.shown) <= 24
        assert "50%" in terminal.shown


@pytest.mark.parametrize("hidden", [True, False])
def test_it_is_for_terminals_alone(terminal: Terminal, hidden: bool) -> None:
    stream = terminal if hidden else io.StringIO()
    clock = Seconds()
    with show_progress(terminal=stream, clock=clock, hidden=hidden) as bar:
        clock.now = 2.0
        bar.update(1, 2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00 left"), (7, "0:07 left"), (61, "1:01 left"), (3723, "1:02:03 left")]
)
def test_the_time_left_in_words(seconds: float, text: str) -> None:
    assert format_left(seconds) == text


def test_bytes_in_words() -> None:
    assert describe(1_000, 2_000_000) == "1.0 kB of 2.0 MB"
    assert describe(1_000, 0) == "1.0 kB"


@pytest.mark.parametrize(
    ("moved", "part", "text"),
    [
        (Progress(300, 0, 700, 0, 3_400_000, 0), "30%", "300 of 1000 entries, 3.4 MB, 1.7 MB/s"),
        (Progress(0, 0, 1, 0, 5_000_000, 0, 15_000_000), "25%", "0 of 1 entry, 5.0 MB, 2.5 MB/s"),
        (Progress(5, 4, 0, 1, 10, 20), "90%", "9 of 10 entries, 30 B, 15 B/s"),
    ],
)
def test_an_exchange_goes_by_entries_or_by_bytes(terminal: Terminal, moved: Progress, part: str, text: str) -> None:
    clock = Seconds()
    with show_progress(terminal=terminal, clock=clock) as bar:
        clock.now = 2.0
        update_exchange(bar, moved)
        assert f"{part}  {text}" in terminal.shown


def test_pieces_come_unchanged_and_are_let_go_at_the_end() -> None:
    closed = []

    def pieces() -> Generator[bytes, None, None]:
        try:
            yield b"ab"
            yield b"c"
        finally:
            closed.append(True)

    assert list(follow_pieces(pieces(), 3)) == [b"ab", b"c"]
    assert closed == [True]


def test_the_rest_of_a_file_has_a_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("0123456789")
    with path.open("rb", buffering=0) as file:
        file.read(3)
        assert Input(file).count_left() == 7
    with open("/dev/null", "rb", buffering=0) as device:
        assert Input(device).count_left() == 0
    assert Input(cast("RawIOBase", io.BytesIO(b"abc"))).count_left() == 0


def test_set_and_get_of_large_values_show_it(kvass: Kvass, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs_cli.streams.errors_are_terminal", lambda: True)
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr(Bar, "update", lambda _self, done, total: shown.append((done, total)))
    value = b"x" * 3_000_000
    assert kvass("set", "k", stdin=value) == (0, b"", "")
    assert shown[-1] == (3_000_000, 0)
    shown.clear()
    assert kvass("get", "k") == (0, value, "")
    assert shown[-1] == (3_000_000, 3_000_000)
    assert store.get("k").size == 3_000_000


def test_a_push_that_is_interrupted_says_that_the_value_is_kept(kvass: Kvass, store: Store, hub: NearHub) -> None:
    hub.failure = KeyboardInterrupt()
    said = "kvass: interrupted: what the hub does not have yet is kept here and pushed later\n"
    assert kvass("set", "k", "v") == (130, b"", said)
    assert store.get("k").read() == b"v\n"


def test_standard_error_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with show_progress() as bar:
        bar.update(1, 2)
