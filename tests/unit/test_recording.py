"""The recording of the README: how screens are read and drawn, and what the picture that is there must be."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from drawing import CELL, LEADING, Frame, Window, draw
from screens import BACKGROUND, FOREGROUND, SIXTEEN, Run, Screen, Style, change_style, name_colour, parse_screen

PICTURE = Path(__file__).parents[2] / "contrib/doc/recording.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("numbers", "style"),
    [
        ("", Style()),
        ("0", Style()),
        ("1;31", Style(ink=SIXTEEN[1], bold=True)),
        ("97;44", Style(ink=SIXTEEN[15], paper=SIXTEEN[4])),
        ("107", Style(paper=SIXTEEN[15])),
        ("38;5;196", Style(ink="#ff0000")),
        ("48;2;1;2;255;1", Style(paper="#0102ff", bold=True)),
        ("7", Style(reverse=True)),
        ("4", Style()),  # underlined: not drawn
    ],
)
def test_styles_follow_from_the_numbers_of_the_sequence(numbers: str, style: Style) -> None:
    assert change_style(Style(), numbers) == style


def test_styles_end_by_their_own_numbers() -> None:
    style = change_style(Style(), "1;7;31;42")
    assert change_style(style, "22;27;39;49") == Style()
    assert change_style(style, "0") == Style()


@pytest.mark.parametrize(("number", "colour"), [(1, SIXTEEN[1]), (16, "#000000"), (231, "#ffffff"), (244, "#808080")])
def test_each_of_the_256_colours_has_a_value(number: int, colour: str) -> None:
    assert name_colour(number) == colour


def test_a_screen_is_its_characters_with_their_looks() -> None:
    screen = parse_screen("$ \x1b[1;31mred\x1b[0m\n\x1b[7m~\x1b[27m x\n\n", (1, 2))
    assert screen == Screen(
        (
            (Run(0, "$ ", FOREGROUND, BACKGROUND, False), Run(2, "red", SIXTEEN[1], BACKGROUND, True)),
            (Run(0, "~", BACKGROUND, FOREGROUND, False), Run(1, " x", FOREGROUND, BACKGROUND, False)),
            (),
        ),
        (1, 2),
    )


def test_a_style_goes_on_in_the_next_line() -> None:
    assert parse_screen("\x1b[31ma\nb\n").lines[1] == (Run(0, "b", SIXTEEN[1], BACKGROUND, False),)


def window(*texts: str, seconds: float = 1.0) -> Window:
    return Window("laptop", 20, 2, [Frame(at * seconds, parse_screen(text)) for at, text in enumerate(texts)])


def texts_of(picture: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(picture).iter(f"{SVG}text")]


def test_words_stand_where_they_stood_whatever_the_font() -> None:
    picture = ET.fromstring(draw([window("$ ls -l   a<b&c\n\n")], 1.0, "what it shows"))
    found = [
        (text.text, round(float(text.get("x", "0"))), round(float(text.get("textLength", "0"))))
        for text in picture.iter(f"{SVG}text")
    ]
    assert found[:2] == [("$ ls -l", 0, round(7 * CELL)), ("a<b&c", round(10 * CELL), round(5 * CELL))]


def test_a_code_is_drawn_without_gaps() -> None:
    picture = draw([window("\x1b[30;47m█▀▀▄\x1b[0m x\n\n")], 1.0, "")
    assert f'width="{2 * CELL:.4g}" height="{LEADING / 2:.3g}"' in picture
    assert texts_of(picture)[0].strip() == "x"


def test_a_line_is_drawn_once_however_often_it_is_shown() -> None:
    picture = draw([window("same\n\n", "same\nnew\n", "new\nsame\n")], 3.0, "")
    assert texts_of(picture).count("same") == texts_of(picture).count("new") == 1


def test_one_screen_follows_the_other_and_the_last_one_stays_where_nothing_moves() -> None:
    picture = draw([window("one\n\n", "two\n\n", seconds=2.5)], 10.0, "")
    height = 2 * LEADING
    assert f".w0{{transform:translateY(-{height}px);animation:w0 10.0s step-end infinite}}" in picture
    assert f"0.00%{{transform:translateY(-0px)}}25.00%{{transform:translateY(-{height}px)}}" in picture
    assert "prefers-reduced-motion" in picture


class TestPicture:
    """The one that is there, as a page of others shows it: in an ``<img>``."""

    def test_is_small_well_formed_and_says_what_it_shows(self) -> None:
        assert PICTURE.stat().st_size <= 200_000
        root = ET.parse(PICTURE).getroot()
        assert root.tag == f"{SVG}svg"
        assert "two terminals" in (root.findtext(f"{SVG}title") or "").lower()

    def test_needs_no_script_and_nothing_from_elsewhere(self) -> None:
        text = PICTURE.read_text(encoding="utf-8")
        assert not re.search(r"<script|<foreignObject|<image|@import|@font-face|url\(|\son\w+=", text)
        assert all(reference.startswith("#") for reference in re.findall(r'href="([^"]*)"', text))

    def test_shows_no_place_of_the_machine_that_recorded_it(self) -> None:
        assert not re.search(r"/(tmp|home|root|work|Users)/", PICTURE.read_text(encoding="utf-8"))

    @pytest.mark.parametrize(
        "line",
        ["$ kvass pair", "desktop has joined", "Train at 9:14, platform 3", "$ kvass undo", "$ kvass qr notes/trip"],
    )
    def test_shows_the_session(self, line: str) -> None:
        assert line in texts_of(PICTURE.read_text(encoding="utf-8"))
