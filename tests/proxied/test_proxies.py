"""Behind nginx and behind Caddy, with TLS and below a path, all that a hub does works as it does without."""

from __future__ import annotations

import gzip
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from kvassfs.remote.http import GRACE, HttpRemote
from kvassfs.server.app_files import list_app_files
from kvassfs.sync import messages
from kvassfs.sync.hub import MAX_WAIT
from kvassfs.sync.seal import Seal
from tests.proxied.proxies import (
    CONFIGURATIONS,
    PROXIES,
    Site,
    finished,
    in_place_of_the_hub,
    located,
    serving,
    trusted,
)
from tests.support import servers
from tests.support.devices import Device, Outcome
from tests.support.waiting import PATIENCE, wait_until

MB = 1024 * 1024

LARGE = bytes(range(256)) * (8 * MB // 256)
"""A value that travels in blocks."""

LONGER = 128 * MB
"""Bytes of a message that nobody is to hold in memory on its way, or on the disk."""

HELD = 4.0
"""Seconds that a request is held back before there is news."""

AT_ONCE = 2.0
"""Seconds until whoever waits has the news, on a busy machine."""

LATEST = MAX_WAIT + GRACE
"""Seconds until an answer at the latest to a device that waits for news."""

PAGE = ("--header", "Accept: text/html")

NOBODYS = "A" * 22
"""A token that leads nowhere."""


@pytest.fixture(scope="module", params=PROXIES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("proxied")
    with trusted(folder) as certificate, serving(request.param, folder / "site", certificate) as started:
        yield started


@pytest.fixture
def device(site: Site) -> Device:
    return site.device()


@pytest.fixture
def other(site: Site) -> Device:
    return site.device()


def well(outcome: Outcome) -> bytes:
    """Return what a command printed that has nothing to complain of."""
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


def url_of(site: Site, device: Device, key: str, *options: str) -> str:
    """Return the address that `kvass url` prints."""
    return site.shared(well(device.kvass("url", key, *options)))


# The prefix


def test_the_configuration_of_caddy_has_its_customary_form() -> None:
    file = CONFIGURATIONS / "Caddyfile"
    formatted = subprocess.run([located("caddy"), "fmt", file], stdout=subprocess.PIPE, check=False).stdout
    assert formatted == file.read_bytes()  # else Caddy warns of it


def test_the_hub_is_below_the_prefix(site: Site) -> None:
    assert site.fetch("health").body == b"ok\n"
    about = site.fetch("", *PAGE)
    assert (about.status, about.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"personal key-value store" in about.body


def test_the_hub_is_nowhere_else(site: Site) -> None:
    root = site.url.removesuffix("/kvass")
    for path in ("/health", "/kvasshealth", "/kvass/kvass/health"):
        assert site.fetch(root + path).body != b"ok\n"


def test_the_prefix_alone_leads_below_it(site: Site) -> None:
    answer = site.fetch(f"{site.url}?a=b")
    assert answer.status in {301, 302}
    assert urljoin(site.url, answer.headers["location"]) == f"{site.url}/?a=b"


def test_plain_http_leads_to_https(site: Site) -> None:
    answer = site.fetch(f"http://localhost:{site.ports.http}/kvass/get?q={NOBODYS}")
    assert answer.status in {301, 308}
    assert answer.headers["location"] == f"https://localhost/kvass/get?q={NOBODYS}"


def test_the_page_that_is_a_device_lies_below_the_prefix(site: Site) -> None:
    short = site.fetch("app")
    assert (short.status, urljoin(f"{site.url}/app", short.headers["location"])) == (307, f"{site.url}/app/")
    page = site.fetch("app/")
    assert page.body == make_app_file("/app/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    compressed = site.fetch("app/worker.js", "--header", "Accept-Encoding: gzip").body
    assert gzip.decompress(compressed) == make_app_file("/app/worker.js")
    lost = site.fetch("app/share", "--form", "text=something")
    assert (lost.status, urljoin(f"{site.url}/app/share", lost.headers["location"])) == (
        303,
        f"{site.url}/app/#share-lost",
    )


def make_app_file(path: str) -> bytes:
    return list_app_files()[path]().body


# Sync


def test_devices_exchange_entries_both_ways(device: Device, other: Device) -> None:
    well(device.kvass("set", "both/one", "from one"))
    well(other.kvass("set", "both/other", "from the other"))
    assert well(other.kvass("get", "both/one")) == b"from one\n"
    assert well(device.kvass("get", "both/other")) == b"from the other\n"
    assert well(device.kvass("sync")) == well(other.kvass("sync")) == b"in step: nothing to move\n"


def test_a_large_value_travels_in_blocks(site: Site, device: Device, other: Device) -> None:
    well(device.kvass("set", "large", stdin=LARGE))
    assert well(other.kvass("get", "large")) == LARGE
    assert max(map(int, re.findall(r"POST /push 200 (\d+) in", site.hub.log.read_text()))) < len(LARGE)


def test_a_message_of_any_length_passes_through_and_is_not_gathered(site: Site, tmp_path: Path) -> None:
    before = site.peak()
    message = tmp_path / "message"
    with message.open("wb") as file:
        file.truncate(LONGER)
    answer = site.fetch("push", "--data-binary", f"@{message}")
    assert (answer.status, answer.body) == (403, b"kvass: cannot decrypt the message\n")
    assert f"POST /push 403 {LONGER} in" in site.hub.log.read_text()
    assert site.peak() - before < LONGER / 2
    assert "buffered to a temporary file" not in site.log()


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
def test_the_hub_itself_refuses_a_message_that_is_too_long(site: Site, tmp_path: Path, protocol: str) -> None:
    message = tmp_path / "message"
    with message.open("wb") as file:
        file.truncate(256 * MB + 1)
    answer = site.fetch("push", protocol, "--header", "Expect:", "--data-binary", f"@{message}")
    assert (answer.status, answer.body[:6]) == (413, b"kvass:")


def test_who_waits_for_news_has_them_at_once(site: Site, device: Device) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait_for_news, site)
        time.sleep(HELD)
        assert not waiting.done()
        well(device.kvass("set", "news", "are here"))
        told = time.monotonic()
        answer, heard = waiting.result()
    assert [delivery.entry.key for delivery in answer.deliveries] == ["news"]
    assert heard - told < AT_ONCE


def wait_for_news(site: Site) -> tuple[messages.PullResponse, float]:
    """Ask the hub, as a device does, for what comes next; return the answer, and when it came."""
    with site.hub.store() as store:
        request = messages.PullRequest(store.settings.config().clock + 1, 7, messages.VERSION, wait=MAX_WAIT)
    seal = Seal(site.hub.key)
    with closing(HttpRemote(site.url)) as remote:
        body = remote.post("pull", seal.seal(messages.encode_pull_request(request)), wait=MAX_WAIT)
    return messages.decode_pull_response(seal.unseal(body)), time.monotonic()


def test_the_latest_answer_that_a_device_waits_for_arrives(tmp_path: Path) -> None:
    with trusted(tmp_path) as certificate, ExitStack() as ending, ThreadPoolExecutor() as pool:
        sites = [ending.enter_context(serving(name, tmp_path / name, certificate)) for name in PROXIES]
        assert list(pool.map(latest_answer, sites)) == [b"at last"] * len(sites)


def latest_answer(site: Site) -> bytes:
    """Return what arrives of an answer that is given as late as a device waits for it."""
    with in_place_of_the_hub(site) as hub:
        curl = site.fetching("pull", "--data", "", "--max-time", str(2 * LATEST))
        connection, _ = hub.accept()
        with connection:
            servers.head_of(connection)
            time.sleep(LATEST)
            connection.sendall(servers.answer("200 OK", b"at last"))
            return finished(curl).body


def test_a_store_follows_along(device: Device, other: Device) -> None:
    with device.start("sync", "--follow") as follower:
        try:
            device.wait_for_touch()
            time.sleep(HELD)
            well(other.kvass("set", "followed", "in"))
            wait_until(lambda: device.value("followed") == b"in\n", "what the other wrote is here")
            well(device.kvass("set", "followed", "out"))
            device.wait_until_pushed()
        finally:
            follower.terminate()
            said = follower.communicate()[1].decode()
    assert follower.returncode == 0
    assert said.startswith("kvass: in touch with the hub https://localhost:")
    assert said.count("\n") == 1
    assert well(other.kvass("get", "followed")) == b"out\n"


def test_the_hub_hears_that_somebody_has_gone(site: Site) -> None:
    with in_place_of_the_hub(site) as hub, site.fetching("pull", "--data", "", "--max-time", "1") as curl:
        connection, _ = hub.accept()
        with connection:
            servers.head_of(connection)
            connection.settimeout(PATIENCE)
            assert connection.recv(1) == b""
        assert b"timed out" in curl.communicate()[1]


def test_connections_to_the_hub_are_kept(site: Site) -> None:
    with in_place_of_the_hub(site) as hub:
        curl = site.fetching("first")
        connection, _ = hub.accept()
        with connection:
            connection.settimeout(PATIENCE)
            answer_by_hand(connection, "/first", curl)
            answer_by_hand(connection, "/second", site.fetching("second"))


def answer_by_hand(connection: socket.socket, path: str, curl: subprocess.Popen[bytes]) -> None:
    head, _ = servers.head_of(connection)
    assert head.startswith(f"GET {path} HTTP/1.1\r\n".encode())
    assert b"\r\nconnection: close" not in head.lower()
    connection.sendall(servers.answer("200 OK", b"by hand"))
    assert finished(curl).body == b"by hand"


def test_a_hub_that_is_down_is_told_and_found_again(site: Site, device: Device) -> None:
    well(device.kvass("set", "down", "before"))
    site.hub.stop()
    try:
        failed = device.kvass("sync")
        assert failed.status == 1
        assert "the proxy in front says 502" in failed.err
        assert site.fetch(f"get?q={NOBODYS}").status == 502
    finally:
        site.hub.start()
    assert well(device.kvass("sync")) == b"in step: nothing to move\n"


# Sharing


def test_an_address_leads_to_the_value(site: Site, device: Device) -> None:
    well(device.kvass("set", "notes/trip.md", "# To the sea"))
    url = url_of(site, device, "notes/trip.md")
    assert re.fullmatch(re.escape(f"{site.url}/get?q=") + "[A-Za-z0-9_-]{22}", url)
    answer = site.fetch(url)
    assert (answer.status, answer.body) == (200, b"# To the sea\n")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-length"] == "13"
    assert "trip.md" in answer.headers["content-disposition"]


def test_a_head_says_the_same_without_the_value(site: Site, device: Device) -> None:
    well(device.kvass("set", "head", "a value"))
    url = url_of(site, device, "head")
    got, head = site.fetch(url), site.fetch(url, "--head")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-length", "etag", "last-modified"):
        assert head.headers[name] == got.headers[name]


def test_a_part_is_had_alone(site: Site, device: Device) -> None:
    well(device.kvass("set", "part.bin", stdin=LARGE))
    url = url_of(site, device, "part.bin")
    tag = site.fetch(url, "--head").headers["etag"]
    part = site.fetch(url, "--range", f"{5 * MB}-", "--header", f"If-Range: {tag}")
    assert (part.status, part.body) == (206, LARGE[5 * MB :])
    assert part.headers["content-range"] == f"bytes {5 * MB}-{len(LARGE) - 1}/{len(LARGE)}"
    assert site.fetch(url, "--range", f"{len(LARGE)}-").status == 416


def test_a_value_is_not_gathered_for_who_takes_it_slowly(site: Site, device: Device) -> None:
    well(device.kvass("set", "slow.bin", stdin=bytes(LONGER)))
    url = url_of(site, device, "slow.bin")
    logged, before = len(sent_by_the_hub(site)), site.peak()
    with site.fetching(url, "--limit-rate", "1M", "--max-time", "3", "--output", "/dev/null") as curl:
        curl.communicate()
    wait_until(lambda: len(sent_by_the_hub(site)) > logged, "the hub knows that nobody takes more")
    assert sent_by_the_hub(site)[-1] < LONGER / 2
    assert site.peak() - before < LONGER / 2


def sent_by_the_hub(site: Site) -> list[int]:
    """Return how many bytes of values it has sent for each request, as far as it is through with them."""
    return [int(number) for number in re.findall(r"GET /get 200 0 in (\d+) out", site.hub.log.read_text())]


def test_what_is_known_is_not_sent_again(site: Site, device: Device) -> None:
    well(device.kvass("set", "known", "a value"))
    url = url_of(site, device, "known")
    tag = site.fetch(url).headers["etag"]
    answer = site.fetch(url, "--header", f"If-None-Match: {tag}")
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)


def test_a_page_stays_as_it_is_for_who_would_take_it_compressed(site: Site, device: Device) -> None:
    page = b"<!DOCTYPE html><title>A page</title>" + b"<p>And so on." * 1000
    well(device.kvass("set", "page.html", stdin=page))
    answer = site.fetch(url_of(site, device, "page.html"), "--header", "Accept-Encoding: gzip")
    assert (answer.headers["content-type"], answer.body) == ("text/html; charset=utf-8", page)
    assert answer.headers["content-length"] == str(len(page))
    assert answer.headers["etag"].startswith('"')


def test_who_finds_nothing_is_told_by_the_hub(site: Site) -> None:
    answer = site.fetch(f"get?q={NOBODYS}")
    assert (answer.status, answer.body[:6]) == (404, b"kvass:")
    page = site.fetch(f"get?q={NOBODYS}", *PAGE)
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"Nothing here" in page.body


def test_a_code_holds_an_address_that_works(site: Site, device: Device, tmp_path: Path) -> None:
    well(device.kvass("set", "code", "to be scanned"))
    picture = tmp_path / "code.png"
    well(device.kvass("qr", "code", "--png", picture))
    read = subprocess.run(
        [located("zbarimg"), "--quiet", "--raw", picture], stdout=subprocess.PIPE, check=True, timeout=60
    )
    scanned = site.shared(read.stdout)
    assert scanned == url_of(site, device, "code")
    assert site.fetch(scanned).body == b"to be scanned\n"


def test_the_hub_itself_gives_the_public_address(site: Site) -> None:
    hub = Device(site.folder / "the-hub", site.hub.db)
    well(hub.kvass("config", "url", site.url))
    well(hub.kvass("set", "public", "from the hub"))
    url = url_of(site, hub, "public")
    assert url.startswith(f"{site.url}/get?q=")
    assert site.fetch(url).body == b"from the hub\n"


def test_a_link_ends_when_it_is_taken_back(site: Site, device: Device) -> None:
    well(device.kvass("set", "taken-back", "for a while"))
    url = url_of(site, device, "taken-back", "--expires", "1h")
    assert url in well(device.kvass("links")).decode()
    assert site.fetch(url).body == b"for a while\n"
    well(device.kvass("unlink", url))
    assert site.fetch(url).status == 410


class Form(HTMLParser):
    """The form of a page: what it does, and how many buttons it has."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.attributes: dict[str, str | None] = {}
        self.buttons = 0
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "form":
            self.attributes = dict(attrs)
        self.buttons += tag == "button"


def test_a_link_that_works_once_is_won_by_one(site: Site, device: Device) -> None:
    well(device.kvass("set", "once.bin", stdin=LARGE))
    url = url_of(site, device, "once.bin", "--once")
    form = Form(site.fetch(url, *PAGE).body)
    assert (form.attributes["method"], form.buttons) == ("post", 1)
    target = urljoin(url, form.attributes.get("action") or "")
    answers = [finished(curl) for curl in [site.fetching(target, "--data", "") for _ in range(5)]]
    won = [answer for answer in answers if answer.status == 200]
    assert [answer.body for answer in won] == [LARGE]
    assert [answer.status for answer in answers].count(410) == 4
    assert site.fetch(url, *PAGE).status == 410


def test_no_log_holds_a_token(site: Site, device: Device) -> None:
    well(device.kvass("set", "secret", "a value"))
    urls = [url_of(site, device, "secret", *options) for options in ((), ("--expires", "1h"), ("--once",))]
    for url in urls:
        for options in ((), ("--head",), ("--data", ""), PAGE):
            site.fetch(url, *options)
        site.fetch(url.replace(site.url, f"http://localhost:{site.ports.http}/kvass"))
        site.fetch(url.replace("/get?", "?"))
    site.assert_no_token_is_logged()
    site.hub.stop()
    try:
        assert {site.fetch(url).status for url in urls} == {502}
    finally:
        site.hub.start()
    assert "/kvass/get" in site.log()
    site.assert_no_token_is_logged()
