"""What is stored attacks the page of a device: it runs nothing, fetches nothing, and seems to be nothing else."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.browser.app_page import AppPage
from tests.browser.samples import BLUE, SVG, html

MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script><b>'

NAMES = [
    MARKUP.replace("/", "∕"),
    "line\nbreak\r.txt",
    "photo\u202egpj.exe",
    "zero\u200ewidth\u061c.txt",
    "__proto__",
    "a.constructor",
    "javascript:alert(1)",
    "%00%2f..%",
    "?q=1#fragment",
    " ",
    "ends with a space ",
    "\ud83c half.txt".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "ü" * 300,
]

BLOCKED = re.compile(
    r"sandboxed|Content Security Policy|violates the following|Not allowed to load local resource|ERR_BLOCKED"
)
"""What Chromium says of what a document in a frame would do."""


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_as_one_and_leads_to_its_key(app: AppPage, name: str) -> None:
    app.start({"files": {f"{name}/{name}": "the text", name: "other"}})
    for _ in range(2):
        app.page.locator("a.open").first.click()
        app.page.wait_for_timeout(50)
    app.page.locator(".source").wait_for()
    assert app.page.inner_text(".source") == "the text"
    assert app.calls("read") == [[f"{name}/{name}", None]]
    assert not re.search("[\u202e\u200e\u061c]", app.text())
    for fragment in ("#latest", "#removed", "#more"):
        app.go(fragment)
    app.assert_quiet()


@pytest.mark.parametrize("where", ["name", "hubName", "failure"])
def test_what_others_call_themselves_is_text(app: AppPage, where: str) -> None:
    app.start({"status": {where: MARKUP, "hub": "failed"}, "files": {"a.txt": "x"}, "conflicts": [["a.txt", "y"]]})
    app.fake(f"change('a.txt', 'z', {MARKUP!r})")
    for fragment in ("#more", "#versions/a.txt", "#conflicts", "#conflicts/a.txt", "#/a.txt"):
        app.go(fragment)
    assert MARKUP in app.text()
    app.assert_quiet()


@pytest.mark.parametrize("key", ["page.txt", "page.xml", "page.js", "page", "page.xsl", "page.svgz"])
def test_markup_of_any_other_name_is_text(app: AppPage, key: str) -> None:
    app.start({"files": {key: html("http://localhost/evil.js").decode()}}, fragment=f"#/{key}")
    app.page.locator(".source").wait_for()
    assert app.page.inner_text(".source").startswith("<!DOCTYPE html>")
    assert app.page.locator("iframe").count() == 0
    app.assert_quiet()


# Documents

DOCUMENT = (
    html("http://localhost/evil.js").decode()
    + """
