"""kvassfs.server.open_page, and the responses with files that are the same for everybody: kvassfs.server.web_pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvassfs.server.application import Service
from kvassfs.server.homes import FileHome
from kvassfs.store import Store
from tests.unit.server.page_driver import ManyHome, ask_service, check_hashes


@pytest.fixture
def path(tmp_path: Path) -> str:
    with Store.open(tmp_path / "db.sqlite"):
        return str(tmp_path / "db.sqlite")


def test_the_page_is_one_document_that_its_policy_names(path: str) -> None:
    answer = ask_service(Service(FileHome(path)), "/open")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(answer.body)
    document, policy = answer.body.decode(), answer.headers["content-security-policy"]
    check_hashes(document, policy)
    assert not re.search(
        r"(?:src|href)=|//[a-z]|@import\b|url\(", re.sub(r"<script.*</script>", "", document, flags=re.DOTALL)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ],
)
def test_it_has_the_headers_of_a_page_that_shows_what_is_private(path: str, name: str, value: str) -> None:
    assert ask_service(Service(FileHome(path)), "/open").headers[name] == value


def test_who_has_it_is_told_so(path: str) -> None:
    service = Service(FileHome(path))
    tag = ask_service(service, "/open").headers["etag"]
    again = ask_service(service, "/open", headers={"If-None-Match": f"W/{tag}"})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert ask_service(service, "/open", headers={"If-None-Match": '"other"'}).status == 200
    assert ask_service(service, "/open", headers={"If-Modified-Since": "Sat, 28 Nov 2026 00:00:00 GMT"}).status == 200


def test_head_has_the_headers_alone(path: str) -> None:
    service = Service(FileHome(path))
    whole, head = ask_service(service, "/open"), ask_service(service, "/open", method="HEAD")
    assert (head.status, head.headers, head.body) == (200, whole.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_else_can_be_done_with_it(path: str, method: str) -> None:
    answer = ask_service(Service(FileHome(path)), "/open", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_it_is_the_same_for_everybody_and_below_the_path_of_any_store(path: str) -> None:
    one, many = Service(FileHome(path)), Service(ManyHome(path))
    page = ask_service(one, "/open")
    others = [
        ask_service(one, "/open", query=b"q=token", headers={"Accept": "text/html", "Cookie": "a=b"}),
        ask_service(many, "/s/family/open"),
        ask_service(many, "/s/nobody/open"),
    ]
    assert [other == page for other in others] == [True] * 3
    assert ask_service(many, "/open").status == 404
