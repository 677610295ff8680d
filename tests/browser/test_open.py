"""The page of an address of a sealed store: it opens what is shared, runs none of it, and says what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from tests.browser.driver import Shared, Visitor
from tests.browser.samples import BLOCK, GREEN, SVG, TEAL, Blocks, html, pdf, png
from tests.browser.sealed import SealedShared, open_page, read_failure, save, wait_for_value
from tests.browser.test_documents import stolen
from tests.browser.test_pages import LONG_AGO, NAME, PHONE, complaints
from tests.support.sealed import random_bytes

TEXT = "Grüße, Καλημέρα, おはよう 🌞\n\tund ein zweiter Absatz\n"

LARGE = bytes(range(256)) * 8192 + b"the end"  # of several blocks, some equal

NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 568}}

PAGE = "GET /open 200"


def opened(hub: Shared) -> list[str]:
    """Return the requests but the first one, which is for the page."""
    first, *others = hub.requests()
    assert first == PAGE
    return others


# What is shown


@pytest.mark.parametrize("key", ["notes/Grüße.txt", "grüße", "script.js"])
def test_text_is_shown(sealed: SealedShared, visitor: Visitor, key: str) -> None:
    open_page(visitor, sealed.give(key, TEXT.encode()))
    assert visitor.page.text_content("pre") == TEXT
    assert visitor.page.title() == visitor.page.inner_text("h1") == key.rpartition("/")[2]
    assert save(visitor).path().read_bytes() == TEXT.encode()
    assert opened(sealed) == ["GET /get 206"]
    assert visitor.console == []


def test_a_link_opens_the_value_that_the_key_has_then(sealed: SealedShared, visitor: Visitor) -> None:
    url = sealed.link("report.txt", b"first")
    sealed.device.set("report.txt", b"second")
    sealed.push()
    open_page(visitor, url)
    assert visitor.page.text_content("pre") == "second"
    visitor.page.reload()
    wait_for_value(visitor)
    assert visitor.page.text_content("pre") == "second"


def test_an_empty_value_is_said_to_be_empty(sealed: SealedShared, visitor: Visitor) -> None:
    open_page(visitor, sealed.give("nothing.txt", b""))
    assert "empty" in visitor.text()


def test_a_picture_is_shown(sealed: SealedShared, visitor: Visitor) -> None:
    open_page(visitor, sealed.give("photos/teal.png", png()))
    assert visitor.sees(TEAL, "png")
    assert save(visitor).suggested_filename == "teal.png"
    assert visitor.console == []


@pytest.mark.parametrize("kind", ["webm", "mp4"])
def test_a_film_of_20_mb_is_shown_and_plays_from_any_moment(
    sealed: SealedShared, visitor: Visitor, videos: dict[str, Path], kind: str
) -> None:
    film = videos[kind].read_bytes()
    open_page(visitor, sealed.link(f"film.{kind}", film))
    # Chromium of Debian plays both; the element says how long they are once it has read them.
    visitor.wait(lambda: visitor.page.evaluate("document.querySelector('video').duration") > 15, "the film")
    visitor.page.evaluate("document.querySelector('video').currentTime = 12")
    visitor.wait(lambda: visitor.page.evaluate("document.querySelector('video').readyState") >= 2, "its middle")
    visitor.picture(f"film-{kind}")
    assert save(visitor).path().read_bytes() == film
    assert opened(sealed) == ["GET /get 206", "GET /get 206"]
    assert visitor.console == []


def test_sound_gets_a_player(sealed: SealedShared, visitor: Visitor) -> None:
    samples = bytes(8000)
    wav = (
        b"RIFF"
        + (36 + len(samples)).to_bytes(4, "little")
        + b"WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0"
    )
    open_page(visitor, sealed.give("sound.wav", wav + b"data" + len(samples).to_bytes(4, "little") + samples))
    visitor.wait(lambda: visitor.page.evaluate("document.querySelector('audio').duration") == 1, "the sound")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("paper/red.pdf", pdf("http://127.0.0.1/")),
        ("Größe.bin", LARGE),
        ("broken.png", b"no picture"),
        ("latin.txt", "Grüße".encode("latin-1")),
    ],
)
def test_anything_else_is_saved_under_its_name(sealed: SealedShared, visitor: Visitor, key: str, value: bytes) -> None:
    open_page(visitor, sealed.give(key, value))
    visitor.wait(lambda: "save it" in visitor.page.inner_text("#status"), "the sentence")
    assert visitor.page.locator("#view").is_hidden()
    download = save(visitor)
    assert download.suggested_filename == key.rpartition("/")[2]
    assert download.path().read_bytes() == value


def test_a_name_that_hides_its_ending_is_shown_as_it_is(sealed: SealedShared, visitor: Visitor) -> None:
    open_page(visitor, sealed.give("photo\u202egnp.exe", b"\0"))
    assert visitor.page.inner_text("h1") == "photo_gnp.exe"
    assert save(visitor).suggested_filename == "photo_gnp.exe"


def test_below_the_path_of_a_store_it_asks_there(sealed: SealedShared, visitor: Visitor) -> None:
    def leave_out(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace("/kvass/s/family/", "/")))

    visitor.context.route("**/kvass/s/family/**", leave_out)
    open_page(visitor, sealed.give("note", b"value").replace("/open#", "/kvass/s/family/open#"))
    assert visitor.page.text_content("pre") == "value"
    assert opened(sealed) == ["GET /get 206"]


def test_progress_is_shown_while_something_large_arrives(sealed: SealedShared, visitor: Visitor) -> None:
    slow = {"offline": False, "latency": 0, "downloadThroughput": 1_500_000, "uploadThroughput": 1_000_000}
    visitor.context.new_cdp_session(visitor.page).send("Network.emulateNetworkConditions", slow)
    visitor.show(sealed.give("large.bin", random_bytes(12 * BLOCK)))
    visitor.wait(lambda: 0.3 < visitor.page.evaluate("document.querySelector('progress').value") < 1, "some progress")
    visitor.picture("progress")
    assert "25% …" in visitor.page.inner_text("[role=status]")
    assert visitor.page.title() == visitor.page.inner_text("h1") == "large.bin"
    wait_for_value(visitor)
    assert visitor.page.locator("progress").is_hidden()


def test_what_would_fill_the_disk_is_not_fetched_before_a_question(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.show(sealed.put_hole("disk.img", 2**40))
    visitor.page.locator("#get").wait_for(state="visible")
    assert "takes 1099.5 GB" in visitor.text()
    assert len(opened(sealed)) == 1


# Looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{}, PHONE, NARROW], ids=["desk", "phone", "narrow"])
def test_the_page_fits_the_screen_and_its_colors(
    sealed: SealedShared, browser: Browser, tmp_path: Path, scheme: str, screen: dict[str, Any]
) -> None:
    visitor = Visitor(browser, tmp_path, color_scheme=scheme, **screen)
    addresses = {
        "once": sealed.link(f"photos/{NAME}", LARGE, once=True),
        "saved": sealed.link(f"archive/{NAME.removesuffix('.jpeg')}", LARGE),
        "text": sealed.link("notes/greeting.txt", (TEXT + "wide" * 100).encode()),
        "picture": sealed.link("photos/teal.png", png()),
        "damaged": f"{sealed.url}/open#",
    }
    for name, url in addresses.items():
        show_anew(visitor, url)
        visitor.page.locator("#get, #save, .failed").locator("visible=true").first.wait_for()
        if name == "text":
            visitor.page.click("summary")
        shades = visitor.picture(f"{name}-{scheme}").convert("L").tobytes()
        assert shades[0] < 50 if scheme == "dark" else shades[0] > 205
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.context.close()


def test_the_keyboard_reaches_all_there_is(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.show(sealed.link("password", b"geheim", once=True))
    visitor.page.locator("#get").wait_for(state="visible")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    wait_for_value(visitor)
    assert visitor.page.evaluate("document.activeElement.id") == "name"
    reached = []
    for _ in range(2):
        visitor.page.keyboard.press("Tab")
        reached.append(visitor.page.evaluate("document.activeElement.id || document.activeElement.localName"))
    assert reached == ["save", "summary"]


def test_a_screen_reader_is_told_of_what_happens(sealed: SealedShared, visitor: Visitor) -> None:
    open_page(visitor, sealed.give("photos/teal.png", png()))
    shown = visitor.page.locator("body").aria_snapshot()
    assert 'heading "teal.png" [level=1]' in shown
    assert 'img "teal.png"' in shown
    assert 'link "Save it"' in shown
    show_anew(visitor, f"{sealed.url}/open")
    assert 'status: "This address is not whole' in visitor.page.locator("main").aria_snapshot()


# A link that works once


def test_a_link_that_works_once_asks_first_and_then_has_ended(
    sealed: SealedShared, visitor: Visitor, browser: Browser, tmp_path: Path
) -> None:
    url = sealed.link("password", b"geheim", once=True)
    for _ in range(2):
        show_anew(visitor, url)
        visitor.page.locator("#get").wait_for(state="visible")
        assert "geheim" not in visitor.text()
    visitor.picture("once")
    visitor.page.click("#get")
    wait_for_value(visitor)
    assert visitor.page.text_content("pre") == "geheim"
    assert complaints(visitor) == []
    other = Visitor(browser, tmp_path)
    other.show(url)
    assert "used up" in read_failure(other)
    assert complaints(other) == []
    other.context.close()
    assert "POST /get 200" in sealed.requests()


def test_a_long_value_of_a_link_that_works_once_is_kept_and_opened(sealed: SealedShared, visitor: Visitor) -> None:
    value = LARGE * 10  # 20 MB, so that it is kept in a file
    visitor.show(sealed.link("large.bin", value, once=True))
    visitor.page.click("#get")
    wait_for_value(visitor)
    assert save(visitor).path().read_bytes() == value
    assert [name for name in kept_files(visitor) if "sealed" in name] == []


def kept_files(visitor: Visitor) -> list[str]:
    """Return the paths of the files that the browser keeps for the hub."""
    script = """async () => {
        const paths = [];
        const walk = async (folder, path) => {
            for await (const [name, handle] of folder.entries()) {
                if (handle.kind === "directory") await walk(handle, `${path}${name}/`);
                else paths.push(path + name);
            }
        };
        await walk(await navigator.storage.getDirectory(), "/");
        return paths;
    }"""
    found: list[str] = visitor.page.evaluate(script)
    return found


def test_files_of_a_window_are_removed_when_it_is_left(sealed: SealedShared, visitor: Visitor) -> None:
    url = sealed.give("large.bin", LARGE * 10)
    open_page(visitor, url)
    assert len(kept_files(visitor)) == 1
    other = visitor.context.new_page()
    other.goto(sealed.url + "/open")
    other.locator("#status.failed").wait_for(state="visible")
    assert len(kept_files(visitor)) == 1  # another window leaves them alone
    visitor.page.goto("about:blank")
    visitor.page.goto(sealed.give("short", b"value"))
    wait_for_value(visitor)
    visitor.wait(lambda: kept_files(visitor) == [], "the files are removed")


WITHOUT_BUFFERS = """
const { getReader } = ReadableStream.prototype;
ReadableStream.prototype.getReader = function (options) {
    if (options) throw new TypeError("no such reader");
    return getReader.call(this);
};
"""
"""Has a browser read into memory of its own alone, as some do."""


def test_without_such_files_what_is_large_stays_in_memory_up_to_a_limit(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.context.add_init_script("delete FileSystemFileHandle.prototype.createWritable")
    visitor.context.add_init_script(WITHOUT_BUFFERS)
    open_page(visitor, sealed.give("large.bin", LARGE * 10))
    assert save(visitor).path().read_bytes() == LARGE * 10
    show_anew(visitor, sealed.give("larger.bin", Blocks(600)))
    assert "134.2 MB at most" in read_failure(visitor)
    show_anew(visitor, sealed.link("large.bin", LARGE, once=True))
    visitor.page.locator("#get").wait_for(state="visible")
    assert "at most" in visitor.text()


# What is shared means harm


@pytest.mark.parametrize("key", ["page.html", "page.xhtml", "page.txt", "page"])
def test_a_page_is_shown_as_its_source(sealed: SealedShared, visitor: Visitor, key: str) -> None:
    source = html("code.js")
    open_page(visitor, sealed.give(key, source))
    assert visitor.page.text_content("pre") == source.decode()
    visitor.settle()
    assert visitor.page.title() == key
    assert stolen(sealed) == []
    assert visitor.console == []


def test_a_drawing_is_shown_and_its_script_does_not_run(sealed: SealedShared, visitor: Visitor) -> None:
    open_page(visitor, sealed.give("drawing.svg", SVG))
    assert visitor.sees(GREEN, "svg")
    visitor.settle()
    assert visitor.page.title() == "drawing.svg"
    assert (stolen(sealed), visitor.console) == ([], [])


@pytest.mark.parametrize("selector", ["img", "#save"])
def test_nor_where_it_is_opened_in_a_window_of_its_own(sealed: SealedShared, visitor: Visitor, selector: str) -> None:
    open_page(visitor, sealed.give("drawing.svg", SVG))
    address = visitor.page.evaluate(f"(e => e.src ?? e.href)(document.querySelector('{selector}'))")
    assert address.startswith("blob:")
    visitor.page.evaluate(f"void window.open('{address}')")
    visitor.page.wait_for_timeout(1000)
    for page in visitor.context.pages[1:]:
        assert page.title() != "changed"
    assert stolen(sealed) == []


def test_a_name_is_text_and_nothing_else(sealed: SealedShared, visitor: Visitor) -> None:
    name = "<img src=x onerror=\"document.title='changed'\">{script}.txt"
    open_page(visitor, sealed.give(name, b"value"))
    assert visitor.page.title() == visitor.page.inner_text("h1") == name
    assert visitor.page.locator("img").count() == 0


def test_the_policy_stops_what_gets_into_the_page_all_the_same(sealed: SealedShared, visitor: Visitor) -> None:
    open_page(visitor, sealed.give("note", b"value"))
    tried = visitor.page.evaluate("""async () => {
        const blocked = [];
        document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
        try { document.body.innerHTML = "<b></b>"; blocked.push("nothing"); } catch { blocked.push("markup"); }
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/stolen";
        document.body.append(image);
        await fetch("http://127.0.0.1:9/stolen").catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 300));
        return blocked;
    }""")
    assert {"markup", "img-src", "connect-src"} <= set(tried)


# What goes wrong


def show_anew(visitor: Visitor, url: str) -> None:
    """Go to an address that may differ from the one before behind its # alone."""
    visitor.page.goto("about:blank")
    assert visitor.show(url) == 200


