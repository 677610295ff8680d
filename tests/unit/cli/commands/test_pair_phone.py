"""kvassfs_cli.commands.pair for a phone: real processes, a real hub, and the modules of the page in node, over real requests."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kvassfs.pairing.errors import WrongCode
from kvassfs.sharing.qr import Code
from kvassfs.store import Store
from kvassfs_cli.commands.pair import Page, format_for_phone, format_page
from tests.support.node import run_module
from tests.unit.cli.commands.test_pair import SECONDS, served
from tests.unit.cli.conftest import Outcome, Processes

JOIN = Path(__file__).with_name("join_as_page.mjs")

URL = "https://hub.example/app/"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The database of the hub, which has a key."""
    path = tmp_path / "server.sqlite"
    with Store.open(path) as store:
        store.settings.set_name("server")
    return path


class Showing:
    """A `kvass pair` that has printed all that it does before somebody joins."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.said = ""
        while not self.said.endswith(("as well.\n", "/app/\n")):
            self.said += self._read_line()
        if "as well" in self.said:
            self.said += "".join(self._read_line() for _ in range(Code(self.address).height))

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line, self._process.communicate()
        return line

    def find(self, pattern: str) -> str:
        found = re.search(pattern, self.said)
        assert found is not None, self.said
        return found[1]

    @property
    def address(self) -> str:
        return self.find(r"\n    (http\S+/app/#\S+)\n")

    @property
    def code(self) -> str:
        return self.find(r"(\d+-[a-z]+-[a-z]+) as well")

    def end(self) -> Outcome:
        out, err = self._process.communicate(timeout=SECONDS)
        return Outcome(self._process.returncode, out, err.decode())


@contextmanager
def showing(processes: Processes, database: Path, *options: str) -> Iterator[Showing]:
    with processes.running("pair", "--db", str(database), *options) as process:
        yield Showing(process)


def join(address: str, shown: str) -> dict[str, Any]:
    """Return what a page at an address is handed over, or its error."""
    found: dict[str, Any] = run_module(JOIN, address, shown)
    return found


@pytest.mark.parametrize("typed", [False, True])
def test_a_page_joins_by_what_is_shown_alone(processes: Processes, server: Path, typed: bool) -> None:
    with served(processes, server, "--quiet") as hub, showing(processes, server, "--phone") as device:
        page, _, fragment = device.address.partition("#")
        assert page == f"http://{hub}/app/"
        handed = join(page, device.code if typed else fragment)["result"]
        assert device.end() == (0, b"phone has joined\n", "")
    with Store.open(server) as store:
        assert base64.b64decode(handed["key"]) == store.settings.config().encryption_key
    assert (handed["name"], handed["remote"], handed["sealed"]) == ("server", "", False)


def test_a_page_of_a_sealed_store_gets_the_key_that_the_hub_has_not(
    processes: Processes, server: Path, tmp_path: Path
) -> None:
    device = f"--db={tmp_path}/device.sqlite"
    assert processes.run("config", "sealed", "on", device).status == 0
    access_key = processes.run("config", "access-key", device).out.split()[-1].decode()
    assert processes.run("config", "key", access_key, f"--db={server}").status == 0
    with served(processes, server, "--quiet") as hub:
        assert processes.run("config", "remote", hub, device).status == 0
        with showing(processes, tmp_path / "device.sqlite", "--phone") as waiting:
            page, _, fragment = waiting.address.partition("#")
            handed = join(page, fragment)["result"]
            assert waiting.end().out == b"phone has joined\n"
    with Store.open(tmp_path / "device.sqlite") as store, Store.open(server) as of_hub:
        assert base64.b64decode(handed["key"]) == store.settings.config().encryption_key
        assert base64.b64decode(handed["key"]) != of_hub.settings.config().encryption_key
    assert handed["sealed"]
    assert handed["remote"] == hub


def test_a_wrong_fragment_is_said_on_both_sides_and_ends_it(processes: Processes, server: Path) -> None:
    with served(processes, server, "--quiet"), showing(processes, server, "--phone") as device:
        page, _, fragment = device.address.partition("#")
        other = f"{fragment[:-2]}{'AA' if fragment[-2:] != 'AA' else 'QQ'}"
        assert join(page, other)["error"] == "WrongCode"
        status, _, err = device.end()
        assert (status, err) == (3, f"kvass: {WrongCode(joining=False)}\n")
        assert join(page, fragment)["error"] == "CodeGone"


def test_where_no_hub_is_the_page_says_so(processes: Processes, server: Path) -> None:
    with served(processes, server, "--quiet") as hub:
        page = f"http://{hub}/app/"
        assert join(page, "7-purple-lamp")["error"] == "CodeGone"
    assert join(page, "7-purple-lamp")["error"] == "HubOutOfReach"


def test_a_line_and_a_phone_are_served_by_the_same_command(processes: Processes, server: Path) -> None:
    with served(processes, server, "--quiet") as hub, showing(processes, server) as device:
        line = device.find(r"kvass (join \S+ \S+)\n")
        assert f"\nA browser here takes the code at http://{hub}/app/\n" in device.said
        assert join(f"http://{hub}/app/", line.split()[-1])["result"]["name"] == "server"
        assert device.end().status == 0


def test_what_is_drawn_is_what_is_printed(processes: Processes, server: Path) -> None:
    with served(processes, server, "--quiet"), showing(processes, server, "--phone") as device:
        assert "\n".join(Code(device.address).lines(colour=False)) in device.said


def test_a_configured_public_address_is_what_a_phone_gets(processes: Processes, server: Path) -> None:
    with Store.open(server) as store:
        store.settings.set_public_url("https://example.org/kvass")
    with served(processes, server, "--quiet"), showing(processes, server, "--phone") as device:
        assert device.address.startswith("https://example.org/kvass/app/#")


# What is printed


PAGE = Page(URL, "F" * 23, secure=True, local=False)
PLAIN = Page("http://hub:8000/app/", "F" * 23, secure=False, local=False)


def test_a_phone_is_told_what_to_do() -> None:
    assert format_for_phone(PAGE, drawn=True) == f"On a phone, scan this, or type the code at {URL}\n"
    assert format_for_phone(PAGE, drawn=False) == (
        f"On a phone, type the code at {URL} (`kvass pair --phone` draws it).\n"
    )
    assert format_page(PAGE, "7-purple-lamp", drawn=True) == (
        f"Within ten minutes, scan this with the phone, or open there:\n\n    {PAGE.address}\n\n"
        "Its page takes the code 7-purple-lamp as well.\n"
    )
    assert format_page(PAGE, "7-purple-lamp", drawn=False).startswith("Within ten minutes, open on the phone:\n")


def test_where_a_browser_needs_more_one_line_says_so() -> None:
    need = "A phone needs https at the hub, and http://hub:8000 has none: see contrib/doc/phone.md\n"
    assert format_for_phone(PLAIN, drawn=False) == need
    assert need in format_page(PLAIN, "7-purple-lamp", drawn=True)
    assert "`kvass config url` sets the one that a phone reaches" in format_page(
        PAGE._replace(local=True), "7-purple-lamp", drawn=True
    )
