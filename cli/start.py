"""Where ``kvass`` begins: a plain ``get``, ``ls`` or ``set`` is done at once, anything else by click.

Loading click, and for the first two the store, takes several times as long as what they do, and scripts call them by the
thousand. Here is only what they are when nothing is out of the ordinary: no other option than ``--db`` and ``--offline``, and
output that is no terminal. For a key that is there, with a short value and no hub to be asked, and for ``ls``, a glance at the
database is enough. Else nothing has happened yet, and the store gets the key, or ``main`` goes on.
"""

from __future__ import annotations

import os
import sys
import time

from . import cheat_sheet, process

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import NoReturn

    from kvassfs.store import Glance

    from .tab import Asked

OPERANDS = {"get": (1, 1), "ls": (0, 1), "set": (1, 2)}
"""The commands, and how many operands each has, at least and at most."""

DATABASE, OFFLINE, END = "--db", "--offline", "--"

_OUTPUT = 1


class Plain:
    """A command line that needs no more than is here.

    The ``text`` is a key or prefix, ``value`` what a key is set to, if not standard input, ``database`` the path as it is given.
    """

    def __init__(self, command: str, text: str, value: str | None, database: str | None, offline: bool) -> None:
        self.command = command
        self.text = text
        self.value = value
        self.database = database
        self.offline = offline


def parse(arguments: Sequence[str]) -> Plain | None:
    """Return what a command line asks for, ``None`` if it is for click to say."""
    words: list[str] = []
    database, offline = None, False
    rest = iter(arguments)
    for argument in rest:
        if argument == END and words:
            words += rest
        elif argument == DATABASE:
            database = next(rest, "")
        elif argument.startswith(f"{DATABASE}="):
            database = argument.removeprefix(f"{DATABASE}=")
        elif argument == OFFLINE and words:
            offline = True
        elif argument.startswith("-"):
            return None
        else:
            words.append(argument)
    if not words or words[0] not in OPERANDS or database == "":
        return None
    least, most = OPERANDS[words[0]]
    if not least <= len(words) - 1 <= most:
        return None
    try:
        text = os.fsencode("".join(words[1:2])).decode()
    except UnicodeDecodeError:
        return None
    return Plain(words[0], text, words[2] if len(words) > 2 else None, database, offline)


def find_path(database: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the absolute path of the database, ``None`` where that is not plain."""
    path = database or environment.get(cheat_sheet.VARIABLE) or cheat_sheet.DEFAULT
    if path.startswith("~"):
        home = environment.get("HOME", "")
        if not path.startswith("~/") or not home.startswith("/"):
            return None
        path = home + path[1:]
    return path if path.startswith("/") else None


def respond(plain: Plain, glance: Glance, now: int) -> Iterable[bytes] | None:
    """Return what a command prints, ``None`` if more is needed to know that; ``now`` is µs since the epoch."""
    if not plain.offline and not glance.is_current(now):
        return None
    if plain.command == "ls":
        return (keys.encode() for keys in glance.list_keys(plain.text))
    value = glance.find_value(plain.text)
    return None if value is None else (value,)


def main() -> NoReturn:
    """Run the command line of this process, and end it."""
    process.occupy_closed()
    process.forbid_core_dumps()
    instruction = os.environ.get(process.COMPLETION)
    if complete(instruction, os.environ) if instruction else run(sys.argv[1:], os.environ):
        os._exit(0)  # all is written; Python's own end would take as long as the rest
    from .main import main as go_on

    go_on()


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Do what a command line asks for; return False if nothing was done, and click has to."""
    if sys.stdout is None:
        return False
    if list(arguments) in ([], ["-h"], ["--help"]):
        sheet = cheat_sheet.format_cheat_sheet(
            "kvass", cheat_sheet.DESCRIPTION, cheat_sheet.OPTIONS, cheat_sheet.COMMANDS
        )
        write([f"{sheet}\n".encode()])
        return True
    plain = parse(arguments)
    path = None if plain is None else find_path(plain.database, environment)
    if plain is None or path is None or environment.get("KVASS_OFFLINE"):
        return False
    if plain.command != "set":
        if os.isatty(_OUTPUT):
            return False
        if look(plain, path):
            return True
    if plain.command == "ls":
        return False
    work(plain, path)
    return True


def work(plain: Plain, path: str) -> None:
    """Get or set a key as ``kvass get`` and ``kvass set`` do."""
    try:
        from kvassfs.entry import check_key
        from kvassfs.store import Store

        from .file_limit import allow_enough_files
        from .notices import print_notice

        allow_enough_files()
        key, is_set = check_key(plain.text), plain.command == "set"
        with Store.open(path, notice=print_notice, create=is_set, alone_if_full=True) as store:
            if is_set:
                from .setting import set_key

                set_key(store, key, plain.value, offline=plain.offline)
            else:
                from .getting import get_key

                get_key(store, key, offline=plain.offline)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  what is not expected is raised again
        from .main import end_after

        end_after(error)


def look(plain: Plain, path: str) -> bool:
    """Respond to a command from the database; return False if nothing was done."""
    from kvassfs.store import GLANCE_FAILURES, take_glance

    found = take_glance(path)
    if found is None:
        return False
    with found:
        try:
            chunks = respond(plain, found, time.time_ns() // 1000)
        except GLANCE_FAILURES:
            return False
        if chunks is not None:
            write(chunks, path, plain.text if plain.command == "get" else "")
    return chunks is not None


def complete(instruction: str, environment: Mapping[str, str]) -> bool:
    """Respond to a shell in which Tab is pressed; return False if nothing was done, and click has to."""
    if sys.stdout is None or environment.get("KVASS_OFFLINE"):
        return False
    try:
        from . import tab

        asked = tab.read(instruction, environment)
        offers = None if asked is None else find_offers(asked, environment)
        if asked is None or offers is None:
            return False
        write_all(tab.format_offers(asked, offers).encode())
    except (KeyboardInterrupt, BrokenPipeError):  # the line was given up
        from .main import end_after

        end_after(KeyboardInterrupt())
    return True


def find_offers(asked: Asked, environment: Mapping[str, str]) -> Iterable[tuple[str, str]] | None:
    """Return the words that are offered, and what is said of them; ``None`` if the database is for click to read."""
    if asked.words is not None:
        return asked.words.items()
    from itertools import islice

    from kvassfs.store import GLANCE_FAILURES, take_glance

    from .tab import COMPLETIONS

    path = find_path(asked.database, environment)
    found = None if path is None else take_glance(path)
    if found is None:
        return None
    with found:
        try:
            keys = found.level(asked.beginning, directories=asked.directories)
            return [(key, "") for key in islice(keys, COMPLETIONS)]
        except GLANCE_FAILURES:
            return None


def write(chunks: Iterable[bytes], path: str = "", key: str = "") -> None:
    """Write to standard output what comes from the database at ``path``, as the value of ``key`` if there is one.

    Once something is printed there is no way back: what fails then ends the process, as it does in ``main``.
    """
    try:
        for chunk in chunks:
            write_all(chunk)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  what is not expected is raised again
        from .main import end_output

        end_output(error, path, key)


def write_all(data: bytes) -> None:
    """Write to standard output, also where that takes nothing just now and does not block."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(_OUTPUT, rest) :]
        except BlockingIOError:
            import select

            select.select([], [_OUTPUT], [])
