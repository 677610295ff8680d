"""How mounts begin and end: for root and for users, in the foreground and as daemons, in good order and by accident."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kvassfs.mount import mountpoint
from kvassfs.mount.errors import MountBusy, NotMounted
from kvassfs.mount.mountpoint import unmount
from kvassfs.store import Store
from tests.support.mounts import Mount, is_in_table, mounted, start
from tests.support.places import NOBODY, Place, ended, kill
from tests.support.processes import ROOT, SECONDS, children
from tests.support.waiting import find_within, within

# Beginning


def test_a_daemon_answers_when_the_command_returns(place: Place) -> None:
    place.mount_well()
    assert os.path.ismount(place.path)
    (place.path / "key").write_bytes(b"value")
    assert place.value("key") == b"value"
    assert os.getsid(place.server()) != os.getsid(0)


def test_a_daemon_lets_go_of_the_standard_descriptors_and_the_directory(place: Place) -> None:
    place.mount_well()
    server = Path(f"/proc/{place.server()}")
    assert [os.readlink(server / "fd" / str(number)) for number in range(3)] == [os.devnull] * 3
    assert os.readlink(server / "cwd") == "/"


def test_a_daemon_keeps_no_descriptor_that_it_inherited(place: Place, tmp_path: Path) -> None:
    """A lock that a shell holds on a descriptor of its own ends with the shell."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    reader, writer = os.pipe()
    for inherited in (lock, writer):
        os.set_inheritable(inherited, True)
    arguments = {"directory": str(place.path), "database": str(place.db), "binding": place.binding}
    assert start("mount", arguments, user=place.user, pass_fds=(lock, writer)).wait(SECONDS) == 0
    os.close(writer)
    os.close(lock)
    with open(reader, "rb") as pipe, open(tmp_path / "lock", "rb") as again:
        assert pipe.read() == b""
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_no_helper_keeps_descriptors_of_the_caller(place: Place) -> None:
    place.mount_well()
    for process in (place.server(), *children(place.server())):
        targets = [os.readlink(found) for found in Path(f"/proc/{process}/fd").iterdir()]
        pipes = [target for target in targets if target.startswith("pipe:")]
        assert all(pipes.count(pipe) == 2 for pipe in pipes)  # one of its own, with both ends


def test_a_mount_is_private_and_shows_what_it_is(mount: Mount) -> None:
    assert stat.S_IMODE(mount.path.stat().st_mode) == 0o700
    (line,) = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {mount.path} " in line]
    options, described = line.split(" - ")
    assert {"nosuid", "nodev"} <= set(options.split()[5].split(","))
    kind, source, more = described.split()
    assert (kind, source) == ("fuse.kvassfs", str(mount.db))
    assert "default_permissions" in more
    assert "allow_other" not in more


def test_a_database_with_a_comma_and_a_space_in_its_name_mounts(binding: str, tmp_path: Path) -> None:
    room = tmp_path / "a, b\\c"
    room.mkdir()
    (room / "mount point").mkdir()
    with mounted(room / "mount point", room / "x,y.sqlite", binding) as mount:
        (mount.path / "key").write_bytes(b"value")
        found = mountpoint.find_mount(str(mount.path))
        assert found is not None
        assert found.source == str(mount.db)


def test_the_directory_is_made_where_that_is_asked_for(place: Place) -> None:
    place.path.rmdir()
    place.mount_well(create=True)
    unmount(str(place.path))
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o700


def test_a_directory_that_was_made_goes_when_mounting_fails(place: Place) -> None:
    place.path.rmdir()
    place.db.write_bytes(b"something else" * 100)
    place.refusal(create=True)
    assert not place.path.exists()


# Refusing


def test_a_missing_directory_is_refused(place: Place) -> None:
    place.path.rmdir()
    line = place.refusal()
    assert f"cannot mount {place.path}: there is no such directory; make it with: mkdir {place.path}\n" in line


def test_a_file_is_refused(place: Place) -> None:
    place.path.rmdir()
    place.path.touch()
    assert "it is not a directory" in place.refusal()


def test_a_directory_that_is_not_empty_is_refused(place: Place) -> None:
    (place.path / "file").touch()
    assert "it is not empty" in place.refusal()
    assert not os.path.ismount(place.path)


def test_a_directory_that_is_mounted_already_is_refused(place: Place) -> None:
    place.mount_well()
    assert f"fuse.kvassfs is already mounted there; unmount it with: kvass umount {place.path}" in place.refusal()


@pytest.mark.parametrize("below", ["kvass.sqlite", "deeper/kvass.sqlite"])
def test_the_directory_that_holds_the_database_is_refused(place: Place, below: str) -> None:
    line = place.refusal(database=str(place.path / below))
    assert f"the database {place.path / below} is in it; choose another directory" in line
    assert list(place.path.iterdir()) == []


def test_a_file_that_is_no_database_is_reported_before_anything_is_mounted(place: Place) -> None:
    place.db.write_bytes(b"something else" * 100)
    assert "is not a kvass database" in place.refusal()
    assert not os.path.ismount(place.path)


