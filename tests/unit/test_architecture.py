"""The drawing of the rooms, and how large things are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
DRAWING = ROOT / "contrib/doc/architecture.md"
TOPS = {"kvassfs": "kvassfs", "cli": "kvassfs_cli"}
"""Folders, and the names of their packages."""

MAX_LINES = 400
"""Lines of a module."""

MAX_METHODS = 25
"""Public methods of a class that does not say in its docstring why it has so many."""

LONG = 35
"""Lines of a function that is more than a glance: of the whole statement from ``def``, without decorators."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, Path]:
    """Return the files by the names of their modules; that of a package is its ``__init__``."""
    return {
        ".".join((package, *path.relative_to(ROOT / top).with_suffix("").parts)): path
        for top, package in TOPS.items()
        for path in sorted((ROOT / top).rglob("*.py"))
    }


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions() -> list[tuple[str, Function]]:
    """Return all functions, with where they are."""
    return [
        (f"{name}.{node.name}", node)
        for name, path in modules().items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, Function)
    ]


def lines_of(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


# The drawing


@cache
def drawing() -> str:
    (found,) = re.findall(r"^```mermaid\n(.*?)^```$", DRAWING.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(found)


def boxes() -> dict[str, str]:
    """Return what stands in each box, by its name in the drawing."""
    return dict(re.findall(r'^ +(\w+)\["(.+)"\]$', drawing(), re.MULTILINE))


def drawn() -> set[tuple[str, str]]:
    """Return the arrows that are drawn."""
    return set(re.findall(r"^ +(\w+) --> (\w+)$", drawing(), re.MULTILINE))


def room_of(module: str) -> str:
    """Return the box that a module is in: the folder, or for one at the root of ``kvassfs`` its own or the words'."""
    package, *rest = module.split(".")
    if package == "kvassfs_cli":
        return "commands" if rest[:1] == ["commands"] else "cli"
    return rest[0] if rest and (len(rest) > 1 or rest[0] in boxes()) else "words"


def imported_by(module: str, path: Path) -> Iterator[str]:
    """Yield the modules of this program that a module imports, wherever in it."""
    package = module.split(".")[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in TOPS.values())
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = [*base, *(node.module.split(".") if node.module else [])]
            if source[0] in TOPS.values():
                for alias in node.names:
                    name = ".".join([*source, alias.name])
                    is_module = name in modules() or f"{name}.__init__" in modules()
                    yield name if is_module else ".".join(source)


def imports() -> dict[tuple[str, str], str]:
    """Return the pairs of rooms of which one imports the other, with an import that shows it."""
    return {
        (room_of(module), room_of(name)): f"{module} imports {name}"
        for module, path in modules().items()
        for name in imported_by(module, path)
        if room_of(module) != room_of(name)
    }


def test_every_import_between_rooms_is_drawn() -> None:
    assert {pair: why for pair, why in imports().items() if pair not in drawn()} == {}


def test_every_arrow_that_is_drawn_is_an_import() -> None:
    assert drawn() - set(imports()) == set()


def test_every_room_is_drawn() -> None:
    rooms = {room_of(module) for module in modules()}
    assert rooms == set(boxes())
    arrows = drawn()
    assert {name for pair in arrows for name in pair} == rooms


def test_the_words_of_the_domain_are_the_modules_at_the_root() -> None:
    at_root = {path.stem for path in (ROOT / "kvassfs").glob("*.py")} - set(boxes()) - {"__init__"}
    assert set(boxes()["words"].partition("<br/>")[2].split()) == at_root


def test_the_arrows_make_no_circle() -> None:
    waiting = drawn()
    while waiting:
        leaves = {end for _, end in waiting} - {begin for begin, _ in waiting}
        assert leaves, f"a circle among {waiting}"
        waiting = {pair for pair in waiting if pair[1] not in leaves}


# Sizes


def test_no_module_is_longer_than_can_be_read_in_one_go() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_a_class_has_few_public_methods_or_says_why() -> None:
    found = {
        f"{name}.{node.name}": len(public)
        for name, path in modules().items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        if len(public := [each for each in node.body if isinstance(each, Function) and each.name[0] != "_"])
        > MAX_METHODS
        if "method" not in (ast.get_docstring(node) or "")
    }
    assert found == {}


def test_functions_fit_a_glance() -> None:
    assert median(lines_of(function) for _, function in functions()) <= 6


def test_few_functions_are_long() -> None:
    long = {name: count for name, function in functions() if (count := lines_of(function)) > LONG}
    assert len(long) <= 4, long


@pytest.mark.parametrize("top", TOPS)
def test_there_is_something_to_measure(top: str) -> None:
    assert any(path.is_relative_to(ROOT / top) for path in modules().values())
