"""kvassfs.doctor.shell"""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs.doctor.finding import Finding
from kvassfs.doctor.shell import Folders, Shell, collect_shell, judge_shell


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(str(tmp_path), str(tmp_path / "data"), str(tmp_path / "config"))


FILES = [
    ("bash", "data/bash-completion/completions/kvass"),
    ("zsh", "data/zsh/site-functions/_kvass"),
    ("zsh", ".zfunc/_kvass"),
    ("fish", "config/fish/completions/kvass.fish"),
    ("fish", "data/fish/vendor_completions.d/kvass.fish"),
]

STARTED_WITH = [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", "config/fish/config.fish")]


@pytest.mark.parametrize(("shell", "file"), FILES)
def test_a_completion_is_found_where_the_shell_looks(folders: Folders, tmp_path: Path, shell: str, file: str) -> None:
    path = tmp_path / file
    assert collect_shell(f"/bin/{shell}", folders, path="").completion == ""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert collect_shell(f"/bin/{shell}", folders, path="").completion == str(path)


@pytest.mark.parametrize(("shell", "file"), STARTED_WITH)
def test_so_is_one_that_the_shell_loads_at_its_start(folders: Folders, tmp_path: Path, shell: str, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# nothing\n")
    assert collect_shell(shell, folders, path="").completion == ""
    path.write_text(f"kvass completion {shell} | source\n")
    assert collect_shell(shell, folders, path="").completion == str(path)


def test_no_completion_is_looked_for_in_an_unknown_shell(folders: Folders) -> None:
    assert collect_shell("/bin/tcsh", folders, path="") == Shell("", "", None)
    assert collect_shell("", folders, path="") == Shell("", "", None)


@pytest.mark.parametrize(
    ("script", "manual"),
    [
        ("echo /usr/share/man/man1/kvass.1.gz", "/usr/share/man/man1/kvass.1.gz"),
        ("echo No manual entry >&2; exit 16", ""),
    ],
)
def test_the_manual_is_what_man_finds(folders: Folders, tmp_path: Path, script: str, manual: str) -> None:
    man = tmp_path / "man"
    man.write_text(f'#!/bin/sh\n[ "$*" = "-w 1 kvass" ] || exit 1\n{script}\n')
    man.chmod(0o755)
    assert collect_shell("", folders, path=str(tmp_path)).manual == manual


def test_a_man_that_cannot_be_run_finds_nothing(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "man").write_text("\0")
    (tmp_path / "man").chmod(0o755)
    assert collect_shell("", folders, path=str(tmp_path)).manual == ""


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_what_is_missing_is_a_warning_with_what_to_type(name: str) -> None:
    completion, manual = judge_shell(Shell(name, "", ""))
    assert (completion.check, completion.level) == ("completion", "warning")
    assert completion.text == f"{name} does not complete kvass"
    file = {"bash": "kvass.bash", "zsh": "_kvass", "fish": "kvass.fish"}[name]
    assert f"cp contrib/completions/{file} " in completion.remedy
    assert (manual.check, manual.level, manual.text) == ("manual", "warning", "man does not find kvass(1)")
    assert manual.remedy


@pytest.mark.parametrize(
    ("shell", "findings"),
    [
        (Shell("bash", "/c", "/m"), [Finding("completion", "ok", "/c"), Finding("manual", "ok", "/m")]),
        (
            Shell("", "", None),
            [
                Finding("completion", "ok", "your shell is none of bash, zsh and fish"),
                Finding("manual", "ok", "there is no man here"),
            ],
        ),
    ],
)
def test_what_is_there_or_of_no_use_is_ok(shell: Shell, findings: list[Finding]) -> None:
    assert list(judge_shell(shell)) == findings
