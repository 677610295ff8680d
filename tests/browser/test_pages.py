"""The pages of the hub itself: readable for anybody, on any screen, and a link that works once works once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.driver import Shared, Visitor, chromium
from tests.browser.samples import pdf, png

TEXT = "Grüße an alle"

BINARY = bytes(range(256)) * 1000

NAME = "Ein recht langer Name mit Leerzeichen und_dann_ohne_welche_weiter_und_weiter_und_weiter.jpeg"

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

LONG_AGO = 1


def test_the_address_of_the_hub_says_what_it_is(hub: Shared, visitor: Visitor) -> None:
    assert visitor.show(f"{hub.url}/") == 200
    assert "key-value store" in visitor.text()
    assert not visitor.console


@pytest.mark.parametrize("path", ["/get?q=AAAAAAAAAAAAAAAAAAAAAA", "/get?q=", "/get", "/elsewhere"])
def test_an_unknown_address_says_so_in_words(hub: Shared, visitor: Visitor, path: str) -> None:
    assert visitor.show(hub.url + path) == 404
    assert "nothing" in visitor.text().lower()
    assert complaints(visitor) == []


def test_an_expired_link_says_so_in_words(hub: Shared, visitor: Visitor) -> None:
    assert visitor.show(hub.link("greeting.txt", TEXT.encode(), expires=LONG_AGO)) == 410
    assert_gone(visitor, "expired")


def complaints(visitor: Visitor) -> list[str]:
    """Return what the browser has to say of a page, but for its status."""
    return [line for line in visitor.console if not re.search(r"responded with a status of 4\d\d", line)]


def assert_gone(visitor: Visitor, word: str) -> None:
    assert "gone" in visitor.page.title()
    assert word in visitor.text()
    assert TEXT not in visitor.text()
    assert complaints(visitor) == []


# A link that works once


def pressed(visitor: Visitor) -> None:
    with visitor.page.expect_navigation():
        visitor.page.click("button")


def test_looking_at_a_link_that_works_once_does_not_use_it_up(hub: Shared, visitor: Visitor) -> None:
    url = hub.link("greeting.txt", TEXT.encode(), once=True)
    for _ in range(2):
        assert visitor.show(url) == 200
        assert "greeting.txt" in visitor.text()
        assert TEXT not in visitor.text()
    assert not visitor.console
    pressed(visitor)
    assert visitor.text() == TEXT


def test_after_the_button_it_is_gone_for_everybody(hub: Shared, visitor: Visitor, other: Visitor) -> None:
    url = hub.link("greeting.txt", TEXT.encode(), once=True)
    other.show(url)
    visitor.show(url)
    pressed(visitor)
    assert visitor.text() == TEXT
    visitor.page.reload()
    assert_gone(visitor, "used up")
    visitor.page.go_back()
    assert_gone(visitor, "used up")
    assert visitor.show(url) == 410
    assert_gone(visitor, "used up")
    visitor.picture("gone")
    pressed(other)
    assert_gone(other, "used up")


@pytest.fixture
def other(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody else who has the address."""
    other = Visitor(browser, tmp_path)
    yield other
    other.context.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("folder/Größe.bin", BINARY), ("teal.png", png()), ("red.pdf", pdf("http://127.0.0.1/"))],
    ids=["binary", "png", "pdf"],
)
def test_the_button_saves_what_is_no_text(hub: Shared, visitor: Visitor, name: str, value: bytes) -> None:
    visitor.show(hub.link(name, value, once=True))
    with visitor.page.expect_download() as begun:
        visitor.page.click("button")
    assert begun.value.suggested_filename == name.rpartition("/")[2]
    assert begun.value.path().read_bytes() == value
    pressed(visitor)
    assert_gone(visitor, "used up")


def test_the_button_saves_a_video_which_a_player_would_get_piece_by_piece(
    hub: Shared, visitor: Visitor, videos: dict[str, Path]
) -> None:
    value = videos["mp4"].read_bytes()
    visitor.show(hub.link("film.mp4", value, once=True))
    with visitor.page.expect_download(timeout=3000) as begun:
        visitor.page.click("button")
    assert begun.value.path().read_bytes() == value


# Looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{}, PHONE], ids=["desk", "phone"])
def test_the_pages_fit_the_screen_and_its_colors(
    hub: Shared, browser: Browser, tmp_path: Path, scheme: str, screen: dict[str, Any]
) -> None:
    visitor = Visitor(browser, tmp_path, color_scheme=scheme, **screen)
    addresses = {
        "about": hub.url,
        "unknown": f"{hub.url}/get?q=AAAAAAAAAAAAAAAAAAAAAA",
        "expired": hub.link(NAME, TEXT.encode(), expires=LONG_AGO),
        "once": hub.link(f"photos/{NAME}", BINARY, once=True),
    }
    for name, url in addresses.items():
        visitor.page.goto(url)
        assert_readable(visitor, name, dark=scheme == "dark")
    box = visitor.page.locator("button").bounding_box()
    assert box is not None
    assert box["height"] >= 40
    assert box["y"] + box["height"] < 600
    visitor.context.close()


def assert_readable(visitor: Visitor, name: str, *, dark: bool) -> None:
    shades = visitor.picture(name).convert("L").tobytes()
    assert shades[0] < 50 if dark else shades[0] > 205
    assert max(shades) - min(shades) > 200
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


# Without a browser


def test_a_missing_browser_is_a_failure_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="not installed: chromium"):
        chromium()
