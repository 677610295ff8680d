"""Damage: whatever page of a database is overwritten, the rest is saved, the loss is named, and nothing is made up."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from kvassfs.errors import DamagedStore, KvassError, NotAStore
from kvassfs.store import Sizes, Store
from kvassfs.store.checkup import check_file
from kvassfs.store.pages import Pages
from kvassfs.store.salvage import Salvage, salvage
from kvassfs.store.sizes import SIZES
from tests.support.golden_data import GOLDEN
from tests.support.mounts import mounted
from tests.support.searches import LONG
from tests.support.stores import SMALL, audit

SEED = random.randrange(1 << 32) if LONG else 19
"""Printed with each failure; the short form is the same each time."""

PAGE = 4096

SAMPLE = 12
"""Pages that the short form damages, beside the first ones; the long form damages each, in three ways."""


class Sound(NamedTuple):
    """A database as it was: its bytes, its values, and what a device is."""

    path: Path
    data: bytes
    values: dict[str, bytes]
    replica: tuple[object, ...]

    @property
    def pages(self) -> int:
        return len(self.data) // PAGE


def fill(path: Path) -> Sound:
    """Make a store with some of everything, large values, earlier versions, removed keys and free pages."""
    rng = random.Random(SEED)
    values = {f"notes/{number}": rng.randbytes(1 + number * 37) for number in range(120)}
    values |= {"large": rng.randbytes(700_000), "longer": rng.randbytes(70_000)}
    with Store.open(path) as store:
        for key, value in values.items():
            store.set(key, b"before")
            store.set(key, value)
        store.settings.set_remote("hub.example:8000")
        store.delete("notes/7")
        del values["notes/7"]
        replica = read_replica(store)
    return Sound(path, path.read_bytes(), values, replica)


def read_replica(store: Store) -> tuple[object, ...]:
    config = store.settings.config()
    return config.process_id, config.encryption_key, config.remote, config.clock, store.outbox.count_dirty()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return fill(tmp_path_factory.mktemp("sound") / "db")


def save(path: Path, sizes: Sizes = SIZES) -> tuple[Salvage, Path]:
    """Save what can be read of a database; look whether the new one is whole and the damaged one as it was."""
    before = path.read_bytes()
    target = path.with_name("saved")
    target.unlink(missing_ok=True)
    saved = salvage(str(path), str(target), now=time.time_ns(), sizes=sizes)
    assert path.read_bytes() == before
    return saved, target


def compare(sound: Sound, saved: Salvage, target: Path) -> set[str]:
    """Look whether all that was saved is right, and all that is missing was named; return that."""
    with Store.open(target) as store:
        audit(store)
        found = {key: store.get(key).read() for key in store.keys() if store.entry(key).size}
        if not any("process id" in part for part in saved.parts):
            assert read_replica(store)[:3] == sound.replica[:3]
            if not saved.lost and not saved.parts:
                assert read_replica(store) == sound.replica
        store.set("new", b"value")
    for end in ("", "-wal", "-shm", "-reserve"):
        Path(f"{target}{end}").unlink(missing_ok=True)
    # No sum is kept of the bytes of a small value: a page behind the one with its beginning can be overwritten unseen.
    wrong = {key for key in found if found[key] != sound.values.get(key) and len(found[key]) < 4000}
    assert not wrong
    missing = sound.values.keys() - found.keys()
    assert missing <= {*saved.lost} or any("keys" in part for part in saved.parts)
    return missing


def damages(sound: Sound) -> Iterator[tuple[str, int, bytes]]:
    """Yield pages to overwrite, and with what."""
    rng = random.Random(SEED)
    numbers = range(1, sound.pages + 1)
    for number in numbers if LONG else [1, 2, 3, 4, *rng.sample(numbers, SAMPLE)]:
        other = rng.randrange(sound.pages)
        kinds = {
            "zeros": bytes(PAGE),
            "noise": rng.randbytes(PAGE),
            "another page": sound.data[other * PAGE : (other + 1) * PAGE],
        }
        for kind in kinds if LONG else [rng.choice(sorted(kinds))]:
            yield kind, number, kinds[kind]


def test_a_sound_database_is_saved_whole(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    shutil.copy(sound.path, path)
    saved, target = save(path)
    assert (saved.lost, saved.versions, saved.parts, saved.pages) == ((), 0, (), 0)
    assert saved.entries == len(sound.values)
    assert compare(sound, saved, target) == set()


@pytest.mark.timeout(7200 if LONG else 120)
def test_whatever_page_is_overwritten_the_rest_is_saved(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    lost = 0
    for kind, number, page in damages(sound):
        path.write_bytes(sound.data[: (number - 1) * PAGE] + page + sound.data[number * PAGE :])
        saved, target = save(path)
        try:
            if kind == "another page":  # which is twice there now; what one of them has may be from before
                with Store.open(target) as store:
                    audit(store)
                continue
            missing = compare(sound, saved, target)
        except Exception as error:
            raise AssertionError(f"seed {SEED}: page {number}, {kind}") from error
        assert len(missing) < len(sound.values) / 2, (SEED, kind, number)
        lost += len(missing)
    sys.stderr.write(f"seed {SEED}: {lost} keys lost\n")


@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_a_file_that_was_cut_off_is_saved_as_far_as_it_goes(sound: Sound, tmp_path: Path, part: float) -> None:
    path = tmp_path / "db"
    path.write_bytes(sound.data[: int(len(sound.data) * part)])
    saved, target = save(path)
    compare(sound, saved, target)


def test_what_is_in_a_torn_log_is_saved_up_to_the_tear(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    shutil.copy(sound.path, path)
    with Store.open(path) as store:
        store.set("first", b"1")
        size = os.path.getsize(f"{path}-wal")
        store.set("second", b"2")
        log = Path(f"{path}-wal").read_bytes()
        data = path.read_bytes()
    for end, expected in ((size, {"first"}), (size + 2000, {"first"}), (len(log), {"first", "second"})):
        path.write_bytes(data)
        Path(f"{path}-wal").write_bytes(log[:end] + bytes(500))
        _, target = save(path)
        with Store.open(target) as store:
            assert {"first", "second"} & {*store.keys()} == expected
        Path(f"{path}-wal").unlink()


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("store-version-*.sql")))
def test_one_of_an_earlier_version_is_saved_and_upgraded(tmp_path: Path, name: str) -> None:
    path = tmp_path / "db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / f"{name}.sql").read_text(encoding="utf-8"))
    shutil.copy(path, tmp_path / "upgraded")
    sizes = SMALL if name.endswith("blocks") else SIZES
    saved, target = save(path, sizes)
    with Store.open(tmp_path / "upgraded") as upgraded, Store.open(target) as store:
        assert list(store.keys()) == list(upgraded.keys())
        assert all(store.get(key).read() == upgraded.get(key).read() for key in store.keys() if store.entry(key).size)
        assert store.settings.config().encryption_key == upgraded.settings.config().encryption_key
    assert saved.lost == ()


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0", b"shopping list\n" * 1000, bytes(20_000)])
def test_what_is_no_database_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "db"
    path.write_bytes(content)
    with pytest.raises(NotAStore):
        save(path)


def test_noise_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "db"
    rng = random.Random(SEED)
    for _ in range(200 if LONG else 10):
        path.write_bytes(b"SQLite format 3\0\x10\0" + rng.randbytes(PAGE * 5))
        with pytest.raises(NotAStore):
            save(path)


def test_noise_within_pages_does_no_harm(sound: Sound, tmp_path: Path) -> None:
    """Single bytes: lengths, pointers and types that are nearly right."""
    path = tmp_path / "db"
    rng = random.Random(SEED)
    for _ in range(300 if LONG else 8):
        data = bytearray(sound.data)
        for _ in range(40):
            data[rng.randrange(PAGE * rng.randrange(1, sound.pages))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            _, target = save(path)
        except NotAStore:
            continue
        assert check_file(str(target), full=True).faults == (), SEED


def find_page_of_block(sound: Sound) -> int:
    """Return a page in which the middle of a large value is."""
    with closing(Pages(str(sound.path))) as pages:
        value = sound.values["large"]
        return next(number for number in range(2, pages.count) if value[100_000:100_500] in pages.read(number))


def damage_block(sound: Sound, path: Path) -> None:
    number = find_page_of_block(sound)
    path.write_bytes(sound.data[: (number - 1) * PAGE] + bytes(PAGE) + sound.data[number * PAGE :])


def test_a_lost_block_is_found_and_its_key_is_named(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    damage_block(sound, path)
    with suppress(DamagedStore):
        assert check_file(str(path), full=True).faults
    saved, target = save(path)
    assert saved.lost == ("large",)
    assert compare(sound, saved, target) == {"large"}


def test_what_has_lost_something_pulls_all_anew(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    damage_block(sound, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE replica SET cursor = 77")
        connection.commit()
    _, target = save(path)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT cursor FROM replica").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM incarnations").fetchone() == (0,)


def test_a_mount_shows_the_rest(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    damage_block(sound, path)
    (tmp_path / "m").mkdir()
    with mounted(tmp_path / "m", path, "auto") as shown:
        with pytest.raises(OSError, match="Input/output error"):
            (shown.path / "large").read_bytes()
        assert (shown.path / "longer").read_bytes() == sound.values["longer"]
        (shown.path / "new").write_bytes(b"value")
        assert (shown.path / "new").read_bytes() == b"value"


def test_a_command_names_what_to_type(sound: Sound, tmp_path: Path) -> None:
    path = tmp_path / "db"
    damage_block(sound, path)
    with Store.open(path) as store, pytest.raises(KvassError, match="`kvass doctor --full` says what is lost"):
        store.get("large").read()
