"""``kvass qr``: draw the address of an entry as a QR code."""

from __future__ import annotations

import contextlib
import errno
import os
from functools import partial

import click

from kvassfs.errors import KvassError
from kvassfs.sharing.terms import Terms

from .. import streams
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..drawing import draw, shows_colours
from ..group import Command
from ..share_options import add_share_options, get_address


class PictureNotWritten(KvassError):
    """The file at ``path`` cannot be written; what was there still is."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = path
        self.reason = reason


def _require_file_name(_context: click.Context, _parameter: click.Parameter, path: str | None) -> str | None:
    if path is not None and not os.path.basename(path):
        raise click.BadParameter("it names no file.")
    return path


_picture_option = partial(click.option, metavar="FILE", type=click.Path(readable=False), callback=_require_file_name)


@click.command("qr", cls=Command, options_metavar="[OPTIONS] [--]")
@click.argument("key", type=parse_key, shell_complete=complete_key)
@add_share_options
@click.option(
    "--terminal",
    type=click.Choice(["color", "plain"]),
    help="draw black on white, or without colours for light text on dark (default: color where the terminal has any)",
)
@click.option("--invert", is_flag=True, help="swap light and dark: with plain, for dark text on light")
@_picture_option("--png", help="write a PNG file; - is standard output")
@_picture_option("--svg", help="write an SVG file; - is standard output")
@pass_database
def command(
    database: DatabaseFile,
    key: str,
    expires: int | None,
    once: bool,
    offline: bool,
    terminal: str | None,
    invert: bool,
    png: str | None,
    svg: str | None,
) -> None:
    """Draw the address of KEY, as `kvass url` prints it, as a QR code for the camera of a phone."""
    if png is not None and png == svg:
        raise click.UsageError("--png and --svg name the same file.")
    from kvassfs.sharing.qr import Code

    code = Code(get_address(database, key, Terms(expires, once), offline=offline))
    if png is not None:
        save(png, code.png())
    if svg is not None:
        save(svg, code.svg())
    if png is svg is None:
        draw(code, colour=shows_colours() if terminal is None else terminal == "color", invert=invert)


def save(path: str, picture: bytes) -> None:
    """Write a file, whole or not at all; ``-`` stands for standard output.

    Raises:
        PictureNotWritten: it cannot be written.
    """
    if path == "-":
        streams.write([picture])
        return
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe is not to be replaced
            _write(path, "wb", picture)
        else:
            _replace(os.path.realpath(path), picture)
    except OSError as error:
        raise PictureNotWritten(path, error.strerror or str(error)) from error


def _replace(path: str, data: bytes) -> None:
    """Put a new file in the place of that at ``path``, unless that is protected against it."""
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    draft = os.path.join(os.path.dirname(path), f".kvass-{os.urandom(8).hex()}")
    try:
        _write(draft, "xb", data)
        os.replace(draft, path)
    finally:
        with contextlib.suppress(OSError):  # replaced: it is gone
            os.unlink(draft)


def _write(path: str, mode: str, data: bytes) -> None:
    with open(path, mode) as file:
        file.write(data)
