"""Several devices and a hub: real command lines, as their users type them."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.unit.cli.conftest import Processes

SECONDS = 30.0
"""How long anything may take here."""

HERE = "127.0.0.1"


@contextmanager
def served(processes: Processes, database: Path, port: str = "0") -> Iterator[str]:
    """``with`` a hub on ``database``, and its address."""
    with processes.start("serve", "--quiet", "--db", str(database), "--bind", f"{HERE}:{port}") as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline().decode()
            found = re.search(rf"http://({HERE}:\d+)", line)
            assert found is not None, line
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=SECONDS)


@pytest.fixture
def processes(database: Path) -> Processes:
    """Start command lines as processes: so many that measuring them would take as long as all others here."""
    return Processes(measured=False)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The database of the hub; there is no file yet."""
    return tmp_path / "server.sqlite"


@pytest.fixture
def shared(processes: Processes, server: Path) -> Iterator[str]:
    """The address of a hub whose key and address the device has been given."""
    with served(processes, server) as address:
        join(processes, server, address)
        yield address


def join(processes: Processes, server: Path, address: str, *options: str) -> None:
    shown = processes.run("config", "show", "--db", str(server)).out.decode()
    key = shown.split("\n")[0].split()[-1]
    assert processes.run("config", "key", "-", *options, stdin=key.encode()) == (0, b"", "")
    assert processes.run("config", "remote", address, *options) == (0, b"", "")


def test_the_transcript_of_the_original_runs(processes: Processes, server: Path, tmp_path: Path) -> None:
    logo = os.urandom(300_000)
    (tmp_path / "kvass.jpg").write_bytes(logo)
    on_server = f"--db {server}"
    with served(processes, server) as address:
        script = f"""
            set -e
            cd {tmp_path}
            kvass set hello world
            kvass get hello
            kvass ls
            kvass set logo < kvass.jpg
            kvass get logo > copy.jpg
            kvass {on_server} config show > shown
            kvass config key $(sed -n 's/^Encryption Key: *\\t//p' shown)
            kvass config remote {address}
            kvass set "hello from the other side" hello
            kvass {on_server} get "hello from the other side"
            kvass {on_server} set hello 👋
            kvass get hello
        """
        status, out, err = processes.shell(script)
        assert (status, out) == (0, "world\nhello\nhello\n👋\n".encode())
        assert err.startswith("kvass: warning: others could read the key in the list of processes")
        assert err.count("\n") == 1
    assert (tmp_path / "copy.jpg").read_bytes() == logo
    assert re.fullmatch(
        r"Encryption Key:  \t[0-9a-f]{64}\nProcessID:       \t\d+\nRemote:          \t\(None\)\n",
        (tmp_path / "shown").read_text(),
    )
    with Store.open(server) as store:
        assert store.get("logo").read() == logo


def test_two_devices_share_what_they_had_before(processes: Processes, shared: str, server: Path) -> None:
    other = f"--db={server}.other"
    processes.run("set", other, "theirs", "1")
    processes.run("set", "ours", "2")
    join(processes, server, shared, other)
    out = processes.run("sync", other).out
    assert re.fullmatch(rb"pulled 1 entry \(\d+ B\), pushed 1 entry \(\d+ B\)\n", out)
    assert processes.run("ls") == (0, b"ours\ntheirs\n", "")
    assert processes.run("ls", other) == (0, b"ours\ntheirs\n", "")


def test_offline_all_goes_on_with_a_warning_and_is_pushed_later(processes: Processes, server: Path) -> None:
    with served(processes, server) as address:
        join(processes, server, address)
        processes.run("set", "k", "before")
    status, out, err = processes.run("set", "k", "offline")
    assert (status, out) == (0, b"")
    assert err.startswith(f"kvass: warning: cannot reach the hub {address}: ")
    assert err.count("\n") == 1
    status, out, err = processes.run("get", "k")
    assert (status, out) == (0, b"offline\n")
    assert err.endswith("; showing what is stored here\n")
    assert processes.run("get", "k", "--offline") == (0, b"offline\n", "")
    with served(processes, server, address.partition(":")[2]):
        processes.run("set", "other", "value")
    assert processes.run("get", "k", "--db", str(server)).out == b"offline\n"


def test_another_key_is_said_in_one_line(processes: Processes, shared: str) -> None:
    processes.run("config", "key", "0" * 64)
    status, _, err = processes.run("set", "k", "value")
    assert status == 0
    assert err == (
        f"kvass: warning: the hub {shared} has another encryption key; type `kvass pair` on a device that it accepts,"
        " and the line that appears, with --merge, on this one (or set the key with `kvass config key`): nothing here is"
        " lost; kept here and pushed later\n"
    )
    status, out, err = processes.run("sync")
    assert (status, out) == (1, b"")
    assert err.count("\n") == 1