def test_a_log_that_cannot_be_written_is_reported(place: Place) -> None:
    assert "cannot write the log" in place.refusal(log="/nowhere/log")


def test_an_unknown_binding_is_reported(place: Place) -> None:
    assert "unknown FUSE binding 'other'" in place.refusal(binding="other")


# Ending


def test_unmounting_waits_until_the_daemon_has_ended(place: Place) -> None:
    place.mount_well()
    server = place.server()
    (place.path / "key").write_bytes(b"value")
    unmount(str(place.path))
    with suppress(FileNotFoundError):
        assert Path(f"/proc/{server}/stat").read_text().split()[2] == "Z"
    assert list(place.path.iterdir()) == []


def test_a_mount_in_use_stays_and_can_be_unmounted_lazily(place: Place) -> None:
    place.mount_well()
    server = os.pidfd_open(place.server())
    with (place.path / "key").open("wb") as file:
        with pytest.raises(MountBusy, match=r"is in use; .* --lazy"):
            unmount(str(place.path))
        unmount(str(place.path), lazy=True)
        assert not os.path.ismount(place.path)
        file.write(b"written after that")
    assert ended(server)
    assert place.value("key") == b"written after that"


def test_what_is_not_mounted_cannot_be_unmounted(tmp_path: Path) -> None:
    with pytest.raises(NotMounted, match="nothing is mounted there"):
        unmount(str(tmp_path))


def test_what_is_not_ours_is_not_unmounted() -> None:
    with pytest.raises(NotMounted, match="is not a kvass mount: proc is mounted there"):
        unmount("/proc")


