"""`mount -t fuse.kvassfs` and a line of fstab, with the system's mount(8), in a namespace that only root can make."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kvassfs.store import Store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SCRIPT = """
set -eu
mount -t tmpfs tmpfs layers
mkdir layers/upper layers/work
sbin=$(readlink -f /sbin)
mount -t overlay overlay -o "lowerdir=$sbin,upperdir=layers/upper,workdir=layers/work" "$sbin"
printf '#!/bin/sh\\nexec %s -m kvassfs_cli.mount_helper "$@"\\n' "$PYTHON" > "$sbin/mount.fuse.kvassfs"
chmod 755 "$sbin/mount.fuse.kvassfs"
escaped() { printf %s "$1" | sed 's/ /\\\\040/g'; }
cp /etc/fstab layers/fstab 2>/dev/null || :
printf '%s fuse.kvassfs user,noauto,ro,_netdev 0 0\\n' "$(escaped "$PWD/a b.sqlite") $(escaped "$PWD/m p")" >> layers/fstab
touch /etc/fstab
mount --bind layers/fstab /etc/fstab
server() { "$PYTHON" -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.kvass.pid").decode())' "$1"; }
await() { for _ in $(seq 200); do [ -e "/proc/$1" ] || return 0; sleep 0.05; done; echo "$1 lives on"; exit 1; }
"""
"""A copy of /sbin with the helper, and an fstab with a line, for the processes of this script alone."""


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    for name in ("layers", "m p"):
        (folder / name).mkdir(parents=True)
    with Store.open(folder / "a b.sqlite") as store:
        store.set("key", b"value\n")
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", SCRIPT + script],
        cwd=folder,
        env={**os.environ, "PYTHON": shlex.quote(sys.executable)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_mount_by_its_type_and_umount(tmp_path: Path) -> None:
    done = run(
        tmp_path / "x y",
        """
        mount -t fuse.kvassfs 'a b.sqlite' 'm p'
        cat 'm p/key'
        echo new > 'm p/new'
        findmnt -n -o FSTYPE,OPTIONS 'm p' | grep -oE 'fuse.kvassfs|^rw|noexec' || :
        pid=$(server 'm p')
        umount 'm p'
        await "$pid"
        ls 'm p'
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "value\nfuse.kvassfs\n", "")
    with Store.open(tmp_path / "x y" / "a b.sqlite") as store:
        assert store.get("new").read() == b"new\n"


def test_a_line_of_fstab_with_its_options(tmp_path: Path) -> None:
    done = run(
        tmp_path / "x y",
        """
        mount "$PWD/m p"
        cat 'm p/key'
        (echo new > 'm p/new') 2>&1 | grep -o 'Read-only file system'
        findmnt -n -o OPTIONS 'm p' | tr , '\\n' | grep -xE 'ro|noexec|nosuid|nodev'
        umount "$PWD/m p"
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["value", "Read-only file system", "ro", "nosuid", "nodev", "noexec"]


def test_what_is_refused_is_said_by_mount_with_its_status(tmp_path: Path) -> None:
    done = run(
        tmp_path / "x",
        """
        mount -t fuse.kvassfs -o weird=1 'a b.sqlite' 'm p' || echo "status $?"
        mount -t fuse.kvassfs no.sqlite 'm p' || echo "status $?"
        touch 'm p/file'
        mount -t fuse.kvassfs 'a b.sqlite' 'm p' || echo "status $?"
        rm 'm p/file'
        mount -f -t fuse.kvassfs 'a b.sqlite' 'm p'
        ls 'm p'
        mount -s -t fuse.kvassfs -o weird=1 'a b.sqlite' 'm p'
        ls 'm p'
        umount 'm p'
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["status 1", "status 32", "status 32", "key"]
    first, second, third = done.stderr.splitlines()
    assert first.startswith("kvass: mount.fuse.kvassfs: unknown option weird=1; known are ro, ")
    assert second.startswith("kvass: cannot open the database ")
    assert third.endswith("would be hidden; move that elsewhere, or name an empty directory")
    assert not (tmp_path / "x" / "no.sqlite").exists()
