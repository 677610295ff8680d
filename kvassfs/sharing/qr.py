"""QR codes (ISO/IEC 18004): as lines for a terminal, as PNG and as SVG."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from qrcode import ERROR_CORRECT_H, ERROR_CORRECT_L, ERROR_CORRECT_M, ERROR_CORRECT_Q, QRCode
from qrcode.exceptions import DataOverflowError

from ..errors import TooLongForCode

if TYPE_CHECKING:
    from qrcode._types import ErrorCorrect
    from qrcode.image.base import BaseImage

_QUIET_ZONE = 4
"""Light modules around the code: the least that the standard allows."""

_MODULE = 10
"""Pixels of the PNG, and tenths of a millimetre of the SVG, to a module."""

_LARGEST = 40
"""The largest size, as the standard numbers them."""

_CORRECTIONS: tuple[ErrorCorrect, ...] = (ERROR_CORRECT_L, ERROR_CORRECT_M, ERROR_CORRECT_Q, ERROR_CORRECT_H)
"""From the lowest to the highest: 7, 15, 25 and 30 % of the code may be lost."""

_CSI = "\x1b["

_BLACK, _WHITE = 16, 231
"""Of the 256 colours, ends of the cube, which no theme changes as it does the first 16."""


class Code:
    """The QR code of ``text``: of the smallest size that holds it, with the best error correction of that size.

    Raises:
        TooLongForCode: there is no size that holds it.
    """

    def __init__(self, text: str) -> None:
        self._code = _choose_code(text)
        self._code.make()

    @property
    def width(self) -> int:
        """Modules from side to side with the quiet zone, which are the columns of :meth:`lines`."""
        return self._code.modules_count + 2 * _QUIET_ZONE

    @property
    def height(self) -> int:
        """How many :meth:`lines` there are."""
        return (self.width + 1) // 2

    def lines(self, *, colour: bool, invert: bool = False) -> list[str]:
        """Return the code as lines for a terminal, two rows of modules to a line.

        Light modules are drawn, dark ones left away: so it shows on a dark background. With ``colour`` each line has
        that background itself. ``invert`` has light and dark change places.
        """
        rows = [[dark == invert for dark in row] for row in self._rows()]
        lines = ["".join(map(_draw_block, *pair)) for pair in zip(rows[::2], rows[1::2], strict=True)]
        return [_colour_line(line) for line in lines] if colour else lines

    def png(self) -> bytes:
        """Return the code as a PNG, black on white."""
        from qrcode.image.pure import PyPNGImage  # noqa: PLC0415  not for the terminal

        return self._render(PyPNGImage)

    def svg(self) -> bytes:
        """Return the code as an SVG document, black on white."""
        from qrcode.image.svg import SvgPathFillImage  # noqa: PLC0415  not for the terminal

        return self._render(SvgPathFillImage)

    def _rows(self) -> list[list[bool]]:
        """Return the rows of modules, whether each is dark: an even number of them, the last of the quiet zone."""
        return [*self._code.get_matrix(), [False] * self.width]

    def _render(self, factory: type[BaseImage]) -> bytes:
        stream = BytesIO()
        self._code.make_image(factory).save(stream)
        return stream.getvalue()


def _choose_code(text: str) -> QRCode[Any]:
    """Return the code of ``text`` with the size that the lowest error correction needs, and the highest that fits it.

    Raises:
        TooLongForCode: no size is enough.
    """
    code, *better = (_make_code(text, correction) for correction in _CORRECTIONS)
    size = _find_version(code)
    if size > _LARGEST:
        raise TooLongForCode(len(text.encode()))
    return [code, *(other for other in better if _find_version(other) == size)][-1]


def _make_code(text: str, correction: ErrorCorrect) -> QRCode[Any]:
    code = QRCode(error_correction=correction, border=_QUIET_ZONE, box_size=_MODULE)
    code.add_data(text)
    return code


def _find_version(code: QRCode[Any]) -> int:
    """Return the smallest size, as the standard numbers them, that the code fits in; one too many if none."""
    try:
        return code.version
    except (DataOverflowError, ValueError):  # the latter from version 8, whose check for it comes too early
        return _LARGEST + 1


def _draw_block(upper: bool, lower: bool) -> str:
    return " ▄▀█"[2 * upper + lower]


def _colour_line(line: str) -> str:
    """Return a line of blocks with colours of its own.

    Where a font leaves gaps between lines, the background shows. Full blocks have a white one, lest they get stripes.
    Elsewhere it is black: the marks by which a code is found have light parts one module wide, which no gap cuts.
    """
    solid = re.sub("█+", rf"{_CSI}48;5;{_WHITE}m\g<0>{_CSI}48;5;{_BLACK}m", line)
    return f"{_CSI}38;5;{_WHITE};48;5;{_BLACK}m{solid}{_CSI}0m"
