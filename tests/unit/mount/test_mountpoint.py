"""The kernel's table of mounts, and which directories can be mounted on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kvassfs.mount import mountpoint
from kvassfs.mount.errors import MountBusy, MountError, MountRefused
from kvassfs.mount.mountpoint import Mounted, find_mount, last_line, prepare, unmount

# Lines of /proc/self/mountinfo of Linux 6.18; the optional fields before the hyphen vary in number.
TABLE = r"""27 1 254:0 / / rw,relatime - ext4 /dev/root rw
31 27 0:25 / /proc rw,relatime shared:5 - proc proc rw
42 27 0:39 / /home/a/with\040space\134and\011tab rw,nosuid - fuse.kvassfs /home/a/.kvassdb.sqlite rw,user_id=0
43 27 0:40 / /twice rw shared:1 master:2 - ext4 /dev/sdb rw
44 43 0:41 / /twice rw,nosuid - fuse.kvassfs /db\040-\040copy rw
"""


ODD = """
not a line of the kernel's
45 27 0:42 / /wide\u3000blank\u00a0and\u2028line\rend rw - fuse.kvassfs /db rw
46 27 0:43 / /without rw -  rw
47 27 0:44 / /latin\udce9 rw - fuse.other x\u3000y rw
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(TABLE)
    monkeypatch.setattr(mountpoint, "MOUNT_TABLE", str(path))
    return path


@pytest.mark.usefixtures("table")
def test_a_mount_is_found_by_its_directory() -> None:
    directory = "/home/a/with space\\and\ttab"
    assert find_mount(directory) == Mounted(directory, "fuse.kvassfs", "/home/a/.kvassdb.sqlite")
    assert find_mount("/home/a") is None


@pytest.mark.usefixtures("table")
def test_the_last_of_several_mounts_counts() -> None:
    assert find_mount("/twice") == Mounted("/twice", "fuse.kvassfs", "/db - copy")


def test_what_is_odd_in_the_table_stops_nothing(table: Path) -> None:
    table.write_bytes(table.read_bytes() + os.fsencode(ODD))
    directory = "/wide\u3000blank\u00a0and\u2028line\rend"
    assert find_mount(directory) == Mounted(directory, "fuse.kvassfs", "/db")
    assert find_mount("/latin\udce9") == Mounted("/latin\udce9", "fuse.other", "x\u3000y")
    assert find_mount("/twice") == Mounted("/twice", "fuse.kvassfs", "/db - copy")


def test_an_empty_directory_will_do_and_is_given_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    assert prepare(str(tmp_path / "link"), str(tmp_path / "db")) == str(tmp_path / "directory")


def test_a_directory_below_something_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MountRefused, match="it cannot be made: No such file or directory"):
        prepare(str(tmp_path / "a" / "b"), str(tmp_path / "db"), create=True)


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(MountRefused, match="there is no such directory"):
        prepare(str(tmp_path / "link"), str(tmp_path / "db"))


def test_a_directory_of_another_file_system_is_refused() -> None:
    with pytest.raises(MountRefused, match="proc is already mounted there; unmount it with: umount /proc"):
        prepare("/proc", "/tmp/db")


def test_a_directory_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(MountRefused, match="it cannot be read: Permission denied"):
        prepare(str(tmp_path), "/tmp/db")


def test_a_dead_mount_of_another_kind_is_left_to_the_user(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> os.statvfs_result:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    table.write_text("43 27 0:40 / /home rw - fuse.sshfs host: rw\n")
    monkeypatch.setattr("os.statvfs", refuse)
    with pytest.raises(MountRefused, match=r"a dead fuse\.sshfs is mounted there; unmount it with: umount -l /home"):
        prepare("/home", "/tmp/db")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("said", "error", "line"),
    [
        ("Device or resource busy", MountBusy, "is in use"),
        ("entry for / not found in /etc/mtab", MountError, "could not unmount /twice: entry for"),
    ],
)
def test_what_the_system_says_against_unmounting_is_told(
    monkeypatch: pytest.MonkeyPatch, said: str, error: type[MountError], line: str
) -> None:
    monkeypatch.setattr(mountpoint, "_unmount", lambda *_, **__: said)
    with pytest.raises(error, match=line):
        unmount("/twice")


def test_without_fusermount_root_unmounts_by_umount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs.mount.requirements.fusermount", lambda _: None)
    assert "not mounted" in mountpoint._unmount(str(tmp_path), lazy=True)


def test_a_program_that_fails_without_a_word_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvassfs.mount.requirements.fusermount", lambda _: "false")
    assert mountpoint._unmount(str(tmp_path), lazy=False) == "false failed with status 1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n", ""),
        ("fusermount3: mount failed: Operation not permitted\n", "mount failed: Operation not permitted"),
        ("/bin/fusermount: a\nfuse: b\n\n", "b"),
        ("umount: /d: target is busy.\n", "/d: target is busy."),
        ("something: else", "something: else"),
    ],
)
def test_the_last_line_is_taken_without_the_programs_name(text: str, line: str) -> None:
    assert last_line(text) == line
