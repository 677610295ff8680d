"""What is offered when Tab is pressed, without click: commands, options, and the keys that are there.

Loading click takes several times as long as finding a few keys, and who presses Tab waits for it. Here is what takes a line without
quotes and escapes, up to a command, an option or a key. Everything else is left to ``shells``, which offers the same in these cases.
"""

from __future__ import annotations

import os

from .cheat_sheet import COMMANDS
from .tab_words import WORDS

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COMPLETIONS = 1000
"""Keys offered at once; nobody reads more."""

ROOT = "kvass"

INSTRUCTIONS = {"bash_complete": "bash", "zsh_complete": "zsh", "fish_complete": "fish"}
"""How the functions of the shells ask for the completions of a line, and which shell it is."""

QUOTES = frozenset("'\"\\~")
"""What shells take for quotes, escapes and the home directory."""

UNQUOTED = frozenset("_%+,./:=@^-")
"""What bash takes as it is, beside letters and digits; see ``words.quote_for_bash``."""


class Command:
    """The command ``path``, as its ``lines`` in ``tab_words`` have it.

    Attributes:
        operands: what completes them.
        commands: its sub-commands, and what they do.
        flags, options: all names of an option, by each; of flags, and of all that there are.
        said: of an option, by its first name.
    """

    def __init__(self, path: str, operands: str, lines: Iterable[str]) -> None:
        self.path = path
        self.operands = operands.split()
        self.commands: dict[str, str] = dict(COMMANDS) if path == ROOT else {}
        self.flags: dict[str, list[str]] = {}
        self.options: list[tuple[list[str], str]] = []
        for line in lines:
            names, _, said = line[2:].partition(" | ")
            if line.startswith("+"):
                self.commands[names] = said
                continue
            self.options.append((names.split(), said))
            if line.startswith("-"):
                self.flags |= dict.fromkeys(names.split(), names.split())


def find_command(path: str) -> Command | None:
    """Return a command, ``None`` if there is nothing about it."""
    _, found, rest = f"\n{WORDS}".partition(f"\n{path} |")
    operands, *lines = rest.partition(f"\n{ROOT}")[0].rstrip("\n").split("\n")
    return Command(path, operands, lines) if found else None


class Line:
    """What stands before the word that is completed: the ``command``, and how many ``operands`` it has so far.

    Options that were ``given`` are not offered again. ``database`` is that of the last ``--db``.
    """

    def __init__(self, command: Command) -> None:
        self.command = command
        self.operands = 0
        self.given: set[str] = set()
        self.database: str | None = None


def read_line(words: Iterable[str]) -> Line | None:
    """Return what ``words`` are, those behind the program; ``None`` if that is for click to say."""
    root = find_command(ROOT)
    assert root is not None
    line, rest = Line(root), iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name == "--db":
            line.given.add(name)
            line.database = value if equals else next(rest, "")
            if not line.database or line.database.startswith("-"):  # it is being completed, or odd
                return None
        elif word.startswith("-"):
            if word not in line.command.flags:
                return None
            line.given.update(line.command.flags[word])
        elif line.command.commands:
            command = find_command(f"{line.command.path} {word}")
            if command is None:
                return None
            line.command, line.given = command, set()
        else:
            line.operands += 1
    return line


class Asked:
    """What is asked for: the completions of ``beginning``.

    Attributes:
        shell: that asks.
        replaced: what there is of the word before the part that bash has replaced.
        words: what is offered, and what is said of each; ``None`` if it is keys.
        directories: whether directories in which nothing is are among these.
        database: the file that the line names.
    """

    def __init__(self, shell: str, beginning: str, replaced: str, line: Line) -> None:
        self.shell = shell
        self.beginning = beginning
        self.replaced = replaced
        self.words: dict[str, str] | None = {}
        self.directories = False
        self.database = line.database


def read(instruction: str, environment: Mapping[str, str]) -> Asked | None:
    """Return what a shell asks for by ``instruction`` and ``environment``; ``None`` if that is for click to say."""
    shell = INSTRUCTIONS.get(instruction)
    text, end = environment.get("COMP_LINE", ""), environment.get("COMP_REPLACED")
    if shell is None or not is_plain(text) or (shell == "bash" and end is None):
        return None
    words, before = split(text), split(text.removesuffix(end or ""))
    *arguments, beginning = words[1:] or [""]
    line = read_line(arguments)
    if line is None or "=" in words[0] or beginning == "=" or (beginning.startswith("-") and "=" in beginning):
        return None
    asked = Asked(shell, beginning, before[-1] if len(before) == len(words) else "", line)
    return asked if find_words(asked, line) else None


def is_plain(text: str) -> bool:
    """Return whether a line is one of words with blanks between them, and of UTF-8."""
    try:
        is_utf8 = os.fsencode(text).decode() == text
    except UnicodeDecodeError:
        return False
    return is_utf8 and text != "" and not text[0].isspace() and QUOTES.isdisjoint(text)


def split(text: str) -> list[str]:
    """Return the words of a line; behind a blank, one begins."""
    return text.split() + ([""] if not text or text[-1].isspace() else [])


def find_words(asked: Asked, line: Line) -> bool:
    """Find what is offered; return False if that is for click to do."""
    command, beginning = line.command, asked.beginning
    if beginning.startswith("-"):
        left = [(names, said) for names, said in command.options if line.given.isdisjoint(names)]
        asked.words = {name: said for names, said in left for name in names if name.startswith(beginning)}
        return True
    if command.commands:
        asked.words = {name: said for name, said in command.commands.items() if name.startswith(beginning)}
        return True
    kind = find_operand(command.operands, line.operands)
    if kind in {"key", "prefix"}:
        asked.words, asked.directories = None, kind == "prefix"
    return kind != "?"


def find_operand(operands: Sequence[str], index: int) -> str:
    """Return what completes the operand at ``index``; ``""`` if there is none."""
    if index < len(operands):
        return operands[index].removesuffix("...")
    return operands[-1].removesuffix("...") if operands and operands[-1].endswith("...") else ""


def format_offers(asked: Asked, offers: Iterable[tuple[str, str]]) -> str:
    """Return what the shell is given for words and what is said of them, as ``shells`` does."""
    if asked.shell == "bash":
        return "".join(f"plain,{quote(word.removeprefix(asked.replaced))}\n" for word, _ in offers)
    if asked.shell == "zsh":
        return "".join(f"plain\0{word}\0{said}\0" for word, said in offers)
    return "".join(
        f"plain,{word}\t{said}\0" if said else f"plain,{word}\0" for word, said in offers if "\t" not in word
    )


def quote(text: str) -> str:
    """Return how ``text`` is written in bash."""
    if all(character.isalnum() or character in UNQUOTED for character in text):
        return text
    from .words import quote_for_bash  # loads re, which few keys need

    return quote_for_bash(text, "")
