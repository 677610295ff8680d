"""contrib/requirements: what is installed has hashes, keeps to the bounds, and is what the bill of materials says."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kvassfs import __version__

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "contrib/requirements"


@pytest.fixture(scope="module")
def bill() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bill", FOLDER / "bill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.!+-]+)", (FOLDER / name).read_text(), re.MULTILINE))


def read_wanted(extra: str | None) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [
        Requirement(line) for line in (project["optional-dependencies"][extra] if extra else project["dependencies"])
    ]


@pytest.mark.parametrize("name", ["build.txt", "run.txt", "test.txt"])
def test_every_package_has_hashes_and_no_address_is_in_the_file(name: str) -> None:
    text = (FOLDER / name).read_text()
    packages = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text


def test_pip_is_one_whose_programs_load_nothing_but_what_they_run() -> None:
    """Older ones have `re` loaded first of all, which takes `kvass get` a quarter of its time."""
    assert Version(read_locked("build.txt")["pip"]) >= Version("25.2")


@pytest.mark.parametrize(("name", "extra"), [("run.txt", None), ("test.txt", None), ("test.txt", "dev")])
def test_what_is_wanted_is_locked_within_its_bounds(name: str, extra: str | None) -> None:
    locked = read_locked(name)
    for wanted in read_wanted(extra):
        assert wanted.specifier.contains(locked[wanted.name]), wanted


PARTS = {"botocore": "boto3", "psycopg-pool": "psycopg"}
"""What others bring by name: the second is asked for with the extra `pool`."""


def find_imports(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each package that a module below a folder imports, with the module."""
    own = {"kvassfs", "kvassfs_cli", "tests", *(module.stem for module in (ROOT / "contrib").rglob("*.py"))}
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            else:
                continue
            for name in {each.partition(".")[0] for each in names} - sys.stdlib_module_names - own:
                yield name, module


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("kvassfs", [None, "postgres", "s3"]),
        ("cli", [None, "postgres", "s3"]),
        ("tests", [None, "dev"]),
        ("contrib", [None, "dev"]),
    ],
)
def test_what_is_imported_is_asked_for(folder: str, extras: list[str | None]) -> None:
    """What was once installed by hand is imported as well, here alone."""
    wanted = {canonicalize_name(each.name) for extra in extras for each in read_wanted(extra)}
    providers = packages_distributions()
    found = list(find_imports(ROOT / folder))
    assert found
    for name, module in found:
        brought_by = {canonicalize_name(each) for each in providers.get(name, [name])}
        assert wanted & {PARTS.get(each, each) for each in brought_by}, (name, module)


def test_what_extras_have_the_tests_have() -> None:
    wanted = {each.name for each in read_wanted("dev")}
    assert {each.name for extra in ("postgres", "s3") for each in read_wanted(extra)} <= wanted


@pytest.mark.parametrize("extra", [None, "postgres", "s3"])
def test_every_dependency_has_both_bounds(extra: str | None) -> None:
    for wanted in read_wanted(extra):
        assert {each.operator for each in wanted.specifier} == {">=", "<"}, wanted


def test_tests_run_with_what_people_get() -> None:
    assert read_locked("run.txt").items() <= read_locked("test.txt").items()


def test_the_bill_lists_what_is_installed(bill: ModuleType) -> None:
    written = json.loads((FOLDER / "kvassfs.cdx.json").read_text())
    assert written == bill.build_bill(), "type: ./contrib/lock"
    assert written["bomFormat"] == "CycloneDX"
    assert written["metadata"]["component"]["version"] == __version__
    assert {each["name"]: each["version"] for each in written["components"]} == read_locked("run.txt")
    assert all(each["properties"][0]["value"].startswith("sha256:") for each in written["components"])


def test_a_package_is_read_with_its_marker_and_hashes(bill: ModuleType) -> None:
    text = "a==1 \\\n    --hash=sha256:12 \\\n    --hash=sha256:34\nb-c==2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:56\n"
    one, two = bill.read_components(text)
    assert [each["value"] for each in one["properties"]] == ["sha256:12", "sha256:34"]
    assert two["properties"] == [
        {"name": "hash", "value": "sha256:56"},
        {"name": "marker", "value": "sys_platform == 'win32'"},
    ]
