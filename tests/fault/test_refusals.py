"""The system refuses one call, or all from one on: the old state or the new one is left, and a second time works.

Full disk and quota, a disk that became read-only, a broken one, no descriptors and no memory: at each call of each change of a
store, of opening new, original and earlier databases, and of commands (`refusals.py`). KVASS_TESTS=long has many more of the
calls fail.
"""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from tests.fault.power_scenarios import LARGE, expand
from tests.fault.refusals import CODE, JOBS, REFUSALS
from tests.support.disk_calls import DiskCalls, run_preloaded
from tests.support.mounts import mount_command, mounted_by
from tests.support.processes import KVASS, unmeasured
from tests.support.searches import LONG, examples, tell
from tests.support.stores import audit

SHORT = (
    "set an existing key",
    "save through a draft",
    "answer a push",
    "open a new store",
    "take over",
    "upgrade 9",
    "kvass set",
)
"""The jobs of the short form."""

CALLS = examples(2, long=40)
"""Calls of each kind that fail, chosen by chance."""


@pytest.mark.parametrize("job", list(JOBS) if LONG else SHORT)
def test_what_is_refused_changes_nothing_or_is_done(tmp_path: Path, job: str) -> None:
    room = tmp_path / "room"
    room.mkdir()
    seed = random.randrange(2**32) if LONG else 1
    said = json.loads(run_preloaded(DiskCalls(room, tmp_path / "control"), CODE, job, room, CALLS, seed))
    tell(f"{job}, seed {seed}: {json.dumps(said)}")
    assert said.keys() <= REFUSALS.keys()
    assert sum(sum(counts.values()) - counts.get("none", 0) for counts in said.values()) > 0


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with those of a disk and of a mount."""
    found = tmp_path_factory.mktemp("mounted")
    for name in ("disk", "mount"):
        (found / name).mkdir()
    return found


@pytest.fixture(scope="module")
def calls(room: Path) -> Iterator[DiskCalls]:
    """One mount for all tests, which goes on after each."""
    found = DiskCalls(room / "disk", room / "control")
    with mounted_by(mount_command(room / "disk" / "db", room / "mount"), room / "mount", found.environment()):
        yield found
        assert "Traceback" not in (room / "mount.log").read_text()


class TestMount:
    """A mount whose disk refuses: programs get the right errno at once, and can save when it does no longer."""

    @pytest.mark.parametrize("size", [100, LARGE])
    @pytest.mark.parametrize(
        ("title", "expected"),
        [
            ("full", errno.ENOSPC),
            ("over quota", errno.ENOSPC),
            ("read-only", errno.EROFS),
            ("broken", errno.EIO),
        ],
    )
    def test_a_save_fails_with_its_errno(
        self, room: Path, calls: DiskCalls, title: str, expected: int, size: int
    ) -> None:
        path, refusal = room / "mount" / f"file{size}", REFUSALS[title]
        write(path, expand(f"1:{size}"))
        with calls.failing(refusal.kinds, 1, refusal.number), pytest.raises(OSError, match=str(path.name)) as failed:
            write(path, expand(f"2:{size}"))
        assert failed.value.errno == expected
        with Store.open(room / "disk" / "db") as store:
            assert store.get(path.name).read() == expand(f"1:{size}")
            audit(store)
        write(path, expand(f"3:{size}"))
        with Store.open(room / "disk" / "db") as store:
            assert store.get(path.name).read() == expand(f"3:{size}")

    def test_a_program_that_keeps_its_file_open_saves_it_later(self, room: Path, calls: DiskCalls) -> None:
        path, refusal = room / "mount" / "kept open", REFUSALS["full"]
        write(path, expand("1:3000"))
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, expand("2:3000"))
            with (
                calls.failing(refusal.kinds, 1, refusal.number),
                pytest.raises(OSError, match="No space left") as failed,
            ):
                os.fsync(file)
            assert failed.value.errno == errno.ENOSPC
            os.fsync(file)
        finally:
            os.close(file)
        with Store.open(room / "disk" / "db") as store:
            assert store.get("kept open").read() == expand("2:3000")


def write(path: Path, value: bytes) -> None:
    """Save a file and wait for the disk; the error of any step names the file."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(file, value)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("full", "no space left on the disk that holds"),
        ("over quota", "no space left on the disk that holds"),
        ("read-only", "read-only file system"),
        ("no descriptors", "too many open files"),
    ],
)
def test_a_command_says_in_one_line_what_is_refused(tmp_path: Path, title: str, words: str) -> None:
    room, refusal = tmp_path / "room", REFUSALS[title]
    room.mkdir()
    calls = DiskCalls(room, tmp_path / "control")
    environment = {**unmeasured(), **calls.environment()}
    with Store.open(room / "db") as store:
        store.set("a", b"old")

    def set_it() -> subprocess.CompletedProcess[str]:
        command = [*KVASS, "--db", str(room / "db"), "set", "a", "new"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    with calls.failing(refusal.kinds, 1, refusal.number):
        done = set_it()
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with Store.open(room / "db") as store:
        assert store.get("a").read() == b"old"
    assert set_it().returncode == 0
