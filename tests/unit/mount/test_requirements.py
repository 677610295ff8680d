"""Which package to install, and what else mounting needs of the system."""

from __future__ import annotations

import pytest

from kvassfs.mount import requirements
from kvassfs.mount.errors import FuseMissing

# Lines of /etc/os-release of released systems.
SYSTEMS = {
    "Debian 12": ('ID=debian\nVERSION_ID="12"\n', "apt install fuse3"),
    "Ubuntu 24.04": ("ID=ubuntu\nID_LIKE=debian\n", "apt install fuse3"),
    "Linux Mint": ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt install fuse3"),
    "Raspberry Pi OS": ("ID=raspbian\nID_LIKE=debian\n", "apt install fuse3"),
    "Fedora": ("ID=fedora\n", "dnf install fuse3"),
    "Rocky Linux": ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install fuse3"),
    "Arch": ("ID=arch\n", "pacman -S fuse3"),
    "Manjaro": ("ID=manjaro\nID_LIKE=arch\n", "pacman -S fuse3"),
    "Alpine": ("ID=alpine\n", "apk add fuse3"),
    "openSUSE Leap": ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper install fuse3"),
    "openSUSE Tumbleweed": ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper install fuse3"),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_hint_names_the_package_of_the_system(name: str) -> None:
    text, command = SYSTEMS[name]
    assert requirements.install_hint(3, text) == f"install it, as root, with: {command}"


@pytest.mark.parametrize("text", ["", "ID=plan9\n", "no assignment"])
def test_an_unknown_system_gets_a_hint_without_a_command(text: str) -> None:
    assert requirements.install_hint(3, text) == "install your system's package of libfuse 3, often called fuse3"


def test_this_system_is_known() -> None:
    assert "with: " in requirements.install_hint()


def test_a_system_that_does_not_say_what_it_is_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "OS_RELEASE", ("/nowhere",))
    assert "often called" in requirements.install_hint()


def test_a_missing_device_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "DEVICE", "/nowhere")
    with pytest.raises(FuseMissing, match=r"cannot mount: /nowhere is missing; .*modprobe fuse"):
        requirements.check(3)


@pytest.mark.parametrize(("major", "program"), [(3, "fusermount3"), (2, "fusermount")])
def test_a_user_without_fusermount_is_told_the_package(
    monkeypatch: pytest.MonkeyPatch, major: int, program: str
) -> None:
    monkeypatch.setattr(requirements, "DEVICE", "/dev/null")
    monkeypatch.setattr(requirements, "PROGRAMS", "/nowhere")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(FuseMissing, match=f"cannot mount: {program} is missing; install it, as root, with: "):
        requirements.check(major)


def test_root_needs_no_fusermount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "DEVICE", "/dev/null")
    monkeypatch.setattr(requirements, "PROGRAMS", "/nowhere")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    requirements.check(3)
