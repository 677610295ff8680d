"""kvassfs_cli.commands.sync"""

from __future__ import annotations

import io
import re

import pytest

from kvassfs.errors import HubUnreachable
from kvassfs.store import Store
from kvassfs.sync import Progress
from kvassfs_cli.commands import sync
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

NO_HUB = "kvass: there is no hub; set one with `kvass config remote HOST`\n"


def test_sync_says_what_moved_and_then_that_nothing_does(kvass: Kvass, store: Store, hub: NearHub) -> None:
    for key in ("a", "b"):
        store.set(key, b"value")
    hub.store.set("c", b"value")
    status, out, err = kvass("sync")
    assert (status, err) == (0, "")
    assert re.fullmatch(rb"pulled 1 entry \(\d+ B\), pushed 2 entries \(\d+ B\)\n", out)
    assert list(store.keys()) == list(hub.store.keys()) == ["a", "b", "c"]
    assert kvass("sync") == (0, b"in step: nothing to move\n", "")


def test_sync_reports_one_direction_where_nothing_moves_in_the_other(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("a", b"value")
    assert re.fullmatch(rb"pushed 1 entry \(\d+ B\)\n", kvass("sync").out)
    hub.store.set("b", b"value")
    assert re.fullmatch(rb"pulled 1 entry \(\d+ B\)\n", kvass("sync").out)


@pytest.mark.parametrize(
    ("moved", "text"),
    [
        (Progress(0, 0, 0, 0, 512, 256), "in step: nothing to move"),
        (Progress(12, 2, 0, 0, 3_400_000, 120), "pulled 12 entries (3.4 MB), pushed 2 entries (120 B)"),
        (Progress(1, 0, 0, 0, 999, 120), "pulled 1 entry (999 B)"),
        (Progress(0, 1, 0, 0, 999, 120), "pushed 1 entry (120 B)"),
    ],
)
def test_what_moved_in_words(moved: Progress, text: str) -> None:
    assert sync.format_summary(moved) == text


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("options", [[], ["--follow"]])
def test_without_a_hub_sync_says_how_to_set_one(kvass: Kvass, options: list[str]) -> None:
    assert kvass("sync", *options) == (1, b"", NO_HUB)


def test_an_error_is_an_error_here(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("a", b"value")
    hub.be_down()
    status, out, err = kvass("sync")
    assert (status, out) == (1, b"")
    assert err == f"kvass: {hub.failure}\n"
    assert hub.closed == 1
    assert store.outbox.count_dirty() == (1, 5)


def test_sync_contacts_the_hub_whatever_kvass_offline_says(
    kvass: Kvass, hub: NearHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVASS_OFFLINE", "1")
    kvass("sync")
    assert hub.calls


class Terminal(io.StringIO):
    """A terminal as wide as COLUMNS says."""

    def isatty(self) -> bool:
        return True


class Seconds:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


SOME = Progress(300, 0, 700, 0, 3_400_000, 0)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def test_progress_shows_after_a_second_and_leaves_nothing_behind(terminal: Terminal) -> None:
    clock = Seconds()
    with sync.show_progress(terminal, clock) as report:
        clock.now = 0.99
        report(SOME)
        assert terminal.getvalue() == ""
        clock.now = 1.0
        report(SOME)
        assert terminal.getvalue() == "\r[######--------------] 300 of 1000 entries, 3.4 MB\x1b[K"
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_an_exchange_that_is_quick_shows_no_progress(terminal: Terminal) -> None:
    with sync.show_progress(terminal, Seconds()) as report:
        report(SOME)
    assert terminal.getvalue() == ""


def test_progress_is_taken_away_before_an_error_is_said(terminal: Terminal) -> None:
    clock = Seconds()

    def fail() -> None:
        with sync.show_progress(terminal, clock) as report:
            clock.now = 2.0
            report(SOME)
            raise HubUnreachable("hub", "gone")

    with pytest.raises(HubUnreachable):
        fail()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_progress_fits_a_narrow_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    clock = Seconds()
    with sync.show_progress(terminal, clock) as report:
        clock.now = 2.0
        report(SOME)
    assert len(terminal.getvalue().partition("\x1b")[0]) == 1 + 19


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_progress_is_for_terminals(stream: io.StringIO | None) -> None:
    clock = Seconds()
    with sync.show_progress(stream, clock) as report:
        clock.now = 2.0
        report(SOME)
    assert stream is None or stream.getvalue() == ""


@pytest.mark.parametrize(
    ("moved", "text"),
    [
        (Progress(0, 0, 0, 0, 0, 0), "[--------------------] 0 of 0 entries, 0 B"),
        (Progress(0, 0, 1, 0, 5_000_000, 0), "[--------------------] 0 of 1 entry, 5.0 MB"),
        (Progress(0, 0, 1, 0, 5_000_000, 0, 15_000_000), "[#####---------------] 0 of 1 entry, 5.0 MB"),
        (Progress(5, 4, 0, 1, 10, 20), "[##################--] 9 of 10 entries, 30 B"),
        (Progress(5, 5, 0, 0, 10, 20), "[####################] 10 of 10 entries, 30 B"),
    ],
)
def test_the_bar_counts_both_directions(moved: Progress, text: str) -> None:
    assert sync.format_bar(moved) == text
