"""What mounting needs of the system besides libfuse, and which package brings it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from kvassfs.mount.errors import FuseMissing

DEVICE: Final = "/dev/fuse"
OS_RELEASE: Final = ("/etc/os-release", "/usr/lib/os-release")
PROGRAMS: Final = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/run/wrappers/bin"

PACKAGES: Final = {
    "debian": ("apt install", "fuse3", "libfuse2"),
    "ubuntu": ("apt install", "fuse3", "libfuse2"),
    "fedora": ("dnf install", "fuse3", "fuse-libs"),
    "rhel": ("dnf install", "fuse3", "fuse-libs"),
    "arch": ("pacman -S", "fuse3", "fuse2"),
    "alpine": ("apk add", "fuse3", "fuse"),
    "opensuse": ("zypper install", "fuse3", "libfuse2"),
    "suse": ("zypper install", "fuse3", "libfuse2"),
}
"""By ID of os-release: how to install a package, and those of libfuse 3 and of libfuse 2."""


def install_hint(major: int = 3, os_release: str | None = None) -> str:
    """Return how to install libfuse ``major`` and its programs on the system that ``os_release`` describes."""
    text = _os_release() if os_release is None else os_release
    for name in _names(text):
        if name in PACKAGES:
            command, three, two = PACKAGES[name]
            return f"install it, as root, with: {command} {three if major >= 3 else two}"
    return f"install your system's package of libfuse {major}, often called fuse{major if major >= 3 else ''}"


def _os_release() -> str:
    for name in OS_RELEASE:
        path = Path(name)
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _names(os_release: str) -> list[str]:
    """Return the system's ID and those it is like, most specific first; "opensuse-leap" is also "opensuse"."""
    values = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    names = " ".join(values.get(field, "").strip("\"'") for field in ("ID", "ID_LIKE")).split()
    return [variant for name in names for variant in (name, name.partition("-")[0])]


def fusermount(major: int) -> str | None:
    """Return the path of the program by which ordinary users mount and unmount with libfuse ``major``."""
    names = ("fusermount3", "fusermount") if major >= 3 else ("fusermount", "fusermount3")
    return next(filter(None, (shutil.which(name, path=PROGRAMS) for name in names)), None)


def check(major: int) -> None:
    """Raise FuseMissing if the kernel's device, or the program that opens it for a user, is missing."""
    if not os.path.exists(DEVICE):
        raise FuseMissing(DEVICE, "load the kernel module (as root: modprobe fuse), or give the container the device")
    if os.geteuid() != 0 and fusermount(major) is None:
        raise FuseMissing("fusermount3" if major >= 3 else "fusermount", install_hint())
