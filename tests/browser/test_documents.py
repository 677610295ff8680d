"""What is shown in the window: it looks as it should, and no script in it runs."""

from __future__ import annotations

import statistics

import pytest

from tests.browser.driver import Color, Shared, Visitor, near, without_policy
from tests.browser.neighbour import Neighbour
from tests.browser.samples import BLUE, GREEN, RED, SCRIPT, SVG, TEAL, html, pdf, png

TEXT = "Grüße, Καλημέρα, доброе утро, おはよう 🌞\n\tund ein zweiter Absatz\n"


@pytest.mark.parametrize("key", ["Grüße.txt", "grüße", "notes/grüße.md"])
def test_text_is_readable_in_all_its_letters(hub: Shared, visitor: Visitor, key: str) -> None:
    assert visitor.show(hub.give(key, TEXT.encode())) == 200
    visitor.picture("text")
    assert visitor.text() == TEXT


def test_a_picture_shows_in_its_natural_size(hub: Shared, visitor: Visitor) -> None:
    visitor.show(hub.give("teal.png", png()))
    assert visitor.page.evaluate("(i => [i.naturalWidth, i.naturalHeight])(document.images[0])") == [320, 200]
    assert visitor.sees(TEAL, "png")


def shared_svg(hub: Shared) -> str:
    return hub.give("drawing.svg", SVG)


def shared_html(hub: Shared) -> str:
    return hub.give("page.html", html(hub.give("code.js", SCRIPT)))


def stolen(hub: Shared) -> list[str]:
    """Return the requests that scripts have made."""
    return [
        request for request in hub.requests() if "/health…" in request
    ]  # of the rest of a path the log says no more


def test_a_drawing_shows_and_its_script_does_not_run(hub: Shared, visitor: Visitor) -> None:
    visitor.show(shared_svg(hub))
    visitor.settle()
    assert visitor.sees(GREEN, "svg")
    assert visitor.page.title() == "as drawn"
    assert visitor.origin() == "null"
    assert hub.requests() == ["GET /get 200"]


def test_a_page_shows_in_its_style_and_none_of_its_scripts_runs(hub: Shared, visitor: Visitor) -> None:
    visitor.show(shared_html(hub))
    assert visitor.sees(BLUE, "html")
    visitor.page.click("a")
    visitor.settle()
    assert visitor.text().startswith("Grüße")
    assert visitor.page.title() == "as written"
    assert visitor.origin() == "null"
    assert not stolen(hub)


def test_without_the_header_the_scripts_of_a_drawing_would_run(hub: Shared, visitor: Visitor) -> None:
    visitor.context.route("**/get*", without_policy)
    visitor.show(shared_svg(hub))
    visitor.wait(lambda: len(stolen(hub)) == 2, "what the scripts ask for")
    assert visitor.sees(RED, "svg-without-policy")
    assert visitor.page.title() == "changed"
    assert visitor.origin() == hub.origin


def test_without_the_header_the_scripts_of_a_page_would_run(hub: Shared, visitor: Visitor) -> None:
    visitor.context.route("**/get*", without_policy)
    visitor.show(shared_html(hub))
    visitor.page.click("a")
    visitor.wait(lambda: len(stolen(hub)) == 6, "what the scripts ask for")
    assert visitor.page.title() == "changed"
    assert visitor.origin() == hub.origin


def test_a_page_cannot_send_a_form(hub: Shared, visitor: Visitor) -> None:
    visitor.show(hub.give("form.html", b'<form action="/get" method="post"><button>send</button></form>'))
    visitor.page.click("button")
    visitor.settle()
    assert hub.requests() == ["GET /get 200"]


def test_a_pdf_shows_in_the_viewer_of_the_browser_and_can_be_saved(hub: Shared, visitor: Visitor) -> None:
    value = pdf("http://127.0.0.1/")
    visitor.show(hub.give("Größe.pdf", value))
    visitor.wait(lambda: visitor.sees(RED, "pdf"), "the red area in the PDF")
    viewer = next(frame for frame in visitor.page.frames if frame.url.startswith("chrome-extension:"))
    with visitor.page.expect_download() as begun:
        viewer.locator("#save").click()
    assert begun.value.suggested_filename == "Größe.pdf"
    assert begun.value.path().read_bytes() == value


def test_a_link_in_a_pdf_tells_no_other_site_its_address(hub: Shared, visitor: Visitor, neighbour: Neighbour) -> None:
    visitor.show(hub.give("linked.pdf", pdf(f"{neighbour.url}/link")))
    visitor.wait(lambda: visitor.sees(RED, "linked-pdf"), "the red area in the PDF")
    visitor.page.mouse.click(*centre_of(visitor, RED))
    visitor.wait(lambda: "/link" in neighbour.paths(), "the request for what the PDF links to")
    assert not [asked for asked in neighbour.asked if asked.referer and hub.url in asked.referer]


def centre_of(visitor: Visitor, color: Color) -> tuple[float, float]:
    """Return about the middle of what has a color, away from its copy in a margin."""
    picture = visitor.picture("centre")
    places = [
        (x, y)
        for y in range(0, picture.height, 4)
        for x in range(0, picture.width, 4)
        if near(picture.getpixel((x, y)), color)
    ]
    return statistics.median(x for x, _ in places), statistics.median(y for _, y in places)


LEAKS = ("image", "style", "frame", "link", "unsafe-link")


def leaky(site: str) -> bytes:
    """Return a page that wants another site to learn its address."""
    return f"""<!DOCTYPE html>
<title>leaky</title>
<meta name="referrer" content="unsafe-url">
<link rel="stylesheet" href="{site}/style" referrerpolicy="unsafe-url">
<img src="{site}/image" alt="" referrerpolicy="unsafe-url">
<iframe src="{site}/frame" referrerpolicy="unsafe-url"></iframe>
<a id="link" href="{site}/link">there</a>
<a id="unsafe-link" href="{site}/unsafe-link" referrerpolicy="unsafe-url">there</a>
""".encode()


def test_a_page_tells_no_other_site_its_address_even_if_it_wants_to(
    hub: Shared, visitor: Visitor, neighbour: Neighbour
) -> None:
    url = hub.give("leaky.html", leaky(neighbour.url))
    for link in ("link", "unsafe-link"):
        visitor.show(url)
        visitor.page.click(f"#{link}")
        visitor.page.wait_for_url(f"{neighbour.url}/{link}")
    assert neighbour.paths() >= {f"/{name}" for name in LEAKS}
    assert not [asked for asked in neighbour.asked if asked.referer and hub.url in asked.referer]
