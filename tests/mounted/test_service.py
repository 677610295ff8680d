"""Mount, hub and follower under a service manager: ready when they say so, restarted after a kill, stopped in order."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.support.mounts import force_unmount
from tests.support.processes import HERE, KVASS
from tests.support.service_manager import Manager, managing


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "db.sqlite"
    with Store.open(path) as store:
        store.set("key", b"value")
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "mount point"
    force_unmount(tmp_path / "mount point")


def mount(db: Path, directory: Path) -> list[str]:
    return [*KVASS, "--db", str(db), "mount", "--foreground", str(directory)]


def serve(db: Path, *options: str) -> list[str]:
    return [*KVASS, "--db", str(db), "serve", *options]


def assert_log_is_clean(manager: Manager) -> None:
    assert "Traceback" not in manager.log.read_text()


class TestMount:
    def test_is_there_when_it_says_that_it_is_ready(self, db: Path, directory: Path, tmp_path: Path) -> None:
        with managing(mount(db, directory), tmp_path) as manager:
            manager.hear("READY=1")
            assert (directory / "key").read_bytes() == b"value"
            assert f"STATUS=mounted at {directory}" in manager.told
            assert manager.stop() == 0
            manager.hear("STOPPING=1")
            assert not os.path.ismount(directory)
            assert_log_is_clean(manager)

    def test_hears_of_an_abstract_socket_too(self, db: Path, directory: Path, tmp_path: Path) -> None:
        with managing(mount(db, directory), tmp_path, address=f"@kvassfs-{os.getpid()}-{tmp_path.name}") as manager:
            manager.hear("READY=1")
            assert manager.stop() == 0

    def test_says_nothing_where_it_cannot_mount(self, db: Path, tmp_path: Path) -> None:
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "file").touch()
        with managing(mount(db, tmp_path / "full"), tmp_path) as manager:
            assert manager.process is not None
            assert manager.process.wait(20) == 1
            assert not manager.hears("READY=1", 0.1)

    def test_killed_with_all_its_processes_it_is_mended_by_the_next_start(
        self, db: Path, directory: Path, tmp_path: Path
    ) -> None:
        with managing(mount(db, directory), tmp_path) as manager:
            manager.hear("READY=1")
            (directory / "new").write_bytes(b"saved before")
            manager.kill()
            with pytest.raises(OSError, match="Transport endpoint is not connected"):
                os.statvfs(directory)
            manager.start()
            manager.hear("READY=1")
            assert (directory / "new").read_bytes() == b"saved before"
            assert manager.stop() == 0
            assert not os.path.ismount(directory)
            assert_log_is_clean(manager)

    def test_says_that_it_is_alive_only_while_it_answers(self, db: Path, directory: Path, tmp_path: Path) -> None:
        with managing(mount(db, directory), tmp_path, watchdog=0.4) as manager:
            manager.hear("WATCHDOG=1")
            assert manager.hears("WATCHDOG=1", 10)
            os.kill(manager.pid, signal.SIGSTOP)
            assert not manager.hears("WATCHDOG=1", 1)
            os.kill(manager.pid, signal.SIGCONT)
            assert manager.hears("WATCHDOG=1", 10)
            assert manager.stop() == 0
            assert not os.path.ismount(directory)
            assert_log_is_clean(manager)

    def test_a_mount_of_which_only_the_main_thread_hangs_is_not_alive(
        self, db: Path, directory: Path, tmp_path: Path
    ) -> None:
        """As when its database is locked: the other threads go on."""
        with managing(mount(db, directory), tmp_path, watchdog=0.4) as manager:
            manager.hear("WATCHDOG=1")
            with Store.open(db) as store, store.transaction:
                writing = os.fork()
                if writing == 0:
                    try:
                        (directory / "waits").write_bytes(b"for the lock")
                    finally:
                        os._exit(0)
                while manager.hears("WATCHDOG=1", 1):
                    pass
            os.waitpid(writing, 0)
            assert manager.hears("WATCHDOG=1", 10)
            assert (directory / "waits").read_bytes() == b"for the lock"
            assert manager.stop() == 0


def health(port: int) -> int:
    connection = http.client.HTTPConnection(HERE, port, timeout=20)
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    return status


class TestServe:
    def test_answers_when_it_says_that_it_is_ready(self, db: Path, tmp_path: Path) -> None:
        with managing(serve(db, "--bind", f"{HERE}:0"), tmp_path) as manager:
            manager.hear("STATUS=serving on http://")
            (status,) = [line for line in manager.told if line.startswith("STATUS=")]
            assert health(int(status.rpartition(":")[2])) == 200
            assert manager.stop() == 0
            manager.hear("STOPPING=1")
            assert_log_is_clean(manager)

    def test_serves_the_sockets_that_it_is_handed_and_they_outlive_it(self, db: Path, tmp_path: Path) -> None:
        with socket.create_server((HERE, 0)) as first, socket.create_server((HERE, 0)) as second:
            ports = [each.getsockname()[1] for each in (first, second)]
            # A port that is in use: it is left aside.
            command = serve(db, "--bind", f"{HERE}:{ports[0]}")
            with managing(command, tmp_path, sockets=[first, second]) as manager:
                manager.hear("READY=1")
                assert [health(port) for port in ports] == [200, 200]
                assert f"STATUS=serving on http://{HERE}:{ports[0]}, http://{HERE}:{ports[1]}" in manager.told
                manager.kill()
                with socket.create_connection((HERE, ports[0]), timeout=20) as waiting:  # nobody serves; it waits
                    waiting.sendall(b"GET /health HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
                    manager.start()
                    assert waiting.recv(100).startswith(b"HTTP/1.1 200")
                assert manager.stop() == 0
                assert_log_is_clean(manager)

    def test_a_socket_that_is_none_for_it_is_refused_in_a_line(self, db: Path, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / "socket"))
            other.listen()
            with managing(serve(db), tmp_path, sockets=[other]) as manager:
                assert manager.process is not None
                assert manager.process.wait(20) == 1
                assert manager.log.read_text().startswith("kvass: cannot listen on the socket that was handed over")
                assert manager.log.read_text().count("\n") == 1

    def test_says_that_it_is_alive_only_while_its_loop_turns(self, db: Path, tmp_path: Path) -> None:
        with managing(serve(db, "--bind", f"{HERE}:0"), tmp_path, watchdog=0.4) as manager:
            manager.hear("READY=1")
            assert manager.hears("WATCHDOG=1", 10)
            os.kill(manager.pid, signal.SIGSTOP)
            manager.hears("nothing", 0.3)
            assert not manager.hears("WATCHDOG=1", 1)
            os.kill(manager.pid, signal.SIGCONT)
            assert manager.hears("WATCHDOG=1", 10)
            assert manager.stop() == 0


class TestSync:
    def test_is_ready_though_the_hub_is_away_and_tells_why_it_is_not_in_touch(self, db: Path, tmp_path: Path) -> None:
        with Store.open(db) as store:
            store.settings.set_remote(f"{HERE}:1")
        with managing([*KVASS, "--db", str(db), "sync", "--follow"], tmp_path) as manager:
            manager.hear("READY=1")
            manager.hear("STATUS=cannot reach the hub ")
            with Store.open(db) as store:
                assert [follower.pid for follower in store.processes.followers()] == [manager.pid]
            manager.kill()
            manager.start()
            manager.hear("READY=1")
            assert manager.stop() == 0
            manager.hear("STOPPING=1")
            with Store.open(db) as store:
                assert store.processes.followers() == []
            assert_log_is_clean(manager)