def replace_key(url: str) -> str:
    before, _, key = url.rpartition(".")
    return f"{before}.{'A' if key[0] != 'A' else 'B'}{key[1:]}"


def test_another_key_opens_nothing(sealed: SealedShared, visitor: Visitor) -> None:
    for share in (sealed.give, sealed.link):
        show_anew(visitor, replace_key(share("note", b"value")))
        assert "copied whole" in read_failure(visitor)
        assert visitor.page.locator("#save").is_hidden()
    assert visitor.console == []


@pytest.mark.parametrize(
    "fragment", ["", "#", "#token.key", "#AAAAAAAAAAAAAAAAAAAAAA", "#" + "A" * 22 + "." + "A" * 44]
)
def test_an_address_that_is_not_whole_is_said_to_be(sealed: SealedShared, visitor: Visitor, fragment: str) -> None:
    assert visitor.show(f"{sealed.url}/open{fragment}") == 200
    assert "not whole" in read_failure(visitor)
    assert opened(sealed) == []


def test_what_has_ended_is_said_to_have(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.show(sealed.link("note", b"value", expires=LONG_AGO))
    assert "ended" in read_failure(visitor)
    old = sealed.give("note", b"old")
    sealed.give("note", b"new")
    show_anew(visitor, old)
    assert "ended" in read_failure(visitor)
    show_anew(visitor, f"{sealed.url}/open#{'A' * 22}.{'A' * 43}")
    assert "nothing under this address" in read_failure(visitor)
    assert complaints(visitor) == []


def test_another_address_in_the_same_window_is_opened(sealed: SealedShared, visitor: Visitor) -> None:
    one, other = sealed.give("one", b"first"), sealed.give("other", b"second")
    open_page(visitor, one)
    visitor.page.evaluate(f"location.hash = '{other.partition('#')[2]}'")
    visitor.wait(lambda: visitor.page.title() == "other", "the other one")
    wait_for_value(visitor)
    assert visitor.page.text_content("pre") == "second"


def spoil(place: int) -> Callable[[Route], None]:
    """Return what changes a byte of what the hub answers."""

    def handle(route: Route) -> None:
        response = route.fetch()
        body = bytearray(response.body())
        body[place] ^= 1
        route.fulfill(response=response, body=bytes(body))

    return handle


def cut(route: Route) -> None:
    """Answer with half of what the hub does."""
    response = route.fetch()
    body = response.body()
    route.fulfill(response=response, body=body[: len(body) // 2])


def test_what_is_spoiled_is_not_shown(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.context.route("**/get?*", spoil(100))
    visitor.show(sealed.give("large.bin", LARGE))
    assert "damaged" in read_failure(visitor)
    assert visitor.page.locator("#save").is_hidden()


def test_a_network_that_is_gone_is_said_to_be(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.context.route("**/get?*", lambda route: route.abort())
    visitor.show(sealed.give("note", b"value"))
    assert "could not be reached" in read_failure(visitor)


def test_a_connection_that_breaks_off_is_taken_up_again(sealed: SealedShared, visitor: Visitor) -> None:
    count = 0

    def fail_second(route: Route) -> None:
        nonlocal count
        count += 1
        if count == 2:
            cut(route)
        else:
            route.continue_()

    visitor.context.route("**/get?*", fail_second)
    value = random_bytes(8 * BLOCK)
    open_page(visitor, sealed.give("large.bin", value))
    assert save(visitor).path().read_bytes() == value
    assert count == 3


def test_a_link_that_was_used_up_in_vain_is_said_to_be(sealed: SealedShared, visitor: Visitor) -> None:
    visitor.context.route("**/get?*", lambda route: cut(route) if route.request.method == "POST" else route.continue_())
    visitor.show(sealed.link("large.bin", LARGE, once=True))
    visitor.page.click("#get")
    assert "ask for a new one" in read_failure(visitor)


def test_where_browsers_do_not_decrypt_it_is_said_why(sealed: SealedShared, visitor: Visitor) -> None:
    """Over http:// from another machine, that is."""
    far = "http://hub.example"
    visitor.context.route(
        f"{far}/**",
        lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace(far, sealed.url))),
    )
    visitor.show(sealed.give("note", b"value").replace(sealed.url, far))
    assert "https://" in read_failure(visitor)
    assert opened(sealed) == []


def test_without_scripts_the_page_says_what_it_needs(sealed: SealedShared, browser: Browser, tmp_path: Path) -> None:
    visitor = Visitor(browser, tmp_path, java_script_enabled=False)
    visitor.show(sealed.give("note", b"value"))
    assert "needs JavaScript" in visitor.text()
    visitor.context.close()
