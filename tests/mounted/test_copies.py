"""Programs that copy with everything that a file has succeed, into the mount and out of it, whoever owns the files."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mounts import Mount
from tests.support.programs import need, run

STRANGER, GROUP = 4711, 4712
FACT = "user.kvass.token"
ATTRIBUTES = {"file": {"user.mime": b"text/plain", "user.raw": b"\0\xff"}, "dir": {"user.dir": b""}, "dir/deep": {}}


def cp(source: Path, copy: Path) -> None:
    run("cp", "-a", source, copy, directory=source.parent)


def rsync(source: Path, copy: Path) -> None:
    run("rsync", "-aX", f"{source}/", f"{copy}/", directory=source.parent)


def tar(source: Path, copy: Path) -> None:
    archive = source.parent / "archive.tar"
    run("tar", "--xattrs", "-cf", archive, "-C", source, ".", directory=source.parent)
    copy.mkdir()
    run("tar", "--xattrs", "-xpf", archive, "-C", copy, directory=copy)
    archive.unlink()


def mv(source: Path, copy: Path) -> None:
    moved = source.with_name("to-move")
    cp(source, moved)
    run("mv", moved, copy, directory=source.parent)


COPIERS = (cp, rsync, tar, mv)

Copier = Callable[[Path, Path], None]

by_each = pytest.mark.parametrize("copier", COPIERS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tree on the disk in which files and directories have attributes."""
    need("cp", "rsync", "tar", "mv")
    root = tmp_path / "source"
    (root / "dir").mkdir(parents=True)
    for name in ("file", "dir/deep"):
        (root / name).write_bytes(name.encode())
    try:
        give_attributes(root)
    except OSError as error:
        pytest.skip(f"the disk keeps no attributes: {error.strerror}")
    return root


def give_attributes(root: Path) -> None:
    for name, attributes in ATTRIBUTES.items():
        for attribute, value in attributes.items():
            os.setxattr(root / name, attribute, value)


def attributes(root: Path) -> dict[str, dict[str, bytes]]:
    return {
        name: {attribute: os.getxattr(root / name, attribute) for attribute in os.listxattr(root / name)}
        for name in ATTRIBUTES
    }


@by_each
def test_attributes_come_along_into_the_mount_and_out_of_it(
    mount: Mount, source: Path, tmp_path: Path, copier: Copier
) -> None:
    copier(source, mount.path / "copy")
    assert attributes(mount.path / "copy") == ATTRIBUTES
    assert os.getxattr(mount.path / "copy" / "file", FACT)
    copier(mount.path / "copy", tmp_path / "back")
    assert attributes(tmp_path / "back") == ATTRIBUTES


@by_each
def test_copies_of_facts_that_were_made_elsewhere_are_no_obstacle(mount: Mount, source: Path, copier: Copier) -> None:
    os.setxattr(source / "file", FACT, b"of another entry")
    os.setxattr(source / "dir", FACT, b"of another entry")
    copier(source, mount.path / "copy")
    assert attributes(mount.path / "copy") == ATTRIBUTES
    assert os.getxattr(mount.path / "copy" / "file", FACT) != b"of another entry"


@by_each
def test_root_copies_files_of_another_which_belong_to_the_mounts_user_then(
    mount: Mount, source: Path, copier: Copier
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may give files to another")
    for path in (source, source / "dir", source / "file", source / "dir" / "deep"):
        os.chown(path, STRANGER, GROUP)
    (source / "file").chmod(0o6755)
    (source / "link").symlink_to("file")
    os.lchown(source / "link", STRANGER, GROUP)
    copier(source, mount.path / "copy")
    for path in (mount.path / "copy", *(mount.path / "copy").rglob("*")):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (0, 0)
        assert not status.st_mode & (stat.S_ISUID | stat.S_ISGID)
    assert (mount.path / "copy" / "dir" / "deep").read_bytes() == b"dir/deep"
    assert stat.S_IMODE((mount.path / "copy" / "file").stat().st_mode) == 0o755


def test_rsync_copies_again_only_what_has_changed(mount: Mount, source: Path) -> None:
    rsync(source, mount.path / "copy")
    (source / "file").write_bytes(b"changed")
    out = run("rsync", "-aXi", f"{source}/", f"{mount.path}/copy/", directory=source)
    assert [line.split()[1] for line in out.splitlines()] == ["file"]
    assert attributes(mount.path / "copy") == ATTRIBUTES
    shutil.rmtree(mount.path / "copy")
