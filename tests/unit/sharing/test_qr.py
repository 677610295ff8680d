"""kvassfs.sharing.qr: what is drawn, without a reader of codes (tests/mounted/test_qr_terminal.py has one)"""

from __future__ import annotations

import re
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from kvassfs.errors import KvassError, TooLongForCode
from kvassfs.sharing.qr import Code

if TYPE_CHECKING:
    from collections.abc import Sequence

URL = "http://yourserver.com:8000/get?q=Xy_-0bCdEfGhIjKlMnOpQr"
HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
COLOURS = re.compile(r"\x1b\[[\d;]*m")
SVG = "{http://www.w3.org/2000/svg}"

Modules = list[list[bool]]

# ISO/IEC 18004:2015, table 7: version, bytes that it holds with error correction L, M, Q and H
CAPACITIES = [
    (1, 17, 14, 11, 7),
    (2, 32, 26, 20, 14),
    (3, 53, 42, 32, 24),
    (4, 78, 62, 46, 34),
    (5, 106, 84, 60, 44),
    (6, 134, 106, 74, 58),
    (10, 271, 213, 151, 119),
    (11, 321, 251, 177, 137),
]


def ink(lines: Sequence[str]) -> Modules:
    """Tell which modules blocks are drawn for."""
    return [[HALVES[block][half] for block in line] for line in lines for half in (0, 1)]


def dark(code: Code) -> Modules:
    """Tell which modules are dark in the PNG, where 10 pixels are one."""
    with Image.open(BytesIO(code.png())) as image:
        columns, rows = (side // 10 for side in image.size)
        return [[image.getpixel((10 * x + 5, 10 * y + 5)) == 0 for x in range(columns)] for y in range(rows)]


def opposite(modules: Modules) -> Modules:
    return [[not module for module in row] for row in modules]


def correction(code: Code) -> str:
    """Read the level of error correction from the code: ISO/IEC 18004:2015, 7.9, where a mask is laid over it."""
    first, second = dark(code)[4 + 8][4 : 4 + 2]
    return {(0, 1): "L", (0, 0): "M", (1, 1): "Q", (1, 0): "H"}[not first, second]


def test_the_drawing_has_light_blocks_for_the_light_modules_and_one_more_light_row_at_the_end() -> None:
    code = Code(URL)
    *drawn, last = ink(code.lines(colour=False))
    assert drawn == opposite(dark(code))
    assert all(last)


def test_inverted_the_blocks_are_those_of_the_dark_modules() -> None:
    code = Code(URL)
    *drawn, last = ink(code.lines(colour=False, invert=True))
    assert drawn == dark(code)
    assert not any(last)


def test_the_quiet_zone_is_four_modules_on_each_side() -> None:
    modules = dark(Code(URL))
    for turned in (modules, modules[::-1], list(map(list, zip(*modules, strict=True)))):
        assert not any(map(any, turned[:4]))
        assert all(turned[4][4 : 4 + 7])  # the edge of a finder pattern
    assert not any(any(row[-4:]) for row in modules)


@pytest.mark.parametrize("colour", [True, False])
def test_each_line_is_as_wide_as_the_code(colour: bool) -> None:
    code = Code(URL)
    lines = code.lines(colour=colour)
    assert {len(COLOURS.sub("", line)) for line in lines} == {code.width} == {41}
    assert len(lines) == 21


def test_an_ordinary_address_leaves_a_line_of_24_for_the_prompt() -> None:
    code = Code("https://" + "a" * 98)
    assert (code.width, len(code.lines(colour=True))) == (45, 23)


def test_plain_lines_hold_no_escape_sequences() -> None:
    assert set("".join(Code(URL).lines(colour=False))) == set(HALVES)


@pytest.mark.parametrize("invert", [False, True])
def test_colours_add_nothing_but_colours(invert: bool) -> None:
    code = Code(URL)
    coloured = code.lines(colour=True, invert=invert)
    assert [COLOURS.sub("", line) for line in coloured] == code.lines(colour=False, invert=invert)


@pytest.mark.parametrize("invert", [False, True])
def test_every_coloured_line_sets_both_colours_first_and_resets_them_last(invert: bool) -> None:
    for line in Code(URL).lines(colour=True, invert=invert):
        assert line.startswith("\x1b[38;5;231;48;5;16m")
        assert line.endswith("\x1b[0m")
        assert set(COLOURS.findall(line[:-4])) <= {"\x1b[38;5;231;48;5;16m", "\x1b[48;5;231m", "\x1b[48;5;16m"}


def test_full_blocks_have_a_background_of_their_colour() -> None:
    for line in Code(URL).lines(colour=True):
        backgrounds = re.findall(r"48;5;(\d+)m([^\x1b]+)", line)
        assert all(("█" in blocks) == (colour == "231") for colour, blocks in backgrounds)


@pytest.mark.parametrize(("version", "low"), [row[:2] for row in CAPACITIES])
def test_the_code_is_the_smallest_that_holds_the_text(version: int, low: int) -> None:
    assert Code("a" * low).width == 17 + 4 * version + 8
    assert Code("a" * (low + 1)).width > 17 + 4 * version + 8


@pytest.mark.parametrize(("smaller", "version"), list(pairwise(CAPACITIES[:6])))
def test_the_error_correction_is_the_best_of_that_size(smaller: tuple[int, ...], version: tuple[int, ...]) -> None:
    lengths = [length for length in version[1:] if length > smaller[1]]  # the others fit a smaller code
    expected = "LMQH"[: len(lengths)]
    assert "".join(correction(Code("a" * length)) for length in lengths) == expected
    assert correction(Code("a" * (smaller[1] + 1))) == expected[-1]


def test_the_longest_text_is_one_of_2953_bytes() -> None:
    assert Code("a" * 2953).width == 177 + 8


@pytest.mark.parametrize(("text", "length"), [("a" * 2954, 2954), ("é" * 1477, 2954), ("a" * 20_000, 20_000)])
def test_a_text_that_no_code_holds_is_refused_in_one_line_that_says_what_to_do(text: str, length: int) -> None:
    with pytest.raises(TooLongForCode, match=rf"of {length} bytes is too long .* `kvass url` .*$") as caught:
        Code(text)
    assert caught.value.length == length
    assert isinstance(caught.value, KvassError)
    assert "\n" not in str(caught.value)


def test_the_png_is_black_and_white_and_square() -> None:
    with Image.open(BytesIO(Code(URL).png())) as image:
        assert (image.format, image.size, image.getextrema()) == ("PNG", (410, 410), (0, 255))


def test_the_svg_has_a_white_ground_below_black_modules() -> None:
    root = ET.fromstring(Code(URL).svg())
    ground, path = root
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox") == "0 0 41 41"
    assert ground.attrib == {"fill": "white", "x": "0", "y": "0", "width": "100%", "height": "100%"}
    assert path.get("fill") == "#000000"


def test_the_same_text_gives_the_same_picture() -> None:
    assert (Code(URL).png(), Code(URL).svg()) == (Code(URL).png(), Code(URL).svg())
