"""The fixtures `browser`, `server`, `hub`, `sealed`, `visitor`, `app`, `home`, `plain`, `neighbour` and `videos`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from kvassfs.keeping.postgres.database import open_database
from kvassfs.store import Store
from tests.browser.app_page import PHONE, AppPage, visiting
from tests.browser.device_page import Home
from tests.browser.driver import Shared, Visitor, launched
from tests.browser.neighbour import Neighbour, at_home
from tests.browser.samples import CODECS, video
from tests.browser.sealed import SealedShared, serving_sealed
from tests.support.hub_process import Server, serving
from tests.support.postgres import FAST, running_server
from tests.support.postgres import Server as PostgresServer
from tests.support.postgres_shares import serving_from


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, not longer than for a module: its event loop would be in the way of other tests'."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A database server, for the tests that ask for it."""
    with running_server(*FAST) as running:
        yield running


@pytest.fixture(scope="module", params=["of one", "for many"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The process of a hub of one person, and of one for many."""
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "of one":
        with serving(folder) as server:
            yield server
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with open_database(postgres.create_database()) as database, serving_from(database, folder) as server:
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
def app(browser: Browser, tmp_path: Path) -> Iterator[AppPage]:
    """Somebody with a phone, and the page of a device over a store in memory."""
    with visiting(browser, tmp_path, **PHONE) as app:
        yield app


@pytest.fixture(params=[False, True], ids=["plain", "sealed"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A hub and the devices of a person; one that can read the store, and one that cannot."""
    with Home(tmp_path / "home", sealed=request.param) as home:
        yield home


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Home]:
    """A hub that can read its store, and the devices of a person."""
    with Home(tmp_path / "home", sealed=False) as home:
        yield home


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
