"""The kernel's table of mounts, and which directories can be mounted on."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from kvassfs.mount import mountpoint
from kvassfs.mount.beneath import Beneath
from kvassfs.mount.errors import MountBusy, MountError, MountRefused, NotMounted
from kvassfs.mount.mountpoint import (
    Mounted,
    claim,
    closed,
    find_mount,
    is_left_closed,
    last_line,
    prepare,
    reopen,
    unmount,
)

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

    monkeypatch.setattr("os.listdir", refuse)
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


# Directories that are closed


@pytest.fixture
def left_closed(tmp_path: Path) -> Path:
    """A directory that a mount has left that was killed, and that somebody has unmounted."""
    (path := tmp_path / "directory").mkdir(mode=0o755)
    with Beneath(str(path)) as beneath:
        beneath.close()
    return path


def test_a_directory_that_was_left_closed_is_opened_for_the_next_mount(left_closed: Path) -> None:
    assert is_left_closed(str(left_closed))
    prepare(str(left_closed), "/tmp/db")
    assert not is_left_closed(str(left_closed))
    assert stat.S_IMODE(left_closed.stat().st_mode) == 0o755


def test_what_lies_in_it_is_named_and_can_be_moved(left_closed: Path) -> None:
    if os.geteuid() == 0:
        (left_closed / "a b").touch()
        with pytest.raises(MountRefused, match="it is not empty: 'a b' would be hidden; move that elsewhere, or name"):
            prepare(str(left_closed), "/tmp/db")
        assert stat.S_IMODE(left_closed.stat().st_mode) == 0o755


def test_it_is_left_to_whoever_is_about_to_mount_there(left_closed: Path) -> None:
    with claim(str(left_closed)):
        assert not reopen(str(left_closed))
        assert reopen(str(left_closed), claimed=True)


def test_it_stays_closed_where_something_is_mounted(left_closed: Path, table: Path) -> None:
    table.write_text(f"43 27 0:40 / {left_closed} rw - fuse.kvassfs /db rw\n")
    assert not reopen(str(left_closed))
    assert not is_left_closed(str(left_closed))


def test_unmounting_opens_it_once(left_closed: Path) -> None:
    unmount(str(left_closed))
    with pytest.raises(NotMounted):
        unmount(str(left_closed))


def test_what_cannot_be_opened_was_not_left_closed(tmp_path: Path) -> None:
    assert not is_left_closed(str(tmp_path / "missing"))
    assert not reopen(str(tmp_path / "missing"))


def test_a_mount_closes_a_directory_and_ends_its_claim(tmp_path: Path) -> None:
    before = stat.S_IMODE(tmp_path.stat().st_mode)
    with claim(str(tmp_path)) as claimed, closed(str(tmp_path), claimed) as close:
        close()
        assert is_left_closed(str(tmp_path))
        with claim(str(tmp_path)):
            pass
    assert stat.S_IMODE(tmp_path.stat().st_mode) == before


def test_what_came_into_it_meanwhile_is_not_hidden(tmp_path: Path) -> None:
    with claim(str(tmp_path)) as claimed, closed(str(tmp_path), claimed) as close:
        (tmp_path / "late").touch()
        with pytest.raises(MountRefused, match="'late' would be hidden"):
            close()
    assert not is_left_closed(str(tmp_path))


def test_a_directory_stays_closed_below_a_mount_that_stays(tmp_path: Path, table: Path) -> None:
    (path := tmp_path / "directory").mkdir()
    with claim(str(path)) as claimed, closed(str(path), claimed) as close:
        close()
        table.write_text(f"43 27 0:40 / {path} rw - fuse.kvassfs /db rw\n")
    table.write_text("")
    assert is_left_closed(str(path))
