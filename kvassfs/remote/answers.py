"""Reading the body of an answer, which anybody may have sent: bounded, as it is, and held on the disk where it is large."""

from __future__ import annotations

import io
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import requests
import urllib3.exceptions

from ..errors import HubFailed, NotAHub
from .channel import PIECE
from .errors import NoRoomForAnswer

Body = bytes | mmap.mmap
"""The body of an answer; a large one is not in memory, but in a file that goes when nobody uses it any more."""

HELD = 8 * 1024 * 1024
"""Bytes of an answer that are held in memory: until its seal is checked, nobody knows whose it is."""

_LARGE_TEMPORARY = "/var/tmp"  # noqa: S108  where the system has a place for large temporary files


def read_body(response: requests.Response, address: str, largest: int, *, held: int = HELD) -> Body:
    """Return the body of a response of the hub shown as ``address``, of ``largest`` bytes at most.

    Raises:
        HubFailed, NotAHub, NoRoomForAnswer, and what requests and urllib3 raise
    """
    if coding := find_coding(response):
        raise NotAHub(address, f"its answer is encoded ({coding}), and nobody asked for that")
    too_long = HubFailed(address, response.status_code, f"its answer has more than {largest} bytes")
    if (response.raw.length_remaining or 0) > largest:
        raise too_long
    size = 0
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(_make_room(response.raw.length_remaining or 0, held))
        for piece in iterate_pieces(response):
            before, size = size, size + len(piece)
            if size > largest:
                raise too_long
            with _told_as_no_room(address):
                if before <= held < size:
                    file = _move_to_disk(file, stack)
                file.write(piece)
        # urllib3 1.26 leaves it to its caller to notice.
        if response.raw.length_remaining:
            raise requests.exceptions.ChunkedEncodingError
        if isinstance(file, io.BytesIO):
            file.truncate(size)
            return file.getvalue()
        with _told_as_no_room(address):
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def read_beginning(response: requests.Response, most: int) -> bytes:
    """Return the first bytes of a body, about ``most`` of them, where they can be read."""
    body = b""
    if not find_coding(response):
        for piece in iterate_pieces(response):
            body += piece
            if len(body) >= most:
                break
    return body


def find_coding(response: requests.Response) -> str:
    """Return how a body is encoded, in letters; ``""`` if it is as it is."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    return "" if coding == "identity" else "".join(filter(str.isalnum, coding))[:20]


def iterate_pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield a body as it came: what is decoded grows, a thousandfold in the worst case."""
    try:
        yield from response.raw.stream(PIECE, decode_content=False)
    except urllib3.exceptions.ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def choose_directory() -> str:
    """Return where temporary files are on a disk, and not in memory, unless TMPDIR says otherwise. Raises ``OSError``."""
    chosen = tempfile.gettempdir()
    return _LARGE_TEMPORARY if chosen == "/tmp" and os.access(_LARGE_TEMPORARY, os.W_OK) else chosen  # noqa: S108


def _make_room(size: int, held: int) -> io.BytesIO:
    """Return a file in memory that has room for so many bytes, if they are not more than are ``held``.

    To make it longer with each piece takes ten times as long.
    """
    file = io.BytesIO()
    if 0 < size <= held:
        file.seek(size - 1)
        file.write(b"\0")
        file.seek(0)
    return file


def _move_to_disk(file: IO[bytes], stack: ExitStack) -> IO[bytes]:
    on_disk = stack.enter_context(tempfile.TemporaryFile(dir=choose_directory()))  # noqa: SIM115  the stack closes it
    file.seek(0)
    on_disk.write(file.read())
    return on_disk


@contextmanager
def _told_as_no_room(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoomForAnswer(address, (error.strerror or str(error)).lower()) from error
