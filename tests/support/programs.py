"""Run the programs that people use, with the defaults that they have when nobody has configured anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from kvassfs_cli.main import run as run_command_line
from tests.support.processes import KVASS, unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.mounts import Mount

TIMEOUT = 120


def need(*programs: str) -> None:
    """Fail, with their names, when programs are missing: a suite that skips them proves nothing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Give an environment in which nothing is configured: an empty home directory, UTF-8, a plain terminal."""
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "screen",
        "SHELL": "/bin/sh",
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }


def run(*command: str | Path, directory: Path, env: dict[str, str] | None = None) -> str:
    """Run a program that must succeed in silence on standard error, and return its standard output."""
    done = subprocess.run(
        [str(argument) for argument in command],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    told = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"{command} failed with {done.returncode}:\n{told[0]}{told[1]}"
    return told[0]


def names(directory: Path) -> Sequence[str]:
    """List a directory, sorted."""
    return sorted(os.listdir(directory))


def kvass(mount: Mount, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run the command line on the mount's database and return its standard output; it must succeed."""
    command = [*KVASS, "--db", str(mount.db), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT, check=False, env=unmeasured())
    assert done.returncode == 0, f"kvass {arguments} failed with {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def kvass_here(mount: Mount, *arguments: str, stdin: bytes = b"") -> bytes:
    """Do the same in this process, which takes a fiftieth of the time: for what is done with each of many keys."""
    with CliRunner().isolation(input=stdin) as (out, err, *_):
        status = run_command_line(["--db", str(mount.db), *arguments])
        assert status == 0, f"kvass {arguments} failed with {status}: {err.getvalue().decode()}"
        return out.getvalue()
