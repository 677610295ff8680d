#!/usr/bin/env python3
"""Draw the icons of the page /app from kvassfs/server/web/app/icon.svg, by rsvg-convert, with the fewest colors that do.

Those that a system cuts to a shape of its own have no corners, and the mark within the circle that always stays.
Look at the pictures before you commit them.
"""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Final

from PIL import Image

FOLDER: Final = Path(__file__).parents[1] / "kvassfs/server/web/app"

COLORS: Final = 32

ICONS: Final = {
    "icon-192.png": (192, None),
    "icon-512.png": (512, None),
    "icon-maskable-512.png": (512, 0.8),
    "apple-touch-icon.png": (180, 0.9),
}
"""Pixels of each side, and how large the mark is on a background without corners; ``None``: as it stands."""


def draw(size: int, scale: float | None) -> bytes:
    """Return an icon as PNG."""
    text = (FOLDER / "icon.svg").read_text(encoding="utf-8")
    if scale is not None:
        text = text.replace(' rx="112"', "").replace(
            '<g id="mug">', f'<g id="mug" transform="translate(256 256) scale({scale}) translate(-256 -248)">'
        )
    command = ["rsvg-convert", "--width", str(size), "--height", str(size)]
    picture = Image.open(
        io.BytesIO(subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout)
    )
    written = io.BytesIO()
    picture.quantize(COLORS, Image.Quantize.FASTOCTREE).save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    for name, (size, scale) in ICONS.items():
        (FOLDER / name).write_bytes(draw(size, scale))
