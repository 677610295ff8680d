"""kvassfs.server.web_files: documents of the files in web/, their policies, and modules in the order of their imports."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from kvassfs.server.app_files import list_app_files
from kvassfs.server.open_page import OPEN, make_open_page
from kvassfs.server.web_files import build_document, join_modules, load_part, read_part
from tests.support.node import find_npm_program
from tests.support.processes import ROOT

WEB = ROOT / "kvassfs/server/web"

MODULES = ("open/open.js", "app/app.js", "app/worker.js")
"""What is joined with all that it imports."""


@pytest.mark.parametrize("project", sorted(file.name for file in WEB.glob("tsconfig*.json")))
def test_the_types_of_the_modules_are_right(project: str) -> None:
    command = [find_npm_program("tsc"), "--project", str(WEB / project), "--pretty", "false"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_projects_have_every_module(tmp_path: Path) -> None:
    listed: list[str] = []
    for project in WEB.glob("tsconfig*.json"):
        command = [find_npm_program("tsc"), "--project", str(project), "--listFilesOnly"]
        listed += subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {str(file) for file in WEB.glob("*/*.js")} <= set(listed)


@pytest.mark.parametrize("module", MODULES)
def test_the_script_that_they_are_joined_to_is_one(tmp_path: Path, module: str) -> None:
    script = tmp_path / "script.mjs"
    script.write_text(join_modules(read_part, module))
    subprocess.run(["node", "--check", script], check=True)
    assert not re.search(r"^(?:import|export)\b", script.read_text(), re.MULTILINE)


def test_every_file_is_part_of_what_is_served() -> None:
    read: list[str] = []

    def note(path: str) -> str:
        read.append(path)
        return read_part(path)

    def note_data(path: str) -> bytes:
        read.append(path)
        return load_part(path)

    make_open_page(note)
    for make in list_app_files(note, note_data).values():
        make()
    assert set(read) == {str(file.relative_to(WEB)) for file in WEB.glob("*/*")}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_in_it_makes_code_or_markup_of_text(module: str) -> None:
    modules = join_modules(read_part, module)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\(", modules)
    assert (
        "srcdoc" not in modules or module == "app/app.js"
    )  # which shows documents of the store in a frame without scripts


def test_modules_stand_behind_those_that_they_import() -> None:
    files = {
        "open/a.js": 'import { b } from "./b.js";\nimport { c, d } from "../veil/c.js";\n\nb(c, d);\n',
        "open/b.js": 'import { c } from "../veil/c.js";\n/** @import { T } from "./t.js" */\nexport function b() {\n  c();\n}\n',
        "veil/c.js": "export const c = 1;\nexport async function d() {}\nconst own = 2;\n",
    }
    assert join_modules(files.__getitem__, "open/a.js") == (
        "const $veil_c = (() => {\nconst c = 1;\nasync function d() {}\nconst own = 2;\nreturn { c, d };\n})();\n\n"
        "const $open_b = (() => {\nconst { c } = $veil_c;\nfunction b() {\n  c();\n}\nreturn { b };\n})();\n\n"
        "const $open_a = (() => {\nconst { b } = $open_b;\nconst { c, d } = $veil_c;\n\nb(c, d);\nreturn {  };\n})();\n"
    )


def test_comments_are_left_out_but_for_those_within_lines_and_licences() -> None:
    source = "/** One. */\n/*! Licence. */\nconst a = /** @type {T} */ (b);\n  /**\n   * Two.\n   */\n/** x */ c();\n"
    assert join_modules({"a.js": source}.__getitem__, "a.js") == (
        "const $a = (() => {\n/*! Licence. */\nconst a = /** @type {T} */ (b);\n/** x */ c();\nreturn {  };\n})();\n"
    )


def test_modules_may_have_the_same_names() -> None:
    files = {
        "a.js": 'import { b } from "./b.js";\nconst own = 2;\nconsole.log(JSON.stringify([b(), own]));\n',
        "b.js": "const own = 1;\nexport function b() {\n  return own;\n}\n",
    }
    done = subprocess.run(["node", "-e", join_modules(files.__getitem__, "a.js")], capture_output=True, check=True)
    assert done.stdout == b"[1,2]\n"


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
    assert build_document(files.__getitem__, OPEN)[0] == "y\nconst $open_open = (() => {\nx\nreturn {  };\n})();\n"
    with pytest.raises(ValueError, match="cannot stand"):
        build_document({**files, file: f'"{part}"'}.__getitem__, OPEN)
