"""kvassfs.doctor.pages"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs import __version__
from kvassfs.doctor.finding import Finding
from kvassfs.doctor.pages import Pages, collect_pages, judge_pages
from kvassfs.errors import HubUnreachable
from kvassfs.server.app_files import list_app_files
from kvassfs.server.open_page import make_open_page
from kvassfs.store import Store
from tests.support.hub_process import serving
from tests.support.near_hub import NearHub, near_hub

SAME = Pages("https://hub.example", trusted=True, found={"/app": "same", "/open": "same"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "device") as opened:
        yield opened


@pytest.fixture
def near(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NearHub]:
    with near_hub(store, tmp_path / "hub", monkeypatch) as hub:
        hub.files = {path: make().body for path, make in list_app_files().items()}
        hub.files["/open"] = make_open_page().body
        yield hub


@pytest.mark.parametrize(
    ("pages", "findings"),
    [
        (None, []),
        (
            SAME,
            [
                Finding("page", "ok", f"the hub's /app is that of kvassfs {__version__}"),
                Finding("page", "ok", f"the hub's /open is that of kvassfs {__version__}"),
                Finding("https", "ok", "browsers run the pages of https://hub.example"),
            ],
        ),
        (
            SAME._replace(found={"/app": "none", "/open": "none"}, trusted=False),
            [Finding("page", "ok", "the hub has no /app"), Finding("page", "ok", "the hub has no /open")],
        ),
        (
            Pages("hub:8000", trusted=False, found={"/app": "other"}, error=HubUnreachable("hub:8000", "timed out")),
            [
                Finding(
                    "page",
                    "warning",
                    f"the hub's /app is not that of kvassfs {__version__}, which is here",
                    "install the same version there; if it is, somebody has changed the page: open it nowhere, as it can"
                    " read the key",
                ),
                Finding(
                    "page",
                    "warning",
                    "cannot reach the hub hub:8000: timed out",
                    "check that it runs there and that the network is up",
                ),
                Finding(
                    "https",
                    "warning",
                    "browsers run the pages of a hub over https:// alone, and hub:8000 is none such",
                    "put Caddy or `tailscale serve` before the hub, or serve with --tls-cert, and set that address on all devices",
                ),
            ],
        ),
    ],
)
def test_what_is_known_of_the_pages_in_words(pages: Pages | None, findings: list[Finding]) -> None:
    assert list(judge_pages(pages)) == findings


def test_without_a_hub_nobody_is_asked(store: Store) -> None:
    assert collect_pages(store) is None


def test_a_hub_of_this_installation_has_its_pages(store: Store, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        store.settings.set_remote(server.url)
        assert collect_pages(store) == Pages(server.url, trusted=True, found={"/app": "same", "/open": "same"})


def test_a_hub_that_leaves_a_page_out_has_none(store: Store, tmp_path: Path) -> None:
    with serving(tmp_path, app=False) as server:
        store.settings.set_remote(server.url)
        found = collect_pages(store)
        assert found is not None
        assert (found.found, found.error) == ({"/app": "none", "/open": "same"}, None)


@pytest.mark.parametrize("changed", ["/app/", "/app/worker.js"])
def test_one_byte_more_is_noticed(store: Store, near: NearHub, changed: str) -> None:
    near.files[changed] += b" "
    found = collect_pages(store)
    assert found is not None
    assert found.found == {"/app": "other", "/open": "same"}
    del near.files[changed]
    found = collect_pages(store)
    assert found is not None
    assert found.found == {"/app": "other", "/open": "same"}


def test_a_hub_that_goes_away_meanwhile_is_said(store: Store, near: NearHub) -> None:
    near.be_down()
    found = collect_pages(store)
    assert found is not None
    assert (found.found, isinstance(found.error, HubUnreachable)) == ({}, True)


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("https://hub.example/kvass", True),
        ("HTTPS://user:secret@hub.example", True),
        ("localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("hub.example:8000", False),
        ("http://192.168.1.2:8000", False),
        ("localhost.example", False),
    ],
)
def test_browsers_trust_tls_and_this_machine(store: Store, near: NearHub, address: str, trusted: bool) -> None:
    store.settings.set_remote(address)
    found = collect_pages(store)
    assert found is not None
    assert found.trusted == trusted
    assert "secret" not in found.address


def test_one_that_is_silent_is_not_waited_for_long(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store.settings.set_remote(f"127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        found = collect_pages(store, patience=0.2)
    assert found is not None
    assert isinstance(found.error, HubUnreachable)
    assert time.monotonic() - begun < 5
