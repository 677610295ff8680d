"""Browsers whose page is a device of a real hub, and the other devices of their person."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

from kvassfs.kind import Kind
from kvassfs.remote.http import HttpRemote
from kvassfs.store import Store
from kvassfs.sync import Synchroniser
from tests.browser.app_page import PHONE
from tests.browser.driver import ARGUMENTS, chromium
from tests.browser.tapping import LONGEST, Tapper
from tests.support.devices import Device, Hub, Room
from tests.support.processes import end_process, unmeasured
from tests.support.sealed import KEYS
from tests.support.sealed_rig import SECRET

ADDRESS: Final = re.compile(rb"http://\S+/app/#\S+")
"""What a phone scans, as `kvass pair --phone` prints it."""

CUT: Final = re.compile(r"ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INTERNET_DISCONNECTED|ERR_ABORTED|ERR_SOCKET")
"""What the browser says by itself of a hub that is away."""

TELLING: Final = 100
"""Milliseconds until the page tells what has changed."""

CLIPBOARD: Final = ["clipboard-read", "clipboard-write"]


class SealedDevice(Device):
    """A device of a sealed store."""

    def join(self, key: bytes, remote: str) -> None:
        """Give it the key of the store, and the address of a hub."""
        with self.store() as store:
            store.settings.set_encryption_key(SECRET, Kind.DEVICE)
            store.settings.set_remote(remote)


class Home:
    """A hub, and the devices of its person, of which `desk` pairs others; a context manager."""

    def __init__(self, path: Path, *, sealed: bool) -> None:
        """Put everything in the directory `path`."""
        path.mkdir()
        self.sealed = sealed
        self.room = Room(path)
        self.hub = Hub(path / "hub.sqlite")
        if sealed:
            with self.hub.store() as store:
                store.settings.set_encryption_key(KEYS.access, Kind.HUB)
        self.room.enter(self.hub)
        self.desk = self.device("desk")

    def __enter__(self) -> Self:
        """Give it; it is at work."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it all."""
        self.room.__exit__()

    @property
    def url(self) -> str:
        """Where the hub is."""
        return f"http://{self.hub.address}"

    @property
    def app(self) -> str:
        """Where its page is."""
        return f"{self.url}/app/"

    def device(self, name: str) -> Device:
        """Make a device that is in the store."""
        kind = SealedDevice if self.sealed else Device
        device = kind(self.room.path / name)
        device.join(self.hub.key, self.hub.address)
        with device.store() as store:
            store.settings.set_name(name)
        return device

    @contextmanager
    def pairing(self) -> Iterator[str]:
        """`with` what `kvass pair --phone` shows, until it has handed over."""
        command = self.desk.command("pair", "--phone")
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=unmeasured()) as process:
            try:
                assert process.stdout is not None
                lines = iter(process.stdout.readline, b"")
                yield next(found.group().decode() for line in lines if (found := ADDRESS.search(line)))
                process.stdout.read()
                assert process.wait(60) == 0
            finally:
                end_process(process)

    def give(self, values: dict[str, bytes], device: Device | None = None) -> None:
        """Save values on a device, and exchange."""
        with (device or self.desk).store() as store:
            with store.bulk():
                for key, value in values.items():
                    store.set(key, value)
            exchange(store)

    def exchange(self, device: Device | None = None) -> None:
        """Have a device exchange with the hub."""
        with (device or self.desk).store() as store:
            exchange(store)

    def read(self, key: str, device: Device | None = None) -> bytes | None:
        """Return what a device has under a key after an exchange."""
        self.exchange(device)
        return (device or self.desk).value(key)


def exchange(store: Store) -> None:
    """Have a store exchange with its hub."""
    with closing(HttpRemote(store.settings.config().remote)) as remote:
        Synchroniser(store, remote).exchange()


