"""kvassfs_cli.shells: a line is completed level by level in real shells"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli import shells
from kvassfs_cli.main import COMPLETION, kvass
from tests.support.programs import environment
from tests.support.terminal import See, Terminal, Type, press

COMPLETIONS = Path(__file__).parents[3] / "contrib" / "completions"
SETTINGS = {
    "bash": (".bashrc", f"PS1='ready> '\n. '{COMPLETIONS}/kvass.bash'\n"),
    "zsh": (".zshrc", f"PS1='ready> '\nfpath=('{COMPLETIONS}' $fpath)\nautoload -U compinit\ncompinit -u\n"),
    "fish": (
        ".config/fish/config.fish",
        f"function fish_prompt; echo -n 'ready> '; end\nset fish_greeting\nsource '{COMPLETIONS}/kvass.fish'\n",
    ),
}


@pytest.mark.parametrize("shell", SETTINGS)
def test_a_directory_is_completed_without_a_space_and_a_key_with_one(shell: str, store: Store, tmp_path: Path) -> None:
    assert shutil.which(shell) is not None, f"{shell} is missing: contrib/test installs it"
    for key in ("docs/drafts/a", "docs/drafts/b", "docs/plan", "zeta"):
        store.set(key, b"value")
    name, settings = SETTINGS[shell]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(settings)
    # Without it, fish reads all manual pages of the system at its first start.
    (tmp_path / ".local/share/fish/generated_completions").mkdir(parents=True)
    variables = environment(
        tmp_path, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", KVASS_DB=store.path
    )
    with Terminal((shell, "-i"), environment=variables, directory=tmp_path) as terminal:
        terminal.play(
            [
                See("ready>"),
                Type("kvass get d"),
                press("Tab"),
                See("get docs/"),
                Type("p"),
                press("Tab"),
                See("get docs/plan"),
                Type("X"),
                See("get docs/plan X"),
                press("C-u"),
                Type("exit"),
                press("Enter"),
            ]
        )
        terminal.wait_for_end()


def test_the_function_for_zsh_tells_directories_from_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert shells.complete(kvass, "kvass", COMPLETION, "zsh_source") == 0
    assert """compadd -U -V unsorted -S '' -- "$key"\n""" in capsys.readouterr().out


def test_no_function_for_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert shells.complete(kvass, "kvass", COMPLETION, "tcsh_source") == 1
    assert capsys.readouterr().out == ""
