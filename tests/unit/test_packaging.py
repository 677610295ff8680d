"""What is shipped: the packages, their markers, the wheel, and the rules that no linter knows."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from kvassfs import __version__

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "kvassfs",
    "cli",
    "contrib/man",
    "contrib/completions",
    "contrib/requirements",
)
"""What the distributions are built from."""

SHARED = {
    "share/man/man1/kvass.1": "contrib/man/kvass.1",
    "share/man/man5/kvassfs.5": "contrib/man/kvassfs.5",
    "share/man/man7/kvass-protocol.7": "contrib/man/kvass-protocol.7",
    "share/bash-completion/completions/kvass": "contrib/completions/kvass",
    "share/zsh/site-functions/_kvass": "contrib/completions/_kvass",
    "share/fish/vendor_completions.d/kvass.fish": "contrib/completions/kvass.fish",
    "share/doc/kvassfs/kvassfs.cdx.json": "contrib/requirements/kvassfs.cdx.json",
}
"""Where the manual, the completion of the shells and the bill of materials are installed, and where they lie here."""

LIBRARY = sorted((ROOT / "kvassfs").rglob("*.py"))

EXCUSED = {
    "kvassfs/mount/binding.py": "reads the environment",  # a binding takes the library to load from there alone
}

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
"""What of `os` reads the environment."""


def run(*command: str | Path, cwd: Path) -> str:
    finished = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def packages_in_folders() -> Iterator[str]:
    for folder, package in (("kvassfs", "kvassfs"), ("cli", "kvassfs_cli")):
        for init in (ROOT / folder).rglob("__init__.py"):
            yield ".".join((package, *init.parent.relative_to(ROOT / folder).parts))


def test_the_packages_listed_are_the_folders() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert sorted(setuptools["packages"]) == sorted(packages_in_folders())


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return an sdist, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    source = folder / "source"
    source.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            copytree(ROOT / name, source / name, ignore=ignore_patterns("__pycache__"))
        else:
            (source / name).write_bytes((ROOT / name).read_bytes())
    said = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    assert "WARNING" not in said, said  # whoever sets it up would read that
    return folder / f"kvassfs-{__version__}.tar.gz", folder / f"kvassfs-{__version__}-py3-none-any.whl"


def test_the_wheel_holds_every_module_and_the_type_markers(distributions: tuple[Path, Path]) -> None:
    expected = {
        str(Path(package, path.relative_to(ROOT / folder)))
        for folder, package in (("kvassfs", "kvassfs"), ("cli", "kvassfs_cli"))
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".css", ".html", ".js", ".png", ".py", ".svg", ".webmanifest"} or path.name == "py.typed"
    }
    assert {"kvassfs/py.typed", "kvassfs_cli/py.typed", "kvassfs_cli/main.py"} <= expected
    with zipfile.ZipFile(distributions[1]) as wheel:
        held = {name for name in wheel.namelist() if name.startswith(("kvassfs/", "kvassfs_cli/"))}
        others = {name.partition("/")[0] for name in set(wheel.namelist()) - held}
    assert held == expected
    assert others == {f"kvassfs-{__version__}.dist-info", f"kvassfs-{__version__}.data"}


def test_the_wheel_installs_the_manual_and_the_completions_and_nothing_else_beside(
    distributions: tuple[Path, Path],
) -> None:
    data = f"kvassfs-{__version__}.data/data/"
    with zipfile.ZipFile(distributions[1]) as wheel:
        held = {name.removeprefix(data): wheel.read(name) for name in wheel.namelist() if name.startswith(data)}
    assert held == {place: (ROOT / source).read_bytes() for place, source in SHARED.items()}


def test_the_sdist_holds_them_where_they_lie_here(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        assert {f"kvassfs-{__version__}/{source}" for source in SHARED.values()} <= set(archive.getnames())


def test_every_page_and_completion_is_installed() -> None:
    lying = {
        str(path.relative_to(ROOT)) for name in ("man", "completions") for path in (ROOT / "contrib" / name).iterdir()
    }
    assert lying == {source for source in SHARED.values() if not source.startswith("contrib/requirements/")}


def test_both_distributions_hold_the_license(distributions: tuple[Path, Path]) -> None:
    sdist, wheel = distributions
    with tarfile.open(sdist) as archive:
        assert f"kvassfs-{__version__}/LICENSE" in archive.getnames()
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        assert f"kvassfs-{__version__}.dist-info/licenses/LICENSE" in archive_of_wheel.namelist()


def test_the_installed_wheel_gives_the_command(distributions: tuple[Path, Path], tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--disable-pip-version-check", "--no-index", "--no-deps", distributions[1]),
        cwd=tmp_path,
    )
    # What kvassfs depends on comes from here and not from the network. As a plain path: were the .pth files of that
    # folder read too, the editable kvassfs would come along.
    libraries = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (libraries / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert run(environment / "bin" / "kvass", "--version", cwd=tmp_path) == f"kvass {__version__}\n"
    assert [place for place in SHARED if not (environment / place).is_file()] == []
    location = run(python, "-c", "import kvassfs_cli.main as m; print(m.__file__)", cwd=tmp_path).strip()
    assert Path(location).is_relative_to(os.path.realpath(environment))


def offences(tree: ast.AST) -> Iterator[str]:
    """Name what a library leaves to its command line: arguments, output, exit, the environment."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] == "click" for name in names):
                yield f"line {node.lineno} imports click"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "click":
                yield f"line {node.lineno} imports click"
            case ast.ImportFrom(module="os", names=names) if ENVIRONMENT & {name.name for name in names}:
                yield f"line {node.lineno} reads the environment"
            case ast.Attribute(value=ast.Name(id="os"), attr=attribute) if attribute in ENVIRONMENT:
                yield f"line {node.lineno} reads the environment"
            case ast.Call(func=ast.Name(id="print")):
                yield f"line {node.lineno} prints"
            case (
                ast.Attribute(value=ast.Name(id="sys"), attr="exit")
                | ast.Call(func=ast.Name(id="exit" | "quit"))
                | ast.Name(id="SystemExit")
            ):
                yield f"line {node.lineno} exits"


@pytest.mark.parametrize("module", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_leaves_the_terminal_and_the_environment_alone(module: Path) -> None:
    excused = EXCUSED.get(str(module.relative_to(ROOT)), "nothing")
    assert [each for each in offences(ast.parse(module.read_text())) if not each.endswith(excused)] == []


@pytest.mark.parametrize(
    "line",
    [
        "import click",
        "from click.testing import CliRunner",
        "print('x')",
        "os.environ['X']",
        "from os import getenv",
        "sys.exit(1)",
        "raise SystemExit",
    ],
)
def test_an_offence_is_seen(line: str) -> None:
    assert len(list(offences(ast.parse(line)))) == 1
