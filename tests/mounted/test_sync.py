"""A save in the mount of one device appears in that of another by itself, once, whole, and without what led to it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import pytest
import requests

from kvassfs.entry import Delivery
from tests.mounted.test_editors import EDITORS, OLD, PATCH, REPLACE, TOOLS, Editor, Tool
from tests.support.devices import Device, Network, lists, shows
from tests.support.mounts import BINDINGS, mounted
from tests.support.original import OriginalClient
from tests.support.processes import SECONDS, is_running
from tests.support.programs import environment, need, run
from tests.support.proxy import Mode
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

MIB = 1024 * 1024


class Pair(NamedTuple):
    """Two devices whose mounts follow the same hub."""

    network: Network
    here: Device
    there: Device


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two devices for all tests that leave them as they are."""
    with Network(tmp_path_factory.mktemp("network")) as network:
        here, there = network.device("here"), network.device("there")
        with here.following(), there.following():
            yield Pair(network, here, there)


class Room:
    """The directory of one test, in the mounts of both devices."""

    def __init__(self, pair: Pair, name: str) -> None:
        """Make it here; it is there once there is a key in it."""
        self.network, self.device, self.other = pair
        self.name = name
        self.here = pair.here.path / name
        self.there = pair.there.path / name
        self.here.mkdir()
        self.begun = self.network.recorder.count()

    def share(self, name: str, value: bytes) -> None:
        """Make a file, and wait until it is there."""
        (self.here / name).parent.mkdir(parents=True, exist_ok=True)
        (self.here / name).write_bytes(value)
        self.wait_for(name, value)

    def wait_for(self, name: str, value: bytes) -> None:
        """Wait until a file is there with this size and content."""
        wait_until(shows(self.there / name, value), f"{name} there")

    def settle(self) -> None:
        """Wait until the hub has all that is here, and forget what it was handed up to now."""
        self.device.wait_until_pushed()
        self.begun = self.network.recorder.count()

    def conflicts(self) -> list[str]:
        """Return the keys that are in a conflict, on either device."""
        return [
            found.entry.key
            for device in (self.device, self.other)
            for found in device.conflicts()
            if found.entry.key.startswith(f"{self.name}/")
        ]

    def pushed(self) -> list[Delivery]:
        """Return what of this directory the hub was handed since then, by their names in it."""
        found = []
        for delivery in self.network.recorder.pushed(self.begun):
            if delivery.entry.key.startswith(f"{self.name}/"):
                name = delivery.entry.key.removeprefix(f"{self.name}/")
                found.append(delivery._replace(entry=delivery.entry._replace(key=name)))
        return found


@pytest.fixture
def room(pair: Pair, request: pytest.FixtureRequest) -> Room:
    """A directory for this test alone."""
    return Room(pair, request.node.name.replace("/", "_"))


# What appears


@pytest.mark.parametrize("size", [1, 5000, 100_000, 3 * MIB])
def test_a_save_appears_in_the_other_mount(room: Room, size: int) -> None:
    assert not room.there.exists()
    value = os.urandom(size)
    room.share("file", value)
    assert os.listdir(room.there) == ["file"]


@pytest.mark.parametrize("size", [9, 100_000, 2 * MIB])
def test_a_new_version_replaces_what_the_kernel_has_read(room: Room, size: int) -> None:
    room.share("file", b"old value")
    time_before = (room.there / "file").stat().st_mtime_ns
    room.share("file", os.urandom(size))
    assert (room.there / "file").stat().st_mtime_ns > time_before


def test_saves_go_both_ways(room: Room) -> None:
    room.share("file", b"from here")
    (room.there / "file").write_bytes(b"from there")
    wait_until(shows(room.here / "file", b"from there"), "the answer")
    room.share("file", b"from here again")


def test_a_removal_reaches_the_other_mount(room: Room) -> None:
    room.share("file", b"value")
    room.share("other", b"value")
    (room.here / "file").unlink()
    wait_until(lists(room.there, "other"), "the removal")
    # A list is made anew each time; a name that was looked up is invalidated a moment after the merge.
    wait_until(lambda: not (room.there / "file").exists(), "the removal for a look-up")


