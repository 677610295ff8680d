"""kvassfs_cli.commands.watch"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli.commands.watch import split_arguments
from tests.support.processes import KVASS, end_process, open_files, start_server, unmeasured
from tests.support.waiting import find_within, wait_until
from tests.unit.cli.conftest import Kvass, Processes


@pytest.mark.parametrize(
    ("line", "own", "command"),
    [
        ("", [], []),
        ("notes/", ["notes/"], []),
        ("-- echo x", [], ["echo", "x"]),
        ("notes/ -- echo -- x", ["notes/"], ["echo", "--", "x"]),
        ("--offline -- echo", ["--offline"], ["echo"]),
        ("--", [], []),
        ("-- -x", ["--", "-x"], []),
        ("-- -x -- echo -- y", ["--", "-x"], ["echo", "--", "y"]),
    ],
)
def test_the_command_stands_behind_two_dashes(line: str, own: list[str], command: list[str]) -> None:
    assert split_arguments(line.split()) == (own, command)


def start(processes: Processes, store: Store, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    """Start watching; return when it does."""
    process = processes.start("watch", *arguments, env=processes.environment(), **options)

    def watches() -> bool:
        assert process.poll() is None, process.communicate()
        caught = int(find_field(process.pid, "SigCgt"), 16)
        return bool(caught & 1 << (signal.SIGTERM - 1)) and "anon_inode:inotify" in open_files(process.pid)

    wait_until(watches, "it watches")
    return process


def find_field(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(name))


@pytest.fixture
def watched(store: Store) -> Store:
    store.set("notes/old", b"value")
    return store


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def end(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> tuple[int, bytes, bytes]:
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_each_change_is_a_line_until_a_signal(processes: Processes, watched: Store, number: signal.Signals) -> None:
    with start(processes, watched, "notes/") as process:
        watched.set("other", b"value")
        watched.set("notes/new", b"value")
        assert read_line(process) == b"created notes/new\n"
        watched.set("notes/old", b"value 2")
        assert read_line(process) == b"changed notes/old\n"
        watched.delete("notes/old")
        assert read_line(process) == b"removed notes/old\n"
        assert end(process, number) == (0, b"", b"")


def test_null_ends_lines_with_nul(processes: Processes, watched: Store) -> None:
    with start(processes, watched, "-0", "--", "-x\n") as process:
        watched.set("-x\n", b"value")
        watched.set("y", b"value")
        assert process.stdout is not None
        assert process.stdout.read(12) == b"created -x\n\0"
        assert end(process)[0] == 0


def test_a_command_is_run_for_each_change(processes: Processes, watched: Store) -> None:
    script = 'echo "$1 $KVASS_EVENT $KVASS_KEY"; test "$KVASS_EVENT" != changed'
    with start(processes, watched, "--", "sh", "-c", script, "sh", "told:") as process:
        watched.set("two\nlines", b"value")
        assert read_line(process) + read_line(process) == b"told: created two\nlines\n"
        watched.set("notes/old", b"value 2")
        assert read_line(process) == b"told: changed notes/old\n"
        watched.delete("notes/old")
        assert read_line(process) == b"told: removed notes/old\n"
        assert end(process) == (0, b"", b"kvass: sh: ended with status 1 (changed notes/old)\n")


def test_a_command_that_is_missing_ends_it(processes: Processes, watched: Store) -> None:
    with start(processes, watched, "--", "/no/such") as process:
        watched.set("k", b"value")
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (127, b"kvass: cannot run /no/such: No such file or directory\n")


def test_the_end_waits_for_the_command_that_runs(processes: Processes, watched: Store, tmp_path: Path) -> None:
    script = 'echo > "$HOME/begun"; sleep 0.5; echo done'
    with start(processes, watched, "--", "sh", "-c", script) as process:
        watched.set("a", b"value")
        watched.set("b", b"value")
        find_within(20, (tmp_path / "begun").exists, what="the command runs")
        assert end(process) == (0, b"done\n", b"")


def test_on_a_terminal_keys_are_escaped(processes: Processes, watched: Store) -> None:
    reader, writer = pty.openpty()
    with open(reader, "rb", closefd=True) as terminal, start(processes, watched, stdout=writer) as process:
        watched.set("two\nlines", b"value")
        assert terminal.readline() == b"created two\\nlines\r\n"
        end(process)
        os.close(writer)


def test_a_reader_that_has_gone_ends_it_with_the_next_line(processes: Processes, watched: Store) -> None:
    with start(processes, watched) as process:
        assert process.stdout is not None
        process.stdout.close()
        watched.set("k", b"value")
        assert process.wait(30) == -signal.SIGPIPE


def test_null_goes_with_no_command_and_a_database_must_be_there(kvass: Kvass) -> None:
    said = "kvass: --null goes with no COMMAND (see `kvass watch --help`)\n"
    assert kvass("watch", "-0", "--", "true") == (2, b"", said)
    status, _, err = kvass("watch")
    assert (status, err[:32]) == (1, "kvass: cannot open the database ")


@pytest.fixture
def hub_address(store: Store, tmp_path: Path) -> Iterator[str]:
    """A hub over HTTP with the key of the store, whose database is ``hub.sqlite``."""
    with Store.open(tmp_path / "hub.sqlite") as hub:
        hub.settings.set_encryption_key(store.settings.config().encryption_key)
    command = (*KVASS, "--db", str(tmp_path / "hub.sqlite"), "serve", "--bind", "127.0.0.1:0")
    process, port = start_server(command, tmp_path / "hub.log")
    yield f"127.0.0.1:{port}"
    end_process(process)


def test_without_a_mount_the_hub_is_followed(
    processes: Processes, store: Store, hub_address: str, tmp_path: Path
) -> None:
    store.settings.set_remote(hub_address)
    with start(processes, store) as process, Store.open(tmp_path / "hub.sqlite") as hub:
        wait_until(store.processes.is_in_touch, "the hub is in touch")
        hub.set("from-elsewhere", b"value")
        assert read_line(process) == b"created from-elsewhere\n"
        store.set("from-here", b"value")
        assert read_line(process) == b"created from-here\n"
        wait_until(lambda: "from-here" in hub.keys(), "it is pushed")
        status, _, err = end(process)
    assert (status, err.decode()) == (0, f"kvass: in touch with the hub {hub_address}\n")
    assert store.processes.followers() == []


def test_while_another_process_follows_it_does_not(processes: Processes, store: Store, hub_address: str) -> None:
    store.settings.set_remote(hub_address)
    with processes.running("sync", "--follow", env=unmeasured()) as follower:
        wait_until(store.processes.is_in_touch, "the hub is in touch")
        with start(processes, store) as process:
            store.set("k", b"value")
            assert read_line(process) == b"created k\n"
            assert [each.pid for each in store.processes.followers()] == [follower.pid]
            assert end(process) == (0, b"", b"")


def test_offline_the_hub_is_left_alone(processes: Processes, store: Store) -> None:
    store.settings.set_remote("127.0.0.1:1")
    with start(processes, store, "--offline") as process:
        store.set("k", b"value")
        assert read_line(process) == b"created k\n"
        assert end(process) == (0, b"", b"")


def test_a_hub_out_of_reach_is_said_and_changes_here_are_told(processes: Processes, store: Store) -> None:
    store.settings.set_remote("127.0.0.1:1")
    with start(processes, store) as process:
        store.set("k", b"value")
        assert read_line(process) == b"created k\n"
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"kvass: cannot reach the hub 127.0.0.1:1")
        assert end(process)[:2] == (0, b"")
