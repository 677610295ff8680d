"""The modules with which a page joins, in Chromium, at a hub of one person and at one for many."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from kvassfs.pairing.device import Invitation
from kvassfs.pairing.errors import WrongCode
from kvassfs.pairing.messages import Handover
from kvassfs.remote.http import HttpRemote
from tests.support.hub_process import Server
from tests.support.processes import ROOT

HANDOVER = Handover("server", bytes(range(32)), "hub:8000", "", ("*.swp",), sealed=True)

WEB = ROOT / "kvassfs/server/web"

FOLDER = "modules"
"""Where the browser finds the modules, at the hub's address: what is there never reaches the hub."""

JOIN = """
async ([base, shown]) => {
  const { receiveHandover } = await import(`${base}modules/pairing/joiner.js`);
  const { reachMailboxes } = await import(`${base}modules/pairing/post.js`);
  try {
    const handover = await receiveHandover(reachMailboxes(base), shown, "phone");
    return { ...handover, key: btoa(String.fromCharCode(...handover.key)) };
  } catch (error) {
    return { error: error.constructor.name };
  }
}
"""


def serve_file(route: Route) -> None:
    """Respond with a module, or with an empty page."""
    path = route.request.url.partition(f"/{FOLDER}/")[2]
    if path:
        route.fulfill(body=(WEB / path).read_text(encoding="utf-8"), content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html>", content_type="text/html")


def join(browser: Browser, server: Server, shown: str) -> dict[str, Any]:
    """Return what a page at the hub's address is handed over."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.route(f"**/{FOLDER}/**", serve_file)
        page.goto(f"{server.url}/{FOLDER}/")
        found: dict[str, Any] = page.evaluate(JOIN, [f"{server.url}/", shown])
        return found
    finally:
        context.close()


def hand_over(invitation: Invitation) -> str:
    name = invitation.wait()
    invitation.hand_over(HANDOVER)
    return name


@pytest.mark.parametrize("typed", [True, False])
def test_a_browser_joins_by_a_code_or_a_fragment(browser: Browser, server: Server, typed: bool) -> None:
    with (
        closing(HttpRemote(server.url)) as remote,
        Invitation(remote, server.device().key) as invitation,
        ThreadPoolExecutor() as threads,
    ):
        waiting = threads.submit(hand_over, invitation)
        handed = join(browser, server, str(invitation.code if typed else invitation.fragment))
        assert waiting.result() == "phone"
    assert base64.b64decode(handed["key"]) == HANDOVER.key
    assert (handed["name"], handed["remote"], handed["scratch"], handed["sealed"]) == (
        "server",
        "hub:8000",
        ["*.swp"],
        True,
    )


def test_a_browser_with_a_wrong_fragment_ends_it(browser: Browser, server: Server) -> None:
    with (
        closing(HttpRemote(server.url)) as remote,
        Invitation(remote, server.device().key) as invitation,
        ThreadPoolExecutor() as threads,
    ):
        waiting = threads.submit(hand_over, invitation)
        assert join(browser, server, str(invitation.fragment._replace(key=bytes(16)))) == {"error": "WrongCode"}
        with pytest.raises(WrongCode):
            waiting.result()
        assert join(browser, server, str(invitation.fragment)) == {"error": "CodeGone"}