def test_another_service_is_no_hub(processes: Processes, store: Store, tmp_path: Path) -> None:
    with subprocess.Popen(
        [processes.command[0], "-u", "-m", "http.server", "0", "--bind", HERE, "--directory", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        found = re.search(rb"port (\d+)", process.stdout.readline())
        assert found is not None
        store.settings.set_remote(f"{HERE}:{found[1].decode()}")
        status, out, err = processes.run("sync")
        process.terminate()
    assert (status, out) == (1, b"")
    assert err.startswith(f"kvass: no kvass hub answers at {store.settings.config().remote}: ")
    assert err.count("\n") == 1


def test_status_of_device_and_hub(processes: Processes, shared: str, server: Path, store: Store) -> None:
    processes.run("set", "k", "value")
    status, out, err = processes.run("status")
    assert (status, err) == (0, "")
    shown = out.decode()
    assert f"Hub:             \t{shared}\nAnswers:         \tyes, protocol version 2\n" in shown
    assert re.search(r"^Last exchange: +\t[-\d]{10} [:\d]{8}, .*(ago|now)$", shown, re.MULTILINE)
    assert str(store.settings.config().process_id) in processes.run("status", "--db", str(server)).out.decode()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_follow_keeps_in_step_until_a_signal(
    processes: Processes, shared: str, server: Path, store: Store, ending: signal.Signals
) -> None:
    with processes.running("sync", "--follow") as process, Store.open(server) as of_hub:
        wait_until(store.processes.is_in_touch)
        assert processes.run("status").out.count(b"kvass sync --follow (pid ") == 1
        of_hub.set("theirs", b"value")
        wait_until(lambda: "theirs" in store.keys())
        store.set("ours", b"value")
        wait_until(lambda: "ours" in of_hub.keys())
        process.send_signal(ending)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, b"")
    assert err.decode() == f"kvass: in touch with the hub {shared}\n"
    assert store.processes.followers() == []


def test_follow_says_when_the_hub_goes_and_comes_back(processes: Processes, server: Path, store: Store) -> None:
    with ExitStack() as ending:
        with served(processes, server) as address:
            join(processes, server, address)
            process = ending.enter_context(processes.running("sync", "--follow"))
            wait_until(store.processes.is_in_touch)
        wait_until(lambda: not store.processes.is_in_touch())
        with served(processes, server, address.partition(":")[2]):
            wait_until(store.processes.is_in_touch)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=SECONDS)
    lines = err.decode().splitlines()
    assert lines[0] == lines[-1] == f"kvass: in touch with the hub {address}"
    assert all(line.startswith(f"kvass: cannot reach the hub {address}: ") for line in lines[1:-1])
    assert len(lines) >= 3


def test_while_one_follows_get_is_current_and_asks_nobody(
    processes: Processes, shared: str, server: Path, store: Store
) -> None:
    with processes.running("sync", "--follow") as process:
        wait_until(store.processes.is_in_touch)
        processes.run("set", "k", "value", "--db", str(server))
        wait_until(lambda: "k" in store.keys())
        reached = last_exchange(store)
        assert processes.run("get", "k") == (0, b"value\n", "")
        assert store.peers.hub().reached == reached
        process.terminate()
        process.communicate(timeout=SECONDS)


def last_exchange(store: Store) -> int:
    """Return when the hub was reached last, once the follower only waits for news."""
    reached, before = store.peers.hub().reached, 0
    while reached != before:
        time.sleep(0.3)
        reached, before = store.peers.hub().reached, reached
    return reached


def test_progress_is_drawn_on_a_terminal_and_taken_away(
    processes: Processes, shared: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.transaction:
        for number in range(2000):
            store.set(f"key {number}", os.urandom(10_000))
    script = "from kvassfs_cli import main, progress; progress.PATIENCE = 0; import sys; sys.exit(main.run(['sync']))"
    terminal, end = pty.openpty()
    with subprocess.Popen([processes.command[0], "-c", script], stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        shown = b""
        while select.select([terminal], [], [], SECONDS)[0] and (piece := _read(terminal)):
            shown += piece
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"pushed 2000 entries (")
    os.close(terminal)
    assert process.returncode == 0
    assert re.search(rb"\[[#-]+\] +\d+%  \d+ of \d+ entries, [\d.]+ \w+, [\d.]+ \w+/s, \d+:\d\d left", shown)
    assert shown.endswith(b"\r\x1b[K\x1b[?25h")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # EIO: the other end is closed
        return b""
