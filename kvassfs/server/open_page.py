"""The page that opens what an address of a sealed store leads to.

It does nothing before its script runs, and that finds the key behind the ``#`` of the address alone.
"""

from __future__ import annotations

from typing import Final

from .web_files import Page, Read, WebFile, make_page, read_part

PATH: Final = "/open"

OPEN: Final = Page(
    "open",
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src blob:; media-src blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
)


def make_open_page(read: Read = read_part) -> WebFile:
    """Return the page."""
    return make_page(read, OPEN)
