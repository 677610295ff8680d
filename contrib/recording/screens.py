"""What tmux says of a screen (`capture-pane -e -N`), as characters with colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

FOREGROUND, BACKGROUND = "#e6edf3", "#0d1117"
SIXTEEN = (
    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
    "#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc",
)  # fmt: skip
"""The colours that programs name by number, as they look good on the background."""

_ESCAPE = re.compile(r"\x1b\[([\d;]*)m|\x1b\][^\x1b]*(?:\x1b\\|\x07)|[\x0e\x0f]")


class Style(NamedTuple):
    """How characters look."""

    ink: str = FOREGROUND
    paper: str = BACKGROUND
    bold: bool = False
    reverse: bool = False

    def shown(self) -> tuple[str, str]:
        """Return ink and paper."""
        return (self.paper, self.ink) if self.reverse else (self.ink, self.paper)


class Run(NamedTuple):
    """Characters of one look in a line: the column of the first, their text, ink, paper, and whether they are bold."""

    column: int
    text: str
    ink: str
    paper: str
    bold: bool


Line = tuple[Run, ...]


class Screen(NamedTuple):
    """A screen: its lines, and the row and column of the cursor, if that is shown."""

    lines: tuple[Line, ...]
    cursor: tuple[int, int] | None = None


def parse_screen(text: str, cursor: tuple[int, int] | None = None) -> Screen:
    """Return the screen of what tmux wrote; a style goes on in the next line, as tmux has it."""
    style, lines = Style(), []
    for line in text.split("\n")[:-1]:
        cells: list[tuple[str, Style]] = []
        for part, following in _split(line):
            cells += [(character, style) for character in part]
            style = style if following is None else change_style(style, following)
        lines.append(tuple(_join(cells)))
    return Screen(tuple(lines), cursor)


def _split(line: str) -> Iterator[tuple[str, str | None]]:
    """Yield texts, each with the numbers of the escape sequence behind it."""
    start = 0
    for found in _ESCAPE.finditer(line):
        yield line[start : found.start()], found[1]
        start = found.end()
    yield line[start:], None


def _join(cells: list[tuple[str, Style]]) -> Iterator[Run]:
    column = 0
    for (ink, paper, bold), group in groupby(cells, lambda cell: (*cell[1].shown(), cell[1].bold)):
        text = "".join(character for character, _ in group)
        yield Run(column, text, ink, paper, bold)
        column += len(text)


def change_style(style: Style, numbers: str) -> Style:
    """Return the style after an escape sequence with these numbers (ECMA-48, SGR)."""
    codes = [int(number or 0) for number in numbers.split(";")]
    while codes:
        code = codes.pop(0)
        if code in (38, 48):
            colour, codes = _take_colour(codes)
            style = style._replace(ink=colour) if code == 38 else style._replace(paper=colour)
        else:
            style = _change(style, code)
    return style


def _change(style: Style, code: int) -> Style:
    if code == 0:
        return Style()
    simple: dict[int, dict[str, Any]] = {
        1: {"bold": True},
        22: {"bold": False},
        7: {"reverse": True},
        27: {"reverse": False},
    }
    colours: dict[int, dict[str, Any]] = {39: {"ink": FOREGROUND}, 49: {"paper": BACKGROUND}}
    for first, field in ((30, "ink"), (40, "paper")):
        colours |= {first + number: {field: SIXTEEN[number]} for number in range(8)}
        colours |= {first + 60 + number: {field: SIXTEEN[8 + number]} for number in range(8)}
    return style._replace(**(simple.get(code) or colours.get(code) or {}))


def _take_colour(codes: list[int]) -> tuple[str, list[int]]:
    """Return the colour of 5;NUMBER or 2;RED;GREEN;BLUE, and what comes behind."""
    if codes[:1] == [2]:
        return "#{:02x}{:02x}{:02x}".format(*codes[1:4]), codes[4:]
    return name_colour(codes[1]), codes[2:]


def name_colour(number: int) -> str:
    """Return one of the 256 colours: 16 that have names, a cube, and greys."""
    if number < 16:
        return SIXTEEN[number]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    steps = (0, 95, 135, 175, 215, 255)
    parts = (steps[(number - 16) // unit % 6] for unit in (36, 6, 1))
    return "#" + "".join(f"{part:02x}" for part in parts)
