"""What is stored attacks the page of a device, end to end: by names, Markdown, HTML, SVG and styles that another device saved."""

from __future__ import annotations

import re

from playwright.sync_api import Browser

from tests.browser.device_page import Home, PageDevice, browsing
from tests.browser.neighbour import Neighbour

BLOCKED = re.compile(r"Blocked script execution in 'about:srcdoc'|Loading the image '[^']*/x' violates")
"""What the browser says by itself, and perhaps later, of the page in a frame without any rights, which alone has such a picture."""

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def make_hostile(elsewhere: str) -> dict[str, bytes]:
    """Return keys and values that would ask another site, or have a script run."""
    page = f"<script>alert(6)</script><img src={elsewhere}/x onerror=alert(7)><a href={elsewhere}>x</a>{MARKUP}"
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9' onload='alert(8)'><script>alert(9)</script>"
        f"<image href='{elsewhere}/s.png'/><foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='{elsewhere}'/>"
        "</foreignObject></svg>"
    )
    text = f"[go](javascript:alert(4)) <a href='javascript:alert(5)'>x</a> ![p]({elsewhere}/p.png) {MARKUP}\n<iframe src={elsewhere}>"
    return {
        f"{MARKUP.replace('/', '∕')}.txt": MARKUP.encode(),
        "javascript:alert(3).md": text.encode(),
        "page.html": page.encode(),
        "drawing.svg": drawing.encode(),
        "style.css": f"@import url({elsewhere}/c.css);".encode(),
        "__proto__": b"{}",
        "constructor/__proto__.txt": b"toString",
        "\u202etxt.exe": b"reversed",
    }


def test_what_is_stored_runs_nothing_and_asks_nobody(browser: Browser, home: Home, neighbour: Neighbour) -> None:
    hostile = make_hostile(neighbour.url)
    home.give(hostile)
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        phone.pair()
        for number in range(len(hostile)):
            phone.go_home()
            phone.await_(lambda: len(phone.names()) == len(hostile), "all of the list")
            phone.page.locator("a.open").nth(number).click()
            phone.page.locator("h1:not(:text-is('Files'))").wait_for()
            look_around(phone)
            phone.console = [line for line in phone.console if not BLOCKED.search(line)]
            phone.elsewhere = [
                url for url in phone.elsewhere if url != f"{neighbour.url}/x"
            ]  # it was asked for, and blocked
            phone.assert_quiet()
        phone.press("Search", "link")
        phone.page.get_by_role("searchbox").fill("alert")
        phone.page.get_by_role("heading", name="In texts").wait_for()
        phone.press("Latest", "link")
        phone.page.wait_for_timeout(300)  # in which something could run
        phone.assert_quiet()
        assert neighbour.asked == []


def look_around(phone: PageDevice) -> None:
    """Look at a value and its source, share it, and edit it, with time for something to run."""
    phone.page.wait_for_timeout(300)
    source = phone.page.get_by_role("button", name="Source", exact=True)
    if source.count():
        source.click()
    for view in ("Share", "Edit"):
        link = phone.page.get_by_role("link", name=view, exact=True)
        if link.count():
            link.click()
            phone.page.wait_for_timeout(150)
            phone.page.go_back()
            phone.page.wait_for_timeout(150)