def test_unmounting_by_other_means_ends_the_process_in_good_order(mount: Mount) -> None:
    (mount.path / "key").write_bytes(b"value")
    subprocess.run(["fusermount3", "-u", str(mount.path)], check=True)
    assert mount.process.wait(SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_what_is_open_and_unmounts(mount: Mount, number: signal.Signals) -> None:
    file = os.open(mount.path / "key", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"not closed yet")
    mount.process.send_signal(number)
    assert mount.process.wait(SECONDS) == 0
    assert not is_in_table(mount.path)
    with Store.open(mount.db) as store:
        assert store.get("key").read() == b"not closed yet"
    with pytest.raises(OSError, match=r"not connected|abort"):
        os.close(file)


def test_a_signal_ends_a_daemon_that_nothing_uses(place: Place) -> None:
    place.mount_well()
    server = os.pidfd_open(place.server())
    signal.pidfd_send_signal(server, signal.SIGTERM)
    assert ended(server)
    assert not is_in_table(place.path)


def test_a_killed_mount_is_repaired_by_the_next(place: Place) -> None:
    place.mount_well()
    (place.path / "key").write_bytes(b"value")
    kill(place.server())
    with pytest.raises(OSError, match="not connected") as raised:
        os.statvfs(place.path)
    assert raised.value.errno == errno.ENOTCONN
    place.mount_well()
    assert (place.path / "key").read_bytes() == b"value"


def test_a_killed_mount_can_be_unmounted(place: Place) -> None:
    place.mount_well()
    kill(place.server())
    unmount(str(place.path))
    assert not is_in_table(place.path)


# Reading only


OTHERS = """
import os, sys
from kvassfs.store import Store
with Store.open(sys.argv[1]) as store:
    print(flush=True)
    while True:
        for name in ("one", "two", "three"):
            store.set(f"dir/{name}", os.urandom(50))
        store.delete("dir/three")
"""
"""Another process that changes keys all the time."""

USERS = """
import os, sys
print(flush=True)
while True:
    try:
        with open(f"{sys.argv[1]}/dir/one") as file:
            file.read()
        with open(f"{sys.argv[1]}/dir/own", "w") as file:
            file.write("x")
        os.unlink(file.name)
    except (FileNotFoundError, UnicodeDecodeError):
        if not os.path.ismount(sys.argv[1]):
            break
"""
"""A program that uses the directory in which they are, until that fails or the mount is gone."""


@contextmanager
def running(script: str, argument: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`with` a process that runs a script, once it has begun."""
    command = [sys.executable, "-c", script, str(argument)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    with process, process.stdout:
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("again", range(8))
def test_a_mount_that_is_killed_leaves_nothing_hanging(binding: str, tmp_path: Path, again: int) -> None:
    """The kernel forgets what others change, which takes calls to the mount, and must not keep it from dying."""
    (path := tmp_path / "mount").mkdir()
    with mounted(path, tmp_path / "kvass.sqlite", binding) as mount, running(OTHERS, mount.db):
        within(SECONDS, (path / "dir/two").exists, what="a key of the other process")
        with running(USERS, path) as user:
            time.sleep(0.2 + 0.03 * again)
            find_within(SECONDS, lambda: calling(mount), what="the process that calls the mount")
            helpers = children(mount.process.pid)
            mount.process.kill()
            mount.process.wait(SECONDS)
            user.wait(SECONDS)
        within(SECONDS, lambda: not any(map(is_alive, helpers)), what="the end of what runs beside the mount")


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and is no zombie, which nobody may collect here."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_mount_whose_own_calls_hang_can_be_ended(mount: Mount) -> None:
    with running(OTHERS, mount.db):
        within(SECONDS, (mount.path / "dir/two").exists, what="a key of the other process")
        (caller,) = find_within(SECONDS, lambda: calling(mount), what="the process that calls the mount")
        os.kill(caller, signal.SIGSTOP)
        mount.process.terminate()
        mount.process.wait(SECONDS)
    within(SECONDS, lambda: not is_alive(caller), what="the end of the process that called the mount")


def calling(mount: Mount) -> list[int]:
    """Return the processes that call a mount."""
    return [
        pid
        for pid in children(mount.process.pid)
        if b"kvassfs.mount.calls" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_nothing_can_be_changed_through_a_mount_that_is_read_only(binding: str, tmp_path: Path) -> None:
    path, db = tmp_path / "mount", tmp_path / "kvass.sqlite"
    path.mkdir()
    with Store.open(db) as store:
        store.set("key", b"value")
    with mounted(path, db, binding, read_only=True) as mount:
        assert (mount.path / "key").read_bytes() == b"value"
        with pytest.raises(OSError, match="Read-only file system"):
            (mount.path / "key").write_bytes(b"other")
        with pytest.raises(OSError, match="Read-only file system"):
            (mount.path / "directory").mkdir()
        os.chmod(tmp_path, 0o700)


# Users


def test_a_user_mounts_saves_and_unmounts(users_place: Place) -> None:
    users_place.mount_well()
    assert users_place.shell("echo value > key && cat key").stdout == "value\n"
    assert users_place.shell("stat -c %u:%a key .").stdout.split()[1] == f"{users_place.user}:700"
    assert users_place.value("key") == b"value\n"
    done = users_place.run("unmount", {"directory": str(users_place.path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert not is_in_table(users_place.path)


def test_permission_bits_count_for_a_user(users_place: Place) -> None:
    users_place.mount_well()
    users_place.shell("echo value > key && chmod 400 key && mkdir closed && chmod 500 closed")
    assert "Permission denied" in users_place.shell("echo other > key").stderr
    assert "Permission denied" in users_place.shell("echo other > closed/key").stderr
    assert users_place.shell("cat key").stdout == "value\n"


@pytest.mark.parametrize("copy", ["cp -a", "rsync -aX", "mv"])
def test_files_of_a_users_second_group_are_copied(users_place: Place, copy: str) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may give a user a second group")
    users_place.mount_well()
    make = "mkdir ../from && echo value > ../from/file && chgrp 4712 ../from ../from/file && chmod 2755 ../from/file"
    done = users_place.shell(f"{make} && {copy} ../from . && stat -c %g:%a from/file", groups=[4712])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{users_place.user}:755\n", "")


def test_a_user_gives_files_to_nobody_else(users_place: Place) -> None:
    users_place.mount_well()
    users_place.shell("echo value > file")
    for owner in ("0", ":0", "4711"):
        assert "Operation not permitted" in users_place.shell(f"chown {owner} file").stderr


def test_a_users_mount_is_closed_to_others(users_place: Place) -> None:
    users_place.mount_well()
    if os.getuid() == 0:
        with pytest.raises(PermissionError):
            os.listdir(users_place.path)


def test_a_killed_mount_of_a_user_is_repaired_by_the_next(users_place: Place) -> None:
    users_place.mount_well()
    users_place.shell("echo value > key")
    kill(users_place.server())
    users_place.mount_well()
    assert users_place.shell("cat key").stdout == "value\n"


def test_a_user_is_told_what_the_system_refuses(users_place: Place) -> None:
    if os.getuid() == 0:
        os.chown(users_place.path, 0, 0)
        line = users_place.refusal()
        reason = f"user has no write access to mountpoint {users_place.path}"
        assert line == f"kvass: could not mount {users_place.path}: {reason}\n"


def test_others_are_let_in_only_where_that_is_asked_for(binding: str, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may let others in without changing /etc/fuse.conf")
    room = Path(tempfile.mkdtemp(prefix="kvassfs-"))
    room.chmod(0o755)
    (room / "mount").mkdir()
    try:
        with mounted(room / "mount", tmp_path / "kvass.sqlite", binding, allow_other=True) as mount:
            mount.path.chmod(0o755)
            (mount.path / "open").write_bytes(b"for all")
            (mount.path / "open").chmod(0o644)
            (mount.path / "closed").write_bytes(b"for one")
            (mount.path / "closed").chmod(0o600)
            read = subprocess.run(
                ["cat", mount.path / "open", mount.path / "closed"], user=NOBODY, capture_output=True, check=False
            )
            assert read.stdout == b"for all"
            assert b"closed: Permission denied" in read.stderr
    finally:
        shutil.rmtree(room)
