"""A sealed store at a real hub: a device that shares things, and what the page of their addresses shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Download

from kvassfs.kind import Kind
from kvassfs.remote.http import HttpRemote
from kvassfs.sharing.sealed_links import add_link, locate_link, locate_version
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from tests.browser.driver import Shared, Visitor
from tests.support.hub_process import Server, serving
from tests.support.sealed import FILE, KEYS
from tests.support.sealed_rig import SECRET

if TYPE_CHECKING:
    from kvassfs.store.store import Readable


class SealedShared(Shared):
    """A hub that cannot read what it shares, and the requests from now on."""

    def __init__(self, server: Server, device: Store) -> None:
        super().__init__(server)
        self.device = device

    def push(self) -> None:
        """Have the hub have what the device has."""
        with closing(HttpRemote(self.url)) as remote:
            Synchroniser(self.device, remote).exchange()
        self.forget_requests()

    def give(self, key: str, value: bytes | Readable) -> str:
        """Give a key a value, and return the address of that version."""
        self._set(key, value)
        self.push()
        return locate_version(self.device, KEYS, self.url, key)

    def link(self, key: str, value: bytes | Readable, *, expires: int = 0, once: bool = False) -> str:
        """Give a key a value, and return the address of a new link to the key."""
        self._set(key, value)
        link = add_link(self.device, KEYS, key, expires=expires, once=once, now=0)
        self.push()
        return locate_link(KEYS, self.url, link)

    def _set(self, key: str, value: bytes | Readable) -> None:
        if value == b"":
            self.put_hole(key, 0)  # to set one would delete the key
        elif isinstance(value, bytes):
            self.device.set(key, value)
        else:
            self.device.set_stream(key, value)

    def put_hole(self, key: str, size: int) -> str:
        """Give a key so many zeros, as an import does, and return the address of that version."""
        draft = self.device.tree.draft()
        draft.truncate(size)
        self.device.imports.put(key, draft, FILE, None)
        draft.close()
        self.push()
        return locate_version(self.device, KEYS, self.url, key)


@contextmanager
def serving_sealed(folder: Path) -> Iterator[tuple[Server, Store]]:
    """``with`` the process of a hub, and a device."""
    with Store.open(folder / "db.sqlite") as hub:
        hub.settings.set_encryption_key(KEYS.access, Kind.HUB)
    with serving(folder) as server, Store.open(folder / "device") as device:
        device.settings.set_encryption_key(SECRET, Kind.DEVICE)
        device.settings.set_remote(server.url)
        yield server, device


def wait_for_value(visitor: Visitor) -> None:
    """Wait until the page offers the value to be saved, or says that it cannot."""
    visitor.page.locator("#save:visible, #status.failed").wait_for(state="visible")
    failed = visitor.page.locator("#status.failed")
    assert failed.count() == 0, failed.inner_text()


def open_page(visitor: Visitor, url: str) -> None:
    """Open an address, and wait until its value is there."""
    assert visitor.show(url) == 200
    wait_for_value(visitor)


def save(visitor: Visitor) -> Download:
    """Save what the page offers."""
    with visitor.page.expect_download() as begun:
        visitor.page.click("#save")
    return begun.value


def read_failure(visitor: Visitor) -> str:
    """Wait until the page says that something failed, and return what it says."""
    visitor.page.locator("#status.failed").wait_for(state="visible")
    return visitor.page.inner_text("#status")
