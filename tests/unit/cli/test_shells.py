"""kvassfs_cli.shells: a line is completed level by level in real shells"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli import shells
from kvassfs_cli.main import COMPLETION, kvass
from tests.support.processes import unmeasured
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


@contextmanager
def interactive(shell: str, store: Store, home: Path) -> Iterator[Terminal]:
    """``with`` a shell at its prompt, in which ``kvass`` is completed and works on ``store``."""
    assert shutil.which(shell) is not None, f"{shell} is missing: contrib/test installs it"
    name, settings = SETTINGS[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(settings)
    # Without it, fish reads all manual pages of the system at its first start.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**unmeasured(), **environment(home, PATH=path, KVASS_DB=store.path)}
    with Terminal((shell, "-i"), environment=variables, directory=home) as terminal:
        terminal.wait_for("ready>")
        yield terminal
        terminal.play([press("C-c"), Type("exit"), press("Enter")])
        terminal.wait_for_end()


@pytest.mark.parametrize("shell", SETTINGS)
def test_a_directory_is_completed_without_a_space_and_a_key_with_one(shell: str, store: Store, tmp_path: Path) -> None:
    for key in ("docs/drafts/a", "docs/drafts/b", "docs/plan", "zeta"):
        store.set(key, b"value")
    with interactive(shell, store, tmp_path) as terminal:
        terminal.play(
            [
                Type("kvass get d"),
                press("Tab"),
                See("get docs/"),
                Type("p"),
                press("Tab"),
                See("get docs/plan"),
                Type("X"),
                See("get docs/plan X"),
                press("C-u"),
            ]
        )


SPECIAL = {
    "back\\slash": ["back", r"back\\s", "'back\\s"],
    "two words": [r"two\ w", '"two w', "'two w", 'tw"o w'],
    "it's": ["it", "\"it'", "'it"],
    "co:lon": ["co:", '"co:'],
    "a=b=c": ["a=", "'a="],
    "x@y": ["x@"],
    'say "$HOME" !': ["say", '"say', r'"say \"'],
    "pa th/k": [r"pa\ th/", "'pa th/"],
}
"""Keys that a shell takes apart, and beginnings of them as people write these."""

EVERYWHERE = {"back\\slash": ["'back"], "two words": [r"two\ w", '"two w'], "co:lon": ["co:"], "{a,b}": ["'{"]}


@pytest.mark.parametrize(("shell", "keys"), [("bash", SPECIAL), ("zsh", EVERYWHERE), ("fish", EVERYWHERE)])
def test_a_key_is_completed_however_it_is_written(
    shell: str, keys: dict[str, list[str]], store: Store, tmp_path: Path
) -> None:
    for number, key in enumerate(keys):
        store.set(key, b"value %d\n" % number)
    with interactive(shell, store, tmp_path) as terminal:
        for number, beginnings in enumerate(keys.values()):
            for beginning in beginnings:
                terminal.play([Type(f"kvass get {beginning}"), See(f"kvass get {beginning}"), press("Tab", "Enter")])
                terminal.play([See(f"value {number}\n"), Type("clear"), press("Enter")])
                terminal.wait_until(lambda screen: "value" not in screen)


@pytest.mark.parametrize(
    ("line", "words", "quote"),
    [
        ("kvass get ", ["kvass", "get", ""], ""),
        ("kvass  get\tk", ["kvass", "get", "k"], ""),
        (r"a\ b\\c\'d", [r"a b\c'd"], ""),
        (r"'a\' b", ["a\\", "b"], ""),
        (r"'a\b", [r"a\b"], "'"),
        (r'"a\"\$\x', [r'a"$\x'], '"'),
        ('"a b"c\'d', ["a bcd"], "'"),
        ('"a\\', ["a\\"], '"'),
        ("a\\", ["a"], ""),
        ('""', [""], ""),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, words: list[str], quote: str) -> None:
    assert shells.split_line(line) == (words, quote)


TEXTS = [
    "plain/x",
    "two words",
    "it's",
    'a"b',
    'end"',
    "back\\slash",
    "$HOME `x` !",
    "!",
    "*?[a]{b,c}~#",
    "(|;<>&)",
    "é猫",
]


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("text", TEXTS)
def test_what_bash_is_given_is_read_as_one_word(text: str, quote: str) -> None:
    written = quote + shells.quote_for_bash(text, quote)
    if quote and not (written.endswith(quote) and len(written) > 1):  # as bash does
        written += quote
    assert shells.split_line(written) == ([text], "")
    done = subprocess.run(["bash", "-c", f"printf %s {written}"], capture_output=True, check=True, text=True)
    assert done.stdout == text


@pytest.mark.parametrize(
    ("line", "replaced", "completions"),
    [
        ("kvass get co", "co", "plain,co:lon"),
        ("kvass get co:", "", "plain,lon"),
        ("kvass get x@", "@", "plain,@y"),
        ("kvass qr --terminal=pl", "pl", "plain,plain"),
        ("kvass qr --terminal=pl", "--terminal=pl", "plain,--terminal=plain"),
        ("kvass qr --terminal pl", "pl", "plain,plain"),
        ("kvass --db=/tmp/x", "/tmp/x", "file,/tmp/x"),
    ],
)
def test_what_takes_the_place_of_a_part_of_a_word(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    line: str,
    replaced: str,
    completions: str,
) -> None:
    for key in ("co:lon", "x@y"):
        store.set(key, b"value")
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_REPLACED", replaced)
    assert shells.complete(kvass, "kvass", COMPLETION, "bash_complete") == 0
    assert capfd.readouterr().out.split() == [completions]


def test_an_odd_environment_completes_to_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COMP_LINE": "kvass get k", "COMP_REPLACED": "k", "KVASS_OFFLINE": "odd"}.items():
        monkeypatch.setenv(name, value)
    assert shells.complete(kvass, "kvass", COMPLETION, "bash_complete") in (0, 1)
    monkeypatch.setenv("COMP_LINE", "kvass mount \udcff")
    monkeypatch.setenv("COMP_REPLACED", "\udcff")
    assert shells.complete(kvass, "kvass", COMPLETION, "bash_complete") == 1
    assert capfd.readouterr().err == ""


def test_the_function_for_zsh_tells_directories_from_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert shells.complete(kvass, "kvass", COMPLETION, "zsh_source") == 0
    assert """compadd -U -V unsorted -S '' -- "$key"\n""" in capsys.readouterr().out


def test_no_function_for_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert shells.complete(kvass, "kvass", COMPLETION, "tcsh_source") == 1
    assert capsys.readouterr().out == ""