def test_kvass_rm_has_reached_the_hub_when_it_ends(room: Room) -> None:
    room.share("file", b"value")
    assert room.device.kvass("rm", f"{room.name}/file")[:3] == (0, b"", "")
    with room.network.hub.store() as hub:
        assert f"{room.name}/file" not in hub.keys()
    wait_until(lambda: not (room.there / "file").exists(), "the removal")


def test_a_renamed_file_is_renamed_there(room: Room) -> None:
    room.share("file", b"value")
    (room.here / "file").rename(room.here / "renamed")
    wait_until(lists(room.there, "renamed"), "the new name alone")
    assert (room.there / "renamed").read_bytes() == b"value"


def test_a_renamed_directory_is_renamed_there(room: Room) -> None:
    for name in ("dir/a", "dir/b", "dir/deeper/c"):
        room.share(name, name.encode())
    (room.here / "dir").rename(room.here / "renamed")
    wait_until(lists(room.there, "renamed"), "the new name alone")
    assert sorted(os.listdir(room.there / "renamed")) == ["a", "b", "deeper"]
    assert (room.there / "renamed/deeper/c").read_bytes() == b"dir/deeper/c"


def test_a_tree_that_is_removed_is_gone_there(room: Room) -> None:
    room.share("dir/deeper/file", b"value")
    room.share("beside", b"value")
    run("rm", "-r", room.here / "dir", directory=room.here)
    wait_until(lists(room.there, "beside"), "the tree is gone")


def test_an_empty_file_appears(room: Room) -> None:
    room.share(".gitkeep", b"")
    room.share("emptied", b"value")
    room.share("emptied", b"")
    done = room.other.kvass("get", f"{room.name}/.gitkeep")
    assert (done.status, done.out) == (0, b"")


def test_modes_travel_and_make_no_revision(room: Room) -> None:
    room.share("script", b"#!/bin/sh\necho ran\n")
    for mode in (0o755, 0o640):
        (room.here / "script").chmod(mode)
        wait_until(lambda: stat.S_IMODE((room.there / "script").stat().st_mode) == mode, f"mode {mode:o}")  # noqa: B023
        if mode & 0o100:
            assert run(room.there / "script", directory=room.there) == "ran\n"
    with room.other.store() as store:
        assert store.revisions(f"{room.name}/script") == []


def test_symbolic_links_appear(room: Room) -> None:
    room.share("file", b"value")
    (room.here / "link").symlink_to("file")
    (room.here / "dangling").symlink_to("../nowhere")
    wait_until(lists(room.there, "dangling", "file", "link"), "the links")
    assert [os.readlink(room.there / name) for name in ("link", "dangling")] == ["file", "../nowhere"]
    assert (room.there / "link").read_bytes() == b"value"
    (room.here / "link").unlink()
    (room.here / "link").write_bytes(b"a file now")
    room.wait_for("link", b"a file now")
    assert not (room.there / "link").is_symlink()


def test_no_call_fails_while_a_link_becomes_a_file_and_a_file_a_link(room: Room) -> None:
    room.share("target", b"target")
    room.share("changing", b"0")
    for number in range(1, 5):
        (room.here / "changing").unlink()
        if number % 2:
            (room.here / "changing").symlink_to("target")
        else:
            (room.here / "changing").write_bytes(b"%d" % number)
        room.wait_for("changing", b"target" if number % 2 else b"%d" % number)
        assert (room.there / "changing").is_symlink() is bool(number % 2)


def test_what_the_command_line_sets_appears(room: Room) -> None:
    assert room.device.kvass("set", f"{room.name}/file", "value")[:3] == (0, b"", "")
    room.wait_for("file", b"value\n")


def test_names_that_need_escapes_appear_as_they_are(room: Room) -> None:
    for name in ("ü" * 100, "%", "a\nb", "x" * 255, "100%@"):
        room.share(name, name.encode())


