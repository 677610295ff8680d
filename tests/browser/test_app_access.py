"""The page of a device for everybody: checked by axe in both themes and sizes, by the keyboard alone, on the smallest screen."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.app_page import DESK, INSECURE, NARROW, PHONE, URL, AppPage, visiting
from tests.browser.samples import png
from tests.support.node import find_npm_file

LONG = "a_name_without_any_place_to_break_it_" * 4

MARKDOWN = f"""# Weekend

We take the **early** train, `kvass set {LONG}` and [a link](https://example.org/).

- [x] book
- [ ] pack
  1. socks

> said somebody

| what | price |
|---|---|
| train {LONG} | 20 |

```
{LONG}{LONG}
```
"""

STORE: dict[str, Any] = {
    "files": {
        "notes/work/plan.txt": "the plan",
        "notes/trip.md": MARKDOWN,
        f"{LONG}/{LONG}.txt": LONG * 3,
        "photos/lake.png": {"base64": base64.b64encode(png()).decode()},
        "page.html": "<!DOCTYPE html><html lang=en><title>x</title><main><h1>Kvass</h1></main></html>",
        "report.pdf": {"zeros": 1_000_000},
        "deal.txt": "mine",
        "todo.txt": {"text": "milk", "isUnsent": True},
    },
    "conflicts": [["deal.txt", "theirs"]],
    "status": {"unsent": 2, "isPersistent": False, "hub": "failed", "failure": "The hub has another key. Pair again."},
}

GATES: dict[str, Any] = {stage: {"status": {"stage": stage}} for stage in ("none", "locked", "elsewhere")}

VIEWS = [
    "#/",
    "#/photos/",
    "#/empty/",
    "#/notes/work/plan.txt",
    "#/notes/trip.md",
    "#/photos/lake.png",
    "#/page.html",
    "#/report.pdf",
    f"#/{LONG}/{LONG}.txt",
    "#latest",
    "#find",
    "#more",
    "#edit/todo.txt",
    "#new/notes/",
    "#versions/deal.txt",
    "#version-1/deal.txt",
    "#share/todo.txt",
    "#links",
    "#removed",
    "#conflicts",
    "#conflicts/deal.txt",
    "#shared",
]

WINDOWS = {"phone": PHONE, "desk": DESK}


def violations(app: AppPage) -> list[str]:
    """Return what axe has to say of what is shown."""
    if not app.page.evaluate("'axe' in window"):
        app.page.add_script_tag(path=find_npm_file("axe-core/axe.min.js"))
    app.page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    found = app.page.evaluate("axe.run(document, { iframes: false }).then(found => found.violations)")
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]


def prepare(app: AppPage, fragment: str) -> None:
    """Have a view show what it has at its fullest."""
    app.go(fragment)
    app.page.wait_for_timeout(200)
    if fragment == "#find":
        app.page.fill("input[type=search]", "a")
        app.page.get_by_text("In texts").wait_for()
    if fragment.startswith("#share/"):
        app.press("Make a link")
        app.page.get_by_label("Link", exact=True).wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_axe_finds_nothing_in_any_view(browser: Browser, tmp_path: Path, window: str, theme: str) -> None:
    with visiting(browser, tmp_path, **{**WINDOWS[window], "color_scheme": theme, "bypass_csp": True}) as app:
        app.start(STORE)
        found = {}
        for fragment in VIEWS:
            prepare(app, fragment)
            found[fragment] = violations(app)
        assert {fragment: each for fragment, each in found.items() if each} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_axe_finds_nothing_in_what_lies_above_a_view(browser: Browser, tmp_path: Path, window: str, theme: str) -> None:
    with visiting(browser, tmp_path, **{**WINDOWS[window], "color_scheme": theme, "bypass_csp": True}) as app:
        app.start(STORE)
        found = {}
        app.press("New")
        found["what is new"] = violations(app)
        app.page.keyboard.press("Escape")
        app.press("Select todo.txt")
        found["what is selected"] = violations(app)
        app.press("Move")
        found["a move"] = violations(app)
        app.page.keyboard.press("Escape")
        app.press("Delete")
        app.say()
        found["a notice"] = violations(app)
        app.go("#more")
        app.press("Forget this device")
        found["a question"] = violations(app)
        assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("gate", [*GATES, "insecure"])
def test_axe_finds_nothing_before_the_store_is_open(browser: Browser, tmp_path: Path, gate: str, theme: str) -> None:
    with visiting(browser, tmp_path, **{**PHONE, "color_scheme": theme, "bypass_csp": True}) as app:
        app.start(GATES.get(gate), url=INSECURE if gate == "insecure" else URL)
        assert violations(app) == []


def too_small(app: AppPage) -> list[str]:
    """Return what can be pressed and is too small for a thumb; links within a text are as large as its lines."""
    found: list[str] = app.page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, textarea, label.choice")]
            .filter(element => element.checkVisibility() && !element.closest(".prose, label, .skip"))
            .filter(element => !element.matches(".skip") && element.offsetParent !== null)
            .map(element => [element.getBoundingClientRect(), element])
            .filter(([box]) => box.width < 43.9 || box.height < 43.9)
            .map(([box, element]) => `${element.outerHTML.slice(0, 120)} ${box.width}x${box.height}`)"""
    )
    return found


