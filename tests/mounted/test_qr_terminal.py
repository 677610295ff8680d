"""`kvass qr` in a real terminal, whose screen is drawn in a real font on dark and on light, and read by zbarimg"""

from __future__ import annotations

import re
import shlex
import sys
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from PIL import Image, ImageDraw, ImageFont

from kvassfs.sharing.qr import Code
from kvassfs.store import Store
from tests.support.programs import environment, need, run
from tests.support.terminal import Terminal, press

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Phone = Callable[..., str]

FONT = "DejaVuSansMono.ttf"
SIZE = 16  # of the font, in pixels: its half blocks fill a cell of 10 × 19

PROMPT = "next command>"

ORDINARY = "http://yourserver.com:8000"
SHORTEST = 37  # characters of an address: http://h/get?q= and 22 more
LENGTHS = [SHORTEST, 54, 79, 106, 107, 135, 172, 213, 252, 300]


class Theme(NamedTuple):
    """The colours of a terminal's text."""

    ink: str
    ground: str


DARK = Theme(ink="#d3d7cf", ground="#2e3436")
LIGHT = Theme(ink="#2e3436", ground="#eeeeec")
SOLARIZED = Theme(ink="#657b83", ground="#fdf6e3")  # of little contrast

THEMES = [DARK, LIGHT, SOLARIZED]


class Cell(NamedTuple):
    """A character on the screen and its colours."""

    character: str
    ink: str
    ground: str


# --- a screen as a picture ----------------------------------------------------------------------------------


def cells(screen: str, theme: Theme) -> Iterator[list[Cell]]:
    """Tell what each line of a coloured screen shows; colours last beyond the end of a line."""
    colours = theme
    for line in screen.splitlines():
        row = []
        for codes, character in re.findall(r"\x1b\[([\d;]*)m|(.)", line):
            if character:
                row.append(Cell(character, *colours))
            else:
                colours = painted(codes.split(";"), colours, theme)
        yield row


def painted(codes: list[str], colours: Theme, theme: Theme) -> Theme:
    """Return the colours that hold after an escape sequence of such codes."""
    match codes:
        case []:
            return colours
        case ["" | "0", *rest]:
            return painted(rest, theme, theme)
        case ["39", *rest]:
            return painted(rest, colours._replace(ink=theme.ink), theme)
        case ["49", *rest]:
            return painted(rest, colours._replace(ground=theme.ground), theme)
        case ["38", "5", number, *rest]:
            return painted(rest, colours._replace(ink=of_palette(number)), theme)
        case ["48", "5", number, *rest]:
            return painted(rest, colours._replace(ground=of_palette(number)), theme)
    pytest.fail(f"a colour that is no part of the code: {codes}")


def of_palette(number: str) -> str:
    return {"16": "#000000", "231": "#ffffff"}[number]


@cache
def font() -> ImageFont.FreeTypeFont:
    """Load the font from where Debian or Fedora put it."""
    found = next(Path("/usr/share/fonts").rglob(FONT), None)
    if found is None:
        pytest.fail(f"not installed: {FONT} (fonts-dejavu-core, dejavu-sans-mono-fonts)")
    return ImageFont.truetype(str(found), SIZE)


def picture(screen: str, theme: Theme, *, gap: int = 0) -> Image.Image:
    """Draw a screen as a terminal does, each character cut off at the edges of its cell.

    `gap` are pixels between the lines, where terminals show the cell's background.
    """
    ascent, descent = font().getmetrics()
    width, height = round(font().getlength("█")), ascent + descent + gap
    rows = list(cells(screen, theme))
    image = Image.new("RGB", (width * max(map(len, rows)), height * len(rows)), theme.ground)
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            tile = Image.new("RGB", (width, height), cell.ground)
            ImageDraw.Draw(tile).text((0, ascent), cell.character, fill=cell.ink, font=font(), anchor="ls")
            image.paste(tile, (column * width, line * height))
    return image