@pytest.mark.parametrize("binding", BINDINGS)
def test_both_bindings_follow(binding: str, tmp_path: Path) -> None:
    with Network(tmp_path) as network:
        here, there = network.device("here"), network.device("there")
        with here.following(binding), there.following(binding):
            for value in (b"one", b"another"):
                (here.path / "file").write_bytes(value)
                wait_until(shows(there.path / "file", value), "the save")
            (there.path / "file").unlink()
            wait_until(lists(here.path), "the removal")


# What is open


def test_a_reader_keeps_the_version_that_it_opened(room: Room) -> None:
    old = os.urandom(3 * MIB)
    room.share("file", old)
    with (room.there / "file").open("rb", buffering=0) as reader:
        start = reader.read(10)
        room.share("file", b"new")
        assert os.fstat(reader.fileno()).st_size == len(old)
        assert start + reader.readall() == old


OTHER_WINS = "changed elsewhere while it was open here: this save wins"


def assert_the_save_won(room: Room, saved: bytes, other: bytes) -> None:
    """Assert that both devices have what was saved there, and that the other version is kept and spoken of."""
    key = f"{room.name}/file"
    wait_until(shows(room.here / "file", saved), "what was saved there")
    wait_until(shows(room.there / "file", saved), "what was saved there, there itself")
    with room.other.store() as store:
        kept = b"".join(store._contents.read_all(store.revisions(key)[0].content, store.revisions(key)[0].entry.size))
    assert kept == other
    assert [line for line in room.other.log.splitlines() if f"WARNING: {key!r} {OTHER_WINS}" in line]
    lost = f"WARNING: {key!r}: the version of here lost to that of there, and neither knew the other; `kvass get "
    wait_until(lambda: lost in room.other.log, "the conflict told")
    wait_until(lambda: lost in room.device.log, "the conflict told to the device whose version lost")


def test_a_save_wins_over_what_came_while_it_was_being_written(room: Room) -> None:
    room.share("file", b"old")
    with (room.there / "file").open("wb", buffering=0) as writer:
        writer.write(b"being ")
        (room.here / "file").write_bytes(b"from the other device")
        wait_until(lambda: room.other.value(f"{room.name}/file") == b"from the other device", "the other version")
        assert (room.there / "file").read_bytes() == b"being "
        writer.write(b"written")
    assert_the_save_won(room, b"being written", b"from the other device")


def test_a_save_wins_over_what_came_before_its_first_write(room: Room) -> None:
    room.share("file", b"old and long")
    with (room.there / "file").open("r+b", buffering=0) as writer:
        room.share("file", b"from the other device")
        writer.write(b"OLD")
        assert os.fstat(writer.fileno()).st_size == len(b"old and long")
    assert_the_save_won(room, b"OLD and long", b"from the other device")


def test_a_file_that_was_open_for_writing_goes_on_after_its_save_won(room: Room) -> None:
    room.share("file", b"1\n")
    with (room.there / "file").open("ab", buffering=0) as writer:
        room.share("file", b"from the other device")
        for number in range(2, 5):
            writer.write(b"%d\n" % number)
            os.fsync(writer.fileno())
            wait_until(shows(room.here / "file", b"1\n2\n3\n4\n"[: 2 * number]), "what was written so far")
            wait_until(shows(room.there / "file", b"1\n2\n3\n4\n"[: 2 * number]), "the same there")


def test_a_save_wins_over_a_removal(room: Room) -> None:
    room.share("file", b"old")
    room.share("beside", b"")
    with (room.there / "file").open("r+b", buffering=0) as writer:
        (room.here / "file").unlink()
        wait_until(lists(room.there, "beside"), "the removal")
        writer.write(b"new")
    wait_until(shows(room.here / "file", b"new"), "what was saved")
    wait_until(shows(room.there / "file", b"new"), "what was saved, there itself")


def test_a_file_made_on_both_devices_at_once_is_the_later_save(room: Room) -> None:
    room.share("beside", b"")
    with (room.there / "file").open("xb", buffering=0) as writer:
        writer.write(b"made there")
        (room.here / "file").write_bytes(b"made here")
        wait_until(lambda: room.other.value(f"{room.name}/file") == b"made here", "the other version")
    assert_the_save_won(room, b"made there", b"made here")


