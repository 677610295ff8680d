"""QR codes on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from kvassfs.errors import KvassError

from . import streams

if TYPE_CHECKING:
    from kvassfs.sharing.qr import Code


class TerminalTooNarrow(KvassError):
    """The code is wider than the terminal, which would break its lines."""

    def __init__(self, columns: int, needed: int) -> None:
        super().__init__(
            f"the terminal is {columns} columns wide, and the code needs {needed}; make it wider, or write the code to"
            " a file with --png or --svg"
        )
        self.columns = columns
        self.needed = needed


def shows_colours() -> bool:
    """Return whether standard output is a terminal with colours, which are wanted (https://no-color.org)."""
    terminal = os.environ.get("TERM", "")
    if not streams.output_is_terminal() or terminal in {"", "dumb"} or os.environ.get("NO_COLOR"):
        return False
    colours = _count_colours(terminal)
    return colours is None or colours > 0


def _count_colours(terminal: str) -> int | None:
    """Return the number of colours that the kind ``terminal`` has; ``None`` where the system does not know it."""
    try:
        import curses

        curses.setupterm(terminal, sys.stdout.fileno())
        return curses.tigetnum("colors")
    except Exception:  # noqa: BLE001  curses.error, or a Python that was built without it
        return None


def fits(code: Code, *, above: str | None = None) -> bool:
    """Return whether standard output is a terminal that is wide enough for a code.

    With ``above``, whether it also shows it below that text, with the line of the cursor.
    """
    columns, lines = shutil.get_terminal_size()
    if not streams.output_is_terminal() or columns < code.width:
        return False
    return above is None or _count_lines(above, columns) + code.height < lines


def _count_lines(text: str, columns: int) -> int:
    """Return how many lines of a terminal a text takes that has no wide characters."""
    return sum(max(1, -(-len(line) // columns)) for line in text.splitlines())


def draw(code: Code, *, colour: bool, invert: bool) -> None:
    """Draw a code on standard output.

    Raises:
        TerminalTooNarrow: that is a terminal, and not wide enough.
    """
    columns = shutil.get_terminal_size((0, 0)).columns  # 0: unknown
    if streams.output_is_terminal() and 0 < columns < code.width:
        raise TerminalTooNarrow(columns, code.width)
    streams.write(f"{line}\n".encode() for line in code.lines(colour=colour, invert=invert))