def overflow(app: AppPage) -> list[str]:
    """Return what makes the page wider than the screen."""
    found: list[str] = app.page.evaluate(
        """() => ["html", "main"].map(name => document.querySelector(name))
            .filter(element => element.scrollWidth > element.clientWidth)
            .map(element => `${element.tagName} ${element.scrollWidth} > ${element.clientWidth}`)"""
    )
    return found


def test_the_smallest_screen_has_all_of_each_view_and_room_for_a_thumb(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, tmp_path, **NARROW) as app:
        app.start(STORE)
        found = {}
        for fragment in VIEWS:
            prepare(app, fragment)
            found[fragment] = overflow(app) + too_small(app)
        assert {fragment: each for fragment, each in found.items() if each} == {}


@pytest.mark.parametrize("gate", [*GATES, "insecure"])
def test_the_smallest_screen_has_what_is_before_the_store(browser: Browser, tmp_path: Path, gate: str) -> None:
    with visiting(browser, tmp_path, **NARROW) as app:
        app.start(GATES.get(gate), url=INSECURE if gate == "insecure" else URL)
        assert overflow(app) + too_small(app) == []


def test_nothing_moves_where_that_is_not_wanted(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, tmp_path, **{**PHONE, "reduced_motion": "reduce"}) as app:
        app.start(STORE)
        app.press("New")
        assert app.page.evaluate("document.getAnimations().length") == 0


# The keyboard alone


def focused(app: AppPage) -> str:
    """Return the text, or the name, of what has the focus."""
    found: str = app.page.evaluate(
        "(element => element.getAttribute('aria-label') ?? element.querySelector('bdi')?.textContent ?? element.textContent)(document.activeElement)"
    )
    return found


def press_until(app: AppPage, name: str, key: str = "Tab") -> None:
    """Press a key until something has the focus."""
    for _ in range(60):
        if focused(app) == name:
            return
        app.page.keyboard.press(key)
    raise AssertionError(f"{name} never has the focus, {focused(app)} does")


def test_everything_is_done_by_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    files = {f"file {number:03}.txt": f"text {number}" for number in range(500)}
    with visiting(browser, tmp_path, **DESK) as app:
        page = app.start({"files": {**files, "notes/plan.txt": "the plan"}})
        page.keyboard.press("Tab")
        assert focused(app) == "Skip to the content"
        press_until(app, "notes")
        page.keyboard.press("End")
        assert focused(app) == "file 499.txt"
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("PageDown")
        assert focused(app) > "file 005.txt"
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        assert page.inner_text(".picking strong") == "1 selected"
        page.keyboard.press("Escape")
        assert page.locator(".picking").is_hidden()
        page.keyboard.press("Enter")
        page.locator("h1", has_text="file 000.txt").wait_for()
        press_until(app, "Edit")
        page.keyboard.press("Enter")
        page.locator("textarea:enabled").wait_for()
        page.keyboard.type("now ")
        page.keyboard.press("Control+s")
        app.wait(lambda: app.fake("text('file 000.txt')") == "now text 0", "the text")
        press_until(app, "Up", "Shift+Tab")
        page.keyboard.press("Enter")
        press_until(app, "More actions")
        page.keyboard.press("Enter")
        assert focused(app) == "Versions"
        press_until(app, "Delete")
        page.keyboard.press("Enter")
        page.locator("h1", has_text="Files").wait_for()
        press_until(app, "Undo")
        page.keyboard.press("Enter")
        app.wait(lambda: "file 000.txt" in app.fake("keys()"), "what was deleted")


def test_a_dialog_gives_the_focus_back(app: AppPage) -> None:
    app.start(STORE)
    app.page.get_by_role("button", name="New").focus()
    app.page.keyboard.press("Enter")
    assert focused(app) == "New note"
    app.page.keyboard.press("Escape")
    assert focused(app) == "New"


def test_the_focus_stays_on_its_file_while_others_come_and_go(app: AppPage) -> None:
    app.start({"files": {f"{letter}.txt": "x" for letter in "bdf"}})
    app.page.locator("a.open", has_text="d.txt").focus()
    app.fake("change('a.txt', 'new')")
    app.fake("change('b.txt', null)")
    app.fake("change('d.txt', 'changed')")
    app.wait(lambda: app.page.locator(".row .name").all_inner_texts() == ["a.txt", "d.txt", "f.txt"], "the others")
    assert focused(app) == "d.txt"
    app.page.keyboard.press("ArrowDown")
    assert focused(app) == "f.txt"


def test_a_reader_of_screens_is_told_where_it_is(app: AppPage) -> None:
    app.start({"count": 3000})
    row = app.page.locator(".row", has_text="file 000004.txt")
    assert (row.get_attribute("role"), row.get_attribute("aria-posinset"), row.get_attribute("aria-setsize")) == (
        "listitem",
        "5",
        "3000",
    )
    row.locator("a").click()
    app.page.locator("h1", has_text="file 000004.txt").wait_for()
    assert app.page.evaluate("document.activeElement.tagName") == "H1"
    assert app.page.title() == "file 000004.txt – kvass"
