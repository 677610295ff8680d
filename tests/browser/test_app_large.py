"""Large values and little room: sent in blocks, cut off and gone on with, fetched when they are wanted, and refused in words."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Request

from kvassfs.errors import KeyMissing
from tests.browser.device_page import Home, PageDevice, Profile
from tests.support.disks import MIB, small_disk

SIZE = 200 * 1000 * 1000

MESSAGES = SIZE // MIB + 1
"""Messages with the blocks of the film, of a MiB each."""

IN_FLIGHT = 3
"""Messages that may be cut off, and sent again."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 200 MB, of which no two blocks are alike."""
    path = tmp_path_factory.mktemp("film") / "film.bin"
    random = Random(1)
    with path.open("wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(random.randbytes(1_000_000))
    return path


@pytest.fixture
def profile(browser: Browser, tmp_path: Path) -> Iterator[Profile]:
    """A browser whose profile survives."""
    profile = Profile(browser, tmp_path / "profile")
    yield profile
    profile.close()


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_value(home: Home, key: str) -> str | None:
    """Return the hash of what a device gets under a key."""
    tablet = home.device("tablet")
    home.exchange(tablet)
    digest = hashlib.sha256()
    with tablet.store() as store:
        try:
            for piece in store.get(key).chunks():
                digest.update(piece)
        except KeyMissing:
            return None
    return digest.hexdigest()


class BlockCounter:
    """Counts the messages with blocks that a page sends."""

    def __init__(self, device: PageDevice, before: int = 0) -> None:
        self.count = before
        device.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.url.endswith("/blocks"):
            self.count += 1


@pytest.mark.timeout(400)
def test_a_large_upload_goes_on_where_it_was_cut(profile: Profile, home: Home, film: Path) -> None:
    phone = profile.start(home)
    phone.pair()
    counter = BlockCounter(phone)
    phone.add(film)
    phone.page.get_by_text("Adding film.bin").wait_for()
    phone.await_(lambda: phone.said() == "“film.bin” was added.", "the file kept here", 120)
    bar = phone.page.get_by_role("contentinfo").get_by_role("progressbar")
    phone.await_(lambda: counter.count > 30, "the upload begun")
    assert 0.1 < float(bar.get_attribute("value") or 0) < 0.9

    home.hub.stop(signal.SIGKILL)
    phone.await_(lambda: "cannot be reached · 1 change waits" in phone.state(), "the hub is away")
    assert counter.count < MESSAGES / 2
    home.hub.start()
    phone.await_(lambda: counter.count > 90, "the upload goes on")

    profile.stop()
    assert counter.count < MESSAGES * 0.8
    phone = profile.start(home)
    counter = BlockCounter(phone, counter.count)
    phone.visit()
    phone.wait_for_list()
    phone.page.get_by_text("film.bin", exact=True).wait_for()
    phone.wait_until_in_step(180)
    assert counter.count <= MESSAGES + 3 * IN_FLIGHT
    assert hash_value(home, "film.bin") == hash_file(film)


@pytest.mark.timeout(300)
def test_a_large_file_of_another_device_is_fetched_when_it_is_wanted(profile: Profile, home: Home, film: Path) -> None:
    with home.desk.store() as store, film.open("rb") as file:
        store.set_stream("film.bin", file)
    home.exchange()
    phone = profile.start(home)
    counter = BlockCounter(phone)
    phone.pair()
    phone.page.get_by_text("film.bin", exact=True).wait_for()
    phone.wait_until_in_step()
    assert "200 MB" in phone.page.locator(".row .facts").inner_text()
    phone.open("film.bin")
    phone.page.wait_for_timeout(1000)
    assert counter.count <= 2  # of a sealed value, its head
    with phone.page.expect_download(timeout=240_000) as begun:
        phone.press("Download")
        phone.await_(lambda: "Fetching: " in phone.said(), "how far it is")
    assert hash_file(begun.value.path()) == hash_file(film)


# Little room


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 MiB, of which the browser allows a page some 60."""
    room = tmp_path / "room"
    room.mkdir()
    with small_disk(room, 100 * MIB) as disk:
        yield disk


def enlarge(disk: Path) -> None:
    """Have a disk be four times as large; a browser notices when it is started."""
    subprocess.run(["mount", "-o", f"remount,size={400 * MIB}", disk], check=True)


def test_a_full_storage_is_said_and_nothing_is_lost(browser: Browser, home: Home, tmp_path: Path, small: Path) -> None:
    photos = tmp_path / "photos.bin"
    photos.write_bytes(Random(2).randbytes(80 * MIB))
    home.give({"todo.txt": b"milk"})
    with closing(Profile(browser, small / "profile")) as profile:
        phone = profile.start(home)
        phone.pair()
        phone.wait_until_in_step()
        phone.add(photos)
        phone.await_(lambda: "could not be added" in phone.said(), "the failure")
        assert "This browser has no room left for it: free some on this device" in phone.said()
        phone.put_away()
        assert phone.names() == ["todo.txt"]
        phone.note("note.md", "n" * 300_000)  # what was kept of the photos is not in its way
        phone.wait_until_in_step()

        profile.stop()
        enlarge(small)
        phone = profile.start(home)
        phone.visit()
        phone.wait_for_list()
        assert phone.names() == ["note.md", "todo.txt"]
        phone.add(photos)
        phone.await_(lambda: "was added" in phone.said(), "the photos")
        phone.wait_until_in_step(120)
    assert hash_value(home, "photos.bin") == hash_file(photos)


@pytest.mark.timeout(240)
def test_what_cannot_be_kept_of_what_comes_is_taken_later(browser: Browser, home: Home, small: Path) -> None:
    with closing(Profile(browser, small / "profile")) as profile:
        phone = profile.start(home)
        phone.pair()
        phone.wait_until_in_step()
        phone.note("0 mine.md", "mine")
        phone.wait_until_in_step()
        home.give({f"{number:03}.txt": Random(number).randbytes(250_000) for number in range(330)})
        phone.await_(lambda: "no room left for it: free some" in phone.state(), "the failure", 120)

        profile.stop()
        enlarge(small)
        phone = profile.start(home)
        phone.visit()
        phone.wait_for_list()
        phone.wait_until_in_step(120)
        assert phone.page.locator(".row").last.get_attribute("aria-setsize") == "331"
        phone.open("0 mine.md")
