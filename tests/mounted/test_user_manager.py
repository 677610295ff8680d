"""Services under a real systemd: that of a user, in a namespace of its own; only root can make that."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.processes import HERE, KVASS, end_process
from tests.support.waiting import find_within

SYSTEMD = shutil.which("systemd", path="/usr/lib/systemd:/lib/systemd")

NAMESPACE = """
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system || exit 77
exec "$@"
"""
"""systemd runs for users where it runs for the system, and takes this for a sign of that."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or SYSTEMD is None, reason="needs root, and systemd")


class User:
    """Whose services systemd runs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.db = home / "db.sqlite"
        runtime = home / "runtime"
        runtime.mkdir(mode=0o700)
        changed = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "KVASS_DB": str(self.db)}
        self._environment = {**os.environ, **changed}
        for name in ("XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS"):
            self._environment.pop(name, None)
        assert SYSTEMD is not None
        self._log = (home / "log").open("wb")
        self.manager = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", NAMESPACE, "sh", SYSTEMD, "--user", "--log-target=console"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        find_within(20, self._is_up, what="systemd answers")

    def _is_up(self) -> bool:
        if self.manager.poll() is not None:
            pytest.skip(f"systemd does not run here: {(self.home / 'log').read_text()[-300:]}")
        return self.run("systemctl", "--user", "show", "--property=Version").returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "--mount", f"--target={self.manager.pid}", *command]
        return subprocess.run(
            inside, env=self._environment, capture_output=True, text=True, errors="replace", check=False
        )

    def kvass(self, *arguments: str) -> str:
        done = self.run(*KVASS, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        end_process(self.manager)
        self._log.close()


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    made = User(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", ["kvass", "a \"b' $HOME %h;\n\\ é"])
def test_a_mount_is_there_after_install_and_after_a_kill_and_gone_after_uninstall(user: User, name: str) -> None:
    directory = str(user.home / name)
    user.kvass("set", "key", "value")
    user.kvass("service", "install", "mount", directory)
    assert user.run("cat", f"{directory}/key").stdout == "value\n"
    assert user.kvass("service", "status").startswith("kvass-mount.service  active (running), enabled: mounted at ")
    killed = time.monotonic()
    user.run("systemctl", "--user", "kill", "--signal=KILL", "--kill-who=all", "kvass-mount")
    find_within(30, lambda: user.run("cat", f"{directory}/key").stdout == "value\n", what="mounted again")
    assert time.monotonic() - killed < 30
    assert user.kvass("service", "uninstall") == "kvass-mount.service: removed\n"
    assert user.run("ls", "-A", directory).stdout == ""


def free_port() -> int:
    with socket.create_server((HERE, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_a_hub_is_restarted_by_the_next_install_and_says_where_it_serves(user: User) -> None:
    first, second = free_port(), free_port()
    user.kvass("service", "install", "serve", "--bind", f"{HERE}:{first}")
    connection = HTTPConnection(HERE, first, timeout=20)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()
    assert f"serving on http://{HERE}:{first}" in user.kvass("service", "status")
    user.kvass("service", "install", "serve", "--bind", f"{HERE}:{second}")
    assert f"serving on http://{HERE}:{second}" in user.kvass("service", "status")
