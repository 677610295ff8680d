"""The page that makes a browser a device of its own, with what installs it there and has it work offline.

It lies at ``/app/`` and not ``/app``: what is below that path, and nothing else, is for its service worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache, partial
from typing import Final

from .web_files import Load, Make, Page, Read, WebFile, join_modules, load_part, make_page, read_part

ADDRESS: Final = "/app"
"""What a person types; it leads to ``BEGINNING``."""

BEGINNING: Final = f"{ADDRESS}/"

WORKER: Final = f"{BEGINNING}worker.js"

SHARE: Final = f"{BEGINNING}share"
"""Where a phone posts what is shared with the page; its service worker takes that, once there is one."""

_KINDS: Final = {
    "manifest.webmanifest": "application/manifest+json",
    "icon.svg": "image/svg+xml",
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable-512.png": "image/png",
    "apple-touch-icon.png": "image/png",
}
"""What an installed page needs beside its document, with media types; the service worker keeps each of them."""

PATHS: Final = (BEGINNING, WORKER, *(f"{BEGINNING}{name}" for name in _KINDS))
"""The paths of all files."""

_DENIED: Final = (
    "display-capture",
    "geolocation",
    "hid",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
)
"""What a browser would ask a person for; the camera reads codes for pairing."""

APP: Final = Page(
    "app",
    # Pictures are the icon and those of the store. `kvass-worker` makes the address of the worker, `kvass-frame` a document of
    # the store for a frame with `sandbox` and `srcdoc`, which has this policy too: no script, style or picture elsewhere.
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src 'self' blob:; media-src blob:; connect-src 'self';"
    " worker-src 'self'; manifest-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types kvass-worker kvass-frame",
    {"Permissions-Policy": ", ".join(("camera=(self)", *(f"{name}=()" for name in _DENIED)))},
)

_WORKER_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
}

_OTHER_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}


def list_app_files(read: Read = read_part, load: Load = load_part) -> dict[str, Make]:
    """Return what makes each file of the page, by its path at the hub."""
    kept: dict[str, Make] = {BEGINNING: cache(partial(make_page, read, APP))}
    for name, kind in _KINDS.items():
        kept[f"{BEGINNING}{name}"] = partial(_make_other, load, name, kind)
    return {**kept, WORKER: partial(_make_worker, read, kept.values())}


def _make_other(load: Load, name: str, kind: str) -> WebFile:
    return WebFile(load(f"{APP.name}/{name}"), kind, _OTHER_HEADERS)


def _make_worker(read: Read, kept: Iterable[Make]) -> WebFile:
    """Return the service worker: another one for each edition of what it keeps, so that browsers get that anew."""
    edition = hashlib.sha256("".join(make().digest for make in kept).encode()).hexdigest()[:32]
    script = join_modules(read, f"{APP.name}/worker.js").replace("{edition}", edition, 1)
    return WebFile(script.encode(), "text/javascript; charset=utf-8", _WORKER_HEADERS)
