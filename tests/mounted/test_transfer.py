"""Import, export and backup beside a mount: what comes in shows there, what goes out is what it shows."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli.commands.backup import check_file
from tests.support.devices import Network
from tests.support.mounts import Mount, mounted
from tests.support.programs import kvass, kvass_here, need
from tests.support.waiting import wait_until, within
from tests.unit.transfer.conftest import contents, fill


def listing(directory: Path) -> list[str]:
    """Return name, kind, mode, time and target of all that is below a directory.

    A mount that still tells of what is new may lack a name for a moment (contrib/doc/limits.md), of which `find` complains.
    """
    command = ["find", ".", "-mindepth", "1", "-printf", r"%P\0%y %#m %T@ %l\0"]
    tries = (subprocess.run(command, cwd=directory, check=False, capture_output=True) for _ in range(5))
    found = next(done.stdout for done in tries if not done.returncode).split(b"\0")
    return sorted(
        f"{os.fsdecode(name)!r} {os.fsdecode(facts)}" for name, facts in zip(found[::2], found[1::2], strict=False)
    )


def assert_same(one: Path, other: Path) -> None:
    assert listing(one) == listing(other)
    subprocess.run(["diff", "-r", "--no-dereference", one, other], check=True)


@contextmanager
def writable(directory: Path) -> Iterator[None]:
    yield
    for above, _, _ in os.walk(directory):
        os.chmod(above, 0o700)


def test_an_export_is_what_the_mount_shows(mount: Mount, tmp_path: Path) -> None:
    with Store.open(mount.db) as store:
        fill(store)
    within(10, (mount.path / "kinds/late").exists, what="what was written last")
    target = tmp_path / "export"
    with writable(target):
        kvass(mount, "export", str(target))
        # The list of names that are shortened is no file of the mount.
        (target / "%@").unlink()
        assert_same(mount.path, target)


def test_a_tree_that_is_imported_is_shown_as_it_was(mount: Mount, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a/b/empty").mkdir(parents=True)
    (source / "a/%@").write_text("value of a directory's key")
    (source / "a/b/-x\n%%").write_bytes(os.urandom(400_000))
    (source / "link").symlink_to("../nowhere")
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    for path in (source / "a/b", source / "a", source / "run"):
        os.utime(path, ns=(10**18 + 7, 10**18 + 7))
    kvass(mount, "import", str(source))
    within(10, lambda: listing(mount.path) == listing(source), what="what was imported")
    assert_same(mount.path, source)
    # The mount of the store is a source itself, and has nothing that the store lacks.
    assert b"imported 0 entries" in kvass(mount, "import", str(mount.path))


def test_a_backup_is_whole_while_a_mount_writes_and_works_when_restored(mount: Mount, tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            (mount.path / f"k{number % 50}").write_bytes(os.urandom(100_000 if number % 7 == 0 else 100))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            kvass_here(mount, "backup", str(tmp_path / f"backup{number}"))
    finally:
        ended.set()
        writer.join()
    for number in range(5):
        check_file(str(tmp_path / f"backup{number}"))
    place = tmp_path / "restored"
    place.mkdir()
    with mounted(place, tmp_path / "backup4", mount.binding) as restored, Store.open(restored.db) as store:
        found = {key: value for key, (value, *_) in contents(store).items()}
        assert found
        assert {path.name: path.read_bytes() for path in place.iterdir()} == found
        (place / "new").write_text("x")
        within(10, lambda: "new" in store.keys(), what="the new key")


def test_what_an_import_overwrote_is_in_the_history_and_comes_back_by_undo(mount: Mount, tmp_path: Path) -> None:
    (mount.path / "a").write_text("mine")
    (mount.path / "a").chmod(0o640)
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "a").write_text("theirs")
    (source / "d/b").write_text("new")
    kvass(mount, "import", str(source))
    within(10, lambda: (mount.path / "a").read_text() == "theirs", what="what was imported")
    values = {path.read_text() for path in (mount.path / ".kvass/history/a/%@").iterdir()}
    assert values == {"mine", "theirs"}
    kvass_here(mount, "undo", "--yes")
    within(10, lambda: os.listdir(mount.path) == ["a"], what="what was there before")
    assert (mount.path / "a").read_text() == "mine"
    assert (mount.path / "a").stat().st_mode & 0o777 == 0o640


def test_a_key_below_the_name_of_the_dot_directory_goes_out_and_in(mount: Mount, tmp_path: Path) -> None:
    (mount.path / "%.kvass").mkdir()
    (mount.path / "%.kvass/x").write_text("x")
    kvass(mount, "export", str(tmp_path / "out"))
    assert_same(mount.path, tmp_path / "out")
    kvass_here(mount, "import", str(tmp_path / "out"), "--prefix", "copy")
    within(10, (mount.path / "copy/.kvass/x").exists, what="the copy")


def test_status_says_how_far_the_upload_of_a_mount_is(tmp_path: Path) -> None:
    with Network(tmp_path) as network:
        device = network.device("device")
        network.proxy.rate = 8_000_000.0
        with device.following() as mount:
            (mount.path / "large").write_bytes(os.urandom(60_000_000))
            wait_until(lambda: b"on the way: " in device.kvass("status", "--offline").out, "how far the upload is")
            upload = json.loads(device.kvass("status", "--offline", "--json").out)["waiting"]["upload"]
            assert upload["sent"] + upload["left"] == pytest.approx(60_000_000, rel=0.01)
            network.proxy.rate = None
            device.wait_until_pushed()
        assert json.loads(device.kvass("status", "--offline", "--json").out)["waiting"]["upload"] is None


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_an_archive_of_a_mount_by_other_programs_is_imported(mount: Mount, tmp_path: Path, form: str) -> None:
    (mount.path / "d").mkdir()
    (mount.path / "d/x").write_text("x")
    (mount.path / "d/x").chmod(0o750)
    (mount.path / "l").symlink_to("d/x")
    archive = tmp_path / f"x.{form}"
    need(form)
    options = {"tar": ["-cf"], "zip": ["-qry"]}[form]
    command = [form, *options, str(archive), "."]
    subprocess.run(command, cwd=mount.path, check=True)
    kvass_here(mount, "import", str(archive), "--prefix", "copy")
    within(10, (mount.path / "copy/l").is_symlink, what="the link")
    assert (mount.path / "copy/d/x").stat().st_mode & 0o777 == 0o750
    assert os.readlink(mount.path / "copy/l") == "d/x"
