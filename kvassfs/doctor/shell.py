"""The shell: whether it completes what is typed, and finds the manual."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from .finding import OK, WARNING, Finding

MAN_SECONDS: Final = 5.0
"""Seconds that ``man`` is given to look for a page."""

_SYSTEM: Final = ("/usr/local/share", "/usr/share")

_COMPLETIONS: Final = {
    "bash": ("{data}/bash-completion/completions/kvass", "/etc/bash_completion.d/kvass"),
    "zsh": ("{data}/zsh/site-functions/_kvass", "{data}/zsh/vendor-completions/_kvass", "{home}/.zfunc/_kvass"),
    "fish": ("{data}/fish/vendor_completions.d/kvass.fish", "{config}/fish/completions/kvass.fish"),
}
"""Where shells look for completions; ``{data}`` stands for each folder of data, the user's and those of the system."""

_STARTED_WITH: Final = {"bash": "{home}/.bashrc", "zsh": "{home}/.zshrc", "fish": "{config}/fish/config.fish"}
"""What a shell reads at its start: completions may be loaded there."""

_REMEDIES: Final = {
    "bash": (
        "type, in the source of kvass: mkdir -p ~/.local/share/bash-completion/completions && cp contrib/completions/kvass.bash"
        " ~/.local/share/bash-completion/completions/kvass"
    ),
    "zsh": (
        "type, in the source of kvass: mkdir -p ~/.zfunc && cp contrib/completions/_kvass ~/.zfunc, with"
        " `fpath+=~/.zfunc` before compinit"
    ),
    "fish": (
        "type, in the source of kvass: mkdir -p ~/.config/fish/completions && cp contrib/completions/kvass.fish"
        " ~/.config/fish/completions"
    ),
}


class Folders(NamedTuple):
    """Where a user's files are: home, data (``~/.local/share``) and configuration (``~/.config``)."""

    home: str
    data: str
    config: str


class Shell(NamedTuple):
    """What was found for the shell ``name`` (``""`` if it is not known): the file that completes.

    ``manual`` is the page that ``man`` shows; ``None`` if there is no ``man``.
    """

    name: str
    completion: str
    manual: str | None


def collect_shell(program: str, folders: Folders, *, path: str) -> Shell:
    """Return what there is for the shell at ``program``; ``man`` is searched along ``path``."""
    name = os.path.basename(program)
    name = name if name in _COMPLETIONS else ""
    return Shell(name, next(_find_completions(name, folders), ""), _find_manual(path))


def _find_completions(shell: str, folders: Folders) -> Iterator[str]:
    if not shell:
        return
    for pattern in _COMPLETIONS[shell]:
        for data in (folders.data, *_SYSTEM) if "{data}" in pattern else ("",):
            name = pattern.format(data=data, home=folders.home, config=folders.config)
            if os.path.exists(name):
                yield name
    started_with = _STARTED_WITH[shell].format(home=folders.home, config=folders.config)
    with suppress(OSError), open(started_with, "rb") as file:
        if b"kvass" in file.read():
            yield started_with


def _find_manual(path: str) -> str | None:
    man = shutil.which("man", path=path)
    if man is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603  a program of the system
            [man, "-w", "1", "kvass"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=MAN_SECONDS,
        )
        return os.fsdecode(done.stdout).partition("\n")[0] if done.returncode == 0 else ""
    return ""


def judge_shell(found: Shell, remedies: Mapping[str, str] = _REMEDIES) -> Iterator[Finding]:
    """Yield whether the shell completes, and whether there is a manual; neither is needed."""
    if not found.name:
        yield Finding("completion", OK, "your shell is none of bash, zsh and fish")
    elif found.completion:
        yield Finding("completion", OK, found.completion)
    else:
        yield Finding("completion", WARNING, f"{found.name} does not complete kvass", remedies[found.name])
    if found.manual is None:
        yield Finding("manual", OK, "there is no man here")
    elif found.manual:
        yield Finding("manual", OK, found.manual)
    else:
        remedy = "copy kvass.1 of the source's contrib/man to ~/.local/share/man/man1; `kvass COMMAND --help` is always there"
        yield Finding("manual", WARNING, "man does not find kvass(1)", remedy)