class Shell:
    """A shell that stays, with a working directory."""

    def __init__(self, directory: Path) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            ["sh"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self) -> Self:
        """Give the shell."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate(timeout=SECONDS)

    def says(self, command: str) -> str:
        """Run a command, and return what it says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\necho :end\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, ":end\n")
        return "".join(lines)


def test_a_shell_works_on_in_a_directory_that_changes(room: Room) -> None:
    room.share("dir/a", b"one\n")
    with Shell(room.there / "dir") as shell:
        assert shell.says("ls; cat a") == "a\none\n"
        (room.here / "dir/b").write_bytes(b"two\n")
        wait_until(lambda: shell.says("ls") == "a\nb\n", "the new file")
        (room.here / "dir/a").write_bytes(b"three\n")
        wait_until(lambda: shell.says("cat a") == "three\n", "the new version")
        (room.here / "dir/a").unlink()
        wait_until(lambda: shell.says("ls") == "b\n", "the removal")
        assert shell.says("echo four >c; ls") == "b\nc\n"
        wait_until(shows(room.here / "dir/c", b"four\n"), "what the shell saved")


def test_a_shell_survives_the_end_of_its_directory(room: Room) -> None:
    room.share("dir/a", b"one\n")
    room.share("beside", b"two\n")
    with Shell(room.there / "dir") as shell:
        assert shell.says("cat a") == "one\n"
        (room.here / "dir").rename(room.here / "renamed")
        wait_until(lists(room.there, "beside", "renamed"), "the rename")
        said = shell.says("cat a")
        assert "No such file" in said or "Stale file handle" in said  # by libfuse, where the removal was announced
        assert shell.says(f"cd {room.there}/renamed; cat a") == "one\n"


# Editors and tools


def by_name(made: Tool | Editor) -> str:
    return made.name


def assert_only_saves_were_handed_out(room: Room, made: Tool | Editor) -> None:
    """Assert that the hub was handed each save in one version and no other name, and both devices have the result."""
    keys = {"plan.txt", *(key.removeprefix("notes/") for key in made.keys)}
    room.wait_for("plan.txt", made.after)
    wait_until(lists(room.there, *keys), "no other names there")
    room.device.wait_until_pushed()
    pushed = room.pushed()
    assert {delivery.entry.key for delivery in pushed} <= keys
    assert [delivery for delivery in pushed if not delivery.value] == []
    saves = {delivery.entry.url_token: delivery.value for delivery in pushed if delivery.entry.key == "plan.txt"}
    assert list(saves.values())[-1:] == [made.after] * bool(saves)
    # Saves that follow each other at once may be handed out as one.
    assert min(made.revisions, 1) <= len(saves) <= max(made.revisions, 1)
    orders = [(delivery.entry.key, delivery.entry.order) for delivery in pushed]
    assert len(orders) == len(set(orders))
    assert room.conflicts() == []


@pytest.fixture
def plan(room: Room) -> Room:
    """The file that is to be saved, known to all; the other device wrote it last."""
    wait_until(room.there.is_dir, "the directory there")
    (room.there / "plan.txt").write_bytes(OLD)
    wait_until(shows(room.here / "plan.txt", OLD), "what was written there")
    room.wait_for("plan.txt", OLD)
    room.settle()
    return room


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.name != "> of a subshell"], ids=by_name)
def test_a_tool_hands_out_its_save_alone(plan: Room, tool: Tool, tmp_path: Path) -> None:
    need("sh", *tool.needs)
    (tmp_path / "new").write_bytes(tool.after)
    os.utime(tmp_path / "new", (1_000_000_000, 1_000_000_000))  # or rsync takes it for the file that is there
    (tmp_path / "patch").write_text(PATCH)
    variables = {
        "FILE": str(plan.here / "plan.txt"),
        "NEW": str(tmp_path / "new"),
        "PATCH": str(tmp_path / "patch"),
        "PYTHON": sys.executable,
        "REPLACE": REPLACE,
    }
    run("sh", "-ec", tool.script, directory=plan.here, env=environment(tmp_path, **variables))
    assert_only_saves_were_handed_out(plan, tool)


