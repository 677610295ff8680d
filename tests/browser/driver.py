"""Chromium, somebody who opens addresses in it, and a hub that shares things."""

from __future__ import annotations

import io
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, Error, Response, Route, sync_playwright

from kvassfs.server.request_log import redact_path
from kvassfs.sharing.address import format_share_url
from kvassfs.store import Store
from tests.support.hub_process import Server
from tests.support.processes import peak_memory

if TYPE_CHECKING:
    from kvassfs.store.store import Readable

CHROMIUM = "chromium"

ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""What makes it ask for nothing beyond this machine; a new profile, and no sandbox as root, come with Playwright."""

PATIENCE = 30.0
"""Seconds until something that does not come is a failure: far more than it takes on a busy machine."""

OF_DEVICES = ("/pull", "/push", "/blocks")
"""What is asked for when a device gives its hub what is shared."""

ICON = redact_path("/favicon.ico", ["/"])
"""What Chromium asks any site for by itself, as it is logged."""

REQUEST = re.compile(r" ([A-Z]+) (/.*) (\d+|-) \d+ in \d+ out \d+ ms$")
"""A line of the log: method, path and status."""

AREA = 5000
"""Pixels that are to be seen, and no matter of chance."""

Color = tuple[int, int, int]


def chromium() -> str:
    """Return the path of the system's Chromium; fail with its name if there is none."""
    path = shutil.which(CHROMIUM)
    if path is None:
        pytest.fail(f"not installed: {CHROMIUM}")
    return path


@contextmanager
def launched() -> Iterator[Browser]:
    """``with`` a headless Chromium."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


class Shared:
    """A hub at work, what it shares, and the requests from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url
        self.origin = "{0.scheme}://{0.netloc}".format(urlsplit(server.url))
        self.forget_requests()

    def forget_requests(self) -> None:
        """Look at requests from now on alone."""
        self._earlier = len(self._server.log().splitlines())

    def give(self, key: str, value: bytes | Readable) -> str:
        """Give a key a value, and return the address of that version."""
        with Store.open(self._server.database) as store:
            entry = store.set(key, value) if isinstance(value, bytes) else store.set_stream(key, value)
            self._server.publish(store)
            return format_share_url(self.url, entry.url_token)

    def link(self, key: str, value: bytes, *, expires: int = 0, once: bool = False) -> str:
        """Give a key a value, and return the address of a new link to the key."""
        with Store.open(self._server.database) as store:
            store.set(key, value)
            token = store.share_links.create(key, expires=expires, once=once).token
            self._server.publish(store)
            return format_share_url(self.url, token)

    def requests(self) -> list[str]:
        """Return method, path and status of the requests, as logged, but for those that the browser makes by itself, or a device."""
        lines = self._server.log().splitlines()[self._earlier :]
        found = [match for line in lines if (match := REQUEST.search(line))]
        return [" ".join(match.groups()) for match in found if match[2] not in {ICON, *OF_DEVICES}]

    def high_water(self) -> int:
        """Return how many bytes of memory the hub has had at most."""
        return peak_memory(self._server.process.pid)


class Visitor:
    """Somebody with a window of their own, without a past; pictures of it go to ``album``."""

    def __init__(self, browser: Browser, album: Path, **options: Any) -> None:
        self._album = album
        self.context = browser.new_context(**{"viewport": {"width": 800, "height": 600}, **options})
        self.page = self.context.new_page()
        self.console: list[str] = []
        self.responses: list[Response] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("response", self._note)

    def show(self, url: str) -> int:
        """Go to an address that is shown, and return the status."""
        response = self.page.goto(url)
        assert response is not None
        return response.status

    def settle(self) -> None:
        """Wait until no more is asked for."""
        self.page.wait_for_load_state("networkidle")

    def download(self, url: str) -> Download:
        """Go to an address that is downloaded."""
        with self.page.expect_download() as begun, pytest.raises(Error, match="Download is starting"):
            self.page.goto(url)
        return begun.value

    def _note(self, response: Response) -> None:
        self.responses.append(response)

    def text(self) -> str:
        """Return the text that is to be read."""
        return self.page.inner_text("body")

    def origin(self) -> str:
        """Return the origin of what is shown; ``"null"`` is an opaque one."""
        return str(self.page.evaluate("self.origin"))

    def picture(self, name: str) -> Image.Image:
        """Return what the window shows, and keep it in a file ``name``."""
        data = self.page.screenshot(path=self._album / f"{name}.png")
        return Image.open(io.BytesIO(data)).convert("RGB")

    def sees(self, color: Color, name: str) -> bool:
        """Whether the window shows a color; the picture is kept in a file ``name``."""
        return area(self.picture(name), color) > AREA

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds, or fail."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain: {what}; the console says {self.console}"
            self.page.wait_for_timeout(50)  # in which events arrive


def area(picture: Image.Image, color: Color) -> int:
    """Return how many pixels of a picture have a color, or one that can hardly be told from it."""
    found = picture.getcolors(picture.width * picture.height) or []
    return sum(count for count, pixel in found if near(pixel, color))


def near(pixel: object, color: Color) -> bool:
    """Whether a pixel has about that color: encoders and screens change it a bit."""
    assert isinstance(pixel, tuple)
    return all(abs(is_ - should) < 16 for is_, should in zip(pixel, color, strict=True))


def without_policy(route: Route) -> None:
    """Hand on an answer without the header that keeps its scripts from running."""
    response = route.fetch()
    kept = {name: value for name, value in response.headers.items() if name != "content-security-policy"}
    route.fulfill(response=response, headers=kept)
