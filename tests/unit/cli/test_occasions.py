"""kvassfs_cli.occasions: what is said once in a while, and where that is remembered"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvassfs_cli.occasions import PAUSE, Occasion


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files lie; it is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/.cache"))
    return tmp_path / "home/.cache/kvassfs"


@pytest.mark.usefixtures("directory")
class TestTaking:
    def test_is_once_in_a_while(self, clock: Clock) -> None:
        occasion = Occasion("/db", "offline", clock)
        assert [occasion.take(), occasion.take()] == [True, False]
        clock.now += PAUSE - 1
        assert not occasion.take()
        clock.now += 1
        assert [occasion.take(), occasion.take()] == [True, False]

    def test_is_again_after_it_was_forgotten(self, clock: Clock) -> None:
        occasion = Occasion("/db", "offline", clock)
        occasion.take()
        occasion.forget()
        occasion.forget()
        assert occasion.take()

    def test_is_again_where_the_clock_was_ahead(self, clock: Clock) -> None:
        occasion = Occasion("/db", "offline", clock)
        occasion.take()
        clock.now -= 86_400
        assert [occasion.take(), occasion.take()] == [True, False]

    def test_is_its_own_for_each_database_and_each_notice(self, clock: Clock) -> None:
        for path, what in (("/db", "offline"), ("/other", "offline"), ("/db", "port"), ("/d\udcff", "offline")):
            assert Occasion(path, what, clock).take()


class TestWhereItIsRemembered:
    def test_is_private_and_empty(self, directory: Path, clock: Clock) -> None:
        Occasion("/db", "offline", clock).take()
        (file,) = directory.iterdir()
        assert (file.stat().st_size, file.stat().st_mode & 0o777, directory.stat().st_mode & 0o777) == (0, 0o600, 0o700)

    def test_is_in_memory_where_the_system_has_a_directory_there(
        self, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        assert [Occasion("/db", "offline", clock).take() for _ in range(2)] == [True, False]
        assert (tmp_path / "kvassfs").exists()
        assert not directory.exists()

    @pytest.mark.parametrize("runtime", ["", "relative", "/no/such/directory", "/dev/null/x"])
    def test_is_in_the_cache_where_there_is_none(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, runtime: str
    ) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        Occasion("/db", "offline", clock).take()
        assert directory.exists()

    def test_is_in_the_cache_where_that_is_another_users(
        self, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        Occasion("/db", "offline", clock).take()
        assert directory.exists()

    @pytest.mark.parametrize("cache", ["", "relative"])
    def test_is_below_the_home_where_nothing_else_is_said(
        self, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, cache: str
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        Occasion("/db", "offline", clock).take()
        assert directory.exists()

    @pytest.mark.parametrize("cache", ["/dev/null", "/proc/kvassfs"])
    def test_is_nowhere_where_that_cannot_be_written(
        self, monkeypatch: pytest.MonkeyPatch, clock: Clock, cache: str
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        occasion = Occasion("/db", "offline", clock)
        assert [occasion.take(), occasion.take()] == [True, True]
        occasion.forget()

    def test_is_nowhere_where_nobody_knows_the_home(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", "")
        monkeypatch.setattr(os, "getuid", lambda: 54321)
        occasion = Occasion("/db", "offline", clock)
        assert [occasion.take(), occasion.take()] == [True, True]
