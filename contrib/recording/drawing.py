"""Screens over time as one SVG picture that moves by CSS alone: no scripts, no fonts of its own, nothing from a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from screens import BACKGROUND, FOREGROUND, Line, Run, Screen

CELL, LEADING, SIZE = 7.8, 17, 13
"""Width and height of a character, and the size of the font."""

MARGIN, TITLE, GAP = 10, 28, 14
"""Around the text of a window, above it, and between two."""

BLOCKS = {"█": (0.0, 1.0), "▀": (0.0, 0.5), "▄": (0.5, 0.5)}
"""Characters of QR codes: where they begin, and how high they are. No font puts them side by side without gaps."""


class Frame(NamedTuple):
    """A screen, and the second from which it is shown."""

    start: float
    screen: Screen


class Window(NamedTuple):
    """A terminal: its title, its columns and rows, and what it shows when."""

    title: str
    columns: int
    rows: int
    frames: Sequence[Frame]

    @property
    def width(self) -> float:
        """In pixels."""
        return self.columns * CELL + 2 * MARGIN

    @property
    def height(self) -> float:
        """In pixels."""
        return self.rows * LEADING + TITLE + MARGIN


class Pictures:
    """Lines that have been drawn, each once."""

    def __init__(self) -> None:
        self._names: dict[Line, str] = {}
        self.drawn: list[str] = []

    def name(self, line: Line) -> str:
        """Return the name of a line, which is drawn if it is new; ``""`` for one without anything."""
        content = "".join(_draw_line(line))
        if not content:
            return ""
        if line not in self._names:
            self._names[line] = f"l{len(self._names)}"
            self.drawn.append(f'<g id="{self._names[line]}">{content}</g>')
        return self._names[line]


def _draw_line(line: Line) -> Iterator[str]:
    for run in line:
        if run.paper != BACKGROUND:
            yield _draw_box(run.column, len(run.text), 0, 1, run.paper)
        yield from _draw_run(run)


def _draw_run(run: Run) -> Iterator[str]:
    column = run.column
    for piece in _split(run.text):
        if piece[0] in BLOCKS:
            yield _draw_box(column, len(piece), *BLOCKS[piece[0]], run.ink)
        elif piece.strip():
            fill = f' fill="{run.ink}"' if run.ink != FOREGROUND else ""
            weight = ' font-weight="bold"' if run.bold else ""
            yield (
                f'<text x="{column * CELL:.4g}" y="{SIZE}" textLength="{len(piece) * CELL:.4g}"{fill}{weight}>'
                f"{escape(piece, quote=False)}</text>"
            )
        column += len(piece)


def _split(text: str) -> Iterator[str]:
    """Yield words that one blank separates, wider blanks, and equal characters of ``BLOCKS``."""
    piece = ""
    for at, character in enumerate(text):
        is_new = (
            character != piece[:1]
            if character in BLOCKS or piece[:1] in BLOCKS
            else (text[at : at + 2] in ("  ", " ")) != (piece[:1] == " ") and not (piece[:1] == " " == character)
        )
        if piece and is_new:
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


def _draw_box(column: int, count: int, top: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{column * CELL:.4g}" y="{top * LEADING:.3g}" width="{count * CELL:.4g}"'
        f' height="{height * LEADING:.3g}" fill="{fill}"/>'
    )


def draw(windows: Sequence[Window], seconds: float, description: str) -> str:
    """Return the picture of windows side by side, which begins anew after ``seconds``."""
    pictures = Pictures()
    left, bodies, styles = 0.0, [], []
    for number, window in enumerate(windows):
        bodies.append(f'<g transform="translate({left:.4g})">{_draw_window(window, number, pictures)}</g>')
        styles.append(_style(window, number, seconds))
        left += window.width + GAP
    width, height = left - GAP, max(window.height for window in windows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.5g} {height:.5g}" width="{width:.5g}" height="{height:.5g}"'
        f' font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="{SIZE}" fill="{FOREGROUND}" role="img">'
        f"<title>{escape(description)}</title>"
        f"<style>rect{{shape-rendering:crispEdges}}{''.join(styles)}"
        "@media (prefers-reduced-motion:reduce){g{animation:none!important}}</style>\n"
        f'<defs><rect id="c" width="{CELL}" height="{LEADING}" fill-opacity=".5"/>\n'
        + "\n".join(pictures.drawn)
        + "</defs>\n"
        + "\n".join(bodies)
        + "</svg>\n"
    )


def _draw_window(window: Window, number: int, pictures: Pictures) -> str:
    """Draw a window; its screens stand below each other, and one of them is seen."""
    height = window.rows * LEADING
    strip = "\n".join(
        f'<g transform="translate(0,{place * height})">{_draw_screen(frame.screen, pictures)}</g>'
        for place, frame in enumerate(window.frames)
    )
    dots = "".join(f'<circle cx="{16 + 16 * place}" cy="14" r="5" fill="#484f58"/>' for place in range(3))
    return (
        f'<rect x=".5" y=".5" width="{window.width - 1:.5g}" height="{window.height - 1:.5g}" rx="8" fill="{BACKGROUND}"'
        f' stroke="#6e7681"/>{dots}<text x="{window.width / 2:.5g}" y="18" text-anchor="middle" fill="#b1bac4">'
        f"{escape(window.title)}</text>"
        f'<svg x="{MARGIN}" y="{TITLE}" width="{window.columns * CELL:.5g}" height="{height}">'
        f'<g class="w{number}">{strip}</g></svg>'
    )


def _draw_screen(screen: Screen, pictures: Pictures) -> str:
    named = ((row, pictures.name(line)) for row, line in enumerate(screen.lines))
    lines = (f'<use href="#{name}" y="{row * LEADING}"/>' for row, name in named if name)
    cursor = ""
    if screen.cursor is not None:
        row, column = screen.cursor
        cursor = f'<use href="#c" x="{column * CELL:.4g}" y="{row * LEADING}"/>'
    return "".join(lines) + cursor


def _style(window: Window, number: int, seconds: float) -> str:
    """Return the style that shows one screen after the other; where nothing moves, the last one is seen."""
    height = window.rows * LEADING
    steps = "".join(
        f"{100 * frame.start / seconds:.2f}%{{transform:translateY(-{place * height}px)}}"
        for place, frame in enumerate(window.frames)
    )
    return (
        f".w{number}{{transform:translateY(-{(len(window.frames) - 1) * height}px);"
        f"animation:w{number} {seconds:.1f}s step-end infinite}}@keyframes w{number}{{{steps}}}"
    )
