"""kvassfs.server.web_pages: files for browsers, compressed for those that take that."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kvassfs.server.application import Service
from kvassfs.server.homes import FileHome
from kvassfs.server.web_pages import takes_gzip
from kvassfs.store import Store
from tests.unit.server.page_driver import ask_service

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    with Store.open(tmp_path / "db.sqlite"):
        return Service(FileHome(str(tmp_path / "db.sqlite")))


@pytest.mark.parametrize("path", ["/app/", "/app/worker.js", "/open", "/app/icon.svg"])
def test_a_browser_that_takes_gzip_gets_a_shorter_body_of_the_same_text(service: Service, path: str) -> None:
    plain, compressed = ask_service(service, path), ask_service(service, path, headers=GZIP)
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) == len(compressed.body) < 0.8 * len(plain.body)
    assert gzip.decompress(compressed.body) == plain.body
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == compressed.headers["vary"] == "Accept-Encoding"


def test_a_picture_is_not_compressed_once_more(service: Service) -> None:
    answer = ask_service(service, "/app/icon-512.png", headers=GZIP)
    assert "content-encoding" not in answer.headers


def test_each_form_has_a_tag_of_its_own(service: Service) -> None:
    plain, compressed = ask_service(service, "/app/"), ask_service(service, "/app/", headers=GZIP)
    tags = plain.headers["etag"], compressed.headers["etag"]
    assert tags[0] != tags[1]
    for tag, expected in zip(tags, (200, 304), strict=True):
        assert ask_service(service, "/app/", headers={**GZIP, "If-None-Match": tag}).status == expected


def test_it_is_the_same_each_time(service: Service, tmp_path: Path) -> None:
    other = Service(FileHome(str(tmp_path / "db.sqlite")))
    assert ask_service(service, "/app/", headers=GZIP) == ask_service(other, "/app/", headers=GZIP)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP ;q=0.5", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("*", False),
        ("gzipped", False),
    ],
)
def test_what_takes_gzip_says_so(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes
