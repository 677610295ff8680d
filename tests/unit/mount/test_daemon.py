"""Working in the background: when the caller goes on, and what it hears."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.mount.daemon import Captured, detach
from kvassfs.mount.errors import MountError, NotMounted


def test_the_caller_goes_on_when_the_daemon_is_ready(tmp_path: Path) -> None:
    def work(ready: Callable[[], None]) -> None:
        (tmp_path / "before").touch()
        ready()
        ready()
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        (tmp_path / "after").write_text(f"{os.getpid()} {os.getcwd()}")

    detach(work)
    assert (tmp_path / "before").exists()
    assert not (tmp_path / "after").exists()
    (tmp_path / "go").touch()
    deadline = time.monotonic() + 10
    while not (tmp_path / "after").exists() or not (tmp_path / "after").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pid, directory = (tmp_path / "after").read_text().split()
    assert int(pid) != os.getpid()
    assert directory == "/"


def test_an_expected_failure_is_told_in_its_words() -> None:
    def work(_: Callable[[], None]) -> None:
        raise NotMounted("/d")

    with pytest.raises(MountError, match=r"^/d is not a kvass mount: nothing is mounted there$"):
        detach(work)


def test_an_unexpected_failure_is_told_as_well() -> None:
    def work(_: Callable[[], None]) -> None:
        raise ValueError("a bug")

    with pytest.raises(MountError, match=r"the process of the mount failed: ValueError\('a bug'\)"):
        detach(work)


@pytest.mark.parametrize("how", ["returns", "dies"])
def test_an_end_before_it_is_ready_is_a_failure(how: str) -> None:
    def work(_: Callable[[], None]) -> None:
        if how == "dies":
            os.kill(os.getpid(), 9)

    with pytest.raises(MountError, match="ended before it was ready"):
        detach(work)


def test_a_failure_after_it_was_ready_is_not_the_callers(tmp_path: Path) -> None:
    def work(ready: Callable[[], None]) -> None:
        ready()
        raise ValueError("later")

    detach(work)


def test_what_is_written_to_standard_error_is_captured_until_the_release(capfd: pytest.CaptureFixture[str]) -> None:
    captured = Captured()
    os.write(2, b"captured\n")
    assert captured.release() == "captured\n"
    os.write(2, b"passed\n")
    assert captured.release() == "captured\n"
    assert capfd.readouterr().err == "passed\n"