@pytest.mark.parametrize("editor", [editor for editor in EDITORS if "quits" not in editor.name], ids=by_name)
def test_an_editor_hands_out_its_save_alone(plan: Room, editor: Editor, tmp_path: Path) -> None:
    need(*editor.needs)
    command = (*editor.command, "plan.txt")
    with Terminal(command, environment=environment(tmp_path), directory=plan.here) as terminal:
        terminal.play(editor.steps)
        assert terminal.wait_for_end() == 0
    assert_only_saves_were_handed_out(plan, editor)


def make_repository(directory: Path, home: Path) -> None:
    """Make a repository with three commits, and a clone of it beside."""
    need("git")
    repository = directory / "repository"
    run("git", "init", "-q", repository, directory=directory, env=identified(home))
    for number in range(3):
        (repository / "file").write_text(f"{number}\n")
        (repository / f"other {number}").write_text(f"{number}\n")
        run("git", "add", ".", directory=repository, env=identified(home))
        run("git", "commit", "-q", "-m", f"change {number}", directory=repository, env=identified(home))
    run("git", "clone", "-q", repository, directory / "clone", directory=directory, env=identified(home))


def identified(home: Path) -> dict[str, str]:
    names = (f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL"))
    return environment(home, **dict.fromkeys(names, "a@b.example"))


def assert_same_repository(here: Path, there: Path, home: Path) -> None:
    last = run("git", "rev-parse", "HEAD", directory=here / "clone", env=identified(home))
    for copy in (there / "repository", there / "clone"):
        run("git", "fsck", "--strict", directory=copy, env=identified(home))
        assert run("git", "rev-parse", "HEAD", directory=copy, env=identified(home)) == last
        assert run("git", "status", "--porcelain", directory=copy, env=identified(home)) == ""


def is_temporary(key: str) -> bool:
    return key.endswith(".lock") or "/tmp_" in key


def test_a_repository_of_git_is_one_there_too(room: Room, tmp_path: Path) -> None:
    make_repository(room.here, tmp_path)
    room.device.wait_until_pushed()
    wait_until(lambda: same_keys(room.device, room.other), "all of it")
    assert_same_repository(room.here, room.there, tmp_path)
    assert [delivery.entry.key for delivery in room.pushed() if is_temporary(delivery.entry.key)] == []


def same_keys(one: Device, other: Device) -> bool:
    with one.store() as first, other.store() as second:
        return list(first.keys()) == list(second.keys())


def same_trees(one: Path, other: Path) -> bool:
    return list_tree(one) == list_tree(other)


def list_tree(path: Path) -> list[tuple[str, int]]:
    """Return the files and directories below a path, and their modes."""
    found = [Path(above, name) for above, *names in os.walk(path) for name in (*names[0], *names[1])]
    return sorted((str(each.relative_to(path)), each.lstat().st_mode) for each in found)


def test_a_repository_without_loose_objects_is_one_on_three_devices(room: Room, tmp_path: Path) -> None:
    """One of them has the original program, for which directories are deleted keys."""
    make_repository(room.here, tmp_path)
    third = room.network.device("third")
    with third.following():
        for each in (room.here / "repository", room.here / "clone"):
            run("git", "gc", "-q", "--prune=now", directory=each, env=identified(tmp_path))
        room.device.wait_until_pushed()
        copies = [room.there, third.path / room.name]
        wait_until(lambda: all(same_trees(room.here, copy) for copy in copies), "the same trees")
        assert (room.there / "repository/.git/refs/tags").is_dir()
        for copy in copies:
            assert_same_repository(room.here, copy, tmp_path)
        client = original_client(room.network)
        client.pull()
        with room.device.store() as store:
            assert set(client.values()) == {key for key in store.keys() if store.entry(key).size}
        removed = copies[1] / "repository"
        shutil.rmtree(removed)
        client.set(f"{room.name}/clone/from the original", b"value")
        client.push()
        wait_until((room.here / "clone/from the original").exists, "the key of the original")
        wait_until(lambda: not (room.here / "repository").exists(), "the removal of the repository")
        wait_until(lambda: all(same_trees(room.here, copy) for copy in copies), "the same trees again")
        client.pull()
        assert [key for key in client.values() if key.startswith(f"{room.name}/repository/")] == []


def original_client(network: Network) -> OriginalClient:
    """Return a device with the original program, which reaches the hub over the network."""

    def post(call: str, body: bytes) -> bytes:
        answer = requests.post(f"http://{network.hub.address}/{call}", data=body, timeout=SECONDS)
        answer.raise_for_status()
        return answer.content

    return OriginalClient(7001, network.hub.key, os.urandom, time.time_ns, post)


# Beginnings and ends


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A hub for this test alone."""
    with Network(tmp_path / "network") as found:
        yield found


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A directory with one for a network in it."""
    (tmp_path / "network").mkdir()
    return tmp_path


def sync_process(device: Device) -> int:
    """Return the process beside the mount, once there is one."""
    wait_until(lambda: bool(device.followers()), "a process that synchronises")
    (pid,) = device.following_pids()
    return pid


def hub_value(network: Network, key: str) -> bytes | None:
    with network.hub.store() as hub:
        return hub.get(key).read() if key in hub.keys() else None


def test_a_mount_follows_from_when_a_hub_is_set_until_it_is_removed(network: Network) -> None:
    device = network.device("device")
    assert device.kvass("config", "remote", "").status == 0
    with device.mounted() as mount:
        (device.path / "file").write_bytes(b"value")
        assert device.followers() == []
        assert device.kvass("config", "remote", network.proxy.address).status == 0
        pid = sync_process(device)
        assert [follower.pid for follower in device.followers()] == [mount.process.pid]
        wait_until(lambda: hub_value(network, "file") == b"value", "the file")
        assert device.kvass("config", "remote", "").status == 0
        wait_until(lambda: not is_running(pid), "the end of the process that synchronises")
        assert device.followers() == []


def test_a_mount_goes_over_to_another_hub_and_key(network: Network, tmp_path: Path) -> None:
    device = network.device("device")
    (tmp_path / "other").mkdir()
    with device.following(), Network(tmp_path / "other") as other:
        (device.path / "file").write_bytes(b"value")
        device.wait_until_pushed()
        assert device.kvass("config", "key", other.hub.key.hex()).status == 0
        assert device.kvass("config", "remote", other.proxy.address).status == 0
        wait_until(lambda: hub_value(other, "file") == b"value", "the file at the other hub")
        with other.hub.store() as hub:
            hub.set("file", b"from the other hub")
        wait_until(shows(device.path / "file", b"from the other hub"), "what the other hub has")


def test_the_process_beside_a_mount_comes_back_when_it_was_killed(network: Network) -> None:
    device = network.device("device")
    with device.following():
        os.kill(pid := sync_process(device), signal.SIGKILL)
        wait_until(lambda: device.followers() == [], "its end")
        (device.path / "file").write_bytes(b"value")
        wait_until(lambda: bool(device.followers()), "a new one")
        assert sync_process(device) != pid
        wait_until(lambda: hub_value(network, "file") == b"value", "the file")
    assert "ERROR: the process that synchronises ended with status -9" in device.log


def test_the_process_beside_a_mount_ends_when_the_mount_is_killed(network: Network) -> None:
    device = network.device("device")
    with device.following() as mount:
        pid = sync_process(device)
        mount.process.kill()
        wait_until(lambda: not is_running(pid), "the end of the process that synchronises")


def test_the_hub_may_have_a_mount_itself(network: Network, tmp_path: Path) -> None:
    hub, there = network.device_of_the_hub(), network.device("there")
    with hub.mounted(), there.following():
        for value in (b"one", b"another"):
            (hub.path / "file").write_bytes(value)
            wait_until(shows(there.path / "file", value), "the save")
        run("sed", "-i", "s/an/AN/", hub.path / "file", directory=hub.path)
        wait_until(shows(there.path / "file", b"ANother"), "what sed saved")
        (there.path / "answer").write_bytes(b"from there")
        wait_until(shows(hub.path / "answer", b"from there"), "the answer")
        make_repository(hub.path, tmp_path)
        wait_until(lambda: same_keys(hub, there), "the repository")
        assert_same_repository(hub.path, there.path, tmp_path)
        (hub.path / "file").unlink()
        wait_until(lambda: not (there.path / "file").exists(), "the removal")
    with there.store() as store:
        handed = [key for (key,) in store._database.rows("SELECT key FROM entries")]
    assert [key for key in handed if is_temporary(key) or key.startswith("sed")] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_saved_last_is_pushed_before_the_mount_ends(network: Network, number: signal.Signals) -> None:
    device = network.device("device")
    with device.following() as mount:
        pid = sync_process(device)
        (device.path / "file").write_bytes(b"value")
        with (device.path / "open").open("wb", buffering=0) as writer:
            writer.write(b"not closed yet")
            mount.process.send_signal(number)
            assert mount.process.wait(SECONDS) == 0
            with suppress(OSError):
                writer.close()
    assert not is_running(pid)
    assert hub_value(network, "file") == b"value"
    assert hub_value(network, "open") == b"not closed yet"
    assert device.waiting() == 0


def test_what_was_removed_last_is_pushed_before_the_mount_ends(network: Network) -> None:
    device = network.device("device")
    with device.following():
        (device.path / "file").write_bytes(b"value")
        device.wait_until_pushed()
        (device.path / "file").unlink()
    assert hub_value(network, "file") is None


def test_kvass_umount_returns_when_all_is_pushed(network: Network) -> None:
    device = network.device("device")
    assert device.kvass("mount", device.path)[:3] == (0, b"", "")
    try:
        device.wait_for_touch()
        (device.path / "file").write_bytes(b"value")
    finally:
        assert device.kvass("umount", device.path)[:3] == (0, b"", "")
    assert hub_value(network, "file") == b"value"


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACK_HOLE, Mode.UNANSWERED])
def test_a_mount_ends_although_the_hub_is_gone(network: Network, mode: Mode) -> None:
    device = network.device("device")
    with device.following():
        network.proxy.mode = mode
        (device.path / "file").write_bytes(b"value")
    assert device.value("file") == b"value"
    assert device.waiting() == 1
    network.proxy.mode = Mode.PASS
    with device.following():
        device.wait_until_pushed()
    assert hub_value(network, "file") == b"value"


