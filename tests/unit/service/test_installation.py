"""kvassfs.service.installation"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kvassfs.errors import ServiceError
from kvassfs.service import installation
from kvassfs.service.installation import check_reachable, find_command


def test_the_command_is_that_of_this_python_and_heeds_no_module_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('not this one')")
    command = find_command()
    assert command[0] == sys.executable
    done = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that everybody may run, as far as its own folders go."""
    is_open = installation._is_open
    monkeypatch.setattr(installation, "_is_open", lambda path: not path.startswith(str(tmp_path)) or is_open(path))
    program = tmp_path / "opt" / "python"
    program.parent.mkdir()
    program.touch(0o755)
    for each in (tmp_path, program.parent, program):
        each.chmod(0o755)
    return program


def test_what_everybody_may_run_will_do(place: Path) -> None:
    check_reachable(iter([str(place)]))


def test_what_lies_in_a_closed_folder_is_refused(place: Path) -> None:
    place.parent.chmod(0o700)
    with pytest.raises(
        ServiceError, match=f"cannot run {place}, as {place.parent} is closed to it; install kvass for all"
    ):
        check_reachable(iter([str(place)]))


@pytest.mark.parametrize("program", ["/home/me/.local/bin/python", "/root/python", "/no/such"])
def test_so_is_what_a_service_does_not_see(program: str) -> None:
    with pytest.raises(ServiceError, match=f"cannot run {program}, "):
        check_reachable(iter([program]))


def test_python_and_the_package_have_to_be_reached() -> None:
    assert {sys.executable, os.path.realpath(sys.executable), sys.prefix} < set(installation._find_places())
