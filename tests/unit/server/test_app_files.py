"""kvassfs.server.app_files, and what a hub answers below /app."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import re
import struct
from pathlib import Path
from urllib.parse import urljoin

import pytest
from PIL import Image

from kvassfs.server.app_files import PATHS, list_app_files
from kvassfs.server.application import CALLS, Service, build_application
from kvassfs.server.homes import FileHome
from kvassfs.server.web_files import load_part, read_part
from kvassfs.store import Store
from tests.unit.server.driver import Answer, ask
from tests.unit.server.page_driver import ManyHome, ask_service, check_hashes

LARGEST = 150_000
"""Bytes that all files may have that a phone gets, compressed."""

SMALL = 6 * 1024
"""Bytes that an icon may have."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    with Store.open(tmp_path / "db.sqlite"):
        return str(tmp_path / "db.sqlite")


@pytest.fixture
def service(path: str) -> Service:
    return Service(FileHome(path))


# The document


def test_the_page_is_one_document_that_its_policy_names(service: Service) -> None:
    answer = ask_service(service, "/app/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    check_hashes(answer.body.decode(), answer.headers["content-security-policy"])


def test_nothing_of_another_origin_runs_or_is_loaded_in_it(service: Service) -> None:
    policy = ask_service(service, "/app/").headers["content-security-policy"]
    directives = dict(directive.strip().partition(" ")[::2] for directive in policy.split(";"))
    assert {name: sources for name, sources in directives.items() if "sha256" not in sources} == {
        "default-src": "'none'",
        "img-src": "'self' blob:",
        "media-src": "blob:",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "frame-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "kvass-worker kvass-frame",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ],
)
def test_it_has_the_headers_of_a_page_that_shows_what_is_private(service: Service, name: str, value: str) -> None:
    assert ask_service(service, "/app/").headers[name] == value


def test_of_what_a_person_is_asked_for_it_may_use_the_camera_alone(service: Service) -> None:
    allowed = ask_service(service, "/app/").headers["permissions-policy"].split(", ")
    assert [each for each in allowed if not each.endswith("=()")] == ["camera=(self)"]
    assert {"microphone=()", "geolocation=()", "usb=()"} <= set(allowed)


def test_what_the_document_names_is_served_beside_it(service: Service) -> None:
    document = ask_service(service, "/app/").body.decode()
    names = re.findall(r'<link [^>]*href="([^"]*)"', document)
    assert set(names) == {"manifest.webmanifest", "icon.svg", "apple-touch-icon.png"}
    assert [ask_service(service, f"/app/{name}").status for name in names] == [200, 200, 200]


# The other files


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("worker.js", "text/javascript; charset=utf-8"),
        ("manifest.webmanifest", "application/manifest+json"),
        ("icon.svg", "image/svg+xml"),
        ("icon-192.png", "image/png"),
    ],
)
def test_each_file_has_its_type_and_a_policy(service: Service, name: str, kind: str) -> None:
    answer = ask_service(service, f"/app/{name}")
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path_", PATHS)
def test_who_has_a_file_is_told_so(service: Service, path_: str) -> None:
    whole = ask_service(service, path_)
    again = ask_service(service, path_, headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", whole.headers["etag"])
    head = ask_service(service, path_, method="HEAD")
    assert (head.status, head.headers, head.body) == (200, whole.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path_", ["/app", "/app/", "/app/worker.js"])
def test_nothing_else_can_be_done_with_it(service: Service, path_: str, method: str) -> None:
    answer = ask_service(service, path_, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_the_manifest_lies_where_the_page_does_and_names_icons_of_their_sizes() -> None:
    manifest = json.loads(load_part("app/manifest.webmanifest"))
    beside = {key: urljoin("/s/family/app/manifest.webmanifest", manifest[key]) for key in ("start_url", "scope")}
    assert set(beside.values()) == {"/s/family/app/"}
    assert urljoin("/app/manifest.webmanifest", manifest["share_target"]["action"]) == "/app/share"
    # An id would be relative to the origin, and the same for all stores of a hub for many; else it is the start_url.
    assert "id" not in manifest
    for icon in manifest["icons"]:
        assert f"/app/{icon['src']}" in PATHS
        if icon["type"] == "image/png":
            size = Image.open(io.BytesIO(load_part(f"app/{icon['src']}"))).size
            assert icon["sizes"] == "{}x{}".format(*size)
    assert {"any", "maskable"} == {icon["purpose"] for icon in manifest["icons"]}


def test_icons_are_small_and_those_that_are_cut_to_shape_have_no_corners() -> None:
    for name in ("icon-192", "icon-512", "icon-maskable-512", "apple-touch-icon"):
        data = load_part(f"app/{name}.png")
        assert len(data) < SMALL
        corner = Image.open(io.BytesIO(data)).convert("RGBA").getpixel((0, 0))
        assert isinstance(corner, tuple)
        assert (corner[3] == 255) == (name in {"icon-maskable-512", "apple-touch-icon"}), name
    assert struct.unpack(">II", load_part("app/apple-touch-icon.png")[16:24]) == (180, 180)


def test_the_worker_is_another_one_for_another_edition_of_what_it_keeps() -> None:
    def make_worker(changed: str) -> bytes:
        def read(path: str) -> str:
            return read_part(path) + (" " if path == changed else "")

        def load(path: str) -> bytes:
            return load_part(path) + (b" " if path == changed else b"")

        return list_app_files(read, load)["/app/worker.js"]().body

    found = [
        make_worker(path) for path in ("", "app/app.html", "app/app.css", "app/icon.svg", "app/manifest.webmanifest")
    ]
    assert len(set(found)) == 5
    assert make_worker("") == found[0]
    assert b"{edition}" not in found[0]


def test_the_worker_keeps_all_files_but_itself() -> None:
    (listed,) = re.findall(r"^const FILES = \[(.*?)\];", read_part("app/worker.js"), re.DOTALL | re.MULTILINE)
    names = [name.removeprefix("./") for name in re.findall(r'"([^"]*)"', listed)]
    assert sorted(f"/app/{name}" for name in names) == sorted(set(PATHS) - {"/app/worker.js"})


# Around it


@pytest.mark.parametrize("beginning", ["", "/s/family"])
def test_its_short_address_leads_below_any_path(path: str, beginning: str) -> None:
    service = Service(ManyHome(path) if beginning else FileHome(path))
    answer = ask_service(service, f"{beginning}/app")
    assert (answer.status, answer.body) == (307, b"")
    assert urljoin(f"https://example.org/kvass{beginning}/app", answer.headers["location"]) == (
        f"https://example.org/kvass{beginning}/app/"
    )


def test_what_is_shared_where_no_worker_takes_it_is_said_to_be_lost_and_not_read(path: str) -> None:
    async def talk() -> Answer:
        app = build_application(Service(FileHome(path)))
        # Its body never comes to an end.
        return await asyncio.wait_for(ask(app, "/app/share", b"--x\r\n", None, method="POST"), 10)

    answer = asyncio.run(talk())
    assert (answer.status, answer.body) == (303, b"")
    assert urljoin("https://example.org/kvass/app/share", answer.headers["location"]) == (
        "https://example.org/kvass/app/#share-lost"
    )


def test_it_is_the_same_for_everybody_and_below_the_path_of_any_store(path: str) -> None:
    one, many = Service(FileHome(path)), Service(ManyHome(path))
    for each in PATHS:
        file = ask_service(one, each)
        assert ask_service(one, each, query=b"a=b", headers={"Cookie": "a=b"}) == file
        assert ask_service(many, f"/s/nobody{each}") == file
        assert ask_service(many, each).status == 404


@pytest.mark.parametrize("beginning", ["", "/s/family"])
@pytest.mark.parametrize("path_", ["/app", "/app/share", *PATHS])
def test_a_hub_can_leave_it_out(path: str, beginning: str, path_: str) -> None:
    service = Service(ManyHome(path) if beginning else FileHome(path), app=False)
    assert ask_service(service, beginning + path_, method="POST" if path_ == "/app/share" else "GET").status == 404
    assert ask_service(service, f"{beginning}/open").status == 200


def test_all_files_together_are_small() -> None:
    bodies = [make().body for make in list_app_files().values()]
    assert sum(min(len(body), len(gzip.compress(body))) for body in bodies) < LARGEST


def test_nothing_is_made_before_somebody_asks(service: Service) -> None:
    ask_service(service, "/health")
    assert not any("_file" in vars(page) for page in [service.open_page, *service.app.values()])
    ask_service(service, "/app/")
    assert "_file" in vars(service.app["/app/"])


def test_the_log_and_the_numbers_name_each_file(path: str) -> None:
    lines: list[str] = []

    async def talk() -> None:
        app = build_application(Service(FileHome(path)), lines.append)
        for each in PATHS:
            await ask(app, each, method="GET")

    asyncio.run(talk())
    assert [line.split()[2] for line in lines] == list(PATHS)
    assert {"/app", "/app/share", *PATHS} <= set(CALLS)
