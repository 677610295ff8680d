"""The fixtures `browser`, `server`, `hub`, `sealed`, `visitor`, `neighbour` and `videos`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from kvassfs.store import Store
from tests.browser.driver import Shared, Visitor, launched
from tests.browser.neighbour import Neighbour, at_home
from tests.browser.samples import CODECS, video
from tests.browser.sealed import SealedShared, serving_sealed
from tests.support.hub_process import Server, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, not longer than for a module: its event loop would be in the way of other tests'."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The process of a hub."""
    with serving(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture
def hub(server: Server) -> Shared:
    """A hub that shares what it is given."""
    return Shared(server)


@pytest.fixture(scope="module")
def sealed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Store]]:
    """The process of a hub that cannot read, and a device."""
    with serving_sealed(tmp_path_factory.mktemp("sealed")) as both:
        yield both


@pytest.fixture
def sealed(sealed_server: tuple[Server, Store]) -> SealedShared:
    """A hub that cannot read what it shares."""
    return SealedShared(*sealed_server)


@pytest.fixture
def visitor(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody who knows addresses and nothing else."""
    visitor = Visitor(browser, tmp_path)
    yield visitor
    visitor.context.close()


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    """Another site."""
    with at_home() as neighbour:
        yield neighbour


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A video of each kind."""
    folder = tmp_path_factory.mktemp("videos")
    return {kind: video(folder, kind) for kind in CODECS}
