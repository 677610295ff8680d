"""kvassfs.server.open_page: one document of the files in web/, its policy, and its modules in the order of their imports."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kvassfs.server.application import Service
from kvassfs.server.homes import FileHome
from kvassfs.server.open_page import build_document, join_modules, read_part
from kvassfs.store import Store
from tests.support.node import find_npm_program
from tests.support.processes import ROOT
from tests.unit.server.driver import Answer, ask, served

WEB = ROOT / "kvassfs/server/web"

ROOMS = ("open", "veil")
"""What this page is made of; the other rooms are of the page that is a device."""


class ManyHome(FileHome):
    """A home with stores below their paths."""

    @contextmanager
    def open_stores(self) -> Any:  # type: ignore[override]
        yield None


@pytest.fixture
def path(tmp_path: Path) -> str:
    with Store.open(tmp_path / "db.sqlite"):
        return str(tmp_path / "db.sqlite")


def ask_service(service: Service, path: str, **options: Any) -> Answer:
    async def talk() -> Answer:
        async with served(service) as app:
            return await ask(app, path, **{"method": "GET", **options})

    return asyncio.run(asyncio.wait_for(talk(), 60))


# The response


def test_the_page_is_one_document_that_its_policy_names(path: str) -> None:
    answer = ask_service(Service(FileHome(path)), "/open")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(answer.body)
    document, policy = answer.body.decode(), answer.headers["content-security-policy"]
    for name, directive in (("style", "style-src"), ("script", "script-src")):
        (source,) = re.findall(rf"<{name}[^>]*>(.*?)</{name}>", document, re.DOTALL)
        digest = b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
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


# Made of files


def test_the_types_of_the_modules_are_right() -> None:
    checked = subprocess.run(
        [find_npm_program("tsc"), "--project", WEB, "--pretty", "false"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_script_that_they_are_joined_to_is_one(tmp_path: Path) -> None:
    script = tmp_path / "script.mjs"
    script.write_text(join_modules(read_part, "open/open.js"))
    subprocess.run(["node", "--check", script], check=True)
    assert not re.search(r"^(?:import|export)\b", script.read_text(), re.MULTILINE)


def test_every_file_is_part_of_the_document() -> None:
    read: list[str] = []

    def note(path: str) -> str:
        read.append(path)
        return read_part(path)

    build_document(note)
    assert sorted(read) == sorted(str(file.relative_to(WEB)) for room in ROOMS for file in (WEB / room).iterdir())


def test_nothing_in_it_makes_code_or_markup_of_text() -> None:
    modules = join_modules(read_part, "open/open.js")
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\(|srcdoc", modules
    )


def test_modules_stand_behind_those_that_they_import() -> None:
    files = {
        "open/a.js": 'import { b } from "./b.js";\nimport { c, d } from "../veil/c.js";\n\nb(c, d);\n',
        "open/b.js": 'import { c } from "../veil/c.js";\n/** @import { T } from "./t.js" */\nexport function b() {\n  c();\n}\n',
        "veil/c.js": "export const c = 1;\nexport async function d() {}\nconst own = 2;\n",
    }
    assert join_modules(files.__getitem__, "open/a.js") == (
        "const c = 1;\nasync function d() {}\nconst own = 2;\n\n"
        '/** @import { T } from "./t.js" */\nfunction b() {\n  c();\n}\n\n'
        "b(c, d);\n"
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('import { b as c } from "./b.js";', "as another"),
        ('import * as b from "./b.js";', "cannot be joined"),
        ('import b from "./b.js";', "cannot be joined"),
        ('import "./b.js";', "cannot be joined"),
        ('import { b } from "elsewhere";', "cannot be joined"),
        ("export default 1;", "cannot be joined"),
        ("export { a };", "cannot be joined"),
        ("export const { a } = {};", "cannot be joined"),
        ('const a = await import("./b.js");', "cannot be joined"),
        ('import { b } from "./b.js";\nfunction b() {}', "both have b"),
        ('import { b } from "./b.js";\nconst hidden = 1;', "both have hidden"),
        ('import { b } from "./a.js";', "imports itself"),
    ],
)
def test_what_cannot_be_joined_is_refused(source: str, words: str) -> None:
    files = {"a.js": f"{source}\n", "b.js": "export function b() {}\nclass hidden {}\n"}
    with pytest.raises(ValueError, match=words):
        join_modules(files.__getitem__, "a.js")


@pytest.mark.parametrize("part", ["</script>", "<!-- ", "<SCRIPT", "</style "])
@pytest.mark.parametrize("file", ["open/open.js", "open/open.css"])
def test_what_would_end_a_script_or_style_is_refused(file: str, part: str) -> None:
    files: Mapping[str, str] = {"open/open.js": "x\n", "open/open.css": "y\n", "open/open.html": "{style}{script}"}
    assert build_document(files.__getitem__)[0] == "y\nx\n"
    with pytest.raises(ValueError, match="cannot stand"):
        build_document({**files, file: f'"{part}"'}.__getitem__)
