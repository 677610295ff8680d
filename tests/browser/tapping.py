"""What a person does at the page of a device, and what is seen of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Locator, Page

LONGEST: Final = 60.0
"""Seconds until something that does not come is a failure: far more than it takes on a busy machine."""


class Tapper:
    """Somebody at a page."""

    page: Page

    def press(self, name: str, role: Any = "button") -> None:
        """Press what has a name; in the dialog, while one is open."""
        scope = self.dialog() if self.dialog().count() else self.page
        scope.get_by_role(role, name=name, exact=True).click()

    def open(self, name: str) -> None:
        """Press the name of an item of a list."""
        self.page.locator("a.open", has=self.page.get_by_text(name, exact=True)).click()
        self.page.locator("h1", has_text=name).wait_for()

    def say(self) -> str:
        """Return what was said last, once something is."""
        notice = self.page.locator(".notice p")
        notice.wait_for()
        return notice.inner_text()

    def said(self) -> str:
        """Return what is said at the moment."""
        return " ".join(self.page.locator(".notice p").all_inner_texts())

    def dialog(self) -> Locator:
        """Return the dialog that is open."""
        return self.page.locator("dialog[open]")

    def names(self) -> list[str]:
        """Return the names that a list shows."""
        return self.page.locator(".row .name").all_inner_texts()

    def title(self) -> str:
        """Return what the page says that it shows."""
        return self.page.inner_text("h1")

    def await_(self, condition: Callable[[], object], what: str, seconds: float = LONGEST) -> None:
        """Wait until a condition holds, or fail."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited in vain: {what}; there is {self.page.inner_text('body')[:600]!r}"
            )
            self.page.wait_for_timeout(50)  # in which events arrive
