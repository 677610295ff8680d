"""kvassfs_cli.commands.completion"""

from __future__ import annotations

from pathlib import Path

import pytest

from kvassfs_cli.shells import SHELLS
from tests.unit.cli.conftest import Kvass

COMPLETIONS = Path(__file__).parents[4] / "contrib/completions"


@pytest.mark.parametrize(("shell", "file"), [("bash", "kvass"), ("zsh", "_kvass"), ("fish", "kvass.fish")])
def test_the_script_of_a_shell_is_printed(kvass: Kvass, database: Path, shell: str, file: str) -> None:
    assert kvass("completion", shell) == (0, (COMPLETIONS / file).read_bytes(), "")
    assert not database.exists()


def test_every_shell_is_one_that_can_be_named(kvass: Kvass) -> None:
    assert list(SHELLS) == ["bash", "zsh", "fish"]
    status, out, err = kvass("completion", "tcsh")
    assert (status, out) == (2, b"")
    assert err == (
        "kvass: invalid value for 'SHELL': 'tcsh' is not one of 'bash', 'zsh', 'fish' (see `kvass completion --help`)\n"
    )
