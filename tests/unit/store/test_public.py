"""kvassfs.store: what it lists, it has, and loads when it is asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kvassfs.store


def test_types_and_homes_name_the_same() -> None:
    tree = ast.parse(Path(kvassfs.store.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    typed = {
        "." * node.level + (node.module or ""): {each.name for each in node.names}
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    homes = {home: set(names.split()) for home, names in kvassfs.store._HOMES.items()}
    assert typed == homes
    assert sorted(set().union(*homes.values())) == sorted(kvassfs.store.__all__)


@pytest.mark.parametrize("name", kvassfs.store.__all__)
def test_what_is_listed_is_there(name: str) -> None:
    assert getattr(kvassfs.store, name) is not None


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kvassfs.store.nothing  # type: ignore[attr-defined]


def test_nothing_is_loaded_before() -> None:
    code = "import kvassfs.store, sys; print(*[name for name in sys.modules if name.startswith('kvassfs')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["kvassfs", "kvassfs.store"]
