"""kvassfs.doctor.programs"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kvassfs.doctor.finding import Finding
from kvassfs.doctor.programs import Fuse, Versions, collect_fuse, collect_versions, judge_fuse, judge_versions
from kvassfs.mount import requirements
from kvassfs.mount.errors import FuseMissing

FUSE = Fuse(
    True, "/usr/bin/fusermount3", True, ("3.14.0", "mfusepy"), False, "install it, as root, with: apt install fuse3"
)


def test_what_is_new_enough_is_ok() -> None:
    assert list(judge_versions(Versions("1.2.3", "3.11.0", "3.37.0"))) == [
        Finding("kvassfs", "ok", "1.2.3"),
        Finding("Python", "ok", "3.11.0"),
        Finding("SQLite", "ok", "3.37.0"),
    ]


@pytest.mark.parametrize(
    ("python", "sqlite", "text"),
    [
        ("3.9.2", "3.46.1", "3.9.2 is older than 3.11"),
        ("3.13.0rc1", "3.34.1", "3.34.1 is older than 3.37"),
    ],
)
def test_what_is_too_old_is_wrong_and_says_what_to_do(python: str, sqlite: str, text: str) -> None:
    (found,) = [each for each in judge_versions(Versions("1", python, sqlite)) if each.level != "ok"]
    assert (found.level, found.text) == ("wrong", text)
    assert found.remedy


def test_the_versions_of_this_process_will_do() -> None:
    assert {finding.level for finding in judge_versions(collect_versions())} == {"ok"}


def test_all_of_fuse_that_is_there_is_ok() -> None:
    assert list(judge_fuse(FUSE)) == [
        Finding("device", "ok", "/dev/fuse"),
        Finding("fusermount", "ok", "/usr/bin/fusermount3"),
        Finding("libfuse", "ok", "3.14.0, through mfusepy"),
    ]


@pytest.mark.parametrize(
    ("fuse", "check", "level", "text", "remedy"),
    [
        (FUSE._replace(device=None), "device", "wrong", "/dev/fuse is missing", "modprobe fuse"),
        (
            FUSE._replace(device=False),
            "device",
            "wrong",
            "this user may not open /dev/fuse",
            "type, as root: chmod 666 /dev/fuse",
        ),
        (FUSE._replace(program=""), "fusermount", "wrong", "fusermount3 is missing", "apt install fuse3"),
        (
            FUSE._replace(program="", is_root=True),
            "fusermount",
            "warning",
            "fusermount3 is missing",
            "apt install fuse3",
        ),
        (
            FUSE._replace(program="/a b/fusermount3", privileged=False),
            "fusermount",
            "wrong",
            "/a b/fusermount3 does not run as root",
            "type, as root: chmod u+s '/a b/fusermount3'",
        ),
        (
            FUSE._replace(library=FuseMissing("libfuse", "install it, as root, with: apt install fuse3")),
            "libfuse",
            "wrong",
            "cannot mount: libfuse is missing",
            "install it, as root, with: apt install fuse3",
        ),
    ],
)
def test_what_is_missing_of_fuse_is_said_with_what_to_do(
    fuse: Fuse, check: str, level: str, text: str, remedy: str
) -> None:
    (found,) = [each for each in judge_fuse(fuse) if each.level != "ok"]
    assert (found.check, found.level, found.text) == (check, level, text)
    assert remedy in found.remedy


def test_root_needs_no_program_that_runs_as_root() -> None:
    assert {each.level for each in judge_fuse(FUSE._replace(privileged=False, is_root=True))} == {"ok"}


@pytest.mark.parametrize(("binding", "version"), [("mfusepy", r"3\.\d+\.\d+"), ("fusepy", r"2\.\d+")])
def test_this_system_has_fuse(binding: str, version: str) -> None:
    found = collect_fuse(binding)
    assert found.device
    assert isinstance(found.library, tuple)
    assert re.fullmatch(version, found.library[0])
    assert found.library[1] == binding
    assert found.privileged


def test_what_is_not_there_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(requirements, "DEVICE", "/nowhere")
    monkeypatch.setattr(requirements, "PROGRAMS", "/nowhere")
    assert collect_fuse()[:3] == (None, "", False)
    program = tmp_path / "fusermount3"
    program.touch(0o755)
    monkeypatch.setattr(requirements, "PROGRAMS", str(tmp_path))
    assert collect_fuse()[1:3] == (str(program), False)
    os.chmod(program, 0o4755)
    assert collect_fuse()[1:3] == (str(program), True)


def test_an_unknown_binding_is_what_is_wrong() -> None:
    (found,) = [each for each in judge_fuse(collect_fuse("nopy")) if each.level != "ok"]
    assert found.text.startswith("unknown FUSE binding 'nopy'")
