"""What the page of an address keeps of a large value: a file of the browser has it, and never its memory."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.driver import ARGUMENTS, PATIENCE, chromium
from tests.browser.samples import BLOCK, Blocks
from tests.browser.sealed import SealedShared
from tests.support.searches import LONG, tell

SIZE = 200_000_000

MOST = 260_000_000
"""Bytes by which the memory of all processes of the browser may grow meanwhile: about 80 MB if it comes by a link that works
once, and 190 MB otherwise, however large it is. That is what Chromium lets gather before it collects it; each block is
decrypted into new memory, and there is no other way."""


class Memory:
    """The memory of a process and of those that it has started, looked at again and again."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._end.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.1):
            self.peak = max(self.peak, self.look())

    def look(self) -> int:
        """Return how many bytes there are in memory, what processes share counted once."""
        return sum(find_resident(pid) for pid in find_family(self._pid))


def find_family(pid: int) -> Iterator[int]:
    """Yield a process and those that it has started."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from find_family(int(child))


def find_resident(pid: int) -> int:
    """Return the memory of a process, of what it shares its part alone (Pss)."""
    try:
        found = re.search(r"^Pss: +([0-9]+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 0 if found is None else int(found[1]) * 1024


def find_browser(profile: Path) -> int:
    """Return the process of the browser that has a profile."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--user-data-dir={profile}".encode() in words and not any(word.startswith(b"--type=") for word in words):
            return int(line.parent.name)
    raise AssertionError("the browser does not run")


@pytest.mark.skipif(not LONG, reason="it takes a minute; test_open.py has values of 20 MB")
@pytest.mark.parametrize("once", [False, True], ids=["often", "once"])
def test_a_large_value_is_not_kept_in_memory(sealed: SealedShared, tmp_path: Path, once: bool) -> None:
    """In a profile of its own: a private window has no disk."""
    count = -(-SIZE // BLOCK)
    short, url = sealed.link("short", b"value"), sealed.link("large.bin", Blocks(count), once=once)
    profile = tmp_path / "profile"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium(), headless=True, args=ARGUMENTS, accept_downloads=True
        )
        page = context.new_page()
        page.goto(short)
        page.locator("#save").wait_for(state="visible")
        memory = Memory(find_browser(profile))
        before = memory.look()
        with memory.watched():
            page.goto(url)  # which loads the page anew
            if once:
                page.click("#get")
            page.locator("h1", has_text="large.bin").wait_for(timeout=4 * PATIENCE * 1000)
            page.locator("#save").wait_for(state="visible", timeout=4 * PATIENCE * 1000)
            with page.expect_download() as begun:
                page.click("#save")
            saved = begun.value.path()
        with saved.open("rb") as file:
            found = hashlib.file_digest(file, "blake2b").digest()
        context.close()
    assert found == digest(count)
    tell(f"{'once' if once else 'often'}: {SIZE:,} bytes, memory grew by {memory.peak - before:,} from {before:,}")
    assert memory.peak - before < MOST


def digest(count: int) -> bytes:
    """Return the hash of so many blocks."""
    blocks = Blocks(count)
    while blocks.read(BLOCK):
        pass
    return blocks.hash.digest()
