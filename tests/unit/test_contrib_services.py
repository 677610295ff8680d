"""The examples in contrib for systemd, runit and launchd: what they run is a command that there is."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kvassfs_cli.main import kvass
from tests.support.processes import ROOT

CONTRIB = ROOT / "contrib"
PLISTS = sorted((CONTRIB / "launchd").glob("*.plist"))
SCRIPTS = sorted((CONTRIB / "runit").glob("*/run"))
UNITS = sorted((CONTRIB / "systemd").glob("*.service"))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each example's name, and what it runs from `kvass` on."""
    for path in PLISTS:
        yield path.name, plistlib.loads(path.read_bytes())["ProgramArguments"]
    for path in SCRIPTS:
        (last,) = re.findall(r"^exec .*\bkvass .*$", path.read_text(), re.MULTILINE)
        words = shlex.split(last)
        start = next(at for at, word in enumerate(words) if word == "kvass" and words[at - 1] != "-u")
        yield str(path.relative_to(CONTRIB)), words[start:]
    for path in UNITS:
        (command,) = re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
        yield path.name, command.split()


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_an_example_runs_is_a_command_with_options_that_there_are(name: str, command: list[str]) -> None:
    assert command[0].endswith("kvass")
    words = command[3:] if command[1] == "--db" else command[1:]
    context = click.Context(kvass, **kvass.context_settings)  # as commands remember what their help is called
    found = kvass.get_command(context, words[0])
    assert found is not None
    found.make_context(words[0], words[1:], parent=context).close()


@pytest.mark.parametrize("path", [*SCRIPTS, *sorted((CONTRIB / "runit").glob("*/log/run"))], ids=str)
def test_a_script_of_runit_can_be_run_and_is_shell(path: Path) -> None:
    assert os.access(path, os.X_OK)
    assert subprocess.run(["sh", "-n", path], check=False).returncode == 0


def test_there_are_examples_for_each() -> None:
    assert min(map(len, (PLISTS, SCRIPTS, UNITS))) >= 2
