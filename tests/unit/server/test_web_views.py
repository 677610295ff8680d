"""kvassfs/server/web/views: addresses within the page name any key and are no secret, and all that is said stands in one place."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvassfs.server.web_files import join_modules, read_part
from tests.support.node import run_module
from tests.support.searches import examples

MODULE = Path(__file__).parent / "web/routes.mjs"
VIEWS = Path(__file__).parents[3] / "kvassfs/server/web/views"

ODD_KEYS = [
    "a",
    "a/b",
    "a/",
    "/",
    "//",
    "/a",
    "a//b/",
    "%",
    "%2F",
    "a b",
    "#",
    "?",
    "ü/🌞",
    "'\"<>&",
    "..",
    "a\nb",
    "\u202e",
    "~",
]

AGENTS = {
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/150.0.0.0 Mobile Safari/537.36": "phone (Chrome)",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36": "tablet (Chrome)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1": "iPhone (Safari)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/150.0 Mobile/15E148 Safari/604.1": "iPhone (Chrome)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0": "Windows (Firefox)",
    "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36 Edg/150.0": "Windows (Edge)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15": "Mac (Safari)",
    "something else": "browser (browser)",
}


def describe(folder: Path, **given: list[str]) -> dict[str, Any]:
    """Return what the modules make of keys, fragments and names of browsers."""
    (folder / "names").write_text(json.dumps({"keys": [], "fragments": [], "agents": [], **given}))
    found: dict[str, Any] = run_module(MODULE, folder / "names")
    return found


def assert_named(key: str, found: dict[str, Any]) -> None:
    views = [("", None), ("edit", None), ("conflicts", None), ("version", 12)]
    assert found["parsed"] == [{"view": view, "key": key, "number": number} for view, number in views]
    assert all(re.fullmatch(r"#[\w.!~*()/%-]*", route) for route in found["routes"])
    assert found["folder"] + found["name"] + "/" * key.endswith("/") == key or key.strip("/") == ""


def test_an_address_names_any_key(tmp_path: Path) -> None:
    for key, found in zip(ODD_KEYS, describe(tmp_path, keys=ODD_KEYS)["keys"], strict=True):
        assert_named(key, found)


@settings(max_examples=examples(10, long=300))
@given(
    keys=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("/%#.-"), min_size=1),
        min_size=50,
        max_size=50,
    )
)
def test_an_address_names_all_keys_that_there_can_be(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    for key, found in zip(keys, describe(tmp_path_factory.mktemp("keys"), keys=keys)["keys"], strict=True):
        assert_named(key, found)


@pytest.mark.parametrize(
    "fragment", ["#17-lake-bread", "#AAAA.BBBB", "#edit.x", "#nothing/a", "#/%", "#/%ff", "#Edit/a", "#latest2"]
)
def test_what_is_no_address_is_not_taken_for_one(tmp_path: Path, fragment: str) -> None:
    assert describe(tmp_path, fragments=[fragment])["fragments"] == [None]


def test_a_device_is_named_after_its_browser(tmp_path: Path) -> None:
    assert describe(tmp_path, agents=list(AGENTS))["devices"] == list(AGENTS.values())


# How they are made


def read_views() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(VIEWS.glob("*.js")))


def test_each_text_is_used() -> None:
    names = re.findall(r"^  (\w+):", (VIEWS / "texts.js").read_text(encoding="utf-8"), re.MULTILINE)
    views = read_views()
    assert len(names) > 100
    assert [name for name in names if not re.search(rf"\bTEXTS\.{name}\b", views)] == []


def test_texts_stand_in_one_place() -> None:
    others = "\n".join(path.read_text(encoding="utf-8") for path in VIEWS.glob("*.js") if path.name != "texts.js")
    code = re.sub(r"/\*\*.*?\*/|//.*?$", "", others, flags=re.DOTALL | re.MULTILINE)
    assert set(re.findall(r'"[A-Z][a-z]+ [^"\n]*"', code)) == {'"Samsung Internet"', '"Mac OS"'}  # names, and no words


def test_text_never_becomes_markup() -> None:
    sinks = re.findall(
        r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|eval|setTimeout\(\")\b",
        re.sub(r"/\*\*.*?\*/", "", read_views(), flags=re.DOTALL),
    )
    assert sinks == ["srcdoc"]  # the frame of a document


def test_they_are_one_script(tmp_path: Path) -> None:
    script = tmp_path / "script.mjs"
    script.write_text(join_modules(read_part, "views/shell.js"))
    subprocess.run(["node", "--check", script], check=True)


def test_every_file_of_the_room_is_part_of_it() -> None:
    read: list[str] = []

    def note(path: str) -> str:
        read.append(path)
        return read_part(path)

    join_modules(note, "views/shell.js")
    assert {path.name for path in VIEWS.glob("*.js")} == {
        path.removeprefix("views/") for path in read if path.startswith("views/")
    }