# --- what a phone sees --------------------------------------------------------------------------------------


def read(image: Path) -> str:
    """Return what the codes in a picture say."""
    return run("zbarimg", "--quiet", "--nodbus", "--raw", image, directory=image.parent).rstrip("\n")


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    """Read what a screen shows in a theme."""

    def photograph(screen: str, theme: Theme, *, gap: int = 0) -> str:
        picture(screen, theme, gap=gap).save(tmp_path / "screen.png")
        return read(tmp_path / "screen.png")

    return photograph


KVASS = (sys.executable, "-m", "kvassfs_cli")

DRAW = """
import sys
from kvassfs.sharing.qr import Code
from kvassfs_cli.commands import qr
qr.draw(Code(sys.argv[1]), colour=qr.shows_colours(), invert=False)
"""
"""What `kvass qr` does with an address."""


def screen_after(*command: str, directory: Path, columns: int = 80, rows: int = 24) -> str:
    """Return what a terminal shows after a command and the prompt that follows it, with colours."""
    shell = ("sh", "-c", f"{shlex.join(command)}; printf %s '{PROMPT}'; read answer")
    settings = environment(directory, KVASS_DB=str(directory / "db.sqlite"))
    with Terminal(shell, environment=settings, directory=directory, columns=columns, rows=rows) as terminal:
        terminal.wait_for(PROMPT)
        shown = terminal.coloured_screen()
        terminal.play([press("Enter")])
        terminal.wait_for_end()
    return shown


class Room(NamedTuple):
    """A directory with a store in it, whose key `k` has an address."""

    directory: Path
    url: str

    def save(self, option: str, name: str) -> Path:
        """Write the code to a file."""
        settings = environment(self.directory, KVASS_DB=str(self.directory / "db.sqlite"))
        run(*KVASS, "qr", "k", option, name, directory=self.directory, env=settings)
        return self.directory / name

    def screen(self, *options: str, columns: int = 80) -> str:
        """Draw the code in a terminal of 24 lines, or of as many as the code and the prompt take."""
        rows = max(24, len(Code(self.url).lines(colour=True)) + 1)
        return screen_after(*KVASS, "qr", "k", *options, directory=self.directory, columns=columns, rows=rows)


def room(directory: Path, base: str) -> Room:
    """Make a store whose addresses begin with `base`, and are the same each time."""
    need("tmux", "zbarimg", "rsvg-convert")
    with Store.open(directory / "db.sqlite", random=Random(base).randbytes) as store:
        store.set("k", b"value")
        store.settings.set_public_url(base)
        return Room(directory, f"{base}/get?q={store.entry('k').url_token}")


def room_of(directory: Path, length: int) -> Room:
    """Make a store whose addresses have so many characters: letters of both cases, digits and more."""
    fill = "Photos-of_2026.Summer~holidays+at%20the/sea:" * 8
    base = "http://h" if length == SHORTEST else f"http://h/{fill[: length - SHORTEST - 1]}"
    made = room(directory, base)
    assert len(made.url) == length
    return made


# --- in the terminal ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_a_phone_reads_the_code_from_dark_and_from_light_terminals(tmp_path: Path, phone: Phone, length: int) -> None:
    made = room_of(tmp_path, length)
    screen = made.screen()
    assert [phone(screen, theme) for theme in THEMES] == [made.url] * len(THEMES)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_phone_reads_the_plain_code_from_a_dark_terminal(tmp_path: Path, phone: Phone, length: int) -> None:
    made = room_of(tmp_path, length)
    screen = made.screen("--terminal", "plain")
    assert "\x1b" not in screen
    assert phone(screen, DARK) == made.url


@pytest.mark.parametrize("length", LENGTHS)
def test_a_phone_reads_the_inverted_plain_code_from_a_light_terminal(tmp_path: Path, phone: Phone, length: int) -> None:
    made = room_of(tmp_path, length)
    screen = made.screen("--terminal", "plain", "--invert")
    assert "\x1b" not in screen
    assert [phone(screen, theme) for theme in (LIGHT, SOLARIZED)] == [made.url] * 2


