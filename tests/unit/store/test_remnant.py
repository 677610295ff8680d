"""What a power cut left of a database that was being made is made anew; what may be anything else stays as it is.

tests/fault/test_power.py cuts the power at each moment of that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from kvassfs.errors import DamagedStore, NotAStore, StoreUnavailable
from kvassfs.store import Store, remnant
from kvassfs.store.remnant import BESIDE
from tests.support.stores import audit, contents_of, finish, run, start

PAGE = 4096
TORN = (512, 2560, PAGE)
"""How long a file may be of whose first page some sectors arrived."""

MAKE = "with Store.open(sys.argv[1]) as store: store.set(sys.argv[2], b'1')"


@pytest.mark.parametrize("size", TORN)
def test_it_becomes_a_database(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    path.chmod(0o644)
    with Store.open(path) as store:
        store.set("a", b"1")
        audit(store)
    with Store.open(path, create=False) as store:
        assert store.get("a").read() == b"1"
    assert set(contents_of(path.parent)) == {path.name}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_may_be_behind_a_symbolic_link(path: Path) -> None:
    path.write_bytes(bytes(PAGE))
    link = path.with_name("link")
    link.symlink_to(path)
    with Store.open(link) as store:
        store.set("a", b"1")
    assert link.is_symlink()
    with Store.open(path) as store:
        assert list(store.keys()) == ["a"]


@pytest.mark.parametrize("size", TORN)
def test_who_makes_none_finds_none_and_leaves_it(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    with pytest.raises(StoreUnavailable, match="it does not exist"):
        Store.open(path, create=False)
    assert contents_of(path.parent) == {path.name: bytes(size)}


class TestAnythingElse:
    def stays(self, path: Path, kind: type[Exception] = NotAStore) -> None:
        before = contents_of(path.parent)
        for create in (True, False):
            with pytest.raises(kind):
                Store.open(path, create=create)
            assert contents_of(path.parent) == before

    @pytest.mark.parametrize("size", [100, PAGE - 1, PAGE + 512, 2 * PAGE])
    def test_another_length_is_not_of_a_first_page(self, path: Path, size: int) -> None:
        path.write_bytes(bytes(size))
        self.stays(path)

    @pytest.mark.parametrize("at", [0, 511, PAGE - 1])
    def test_a_byte_may_be_of_anything(self, path: Path, at: int) -> None:
        path.write_bytes(bytes(at) + b"\1" + bytes(PAGE - at - 1))
        self.stays(path)

    @pytest.mark.parametrize("end", BESIDE)
    def test_what_is_beside_it_may_be_of_something_that_was_stored(self, path: Path, end: str) -> None:
        path.write_bytes(bytes(PAGE))
        Path(f"{path}{end}").touch()
        self.stays(path, DamagedStore if end == "-reserve" else NotAStore)

    def test_a_log_that_has_all_that_was_stored_is_read(self, path: Path) -> None:
        with Store.open(path) as store:
            store.set("a", b"1")
            log = Path(f"{path}-wal").read_bytes()
        Path(f"{path}-reserve").unlink()
        path.write_bytes(bytes(PAGE))
        Path(f"{path}-wal").write_bytes(log)
        with Store.open(path) as store:
            assert store.get("a").read() == b"1"

    def test_where_it_cannot_be_locked_it_stays(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_file: int, _operation: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        path.write_bytes(bytes(PAGE))
        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", refuse)
            with pytest.raises(NotAStore):
                Store.open(path)
        assert path.read_bytes() == bytes(PAGE)

    def test_where_nothing_tells_what_is_open_it_stays(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.write_bytes(bytes(PAGE))
        with monkeypatch.context() as patch:
            patch.setattr(remnant, "find_descriptor", lambda _: None)
            self.stays(path)


class TestOthers:
    def test_one_that_another_process_has_made_meanwhile_is_kept(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was a remnant when this process looked, and is none any more once it has the lock."""
        lock = fcntl.flock

        def make_before(file: int, operation: int) -> None:
            if operation == fcntl.LOCK_EX:
                run(MAKE, path, "theirs")
            lock(file, operation)

        path.write_bytes(bytes(PAGE))
        monkeypatch.setattr(fcntl, "flock", make_before)
        with Store.open(path) as store:
            store.set("mine", b"2")
            assert list(store.keys()) == ["mine", "theirs"]
            audit(store)

    def test_one_that_another_process_is_making_is_kept(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is an empty file at that moment, or one with a page that is not of zeros."""
        lock = fcntl.flock

        def empty_before(file: int, operation: int) -> None:
            if operation == fcntl.LOCK_EX:
                os.truncate(path, 0)
            lock(file, operation)

        path.write_bytes(bytes(PAGE))
        monkeypatch.setattr(fcntl, "flock", empty_before)
        with Store.open(path) as store:
            store.set("mine", b"2")

    def test_all_that_make_one_at_once_have_the_same(self, path: Path) -> None:
        path.write_bytes(bytes(PAGE))
        keys = [f"key{number}" for number in range(4)]
        for process in [start(MAKE, path, key) for key in keys]:
            finish(process)
        with Store.open(path) as store:
            assert list(store.keys()) == keys
            audit(store)

    def test_who_is_killed_after_clearing_it_leaves_an_empty_file(self, path: Path) -> None:
        path.write_bytes(bytes(PAGE))
        code = """
            import os, signal
            from kvassfs.store import opening
            opening.prepare_empty = lambda _: os.kill(os.getpid(), signal.SIGKILL)
            Store.open(sys.argv[1])
        """
        process = start(code, path)
        process.communicate()
        assert process.returncode < 0
        assert path.read_bytes() == b""
        with Store.open(path) as store:
            store.set("a", b"1")
