"""The pages of the hub for browsers: whether they are those of this installation, and whether browsers run them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from .. import __version__
from ..errors import SyncError
from ..remote.address import hide_credentials, is_trusted_by_browsers
from ..server.app_files import ADDRESS, BEGINNING, WORKER, list_app_files
from ..server.open_page import PATH, make_open_page
from ..server.web_files import Make
from ..store import Store
from .finding import OK, WARNING, Finding, find_error
from .hub import PATIENCE

if TYPE_CHECKING:
    from ..remote.http import HttpRemote

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a file that are read; no page of a hub has so many."""

Likeness = Literal["none", "same", "other"]
"""The hub has no such page; its page is that of this installation; or it is another one."""


class Pages(NamedTuple):
    """What is known of the pages of the hub.

    Attributes:
        address: of the hub, without a password.
        trusted: browsers let a page from there decrypt and keep things.
        found: how each page compares, by its path.
        error: why they could not be read.
    """

    address: str
    trusted: bool
    found: dict[str, Likeness]
    error: SyncError | None = None


def collect_pages(store: Store, patience: float = PATIENCE) -> Pages | None:
    """Return what is known of the pages of the hub of ``store`` after requests for them; ``None`` where none is set.

    Raises:
        InvalidConfiguration: the address is none of a hub.
    """
    from ..remote.http import HttpRemote, TimeLimits  # noqa: PLC0415  requests takes long to load

    address = store.settings.config().remote
    if not address:
        return None
    known = Pages(hide_credentials(address), trusted=is_trusted_by_browsers(address), found={})
    limits = TimeLimits(*(min(seconds, patience) for seconds in store.settings.timeouts())).for_person()
    try:
        with closing(HttpRemote(address, limits)) as remote:
            for path, files in _list_pages().items():
                known.found[path] = _compare(remote, files)
    except SyncError as error:
        return known._replace(error=error)
    return known


def _list_pages() -> dict[str, dict[str, Make]]:
    """Return what makes the files of each page that can read a key."""
    app = list_app_files()
    return {ADDRESS: {path: app[path] for path in (BEGINNING, WORKER)}, PATH: {PATH: make_open_page}}


def _compare(remote: HttpRemote, files: Mapping[str, Make]) -> Likeness:
    """Return how a page of the hub compares with that of this installation.

    Raises:
        SyncError
    """
    same = []
    for path, make in files.items():
        body = remote.read_file(path, LARGEST)
        same.append(None if body is None else hashlib.sha256(body).hexdigest() == make().digest)
    if not any(each is not None for each in same):
        return "none"
    return "same" if all(same) else "other"


def judge_pages(pages: Pages | None) -> Iterator[Finding]:
    """Yield whether each page is that of this installation, and whether browsers run them."""
    if pages is None:
        return
    for path, likeness in pages.found.items():
        yield _judge_page(path, likeness)
    if pages.error is not None:
        yield find_error("page", pages.error, WARNING)
    if set(pages.found.values()) - {"none"}:
        yield _judge_way(pages)


def _judge_page(path: str, likeness: Likeness) -> Finding:
    if likeness == "none":
        return Finding("page", OK, f"the hub has no {path}")
    if likeness == "same":
        return Finding("page", OK, f"the hub's {path} is that of kvassfs {__version__}")
    return Finding(
        "page",
        WARNING,
        f"the hub's {path} is not that of kvassfs {__version__}, which is here",
        "install the same version there; if it is, somebody has changed the page: open it nowhere, as it can read the key",
    )


def _judge_way(pages: Pages) -> Finding:
    if pages.trusted:
        return Finding("https", OK, f"browsers run the pages of {pages.address}")
    return Finding(
        "https",
        WARNING,
        f"browsers run the pages of a hub over https:// alone, and {pages.address} is none such",
        "put Caddy or `tailscale serve` before the hub, or serve with --tls-cert, and set that address on all devices",
    )
