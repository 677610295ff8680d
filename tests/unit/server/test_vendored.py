"""kvassfs/server/web/vendor: copies of libraries as contrib/vendor.py makes them of what is locked."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import find_npm_file
from tests.support.processes import ROOT

SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "contrib/vendor.py"))


@pytest.mark.parametrize("name", SCRIPT["LIBRARIES"])
def test_a_copy_is_what_was_locked(name: str) -> None:
    package, file, names = SCRIPT["LIBRARIES"][name]
    modules = Path(find_npm_file(f"{package}/package.json")).parents[1]
    copy = (ROOT / "kvassfs/server/web/vendor" / name).read_text(encoding="utf-8")
    assert copy == SCRIPT["make_copy"](modules, package, file, names)


def test_there_are_no_others() -> None:
    assert {file.name for file in (ROOT / "kvassfs/server/web/vendor").iterdir()} == set(SCRIPT["LIBRARIES"])


def test_what_a_library_has_not_is_said(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for name, text in (("f.mjs", "function a() {}\n"), ("LICENSE", "MIT"), ("package.json", '{"version": "1"}')):
        (tmp_path / "p" / name).write_text(text)
    assert "\nexport function a() {}\n" in SCRIPT["make_copy"](tmp_path, "p", "f.mjs", ("a",))
    with pytest.raises(ValueError, match="p has no b"):
        SCRIPT["make_copy"](tmp_path, "p", "f.mjs", ("b",))
