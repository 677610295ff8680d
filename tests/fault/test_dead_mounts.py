"""Mounts whose processes are killed: nothing is written beside the store, and the next mount finds all in order."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.mount.beneath import RECORD
from kvassfs.store import Store
from tests.support.mounts import BINDINGS, is_in_table
from tests.support.places import Place, kill, place_of, place_of_user
from tests.support.processes import SECONDS, children
from tests.support.waiting import find_within, within


@pytest.fixture(params=BINDINGS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place of whoever runs the tests."""
    with place_of(tmp_path, request.param) as found:
        yield found


@pytest.fixture(params=BINDINGS)
def users_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place of a user who is not root."""
    with place_of_user(request.param) as found:
        yield found


def mode_of(place: Place) -> int:
    """Return the mode of the directory, at which nothing is mounted."""
    assert not is_in_table(place.path)
    return stat.S_IMODE(place.path.stat().st_mode)


def unmount_by_hand(place: Place) -> None:
    assert subprocess.run(["fusermount3", "-u", "-z", place.path], check=False).returncode == 0


def unmount(place: Place, **options: object) -> None:
    done = place.run("unmount", {"directory": str(place.path), **options})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def write(place: Place) -> str:
    """Write as the user whose mount it is, and return what the system says against it."""
    return place.shell("echo two > doc").stderr


def test_nothing_is_written_beside_the_store_when_a_mount_is_killed(place: Place) -> None:
    """Root as well, whom no mode keeps from writing: the mount stays."""
    place.mount_well()
    place.shell("echo one > doc")
    kill(place.server())
    assert is_in_table(place.path)
    with pytest.raises(OSError, match="not connected") as raised:
        (place.path / "doc").write_bytes(b"two\n")
    assert raised.value.errno == errno.ENOTCONN
    place.mount_well()
    assert (place.path / "doc").read_bytes() == b"one\n"
    unmount(place)
    assert list(place.path.iterdir()) == []


def test_a_user_writes_nothing_there_when_a_killed_mount_is_unmounted_by_hand(users_place: Place) -> None:
    users_place.path.chmod(0o755)
    users_place.mount_well()
    users_place.shell("echo one > doc")
    kill(users_place.server())
    assert "not connected" in write(users_place)
    unmount_by_hand(users_place)
    assert mode_of(users_place) == 0o555
    assert "Permission denied" in write(users_place)
    users_place.mount_well()
    assert users_place.shell("cat doc").stdout == "one\n"
    unmount(users_place)
    assert mode_of(users_place) == 0o755
    assert RECORD not in os.listxattr(users_place.path)


@pytest.mark.parametrize("helper", ["calls", "sync_process"])
def test_killing_a_process_beside_a_mount_opens_nothing(place: Place, helper: str) -> None:
    """The mount goes on; and it stays when its own process is killed as well, and its helpers have ended."""
    place.mount_well()
    server = place.server()

    def found() -> list[int]:
        with Store.open(place.db) as store:  # what others change, another process calls the mount for
            store.settings.set_remote("http://127.0.0.1:9")
            store.set("dir/key", os.urandom(8))
        (place.path / "dir/key").read_bytes()
        module = f"kvassfs.mount.{helper}".encode()
        return [pid for pid in children(server) if module in Path(f"/proc/{pid}/cmdline").read_bytes()]

    os.kill(find_within(SECONDS, found, what=helper)[0], signal.SIGKILL)
    assert write(place) == ""
    kill(server)
    with pytest.raises(OSError, match="not connected"):
        (place.path / "doc").write_bytes(b"three\n")
    place.mount_well()
    assert place.shell("cat doc").stdout == "two\n"


@pytest.mark.parametrize(
    ("mode", "how"), [(0o700, "umount"), (0o755, "lazily"), (0o775, "by hand"), (0o1777, "SIGTERM")]
)
def test_the_mode_comes_back_when_a_mount_ends(users_place: Place, mode: int, how: str) -> None:
    users_place.path.chmod(mode)
    users_place.mount_well()
    server = os.pidfd_open(users_place.server())
    if how == "SIGTERM":
        signal.pidfd_send_signal(server, signal.SIGTERM)
    elif how == "by hand":
        unmount_by_hand(users_place)
    else:
        unmount(users_place, lazy=how == "lazily")
        assert mode_of(users_place) == mode
    within(SECONDS, lambda: not is_in_table(users_place.path) and mode_of(users_place) == mode, what="the mode")
    os.close(server)


def test_umount_opens_what_a_killed_mount_left(users_place: Place) -> None:
    users_place.path.chmod(0o775)
    for by_hand in (False, True):
        users_place.mount_well()
        kill(users_place.server())
        if by_hand:
            unmount_by_hand(users_place)
        unmount(users_place)
        assert mode_of(users_place) == 0o775
    done = users_place.run("unmount", {"directory": str(users_place.path)})
    assert (done.returncode, done.stderr) == (
        1,
        f"kvass: {users_place.path} is not a kvass mount: nothing is mounted there\n",
    )


def test_a_mount_that_is_lazily_unmounted_leaves_the_next_one_closed(users_place: Place) -> None:
    """The first one ends when its last file is closed, at which time the second one is there."""
    users_place.path.chmod(0o755)
    users_place.mount_well()
    first = users_place.server()
    script = f"exec 3> doc; fusermount3 -u -z {users_place.path}; echo three >&3; read _; exec 3>&-"
    command = ["sh", "-c", f"cd {users_place.path} && {script}"]
    user = {"user": users_place.user, "group": users_place.user} if os.getuid() == 0 else {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, **user) as holding:  # type: ignore[call-overload]
        within(SECONDS, lambda: not is_in_table(users_place.path), what="unmounted")
        users_place.mount_well()
        second = users_place.server()
        assert second != first
        holding.communicate(b"\n")
    within(SECONDS, lambda: not Path(f"/proc/{first}").exists(), what="the end of the first")
    kill(second)
    unmount_by_hand(users_place)
    assert mode_of(users_place) == 0o555
    users_place.mount_well()
    assert users_place.shell("cat doc").stdout == "three\n"
    unmount(users_place)
    assert mode_of(users_place) == 0o755


def test_what_somebody_put_there_is_not_hidden(place: Place) -> None:
    place.path.chmod(0o755)
    place.mount_well()
    kill(place.server())
    unmount_by_hand(place)
    for name in ("doc", "a\nb"):
        (place.path / name).write_bytes(b"two\n")
    line = place.refusal()
    assert line == (
        f"kvass: cannot mount {place.path}: it is not empty: 'a\\nb' and 1 more would be hidden;"
        " move that elsewhere, or name an empty directory\n"
    )
    assert mode_of(place) == 0o755  # so that it can be moved
    for name in ("doc", "a\nb"):
        (place.path / name).rename(place.path.parent / name)
    place.mount_well()


def test_what_comes_into_the_directory_at_the_last_moment_is_not_hidden(place: Place, tmp_path: Path) -> None:
    """Something comes after the directory was looked at and before it is mounted on: when the store is opened."""
    place.path.chmod(0o755)
    script = f"""
import sys
from pathlib import Path
from kvassfs.errors import KvassError
from kvassfs.mount import run
choose = run.choose
def late(name):
    binding = choose(name)
    serve = binding.serve
    def serve_late(*arguments, **options):
        Path({str(place.path)!r}, "late").touch()
        serve(*arguments, **options)
    binding.serve = serve_late
    return binding
run.choose = late
try:
    run.mount(run.MountOptions({str(place.path)!r}, {str(place.db)!r}, binding={place.binding!r}))
except KvassError as error:
    sys.exit(f"kvass: {{error}}")
"""
    done = place.run_script(script)
    assert done.returncode == 1
    assert "it is not empty: 'late' would be hidden" in done.stderr
    assert done.stderr.count("\n") == 1
    within(SECONDS, lambda: not is_in_table(place.path), what="unmounted")
    assert mode_of(place) == 0o755