def test_a_mount_that_is_read_only_follows_too(network: Network) -> None:
    here, there = network.device("here"), network.device("there")
    with here.following(), there.following(read_only=True):
        for value in (b"one", b"another", b""):
            (here.path / "file").write_bytes(value)
            wait_until(shows(there.path / "file", value), "the save")
        (here.path / "file").unlink()
        wait_until(lists(there.path), "the removal")
        assert there.kvass("set", "--offline", "other", "value").status == 0
        wait_until(shows(here.path / "other", b"value\n"), "what the command line set beside it")


def test_two_mounts_of_one_store_push_everything_once(network: Network, tmp_path: Path) -> None:
    here, there = network.device("here"), network.device("there")
    (tmp_path / "second").mkdir()
    with here.following(), there.following(), mounted(tmp_path / "second", here.db, "mfusepy"):
        wait_until(lambda: len(here.followers()) == 2, "two processes that synchronise")
        for number in range(20):
            place = here.path if number % 2 else tmp_path / "second"
            (place / f"{number}").write_bytes(b"%d" % number)
        for number in range(20):
            wait_until(shows(there.path / f"{number}", b"%d" % number), "what either mount saved")
        (there.path / "answer").write_bytes(b"from there")
        wait_until(shows(here.path / "answer", b"from there"), "the answer in the first")
        wait_until(shows(tmp_path / "second/answer", b"from there"), "the answer in the second")
        here.wait_until_pushed()
    handed = [(delivery.entry.key, delivery.entry.order) for delivery in network.recorder.pushed()]
    assert len(handed) == len(set(handed)) == 21
