"""kvassfs_cli.streams and the ends of the process that depend on them"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from errno import ENOSPC
from io import BytesIO, TextIOWrapper
from pathlib import Path
from subprocess import PIPE

import pytest

from kvassfs.store import BLOCK_SIZE, Store
from kvassfs_cli.streams import OutputClosed, OutputFailed, write
from tests.unit.cli.conftest import Processes

SIGPIPE_STATUS = 128 + signal.SIGPIPE


class Full(BytesIO):
    def write(self, data: object) -> int:
        raise OSError(ENOSPC, os.strerror(ENOSPC))


@pytest.fixture
def full_store(store: Store) -> Store:
    """A store with more keys than a pipe holds, and a value of many pipes."""
    with store.transaction:
        for number in range(3000):
            store.set(f"key {number:04} {'x' * 60}", b"value")
    store.set("large", bytes(10 * BLOCK_SIZE))
    return store


@pytest.mark.parametrize("command", ["ls", "ls -l", "get large"])
def test_a_reader_that_has_enough_ends_the_command_silently(
    processes: Processes, full_store: Store, command: str
) -> None:
    status, out, err = processes.shell(f"kvass {command} | head -c 5")
    assert (status, len(out), err) == (SIGPIPE_STATUS, 5, "")


@pytest.mark.parametrize("command", ["ls", "get large", "", "ls -h", "--version", "config show"])
def test_output_to_a_pipe_that_nobody_reads_is_silent(processes: Processes, full_store: Store, command: str) -> None:
    status, _, err = processes.shell(f"(sleep 0.4; kvass {command}) | true")
    assert (status, err) == (SIGPIPE_STATUS, "")


def test_the_process_ends_by_the_signal_itself(processes: Processes, full_store: Store) -> None:
    with processes.start("get", "large") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert process.wait(30) == -signal.SIGPIPE


@pytest.mark.parametrize("command", ["ls", "get large", "get -- small", "", "get -h", "--version", "config show"])
def test_a_full_disk_behind_standard_output_is_one_line(processes: Processes, full_store: Store, command: str) -> None:
    full_store.set("small", b"value")
    assert processes.shell(f"kvass {command} >/dev/full") == (
        1,
        b"",
        "kvass: cannot write to standard output: No space left on device\n",
    )


@pytest.mark.parametrize("command", ["ls", "get small", "", "get -h"])
def test_closed_standard_output_is_one_line(processes: Processes, store: Store, command: str) -> None:
    store.set("small", b"value")
    assert processes.shell(f"kvass {command} >&-") == (1, b"", "kvass: cannot write to standard output: it is closed\n")


def test_what_prints_nothing_needs_no_output(processes: Processes, store: Store) -> None:
    assert processes.shell("kvass set k v >&- 2>&-").status == 0
    assert store.get("k").read() == b"v\n"


def test_nobody_listening_on_standard_error_changes_no_status(processes: Processes, store: Store) -> None:
    assert processes.shell("kvass get nothing 2>&-").status == 1
    assert processes.shell("kvass get nothing 2>/dev/full").status == 1
    assert processes.shell("kvass nothing 2>/dev/full").status == 2


def test_an_interrupt_ends_the_process_by_the_signal_and_without_a_traceback(
    processes: Processes, store: Store
) -> None:
    store.set("large", bytes(50 * BLOCK_SIZE))
    with processes.start("get", "large") as process:
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (-signal.SIGINT, b"kvass: interrupted: large is not written to its end\n")


def test_after_an_interrupt_a_loop_of_the_shell_ends_too(processes: Processes) -> None:
    loop = "for number in 1 2 3; do echo $number; kvass set k; done; echo on"
    command = ["bash", "-c", f'kvass() {{ {" ".join(processes.command)} "$@"; }}; {loop}']
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True) as process:
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (-signal.SIGINT, b"1\n")
    assert err == b"kvass: interrupted: k is as it was\n"


def test_write_stops_asking_for_more_when_nobody_reads_and_closes_what_it_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                asked.append("asked")
                yield bytes(100_000)
        finally:
            asked.append("closed")

    monkeypatch.setattr("sys.stdout", TextIOWrapper(Full()))
    with pytest.raises(OutputFailed, match="No space left on device"):
        write(chunks())
    assert asked == ["asked", "closed"]


def test_output_that_does_not_block_is_written_to_its_end(processes: Processes, store: Store) -> None:
    value = os.urandom(300_000)
    store.set("k", value)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with processes.start("get", "k", stdout=writer) as process, open(reader, "rb") as pipe:
        os.close(writer)
        time.sleep(0.5)  # it meets a pipe that is full
        assert pipe.read() == value
        assert process.wait(30) == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_is_cut_off_is_no_success(store: Store, tmp_path: Path, unbuffered: str) -> None:
    store.set("k", os.urandom(300_000))
    processes = Processes(measured=False)  # coverage would meet the limit too
    assert processes.shell(
        f"cd {tmp_path}; export PYTHONUNBUFFERED={unbuffered}; ulimit -f 100; kvass --db $KVASS_DB get k >out"
    ) == (
        1,
        b"",
        "kvass: cannot write to standard output: File too large\n",
    )


def test_a_closed_pipe_says_nothing() -> None:
    assert str(OutputClosed()) == ""
    assert OutputClosed.exit_code == SIGPIPE_STATUS