class PageDevice(Tapper):
    """A browser of its own, and a tab of it; `console` is what its page complained of, `elsewhere` what it asked other places for."""

    def __init__(self, context: BrowserContext, home: Home, page: Page | None = None) -> None:
        """Open a tab of the browser, or take one."""
        self.context = context
        self.home = home
        self.console: list[str] = []
        self.dialogs: list[str] = []
        self.elsewhere: list[str] = []
        self.page = page or context.new_page()
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("dialog", self._note_dialog)
        self.page.on("request", self._note_request)

    def _note_console(self, message: ConsoleMessage) -> None:
        if not CUT.search(message.text):
            self.console.append(message.text)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.type)
        dialog.accept()

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != self.home.hub.address:
            self.elsewhere.append(request.url)

    def tab(self) -> PageDevice:
        """Open another tab of this browser."""
        return PageDevice(self.context, self.home)

    def visit(self, fragment: str = "") -> None:
        """Open the page, also anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.home.app}{fragment}")

    def pair(self, passphrase: str = "") -> None:
        """Scan what `kvass pair --phone` shows, and tap."""
        with self.home.pairing() as address:
            self.page.goto(address)
            if passphrase:
                self.page.get_by_label("Passphrase").fill(passphrase)
            self.press("Get my files")
            self.wait_for_list()

    def wait_for_list(self) -> None:
        """Wait until the store is open, and its root shown."""
        self.page.get_by_role("heading", name="Files", level=1, exact=True).wait_for()

    def go_home(self) -> None:
        """Show the root of the store."""
        self.page.get_by_role("navigation", name="Views").get_by_role("link", name="Files").click()
        self.wait_for_list()

    def state(self) -> str:
        """Return what the page says of the hub."""
        return self.page.get_by_role("contentinfo").locator("p").first.inner_text()

    def wait_until_in_step(self, seconds: float = LONGEST) -> None:
        """Wait until all is at the hub, and the page says so."""
        self.page.wait_for_timeout(3 * TELLING)  # what was done a moment ago is told by then
        self.await_(lambda: self.state().startswith("In step"), "in step", seconds)

    def unsent(self) -> int:
        """Return how many changes wait, as the page says it."""
        found = re.search(r"([\d,]+) changes? waits?", self.state())
        return int(found[1].replace(",", "")) if found else 0

    def text(self) -> str:
        """Return the text that is shown of a value."""
        return self.page.locator(".source").inner_text()

    def note(self, name: str, text: str) -> None:
        """Write a new note in the folder that is shown."""
        self.press("New")
        self.press("New note")
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label("Text", exact=True).fill(text)
        self.press("Save")
        self.await_(lambda: "Saved as" in self.said(), "the note saved")
        self.put_away()
        self.go_home()

    def edit(self, name: str, text: str) -> str:
        """Give a text in the folder that is shown another content, go back, and return what is said of it."""
        self.open(name)
        self.press("Edit", "link")
        area = self.page.get_by_label("Text", exact=True)
        self.await_(area.is_enabled, "the text to be there")
        area.fill(text)
        self.press("Save")
        said = self.put_away()
        self.go_home()
        return said

    def put_away(self) -> str:
        """Close what is said, and return it."""
        said = self.say()
        self.page.locator(".notice").get_by_role("button", name="Close").click()
        return said

    def add(self, *files: Any) -> None:
        """Choose files of this device for the folder that is shown."""
        self.press("New")
        with self.page.expect_file_chooser() as asked:
            self.press("Add files")
        asked.value.set_files(list(files))

    def go_offline(self) -> None:
        """Take the network away, and the hub."""
        self.home.hub.stop()
        self.context.set_offline(True)

    def go_online(self) -> None:
        """Bring them back."""
        self.home.hub.start()
        self.context.set_offline(False)

    def read_database(self) -> str:
        """Return all that the browser keeps of the page in its database, as text."""
        found: str = self.page.evaluate(DUMP)
        return found

    def assert_quiet(self) -> None:
        """Nothing complained, nobody was asked anything, and nothing was asked for elsewhere."""
        heard = (self.console, self.dialogs, self.elsewhere)
        assert heard == ([], [], []), heard


DUMP: Final = """async () => {
  const ask = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const show = (value) => {
    if (value instanceof Uint8Array) return Array.from(value, (byte) => String.fromCharCode(byte)).join("")
    if (value instanceof CryptoKey) return "(a key)"
    if (Array.isArray(value)) return value.map(show)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, show(each)]))
  }
  const found = []
  for (const { name } of await indexedDB.databases()) {
    const database = await ask(indexedDB.open(name))
    for (const store of database.objectStoreNames) {
      const reading = database.transaction(store).objectStore(store)
      const [keys, values] = [await ask(reading.getAllKeys()), await ask(reading.getAll())]
      for (const [index, value] of values.entries()) found.push(JSON.stringify([store, keys[index], show(value)]))
    }
    database.close()
  }
  return found.join("\\n")
}"""
"""Each record in a line: the object store, its key, and what it holds, bytes as characters."""


@contextmanager
def browsing(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """`with` a browser of somebody with a phone, without a past."""
    context = browser.new_context(**{**PHONE, "permissions": CLIPBOARD, **options})
    try:
        yield context
    finally:
        context.close()


class Profile:
    """A browser whose profile survives: opened and closed at will."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        """Keep the profile in a directory."""
        self._launch = browser.browser_type.launch_persistent_context
        self._folder = folder
        self.context: BrowserContext | None = None

    def start(self, home: Home) -> PageDevice:
        """Start the browser, and give its tab."""
        self.context = self._launch(
            self._folder, executable_path=chromium(), headless=True, args=ARGUMENTS, permissions=CLIPBOARD, **PHONE
        )
        return PageDevice(self.context, home, self.context.pages[0])

    def close(self) -> None:
        """End it, if it runs."""
        self.stop()

    def stop(self) -> None:
        """End it."""
        context, self.context = self.context, None
        if context is not None:
            context.close()
