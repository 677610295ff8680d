"""Mounts that are told to end at the worst moment: libfuse has looked at its exit flag, and waits for a request then."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.mount.ending import SIGNALS
from kvassfs.store import Store
from tests.support import between_look_and_wait
from tests.support.mounts import BINDINGS, binding_environment, is_in_table, log_of, mount_command, mounted_by
from tests.support.processes import ROOT, SECONDS
from tests.support.searches import examples


def told_to_end(tmp_path: Path, binding: str, what: str, keep: bool) -> None:
    """Have a mount be told to end just before it waits; it must end by itself, and save a file that is kept open."""
    path, db, file = tmp_path / "mount", tmp_path / "kvass.sqlite", tmp_path / "now"
    path.mkdir()
    program = [sys.executable, between_look_and_wait.__file__, binding, str(path), str(db), str(file), what]
    with mounted_by(program, path, {"PYTHONPATH": str(ROOT)}) as process:
        opened = os.open(path / "key", os.O_WRONLY | os.O_CREAT)
        os.write(opened, b"not closed yet")
        if not keep:
            os.close(opened)
        file.touch()
        with suppress(OSError):  # another request may have come first
            os.statvfs(path)  # the last one, after which libfuse waits for another
        assert process.wait(SECONDS) == 0
        assert not file.exists()
        assert "Traceback" not in log_of(path).read_text()
        if keep:
            with pytest.raises(OSError, match=r"not connected|abort"):
                os.close(opened)
    assert not is_in_table(path)
    with Store.open(db) as store:
        assert store.get("key").read() == b"not closed yet"


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_comes_just_before_a_mount_waits_is_not_missed(
    tmp_path: Path, binding: str, number: signal.Signals
) -> None:
    told_to_end(tmp_path, binding, str(int(number)), keep=True)


@pytest.mark.parametrize("binding", BINDINGS)
def test_unmounting_just_before_a_mount_waits_is_not_missed(tmp_path: Path, binding: str) -> None:
    told_to_end(tmp_path, binding, "unmount", keep=False)


@pytest.mark.parametrize("binding", BINDINGS)
def test_mounts_that_are_told_to_end_at_any_time_end(tmp_path: Path, binding: str) -> None:
    """The signal comes as soon as the mount is there, or a little later, while others use it; 200 rounds in the long form."""
    path, db = tmp_path / "mount", tmp_path / "kvass.sqlite"
    path.mkdir()
    for number in range(examples(2, long=200)):
        with mounted_by(mount_command(db, path), path, binding_environment(binding)) as process:
            name = path / str(number)
            if number % 2:
                name.write_bytes(b"value")
            time.sleep(number % 5 / 1000)
            process.send_signal(SIGNALS[number % len(SIGNALS)])
            assert process.wait(SECONDS) == 0
            assert not is_in_table(path)
    with Store.open(db) as store:
        assert sorted(store.keys()) == sorted(str(number) for number in range(examples(2, long=200)) if number % 2)


def test_a_second_signal_does_not_cut_short_what_the_first_has_begun(tmp_path: Path) -> None:
    """It is as with two times Ctrl-C: what is open is saved."""
    path, db = tmp_path / "mount", tmp_path / "kvass.sqlite"
    path.mkdir()
    with mounted_by(mount_command(db, path), path) as process:
        opened = os.open(path / "key", os.O_WRONLY | os.O_CREAT)
        os.write(opened, b"not closed yet")
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        with suppress(OSError):
            os.close(opened)
    with Store.open(db) as store:
        assert store.get("key").read() == b"not closed yet"
