"""The few pages of a hub: what it is, what went wrong, and the button of a link that works once."""

from __future__ import annotations

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

TITLES: Final = {
    404: "Nothing here",
    405: "Not like this",
    410: "This is gone",
    503: "Not available now",
    507: "Not available now",
}
"""Titles of the pages about failures, by status."""

ABOUT: Final = (
    "This is the hub of somebody's personal key-value store. Their devices exchange entries through it, and single"
    " entries are shared by their address. There is nothing to see without one."
)

NEVER_KEPT: Final = {"Cache-Control": "no-store"}
"""For responses that hold for this moment only."""

BY_ACCEPT: Final = {"Vary": "Accept"}

PRIVATE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""For everything whose address may have a token."""

_HEADERS: Final = {
    **NEVER_KEPT,
    **BY_ACCEPT,
    **PRIVATE,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem }}
h1 {{ font-size: 1.5rem; margin-bottom: .5rem }}
button {{ font: inherit; padding: .6rem 2rem; cursor: pointer; color: #fff; background: #15609c; border: 0; border-radius: .4rem }}
button:hover {{ background: #0f4a7a }}
.name {{ overflow-wrap: anywhere; font-weight: 600 }}
@media (max-width: 30rem) {{ body {{ margin-top: 3rem }} button {{ width: 100% }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

_BUTTON: Final = """<p><span class="name">{name}</span><br>{size}</p>
<form method="post"><button>Get it</button></form>
<p>This link works once: when the button has been pressed, it is used up, here and everywhere else. Text is shown, and
anything else saved.</p>"""


def wants_page(request: Request) -> bool:
    """Return True if a browser sent the request, and not a program that has no use for a page."""
    return "text/html" in request.headers.get("accept", "")


def render_page(title: str, words: str, *, status: int = 200) -> Response:
    """Return a page that says ``words``."""
    return _render(title, f"<p>{escape(words[:1].upper() + words[1:])}.</p>", status)


def _render(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, _HEADERS)


def render_about(request: Request) -> Response:
    """Return the response that says what this server is."""
    if wants_page(request):
        return render_page("A kvass hub", ABOUT.rstrip("."))
    return PlainTextResponse(f"{ABOUT}\n", headers=BY_ACCEPT)


def render_once_page(name: str, size: int) -> Response:
    """Return the page of a link that works once: a button, so that no preview uses it up."""
    # The title is what chat programs show: it does not tell what is shared.
    return _render("Something is shared with you", _BUTTON.format(name=escape(name), size=_format_size(size)))


def _format_size(size: int) -> str:
    """Return a number of bytes in words."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return "1 byte" if size == 1 else f"{size} bytes"
