"""kvassfs_cli.commands.service, with a systemctl that notes what it is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kvassfs.errors import ServiceError
from kvassfs.mount import mountpoint
from kvassfs.mount.mountpoint import KIND, Mounted
from kvassfs.service.systemd import State
from kvassfs.store import Store
from kvassfs_cli.commands import service
from kvassfs_cli.commands.service import format_state
from tests.unit.cli.conftest import Kvass

SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
case "$2 $3" in
    "show --property=ActiveState"*) printf 'ActiveState=%s\\nSubState=running\\nUnitFileState=enabled\\n' \
"$(cat "$(dirname "$0")/state" 2>/dev/null || echo active)" ;;
esac
"""


@pytest.fixture(autouse=True)
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the program, alone on the PATH but for what it needs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(service, "SYSTEM_FOLDER", str(tmp_path / "system"))
    return folder


@pytest.fixture
def units(tmp_path: Path) -> Path:
    return tmp_path / "config/systemd/user"


def calls(systemctl: Path) -> list[str]:
    return (systemctl / "calls").read_text().splitlines()


def test_a_mount_is_installed_at_home_unless_a_directory_is_named(
    kvass: Kvass, database: Path, units: Path, systemctl: Path, tmp_path: Path
) -> None:
    said = f"kvass-mount.service: {tmp_path}/kvass is mounted now, and after each login\n"
    assert kvass("service", "install", "mount") == (0, said.encode(), "")
    text = (units / "kvass-mount.service").read_text()
    assert (
        f"ExecStart=:{sys.executable} -P -m kvassfs_cli --db {database} mount --foreground -- {tmp_path}/kvass\n"
        in text
    )
    assert calls(systemctl)[-1] == "--user restart kvass-mount.service"


