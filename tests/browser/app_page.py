"""The views of the page of a device in Chromium, over a store in memory that a test scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, Request, Route

from kvassfs.server.app_files import APP
from kvassfs.server.web_files import join_modules, read_part
from tests.browser.driver import Visitor
from tests.browser.tapping import Tapper

PARTS: Final = Path(__file__).parent / "app"
"""The store in memory, and what begins with it."""

URL: Final = "http://localhost/app/"
"""Where the page is: browsers take it for secure, and no server is asked."""

INSECURE: Final = "http://kvass.example/app/"

PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NARROW: Final[dict[str, Any]] = {"viewport": {"width": 320, "height": 640}}
DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 800}}


def read_with_fake(path: str) -> str:
    """Return a part of the page, of which the store in memory is one."""
    own = PARTS / Path(path).name
    return own.read_text(encoding="utf-8") if own.exists() else read_part(path)


def build_page() -> tuple[str, str]:
    """Return the document, and its policy."""
    script, style = join_modules(read_with_fake, "app/start.js"), read_part("app/app.css")
    document = read_part("app/app.html").replace("{style}", style, 1).replace("{script}", script, 1)
    return document, APP.policy.format(script=hash_source(script), style=hash_source(style))


def hash_source(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


class AppPage(Visitor, Tapper):
    """Somebody with the page open; ``asked`` is what it has asked for beside its own files, ``dialogs`` what a script said."""

    def __init__(self, browser: Browser, album: Path, **options: Any) -> None:
        super().__init__(browser, album, **{"permissions": ["clipboard-read", "clipboard-write"], **options})
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        document, policy = build_page()
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}

        def respond(route: Route, request: Request) -> None:
            url = request.url.partition("#")[0]
            if url in {URL, INSECURE}:
                route.fulfill(body=document, headers=headers)
            elif url.endswith((".webmanifest", ".svg", ".png", "favicon.ico")) and url.startswith((URL, INSECURE)):
                route.fulfill(body="{}", headers={"Content-Type": "application/manifest+json"})
            else:
                self.asked.append(url)
                route.abort()

        self.context.route("**/*", respond)
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def start(self, scenario: dict[str, Any] | None = None, *, fragment: str = "", url: str = URL) -> Page:
        """Open the page over a store, and wait for it."""
        self.page.add_init_script(f"window.scenario = {json.dumps(scenario or {})}")
        self.page.goto(f"{url}{fragment}")
        self.page.wait_for_selector("h1")
        return self.page

    def go(self, fragment: str) -> None:
        """Go to an address within the page, as a bookmark does."""
        self.page.evaluate(f"location.hash = {json.dumps(fragment)}")
        self.page.wait_for_timeout(50)

    def fake(self, call: str) -> Any:
        """Have the store do something."""
        return self.page.evaluate(f"window.fake.{call}")

    def calls(self, method: str) -> list[Any]:
        """Return with what a method was called."""
        return [args for name, *args in self.fake("calls") if name == method]

    def assert_quiet(self) -> None:
        """Nothing was asked for, nothing complained."""
        assert (self.asked, self.dialogs, self.console) == ([], [], [])


@contextmanager
def visiting(browser: Browser, album: Path, **options: Any) -> Iterator[AppPage]:
    """``with`` somebody who has the page open."""
    app = AppPage(browser, album, **options)
    yield app
    app.context.close()