@pytest.mark.parametrize("base", [ORDINARY, "https://" + "a" * (106 - 8 - 29)])
@pytest.mark.parametrize("options", [[], ["--terminal", "plain"]])
def test_the_code_fits_a_terminal_of_80_by_24_with_the_prompt(tmp_path: Path, base: str, options: list[str]) -> None:
    made = room(tmp_path, base)
    lines = re.sub(r"\x1b\[[\d;]*m", "", made.screen(*options)).splitlines()
    drawn = Code(made.url).lines(colour=False)
    assert len(drawn) < 24
    assert lines[: len(drawn)] == drawn
    assert lines[len(drawn)].startswith(PROMPT)


@pytest.mark.parametrize("theme", THEMES)
def test_the_code_is_black_on_white_with_its_quiet_zone_whatever_the_theme(tmp_path: Path, theme: Theme) -> None:
    made = room(tmp_path, ORDINARY)
    rows = list(cells(made.screen(), theme))[: len(Code(made.url).lines(colour=True))]
    assert {len(row) for row in rows} == {Code(made.url).width}
    assert {cell[1:] for row in rows for cell in row} == {("#ffffff", "#000000"), ("#ffffff", "#ffffff")}
    sides = [cell for row in rows for cell in (*row[:4], *row[-4:])]
    assert {*rows[0], *rows[1], *rows[-2], *rows[-1], *sides} == {Cell("█", "#ffffff", "#ffffff")}


def test_the_code_may_be_exactly_as_wide_as_the_terminal(tmp_path: Path, phone: Phone) -> None:
    made = room(tmp_path, ORDINARY)
    screen = made.screen(columns=Code(made.url).width)
    assert phone(screen, DARK) == phone(screen, LIGHT) == made.url


@pytest.mark.parametrize("gap", [1, 2, 4])
@pytest.mark.parametrize("length", [54, 300])
def test_a_phone_reads_the_code_where_the_font_leaves_gaps_between_lines(
    tmp_path: Path, phone: Phone, length: int, gap: int
) -> None:
    made = room_of(tmp_path, length)
    screen = made.screen()
    assert phone(screen, DARK, gap=gap) == phone(screen, LIGHT, gap=gap) == made.url


def test_the_prompt_after_the_code_has_the_colours_of_the_terminal(tmp_path: Path) -> None:
    shown = list(cells(room(tmp_path, ORDINARY).screen(), DARK))
    (line,) = (row for row in shown if "".join(cell.character for cell in row).startswith(PROMPT))
    assert {(cell.ink, cell.ground) for cell in line} == {tuple(DARK)}


@pytest.mark.parametrize("length", [30, 33])
def test_a_phone_reads_texts_shorter_than_addresses_too(tmp_path: Path, phone: Phone, length: int) -> None:
    text = "https://Short-1_Short-2_Short-3_Short"[:length]
    screen = screen_after(sys.executable, "-c", DRAW, text, directory=tmp_path)
    assert [phone(screen, theme) for theme in THEMES] == [text] * len(THEMES)


# --- as pictures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_a_phone_reads_the_png(tmp_path: Path, length: int) -> None:
    made = room_of(tmp_path, length)
    assert read(made.save("--png", "code.png")) == made.url


@pytest.mark.parametrize("length", LENGTHS)
def test_a_phone_reads_the_svg_whatever_lies_behind_it(tmp_path: Path, length: int) -> None:
    made = room_of(tmp_path, length)
    made.save("--svg", "code.svg")
    for ground in ("none", "black", "white"):
        run("rsvg-convert", f"--background-color={ground}", "-o", "code.png", "code.svg", directory=tmp_path)
        assert read(tmp_path / "code.png") == made.url