def test_options_of_the_mount_are_passed_on(kvass: Kvass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = kvass("service", "install", "mount", "--print", "--read-only", "--allow-other", "--", "-a b")
    assert (status, err) == (0, "")
    assert f'mount --foreground --read-only --allow-other -- "{tmp_path}/-a b"\n'.encode() in out


def test_print_writes_the_unit_and_asks_nobody(
    kvass: Kvass, units: Path, systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    status, out, err = kvass("service", "install", "mount", "--print", "--name", "work")
    assert (status, err) == (0, "")
    assert out.startswith(b"# Written by `kvass service install mount`")
    assert not units.exists()
    assert not (systemctl / "calls").exists()


@pytest.mark.parametrize("line", ["install mount", "install serve", "uninstall", "install sync"])
def test_without_systemctl_it_is_said_in_a_line(
    kvass: Kvass, store: Store, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.settings.set_remote("hub.example")
    monkeypatch.setenv("PATH", "/nowhere")
    assert kvass("service", *line.split()) == (
        1,
        b"",
        "kvass: there is no systemctl here; `--print` writes the unit, and contrib/ has examples for runit and launchd\n",
    )


def test_where_something_is_mounted_already_it_is_refused(
    kvass: Kvass, units: Path, systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mountpoint, "find_mount", lambda directory: Mounted(directory, KIND, "/db"))
    (systemctl / "state").write_text("inactive")
    status, out, err = kvass("service", "install", "mount", str(tmp_path / "a b"))
    assert (status, out) == (1, b"")
    assert err.endswith(
        f"is mounted already, and not by kvass-mount.service; end that first: kvass umount '{tmp_path}/a b'\n"
    )
    assert not units.exists()
    (systemctl / "state").write_text("active")
    assert kvass("service", "install", "mount", str(tmp_path / "a b")).status == 0


def test_what_follows_the_hub_needs_one(kvass: Kvass, store: Store, units: Path) -> None:
    assert kvass("service", "install", "sync") == (
        1,
        b"",
        "kvass: there is no hub; set one with `kvass config remote HOST`\n",
    )
    store.settings.set_remote("hub.example")
    status, out, err = kvass("service", "install", "sync")
    assert (status, out) == (0, b"kvass-sync.service: the hub is followed now, and after each login\n")
    assert err == "kvass: it ends when you log out everywhere; `loginctl enable-linger` has it run always\n"
    assert (units / "kvass-sync.service").exists()


def test_a_hub_of_the_user(kvass: Kvass, database: Path, units: Path) -> None:
    status, out, _ = kvass("service", "install", "serve", "--bind", ":8001", "--quiet")
    assert (status, out) == (0, b"kvass-serve.service: the hub serves on :8001\n")
    assert f"--db {database} serve --bind :8001 --quiet\n" in (units / "kvass-serve.service").read_text()


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "check_reachable", lambda: None)
    monkeypatch.delenv("KVASS_DB")


def test_a_hub_of_the_system(kvass: Kvass, database: Path, reachable: None, systemctl: Path, tmp_path: Path) -> None:
    status, out, err = kvass("service", "install", "serve", "--system")
    assert (status, err) == (0, "")
    assert out.endswith(b"its key: kvass --db /var/lib/kvass/kvassdb.sqlite config show\n")
    assert sorted(each.name for each in (tmp_path / "system").iterdir()) == [
        "kvass-serve.service",
        "kvass-serve.socket",
    ]
    assert calls(systemctl)[-1] == "--system restart kvass-serve.service"
    status, out, err = kvass("service", "uninstall", "--system", "serve")
    assert (status, out, err) == (0, b"kvass-serve.service: removed\nkvass-serve.socket: removed\n", "")


def test_it_has_its_database_in_its_own_directory(kvass: Kvass, database: Path) -> None:
    status, out, err = kvass("service", "install", "serve", "--system")
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: a service of the system has its database at /var/lib/kvass/kvassdb.sqlite; ")


def test_where_its_user_cannot_run_kvass_it_is_refused_and_printed_with_a_warning(
    kvass: Kvass, database: Path, reachable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ServiceError("a service cannot run it")

    monkeypatch.setattr(service, "check_reachable", refuse)
    assert kvass("service", "install", "serve", "--system") == (1, b"", "kvass: a service cannot run it\n")
    status, out, err = kvass("service", "install", "serve", "--system", "--print")
    assert (status, err) == (0, "kvass: warning: a service cannot run it\n")
    assert b"\n\n# kvass-serve.socket\n" in out


def test_status_lists_what_is_installed_and_exits_1_where_it_does_not_run(kvass: Kvass, systemctl: Path) -> None:
    assert kvass("service", "status") == (0, b"no service is installed; `kvass service install` does it\n", "")
    kvass("service", "install", "mount")
    assert kvass("service", "status") == (0, b"kvass-mount.service  active (running), enabled\n", "")
    (systemctl / "state").write_text("failed")
    assert kvass("service", "status") == (1, b"kvass-mount.service  failed (running), enabled\n", "")


def test_uninstall_removes_all_or_those_that_are_named(kvass: Kvass, units: Path) -> None:
    kvass("service", "install", "mount")
    kvass("service", "install", "serve")
    assert kvass("service", "uninstall", "serve") == (0, b"kvass-serve.service: removed\n", "")
    status, out, err = kvass("service", "uninstall", "serve")
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: there is no kvass-serve.service that kvass has installed; ")
    assert kvass("service", "uninstall") == (0, b"kvass-mount.service: removed\n", "")
    assert kvass("service", "uninstall") == (0, b"", "kvass: no service is installed\n")
    assert list(units.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        "install nope",
        "install mount a b",
        "install serve --tls-key k",
        "install serve --system --name x",
        "install mount ''",
        "nope",
        "status x",
    ],
)
def test_wrong_usage_exits_2(kvass: Kvass, line: str) -> None:
    status, out, err = kvass("service", *("" if word == "''" else word for word in line.split()))
    assert (status, out) == (2, b"")
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["", "install"])
def test_the_groups_show_their_commands(kvass: Kvass, line: str) -> None:
    status, out, _ = kvass("service", *line.split())
    assert status == 0
    assert b"Sub-commands:" in out


def test_a_state_is_one_line() -> None:
    assert format_state(State("kvass-a.service", "active (running)", "", "a\nb")) == (
        "kvass-a.service  active (running), not enabled: a\\nb"
    )