<meta http-equiv="refresh" content="0; url=http://localhost/refresh">
<base href="http://localhost/base/">
<link rel="stylesheet" href="style.css"><link rel="prefetch" href="prefetch">
<img src="http://localhost/pixel.png"><video src="http://localhost/film.mp4" autoplay></video>
<object data="http://localhost/object"></object><embed src="http://localhost/embed">
<form action="http://localhost/form"><button id="send">send</button></form>
<svg><script>fetch("http://localhost/svg")</script></svg>
<a id="top" href="http://localhost/top" target="_top">top</a>
<a id="here" href="http://localhost/here">here</a>
<a id="new" href="http://localhost/new" target="_blank" ping="http://localhost/ping">new</a>
<a id="run" href="javascript:parent.document.title = 'stolen'">run</a>
"""
)


def test_a_document_runs_and_fetches_nothing(app: AppPage) -> None:
    app.start({"files": {"page.html": DOCUMENT}}, fragment="#/page.html")
    frame = app.page.frame_locator("iframe")
    frame.locator("h1").wait_for()
    assert frame.locator("h1").inner_text() == "Grüße"
    for name in ("send", "top", "new", "run", "here"):
        frame.locator(f"#{name}").click()
        app.page.wait_for_timeout(100)
    app.page.wait_for_timeout(500)
    assert (app.asked, app.dialogs) == ([], [])
    assert [line for line in app.console if not BLOCKED.search(line)] == []
    assert app.page.title() == "page.html – kvass"
    assert len(app.context.pages) == 1
    assert not app.sees(BLUE, "document")  # its styles are its own matter, and not taken


def test_a_document_has_neither_the_origin_nor_the_scripts_of_the_page(app: AppPage) -> None:
    app.start({"files": {"page.html": "<p>text</p>"}}, fragment="#/page.html")
    app.page.frame_locator("iframe").locator("p").wait_for()
    frame = app.page.locator("iframe")
    assert frame.get_attribute("sandbox") == ""
    assert frame.evaluate("frame => frame.contentDocument") is None


SINKS = ("document.body.innerHTML = '<b>'", "document.write('<b>')", "trustedTypes.createPolicy('another', {})")


@pytest.mark.parametrize("sink", SINKS)
def test_nothing_but_a_frame_takes_markup(app: AppPage, sink: str) -> None:
    app.start()
    with pytest.raises(Error, match=r"TrustedHTML|createPolicy"):
        app.page.evaluate(f"() => {{ {sink} }}")


# Pictures


def test_a_picture_runs_and_fetches_nothing(app: AppPage) -> None:
    bad = SVG.decode().replace("</svg>", '<image href="http://localhost/pixel.png" width="9" height="9"/></svg>')
    app.start({"files": {"a.svg": bad}}, fragment="#/a.svg")
    app.page.locator("img").wait_for()
    app.page.wait_for_timeout(300)
    assert app.page.locator("iframe, object, embed, main svg:not(.icon)").count() == 0
    app.assert_quiet()


def test_a_picture_is_downloaded_as_nothing_that_is_opened(app: AppPage) -> None:
    app.start({"files": {"a.svg": SVG.decode()}}, fragment="#/a.svg")
    app.page.locator("img").wait_for()
    app.page.evaluate(WATCH_BLOBS)
    with app.page.expect_download() as begun:
        app.press("Download")
    assert begun.value.suggested_filename == "a.svg"
    assert app.page.evaluate("window.made") == "application/octet-stream"


WATCH_BLOBS = """() => {
  const make = URL.createObjectURL
  URL.createObjectURL = blob => { window.made = blob.type; return make.call(URL, blob) }
}"""


# Markdown

EVIL_LINKS = [
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert`1`)",
    "[a](<javascript:alert(1)>)",
    "[a](\tjavascript:alert%281%29)",
    "[a](data:text/html,x)",
    "[a](blob:http://localhost/1)",
    "[a](file:///etc/passwd)",
    "[a](//localhost/evil)",
    "[a](#more)",
    "[a](./worker.js)",
    "[a](vbscript:x)",
    "<javascript:alert(1)>",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "![a](javascript:alert(1))",
]


def test_markdown_links_to_the_web_and_mail_alone(app: AppPage) -> None:
    good = [
        "[a](https://example.org/x?a=1&b=2)",
        "<http://example.org/y>",
        "https://example.org/z.",
        "[m](mailto:a@example.org)",
    ]
    app.start({"files": {"a.md": "\n\n".join([*EVIL_LINKS, *good])}}, fragment="#/a.md")
    links = app.page.locator(".prose a")
    found = [
        (link.get_attribute("href"), link.get_attribute("rel"), link.get_attribute("target")) for link in links.all()
    ]
    expected = [
        "https://example.org/x?a=1&b=2",
        "http://example.org/y",
        "https://example.org/z",
        "mailto:a@example.org",
    ]
    assert found == [(address, "noopener noreferrer", "_blank") for address in expected]
    app.assert_quiet()


def test_markup_and_pictures_in_markdown_are_text(app: AppPage) -> None:
    text = f"# {MARKUP}\n\n{MARKUP}\n\n- {MARKUP}\n\n![a lake](http://localhost/pixel.png)\n\n<div>\n{MARKUP}\n</div>"
    app.start({"files": {"a.md": text}}, fragment="#/a.md")
    prose = app.page.locator(".prose")
    assert prose.inner_text().count(MARKUP) == 4
    assert prose.locator("img, b, script, div").count() == 0
    app.assert_quiet()


FORMS: dict[str, Any] = {
    "brackets": "[" * 200_000,
    "links": "[a](" * 60_000,
    "stars": "*a " * 80_000,
    "strong": "**a" * 80_000,
    "unders": "_a" * 100_000,
    "ticks": "".join("`" * (1 + at % 9) + "a" for at in range(40_000)),
    "quotes": ">" * 200_000,
    "nested": "\n".join(" " * (2 * (at % 40)) + "- a" for at in range(4_000)),
    "lists": "- " * 100_000,
    "fences": "```\n" * 7_900,
    "tables": "|-" * 100_000,
    "addresses": "<http://" * 30_000,
    "webs": "https://" * 30_000,
    "rules": "- " * 60_000 + "x",
    "headings": "# " + "#" * 200_000 + "x",
    "spaces": "a" + " " * 200_000 + "b",
    "spaced heading": "# a" + " " * 200_000 + "b",
    "spaced fence": "```" + " " * 200_000 + "`",
    "spaced table": "|\n" + " " * 200_000 + "|x",
    "many rows": "|-" * 50_000 + "\n" + "|-" * 50_000,
    "breaks": "a  \n" * 7_900,
}


@pytest.mark.parametrize("form", FORMS)
def test_no_markdown_keeps_the_page_busy(app: AppPage, form: str) -> None:
    app.start({"files": {"a.md": FORMS[form], "b.txt": "done"}})
    begun = time.monotonic()
    app.go("#/a.md")
    app.page.locator(".prose").wait_for()
    app.page.evaluate("1")
    assert time.monotonic() - begun < 10
