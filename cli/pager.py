"""A pager, where a person reads standard output."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import click

from . import streams


def write(lines: Iterable[str]) -> None:
    """Write lines to standard output, through the pager of the environment where that is a terminal.

    What is shorter than the screen stays there, as with git: unless ``LESS`` says otherwise.

    Raises:
        OutputClosed, OutputFailed
    """
    if not streams.output_is_terminal():
        streams.write(line.encode("utf-8", "surrogateescape") for line in lines)
        return
    os.environ.setdefault("LESS", "FRX")
    click.echo_via_pager(_encodable(lines))


def _encodable(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that any terminal takes: what it does not have is shown by its number."""
    encoding = streams.output_encoding()
    for line in lines:
        yield line.encode(encoding, "backslashreplace").decode(encoding)
