"""kvassfs.service.systemd, with a systemctl that notes what it is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from kvassfs.errors import ServiceError
from kvassfs.service.systemd import State, Systemd
from kvassfs.service.units import MARK, Unit

SERVICE = Unit("kvass-serve.service", f"{MARK} serve`\n[Service]\n")
SOCKET = Unit("kvass-serve.socket", f"{MARK} serve`\n[Socket]\n")


class Fake:
    """Stands in for systemctl; ``failing`` are the calls that fail, by their first word."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: dict[str, str] = {}
        self.answers: dict[str, str] = {}

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.calls.append(" ".join(command[1:]))
        said = self.failing.get(command[2])
        return subprocess.CompletedProcess(command, said is not None, self.answers.get(command[2], ""), said or "")


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "systemd" / "user"


@pytest.fixture
def manager(fake: Fake, folder: Path) -> Systemd:
    return Systemd("/bin/systemctl", str(folder), run=fake)


def test_a_service_is_written_enabled_and_started(manager: Systemd, fake: Fake, folder: Path) -> None:
    old = os.umask(0o077)
    manager.install([SERVICE])
    assert (folder / SERVICE.name).read_text() == SERVICE.text
    assert (folder / SERVICE.name).stat().st_mode & 0o777 == 0o644
    assert os.listdir(folder) == [SERVICE.name]
    assert fake.calls == [
        "--user show --property=Version",
        "--user daemon-reload",
        "--user enable kvass-serve.service",
        "--user restart kvass-serve.service",
    ]
    os.umask(old)


def test_a_socket_is_opened_before_its_service_starts(fake: Fake, folder: Path) -> None:
    Systemd("/bin/systemctl", str(folder), system=True, run=fake).install([SERVICE, SOCKET])
    assert fake.calls[2:] == [
        "--system enable kvass-serve.service kvass-serve.socket",
        "--system stop kvass-serve.service",
        "--system restart kvass-serve.socket",
        "--system restart kvass-serve.service",
    ]


def test_ours_is_written_anew_and_that_of_others_is_left_alone(manager: Systemd, fake: Fake, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / SERVICE.name).write_text(f"{MARK} serve`, long ago\n")
    manager.install([SERVICE])
    (folder / SERVICE.name).write_text("[Service]\n")
    fake.calls.clear()
    with pytest.raises(ServiceError, match=r"kvass-serve.service was not written by kvass; move it away, or choose"):
        manager.install([SERVICE])
    assert (folder / SERVICE.name).read_text() == "[Service]\n"
    assert fake.calls == ["--user show --property=Version"]
    assert manager.find_installed() == []


def test_without_systemctl_it_is_said_in_a_line_and_nothing_is_written(folder: Path) -> None:
    with pytest.raises(ServiceError) as caught:
        Systemd(None, str(folder)).install([SERVICE])
    assert str(caught.value) == (
        "there is no systemctl here; `--print` writes the unit, and contrib/ has examples for runit and launchd"
    )
    assert not folder.exists()


@pytest.mark.parametrize(
    ("system", "remedy"),
    [(False, "log in as this user, not with su or sudo; `--print` writes the unit without it"), (True, "be root")],
)
def test_a_manager_that_does_not_answer_is_said(fake: Fake, folder: Path, system: bool, remedy: str) -> None:
    fake.failing["show"] = "Failed to connect to bus: No medium found\n"
    with pytest.raises(ServiceError) as caught:
        Systemd("/bin/systemctl", str(folder), system=system, run=fake).install([SERVICE])
    assert str(caught.value) == f"systemd does not answer: Failed to connect to bus: No medium found; {remedy}"
    assert not folder.exists()


def test_a_service_that_does_not_start_is_said_with_where_its_log_is(manager: Systemd, fake: Fake) -> None:
    fake.failing["restart"] = "Job failed"
    with pytest.raises(ServiceError) as caught:
        manager.install([SERVICE])
    assert str(caught.value) == (
        "kvass-serve.service is installed but does not start;"
        " look why with: journalctl --user -n 20 -u kvass-serve.service"
    )


def test_what_systemd_refuses_is_said_in_its_words(manager: Systemd, fake: Fake) -> None:
    fake.failing["enable"] = "one\nFailed to enable unit.\n"
    with pytest.raises(ServiceError, match=r"^systemctl enable kvass-serve.service failed: Failed to enable unit$"):
        manager.install([SERVICE])
    fake.failing["enable"] = ""
    with pytest.raises(ServiceError, match="it says nothing"):
        manager.install([SERVICE])


def test_a_folder_that_cannot_be_written_is_said(manager: Systemd, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.touch()
    with pytest.raises(ServiceError, match=r"^cannot write .*/kvass-serve.service: "):
        manager.install([SERVICE])


def test_a_systemctl_that_cannot_be_run_is_said(folder: Path) -> None:
    with pytest.raises(ServiceError, match=r"^cannot run /no/such: No such file"):
        Systemd("/no/such", str(folder)).check()


def test_the_state_of_ours_is_what_systemd_says(manager: Systemd, fake: Fake, folder: Path) -> None:
    manager.install([SERVICE, SOCKET])
    (folder / "kvass-other.service").write_text("[Service]\n")
    (folder / "other.service").write_text(SERVICE.text)
    fake.answers["show"] = "StatusText=serving on a=b\nActiveState=active\nSubState=running\nUnitFileState=enabled\n"
    assert manager.find_states() == [State("kvass-serve.service", "active (running)", "enabled", "serving on a=b")]
    assert manager.is_active("kvass-serve.service")


def test_where_systemd_cannot_say_all_the_rest_is_asked(manager: Systemd, fake: Fake) -> None:
    fake.failing["show"] = "Failed to get properties: Invalid argument"
    fake.answers |= {"is-active": "active\n", "is-enabled": "enabled\n"}
    assert manager._find_state("kvass-mount.service") == State("kvass-mount.service", "active", "enabled", "")


def test_a_service_is_removed_with_its_socket_the_socket_first(manager: Systemd, fake: Fake, folder: Path) -> None:
    manager.install([SERVICE, SOCKET])
    fake.calls.clear()
    assert manager.uninstall([SERVICE.name]) == [SERVICE.name, SOCKET.name]
    assert os.listdir(folder) == []
    assert fake.calls == [
        "--user show --property=Version",
        "--user disable --now kvass-serve.socket",
        "--user disable --now kvass-serve.service",
        "--user daemon-reload",
    ]


def test_what_is_not_installed_is_not_removed(manager: Systemd, fake: Fake) -> None:
    with pytest.raises(ServiceError, match=r"^there is no kvass-x.service that kvass has installed; "):
        manager.uninstall(["kvass-x.service"])
