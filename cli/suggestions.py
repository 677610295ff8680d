"""What is said of a command or option that does not exist: which one may be meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

SYNONYMS = {
    "add": "set",
    "cat": "get",
    "copy": "cp",
    "del": "rm",
    "delete": "rm",
    "diagnose": "doctor",
    "dir": "ls",
    "find": "grep",
    "history": "log",
    "keys": "ls",
    "list": "ls",
    "move": "mv",
    "push": "sync",
    "pull": "sync",
    "put": "set",
    "read": "get",
    "remove": "rm",
    "rename": "mv",
    "revert": "undo",
    "search": "grep",
    "server": "serve",
    "settings": "config",
    "share": "url",
    "show": "get",
    "unmount": "umount",
    "write": "set",
}
"""What other programs call a command, and its name here."""


def no_such_command(name: str, commands: Collection[str]) -> str:
    """Return what is said of a command that is none of ``commands``."""
    synonym = SYNONYMS.get(name.lower())
    likely = [synonym] if synonym is not None and synonym in commands else find_similar(name, commands)
    return f"no such command {name!r}{ask(likely)}"


def no_such_option(name: str, options: Iterable[str]) -> str:
    """Return what is said of an option that is none of ``options``."""
    return f"no such option {name}{ask(find_similar(name, options))}"


def find_similar(name: str, names: Iterable[str]) -> list[str]:
    """Return what ``names`` has like ``name``, the most similar first, then what begins with it."""
    from difflib import get_close_matches

    names = list(names)
    beginning = sorted(each for each in names if name.lstrip("-") and each.startswith(name))
    return list(dict.fromkeys(get_close_matches(name, names, n=3, cutoff=0.6) + beginning))[:3]


def ask(likely: Sequence[str]) -> str:
    """Return the question whether one of ``likely`` is meant, behind what there is not; nothing where none is."""
    *first, last = likely or [""]
    return f"; did you mean {' or '.join([', '.join(first), last] if first else [last])}?" if last else ""
